"""The cells of one or several runs, gathered into one array of scores per setting.

A table holds what may be compared: one network (its weights), one choice of samples of one revision of the data, one
explained class, precision, framework and device. Columns are told apart by what the metrics are, rows by what the
methods are, not by their names. The same cell in two runs counts once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.store.cell import Task
from ...benchmark.store.folder import Failure, Inapplicable, RunStore
from ...benchmark.store.layout import unplanned
from ...errors import BadInput, Disagreement
from ..statistics.ranks import ROUNDING
from ..trust.words import WORDS, Submitted, submitted
from .overlaps import DIFFERS, Piece, contradictions, mean_scores
from .planned import Place, Planned, RunRead, places_of, planned_in, rows_of, settings_of
from .results import Coverage, MethodCost, MethodRun, Results, Setting
from .told_apart import EntryNames, Identity


@dataclass(frozen=True, eq=False)
class Gathered:
    """What one or several runs hold together."""

    settings: tuple[Results, ...]
    """In the order of the plans."""
    failures: tuple[Failure, ...]
    not_applicable: tuple[Inapplicable, ...]
    """What failed, and what has no meaning, and has a result in none of the runs."""
    submissions: Mapping[Path, Submitted] = field(default_factory=dict)
    """Those of the runs that somebody submitted."""


def opened(runs: Iterable[object]) -> tuple[RunStore, ...]:
    """Return the stores of runs, each a folder or anything with a ``path``; a folder given twice is opened once.

    Raises
    ------
    BadInput
        If there are none.
    StorageError
        If a folder holds no run, or one of another schema version.
    """
    paths = [Path(str(getattr(run, "path", run))) for run in runs]
    if not paths:
        raise BadInput("Name at least one run: the folder that `heatmark run --out` wrote to.")
    return tuple(RunStore(path) for path in {path.resolve(): path for path in reversed(paths)}.values())[::-1]


def thumbnail_in(stores: Sequence[RunStore], task: Task, sample: str) -> Path:
    """Return where the picture of a sample is kept, in the first run that has it; the file may be missing."""
    paths = [store.thumbnail(task, sample) for store in stores]
    return next((path for path in paths if path.is_file()), paths[0])


def gather(stores: Sequence[RunStore]) -> Gathered:
    """Return what runs hold together, in the order of their plans.

    Raises
    ------
    BadInput
        If two of them hold different scores of the same thing.
    """
    runs = [RunRead.of(store) for store in stores]
    if not any(run.expected for run in runs):
        raise BadInput(" ".join(unplanned(store.path) for store in stores))
    named = [pair for run in runs for pair in run.all_metrics]
    methods = EntryNames((spec.method, spec.method_identity) for run in runs for _, spec, _ in run.expected)
    metrics = EntryNames(named)
    identities: dict[str, tuple[str, Identity]] = {}
    for pair in named:
        identities.setdefault(metrics.name(*pair), pair)
    submissions = {run.store.path: found for run in runs if (found := submitted(run.store.path)) is not None}
    listed = [cell for run in runs for cell in planned_in(run, methods, metrics)]
    placed = _each_from_one_source(list(zip(places_of(listed), listed, strict=True)), submissions)
    planned = [cell for _, cell in placed]
    done = {cell.key for cell in planned if cell.cell is not None}
    places: dict[Place, dict[str, list[Planned]]] = {}
    for place, cell in placed:
        of_method = places.setdefault(place, {})
        # A method with some cells that do not apply and others that do would be a contradiction; any result counts.
        if cell.reason is None or cell.key in done:
            of_method.setdefault(cell.method, []).append(cell)
    settings = settings_of(list(places))
    return Gathered(
        tuple(_results(settings[place], place, found, identities) for place, found in places.items()),
        _failures(stores, done),
        _not_applicable(planned, done),
        submissions,
    )


def _each_from_one_source(
    placed: Sequence[tuple[Place, Planned]], submissions: Mapping[Path, Submitted]
) -> list[tuple[Place, Planned]]:
    """Return the cells without what a submission repeats: it changes no row that a run, or another submission, has.

    Of several submissions that have the same method in the same table, the most trusted one gives the row.
    """
    if not submissions:
        return list(placed)
    order = {path: WORDS.index(found.trust.word) for path, found in submissions.items()}
    sources: dict[tuple[Place, str], list[Path]] = {}
    for place, cell in placed:
        sources.setdefault((place, cell.method), []).append(cell.run)
    kept: dict[tuple[Place, str], set[Path]] = {}
    for row, runs in sources.items():
        own = {run for run in runs if run not in submissions}
        kept[row] = own or {max(dict.fromkeys(runs), key=lambda run: order[run])}
    return [(place, cell) for place, cell in placed if cell.run in kept[place, cell.method]]


def _results(
    setting: Setting,
    place: Place,
    planned: Mapping[str, list[Planned]],
    identities: Mapping[str, tuple[str, Identity]],
) -> Results:
    methods = [_method_run(name, cells) for name, cells in planned.items()]
    asked = {name for cells in planned.values() for cell in cells for name in cell.metrics}
    added = {name for cells in planned.values() for cell in cells for name in cell.added}
    refused = _in_all([method.refused for method in methods if method.provenances])
    ordered = [name for name in identities if name in asked] + [n for n in identities if n in added - asked]
    metrics = tuple(name for name in ordered if name not in refused)
    order = pd.concat([method.rows[["index", "sample"]] for method in methods]) if methods else pd.DataFrame()
    samples = tuple(order.sort_values("index", kind="stable")["sample"].unique()) if len(order) else ()
    pieces = {method.method: _pieces(planned[method.method], method) for method in methods}
    scores, places = np.full((len(metrics), len(methods), len(samples)), np.nan), pd.Index(samples, dtype=object)
    for number, method in enumerate(methods):
        scores[:, number] = mean_scores(*pieces[method.method], metrics, places)
    _check_agreement(setting, metrics, scores, pieces)
    return Results(
        setting,
        tuple(methods),
        metrics,
        tuple(identities[name][0] for name in metrics),
        tuple(identities[name][1] for name in metrics),
        samples,
        scores,
        refused,
        place.weights,
        place.revision,
        place.device,
        tuple(sorted({cell.spec.seed for cells in planned.values() for cell in cells})),
    )


def _pieces(cells: Iterable[Planned], method: MethodRun) -> tuple[list[Piece], pd.DataFrame]:
    """Return a method's finished cells in all runs, also those that two of them have, with the rows of all."""
    there = [cell for cell in cells if cell.cell is not None]
    pieces = [Piece(cell.run, cell.spec.seed, cell.samples, {*cell.metrics, *cell.added}) for cell in there]
    return pieces, method.rows if len(there) == len(method.cells) else rows_of(there)


