"""The report's section on the audits of its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from ..audits.audit import MetricAudit
from ..audits.plots import draw_agreement
from ..audits.tables import COLUMNS, NOTES, where_text
from ..standings.registered import MetricFacts
from ..standings.standings import Standings
from ..writing.ink import svg_uri
from ..writing.text_tables import texts_of


@dataclass(frozen=True)
class AuditSection:
    """What the report says about its metrics' audits.

    Attributes
    ----------
    rows
        (audit, cells, ``yes``, ``partly``, ``no`` or nothing for each cell) of every metric whose audit is known.
    where, notes
        On what the (largest) audit was made, and what its columns mean.
    without
        Metrics whose audit is not known.
    agreement
        The picture of which metrics agree, or empty.
    """

    rows: tuple[tuple[MetricAudit, tuple[str, ...], tuple[str, ...]], ...]
    where: str
    notes: tuple[str, ...]
    without: tuple[str, ...]
    agreement: str


def audit_section(standings: Standings) -> AuditSection:
    """Return the section; its rows are empty where no audit is known."""
    metrics = standings.metrics
    known = [(metric, metric.audit) for metric in metrics if metric.audit is not None]
    largest = standings.audits.covering(one.key for _, one in known)
    figure = None if largest is None else draw_agreement(largest, {one.key for _, one in known})
    source = largest or next((a for a in standings.audits.audits for _, one in known if one in a.metrics), None)
    return AuditSection(
        tuple(_row(metric, one) for metric, one in known),
        "" if source is None else where_text(source),
        NOTES,
        tuple(metric.id for metric in metrics if metric.audit is None),
        "" if figure is None else svg_uri(figure),
    )


def _row(metric: MetricFacts, one: MetricAudit) -> tuple[MetricAudit, tuple[str, ...], tuple[str, ...]]:
    # Under the name that the metric has in this run, where that spells out parameters that are the default's.
    return one, (metric.id, *texts_of(COLUMNS[1:], one)), ("", *one.answers.values(), "", "")
