"""The audit of metrics as tables: in the terminal, as Markdown and as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ..report.tables import escaped
from ..writing.numbers import MISSING, percent
from .audit import (
    FAILED,
    PARTLY,
    PASSED,
    QUESTIONS,
    REACTIVE,
    REPEATABLE,
    RESILIENT,
    VERDICTS,
    Answer,
    MetricAudit,
    MetricsAudit,
)

WIDTH = 100
"""Assumed where the output is no terminal, such as a log."""

WIDTHS = {"metric": 32, "oracle": 7}
"""Columns that are wider than their heads."""

HEADS = ("metric", *QUESTIONS, "undefined", "audit")
STYLES: Mapping[Answer, str] = {"yes": "", "partly": "yellow", "no": "red", "": "dim"}
MARK_STYLES: Mapping[str, str] = {PASSED: "green", PARTLY: "yellow", FAILED: "red", "": "dim"}

NOTES = (
    "Numbers are means over the data sets; a question is passed on each by itself. "
    f"{PASSED} every question on all data, {PARTLY} on some data, {FAILED} on none.",
    "oracle: how many controls the ground truth's own map beats, the 95 % interval of the difference above zero "
    "(over all data sets); in parentheses where the metric is about something else, and it need not.",
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


def audit_markdown(audit: MetricsAudit) -> str:
    """Return the audit as Markdown."""
    parts = ["# Can these metrics be trusted?", "", escaped(where_text(audit)), ""]
    for family in audit.families:
        rows = [row_texts(one) for one in audit.metrics if one.family == family]
        parts += [f"## {escaped(family)}", "", *_markdown_rows(rows), ""]
    parts += [*(f"- {escaped(note)}" for note in NOTES), ""]
    complaints = [f"- **{escaped(one.metric)}**: {escaped('; '.join(one.complaints))}" for one in _failing(audit)]
    if complaints:
        parts += ["## What was not passed", "", *complaints, ""]
    parts += ["## Do metrics agree?", "", *(f"- {escaped(line)}" for line in agreement_lines(audit)), ""]
    if audit.skipped:
        parts += ["## Not audited", "", *(f"- {escaped(name)}: {escaped(why)}" for name, why in audit.skipped), ""]
    return "\n".join(parts)


def print_audit(audit: MetricsAudit, console: Console | None = None) -> None:
    """Print the audit to a terminal of 100 columns or wider."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    console.print(Text("Can these metrics be trusted?", style="bold"))
    console.print(Text(where_text(audit), style="italic"))
    for family in audit.families:
        rich = RichTable(box=SIMPLE, padding=0, show_edge=False)
        for number, head in enumerate(HEADS):
            title = family if number == 0 else head
            # One width for all families, so that their columns stand below one another.
            width = WIDTHS.get(head, len(head))
            rich.add_column(title, justify="left" if number == 0 else "right", overflow="fold", width=width)
        for one in (one for one in audit.metrics if one.family == family):
            rich.add_row(*_styled(one))
        console.print(rich)
        console.print()
    for note in NOTES:
        console.print(Text(note, style="dim"))
    for line in agreement_lines(audit):
        console.print(Text(line))
    for name, why in audit.skipped:
        console.print(Text(f"not audited: {name}: {why}", style="dim"))


def row_texts(one: MetricAudit) -> tuple[str, ...]:
    """Return a metric's cells under `HEADS`."""
    won, known = one.beaten
    oracle = f"{won}/{known}" if known else MISSING
    return (
        one.metric,
        oracle if one.about_truth or not known else f"({oracle})",
        _number(one.mean("reactivity")),
        _number(one.mean("resilience")),
        _number(one.mean("order_kept")),
        _number(one.mean("retest")) if one.random else "exact",
        _number(one.mean("split_half")),
        percent(one.undefined),
        one.mark or MISSING,
    )


def where_text(audit: MetricsAudit) -> str:
    """Return on what the audit was made, in a sentence."""
    settings = audit.settings
    tasks = "; ".join(
        f"{task.model} on {task.dataset} ({task.samples} samples, {percent(task.accuracy)} right)"
        for task in audit.tasks
    )
    return (
        f"Audited with heatmark {settings['versions'].get('heatmark', '?')} in {settings['framework']}, "
        f"{str(settings['created'])[:10]}, on {tasks}; maps of {', '.join(settings['methods'])}; controls "
        f"{', '.join(settings['controls'])}."
    )


def agreement_lines(audit: MetricsAudit) -> list[str]:
    """Return Kendall's W of every family, one line for each task."""
    lines = []
    for dataset in dict.fromkeys(one.dataset for one in audit.concordance):
        found = [one for one in audit.concordance if one.dataset == dataset and math.isfinite(one.w)]
        words = ", ".join(f"{one.w:.2f} of {one.metrics} metrics ({one.family})" for one in found)
        if words:
            lines.append(f"Kendall's W on {dataset}: {words}. 1: the same order of maps, 0: unrelated orders.")
    return lines


def _failing(audit: MetricsAudit) -> list[MetricAudit]:
    return [one for one in audit.by_family if one.mark in (PARTLY, FAILED)]


def _styled(one: MetricAudit) -> list[Text]:
    """Return the cells: yellow where a question was not passed on some data, red where on none."""
    styles = ["", *(STYLES[answer] for answer in one.answers.values()), "", MARK_STYLES[one.mark]]
    return [Text(text, style=style) for text, style in zip(row_texts(one), styles, strict=True)]


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else MISSING


def _markdown_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [HEADS, ["---", *["---:"] * (len(HEADS) - 1)], *rows]
    return ["| " + " | ".join(cells if n == 1 else map(escaped, cells)) + " |" for n, cells in enumerate(lines)]
