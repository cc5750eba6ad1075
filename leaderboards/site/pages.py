"""Every page of the site: which there are, what each is told, and which scripts it runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..report.html import reproduction, run_facts
from ..report.tables import suite_name
from ..report.verdict import verdicts
from ..standings.standings import Standings
from ..writing.numbers import counted
from .catalogue import Catalogue
from .docs import Document
from .pictures import Pictures
from .rendering import Link, Pages, Scripts, Site

SHOWN_VERDICTS = 3
"""So many verdicts stand open on the overview."""

BOARD = ("format.js", "table.js", "columns.js", "charts.js")
"""What every page with tables of the board runs."""


def site_pages(catalogue: Catalogue, drawn: Pictures, texts: Sequence[Document]) -> dict[str, str]:
    """Return every page's text by its place in the site."""
    pages = Pages(_site(catalogue, texts))
    return {"index.html": _overview(pages, catalogue)}


def _site(catalogue: Catalogue, texts: Sequence[Document]) -> Site:
    links = [
        Link("Overview", "index.html"),
    ]
    standings = catalogue.standings
    created = ", ".join(dict.fromkeys(str(run["created"]) for run in standings.runs if run.get("created")))
    versions = ", ".join(dict.fromkeys(str(run.get("version", "")) for run in standings.runs))
    footer = f"The run {suite_name(standings)}{f', made {created}' if created else ''}, with heatmark {versions}."
    return Site(suite_name(standings), tuple(links), footer)


def _overview(pages: Pages, catalogue: Catalogue) -> str:
    standings = catalogue.standings
    scripts = Scripts((*BOARD, "view.js"), ("board",), ("overview.js",))
    return pages.page(
        "overview",
        "index.html",
        "Which heatmap shows what a network looks at?",
        scripts,
        summary="A leaderboard of attribution methods.",
        lead=_lead(standings, catalogue),
        verdicts=verdicts(standings),
        shown_verdicts=SHOWN_VERDICTS,
        marks=any(metric.mark for metric in standings.metrics),
        command=reproduction(standings),
        facts=run_facts(standings),
        downloads=[Link("leaderboard.csv", "downloads/leaderboard.csv")],
    )


def _lead(standings: Standings, catalogue: Catalogue) -> str:
    methods = [one.facts for one in catalogue.methods]
    controls = sum(one.control for one in methods)
    frameworks = list(dict.fromkeys(table.setting.framework_name for table in standings.tables))
    parts = [
        f"{counted(len(methods) - controls, 'method')} and {counted(controls, 'control')}",
        counted(len(catalogue.metrics), "metric"),
        counted(len(catalogue.tasks), "task"),
        " and ".join(frameworks),
    ]
    return ", ".join(parts) + "."
