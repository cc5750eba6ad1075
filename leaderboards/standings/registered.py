"""What the registries say about the methods and metrics of a run, also where a plugin is not loaded any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import HeatmarkError
from ...registry import Entry
from ...selection import parse_selection
from ..audits.audit import MetricAudit
from ..statistics.means import UNBOUNDED, Bounds
from ..writing.names import parted, shown
from ..writing.sentences import protocol_sentence

CONTROL = "control"
ORACLE = "oracle"
"""The control that is a ceiling: its map is the truth."""


@dataclass(frozen=True)
class MethodFacts:
    """A method as the tables name it."""

    id: str
    """Its canonical text with the explicitly chosen parameters: what CSV and JSON files have."""
    family: str = ""
    """Its registered family; ``control`` marks the floor and ceiling of a table; empty where unknown."""
    signed: bool | None = None
    """Whether its maps carry a sign, and are drawn on a scale centred at zero; None where unknown."""
    summary: str = ""
    reference: str = ""
    """One line each, or empty."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Every parameter that it ran with."""
    title: str = ""
    """What a submission calls it, whose file is not loaded here; empty where the registries know it."""

    @property
    def control(self) -> bool:
        """Whether the method is a floor or ceiling rather than a contender."""
        return self.family == CONTROL

    @property
    def ceiling(self) -> bool:
        """Whether it is the control that knows the truth."""
        return self.control and self.id.partition("[")[0] == ORACLE

    @property
    def name(self) -> str:
        """What readers know it by."""
        return self.title + parted(self.id)[1] if self.title else shown(self.id, "method")

    @property
    def floor(self) -> bool:
        """Whether it is a control that ignores the network."""
        return self.control and not self.ceiling

    @property
    def label(self) -> str:
        """Its display name, with the mark of a control."""
        return f"{self.name} †" if self.control else self.name

    @property
    def sentence(self) -> str:
        """What it was told to do; empty where there is nothing to tell."""
        return protocol_sentence(self.id, self.parameters, "method")


@dataclass(frozen=True)
class MetricFacts:
    """A metric as the tables name it; ``higher_is_better`` is None, and the metric unranked, where unknown.

    ``audit`` is what is known of whether this very protocol can be trusted, or None.
    """

    id: str
    family: str = ""
    higher_is_better: bool | None = None
    unit: str = ""
    summary: str = ""
    reference: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    range: Bounds = UNBOUNDED
    """Under this protocol."""
    in_mean_rank: bool = True
    """Whether the mean rank may count it."""
    audit: MetricAudit | None = None

    @property
    def name(self) -> str:
        """What readers know it by."""
        return shown(self.id, "metric")

    @property
    def sentence(self) -> str:
        """Its protocol; empty where the definition leaves nothing open."""
        return protocol_sentence(self.id, self.protocol, "metric")

    @property
    def worst(self) -> float | None:
        """The worst possible value, or None where there is none."""
        return self.range[0 if self.higher_is_better else 1]

    @property
    def mark(self) -> str:
        """The mark of its audit, or nothing where none is known."""
        return "" if self.audit is None else self.audit.mark

    @property
    def arrow(self) -> str:
        """An arrow in the direction of better, or a question mark."""
        return {True: "↑", False: "↓", None: "?"}[self.higher_is_better]

    @property
    def direction(self) -> str:
        """The direction in words."""
        return {True: "higher is better", False: "lower is better", None: "direction unknown"}[self.higher_is_better]


def method_facts(text: str, identity: Mapping[str, Any]) -> MethodFacts:
    """Return what is known about a method of a run.

    Parameters
    ----------
    text
        Its canonical text.
    identity
        What its cells recorded: name, version and all parameters.
    """
    from ...methods.registry import METHODS, method_from

    parameters = flat_parameters(identity)
    try:
        entry = METHODS.get(_name(text, identity))
    except HeatmarkError:
        return MethodFacts(text, parameters=parameters)
    try:
        signed = method_from(text).signed
    except HeatmarkError:  # a parameter, or an inner method, that is no longer there
        signed = None
    return MethodFacts(text, entry.family, signed, entry.summary, _reference(entry), parameters)


def metric_facts(text: str, identity: Mapping[str, Any]) -> MetricFacts:
    """Return what is known about a metric of a run (see `method_facts`)."""
    from ...metrics.registry import METRICS, metric_from

    protocol = flat_parameters(identity)
    try:
        entry = METRICS.get(_name(text, identity))
    except HeatmarkError:
        return MetricFacts(text, protocol=protocol)
    try:
        bounds = metric_from(text).range
    except HeatmarkError:  # a parameter that is no longer there
        bounds = UNBOUNDED
    return MetricFacts(
        text,
        entry.family,
        bool(entry.higher_is_better),
        entry.unit,
        entry.summary,
        _reference(entry),
        protocol,
        bounds,
        entry.in_mean_rank,
    )


def flat_parameters(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity as one level of ``name: value``, without the entry's own name; but ``inner`` as it is."""
    found: dict[str, Any] = {}
    for key, value in identity.items():
        if isinstance(value, Mapping) and key != "inner":  # its parameters may have the wrapper's names
            found.update({str(name): item for name, item in flat_parameters(value).items()})
        elif key != "name":
            found[str(key)] = value
    return found


def _name(text: str, identity: Mapping[str, Any]) -> str:
    """Return the registered name: the recorded one, or the part of the text before its brackets."""
    name = identity.get("name")
    return name if isinstance(name, str) and name else parse_selection(text).name


def _reference(entry: Entry) -> str:
    return entry.reference.text if entry.reference is not None else ""
