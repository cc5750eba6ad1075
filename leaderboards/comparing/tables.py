"""A comparison as data, JSON, Markdown and in the terminal; every number comes from the comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from ..statistics.significance import LEVEL
from ..writing.names import shown
from ..writing.numbers import counted, finite, half_width, interval_text, number, p_value, percent
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
from .comparison import Compared, ComparedTable, Comparison

FURTHEST = 5
"""So many samples that differ most are named."""
PRINTED = 24
"""So many comparisons of a table are printed, those that differ most; the files hold all."""
NOTE = (
    "difference: the mean over samples of the first's score minus the second's, with its 95 % interval (Student's t). "
    "wins, ties, losses: on how many samples the first is better, equal to six digits, worse. p: Wilcoxon's "
    f"signed-rank test, after Holm's correction over the comparisons of the table; up to {LEVEL:g} they are told apart."
)


def frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row per model, dataset, framework, method (or pair of methods) and metric."""
    return pd.DataFrame.from_records([_record(comparison, table, one) for table, one in comparison.compared])


def samples_frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row per comparison and sample, with both scores."""
    records = []
    for table, one in comparison.compared:
        common = {**table.setting.columns, **_entries(comparison, one)}
        for sample, first, second in zip(one.samples, *one.scores.tolist(), strict=True):
            records.append({**common, "sample": sample, "first": first, "second": second, "difference": first - second})
    return pd.DataFrame.from_records(records)


def plain(comparison: Comparison) -> dict[str, Any]:
    """Return everything as JSON types, numbers in full; what is not finite is None."""
    return {
        "compares": comparison.kind,
        "first": comparison.sides[0],
        "second": comparison.sides[1],
        "runs": [str(store.path) for store in comparison.stores],
        "only_first": list(comparison.only[0]),
        "only_second": list(comparison.only[1]),
        "tables": [
            {
                **table.setting.columns,
                "differs": list(table.differs),
                "redefined": list(table.redefined),
                "only_first": list(table.only[0]),
                "only_second": list(table.only[1]),
                "furthest_samples": [{"sample": sample, "share": share} for sample, share in table.furthest(FURTHEST)],
                "comparisons": [
                    {
                        **{key: finite(value) for key, value in _numbers(comparison, one).items()},
                        "furthest_samples": [apart._asdict() for apart in one.furthest(FURTHEST)],
                    }
                    for one in table.compared
                ],
            }
            for table in comparison.tables
        ],
    }


def summary(comparison: Comparison, table: ComparedTable) -> str:
    """Return in words what came out in one table."""
    outcomes = [one.outcome for one in table.compared]
    if not outcomes:
        return "Nothing that both have."
    samples = sorted({len(one.samples) for one in table.compared if one.samples}) or [0]
    over = counted(samples[0], "sample") if len(samples) == 1 else f"{samples[0]} to {samples[-1]} samples"
    of_runs = comparison.kind == "runs"
    what = counted(len(outcomes), "pair") + " of method and metric" if of_runs else counted(len(outcomes), "metric")
    first, second = ("the first run", "the second run") if of_runs else map(_method_name, comparison.sides)
    told = [
        (outcomes.count("same"), "the same on every sample"),
        (outcomes.count("first"), f"better in {first}" if of_runs else f"won by {first}"),
        (outcomes.count("second"), f"better in {second}" if of_runs else f"won by {second}"),
        (outcomes.count("differs"), "different"),
        (outcomes.count("not told apart"), "not told apart"),
        (outcomes.count("no sample"), "without a sample that has a score of both"),
    ]
    return f"{what} over {over}: {', '.join(f'{count} {words}' for count, words in told if count)}."


def notes(table: ComparedTable) -> list[str]:
    """Return what a reader must know before the numbers of one table."""
    sides = zip(("first", "second"), table.only, strict=True)
    most: dict[str, int] = {}
    for one in table.compared:
        if one.undefined and one.samples:
            name = shown(one.metric.id, "metric")
            most[name] = max(one.undefined, most.get(name, 0))
    left = [f"{counted(count, 'sample')} of {name}" for name, count in most.items()]
    return [
        *(f"The two differ in {words}." for words in table.differs),
        *(f"Defined differently: {words}." for words in table.redefined),
        *(f"Only the {side} has {', '.join(names)}." for side, names in sides if names),
        *(["Left out, as one of the two has no score there: " + ", ".join(left) + "."] if left else []),
    ]


def furthest_text(table: ComparedTable) -> str:
    """Return the samples that differ most, in a sentence, or nothing."""
    found = [f"{sample} ({percent(share)})" for sample, share in table.furthest(FURTHEST)]
    if not found:
        return ""
    return (
        f"Samples that differ most, by their mean difference as a share of the spread of a metric's scores: "
        f"{', '.join(found)}."
    )


def ordered(table: ComparedTable) -> list[Compared]:
    """Return the comparisons of a table, those that are surest to differ first."""

    def place(one: Compared) -> tuple[float, float]:
        p = one.p_holm if math.isfinite(one.p_holm) else 2.0
        return p, -abs(one.paired.mean) / one.spread if one.spread > 0 and one.samples else 0.0

    return sorted(table.compared, key=place)


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    blocks = [f"# {escaped(heading(comparison))}", escaped(NOTE)]
    for table in comparison.tables:
        blocks += [f"## {escaped(table.title)}", escaped(summary(comparison, table)), bullets(notes(table))]
        if table.compared:
            heads = columns(comparison)
            blocks += [markdown_table(heads, ordered(table), left=_words_columns(comparison))]
        blocks.append(escaped(furthest_text(table)))
    return markdown_text([*blocks, *_alone(comparison)])


def heading(comparison: Comparison) -> str:
    """Return what is compared."""
    if comparison.kind == "runs":
        return f"{comparison.sides[0]} and {comparison.sides[1]}"
    first, second = map(_method_name, comparison.sides)
    return f"{first} and {second}"


def columns(comparison: Comparison) -> list[Column[Compared]]:
    """Return the columns of a table."""
    method: list[Column[Compared]] = [Column("method", _methods_text, left=True)]
    of_runs = comparison.kind == "runs"
    first, second = ("first", "second") if of_runs else map(_method_name, comparison.sides)
    words = {"first": f"{first} better", "second": f"{second} better"}
    return [
        *(method if of_runs else []),
        Column("metric", lambda one: f"{one.metric.name} {one.metric.arrow}", left=True),
        Column(first, lambda one: number(one.means[0]), lambda one: one.means[0]),
        Column(second, lambda one: number(one.means[1]), lambda one: one.means[1]),
        Column("difference", lambda one: number(one.paired.mean), lambda one: one.paired.mean),
        Column("95 % interval", lambda one: interval_text(one.paired.low, one.paired.high)),
        Column("wins / ties / losses", _wins_text),
        Column("p", lambda one: p_value(one.p_holm), lambda one: one.p_holm),
        Column("outcome", lambda one: words.get(one.outcome, one.outcome), left=True),
    ]


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the comparison: what differs most first, and what is left out in how many lines."""
    console = console_of(console, 110)
    console.print(Text(heading(comparison), style="bold"))
    for table in comparison.tables:
        console.print(Text(f"\n{table.title}", style="italic"))
        console.print(Text(summary(comparison, table)))
        for note in notes(table):
            console.print(Text(note, style="yellow"))
        rows = [one for one in ordered(table) if one.outcome != "same"]
        if rows:
            console.print(terminal_table(_narrow(comparison), rows[:PRINTED], _style, gap=1))
        if len(rows) > PRINTED:
            console.print(Text(f"... and {len(rows) - PRINTED} more: --json prints all, --out DIR writes them."))
        if words := furthest_text(table):
            console.print(Text(words))
    for line in only_texts(comparison):
        console.print(Text(line, style="yellow"))
    console.print(Text(f"\n{NOTE}", style="dim"))


