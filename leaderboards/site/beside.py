"""Published results beside what was measured: what is the same, what differs, and what may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from ..records.published_matching import Beside, PublishedComparison, compare_published
from ..records.published_results import PARTS, Paper
from ..records.published_terminal import (
    MARKS,
    difference_texts,
    flagged_texts,
    left_open_texts,
    ours_texts,
    result_text,
    verdict,
)
from ..records.published_words import claimed_text, unreliable_texts
from ..standings.standings import Standings
from ..writing.numbers import counted, interval_text, number

WORDS: Mapping[str, str] = {"same": "the same", "differs": "differs", "not told": "not told"}
"""A part's state in words, for those who do not see its mark."""


@dataclass(frozen=True)
class PublishedRow:
    """A published value with ours."""

    method: str
    metric: str
    claimed: str
    here: str
    interval: str
    parts: tuple[tuple[str, str], ...]
    """(mark, words) of protocol, model, dataset and count."""
    verdict: str
    flagged: bool
    trust: str
    """Why its numbers are known to be unreliable, or nothing."""


@dataclass(frozen=True)
class PublishedSection:
    """A published table beside ours."""

    paper: Paper
    where: str
    rows: tuple[PublishedRow, ...]
    differences: tuple[str, ...]
    """What of ours stands there, what differs or is not told, what is left open, and which numbers differ."""
    unreliable: tuple[str, ...]
    comparable: int = 0
    """So many of its values are of the same quantity as ours."""

    @property
    def told(self) -> str:
        """How many values it has, and how many of them can be compared."""
        return f"{counted(len(self.rows), 'value')}, {self.comparable or 'none'} comparable"


@dataclass(frozen=True)
class PublishedPage:
    """What the page tells."""

    verdict: str
    sections: tuple[PublishedSection, ...]
    parts: tuple[str, ...] = tuple(map(str, PARTS))
    missing: int = 0
    """So many published values have nothing of ours beside them."""


def published_beside(standings: Standings) -> PublishedPage | None:
    """Return what is published beside what was measured; None where nothing can be put beside anything."""
    found: PublishedComparison = compare_published([store.path for store in standings.stores])
    if not found.beside:
        return None
    papers = {paper.name: paper for paper in found.papers}
    sections = [
        _section(papers[paper], list(lines))
        for (paper, _), lines in groupby(found.beside, lambda one: (one.paper, one.table.name))
    ]
    return PublishedPage(verdict(found), tuple(sections), missing=len(found.missing))


def _section(paper: Paper, lines: list[Beside]) -> PublishedSection:
    rows = tuple(
        PublishedRow(
            one.row.method,
            f"{one.column.name} {one.column.arrow}",
            f"{claimed_text(one.row, one.column)} {one.column.unit if one.claimed is not None else ''}".strip(),
            number(one.ours.mean),
            interval_text(one.ours.low, one.ours.high),
            tuple((MARKS[match.state], WORDS[match.state]) for match in one.matches),
            result_text(one),
            one.flagged,
            one.row.unreliable,
        )
        for one in lines
    )
    told = (*ours_texts(lines), *difference_texts(lines), *left_open_texts(lines), *flagged_texts(lines))
    comparable = sum(one.comparable for one in lines)
    unreliable = tuple(unreliable_texts([lines[0].table]))
    return PublishedSection(paper, lines[0].table.where, rows, told, unreliable, comparable)
