"""Single deletion: does a cell's attribution say how much the score drops when that cell alone is gone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.correlations import spearman
from ..perturbing.fills import ABSENCE, FILLS
from ..perturbing.perturbation import ORIGINAL, MapFacts, MetricScore, Perturbation, Reading, removing
from ..perturbing.rounding import changes
from ..perturbing.units import UNITS
from ..registry import register_metric


@register_metric(
    "single_deletion",
    title="Single Deletion",
    family="faithfulness",
    higher_is_better=True,
    range=(-1.0, 1.0),
    reference=Reference(
        "Hesse, Schaub-Meyer, Roth", 2024, "Benchmarking the Attribution Quality of Vision Models", "2407.11910"
    ),
    presets={"idsds": {"fill": "zero"}},
    version=2,
)
@dataclass(frozen=True)
class SingleDeletion(CurveMeasure):
    """The rank correlation of the cells' attributions with the drops when each cell alone is deleted.

    Spearman's; a cell's attribution is the signed sum over its positions. Drops that are float32's rounding are none.
    Undefined (NaN) where either side is constant.

    Formula
    -------
    Spearman's correlation over cells c of sum of R in c with f(x) - f(x without c)

    Reading
    -------
    -1 to 1, high is good: cells are ranked as they matter alone.

    Weaknesses
    ----------
    One cell at a time misses what cells do together: where two say the same, neither matters alone. 16 cells make a
    coarse correlation.
    """

    fill: Annotated[
        str,
        Doc("what replaces a cell", says="a deleted cell shows {}", source="Hesse et al. 2024: zeros", choices=FILLS),
    ] = ABSENCE
    unit: Annotated[
        str, Doc("the cells", says="deleted one at a time are {}", source="Hesse et al. 2024: 4 by 4", choices=UNITS)
    ] = "grid:4"
    score: Annotated[
        MetricScore, Doc("what drops", says="the drop is that of {}", source="Hesse et al. 2024: logit")
    ] = "logit"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, *self._cells(facts)]

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        cells = self._cells(reading.facts)
        drops = -changes(reading.curve(cells, self.score), reading.score(ORIGINAL, self.score), self.score)
        return spearman(removed_relevance(reading, cells), drops)

    def _cells(self, facts: MapFacts) -> list[Perturbation]:
        return [removing(rank, rank + 1, self.fill, facts) for rank in range(facts.positions)]


def removed_relevance(reading: Reading, cells: Sequence[Perturbation]) -> np.ndarray:
    """Return the sum of the attributions that each perturbation removes, float64, as shares of one common size."""
    kept, whole = reading.relevance(cells), reading.seen[ORIGINAL].relevance
    # Sums were taken in another order than the cells stand in: equal cells may differ in the last digits.
    scale = np.abs(kept).max() + abs(whole)
    return np.round((whole - kept) / scale, 9) if scale > 0 else whole - kept
