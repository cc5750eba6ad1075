"""Localisation: does a map point at the ground truth, where a dataset has masks of it?

Every metric is undefined (NaN) for a sample whose mask is empty. NaN and infinite attributions count as the lowest and
the highest number; equal ones rank in order of position, row by row.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np

from ...errors import BadInput, NotApplicable
from ...models.inputs.regions import grid_labels
from ...parameters import Doc
from ...registry import Reference
from ..measure import Measure, Want
from ..perturbing.ranking import CleanMaps
from ..registry import register_metric
from ..scoring import Scoring

_located = partial(register_metric, family="localisation", higher_is_better=True, range=(0.0, 1.0))
_ARRAS = Reference(
    "Arras, Osman, Samek", 2022, "CLEVR-XAI: Ground Truth Evaluation of Neural Network Explanations", "2003.07258"
)
_UNDEFINED = float("nan")
_BORDER = 0.05
"""A cell of a mosaic may differ from the mask by so much: resizing to an odd size moves its border by half a pixel."""


class Localisation(Measure):
    """A metric that compares one map with one mask."""

    wants: ClassVar[frozenset[Want]] = frozenset({"masks"})

    @abstractmethod
    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """Return the value of a finite map, float64 (*spatial), with a boolean mask of the same shape, not empty."""

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`.

        Raises
        ------
        BadInput
            If the masks do not have the maps' shape.
        """
        masks = truths(scoring)
        maps = CleanMaps.of(scoring.model, scoring.maps).flat.reshape(masks.shape).astype(np.float64)
        return np.array(
            [self.located(heat, mask) if mask.any() else _UNDEFINED for heat, mask in zip(maps, masks, strict=True)],
            np.float64,
        )


def truths(scoring: Scoring) -> np.ndarray:
    """Return the masks, boolean, of the maps' shape (n, *spatial); BadInput where they have another."""
    masks = np.asarray(scoring.masks)
    if masks.shape != scoring.maps.shape:
        raise BadInput(
            f"The masks have shape {masks.shape}, the attributions {scoring.maps.shape}. Give one value per position."
        )
    return masks.astype(bool)


@_located(
    "pointing_game",
    title="Pointing Game",
    range=(0.0, 100.0),
    unit="%",
    reference=Reference(
        "Zhang, Lin, Brandt, Shen, Sclaroff", 2016, "Top-down Neural Attention by Excitation Backprop", "1608.00507"
    ),
)
@dataclass(frozen=True)
class PointingGame(Localisation):
    """The share of samples whose highest attribution hits the ground truth.

    100 where it hits, else 0; a constant map points at its first position.

    Formula
    -------
    100 where the largest R lies in the ground truth or less than the tolerance away from it, else 0

    Reading
    -------
    The share of samples that are hit, in %; high is good.

    Weaknesses
    ----------
    One position decides, so it is as noisy as a coin: hundreds of samples are needed. Photographers centre their
    subject, so a Gaussian in the middle hits often.
    """

    tolerance: Annotated[
        float,
        Doc(
            "a hit if less than so many positions away; 0: inside",
            says={0.0: "a hit lies inside the truth", "": "a hit is less than {} positions away from the truth"},
            source="Zhang et al. 2016: 15 px",
            low=0,
        ),
    ] = 15.0

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        point = np.array(np.unravel_index(int(heat.argmax()), heat.shape))
        squares = ((np.argwhere(mask) - point) ** 2).sum(axis=1)
        return 100.0 * bool(squares.min() == 0 or squares.min() < self.tolerance**2)


@_located("relevance_mass", title="Relevance Mass", reference=_ARRAS)
@dataclass(frozen=True)
class RelevanceMass(Localisation):
    """The share of the positive attribution that lies in the ground truth (also: energy-based pointing game).

    Undefined (NaN) where nothing is positive.

    Formula
    -------
    sum over the truth of max(R, 0) / sum over everything of max(R, 0)

    Reading
    -------
    0 to 1, high is good; the share of the truth in the picture is what a flat map gets.

    Weaknesses
    ----------
    A network may rightly use what lies outside the mask (the water under a ship): localisation is not faithfulness.
    Maps with a haze of small values everywhere lose much.
    """

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        positive = np.maximum(heat, 0.0)
        return float(positive[mask].sum() / positive.sum()) if positive.any() else _UNDEFINED


@_located("relevance_rank", title="Relevance Rank", reference=_ARRAS)
@dataclass(frozen=True)
class RelevanceRank(Localisation):
    """The share of the highest-ranked positions, as many as the ground truth has, that lie in it.

    Formula
    -------
    share of the |M| highest positions that lie in the truth M

    Reading
    -------
    0 to 1, high is good; the share of the truth in the picture is what chance gets.

    Weaknesses
    ----------
    Only as many positions as the truth has are looked at, and only their order. The network may use the context.
    """

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        size = int(mask.sum())
        return float(mask.ravel()[np.argsort(-heat.ravel(), kind="stable")[:size]].mean())


