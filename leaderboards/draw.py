"""Figures for notebooks and papers: every function returns a matplotlib figure and changes nothing.

`heatmark.draw`. A figure is shown by ``figure`` at the end of a notebook's cell, and written by
``figure.savefig("curves.pdf")``. Words have one size whatever the number of panels, and no figure is wider than a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import BadInput, HeatmarkError, suggestion
from .across.overall import overall
from .costs.pareto import paretos
from .costs.pareto_plot import draw_paretos
from .galleries.drawing import draw_gallery
from .galleries.given import maps_given, pictures_given
from .galleries.of_runs import run_gallery
from .report.costs import measured_tables
from .report.curves import curves_figure
from .report.figures import board_figures, looks
from .report.papers import chosen
from .report.ranks import ranks_figure
from .report.score_matrix import draw_board
from .standings.standings import Standings, Table
from .writing.names import shown

__all__ = ["board", "curves", "figures", "gallery", "heatmaps", "pareto", "ranks"]


def gallery(
    pictures: Any,
    maps: Mapping[str, Any],
    titles: Sequence[str] | None = None,
    *,
    signed: Mapping[str, bool] | None = None,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    across: int | None = None,
    caption: bool = True,
    colour_bar: bool = False,
) -> Figure:
    """Draw pictures or series, each beside its heatmaps.

    Parameters
    ----------
    pictures
        A batch as a network takes it: photographs (n, 3, height, width) or (n, height, width, 3), grey ones with 1
        channel or none, or series (n, channels, length), (n, length, channels) or (n, length), with at most 4
        channels; in [0, 1] (series: any values). Arrays, or tensors of either framework.
    maps
        By method: a batch of heatmaps over the pictures' positions, as `heatmark.explain` returns them. A registered
        method's column has its display name.
    titles
        One per picture.
    signed
        By method, whether its maps are drawn on a scale centred at zero; where not told, as the method is registered,
        and for other names whether any value is negative.
    view, cap, across, caption, colour_bar
        As `heatmark explain` takes them: overlay, map, capped, points, mask; where scales end; the most panels in a
        line; whether the words and the scales of colours stand below.

    Raises
    ------
    BadInput
        For an array that is no batch of pictures or series, pictures beyond [0, 1], maps that do not lie over their
        pictures, numbers that do not fit together, or an unknown view.

    Examples
    --------
    >>> a = hm.explain(model, batch.x, method="grad_cam", target=batch.y)  # doctest: +SKIP
    >>> hm.draw.gallery(batch.x, {"grad_cam": a}).savefig("gallery.pdf")  # doctest: +SKIP
    """
    shown_pictures = pictures_given(pictures)
    columns = maps_given(maps, shown_pictures)
    for name in signed or {}:
        if name not in columns:
            raise BadInput(f"signed names {name!r}, and maps has no such one.{suggestion(name, columns)}")
    if isinstance(titles, str):
        raise BadInput(f"titles are several, one per picture; got the text {titles!r}. Put it in a list.")
    names = {name: shown(name, "method") for name in columns}
    if len(set(names.values())) < len(names):
        names = {name: name for name in columns}
    signs = {names[name]: (signed or {}).get(name, _is_signed(name, columns[name])) for name in columns}
    return draw_gallery(
        shown_pictures,
        {names[name]: column for name, column in columns.items()},
        signs,
        list(map(str, titles)) if titles is not None else [""] * len(shown_pictures),
        view=view,
        cap=cap,
        across=across,
        captioned=caption,
        colour_bar=colour_bar,
    )


def heatmaps(
    board: Standings,
    task: str | None = None,
    *,
    methods: str | Iterable[str] | None = None,
    pictures: int = 4,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    caption: bool = True,
    colour_bar: bool = False,
) -> Figure:
    """Draw the heatmaps that a run has kept, its frameworks beside one another.

    Parameters
    ----------
    board
        What `heatmark.leaderboard` returned.
    task
        Such as ``"small-cnn on digits"``; may be left out where the board has one.
    methods
        As `Board.text` takes them: texts or names; all where None.
    pictures
        So many samples at most.
    view, cap, caption, colour_bar
        As `gallery` takes them.

    Raises
    ------
    BadInput
        For an unknown or missing task, a method that the board does not have, or a run that kept no heatmaps.
    """
    tables = _task(board, task)
    if pictures < 1:
        raise BadInput(f"So many pictures cannot be drawn: {pictures}. Give at least 1.")
    wanted = None if methods is None else _chosen(tables, methods)
    figure = run_gallery(board, tables, wanted, pictures, view=view, cap=cap, captioned=caption, colour_bar=colour_bar)
    return _there(figure, f"{tables[0].setting.task_title} has no heatmaps", "a run keeps those of its first samples")


def curves(board: Standings, task: str | None = None, *, methods: str | Iterable[str] | None = None) -> Figure:
    """Draw the mean perturbation curves of every metric that reads one.

    Parameters
    ----------
    board, task
        As `heatmaps` takes them.
    methods
        Those that stand out, as `Board.text` takes them; the best by mean rank where None. Controls always do.

    Raises
    ------
    BadInput
        For an unknown or missing task, a method that the board does not have, or a task without curves.
    """
    tables = _task(board, task)
    figure = curves_figure(tables, None if methods is None else _chosen(tables, methods), looks(board))
    return _there(
        figure, f"{tables[0].setting.task_title} has no curves", "score a metric that reads one, such as deletion"
    )


def ranks(board: Standings, task: str | None = None) -> Figure:
    """Draw mean ranks with their intervals, a panel per framework; the errors are those of `curves`."""
    tables = _task(board, task)
    return _there(
        ranks_figure(tables, looks(board)), f"{tables[0].setting.task_title} has no ranks", "nothing could be ranked"
    )


def pareto(board: Standings, task: str | None = None) -> Figure:
    """Draw mean rank against cost, and the front of what no other method beats in both.

    Costs are those of a runtime benchmark in the run's folder, else the run's own; the errors are those of `curves`.
    """
    tables = _task(board, task)
    found = [item for item in paretos(board, measured_tables(board)) if item.task == tables[0].setting.task_title]
    if not found:
        raise BadInput(f"{tables[0].setting.task_title} has no method whose rank and cost are known.")
    return draw_paretos(found, looks(board))


def board(board: Standings, task: str | None = None, framework: str | None = None) -> Figure:
    """Draw a leaderboard: mean ranks with intervals, and every metric's means, shaded by rank.

    Parameters
    ----------
    board, task
        As `heatmaps` takes them.
    framework
        ``torch`` or ``tensorflow``; where None, the first that the board has.

    Raises
    ------
    BadInput
        For an unknown or missing task, or a framework that the board does not have.
    """
    tables = [table for table in _task(board, task) if framework in (None, table.setting.framework)]
    if not tables:
        raise BadInput(f"The board has no results in {framework!r}.")
    return draw_board(tables[0], looks(board))


def figures(board: Standings) -> dict[str, Figure]:
    """Return every figure of a board by the stem of its file, as ``heatmark leaderboard RUN --figures`` writes it."""
    return board_figures(board, overall(board))


def _task(board: Standings, task: str | None) -> list[Table]:
    """Return the tables of the task that is meant."""
    if not isinstance(board, Standings):
        raise BadInput(f"This draws a board, what heatmark.leaderboard(run) returns; got {type(board).__name__}.")
    groups: dict[str, list[Table]] = {}
    for tables in board.by_task:  # of several runs, a task's frameworks need not stand beside one another
        groups.setdefault(tables[0].setting.task_title, []).extend(tables)
    if task is None and len(groups) == 1:
        return next(iter(groups.values()))
    if task is None or task not in groups:
        named = "No task is named" if task is None else f"There is no task {task!r}"
        raise BadInput(
            f"{named}; the board has {', '.join(map(repr, groups)) or 'none'}.{suggestion(task or '', groups)}"
        )
    return groups[task]


def _chosen(tables: Sequence[Table], methods: str | Iterable[str]) -> set[str]:
    """Return which methods of a task are meant."""
    return chosen(methods, list(dict.fromkeys(row.method.id for table in tables for row in table.rows)), "method")


def _there(figure: Figure | None, what: str, why: str) -> Figure:
    if figure is None:
        raise BadInput(f"{what}: {why}.")
    return figure


def _is_signed(name: str, column: Sequence[np.ndarray]) -> bool:
    from ..methods.registry import method_from

    try:
        return method_from(name).signed
    except HeatmarkError:
        return any(bool((np.nan_to_num(found) < 0).any()) for found in column)
