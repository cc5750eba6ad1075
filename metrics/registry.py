"""The registry of metrics: what a metric declares, and how one is chosen by its selection text."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import BadInput, suggestion
from ..identity import source_digest
from ..parameters import Parameter, bound, parameters_of
from ..registry import Entry, Reference, Registry
from ..selection import Selection, parse_selection, select
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

MetricFactory = Callable[..., Measure]


@dataclass(frozen=True, kw_only=True)
class MetricEntry(Entry):
    """A registered metric.

    Attributes
    ----------
    factory
        From keyword parameters to the measure.
    higher_is_better
        The direction.
    range
        The smallest and largest possible value; None where there is no bound.
    unit
        What values are counted in (``%``), or empty.
    presets
        Definitions by name: the parameters that follow a paper or a public code.
    version
        Raised whenever the numbers change; part of every result's key.
    """

    factory: MetricFactory
    higher_is_better: bool
    range: tuple[float | None, float | None] = (None, None)
    unit: str = ""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    version: int = 1

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The keyword parameters of the factory."""
        return parameters_of(self.factory)

    @property
    def cost(self) -> str:
        """What a sample takes at the default protocol."""
        return _cost_in_words(self.factory(**bound(self.parameters, {}, self.name)))

    @property
    def arrow(self) -> str:
        """The direction as an arrow."""
        return "↑" if self.higher_is_better else "↓"


@dataclass(frozen=True)
class Metric:
    """A metric with its protocol fixed.

    Attributes
    ----------
    entry
        The registered metric.
    selection
        How it was chosen; its text is the metric's name in tables.
    parameters
        Every parameter with its value.
    measure
        The definition itself.
    """

    entry: MetricEntry
    selection: Selection
    parameters: Mapping[str, Any]
    measure: Measure

    @property
    def id(self) -> str:
        """The name in tables: the entry with its preset and explicitly chosen parameters."""
        return self.selection.text

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
            identity["source"] = [source_digest(self.entry.factory), source_digest(type(self.measure))]
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
    (
        "faithfulness.average_drop",
        "faithfulness.adcc",
        "faithfulness.ordering",
        "faithfulness.proportionality",
        "faithfulness.deletion",
        "faithfulness.pixel_flipping",
        "faithfulness.erasure",
        "faithfulness.road",
        "faithfulness.irof",
        "faithfulness.single_deletion",
        "faithfulness.monotonicity",
        "faithfulness.subset_correlations",
        "faithfulness.infidelity",
        "faithfulness.information_curves",
        "properties.localisation",
        "properties.complexity",
        "properties.robustness",
        "properties.randomisation",
        "properties.axioms",
    ),
)


def register_metric(
    name: str,
    *,
    family: str,
    higher_is_better: bool,
    range: tuple[float | None, float | None] = (None, None),
    unit: str = "",
    reference: Reference | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    version: int = 1,
) -> Callable[[MetricFactory], MetricFactory]:
    """Register the decorated factory as a metric.

    The factory takes keyword parameters with defaults and returns a `Measure`. The first line of its docstring is
    the metric's summary.
    """

    def register(factory: MetricFactory) -> MetricFactory:
        module = factory.__module__
        METRICS.add(
            MetricEntry(
                name=name,
                family=family,
                summary=(inspect.getdoc(factory) or "").partition("\n")[0],
                reference=reference,
                origin="heatmark" if module.startswith("heatmark.metrics.") else module,
                factory=factory,
                higher_is_better=higher_is_better,
                range=range,
                unit=unit,
                presets=dict(presets or {}),
                version=version,
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
    chosen = parse_selection(selection) if isinstance(selection, str) else selection
    entry = METRICS.get(chosen.name)
    preset: Mapping[str, Any] = {}
    if chosen.variant is not None:
        if chosen.variant not in entry.presets:
            known = ", ".join(entry.presets) or "none"
            raise BadInput(
                f"{entry.name} has no preset {chosen.variant!r} (it has: {known})."
                f"{suggestion(chosen.variant, entry.presets)}"
            )
        preset = entry.presets[chosen.variant]
    values = bound(entry.parameters, {**preset, **dict(chosen.parameters)}, entry.name)
    named = select(entry.name, chosen.variant, dict(chosen.parameters))
    measure = entry.factory(**values)
    checked_unit(measure.unit)
    return Metric(entry, named, values, measure)


def list_metrics() -> list[MetricEntry]:
    """Return all registered metrics, by family and name."""
    return list(METRICS)