@_located(
    "localisation_auc",
    title="Localisation AUC",
    reference=Reference("Fawcett", 2006, "An introduction to ROC analysis"),
)
@dataclass(frozen=True)
class RankArea(Localisation):
    """The chance that a position of the ground truth is ranked above another: the area under the ROC curve.

    Equal attributions count half. Undefined (NaN) where the mask is everything.

    Formula
    -------
    P(R_p > R_q) + P(R_p = R_q) / 2, for p in the truth and q outside

    Reading
    -------
    0.5 is chance, 1 is perfect.

    Weaknesses
    ----------
    All orders count, also that among positions of next to no attribution; a large background makes it easy.
    """

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        from scipy.stats import rankdata

        inside, outside = int(mask.sum()), int((~mask).sum())
        if outside == 0:
            return _UNDEFINED
        ranks = rankdata(heat.ravel())[mask.ravel()].sum()
        return float((ranks - inside * (inside + 1) / 2) / (inside * outside))


@_located(
    "effective_heat_ratio",
    title="Effective Heat Ratio",
    reference=Reference(
        "Zhang, Khakzar, Li, Farshad, Kim, Navab", 2021, "Fine-Grained Neural Network Explanation", "2110.01471"
    ),
)
@dataclass(frozen=True)
class HeatRatio(Localisation):
    """The heat in the ground truth per hot position, averaged over thresholds of heat.

    Heat is the positive part of the map over its largest value. Thresholds are the quantiles 0, 0.1, ... 1 of the
    heats of at least ``floor``, but at most 0.99; a point of the curve is the sum of the heats in the mask that reach
    the threshold, over the number of positions that reach it; the value is the area under it. Undefined (NaN) where
    nothing is positive.

    Formula
    -------
    area under the heat in the truth per hot position, over quantiles of heat as thresholds

    Reading
    -------
    0 to 1, high is good: what is hot lies in the truth.

    Weaknesses
    ----------
    The floor below which heat is ignored, 0.1 of the largest, lets one extreme value hide the rest of a map.
    """

    floor: Annotated[
        float,
        Doc(
            "heats below are ignored",
            says="heats below {} are ignored",
            source="Zhang et al.'s code: 0.1",
            low=0,
            high=1,
        ),
    ] = 0.1
    weighted: Annotated[
        bool,
        Doc(
            "sum heats; else count positions",
            says={True: "heats are summed", False: "positions are counted"},
            source="Zhang et al.'s code: yes",
        ),
    ] = True

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        if not heat.max() > 0:
            return _UNDEFINED
        heats = np.maximum(heat, 0.0) / heat.max()
        hot = heats >= self.floor
        quantiles = np.linspace(0, 1, 11)
        ratios = []
        for threshold in np.minimum(np.quantile(heats[hot], quantiles), 0.99):
            reached = hot & (heats >= threshold)
            inside = reached & mask
            ratios.append((heats[inside].sum() if self.weighted else inside.sum()) / reached.sum())
        return float(np.trapezoid(ratios, quantiles))


@_located(
    "grid_pointing_game",
    title="Grid Pointing Game",
    reference=Reference("Böhle, Fritz, Schiele", 2021, "Convolutional Dynamic Alignment Networks", "2104.00032"),
    version=2,
)
@dataclass(frozen=True)
class GridPointingGame(Localisation):
    """The share of the positive attribution that lies in the target's cell of a mosaic of several pictures.

    Undefined (NaN) where nothing is positive, or where a mask is not made of whole cells; not applicable where that
    holds for all masks.

    Formula
    -------
    sum over the target's cells of max(R, 0) / sum over the mosaic of max(R, 0)

    Reading
    -------
    0 to 1, high is good; one of four cells gives 0.25 by chance.

    Weaknesses
    ----------
    Mosaics are no pictures that the network was trained on, and it says nothing about what lies within a cell.
    """

    cells: Annotated[
        int,
        Doc(
            "of the mosaic, along each axis",
            says="the mosaic has {} cells along each axis",
            source="the mosaics of heatmark: 2",
            low=2,
        ),
    ] = 2

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        masks = truths(scoring)
        filled = masks[masks.reshape(len(masks), -1).any(axis=1)]
        if len(filled) and not any(self._is_whole(mask) for mask in filled):
            raise NotApplicable(
                f"it is for mosaics, and the masks are no whole cells of a grid of {self.cells} along each axis"
            )
        return super().values(scoring)

    def located(self, heat: np.ndarray, mask: np.ndarray) -> float:
        """See `Localisation.located`."""
        return RelevanceMass().located(heat, mask) if self._is_whole(mask) else _UNDEFINED

    def _is_whole(self, mask: np.ndarray) -> bool:
        """Return whether each cell lies wholly in the mask or wholly outside, some in, some out, but for borders."""
        cells = grid_labels(mask.shape, [min(self.cells, length) for length in mask.shape]).ravel()
        shares = np.bincount(cells, mask.ravel()) / np.bincount(cells)
        inside, outside = shares >= 1 - _BORDER, shares <= _BORDER
        return bool((inside | outside).all() and inside.any() and outside.any())
