"""Running a suite: the public `run`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from ..errors import BadInput, Interrupted, StorageError
from ..identity import digest
from ..models.devices import installed_frameworks, require_framework
from .executors.engine import Engine
from .running.execution import Run, carried_out
from .running.plan import ResolvedSuite
from .running.run_folder import settled, title_of, usual_folder
from .running.stopping import stopped_by_signals
from .setting.plugins import load_plugins, plugin_text, refuse_in_worker
from .store.folder import RunStore
from .store.ownership import Work, owned
from .suite import Names, Suite, load_suite


def run(
    suite: str | Path | Suite = "quick",
    *,
    models: Names | None = None,
    data: Names | None = None,
    methods: Names | None = None,
    metrics: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str | None = None,
    target: str | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    engine: str | Engine = "processes",
    cell_timeout: float | None = None,
    limit: int | None = None,
    per_class: int | None = None,
    part: str | None = None,
    shard: str | None = None,
    costs: str | Path | None = None,
    add: bool = False,
    force: bool = False,
    plugins: Iterable[object] = (),
    progress: bool = True,
) -> Run:
    """Run a suite, or the part of it that its folder does not hold yet.

    Every finished cell is kept at once, so a run that is stopped at any moment goes on where it was when it is
    started again. Failed cells are recorded and tried again next time.

    Parameters
    ----------
    suite
        A packaged suite's name, the path of a ``.toml`` file, or a `Suite`.
    models, data, methods, metrics, frameworks
        Replace these parts of the suite; a string is split at its commas. Models may be ``package.module:build`` or
        ``file.py:build`` (a function that returns a network) or ``file:net.keras``.
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        ``float32`` or ``bf16``.
    target
        ``predicted`` or ``label``: the class that is explained.
    seed
        Replaces the suite's seeds by this one.
    out
        The folder of results; where None ``results/SUITE``, with other models or data ``results/MODEL-DATA``.
    engine
        ``processes`` (workers on this machine), ``serial`` (all in this process), ``dask`` or ``slurm``; an `Engine`
        says how many workers there are, which dask scheduler is used, and what is asked of Slurm.
    cell_timeout
        The seconds that a cell may take, loading its network included; one that takes longer is ended with its process
        and recorded as failed. Where None so many that only what is stuck takes longer: an hour, five minutes
        for each sample, and a hundred times what is planned. ``inf``: no limit. Not with the engine ``serial``.
    limit
        Only so many samples of each dataset, spread over its classes (`datasets.choosing.Choice`).
    per_class
        Only so many samples of each class.
    part
        ``held-out``: of the data that a network was trained on here, only what its training did not see; ``all``.
    shard
        ``"i/n"``: only the i-th of n parts of the cells, of about equal cost, for several jobs that share one folder or
        whose folders are merged.
    costs
        The folder of an earlier run whose times tell what cells take, so that shards end together; the same for all.
    add
        Where the folder holds another run: have one that holds what both name.
    force
        Where the folder holds another run: replace it as soon as this one has ended; finished cells are kept. Also go
        on where a network fails its examination (see `heatmark.check`).
    plugins
        What registers methods, metrics, models or datasets: names of modules, ``.py`` files, modules, or functions that
        were registered.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    UnknownName, BadInput
        For names and values that cannot be used, and a folder that holds another run, before anything runs.
    MissingExtra
        If a framework that was asked for, or a package that carries data, is not installed.
    StorageError
        If the folder cannot be used.
    Untrusted
        If a network fails its examination, with what is wrong and the remedy, before any cell runs.
    Interrupted
        At Ctrl-C, SIGTERM or SIGHUP; the message says how to resume.
    """
    began = monotonic()
    refuse_in_worker()
    plugins = tuple(map(plugin_text, plugins))
    engine = Engine.of(engine, cell_timeout)
    options = {
        "models": models,
        "data": data,
        "methods": methods,
        "metrics": metrics,
        "frameworks": frameworks,
        "device": device if device != "auto" else None,
        "precision": precision,
        "target": target,
        "seed": seed,
        "out": out,
        **_engine_options(engine),
        "cell-timeout": engine.cell_timeout,
        "limit": limit,
        "per-class": per_class,
        "part": part,
        "shard": shard,
        "costs": costs,
        "add": add,
        "force": force,
        "plugin": plugins,
    }
    _shard(shard)  # a mistake is told before anything is looked up
    load_plugins(plugins)
    original = suite if isinstance(suite, Suite) else load_suite(suite)
    chosen, notes = _available(
        original.changed(
            models=models,
            data=data,
            methods=methods,
            metrics=metrics,
            frameworks=frameworks,
            seeds=None if seed is None else (seed,),
            precision=precision,
            target=target,
            limit=limit,
            per_class=per_class,
            part=part,
        ),
        asked=frameworks is not None,
    )
    ResolvedSuite.of(chosen, device)  # a misspelt name leaves no folder behind
    store = RunStore.prepared(Path(out) if out is not None else usual_folder(chosen, original))
    command = None if isinstance(suite, Suite) else _command(str(suite), options)
    with owned(store.path, _work(chosen, device, shard, command)), _resumable(store, command), stopped_by_signals():
        chosen, another = settled(store, chosen, asked=frameworks is not None, add=add, force=force)
        return carried_out(
            ResolvedSuite.of(chosen, device),
            store,
            engine,
            plugins,
            shard=_shard(shard),
            costs=None if costs is None else Path(costs),
            progress=progress,
            title=title_of(chosen, original),
            command=command,
            notes=notes,
            another=another,
            force=force,
            began=began,
        )


def _available(suite: Suite, asked: bool) -> tuple[Suite, tuple[str, ...]]:
    """Return the suite on the frameworks that are installed, with a note on each that is not.

    A framework that was asked for by name must be there; one that only the suite names may be missing as long as
    another is there.
    """
    here = tuple(framework for framework in suite.frameworks if framework in installed_frameworks())
    if asked or not here:
        for framework in suite.frameworks:
            require_framework(framework)
    notes = tuple(
        f"{framework} is not installed: running without it. Install it with: pip install 'heatmark[{framework}]'"
        for framework in suite.frameworks
        if framework not in here
    )
    return suite.changed(frameworks=here), notes


def _engine_options(engine: Engine) -> dict[str, Any]:
    """Return the options of the command line that choose an engine."""
    return {
        "engine": engine.name if engine.name != "processes" else None,
        "workers": engine.workers,
        "scheduler": engine.scheduler,
        "slurm": ",".join(f"{name}={value}" for name, value in engine.slurm.items()) or None,
    }


def _work(suite: Suite, device: str, shard: str | None, command: str | None) -> Work:
    """Return what makes two processes do the same run, so that they may share its folder: all but the GPU's number."""
    wanted = {**suite.plain(), "device": device.partition(":")[0]}
    return Work(digest(wanted), command or f"heatmark.run of {suite.name}", shard or "")


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise BadInput(f"A shard is written i/n with i from 1 to n, such as 2/8; got {text!r}.")
    return int(match[1]), int(match[2])


def _command(suite: str, options: Mapping[str, Any]) -> str:
    """Return the command that does the rest of a run with these options."""
    words = ["heatmark", "run", suite]
    for name, value in options.items():
        if value is None or value is False:
            continue
        if value is True:
            words.append(f"--{name}")
            continue
        repeated = value if isinstance(value, (list, tuple)) else [value]
        for item in repeated:
            words += [f"--{name}", str(item)]
    return shlex.join(words)


@contextmanager
def _resumable(store: RunStore, command: str | None) -> Iterator[None]:
    """Turn Ctrl-C into `Interrupted`, and say then and when a disk is full what is kept and how to go on."""
    how = "Call heatmark.run again with the same arguments." if command is None else f"Resume with: {command}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"Stopped. {_kept(store)} {how}") from error
    except StorageError as error:
        if not any((store.path / "cells").glob("*.parquet")):
            raise
        raise StorageError(f"{error} {_kept(store)} {how}") from error


def _kept(store: RunStore) -> str:
    done = sum(1 for _ in (store.path / "cells").glob("*.parquet"))
    return f"{done} finished cell{'' if done == 1 else 's'} {'is' if done == 1 else 'are'} kept in {store.path}."
