"""A board in the formats of papers and programs: LaTeX, Markdown, HTML, CSV and JSON."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any, Literal, get_args

import pandas as pd

from ...errors import BadInput, suggestion
from ..standings.standings import MetricResult, Row, Standings, Table
from ..statistics.significance import Places
from ..writing.files import csv_text, json_text
from ..writing.numbers import finite
from ..writing.text_tables import escaped
from .papers import ACROSS, Cell, Head, Mark, PaperTable, chosen, paper_tables, require_results
from .tables import suite_name, wide_frame
from .terminal import folded
from .verdict import verdicts

Format = Literal["latex", "markdown", "csv", "json", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

SCHEMA = 1
"""Of the JSON form."""
HEAD_WIDTH, NAME_WIDTH = 11, 24
"""In LaTeX, heads and names of rows are broken into lines of at most so many characters, to fit a page."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "[": "{[}",  # behind the end of a line it would open an option
    "]": "{]}",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "†": r"$^\dagger$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "·": r"$\cdot$",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "…": r"\dots{}",
    "µ": r"$\mu$",
    "\u00a0": "~",
    "\u200b": "",
}  # fmt: skip
_LATEX_MARKS: dict[Mark, str] = {"best": "textbf:--rwrap;", "second": "underline:--rwrap;", "": ""}


def board_text(
    standings: Standings,
    form: str,
    *,
    methods: str | Iterable[str] | None = None,
    metrics: str | Iterable[str] | None = None,
    across: int = ACROSS,
) -> str:
    """Return a board as text in one of the formats.

    Parameters
    ----------
    standings
        The board.
    form
        ``latex``: for ``\\input``, with the package booktabs; ``markdown``; ``html``: a fragment; ``csv``: every number
        to its last digit; ``json``: with identities, and everything by its canonical text.
    methods, metrics
        The rows and columns to show (see `paper_tables`); ranks, ties and marks stay those among all.
    across
        How many metrics stand beside one another at most, in ``latex``, ``markdown`` and ``html``.

    Raises
    ------
    BadInput
        For an unknown format; if the board has no such method or metric, or no results to put into a table.
    """
    if form not in FORMATS:
        raise BadInput(f"Unknown format {form!r}.{suggestion(form, FORMATS)} Choose one of {', '.join(FORMATS)}.")
    if form == "csv":
        return csv_text(_chosen_frame(standings, methods, metrics), digits=None)
    if form == "json":
        return json_text(board_json(standings, methods, metrics))
    tables = paper_tables(standings, methods, metrics, across)
    if form == "latex":
        text = "\n".join(map(latex_table, tables))
        beyond = "" if text.isascii() else "; XeLaTeX or LuaLaTeX where pdfLaTeX lacks a letter of a name"
        return f"% needs \\usepackage{{booktabs}}{beyond}\n{text}"
    return "\n".join(map(html_table if form == "html" else markdown_text_of, tables))


def latex_table(table: PaperTable) -> str:
    """Return a table in LaTeX, made by pandas' Styler."""
    count = range(len(table.heads))
    frame = pd.DataFrame([[_latex_cell(cell) for cell in cells] for _, cells in table.rows], columns=count)
    styles = pd.DataFrame([[_LATEX_MARKS[cell.mark] for cell in cells] for _, cells in table.rows], columns=count)
    frame.columns.name = "Method"
    heads: dict[Any, Any] = dict(enumerate(map(_latex_head, table.heads)))
    names: dict[Any, Any] = {n: _stacked(folded(name, NAME_WIDTH), "l") for n, (name, _) in enumerate(table.rows)}
    styler = frame.style.apply(lambda whole: styles, axis=None)
    styler = styler.format_index(heads.__getitem__, axis="columns")
    styler = styler.format_index(names.__getitem__, axis="index")
    text: str = styler.to_latex(
        column_format="l" + "r" * len(table.heads),
        hrules=True,
        position="tbp",
        position_float="centering",
        caption=latex_escaped(table.caption),
        label=f"tab:{table.label}",
    )
    text = text.replace("\\centering\n", "\\centering\n\\footnotesize\\setlength{\\tabcolsep}{3pt}\n", 1)
    return text.replace("\\begin{tabular}", "\\vspace{1ex}\n\\begin{tabular}", 1)


def latex_escaped(text: str) -> str:
    """Return text so that LaTeX prints it as it is, in one line."""
    return "".join(_LATEX.get(character, character) for character in re.sub(r"[\t\n\r]+", " ", text))


def markdown_text_of(table: PaperTable) -> str:
    """Return a table in Markdown below its caption; what is second stands in italics, as nothing underlines there."""
    caption = escaped(table.caption.replace("underlined:", "in italics:"))
    heads = ["Method", *(f"{head.words} {head.arrow}".strip() for head in table.heads)]
    lines = [f"| {' | '.join(map(escaped, heads))} |", f"|{' --- |'}{' ---: |' * len(table.heads)}"]
    for name, cells in table.rows:
        lines.append(f"| {' | '.join([escaped(name), *map(_markdown_cell, cells)])} |")
    return "\n".join([f"**{escaped('Table')}.** {caption}", "", *lines, ""])


def html_table(table: PaperTable) -> str:
    """Return a table as a fragment of HTML, without styles or scripts."""
    heads = "".join(f'<th scope="col">{html.escape(f"{one.words} {one.arrow}".strip())}</th>' for one in table.heads)
    lines = [
        f'<table class="heatmark" id="{table.label}">',
        f"<caption>{html.escape(table.caption)}</caption>",
        f'<thead><tr><th scope="col">Method</th>{heads}</tr></thead>',
        "<tbody>",
    ]
    for name, cells in table.rows:
        lines.append(f'<tr><th scope="row">{html.escape(name)}</th>{"".join(map(_html_cell, cells))}</tr>')
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def notebook_html(standings: Standings) -> str:
    """Return what a notebook shows of a board: the verdicts, and every table with all of its metrics."""
    parts = [f"<h3>Leaderboard: {html.escape(suite_name(standings))}</h3>"]
    for verdict in verdicts(standings):
        parts.append(f"<p><b>{html.escape(verdict.where)}.</b> {html.escape(' '.join(verdict.sentences))}</p>")
        parts += [f"<p><b>Warning: {html.escape(warning)}</b></p>" for warning in verdict.warnings]
    if any(table.model.samples for table in standings.tables):
        most = max(len(table.metrics) for table in standings.tables)
        tables = paper_tables(standings, across=max(most, 1))
        parts += [f'<div style="overflow-x:auto">{html_table(table)}</div>' for table in tables]
    return "\n".join(parts)


def board_json(
    standings: Standings, methods: str | Iterable[str] | None = None, metrics: str | Iterable[str] | None = None
) -> dict[str, Any]:
    """Return a board as plain data: doubles as they are, None where there is no number; identities with their texts."""
    rows = chosen(methods, [one.id for one in standings.methods], "method")
    columns = chosen(metrics, [one.id for one in standings.metrics], "metric")
    return {
        "schema": SCHEMA,
        "runs": [{name: run.get(name) for name in ("name", "version", "created")} for run in standings.runs],
        "tables": [_table_json(table, rows, columns) for table in standings.tables],
    }


def _chosen_frame(
    standings: Standings, methods: str | Iterable[str] | None, metrics: str | Iterable[str] | None
) -> pd.DataFrame:
    rows = chosen(methods, [one.id for one in standings.methods], "method")
    columns = chosen(metrics, [one.id for one in standings.metrics], "metric")
    require_results(standings)
    frame = wide_frame(standings)
    hidden = {one.id for one in standings.metrics} - columns
    ends = ("", ":low", ":high", ":rank")
    kept = [name for name in frame.columns if not any(name == f"{one}{end}" for one in hidden for end in ends)]
    return frame.loc[frame["method"].isin(rows), kept]


def _table_json(table: Table, rows: set[str], columns: set[str]) -> dict[str, Any]:
    places = [place for place, metric in enumerate(table.metrics) if metric.id in columns]
    identities = {run.method: run for run in table.results.methods}
    return {
        **table.setting.columns,
        "samples": table.model.samples,
        "accuracy": finite(table.model.accuracy),
        "loss": finite(table.model.loss),
        "friedman_p": finite(table.friedman),
        "metrics": [
            {
                "metric": table.metrics[place].id,
                "name": table.metrics[place].name,
                "higher_is_better": table.metrics[place].higher_is_better,
                "unit": table.metrics[place].unit,
                "counted": table.counted[place],
                "protocol": table.metrics[place].sentence,
                "identity": table.results.metric_identities[place],
            }
            for place in places
        ],
        "rows": [
            _row_json(row, identities[row.method.id].identity, places) for row in table.rows if row.method.id in rows
        ],
    }


def _row_json(row: Row, identity: Any, places: list[int]) -> dict[str, Any]:
    return {
        "method": row.method.id,
        "name": row.method.name,
        "family": row.method.family,
        "control": row.method.control,
        "parameters": row.method.sentence,
        "identity": identity,
        "place": row.place,
        "tied": _places(row.tied),
        "mean_rank": finite(row.mean_rank),
        "mean_rank_low": finite(row.mean_rank_low),
        "mean_rank_high": finite(row.mean_rank_high),
        "why_unplaced": row.why_unplaced,
        "trust": None if row.trust is None else {"word": row.trust.word, "said": row.trust.said},
        "samples": row.coverage.samples,
        "expected_samples": row.coverage.expected_samples,
        "degenerate": row.degenerate,
        "seconds_per_image": finite(row.cost.seconds),
        "relative_cost": finite(row.cost.relative),
        "forward_passes": finite(row.cost.forward),
        "backward_passes": finite(row.cost.backward),
        "values": [_value_json(row.values[place]) for place in places],
    }


def _value_json(value: MetricResult) -> dict[str, Any]:
    """Return one method's result on one metric; the list has the metrics' order."""
    return {
        "mean": finite(value.mean),
        "low": finite(value.low),
        "high": finite(value.high),
        "rank": finite(value.rank),
        "tied": _places(value.tied),
        "samples": value.samples,
        "best": value.best,
    }


def _places(places: Places | None) -> list[int] | None:
    return None if places is None else list(places)


def _latex_cell(cell: Cell) -> str:
    """Return a cell's words; a minus sign is one."""
    words = f"$-${cell.number[1:]}" if re.match(r"-\d", cell.number) else latex_escaped(cell.number)
    return words + (rf" {{\scriptsize {latex_escaped(cell.spread)}}}" if cell.spread else "")


def _latex_head(head: Head) -> str:
    """Return a head in lines, the last of them with its arrow."""
    width = HEAD_WIDTH if "(" in head.words else max(map(len, head.words.split()))
    return _stacked(f"{folded(head.words, width)} {head.arrow}".strip(), "r")


def _stacked(text: str, side: str) -> str:
    """Return lines upon one another, at the left or the right."""
    words = r" \\ ".join(latex_escaped(line) for line in text.splitlines())
    return rf"\shortstack[{side}]{{{words}}}" if "\n" in text else words


def _markdown_cell(cell: Cell) -> str:
    around = {"best": "**", "second": "*", "": ""}[cell.mark]
    return f"{around}{escaped(cell.number)}{around} {escaped(cell.spread)}".strip()


def _html_cell(cell: Cell) -> str:
    words = html.escape(cell.number)
    words = {"best": f"<strong>{words}</strong>", "second": f"<u>{words}</u>", "": words}[cell.mark]
    return f"<td>{words}{f' <small>{html.escape(cell.spread)}</small>' if cell.spread else ''}</td>"
