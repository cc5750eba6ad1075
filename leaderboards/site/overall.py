"""The standing across tasks as the overview shows it."""

from __future__ import annotations

from dataclasses import dataclass

from ..report.overall import HEAD, columns, note, summary, worth_showing
from ..writing.text_tables import texts_of
from .catalogue import Catalogue


@dataclass(frozen=True)
class AcrossRow:
    """A method across tasks."""

    shown: str
    path: str
    """Its page; empty where variants without a common page are folded into it."""
    control: bool
    cells: tuple[str, ...]
    why: str
    """Why it has no rank, or nothing."""

    @property
    def unranked(self) -> bool:
        """Whether it has no rank."""
        return bool(self.why)


@dataclass(frozen=True)
class AcrossTasks:
    """The section of the overview."""

    head: str
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    """What it says, and what could not be asked."""
    heads: tuple[str, ...]
    rows: tuple[AcrossRow, ...]
    note: str

    @property
    def ranks(self) -> bool:
        """Whether any row has a rank, and so a line in the figure."""
        return any(not row.unranked for row in self.rows)

    @property
    def named(self) -> int:
        """The column that holds the method."""
        return self.heads.index("method")

    @property
    def unranked(self) -> int:
        """How many rows have no rank."""
        return sum(row.unranked for row in self.rows)

    @property
    def ranked(self) -> bool:
        """Whether a contender has a rank."""
        return any(not row.unranked and not row.control for row in self.rows)


def across_tasks(catalogue: Catalogue) -> AcrossTasks | None:
    """Return the standing across tasks, or None where there is nothing to say across them."""
    standing = catalogue.standing
    if not worth_showing(standing):
        return None
    pages = {one.facts.id: one for one in catalogue.methods}
    laid = columns(standing)
    rows = []
    for row in standing.rows:
        page = pages.get(row.method.id)
        name = page.shown if page else row.method.name
        path = f"methods/{page.slug}.html" if page else ""
        rows.append(AcrossRow(name, path, row.method.control, tuple(texts_of(laid, row)), row.why_unranked))
    said = tuple(words for words in summary(standing) if words not in standing.notes)
    return AcrossTasks(HEAD, said, standing.notes, tuple(column.head for column in laid), tuple(rows), note(standing))
