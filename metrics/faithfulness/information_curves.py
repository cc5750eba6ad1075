"""Performance information curves (AIC, SIC): how soon the score comes back as the picture's information does."""

from __future__ import annotations

import io
import math
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, NamedTuple

import numpy as np

from ...errors import NotApplicable
from ...models.base import Model
from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure
from ..perturbing.ranking import CleanMaps
from ..perturbing.target_scores import TargetScores
from ..registry import register_metric
from ..scoring import Scoring

_SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)
RisingScore = Literal["probability", "accuracy"]
_information = partial(
    register_metric,
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 1.0),
    reference=Reference("Kapishnikov, Bolukbasi, Viégas, Terry", 2019, "XRAI", "1906.02825"),
    presets={"pair": {"magnitude": True, "least": 0.8}},
    version=2,
)


class Revealed(NamedTuple):
    """What was seen of one sample while its most relevant positions were revealed."""

    information: np.ndarray
    """Bytes (levels + 2,): of the blurred picture, of each level, of the picture itself."""
    scores: TargetScores
    """What the network said of the same."""


@dataclass(frozen=True)
class InformationCurve(Measure):
    """The area under a score that rises as the most relevant positions of a blurred picture are revealed.

    The blurred picture keeps a random share of the positions, the same for all samples, and the corners; all others
    are interpolated linearly between them (over Delaunay triangles). At each level the highest-ranked share of the
    positions is known too. The axis is information: the length of the picture as lossless WebP, scaled to 0 for the
    blurred and to 1 for the whole picture, and clipped. The score is scaled in the same way, clipped, and never falls
    from level to level. Pictures, the whole one too, have 8 bits per channel.

    Undefined (NaN) where the whole picture scores below ``least``, or the blurred one scores or holds no less than the
    whole: these depend on the sample alone, never on the map.
    """

    score: RisingScore
    """The target's ``probability`` (SIC), or its ``accuracy``, 1 where it is predicted, else 0 (AIC)."""
    shares: tuple[float, ...] = _SHARES
    """The levels."""
    known: Annotated[
        float,
        Doc(
            "share of positions that the blurred picture keeps",
            says="the blurred picture keeps {%} of the positions",
            source="PAIR: 0.01",
            low=0,
            high=1,
        ),
    ] = 0.01
    magnitude: Annotated[
        bool,
        Doc(
            "rank by size, whatever the sign",
            says={True: "positions rank by size, whatever the sign", False: "positions rank by their signed values"},
            source="PAIR's notebook does",
        ),
    ] = False
    least: Annotated[
        float,
        Doc(
            "samples that score less have no value",
            says="samples with less than {} have no value",
            source="PAIR: 0.8, in its notebook 0.5",
            low=0,
            high=1,
        ),
    ] = 0.5

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`; AIC and SIC of the same protocol share their passes."""
        return {self._shared_key: Cost(forward=len(self.shares) + 2)}

    @property
    def _shared_key(self) -> Hashable:
        return "information", self.shares, self.known, self.magnitude

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        key = self._shared_key
        if key not in scoring.shared:
            scoring.shared[key] = self._revealed(scoring)
        return np.array([self._area(seen) for seen in scoring.shared[key]], np.float64)

    def _revealed(self, scoring: Scoring) -> list[Revealed]:
        """Return what is seen of each sample; one sample's pictures are held at a time."""
        model = scoring.model
        if len(model.spatial_shape) != 2 or model.channels not in (1, 3) or min(model.spatial_shape) < 2:
            raise NotApplicable(
                f"it measures information as the length of a picture file, and inputs of shape {model.input_shape} "
                "are no grey or colour pictures"
            )
        maps = CleanMaps.of(model, scoring.maps).flat
        ranked = np.argsort(-np.abs(maps) if self.magnitude else -maps, axis=1, kind="stable")
        start = known_positions(scoring, self.known)
        seen = []
        with ThreadPoolExecutor() as pool:
            for row, order in enumerate(ranked):
                picture = as_picture(model, model.to_numpy(model.channels_first(scoring.x[row : row + 1])))
                masks = [start, *(revealed(start, order, share) for share in self.shares)]
                pictures = [*pool.map(partial(interpolated, picture), masks), picture]
                information = np.array(list(pool.map(webp_length, pictures)), np.float64)
                inputs = model.from_unit(np.moveaxis(np.stack(pictures), -1, 1).astype(np.float32) / 255)
                logits = model.to_numpy(model.engine.outputs(model.from_numpy(model.native_array(inputs))))
                target = np.full(len(pictures), scoring.target[row])
                seen.append(Revealed(information, TargetScores.of(logits, target, model.link)))
        return seen

    def _area(self, seen: Revealed) -> float:
        """Return one sample's area."""
        scores = seen.scores.probability if self.score == "probability" else seen.scores.top.astype(np.float64)
        blurred, whole, least, most = scores[0], scores[-1], seen.information[0], seen.information[-1]
        if whole < self.least or blurred >= whole or least >= most:
            return float("nan")
        information = np.clip((seen.information[1:-1] - least) / (most - least), 0, 1)
        score = np.maximum.accumulate(np.clip((scores[1:-1] - blurred) / (whole - blurred), 0, 1))
        order = np.argsort(information, kind="stable")
        across, up = np.r_[0, information[order], 1], np.r_[0, score[order], 1]
        return float(np.trapezoid(up, across))


def known_positions(scoring: Scoring, share: float) -> np.ndarray:
    """Return which positions the blurred picture keeps, boolean (*spatial): a random share, and the corners."""
    spatial = scoring.model.spatial_shape
    count = math.prod(spatial)
    known = np.zeros(spatial, bool)
    known.flat[scoring.bank.generator("information").choice(count, int(share * count), replace=False)] = True
    known[np.ix_((0, spatial[0] - 1), (0, spatial[1] - 1))] = True
    return known


def revealed(known: np.ndarray, order: np.ndarray, share: float) -> np.ndarray:
    """Return the positions known once the top share of a ranking (positions,) is known too, boolean (*spatial)."""
    # As many as are at or above the quantile 1 - share, by linear interpolation, of distinct values.
    count = len(order) - math.ceil((len(order) - 1) * (1 - share))
    mask = known.ravel().copy()
    mask[order[:count]] = True
    return mask.reshape(known.shape)


def as_picture(model: Model, sample: np.ndarray) -> np.ndarray:
    """Return one sample (1, channels, height, width), raw domain, as uint8 (height, width, channels)."""
    unit = np.clip(np.moveaxis(model.to_unit(sample[0]), 0, -1), 0, 1)
    picture: np.ndarray = np.rint(unit * 255).astype(np.uint8)
    return picture


def interpolated(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return a uint8 picture with all but the known positions interpolated linearly between those."""
    from scipy.interpolate import LinearNDInterpolator

    if known.all():
        return picture
    values = LinearNDInterpolator(np.argwhere(known), picture[known].astype(np.float64))(np.argwhere(~known))
    # Rounding may put a position on the border just outside all triangles.
    values = np.where(np.isnan(values), picture.mean(axis=(0, 1)), values)
    result = picture.copy()
    # In float32 the many values that are halves are exactly that, so rounding does not hang on the last digit.
    result[~known] = np.rint(values.astype(np.float32))
    return result


def webp_length(picture: np.ndarray) -> int:
    """Return the length of a uint8 picture (height, width, channels) as a lossless WebP file, in bytes."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(
        file, format="webp", lossless=True, quality=100
    )
    return file.getbuffer().nbytes


@_information("sic", title="SIC")
@dataclass(frozen=True)
class SoftmaxInformation(InformationCurve):
    """The area under the target's probability over the picture's information, most relevant positions first.

    Formula
    -------
    area under p(x revealed) over the picture's information (bytes as lossless WebP), both relative to the whole

    Reading
    -------
    0 to 1, high is good: little information brings the probability back.

    Weaknesses
    ----------
    Information is what a compressor needs, not what the network uses. Samples of which the network is unsure have no
    value.
    """

    score: RisingScore = "probability"


@_information("aic", title="AIC")
@dataclass(frozen=True)
class AccuracyInformation(InformationCurve):
    """The area under whether the target is predicted over the picture's information, most relevant positions first.

    Formula
    -------
    area under [the target is predicted] over the picture's information (bytes as lossless WebP), relative to the whole

    Reading
    -------
    0 to 1, high is good.

    Weaknesses
    ----------
    A step instead of a curve: few samples make it coarse. Otherwise as sic.
    """

    score: RisingScore = "accuracy"
