"""The report's section on the audits of its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from ..audits.plots import draw_agreement
from ..audits.tables import where_text
from ..standings.registered import MetricFacts
from ..standings.standings import Standings
from ..writing.ink import svg_uri


@dataclass(frozen=True)
class AuditSection:
    """What the report says about its metrics' audits."""

    audited: tuple[MetricFacts, ...]
    without: tuple[MetricFacts, ...]
    """Metrics whose audit is known, and those whose audit is not."""
    where: str
    """On what the (largest) audit was made."""
    agreement: str
    """The picture of which metrics agree, or empty."""


def audit_section(standings: Standings) -> AuditSection:
    """Return the section; nothing is audited where no audit is known."""
    metrics = standings.metrics
    known = [metric.audit for metric in metrics if metric.audit is not None]
    largest = standings.audits.covering(one.key for one in known)
    figure = None if largest is None else draw_agreement(largest, {one.key for one in known})
    source = largest or next((a for a in standings.audits.audits for one in known if one in a.metrics), None)
    return AuditSection(
        tuple(metric for metric in metrics if metric.audit is not None),
        tuple(metric for metric in metrics if metric.audit is None),
        "" if source is None else where_text(source),
        "" if figure is None else svg_uri(figure),
    )
