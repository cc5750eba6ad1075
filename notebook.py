"""What objects show in a notebook: small tables, in which names are text and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table_html(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = (), left: int = 1
) -> str:
    """Return a table as HTML, below its caption and above its notes; every word is escaped.

    Parameters
    ----------
    caption
        A sentence.
    heads, rows
        The columns' heads, and a cell for each.
    notes
        Paragraphs below.
    left
        So many columns stand at the left, the others at the right.
    """
    sides = ["left" if number < left else "right" for number in range(len(heads))]
    head = "".join(_cell("th", side, word) for side, word in zip(sides, heads, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', side, cell) for side, cell in zip(sides, row, strict=True))}</tr>" for row in rows
    )
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f"<p>{escape(caption)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
        if heads
        else f"<p>{escape(caption)}</p>{below}"
    )


def _cell(tag: str, side: str, word: object) -> str:
    return f"<{tag} style='text-align:{side}'>{escape(str(word))}</{tag}>"
