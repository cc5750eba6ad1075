"""The commands that made a run, as its folder tells them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from ...benchmark.store.packed import CURVES
from ...errors import HeatmarkError
from ..standings.standings import Standings


def run_name(run: Mapping[str, Any]) -> str:
    """Return the name of a run's suite, or what was run where options changed it."""
    suite = run.get("suite")
    named = suite.get("name") if isinstance(suite, dict) else suite
    return str(run.get("name") or named or "run")


def reproduction(standings: Standings) -> str:
    """Return the commands that make a board's runs again: of merged ones their sources', and how they were merged."""
    each = [(store.run, store.path.name) for store in standings.stores]
    commands = [line for run, folder in each for line in (*made_by(run, folder), *_merged(run, folder))]
    if len(standings.stores) > 1:
        folders = [f"results/{_merged_into(run, folder)}" for run, folder in each]
        commands.append(shlex.join(["heatmark", "leaderboard", *folders, "--out", "results/together"]))
    return "\n".join(commands)


def made_by(run: Mapping[str, Any], folder: str) -> list[str]:
    """Return the commands that measured what a run's folder holds: of a merged one, those of its sources.

    Packaged suites stand by name, with whatever was changed in them.

    Parameters
    ----------
    run
        What its ``run.json`` holds.
    folder
        What the folder is called.
    """
    sources = _sources(run)
    own = [(one, str(one.get("folder") or "run")) for one in sources] or [(run, folder)]
    return [line for one, name in own for line in _run_again(one, name)]


def _merged(run: Mapping[str, Any], folder: str) -> list[str]:
    """Return the command that merged a run from its sources; nothing where it is none."""
    if not (sources := _sources(run)):
        return []
    merge = ["heatmark", "merge", *(f"results/{one.get('folder') or 'run'}" for one in sources)]
    merge += ["--out", f"results/{_merged_into(run, folder)}"]
    if run.get("packed"):
        merge += ["--pack"] + ["--no-curves"] * (CURVES not in (run.get("files") or {}))
        merge += ["--maps", str(run["maps"])] if run.get("maps") else []
    return [shlex.join(merge)]


def _merged_into(run: Mapping[str, Any], folder: str) -> str:
    """Return what a run's folder is called beside its sources: not as one of them, which is not merged into itself."""
    return f"{folder}-merged" if folder in [one.get("folder") for one in _sources(run)] else folder


def _sources(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [source for source in run.get("sources") or [] if isinstance(source, Mapping)]


def _run_again(run: Mapping[str, Any], folder: str) -> list[str]:
    """Return the commands that make one run: several where its tasks or seeds are no choice of one."""
    suite = run.get("suite")
    name = str(suite.get("name")) if isinstance(suite, Mapping) else run_name(run)
    begin, end = ["heatmark", "run", name], ["--out", f"results/{folder}"]
    if not isinstance(suite, Mapping):
        return [shlex.join([*begin, *end])]
    packaged = _packaged(name)
    usual, tasks = _options(packaged), _tasks(suite)
    parts = [
        word
        for option, values in _options(suite).items()
        if values and values != usual.get(option)
        for word in (option, ",".join(dict.fromkeys(values)))
    ]
    groups = _groups(tasks) if tasks != _tasks(packaged) else [[]]
    seeds = suite.get("seeds") or []
    each = [["--seed", str(seed)] for seed in seeds] if seeds != packaged.get("seeds") and seeds else [[]]
    return [
        shlex.join([*begin, *group, *parts, *seed, *end, *(["--add"] if number else [])])
        for number, (group, seed) in enumerate(product(groups, each))
    ]


def _groups(tasks: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return tasks as options of commands, each of which runs all of its models on all of its data."""
    models, data = (list(dict.fromkeys(task[place] for task in tasks)) for place in (0, 1))
    if len(set(tasks)) == len(models) * len(data):
        return [["--models", ",".join(models), "--data", ",".join(data)]] if tasks else [[]]
    return [
        ["--models", model, "--data", ",".join(dict.fromkeys(name for one, name in tasks if one == model))]
        for model in models
    ]


def _tasks(suite: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [task for task in suite.get("tasks") or [] if isinstance(task, Mapping)]
    return [(str(task.get("model")), str(task.get("data"))) for task in found]


def _options(suite: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the parts of a suite, but tasks and seeds, by the option of ``heatmark run`` that sets them."""
    options = {
        "--methods": suite.get("methods") or [],
        "--metrics": suite.get("metrics") or [],
        "--frameworks": suite.get("frameworks") or [],
        "--precision": [suite.get("precision")],
        "--target": [suite.get("target")],
        "--limit": [suite.get("limit")],
        "--per-class": [suite.get("per_class")],
        "--part": [suite.get("part")],
    }
    return {option: [str(value) for value in values if value is not None] for option, values in options.items()}


def _packaged(name: str) -> Mapping[str, Any]:
    from ...benchmark.suite import load_suite

    try:
        return load_suite(name).plain()
    except HeatmarkError:
        return {}
