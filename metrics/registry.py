"""The registry of metrics: what a metric declares, and how one is chosen by its selection text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..definitions import Chosen, Selectable, chosen
from ..identity import source_digest
from ..parameters import bound, made
from ..registry import Reference, Registry
from ..selection import Selection, parse_selections
from .measure import CurveMeasure, Measure
from .perturbing.units import TYPICAL_SHAPE, checked_unit, typical_facts

__all__ = [
    "METRICS",
    "CurveMeasure",
    "Measure",
    "Metric",
    "MetricEntry",
    "list_metrics",
    "metric_from",
    "register_metric",
]

#: What makes a measure of parameters: the measure's own dataclass, or a function.
Factory = TypeVar("Factory", bound=Callable[..., Measure])


class Decorator(Protocol):
    """Registers a metric and gives it back."""

    def __call__(self, factory: Factory, /) -> Factory:
        """Return the factory itself."""


@dataclass(frozen=True, kw_only=True, repr=False)
class MetricEntry(Selectable):
    """A registered metric.

    Attributes
    ----------
    function
        The measure's dataclass, or a function from keyword parameters to a measure.
    """

    higher_is_better: bool
    """The direction."""
    range: tuple[float | None, float | None] = (None, None)
    """The smallest and largest possible value; None where there is no bound."""
    unit: str = ""
    """What values are counted in (``%``), or empty."""
    in_mean_rank: bool = True
    """Whether a leaderboard's mean rank counts it; not where it tells too little apart to be ranked by."""

    @property
    def cost(self) -> str:
        """What a sample takes at the default protocol."""
        return _cost_in_words(made(self.function, bound(self.parameters, {}, self.name)))

    @property
    def arrow(self) -> str:
        """The direction as an arrow."""
        return "↑" if self.higher_is_better else "↓"


@dataclass(frozen=True)
class Metric(Chosen[MetricEntry]):
    """A metric with its protocol fixed.

    Attributes
    ----------
    entry, selection, parameters
        See `Chosen`.
    """

    measure: Measure
    """The definition itself."""

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The smallest and largest possible value under this protocol; None where there is no bound."""
        return self.entry.range if self.measure.bounded else (None, None)

    @property
    def cost(self) -> str:
        """What a sample takes under this protocol."""
        return _cost_in_words(self.measure)

    @property
    def protocol(self) -> dict[str, Any]:
        """The protocol as plain data."""
        return self.measure.protocol()

    def identity(self) -> dict[str, Any]:
        """Return everything that the metric's numbers depend on, as plain data."""
        identity = {"name": self.entry.name, "version": self.entry.version, "protocol": self.protocol}
        if self.entry.origin != "heatmark":
            identity["source"] = [source_digest(self.entry.function), source_digest(type(self.measure))]
        return identity


def _cost_in_words(measure: Measure) -> str:
    extra = measure.cost(math.prod(TYPICAL_SHAPE))
    pictures, forward = len(set(measure.needs(typical_facts(measure.unit, TYPICAL_SHAPE)))), extra.forward
    parts = [
        *([f"{pictures} shared pictures"] if pictures else []),
        *([f"{forward} forward passes"] if forward else []),
        *([f"{extra.backward} backward passes"] if extra.backward else []),
        *([f"{extra.explanations} more explanations"] if extra.explanations else []),
    ]
    return f"{', '.join(parts) or 'no pass'} at 224 x 224 positions"


METRICS: Registry[MetricEntry] = Registry(
    "metric",
    "heatmark.metrics",
    {
        "faithfulness": (
            "average_drop",
            "adcc",
            "ordering",
            "proportionality",
            "deletion",
            "pixel_flipping",
            "erasure",
            "road",
            "irof",
            "single_deletion",
            "monotonicity",
            "subset_correlations",
            "infidelity",
            "information_curves",
        ),
        "properties": ("localisation", "complexity", "robustness", "randomisation", "axioms"),
    },
)


def register_metric(
    name: str,
    *,
    title: str = "",
    family: str,
    higher_is_better: bool,
    range: tuple[float | None, float | None] = (None, None),
    unit: str = "",
    reference: Reference | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    version: int = 1,
    in_mean_rank: bool = True,
) -> Decorator:
    """Register the decorated dataclass as a metric, or a function that makes one.

    The dataclass is a `Measure` whose fields all have defaults; those annotated with a `Doc` are the metric's
    parameters. A function takes keyword parameters with defaults and returns a `Measure`. The first line of the
    docstring is the metric's summary; ``title`` is what tables and figures call it (by default the name in words).

    Examples
    --------
    >>> @register_metric("half_gone", family="faithfulness", higher_is_better=True)
    ... @dataclass(frozen=True)
    ... class HalfGone(CurveMeasure):
    ...     "The drop of the probability when the top half is filled."
    ...     fill: Annotated[str, Doc("what the top half shows", choices=FILLS)] = "neutral"
    """

    def register(factory: Factory) -> Factory:
        METRICS.add(
            MetricEntry(
                name=name,
                title=title,
                family=family,
                reference=reference,
                higher_is_better=higher_is_better,
                range=range,
                unit=unit,
                presets=dict(presets or {}),
                version=version,
                in_mean_rank=in_mean_rank,
                **METRICS.described(factory),
            )
        )
        return factory

    return register


def metric_from(selection: str | Selection) -> Metric:
    """Return the metric that a selection such as ``"deletion[rise]"`` or ``"n_ord[steps=8]"`` names.

    Raises
    ------
    UnknownName, BadInput
        For an unknown metric, preset or parameter, or a value out of range.
    """
    found = chosen(METRICS, selection)
    measure = made(found.entry.function, found.parameters)
    checked_unit(measure.unit)
    return Metric(found.entry, found.selection, found.parameters, measure)


def metrics_named(names: str | Iterable[str] | None) -> tuple[Metric, ...]:
    """Return the metrics that selections name, each once; every registered one at its default where None."""
    if names is None:
        return tuple(metric_from(entry.name) for entry in METRICS)
    return tuple({metric.id: metric for metric in map(metric_from, parse_selections(names))}.values())


def list_metrics() -> list[MetricEntry]:
    """Return all registered metrics, by family and name."""
    return list(METRICS)