def _check_agreement(
    setting: Setting,
    metrics: Sequence[str],
    scores: np.ndarray,
    pieces: Mapping[str, tuple[Sequence[Piece], pd.DataFrame]],
) -> None:
    """Raise BadInput where two runs hold different scores of the same thing, and warn where they hold similar ones.

    Similar are scores that differ by more than rounding, and by no more than `DIFFERS` of the metric's spread.
    """
    similar: list[tuple[float, str]] = []
    for name, (found, rows) in pieces.items():
        for one in contradictions(found, rows, metrics):
            every = scores[metrics.index(one.metric)]
            every = every[np.isfinite(every)]
            spread = float(np.ptp(every)) if every.size else 0.0
            if one.apart <= ROUNDING * float(np.abs(every).max(initial=0.0)):
                continue
            runs = f"{one.runs[0]} and {one.runs[1]} hold" if one.runs[0] != one.runs[1] else f"{one.runs[0]} holds"
            words = (
                f"{runs} different scores of the same thing: {name} on {setting.title}, {one.metric}, sample "
                f"{one.sample}: {one.values[0]:.6g} and {one.values[1]:.6g}."
            )
            if one.apart > DIFFERS * spread:
                raise BadInput(
                    f"{words} One table cannot show both: leave one of the two runs out, or see how far they are apart "
                    "with `heatmark compare`."
                )
            similar.append((one.apart / spread, words))
    if similar:
        share, words = max(similar)
        warnings.warn(
            f"{words} That is {share:.2g} of the spread of the metric's scores, the most in this table, which shows "
            "the first run's; other processors may give such differences.",
            Disagreement,
            stacklevel=2,
        )


def _method_run(name: str, cells: Sequence[Planned]) -> MethodRun:
    done = list({cell.key: cell for cell in cells if cell.cell is not None}.values())
    rows = rows_of(done)
    refusals = [
        {metric: _reason(cell, text) for text, metric in zip(cell.spec.metrics, cell.metrics, strict=True)}
        for cell in done
    ]
    asked = dict.fromkeys(metric for found in refusals for metric in found)
    everywhere = {metric: [found[metric] for found in refusals if metric in found] for metric in asked}
    return MethodRun(
        name,
        cells[0].spec.method,
        cells[0].spec.method_identity,
        rows,
        tuple(cell.provenance for cell in done),
        _coverage(cells, done, rows),
        _cost(done, rows),
        frozenset(metric for cell in cells for metric in (*cell.metrics, *cell.added)),
        {metric: found[0] for metric, found in everywhere.items() if found and all(found)},
        tuple(cell.cell for cell in done if cell.cell is not None),
        frozenset(cell.run for cell in cells),
    )


