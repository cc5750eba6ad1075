"""The folder of a run: what a run is called, where it goes, and whether a folder is another run's already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...datasets.registry import find_dataset
from ...errors import BadInput, HeatmarkError
from ..store.cell import slug
from ..store.folder import RunStore
from ..suite import Suite, suite_from
from ..work.named_models import is_own

RESULTS = Path("results")

_JOINED = ("tasks", "methods", "metrics", "frameworks", "seeds")
"""What two runs in one folder may have of each their own, so that one can be added to the other."""
_SHARED = ("target", "precision", "limit", "per_class", "part")
"""What they must have in common: one leaderboard shows one choice of samples and classes."""
NAMED = 4
"""So many of the things in which two runs differ are named."""


def title_of(suite: Suite, original: Suite) -> str:
    """Return what a run's leaderboard is headed with: the suite's name, or what was run where options changed it."""
    if replace(suite, frameworks=original.frameworks) == original:
        return suite.name
    tasks = [f"{short_model(task.model)} on {short_dataset(task.dataset)}" for task in suite.tasks]
    more = f" and {len(tasks) - 2} more" if len(tasks) > 2 else ""
    return ", ".join(tasks[:2]) + more


def usual_folder(suite: Suite, original: Suite) -> Path:
    """Return where a run goes that is not told: by its suite's name, or by other models and data than the suite's."""
    if suite.tasks == original.tasks:
        return RESULTS / suite.name
    models = dict.fromkeys(map(short_model, suite.models))
    data = dict.fromkeys(map(short_dataset, suite.datasets))
    return RESULTS / slug("-".join([*models, *data]))


def settled(store: RunStore, suite: Suite, *, asked: bool, add: bool, force: bool) -> tuple[Suite, bool]:
    """Return the suite to run in a folder, and whether another run is there that must last until this one has ended.

    Parameters
    ----------
    store
        The folder.
    suite
        What is to be run.
    asked
        Whether its frameworks were asked for by name; others are those that are installed, and no difference.
    add
        Whether it joins the run that is there.
    force
        Whether it takes that run's place, where it does not join it.

    Raises
    ------
    BadInput
        If another run is there and neither was said, or the two cannot be joined.
    """
    there = store.run.get("suite")
    # A run that was stopped before its first cell, by a mistake or by its examination, has nothing to lose.
    if not isinstance(there, Mapping) or store.empty:
        return suite, False
    ignored = () if asked else ("frameworks",)
    differing = [name for name in _differing(there, suite.plain(), (*_JOINED, *_SHARED)) if name not in ignored]
    if not differing:
        return suite, False
    if add:
        return _joined(store, there, suite), True
    if force:
        return suite, True
    words = "; ".join(_in_words(name, there.get(name), suite.plain()[name]) for name in differing[:NAMED])
    join = "" if set(differing) & set(_SHARED) else ", join the two with --add"
    raise BadInput(
        f"{store.path} holds another run, {store.run.get('name') or there.get('name')}. It differs in {words}. "
        f"Choose another folder with --out{join}, or replace that run with --force."
    )


def _joined(store: RunStore, there: Mapping[str, Any], suite: Suite) -> Suite:
    """Return one suite that has everything of the run in a folder and of another."""
    apart = _differing(there, suite.plain(), _SHARED)
    if apart:
        words = "; ".join(_in_words(name, there.get(name), suite.plain()[name]) for name in apart)
        raise BadInput(
            f"The run in {store.path} cannot be joined with this one, which differs in {words}. "
            "Choose another folder with --out."
        )
    try:
        earlier = suite_from(there, str(there.get("name", suite.name)), str(store.path / "run.json"))
    except HeatmarkError as error:
        raise BadInput(f"The run in {store.path} cannot be joined: {error} Use --out or --force.") from error
    both: dict[str, Any] = {
        name: tuple(dict.fromkeys((*getattr(earlier, name), *getattr(suite, name)))) for name in _JOINED
    }
    return replace(suite, name=earlier.name, description=earlier.description, **both)


def _differing(there: Mapping[str, Any], here: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return in which of some parts two suites, as JSON types, differ; an earlier version's may lack a part."""
    usual = {"per_class": None, "part": "held-out"}
    return [name for name in names if _comparable(there.get(name, usual.get(name))) != _comparable(here[name])]


def _comparable(value: Any) -> Any:
    """Return a part of a suite in a form in which order does not matter."""
    return sorted(map(str, value)) if isinstance(value, (list, tuple)) else value


def _in_words(name: str, there: Any, here: Any) -> str:
    """Return in what way one part of two suites differs."""
    if not isinstance(here, list):
        return f"{name.replace('_', ' ')} ({_value(there)} there, {_value(here)} here)"
    earlier, new = ([_value(item) for item in values or ()] for values in (there, here))
    apart = [
        f"{', '.join(found[:NAMED])}{', ...' if len(found) > NAMED else ''} only {where}"
        for where, found in (
            ("there", [item for item in earlier if item not in new]),
            ("here", [item for item in new if item not in earlier]),
        )
        if found
    ]
    return f"{name} ({'; '.join(apart)})"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value.get('model')} on {value.get('data')}"
    return "none" if value is None else str(value)


def short_model(name: str) -> str:
    """Return a model's name without the path and the function that build it."""
    if not is_own(name):
        return name.rpartition(":")[2]
    name = name.partition("[")[0]  # without what is stated of it
    place = name.partition(":")[2] if name.startswith("file:") else name.rpartition(":")[0]
    return Path(place).stem if place.endswith((".py", ".keras", ".h5", ".hdf5")) else place.rpartition(".")[2]


def short_dataset(name: str) -> str:
    """Return a dataset's name without its options, of a folder of one's own pictures the folder's name."""
    entry = find_dataset(name)
    path = name.partition(f"{entry.name.removesuffix(':')}")[2].rpartition("]")[2].removeprefix(":")
    if entry.name.endswith(":") and path:
        return Path(path).expanduser().resolve().name
    return entry.name
