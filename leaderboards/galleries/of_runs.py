"""The gallery of the heatmaps that a run has kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from ..standings.standings import Standings, Table
from ..standings.stored_maps import class_names, heatmap_over, kept_maps, seen_input
from ..writing.names import shown
from ..writing.numbers import percent, shortened
from .drawing import draw_gallery


def run_gallery(
    standings: Standings,
    tables: Sequence[Table],
    methods: Collection[str] | None = None,
    pictures: int = 4,
    *,
    view: str | Iterable[str] = "overlay",
    cap: float | None = None,
    captioned: bool = True,
    colour_bar: bool = False,
) -> Figure | None:
    """Draw the heatmaps of one task's first samples, given its tables; None where none can be drawn.

    Parameters
    ----------
    methods
        Their texts; all where None.
    pictures
        So many samples at most.
    view, cap, captioned, colour_bar
        As `draw_gallery` takes them.
    """
    kept = [kept_maps(table) for table in tables]
    known = {row.method.id: row.method for table in tables for row in table.rows}
    wanted = [name for name in known if (methods is None or name in methods) and any(name in maps for maps in kept)]
    first = {sample: row for maps in kept for rows in maps.values() for sample, row in rows.items()}
    inputs = {
        sample: picture
        for sample, row in list(first.items())[:pictures]
        if (picture := seen_input(standings, tables[0].setting.task, sample, row)) is not None
        and len(row["map_shape"]) < 3
    }
    samples = list(inputs)
    if not samples or not wanted:
        return None
    names = {name: shown(name, "method") for name in wanted}
    common = {name for name, count in Counter(names.values()).items() if count > 1}
    maps: dict[str, list[np.ndarray | str]] = {}
    signed = {}
    for name, (table, rows) in product(wanted, zip(tables, kept, strict=True)):
        if name not in rows:
            continue
        heading = name if names[name] in common else names[name]
        heading += f"\n{table.setting.framework_name}" if len(tables) > 1 else ""
        own = rows[name]
        maps[heading] = [
            heatmap_over(own[sample], inputs[sample]) if sample in own else "no heatmap" for sample in samples
        ]
        signed[heading] = known[name].signed is not False
    classes = class_names(tables[0])
    titles = [
        shortened(classes.get(first[sample]["target"], f"class {first[sample]['target']}"))
        + f"\n{percent(first[sample]['target_probability'])}"
        for sample in samples
    ]
    return draw_gallery(
        list(inputs.values()),
        maps, signed, titles, view=view, cap=cap, captioned=captioned, colour_bar=colour_bar,
    )  # fmt: skip
