"""The gallery of the heatmaps that a run has kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from ..standings.standings import Standings, Table
from ..standings.stored_maps import StoredRow, class_names, heatmap_over, kept_maps, seen_input
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
    by_framework = [{sample: row for rows in maps.values() for sample, row in rows.items()} for maps in kept]
    first = {sample: row for rows in reversed(by_framework) for sample, row in rows.items()}
    order = list(dict.fromkeys(sample for rows in by_framework for sample in rows))[:pictures]
    inputs = {
        sample: picture
        for sample in order
        if (picture := seen_input(standings, tables[0].setting.task, sample, first[sample])) is not None
        and len(first[sample]["map_shape"]) < 3
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
    titles = [
        _title([(table, rows[sample]) for table, rows in zip(tables, by_framework, strict=True) if sample in rows])
        for sample in samples
    ]
    return draw_gallery(
        list(inputs.values()),
        maps, signed, titles, view=view, cap=cap, captioned=captioned, colour_bar=colour_bar,
    )  # fmt: skip


def _title(explained: Sequence[tuple[Table, StoredRow]]) -> str:
    """Return the explained class with the probability of the first framework; those of each where they differ."""
    told = [
        (class_names(table).get(row["target"], f"class {row['target']}"), percent(row["target_probability"]))
        for table, row in explained
    ]
    if len({name for name, _ in told}) == 1:
        return f"{shortened(told[0][0])}\n{told[0][1]}"
    return "\n".join(
        f"{table.setting.framework_name}: {shortened(name)}, {share}"
        for (table, _), (name, share) in zip(explained, told, strict=True)
    )
