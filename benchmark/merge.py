"""Joining the folders of several runs in one, and packing them: the public `merge_runs`."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..datasets.decoding import opened_picture
from ..errors import BadInput, StorageError
from ..identity import digest
from ..storage import made_folder, written_whole
from .setting.environment import versions
from .store.added import AddedScores
from .store.cell import SCHEMA, CellSpec, slug
from .store.folder import RunStore
from .store.keyed import write_json
from .store.layout import OWN_FOLDERS, PACKED, SMALL_PICTURE, foreign, unplanned
from .store.loose import Opened
from .store.outcomes import Failed, NotMeant
from .store.packed import DONE, FAILED, MISSING, NOT_APPLICABLE, PackedCell
from .store.packing import Kept, ToPack, write_packed
from .store.same import apart, difference

AUDITS = ("audit.json", "audit/audit.json")
"""Where a run keeps the audit of its metrics."""
SMALL = 128
"""Larger pictures are packed with so many pixels a side, as JPEG."""
QUALITY = 85
_BETTER = (MISSING, FAILED, NOT_APPLICABLE, DONE)
"""The states of a cell; of two runs' the later here is kept."""
Beside = Callable[[], Mapping[str, pa.Table]]


@dataclass(frozen=True)
class Merged:
    """What became of a merge."""

    path: Path
    """The new folder."""
    runs: int
    """How many were merged."""
    states: Mapping[str, int]
    """The number of cells in each state: done, failed, not applicable, missing."""
    twice: int
    """How many finished cells several of the runs had."""
    size: int
    """The bytes of all files."""
    notes: tuple[str, ...] = ()
    """What was left out."""

    @property
    def summary(self) -> str:
        """One line: runs, cells by state, the size, and where they are."""
        states = ", ".join(f"{count} {state}" for state, count in self.states.items() if count)
        twice = f" ({self.twice} of them in several runs)" if self.twice else ""
        runs = f"{self.runs} run{'' if self.runs == 1 else 's'}"
        return f"{runs}: {states or 'no'} cells{twice}; {self.size / 1024:,.0f} KiB in {self.path}"


@dataclass(frozen=True, eq=False)
class _Chosen:
    """A cell and the run that it is taken from."""

    spec: CellSpec
    store: RunStore
    state: str


