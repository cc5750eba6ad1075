"""The audit of metrics as tables: in the terminal, as Markdown and as CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace

import pandas as pd
from rich.console import Console
from rich.text import Text

from ..writing.names import shown
from ..writing.numbers import MISSING, decimals, percent
from ..writing.text_tables import (
    Column,
    bullets,
    console_of,
    escaped,
    markdown_table,
    markdown_text,
    section,
    terminal_table,
)
from .audit import (
    FAILED,
    FINDS_TRUTH,
    PARTLY,
    PASSED,
    REACTIVE,
    REPEATABLE,
    RESILIENT,
    VERDICTS,
    Grade,
    MetricAudit,
    MetricsAudit,
)

WIDTH = 100
"""Assumed where the output is no terminal, such as a log."""

WIDTHS = {"metric": 32, "oracle": 7}
"""Columns that are wider than their heads."""

STYLES: Mapping[Grade, str] = {"yes": "", "partly": "yellow", "no": "red", "": "dim"}
MARK_STYLES: Mapping[str, str] = {PASSED: "green", PARTLY: "yellow", FAILED: "red", "": "dim"}

NOTES = (
    "Numbers are means over the data sets; a question is passed on each by itself. "
    f"{PASSED} every question on all data, {PARTLY} on some data, {FAILED} on none.",
    "oracle: how many controls the ground truth's own map beats, the 95 % interval of the difference above zero "
    "(over all data sets); in parentheses where the metric is about something else, and it need not. Controls that "
    f"find the truth by themselves (area under the ROC curve at least {FINDS_TRUTH:g}) are left out.",
    f"reacts: how often a map scores better than noise in its place (0.5: as often as not); at least {REACTIVE:g}.",
    "resilient: 1 minus what a little noise (5 %) changes over what losing the map changes; order kept: Kendall's tau "
    f"between the maps' order with that noise and without; each at least {RESILIENT:g}.",
    "retest: Spearman's correlation of the scores with another seed of the metric (exact: it has no random numbers); "
    f"halves: of the maps' order on two halves of the samples; each at least {REPEATABLE:g}.",
)


def audit_frame(audit: MetricsAudit) -> pd.DataFrame:
    """Return one row per metric and data set."""
    return pd.DataFrame.from_records(
        [
            {
                "metric": one.metric,
                "family": one.family,
                "higher_is_better": one.higher_is_better,
                "verdict": VERDICTS[one.mark],
                "model": task.model,
                "dataset": task.dataset,
                "why": "; ".join(one.causes),
                "not_passed": ", ".join(check.name for check in task.checks(one.about_truth) if check.passed is False),
                "controls_beaten": task.beaten[0],
                "controls_compared": task.beaten[1],
                "reacts": task.reactivity,
                "resilient": task.resilience,
                "order_kept": task.order_kept,
                "random": task.random,
                "retest": task.retest,
                "halves": task.split_half,
                "values": task.values,
                "undefined": task.undefined,
                "key": one.key,
            }
            for one in audit.by_family
            for task in one.tasks
        ]
    )


def oracle_frame(audit: MetricsAudit) -> pd.DataFrame:
    """Return one row per metric, data set and control: the oracle's lead in the metric's unit, with its interval."""
    return pd.DataFrame.from_records(
        [
            {"metric": metric.metric, "dataset": task.dataset, **asdict(one), "outcome": one.outcome}
            for metric in audit.by_family
            for task in metric.tasks
            for one in task.oracle
        ]
    )


def _oracle(one: MetricAudit) -> str:
    won, known = one.beaten
    if not known:
        return MISSING
    return f"{won}/{known}" if one.about_truth else f"({won}/{known})"


def _answer(question: str, text: Callable[[MetricAudit], str]) -> Column[MetricAudit]:
    """Return the column of a question: yellow where it was not passed on some data, red where on none."""
    return Column(question, text, style=lambda one: STYLES[one.answers[question]])


ANSWERS = (
    _answer("oracle", _oracle),
    _answer("reacts", lambda one: decimals(one.mean("reactivity"))),
    _answer("resilient", lambda one: decimals(one.mean("resilience"))),
    _answer("order kept", lambda one: decimals(one.mean("order_kept"))),
    _answer("retest", lambda one: decimals(one.mean("retest")) if one.random else "exact"),
    _answer("halves", lambda one: decimals(one.mean("split_half"))),
)
COLUMNS: tuple[Column[MetricAudit], ...] = (
    Column("metric", lambda one: shown(one.metric, "metric"), left=True),
    *ANSWERS,
    Column("undefined", lambda one: percent(one.undefined)),
    Column("audit", lambda one: one.mark or MISSING, style=lambda one: MARK_STYLES[one.mark]),
)


WHY: Column[MetricAudit] = Column("why", lambda one: "; ".join(one.causes), left=True)
"""The cause of a mark, in words."""


def audit_markdown(audit: MetricsAudit) -> str:
    """Return the audit as Markdown."""
    blocks = ["# Can these metrics be trusted?", escaped(where_text(audit))]
    for family, members in audit.of_family.items():
        blocks += [f"## {escaped(family)}", markdown_table((*COLUMNS, WHY), members)]
    failing = [one for one in audit.by_family if one.mark in (PARTLY, FAILED)]
    complaints = [
        f"- **{escaped(shown(one.metric, 'metric'))}**: {escaped('; '.join(one.complaints))}" for one in failing
    ]
    blocks += [bullets(NOTES), *section("## What was not passed", "\n".join(complaints))]
    blocks += ["## Do metrics agree?", bullets(agreement_lines(audit))]
    blocks += section("## Not audited", bullets(f"{shown(name, 'metric')}: {why}" for name, why in audit.skipped))
    return markdown_text(blocks)


def print_audit(audit: MetricsAudit, console: Console | None = None) -> None:
    """Print the audit to a terminal of 100 columns or wider."""
    console = console_of(console, WIDTH)
    console.print(Text("Can these metrics be trusted?", style="bold"))
    console.print(Text(where_text(audit), style="italic"))
    # One width for all families, so that their columns stand below one another.
    wide = [replace(column, width=WIDTHS.get(column.head, len(column.head))) for column in COLUMNS]
    for family, members in audit.of_family.items():
        console.print(terminal_table([replace(wide[0], head=family), *wide[1:]], members, gap=0))
        for one in members:
            if one.causes:
                words = f"{one.mark} {shown(one.metric, 'metric')}: {'; '.join(one.causes)}"
                console.print(Text(words, style=MARK_STYLES[one.mark]))
        console.print()
    for note in NOTES:
        console.print(Text(note, style="dim"))
    for line in agreement_lines(audit):
        console.print(Text(line))
    for name, why in audit.skipped:
        console.print(Text(f"not audited: {shown(name, 'metric')}: {why}", style="dim"))


def where_text(audit: MetricsAudit) -> str:
    """Return on what the audit was made, in a sentence."""
    settings = audit.settings
    tasks = "; ".join(
        f"{task.model} on {task.dataset} ({task.samples} samples, {percent(task.accuracy)} right)"
        for task in audit.tasks
    )
    second = "; ".join(
        f"{shown(name, 'method')} on {task.dataset} ({area:.2f})"
        for task in audit.tasks
        for name, area in task.second_oracles
    )
    left_out = f" Not compared with the oracle, since they find the truth by themselves: {second}." if second else ""
    blind = ", ".join(audit.without_truth)
    unknown = (
        f" The truth on {blind} is not known (no masks), so whether the oracle beats the controls was not asked there; "
        "a metric that should tell the truth has no mark unless it was asked that on some data."
        if blind
        else ""
    )
    return (
        f"Audited with heatmark {settings['versions'].get('heatmark', '?')} in {settings['framework']}, "
        f"{str(settings['created'])[:10]}, on {tasks}; maps of {_named(settings['methods'])}; controls "
        f"{_named(settings['controls'])}.{left_out}{unknown}"
    )


def _named(methods: Iterable[str]) -> str:
    return ", ".join(shown(name, "method") for name in methods)


def agreement_lines(audit: MetricsAudit) -> list[str]:
    """Return Kendall's W of every family, one line for each task."""
    lines = []
    for dataset in dict.fromkeys(one.dataset for one in audit.concordance):
        found = [one for one in audit.concordance if one.dataset == dataset and math.isfinite(one.w)]
        words = ", ".join(f"{one.w:.2f} of {one.metrics} metrics ({one.family})" for one in found)
        if words:
            lines.append(f"Kendall's W on {dataset}: {words}. 1: the same order of maps, 0: unrelated orders.")
    return lines
