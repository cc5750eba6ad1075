"""The data of a site by file: the board, every sample's scores, curves, wins and samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from ..standings.standings import Table
from ..standings.stored_maps import class_names
from ..statistics.means import CONFIDENCE
from ..writing.numbers import finite
from .board import board_data
from .catalogue import Catalogue, TaskPages
from .encoding import doubles, floats, script
from .figures import across_data, audit_data, cost_data
from .pairs import win_data
from .pictures import Pictures

Say = Callable[[str], object]
"""Hears what is being made."""

CURVE_STEP = 2
"""Of the points of a mean curve every second is kept."""


def data_scripts(catalogue: Catalogue, drawn: Pictures, say: Say) -> dict[str, str]:
    """Return every data file's text by its name below ``data/``, without the ending; ``say`` hears of each table."""
    found: dict[str, Any] = {"board": board_data(catalogue), "student": student(catalogue), **cost_data(catalogue)}
    optional = {"across": across_data(catalogue), "audits": audit_data(catalogue)}
    found |= {name: data for name, data in optional.items() if data is not None}
    for task in catalogue.tasks:
        found[f"samples/{task.slug}"] = samples(catalogue, task, drawn)
    for count, (_, table, name) in enumerate(catalogue.settings, 1):
        say(f"scores, curves and wins: {table.setting.title} ({count} of {len(catalogue.settings)})")
        for place, metric in enumerate(table.metrics):
            number = catalogue.metric_numbers[metric.id]
            found[f"scores/{name}/{catalogue.metrics[number].slug}"] = scores(catalogue, table, place)
        found |= {f"curves/{name}/{metric}": curve for metric, curve in curves(catalogue, table).items()}
        found |= win_data(catalogue, table, name)
    return {name: script(name, data) for name, data in found.items()}


def scores(catalogue: Catalogue, table: Table, place: int) -> dict[str, Any]:
    """Return every sample's score on one metric: (methods, samples) as `doubles`, NaN where there is none."""
    return {"methods": _numbers(catalogue, table), "values": doubles(table.results.scores[place])}


def samples(catalogue: Catalogue, task: TaskPages, drawn: Pictures) -> dict[str, Any]:
    """Return what is known of each sample of a task, by framework in the order of its scores, and its pictures."""
    number = catalogue.tasks.index(task)
    found = []
    for table in task.tables:
        heatmaps: dict[str, dict[int, str]] = {}
        for method, of_method in drawn.heatmaps.items():
            for one in of_method:
                if (one.task, one.framework) == (number, table.setting.framework_name):
                    heatmaps.setdefault(one.sample, {})[method] = one.path
        found.append({**_samples(table), "heatmaps": heatmaps})
    pictures = {name: path for (slug, name), path in drawn.thumbnails.items() if slug == task.slug}
    return {"settings": found, "pictures": pictures}


def student(catalogue: Catalogue) -> dict[str, Any]:
    """Return Student's t quantile of the 95 % interval for 1, 2, ... degrees of freedom, as `doubles`."""
    most = max((len(table.results.samples) for _, table, _ in catalogue.settings), default=0)
    quantiles = stats.t.ppf((1 + CONFIDENCE) / 2, np.arange(1, max(2, most)))
    return {"quantiles": doubles(quantiles)}


def curves(catalogue: Catalogue, table: Table) -> dict[str, dict[str, Any]]:
    """Return the mean perturbation curves of a table by the metric's name: x, mean, low and high per method."""
    numbers = dict(zip((run.method for run in table.results.methods), _numbers(catalogue, table), strict=True))
    found = {}
    for text, of_methods in table.curves.items():
        slug = catalogue.metrics[catalogue.metric_numbers[text]].slug
        lines = [np.stack([one.mean, one.low, one.high])[:, ::CURVE_STEP] for one in of_methods.values()]
        points = np.stack(lines)
        found[slug] = {
            "methods": [numbers[method] for method in of_methods],
            "points": points.shape[2],
            "values": floats(points),
        }
    return found


def _numbers(catalogue: Catalogue, table: Table) -> list[int]:
    """Return the numbers of a table's methods, in the order of its scores."""
    return [catalogue.method_numbers[run.method] for run in table.results.methods]


def _samples(table: Table) -> dict[str, Any]:
    columns = ["sample", "label", "target", "predicted", "target_probability"]
    found: dict[str, Any] = {}
    for run in table.results.methods:
        for record in run.rows[columns].drop_duplicates("sample").itertuples(index=False) if len(run.rows) else ():
            found.setdefault(str(record.sample), record)
    names = class_names(table)

    def named(number: Any) -> str:
        return "" if int(number) < 0 else names.get(int(number), f"class {int(number)}")

    known = [found[sample] for sample in table.results.samples]
    return {
        "samples": list(table.results.samples),
        "label": [named(one.label) for one in known],
        "target": [named(one.target) for one in known],
        "predicted": [named(one.predicted) for one in known],
        "probability": [finite(round(float(one.target_probability), 4)) for one in known],
    }