def merge_runs(
    runs: Iterable[object],
    out: str | Path,
    *,
    pack: bool = False,
    curves: bool = True,
    maps: int = 0,
    force: bool = False,
    beside: Beside | None = None,
) -> Merged:
    """Join the cells of several runs, of the same or of different tasks, in one new folder.

    Each run gives the cells of its plan, finished or not. A cell that several runs have is kept once, the finished one
    where one is; results that differ by more than rounding are refused. Runs of other precisions, targets, samples or
    weights do not mix: they are cells of their own, and leaderboards keep them in tables of their own.

    Parameters
    ----------
    runs
        Paths of runs' folders, or what `heatmark.run` returned. Packed and merged ones may be among them.
    out
        The new folder. What merges and reports write is all that it may hold before.
    pack
        Whether to keep cells in few files, without heatmaps and with small pictures: to be read, not continued.
    curves
        Whether a packed run keeps the curves behind its scores, from which further metrics can be computed.
    maps
        So many heatmaps of each cell are packed, with 256 levels: to look at, not to score.
    force
        Whether to replace a merged run that ``out`` holds; it is there until the new one is whole.
    beside
        Gives tables by file name that a packed run keeps beside its cells (`PackedCells.beside`); asked when the runs
        are known to agree.

    Raises
    ------
    BadInput
        If no run is named, or two runs have different results under one key.
    StorageError
        If a folder holds no run, a source is damaged (with the file's name), or ``out`` cannot be used.
    """
    stores = [RunStore(Path(str(getattr(run, "path", run)))) for run in runs]
    if not stores:
        raise BadInput("Name at least one run to merge.")
    folder = Path(out)
    _check_out(folder, stores, force=force)
    chosen, twice = _chosen(stores)
    if not chosen:
        raise BadInput(f"There is nothing to merge. {' '.join(unplanned(store.path) for store in stores)}")
    made_folder(folder.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            made = Path(temporary) / "merged"
            told = Kept(curves, maps, beside() if pack and beside is not None else {}) if pack else None
            notes = _written(made, stores, list(chosen.values()), told)
            size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
            if folder.exists():
                folder.replace(Path(temporary) / "replaced")
            made.replace(folder)
    except OSError as error:
        raise StorageError(
            f"The runs cannot be merged into {folder}: {error.strerror or error}. Choose a folder that you can write "
            "to, on a disk with room."
        ) from error
    counts = Counter(one.state for one in chosen.values())
    return Merged(folder, len(stores), {state: counts[state] for state in reversed(_BETTER)}, twice, size, notes)


def _check_out(folder: Path, stores: Sequence[RunStore], *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file, not a folder. Choose another folder with --out.")
    for store in stores:
        if folder.resolve().is_relative_to(store.path.resolve()):
            same = folder.resolve() == store.path.resolve()
            what = "is one of the runs to merge" if same else f"lies in {store.path}, which is to be merged"
            raise BadInput(f"{folder} {what}. Choose a new folder with --out.")
    present = {item.name for item in folder.iterdir()} if folder.exists() else set()
    if not present:
        return
    strangers = foreign(present - {PACKED, "audit", "audit.json"})
    if strangers or "sources" not in RunStore(folder).run:
        what = f"it holds {', '.join(strangers[:3])}" if strangers else "it holds a run that was not merged"
        raise StorageError(f"{folder} is not the folder of a merged run: {what}. Choose a new folder with --out.")
    if not force:
        raise StorageError(f"{folder} holds a merged run already. Replace it with --force, or choose another folder.")


def _chosen(stores: Sequence[RunStore]) -> tuple[dict[str, _Chosen], int]:
    """Return every planned cell by key with the run that it is taken from, and how many are done in several runs."""
    found: dict[str, _Chosen] = {}
    several: set[str] = set()
    for store in stores:
        for spec in store.expected:
            new, known = _Chosen(spec, store, _state(store, spec.key)), found.get(spec.key)
            if known is not None and known.store is not store and known.state == new.state == DONE:
                several.add(spec.key)
                _check_same(known, new)
                # A packed cell has lost its heatmaps.
                found[spec.key] = new if known.store.packed is not None and store.packed is None else known
            elif known is None or _BETTER.index(new.state) > _BETTER.index(known.state):
                found[spec.key] = new
    return found, len(several)


def _state(store: RunStore, key: str) -> str:
    if store.has(key):
        return DONE
    if store.reason(key) is not None:
        return NOT_APPLICABLE
    return FAILED if store.failure(key) is not None else MISSING


def _place(one: _Chosen) -> str:
    """Return where a cell lies, for messages."""
    store, key = one.store, one.spec.key
    return f"{store.path} (packed)" if store.packed is not None else str(store.path / "cells" / f"{key}.parquet")


def _check_same(first: _Chosen, second: _Chosen) -> None:
    """Raise BadInput where two runs have different results of one cell; times may differ, and scores by rounding."""
    what = difference(first.spec.metrics, *(_opened(item).rows.to_pandas() for item in (first, second)))
    if what:
        raise BadInput(
            f"Two runs have different results of one cell, {first.spec.label}: {what}. They are in {_place(first)} "
            f"and {_place(second)}. One of the two is not what it says; leave that run out."
        )


def _opened(one: _Chosen) -> Opened:
    found = one.store.opened(one.spec.key)
    if found is None:
        raise StorageError(f"{_place(one)} is gone. Something else is at work in that folder; try again.")
    return found


def _written(
    folder: Path, stores: Sequence[RunStore], chosen: Sequence[_Chosen], packed: Kept | None
) -> tuple[str, ...]:
    """Write everything into a new folder, packed where it is told how, and return what was left out."""
    run = _joined_run(stores)
    if packed is not None:
        specs = [one.spec for one in chosen]
        files = write_packed(folder / PACKED, map(_to_pack, chosen), specs, packed)
        write_json(folder / "run.json", {**run, "packed": True, "maps": packed.maps, "files": files})
    else:
        for name in OWN_FOLDERS:
            made_folder(folder / name)
        write_json(folder / "run.json", run)
        store = RunStore(folder)
        for one in chosen:
            _copy(one, store)
        store.plan([one.spec for one in chosen])
    store = RunStore(folder)
    planned = {one.spec.key for one in chosen}
    for record in _examinations(stores):
        store.write_examination(record["key"], record["spec"], record["answers"])
    for added in _added(stores, planned):
        store.write_scores(added.metric, added.identity, added.values)
    return (
        *_samples_joined(stores),
        *_copy_pictures(stores, chosen, folder, small=packed is not None),
        *_copy_beside(stores, folder),
        *(() if packed is not None else _maps_left_out(chosen)),
    )


def _joined_run(stores: Sequence[RunStore]) -> dict[str, Any]:
    """Return what ``run.json`` says: what all runs have in common, and what each of them says."""
    sources: list[dict[str, Any]] = []
    for store in stores:
        own = {"folder": store.path.name, **store.run}
        sources += [one for one in own.get("sources", [own]) if one not in sources]
    runs = [store.run for store in stores]
    apart = {"schema", "name", "created", "version", "sources", "packed", "maps", "files"}
    common = {
        name: value
        for name, value in runs[0].items()
        if name not in apart and all(name in run and run[name] == value for run in runs)
    }
    names = dict.fromkeys(
        str(one.get("name") or (one.get("suite") or {}).get("name") or one["folder"]) for one in sources
    )
    return {
        "schema": SCHEMA,
        **common,
        "name": " + ".join(dict.fromkeys(map(str, names))),
        "created": max(str(run.get("created") or "") for run in runs),
        "version": versions()["heatmark"],
        "sources": sources,
    }


def _maps_left_out(chosen: Iterable[_Chosen]) -> Iterator[str]:
    """Yield what becomes of heatmaps that sources have rounded: a run that is not packed holds maps as they were."""
    packed = [one.store.packed.entries[one.spec.key] for one in chosen if one.store.packed is not None]
    if count := sum(entry.heatmaps > 0 for entry in packed):
        cells = f"{count} cell{'' if count == 1 else 's'}"
        yield f"The heatmaps of {cells} are packed, rounded, and left out here: --pack --maps N keeps them."


def _samples_joined(stores: Sequence[RunStore]) -> Iterator[str]:
    """Yield of which tasks runs have other samples: whose method a cell was is not told in the new folder's plan."""
    spans: dict[tuple[str, ...], set[tuple[int, int]]] = {}
    for store in stores:
        own: dict[tuple[str, ...], tuple[int, int]] = {}
        for spec in store.expected:
            parts = (spec.label.partition(" · ")[0], spec.model_weights, spec.dataset_revision, spec.method)
            what = (*parts, spec.framework, spec.precision, spec.target, spec.device_class, *spec.metrics)
            first, last = own.get(what, (spec.first, spec.last))
            own[what] = min(first, spec.first), max(last, spec.last)
        for what, span in own.items():
            spans.setdefault(what, set()).add(span)
    for task in dict.fromkeys(what[0] for what, found in spans.items() if len(found) > 1):
        yield (
            f"The runs have other choices of samples of {task}. In the merged folder, a method that several of them "
            "measured stands in the table of the most samples alone; `heatmark leaderboard` over the runs keeps a "
            "table for each choice."
        )


def _to_pack(one: _Chosen) -> ToPack:
    spec, store = one.spec, one.store
    if one.state == DONE:
        found = _opened(one)
        rows = found.rows if store.packed is None else store.packed.with_maps(found.rows, spec.key)
        return ToPack(PackedCell(spec.key, spec, DONE, provenance=found.provenance), rows)
    failure = store.failure(spec.key) if one.state == FAILED else None
    error, trace = (failure.error, failure.traceback) if failure is not None else ("", "")
    reason = store.reason(spec.key) or "" if one.state == NOT_APPLICABLE else ""
    return ToPack(PackedCell(spec.key, spec, one.state, error=error, traceback=trace, reason=reason))


def _copy(one: _Chosen, store: RunStore) -> None:
    """Keep a cell in another store, as it is kept where it comes from."""
    spec, source = one.spec, one.store
    if one.state == DONE:
        found = _opened(one)  # a damaged file is no result
        if source.packed is not None:
            store.write(spec, found.rows, found.provenance)
        else:
            shutil.copyfile(_place(one), store.path / "cells" / f"{spec.key}.parquet")
    elif one.state == NOT_APPLICABLE:
        store.keep(spec, NotMeant(source.reason(spec.key) or ""))
    elif one.state == FAILED:
        store.keep(spec, source.failure(spec.key) or Failed(""))


def _examinations(stores: Sequence[RunStore]) -> list[dict[str, Any]]:
    """Return the examinations of all runs, of each network that of the first run that has it."""
    return list({record["key"]: record for store in reversed(stores) for record in store.examinations()}.values())


def _added(stores: Sequence[RunStore], planned: set[str]) -> Iterator[AddedScores]:
    """Yield the metrics that were computed later, of all runs together."""
    groups: dict[str, list[AddedScores]] = {}
    for store in stores:
        for one in store.added_scores(strict=True):
            groups.setdefault(digest([one.metric, one.identity]), []).append(one)
    for _, group in sorted(groups.items()):
        values = reduce(lambda known, one: {**one.values, **known}, group, dict[str, list[float]]())
        for one in group:
            for key, found in one.values.items():
                if len(found) != len(values[key]) or apart(np.array(found), np.array(values[key])).any():
                    raise BadInput(
                        f"Two runs have different values of {one.metric} of the cell {key}, both computed from stored "
                        "curves. Delete one of the two files in scores/, and compute it again with `heatmark score`."
                    )
        yield AddedScores(group[0].metric, group[0].identity, {k: v for k, v in values.items() if k in planned})


def _copy_pictures(
    stores: Sequence[RunStore], chosen: Sequence[_Chosen], folder: Path, *, small: bool
) -> tuple[str, ...]:
    """Copy the pictures of samples of all tasks, each once, small ones where told; return which are damaged."""
    damaged = []
    tasks = dict.fromkeys((slug(one.spec.dataset), slug(one.spec.model)) for one in chosen)
    for store in stores:
        for task in tasks:
            for path in sorted(store.path.joinpath("thumbnails", *task).glob("*.*")):
                place = folder.joinpath("thumbnails", *task, path.name)
                if place.exists() or place.with_suffix(SMALL_PICTURE).exists():
                    continue
                made_folder(place.parent)
                try:
                    with opened_picture(path, str(path)) as opened:
                        picture = opened.copy()
                except (OSError, SyntaxError, BadInput):
                    damaged.append(f"{path} is damaged, and left out; the report has no picture of that sample.")
                    continue
                if small and path.suffix != SMALL_PICTURE and max(picture.size) > SMALL:
                    picture.thumbnail((SMALL, SMALL))
                    with written_whole(place.with_suffix(SMALL_PICTURE)) as temporary:
                        picture.save(temporary, format="JPEG", quality=QUALITY)
                else:
                    shutil.copyfile(path, place)
    return tuple(damaged)


def _copy_beside(stores: Sequence[RunStore], folder: Path) -> tuple[str, ...]:
    """Copy audits and runtime results that lie beside one run alone, and return what was left out."""
    notes = []
    for what, patterns in (("audits of metrics", AUDITS), ("runtime results", ("runtime-*.json",))):
        found = {s.path: [path for item in patterns for path in sorted(s.path.glob(item))] for s in stores}
        found = {source: paths for source, paths in found.items() if paths}
        if len(found) > 1:
            notes.append(f"{len(found)} of the runs have {what} of their own, which were left where they are.")
        for source, paths in found.items() if len(found) == 1 else ():
            for path in paths:
                place = folder / path.relative_to(source)
                made_folder(place.parent)
                shutil.copyfile(path, place)
    return tuple(notes)
