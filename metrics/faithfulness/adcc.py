"""ADCC: Average Drop, Coherency and Complexity in one number (Poppi, Cornia, Baraldi, Cucchiara 2021)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import Cost, Measure, Want
from ..perturbing.correlations import pearson
from ..perturbing.fills import ABSENCE, CANVASES, fill_of
from ..perturbing.perturbation import ORIGINAL, SCALED, SOFT, MapFacts, Perturbation, fading
from ..perturbing.ranking import CleanMaps
from ..registry import register_metric
from ..scoring import Scoring


@register_metric(
    "adcc",
    title="ADCC",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 100.0),
    unit="%",
    reference=Reference("Poppi, Cornia, Baraldi, Cucchiara", 2021, "Revisiting the Evaluation of CAMs", "2104.10252"),
    presets={"poppi2021": {"mask": "scaled", "fill": "zero"}},
)
@dataclass(frozen=True)
class DropCoherencyComplexity(Measure):
    """The harmonic mean of what is not dropped, coherency, and simplicity.

    With m the map scaled to [0, 1] and E the sample faded by m: 1 - drop, for drop = max(0, p(x) - p(E)) / p(x) of the
    target's probability; coherency, (1 + Pearson's correlation of m with the map of E) / 2, zero where that is
    undefined; and 1 - complexity, for complexity the mean of m; in percent. Zero where one of the three is zero.

    Formula
    -------
    3 / (1 / (1 - drop) + 1 / coherency + 1 / (1 - complexity)), in %

    Reading
    -------
    0 to 100 %, high is good: little is lost, the map of the masked picture is the same, and the map is small.

    Weaknesses
    ----------
    Three questions in one number: a bad value does not say which was answered badly. It explains a masked picture,
    which no training set has.
    """

    wants: ClassVar[frozenset[Want]] = frozenset({"method"})

    mask: Annotated[
        Literal["soft", "scaled"],
        Doc(
            "the map's positive part, or the whole map, scaled to [0, 1]",
            says={
                "soft": "the mask is the map's positive part, scaled to [0, 1]",
                "scaled": "the mask is the whole map, scaled to [0, 1]",
            },
            source="as average_drop",
        ),
    ] = "soft"
    fill: Annotated[
        str, Doc("what is faded to", says="what is masked fades to {}", source="as average_drop", choices=CANVASES)
    ] = ABSENCE

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, fading(self.fill, self._prefix)]

    def work(self, positions: int) -> Mapping[Hashable, Cost]:
        """See `Measure.work`."""
        return {self: Cost(explanations=1)}

    def values(self, scoring: Scoring) -> np.ndarray:
        """See `Measure.values`."""
        model = scoring.model
        masks = CleanMaps.of(model, scoring.maps).mask(self._prefix)
        soft = model.with_channel_axis(model.from_numpy(masks))
        fill = fill_of(model, scoring.x, self.fill, scoring.seed, scoring.values)
        faded = model.operations.blend(soft, scoring.x, fill)
        others = CleanMaps.of(model, scoring.explained(faded)).mask(self._prefix)
        values = []
        for reading, mask, other in zip(scoring.readings(self.unit), masks, others, strict=True):
            whole, left = reading.curve([ORIGINAL, fading(self.fill, self._prefix)], "probability")
            drop = max(0.0, whole - left) / whole
            correlation = pearson(mask, other)
            coherency = 0.0 if np.isnan(correlation) else (1.0 + correlation) / 2.0
            goods = np.array([1.0 - drop, coherency, 1.0 - float(mask.mean())])
            values.append(100.0 * 3.0 / (1.0 / goods).sum() if (goods > 0).all() else 0.0)
        return np.array(values, np.float64)

    @property
    def _prefix(self) -> str:
        return SOFT if self.mask == "soft" else SCALED
