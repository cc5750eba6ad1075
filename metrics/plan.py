"""What a set of metrics costs, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

from ..errors import BadInput
from ..notebook import table_html
from ..selection import parse_selections
from .measure import Cost
from .perturbing.perturbation import Perturbation
from .perturbing.units import TYPICAL_SHAPE, typical_facts
from .registry import metric_from

PLAN_HEADS = ("metric", "pictures", "new", "forward", "backward", "explanations")
PLAN_NOTE = "Pictures are forward passes that metrics share; new: not read by a metric above."


@dataclass(frozen=True)
class PlannedMetric:
    """What one metric takes of each sample."""

    metric: str
    """Its canonical text."""
    pictures: int
    """The perturbed inputs that it reads, the sample itself among them."""
    new: int
    """How many of them no metric before it in the plan reads."""
    forward: int
    backward: int
    """Passes that it makes beside the pictures, and no metric before it in the plan makes for it."""
    explanations: int
    """Further explanations by the method that is scored, likewise."""


@dataclass(frozen=True)
class ScoringPlan:
    """What a set of metrics takes of each sample."""

    shape: tuple[int, ...]
    """The spatial shape that it was reckoned for."""
    metrics: tuple[PlannedMetric, ...]
    """One entry per metric, in the order given."""
    pictures: int
    """The distinct perturbed inputs of all metrics together; a run knows the sample itself already."""

    @property
    def forward(self) -> int:
        """Forward passes per sample: the distinct pictures, and what metrics pass by themselves."""
        return self.pictures + sum(metric.forward for metric in self.metrics)

    @property
    def backward(self) -> int:
        """Backward passes per sample."""
        return sum(metric.backward for metric in self.metrics)

    @property
    def explanations(self) -> int:
        """Further explanations per sample."""
        return sum(metric.explanations for metric in self.metrics)

    def __repr__(self) -> str:
        return f"<{len(self.metrics)} metrics: {self}>"

    def _repr_html_(self) -> str:
        rows = [[getattr(row, item.name) for item in fields(row)] for row in self.metrics]
        return table_html(str(self), PLAN_HEADS, rows, [PLAN_NOTE])

    @property
    def saved(self) -> int:
        """Pictures that are not evaluated twice because metrics share them."""
        return sum(metric.pictures for metric in self.metrics) - self.pictures

    def __str__(self) -> str:
        parts = [f"{self.forward} forward passes"]
        if self.backward:
            parts.append(f"{self.backward} backward passes")
        if self.explanations:
            parts.append(f"{self.explanations} more explanations")
        shape = " x ".join(map(str, self.shape))
        return f"A sample of {shape} takes {', '.join(parts)}; sharing saves {self.saved} pictures."


def plan(metrics: str | Sequence[str], shape: Sequence[int] = TYPICAL_SHAPE) -> ScoringPlan:
    """Return how many passes a set of metrics takes per sample.

    The counts are those of a map of a usual kind (half of its positions positive); a map with few positive positions
    may need fewer pictures.

    Parameters
    ----------
    metrics
        Selections, such as ``"deletion,insertion[rise],n_ord"`` or a list.
    shape
        The spatial shape of a sample.

    Raises
    ------
    UnknownName, BadInput
        For unknown metrics, wrong parameters, or a shape without positions.
    """
    spatial = tuple(int(size) for size in shape)
    if not spatial or min(spatial) < 1:
        raise BadInput(f"The shape {spatial} has no positions. Give one size per spatial axis, such as (224, 224).")
    known: set[Perturbation] = set()
    done: set[Hashable] = set()
    rows = []
    for chosen in map(metric_from, parse_selections(metrics)):
        items = set(chosen.measure.needs(typical_facts(chosen.measure.unit, spatial)))
        work = chosen.measure.work(math.prod(spatial))
        cost = sum((cost for key, cost in work.items() if key not in done), Cost())
        rows.append(
            PlannedMetric(chosen.id, len(items), len(items - known), cost.forward, cost.backward, cost.explanations)
        )
        known |= items
        done |= work.keys()
    if not rows:
        raise BadInput("Name at least one metric.")
    return ScoringPlan(spatial, tuple(rows), len(known))