def only_texts(comparison: Comparison) -> list[str]:
    """Return which settings one side has alone."""
    sides = zip(comparison.sides, comparison.only, strict=True)
    return [f"Only {side}: {title}" for side, titles in sides for title in titles]


def _narrow(comparison: Comparison) -> list[Column[Compared]]:
    """Return the columns that fit a terminal."""
    *words, first, second, _, _, _, p, outcome = columns(comparison)
    difference: Column[Compared] = Column(
        "difference", lambda one: f"{number(one.paired.mean)} {half_width(one.paired.low, one.paired.high)}".strip()
    )
    wins: Column[Compared] = Column("w/t/l", _wins_text)
    return [*words, first, second, difference, wins, p, outcome]


def _alone(comparison: Comparison) -> Sequence[str]:
    return section("## Not compared", bullets(only_texts(comparison)))


def _words_columns(comparison: Comparison) -> int:
    return 2 if comparison.kind == "runs" else 1


def _method_name(name: str) -> str:
    return shown(name, "method")


def _methods_text(one: Compared) -> str:
    first, second = one.methods
    return first.label if first.id == second.id else f"{first.name}, {second.label}"


def _wins_text(one: Compared) -> str:
    found = one.paired
    return "-" if found.wins is None else f"{found.wins} / {found.ties} / {found.losses}"


def _style(one: Compared) -> str:
    return "bold" if one.outcome in ("first", "second", "differs") else ""


def _entries(comparison: Comparison, one: Compared) -> dict[str, Any]:
    first, second = (method.id for method in one.methods)
    both = {"method": first} if comparison.kind == "runs" else {"first_method": first, "second_method": second}
    return {**both, "metric": one.metric.id}


def _numbers(comparison: Comparison, one: Compared) -> dict[str, Any]:
    return {
        **_entries(comparison, one),
        "higher_is_better": one.metric.higher_is_better,
        "first_mean": one.means[0],
        "second_mean": one.means[1],
        **one.paired._asdict(),
        "p_holm": one.p_holm,
        "outcome": one.outcome,
        "undefined": one.undefined,
    }


def _record(comparison: Comparison, table: ComparedTable, one: Compared) -> dict[str, Any]:
    return {**table.setting.columns, "differs": "; ".join(table.differs), **_numbers(comparison, one)}
