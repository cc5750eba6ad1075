"""The documentation's page of published results, written from the files themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..writing.text_tables import Column as Shown
from ..writing.text_tables import bullets, escaped, markdown_table, markdown_text, section
from .published import PUBLISHED
from .published_results import Paper, PublishedTable, Row
from .published_words import (
    best_texts,
    claimed_text,
    commands,
    expectations,
    facts,
    measured_texts,
    method_text,
    protocol_text,
    unreliable_texts,
)

HEAD = PUBLISHED / "head.md"
"""What stands above the sources."""


def published_page(papers: Sequence[Paper]) -> str:
    """Return ``docs/published.md``."""
    return markdown_text(
        [HEAD.read_text(encoding="utf-8").rstrip(), *(block for paper in papers for block in _paper(paper))]
    )


def _paper(paper: Paper) -> list[str]:
    return [
        f"## {paper.name}: {escaped(paper.title)}",
        f"{escaped(paper.citation)}. <{paper.link}>. Read {paper.read} in: {escaped(paper.source)}.",
        bullets(paper.warnings),
        *(block for table in paper.tables for block in _table(paper, table)),
        *section("**Known to be unreliable:**", bullets(unreliable_texts(paper.tables))),
    ]


def _table(paper: Paper, table: PublishedTable) -> list[str]:
    columns: list[Shown[Row]] = [
        Shown("method", lambda row: row.method),
        Shown("heatmark's", method_text),
        *(Shown(column.title, partial(claimed_text, column=column)) for column in table.columns),
    ]
    found = commands(paper, table)
    block = "```bash\n" + "\n".join(found) + "\n```" if found else ""
    return [
        f"### {paper.name}, {table.name}",
        " ".join(f"**{key}:** {escaped(words)}." for key, words in {"from": table.where, **facts(table)}.items()),
        markdown_table(columns, table.rows, left=2),
        bullets(f"{column.name}: {protocol_text(column)}" for column in table.columns),
        *section("**To reproduce it** (PATH is where your copy of the data lies):", block),
        *(section("**Expect:**", bullets(expectations(table))) if found else []),
        *([f"**No command reproduces it:** {escaped(table.no_command)}."] if table.no_command else []),
        *section("**Best known:**", bullets(best_texts(table))),
        *section("**Measured here:**", bullets(measured_texts(table))),
    ]