def _reason(cell: Planned, metric: str) -> str:
    """Return why a metric has no meaning for a cell's maps, or nothing."""
    reasons = cell.provenance.get("metrics_not_applicable") or {}
    return str(reasons[metric]) if metric in reasons else ""


def _coverage(cells: Sequence[Planned], done: Sequence[Planned], rows: pd.DataFrame) -> Coverage:
    """Return what is there of what any of the runs asks for; what another run has done need not be done again."""
    planned = {cell.key: cell for cell in cells}
    done_keys = {cell.key for cell in done}
    missing = [cell for key, cell in planned.items() if key not in done_keys and not _done_elsewhere(cell, done)]
    seeds, indices = _per_row([cell.spec.seed for cell in done], done), rows["index"].to_numpy()
    there = [(seed, indices[seeds == seed]) for seed in dict.fromkeys(cell.spec.seed for cell in done)]
    # A dataset may skip unreadable files, which no cell can then hold.
    wanted = [(cell.spec.seed, np.arange(cell.spec.first, cell.spec.last)) for cell in missing]
    failed = {cell.key for cell in missing} & {cell.key for cell in cells if cell.failed}
    cells_wanted = len(done) + len(missing)
    return Coverage(len(done), cells_wanted, _count(there), _count([*there, *wanted]), len(failed))


def _count(parts: Iterable[tuple[int, np.ndarray]]) -> int:
    """Return how many samples there are, each once per seed."""
    of_seed: dict[int, list[np.ndarray]] = {}
    for seed, indices in parts:
        of_seed.setdefault(seed, []).append(indices)
    return sum(len(np.unique(np.concatenate(indices))) for indices in of_seed.values())


def _done_elsewhere(cell: Planned, done: Iterable[Planned]) -> bool:
    """Return whether a finished cell holds all that another one asks for: its samples, its seed and its metrics."""
    return any(
        other.spec.first <= cell.spec.first
        and cell.spec.last <= other.spec.last
        and other.spec.seed == cell.spec.seed
        and set(cell.metrics) <= set(other.metrics)
        for other in done
    )


def _cost(cells: Sequence[Planned], rows: pd.DataFrame) -> MethodCost:
    images = len(rows)
    if not images:
        return MethodCost(*[float("nan")] * 5)
    # Every cell is compared with the bare network as its own worker measured it.
    bare = [_number(cell.provenance.get("bare_forward_seconds")) or math.nan for cell in cells]
    relative = rows["explain_seconds"].to_numpy() / _per_row(bare, cells)
    passes = [cell.provenance.get("passes_explain") or {} for cell in cells]
    return MethodCost(
        # Medians, because something else may run on the machine now and then.
        float(rows["explain_seconds"].median()),
        float(np.median(relative)),
        sum(_number(one.get("forward")) for one in passes) / images,
        sum(_number(one.get("backward")) for one in passes) / images,
        float(rows["score_seconds"].median()),
        all(cell.provenance.get("costs_verified", True) for cell in cells),
    )


def _per_row(values: Sequence[float], cells: Sequence[Planned]) -> np.ndarray:
    """Return one value per row of some cells from one per cell."""
    return np.repeat(np.array(values), np.array([cell.samples for cell in cells], np.int64))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _in_all(reasons: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the names that all of several mappings have, each with the first one's reason."""
    if not reasons:
        return {}
    return {name: reason for name, reason in reasons[0].items() if all(name in one for one in reasons)}


def _failures(stores: Iterable[RunStore], done: set[str]) -> tuple[Failure, ...]:
    """Return what failed and is done in no run, once for each error."""
    failures = [failure for store in stores for failure in store.failures() if failure.key not in done]
    return tuple({(failure.key, failure.error): failure for failure in failures}.values())


def _not_applicable(planned: Iterable[Planned], done: set[str]) -> tuple[Inapplicable, ...]:
    """Return what has no meaning, once per task, method and framework, in the order of tasks and methods."""
    found = {
        Inapplicable(cell.spec.task, cell.method, cell.spec.framework, cell.reason)
        for cell in planned
        if cell.reason is not None and cell.key not in done
    }
    return tuple(sorted(found, key=lambda one: (str(one.task), *one[1:])))
