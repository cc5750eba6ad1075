"""The standing across tasks as data, in words and in tables; every number comes from `Overall`."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console
from rich.text import Text

from ..across.overall import Overall, OverallRow
from ..statistics.significance import LEVEL
from ..writing.numbers import MISSING, counted, decimals, p_value
from ..writing.text_tables import Column, escaped, markdown_table, terminal_table

HEAD = "Across tasks"


def worth_showing(standing: Overall) -> bool:
    """Return whether there is anything to say across tasks: several of them."""
    return len(standing.tasks) > 1


def rank_text(row: OverallRow) -> str:
    """Return a rank with its interval, ``3 [2-5]``, or a dash."""
    if row.rank is None:
        return MISSING
    return f"{row.rank} [{row.rank_low:.0f}-{row.rank_high:.0f}]" if math.isfinite(row.rank_low) else str(row.rank)


def mean_rank_text(row: OverallRow) -> str:
    """Return a mean rank with its interval."""
    return _with_ends(decimals(row.mean_rank), decimals(row.mean_rank_low), decimals(row.mean_rank_high))


def borda_text(row: OverallRow) -> str:
    """Return Borda's count in percent with its interval."""
    return _with_ends(*(decimals(100 * value, 0) for value in (row.borda, row.borda_low, row.borda_high)))


def columns(standing: Overall, short: bool = False) -> list[Column[OverallRow]]:
    """Return the columns of the table, without those of tests that were not made; few characters wide if ``short``."""

    def against_best(row: OverallRow) -> str:
        if row.leads is None:
            return ""
        if standing.best is not None and row.method.id == standing.best.id:
            return "best"
        return "level" if row.leads else f"p = {p_value(row.p_best)}"

    def over_controls(row: OverallRow) -> str:
        if row.beats_controls is None:
            return ""
        return f"p = {p_value(row.p_controls)}" if row.beats_controls else "not shown"

    found: list[Column[OverallRow]] = [
        Column("rank", rank_text, lambda row: math.nan if row.rank is None else row.rank),
        Column("method", lambda row: row.method.label, left=True),
        Column(
            "mean rank", (lambda row: decimals(row.mean_rank)) if short else mean_rank_text, lambda row: row.mean_rank
        ),
        Column("beats, %", (lambda row: decimals(100 * row.borda, 0)) if short else borda_text, lambda row: row.borda),
    ]
    if any(row.leads is not None for row in standing.rows):
        found.append(Column("from the best", against_best, lambda row: row.p_best))
    if any(row.beats_controls is not None for row in standing.rows):
        found.append(Column("over controls", over_controls, lambda row: row.p_controls))
    found.append(Column("tasks", lambda row: row.coverage, lambda row: row.tasks))
    if any(row.folded.rule for row in standing.rows):
        found.append(Column("variants", lambda row: row.folded.rule))
    return found


def summary(standing: Overall) -> list[str]:
    """Return in sentences what the table rests on, what it says, and what it could not be asked."""
    tasks, blocks = counted(len(standing.tasks), "task"), len(standing.blocks)
    names = "; ".join(block.name for block in standing.blocks)
    found = [
        f"Over {tasks} in {counted(blocks, 'independent block')} ({names}): tasks on the same samples are one block, "
        "whatever the network or framework." if blocks else f"Over {tasks}.",
    ]  # fmt: skip
    best = standing.best
    asked = [row for row in standing.rows if row.leads is not None]
    if best is not None and asked:
        level = [row.method.label for row in asked if row.leads and row.method.id != best.id and not row.method.control]
        words = f"not told apart from {', '.join(level)}" if level else "told apart from every other"
        found.append(f"Best: {best.label}, {words}.")
    elif best is not None:
        found.append(f"Lowest mean rank: {best.label}.")
    unranked = len(standing.rows) - len(standing.ranked)
    if unranked:
        found.append(f"{counted(unranked, 'method')} without a place in every task {_have(unranked)} no rank.")
    return [*found, *standing.notes]


def overall_markdown(standing: Overall) -> list[str]:
    """Return the section as blocks of Markdown: its heading, sentences, table and note."""
    texts = [escaped(text) for text in summary(standing)]
    unranked = [
        f"- {escaped(row.method.label)}: {escaped(row.why_unranked)}" for row in standing.rows if row.rank is None
    ]
    table = markdown_table(columns(standing), standing.rows, left=2)
    return [f"## {HEAD}", *texts, table, note(standing), *(["\n".join(unranked)] if unranked else [])]


def note(standing: Overall) -> str:
    """Return what the columns mean, in words."""
    words = (
        "Rank and mean rank: among the methods with a place in every task, averaged over metrics, tasks and blocks; "
        "brackets: 95 % intervals from resampled blocks. “beats”: the share of the other methods that a method beats "
        "(Borda's count), in the tasks that it has a place in."
    )
    if any(row.leads is not None for row in standing.rows):
        words += (
            " “from the best”: Friedman's test over blocks, then signed-rank tests against the best method, Bonferroni "
            f"over all others; level: not told apart at {LEVEL}."
        )
    if any(row.beats_controls is not None for row in standing.rows):
        words += " “over controls”: ahead of every control, by signed-rank tests against each and Holm over methods."
    if standing.fold:
        words += (
            " Variants count as one method: the default where it was run, else the mean of all (never the best of "
            "them, which would be chosen by its outcome)."
        )
    return words


def overall_frame(standing: Overall) -> pd.DataFrame:
    """Return one row per method."""
    return pd.DataFrame.from_records(
        [
            {
                "rank": pd.NA if row.rank is None else row.rank,
                "rank_low": row.rank_low,
                "rank_high": row.rank_high,
                "method": row.method.id,
                "family": row.method.family,
                "control": row.method.control,
                "mean_rank": row.mean_rank,
                "mean_rank_low": row.mean_rank_low,
                "mean_rank_high": row.mean_rank_high,
                "borda": row.borda,
                "borda_low": row.borda_low,
                "borda_high": row.borda_high,
                "p_best": row.p_best,
                "p_controls": row.p_controls,
                "tasks": row.tasks,
                "expected_tasks": row.expected_tasks,
                "stands_for": " ".join(row.folded.taken),
                "left_out": " ".join(row.folded.others),
                "why_unranked": row.why_unranked,
                **dict(zip((f"block:{block.name}" for block in standing.blocks), row.in_blocks, strict=False)),
            }
            for row in standing.rows
        ]
    )


def print_overall(standing: Overall, console: Console) -> None:
    """Print the standing to a terminal."""
    console.print(Text(HEAD, style="bold"))
    for text in summary(standing):
        console.print(Text(text))
    console.print(terminal_table(columns(standing, short=True), standing.rows, _style, gap=0))
    for row in standing.rows:
        if row.rank is None:
            console.print(Text(f"no rank: {row.method.label}: {row.why_unranked}", style="dim"))
    console.print(Text(note(standing), style="dim"))


def _with_ends(middle: str, low: str, high: str) -> str:
    return middle if low == MISSING else f"{middle} [{low}, {high}]"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _style(row: OverallRow) -> str:
    return "dim" if row.rank is None else "italic" if row.method.control else ""
