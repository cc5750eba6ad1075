"""Every page of the site: which there are, what each is told, and which scripts it runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..audits.audit import VERDICTS
from ..audits.tables import NOTES as AUDIT_NOTES
from ..records.commands import reproduction
from ..records.official import official_version
from ..report.html import run_facts
from ..report.tables import agreement_text, suite_name
from ..report.verdict import verdicts
from ..standings.curves import SAMPLES
from ..standings.fills import fill_comparisons
from ..standings.standings import Standings
from ..statistics.means import Bounds
from ..writing.numbers import counted
from ..writing.sentences import begun
from .beside import published_beside
from .catalogue import Catalogue, TaskPages
from .docs import Document
from .downloads import DOWNLOADS
from .entries import audit_rows, by_family, method_entry, metric_entry, task_networks, task_verdicts
from .overall import across_tasks
from .pictures import Heatmap, Pictures
from .rendering import Link, Pages, Scripts, Site

SHOWN_VERDICTS = 3
"""So many verdicts stand open on the overview."""

BOARD = ("format.js", "marks.js", "table.js", "columns.js", "charts.js", "ranks.js")
"""What every page with tables of the board runs."""

SCALE = (
    "Signed maps are red where they speak for the class and blue where they speak against it, the scale being centred "
    "at zero; unsigned maps go from dark to yellow. Only strong values cover the photograph, and each map has its own "
    "scale."
)


def site_pages(catalogue: Catalogue, drawn: Pictures, texts: Sequence[Document], data: Sequence[str]) -> dict[str, str]:
    """Return every page's text by its place in the site.

    Parameters
    ----------
    catalogue
        What has pages.
    drawn
        The pictures that they show.
    texts
        The documentation.
    data
        The names of the data files, which say what there is to choose from.
    """
    optional = {
        "wins": ("Wins", "Who wins against whom", _offered(data, "wins")),
        "curves": ("Curves", "Curves", _offered(data, "curves")),
        "costs": ("Cost", "Quality against cost", _offered(data, "costs")),
    }
    shown = {name: one for name, one in optional.items() if one[2]}
    published = published_beside(catalogue.standings)
    links = [Link(link, f"{name}.html") for name, (link, _, _) in shown.items()]
    links += [Link("Audits", "audits.html")] * ("audits" in data) + [Link("Published", "published.html")] * bool(
        published
    )
    pages = Pages(_site(catalogue, texts, links))
    found = {"index.html": _overview(pages, catalogue, "across" in data), "compare.html": _compare(pages)}
    for name, (_, title, offered) in shown.items():
        scripts = Scripts((*BOARD, "choices.js"), ("board",), (f"{name}.js",))
        told = {"offered": list(offered.items()), "most_samples": SAMPLES}
        found[f"{name}.html"] = pages.page(name, f"{name}.html", title, scripts, **told)
    if "audits" in data:
        scripts = Scripts(BOARD, ("board", "audits"), ("audits.js",))
        found["audits.html"] = pages.page(
            "audits", "audits.html", "Can metrics be trusted?", scripts, notes=AUDIT_NOTES
        )
    if published:
        title = "Published numbers beside those measured here"
        found["published.html"] = pages.page("published", "published.html", title, published=published)
    found |= _methods(pages, catalogue, drawn) | _metrics(pages, catalogue) | _tasks(pages, catalogue)
    return found | _documents(pages, texts)


def _offered(data: Sequence[str], kind: str) -> dict[str, list[str]]:
    """Return which metrics there are data of, by table; an empty name where they are of all metrics together."""
    found: dict[str, list[str]] = {}
    for name in data:
        first, *rest = name.split("/")
        if first == kind:
            found.setdefault(rest[0], []).append(rest[1] if len(rest) > 1 else "")
    return found


def _site(catalogue: Catalogue, texts: Sequence[Document], more: Sequence[Link]) -> Site:
    links = [
        Link("Overview", "index.html"),
        Link("Compare", "compare.html"),
        *more,
        Link("Methods", "methods/index.html"),
        Link("Metrics", "metrics/index.html"),
        Link("Tasks", "tasks/index.html"),
        *([Link("Docs", "docs/index.html")] if texts else []),
    ]
    standings = catalogue.standings
    created = sorted({str(run["created"])[:10] for run in standings.runs if run.get("created")})
    versions = ", ".join(sorted({str(run["version"]) for run in standings.runs if run.get("version")}))
    made = f", made {' to '.join(dict.fromkeys((created[0], created[-1])))}" if created else ""
    name = _name(standings)
    footer = f"{begun(name)}{made}, with heatmark {versions}.".replace(", with heatmark .", ".")
    return Site(name, tuple(links), footer)


def _name(standings: Standings) -> str:
    """Return what the site is of: the official results, or the suites that were run."""
    version = official_version([store.path for store in standings.stores])
    return f"official results {version}" if version else suite_name(standings)


def _overview(pages: Pages, catalogue: Catalogue, across: bool) -> str:
    standings = catalogue.standings
    data = ("board", "across") if across else ("board",)
    scripts = Scripts((*BOARD, "view.js"), data, ("overview.js",))
    return pages.page(
        "overview",
        "index.html",
        "Which heatmap shows what a network looks at?",
        scripts,
        summary="A leaderboard of attribution methods.",
        lead=_lead(standings, catalogue),
        verdicts=verdicts(standings),
        overall=across_tasks(catalogue),
        shown_verdicts=SHOWN_VERDICTS,
        marks=any(metric.mark for metric in standings.metrics),
        command=reproduction(standings),
        facts=run_facts(standings),
        downloads=DOWNLOADS,
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


def _compare(pages: Pages) -> str:
    scripts = Scripts((*BOARD, "statistics.js", "scatter.js"), ("board", "student"), ("compare.js",))
    return pages.page("compare", "compare.html", "Compare two methods", scripts)


def _methods(pages: Pages, catalogue: Catalogue, drawn: Pictures) -> dict[str, str]:
    place, scripts = "methods/index.html", Scripts(BOARD, ("board",), ("entries.js",))
    lead = f"{counted(len(catalogue.methods), 'method')} on this board, by family."
    found = {place: pages.page("list", place, "Methods", lead=lead, families=by_family(catalogue.methods), marks=False)}
    for number, method in enumerate(catalogue.methods):
        path = f"methods/{method.slug}.html"
        found[path] = pages.page(
            "method",
            path,
            method.shown,
            scripts,
            section=place,
            summary=method.facts.summary,
            method=method,
            number=number,
            entry=method_entry(method.facts),
            protocol=method.facts.sentence,
            heatmaps=_in_one_framework(drawn.heatmaps.get(number, ())),
            tasks=catalogue.tasks,
            scale=SCALE,
        )
    return found


def _metrics(pages: Pages, catalogue: Catalogue) -> dict[str, str]:
    place, scripts = "metrics/index.html", Scripts(BOARD, ("board",), ("entries.js",))
    lead = (
        f"{counted(len(catalogue.metrics), 'metric')} on this board, by family. ↑ higher is better, ↓ lower is better; "
        "✓ passed every question of its audit, ~ on some data, ! on none."
    )
    found = {place: pages.page("list", place, "Metrics", lead=lead, families=by_family(catalogue.metrics), marks=True)}
    for number, metric in enumerate(catalogue.metrics):
        path, audit = f"metrics/{metric.slug}.html", metric.facts.audit
        found[path] = pages.page(
            "metric",
            path,
            metric.shown,
            scripts,
            section=place,
            summary=metric.facts.summary,
            metric=metric,
            number=number,
            entry=metric_entry(metric.facts),
            bounds=_bounds(metric.facts.range),
            protocol=metric.facts.sentence,
            audit=audit,
            trust=VERDICTS[metric.facts.mark],
            rows=() if audit is None else audit_rows(audit),
            notes=AUDIT_NOTES,
        )
    return found


def _tasks(pages: Pages, catalogue: Catalogue) -> dict[str, str]:
    place, scripts = "tasks/index.html", Scripts(BOARD, ("board",), ("entries.js",))
    standings = catalogue.standings
    links = [
        (
            Link(task.shown, f"{task.slug}.html"),
            f"{counted(task.tables[0].model.samples, 'sample')}, {_frameworks(task)}",
        )
        for task in catalogue.tasks
    ]
    found = {
        place: pages.page(
            "links", place, "Tasks", lead="A network on a data set, each with a table of its own.", found=links
        )
    }
    for task in catalogue.tasks:
        path = f"tasks/{task.slug}.html"
        about = task.tables[0].setting.in_all_frameworks
        found[path] = pages.page(
            "task",
            path,
            task.shown,
            scripts,
            section=place,
            task=task,
            verdicts=task_verdicts(standings, task),
            networks=task_networks(standings, task),
            fills=list(dict.fromkeys(one.text for table in task.tables for one in fill_comparisons(table))),
            agreements=[
                agreement_text(one)
                for one in standings.agreements
                if (one.task, one.precision, one.target, one.variant) == about
            ],
        )
    return found


def _documents(pages: Pages, texts: Sequence[Document]) -> dict[str, str]:
    if not texts:
        return {}
    place = "docs/index.html"
    links = [(Link(text.title, f"{text.name}.html"), "") for text in texts]
    found = {
        place: pages.page(
            "links", place, "Documentation", lead="How things are defined, measured and judged.", found=links
        )
    }
    for text in texts:
        path = f"docs/{text.name}.html"
        found[path] = pages.page("doc", path, text.title, section=place, body=text.body)
    return found


def _in_one_framework(heatmaps: Sequence[Heatmap]) -> list[Heatmap]:
    """Return each task's heatmaps of the first framework that has some; the compare page has the others."""
    first: dict[int, str] = {}
    return [one for one in heatmaps if first.setdefault(one.task, one.framework) == one.framework]


def _frameworks(task: TaskPages) -> str:
    return " and ".join(table.setting.framework_name for table in task.tables)


def _bounds(ends: Bounds) -> str:
    low, high = ends
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"at most {high:g}" if high is not None else f"at least {low:g}"
    return f"{low:g} to {high:g}"
