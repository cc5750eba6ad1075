"""The report: one HTML file that holds everything and asks nothing of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..across.overall import Overall
from ..audits.plots import draw_agreement
from ..audits.tables import COLUMNS as AUDIT_COLUMNS
from ..audits.tables import NOTES as AUDIT_NOTES
from ..audits.tables import WHY, where_text
from ..costs.tables import COLUMNS, NOTE
from ..galleries.views import VIEWS, caption
from ..records.commands import reproduction, run_name
from ..standings.curves import SAMPLES
from ..standings.fills import fill_comparisons
from ..standings.results import framework_text
from ..standings.standings import Standings, Table
from ..writing import numbers as formatting
from ..writing.ink import svg_uri
from ..writing.templates import templates_in
from .costs import cost_section
from .figures import Titled, curves_figures, looks, overall_figures, ranks_figures
from .heatmaps import galleries
from .networks import examined_networks
from .overall import columns, note, summary, worth_showing
from .pairs import Pairs, differences_figure, why_no_diagram, wins_figure
from .tables import PASSES, RELATIVE, SCORING, TIME, agreement_text, place_text, suite_name, tie_text, uncounted_text
from .verdict import verdicts

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_UNBROKEN = 10
AGREEMENT_ROWS = 12
"""So many pairs of method and metric are listed per pair of frameworks, besides all that disagree."""


def html_report(standings: Standings, standing: Overall) -> str:
    """Return the report, with the standing across tasks, as one self-contained HTML page."""
    environment = templates_in(TEMPLATES)
    environment.filters.update(breakable=breakable, sortable=sortable)
    environment.globals.update(
        agreement_text=agreement_text,
        audit_columns=(*AUDIT_COLUMNS, WHY),
        audit_notes=AUDIT_NOTES,
        cost_columns=(TIME, RELATIVE, PASSES, SCORING),
        fill_comparisons=fill_comparisons,
        format=formatting,
        framework_text=framework_text,
        isfinite=math.isfinite,
        place_text=place_text,
        tie_text=tie_text,
        uncounted_text=uncounted_text,
        runtime_columns=COLUMNS,
        runtime_note=NOTE,
    )
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        standings=standings,
        style=style,
        suite=suite_name(standings),
        verdicts=verdicts(standings),
        audits=_audits(standings),
        facts=run_facts(standings),
        across=_across(standings, standing),
        ranks=_uris(ranks_figures(standings)),
        pairs=[_pairs(table) for table in standings.tables],
        costs=cost_section(standings, looks(standings)),
        curves=_uris(curves_figures(standings)),
        most_samples=SAMPLES,
        galleries=galleries(standings),
        networks=examined_networks(standings),
        view_words={view: caption([view]) for view in VIEWS},
        agreement_rows=AGREEMENT_ROWS,
        command=reproduction(standings),
        made_by=_made_by(standings),
        unplaced=[(table, row) for table in standings.tables for row in table.rows if row.place is None],
        skipped_files=_skipped_files(standings),
    )


def sortable(value: float) -> float | str:
    """Return a number to sort by; nothing where there is none."""
    return value if math.isfinite(value) else ""


def breakable(name: str) -> str:
    """Return a name with invisible places where a narrow column may break it."""
    head, bracket, rest = name.partition("[")
    if len(head) > LONGEST_UNBROKEN:
        head = head.replace("_", "_\u200b")
    return head + ("\u200b[" + rest.replace(",", ",\u200b") if bracket else "")


def run_facts(standings: Standings) -> list[tuple[str, str]]:
    """Return what ran where and when, as (heading, words)."""
    provenances = [provenance for table in standings.tables for provenance in table.provenances]

    def each(name: str) -> str:
        values = {str(p[name]) for p in provenances if p.get(name) not in (None, "")}
        return ", ".join(sorted(values))

    versions: dict[str, set[str]] = {}
    for provenance in provenances:
        for package, version in (provenance.get("versions") or {}).items():
            versions.setdefault(str(package), set()).add(str(version))
    devices = sorted({table.results.device for table in standings.tables})
    seeds = sorted({spec.seed for store in standings.stores for spec in store.expected})
    first = min((str(p["started"]) for p in provenances if p.get("started")), default="")
    last = max((str(p["finished"]) for p in provenances if p.get("finished")), default="")
    coverages = [method.coverage for table in standings.tables for method in table.results.methods]
    expected, done = (sum(getattr(one, name) for one in coverages) for name in ("expected_cells", "cells"))
    facts = [
        ("tasks", "; ".join(dict.fromkeys(table.setting.task_title for table in standings.tables))),
        ("frameworks", ", ".join(dict.fromkeys(table.setting.framework_name for table in standings.tables))),
        ("cells", f"{done} of {expected} finished, {len(standings.failures)} failed"),
        ("explained class", ", ".join(sorted({table.setting.target for table in standings.tables}))),
        ("seed", ", ".join(map(str, seeds))),
        ("device", ", ".join(devices)),
        ("processor", each("cpu")),
        ("platform", each("platform")),
        ("threads", each("threads")),
        ("run", f"{first} to {last}" if first else ""),
        ("versions", ", ".join(f"{name} {'/'.join(sorted(found))}" for name, found in sorted(versions.items()))),
        ("mean ranks' intervals", f"{standings.resamples} paired bootstrap resamples, seed {standings.seed}"),
    ]
    return [(name, words) for name, words in facts if words]


def _made_by(standings: Standings) -> str:
    """Return by which version of heatmark each run was made, and when."""
    several, words = len(standings.stores) > 1, []
    for store in standings.stores:
        created = f", run created {store.run['created']}" if store.run.get("created") else ""
        words.append(
            f"{f'{run_name(store.run)}: ' if several else ''}heatmark {store.run.get('version', '')}{created}."
        )
    return " ".join(words)


def _audits(standings: Standings) -> dict[str, Any]:
    """Return what the report says about its metrics' audits; nothing is audited where no audit is known."""
    metrics = standings.metrics
    known = [metric.audit for metric in metrics if metric.audit is not None]
    largest = standings.audits.covering(one.key for one in known)
    figure = None if largest is None else draw_agreement(largest, {one.key for one in known})
    source = largest or next((a for a in standings.audits.audits for one in known if one in a.metrics), None)
    return {
        "audited": [metric for metric in metrics if metric.audit is not None],
        "without": [metric for metric in metrics if metric.audit is None],
        "where": "" if source is None else where_text(source),
        "agreement": "" if figure is None else svg_uri(figure),
    }


