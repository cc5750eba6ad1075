"""Published results in words: protocols, what to expect, and the commands that reproduce them."""

from __future__ import annotations

from collections.abc import Iterable

from ...datasets.registry import find_dataset
from ...models.zoo.user_models import is_own
from ..writing.numbers import counted
from .published_results import Column, Paper, PublishedTable, Row

_FRAMEWORKS = {"torchvision": "torch", "keras": "tensorflow"}
"""The framework of networks that heatmark has in one of them only."""


def claimed_text(row: Row, column: Column) -> str:
    """Return what a source claims, every digit but zeros at the end, with its spread; or its words."""
    if column.name not in row.claimed:
        return row.in_words.get(column.name, "")
    spread = row.spread.get(column.name)
    return f"{row.claimed[column.name]:g}" + (f" [{spread[0]:g}, {spread[1]:g}]" if spread else "")


def table_title(paper: Paper, table: PublishedTable) -> str:
    """Return what a table is, in one line."""
    return f"{paper.name}, {table.name}: {table.where}"


def facts(table: PublishedTable) -> dict[str, str]:
    """Return what a table holds fixed: the network, the data, how many samples and which class."""
    return {
        "network": _with_entry(table.model, table.model_entry),
        "data": _with_entry(table.data, table.data_entry),
        "samples": f"{table.images:,}"
        if table.images
        else f"not told ({table.untold.get('count', 'no number is given')})",
        "class": {"predicted": "the predicted one", "label": "the label", None: "not told"}[table.target],
    }


def _with_entry(words: str, entry: str) -> str:
    return f"{words} (here {entry})" if entry else words


def protocol_text(column: Column) -> str:
    """Return a metric's protocol, and what heatmark has for it."""
    here = f"Here: {column.metric}" if column.metric else "Here: nothing"
    if column.differs:
        here += f", which is another: {column.differs}" if column.metric else f", for {column.differs}"
    elif column.untold:
        here += f"; not told: {column.untold}"
    elif column.left_open:
        here += f". Left open: {column.left_open}"
    return f"{column.protocol.removesuffix('.')}. {here}."


def method_text(row: Row) -> str:
    """Return what heatmark has for a method."""
    if not row.entry:
        return f"none: {row.differs}"
    return "; ".join(
        filter(None, (row.entry, row.differs and f"differs: {row.differs}", row.untold and f"not told: {row.untold}"))
    )


def commands(paper: Paper, table: PublishedTable) -> list[str]:
    """Return the commands that reproduce a table on the real network and data, and hold the result against it.

    None where there is no such command.
    """
    if table.no_command:
        return []
    out = f"results/{paper.name}-{table.name}"
    head = table.model_entry.partition(":")[0]
    limit = table.images or table.limit
    words = [
        "heatmark run",
        f"{'--model' if is_own(table.model_entry) else '--models'} {_quoted(table.model_entry)}",
        f"--data {_quoted(_data(table))}",
        f"--methods {_quoted(','.join(dict.fromkeys(row.entry for row in table.rows if row.entry)))}",
        f"--metrics {_quoted(','.join(dict.fromkeys(one.metric for one in table.columns if one.metric)))}",
        *([f"--frameworks {_FRAMEWORKS[head]}"] if head in _FRAMEWORKS else []),
        *([f"--target {table.target}"] if table.target else []),
        *([f"--limit {limit}"] if limit else []),
        f"--out {out}",
    ]
    return [" ".join(words), f"heatmark compare {out} --published {_quoted(paper.file or paper.name)}"]


def _data(table: PublishedTable) -> str:
    name = table.data_entry
    return f"{name}:PATH" if ":" not in name and find_dataset(name).takes_path else name


def _quoted(text: str) -> str:
    return f'"{text}"' if any(character in text for character in "[],* ") else text


def expectations(table: PublishedTable) -> list[str]:
    """Return the values to expect, each with its tolerance, and why that much."""
    found = []
    for column in table.columns:
        values = [
            f"{row.method} {claimed_text(row, column)}"
            for row in table.rows
            if row.entry and column.name in row.claimed
        ]
        if values and column.metric and column.tolerance is not None:
            found.append(
                f"{column.title}: {', '.join(values)}; each within {column.tolerance:g}, besides sampling "
                f"({column.because})."
            )
    return found


def measured_texts(table: PublishedTable) -> list[str]:
    """Return what heatmark measured itself, and what is not as in the source; what one command gave together."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in table.rows:
        for column in table.columns:
            if (one := row.measured.get(column.name)) is not None:
                interval = "" if one.interval is None else f" [{one.interval[0]:.4g}, {one.interval[1]:.4g}]"
                values = found.setdefault((one.differs, one.untold, one.command), [])
                values.append(f"{row.method} {one.value:.4g}{interval} ({column.title})")
    return [
        f"{', '.join(values)}: {_likeness(differs, untold)}. Made by: {command}"
        for (differs, untold, command), values in found.items()
    ]


def _likeness(differs: str, untold: str) -> str:
    """Return in words how much a measured value is the published one."""
    parts = (f"differs in {differs}" if differs else "", f"not told: {untold}" if untold else "")
    return "; ".join(filter(None, parts)) or "all as published"


def best_texts(table: PublishedTable) -> list[str]:
    """Return the best values known where those are others than the ones claimed."""
    return [
        f"{row.method}, {name}: {one.value:g} ({one.source})." for row in table.rows for name, one in row.best.items()
    ]


def unreliable_texts(tables: Iterable[PublishedTable]) -> list[str]:
    """Return what is known against single rows, each reason once."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for row in table.rows:
            if row.unreliable:
                found.setdefault(row.unreliable, []).append(f"{row.method} ({table.name})")
    return [f"{', '.join(rows)}: {reason}." for reason, rows in found.items()]


def summary(paper: Paper) -> str:
    """Return what a list shows of a paper: how it was read, how much there is, and whether a command reproduces it."""
    there = sum(not table.no_command for table in paper.tables)
    how = (
        "no command reproduces it" if not there else f"{there} of {counted(len(paper.tables), 'table')} with a command"
    )
    return f"{counted(paper.values, 'value')}, read {paper.read}; {how}"
