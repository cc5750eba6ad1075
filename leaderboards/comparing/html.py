"""A comparison as one HTML file that holds everything and asks nothing of the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from ..report.html import TEMPLATES as REPORT
from ..standings.stored_maps import stored_picture
from ..writing.ink import data_uri, svg_uri
from ..writing.numbers import percent
from ..writing.pictures import at_size, jpeg
from ..writing.templates import templates_in
from ..writing.text_tables import texts_of
from .comparison import ComparedTable, Comparison
from .tables import FURTHEST, NOTE, columns, heading, notes, only_texts, ordered, summary

TEMPLATES = Path(__file__).parent / "templates"
SIZE = 144
"""Pictures of samples have so many pixels a side."""


@dataclass(frozen=True)
class FarSample:
    """A sample that differs much."""

    name: str
    words: str
    picture: str
    """A data URI, or nothing."""


@dataclass(frozen=True)
class TableShown:
    """A table of the comparison as it is shown."""

    title: str
    summary: str
    notes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """The outcome and the cells of every row."""
    samples: tuple[FarSample, ...]


def html_page(comparison: Comparison, figures: Iterable[Figure]) -> str:
    """Return the comparison as a self-contained page."""
    return _rendered(
        "comparison.html.j2",
        comparison,
        style=(REPORT / "report.css").read_text(encoding="utf-8"),
        heading=heading(comparison),
        note=NOTE,
        figures=[svg_uri(figure) for figure in figures],
        alone=only_texts(comparison),
    )


def html_tables(comparison: Comparison) -> str:
    """Return its tables alone, for a notebook."""
    return _rendered("tables.html.j2", comparison)


def _rendered(template: str, comparison: Comparison, **values: object) -> str:
    return (
        templates_in(TEMPLATES)
        .get_template(template)
        .render(
            heads=[(column.head, column.left) for column in columns(comparison)],
            tables=[_shown(comparison, table) for table in comparison.tables],
            **values,
        )
    )


def _shown(comparison: Comparison, table: ComparedTable) -> TableShown:
    heads = columns(comparison)
    return TableShown(
        table.title,
        summary(comparison, table),
        tuple(notes(table)),
        tuple((one.outcome, tuple(texts_of(heads, one))) for one in ordered(table)),
        tuple(
            FarSample(sample, percent(share), _picture(comparison.thumbnail(table.setting.task, sample)))
            for sample, share in table.furthest(FURTHEST)
        ),
    )


def _picture(path: Path) -> str:
    picture = stored_picture(path)
    return "" if picture is None else data_uri(jpeg(at_size(picture, SIZE)), "jpeg")