def _across(standings: Standings, standing: Overall) -> dict[str, Any] | None:
    """Return what the report says about the standing across tasks; None where there are not several."""
    if not worth_showing(standing):
        return None
    return {
        "columns": columns(standing),
        "rows": standing.rows,
        "sentences": summary(standing),
        "note": note(standing),
        "figures": _uris(overall_figures(standings, standing)),
    }


def _pairs(table: Table) -> dict[str, str]:
    """Return the figures of a table's pairs of methods as data URIs, and why one of them is not there."""
    pairs, words, reason = Pairs.of_table(table), table.setting.title, why_no_diagram(table)
    wins = wins_figure(pairs, words)
    differences = None if reason else differences_figure(pairs, words)
    return {
        "wins": "" if wins is None else svg_uri(wins),
        "differences": "" if differences is None else svg_uri(differences),
        "reason": reason,
    }


def _uris(figures: Titled) -> list[tuple[str, str]]:
    """Return figures as (what it shows, data URI)."""
    return [(title, svg_uri(figure)) for title, figure in figures]


def _skipped_files(standings: Standings) -> list[str]:
    """Return the files that datasets left out, with the reason, once each."""
    provenances = [provenance for table in standings.tables for provenance in table.provenances]
    skipped = [item for provenance in provenances for item in provenance.get("skipped") or []]
    words = [f"{i.get('path')}: {i.get('reason')}" if isinstance(i, Mapping) else str(i) for i in skipped]
    return list(dict.fromkeys(words))
