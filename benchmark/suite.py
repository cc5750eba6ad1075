"""Suites: what is run on what, read from TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from ..errors import BadInput, StorageError, UnknownName, suggestion
from ..models.queries import FRAMEWORKS, Precision
from ..selection import parse_selections
from .store.cell import Task
from .work.samples import PARTS, Part, SampleRule

PRECISIONS = ("float32", "bf16")
TARGETS = ("predicted", "label")
SUITES = Path(__file__).parent / "suites"

Names = str | Iterable[str]


@dataclass(frozen=True)
class Suite:
    """Tasks, methods and metrics that are run together.

    Attributes
    ----------
    name, description
        What it is called, and one line on what it is for.
    """

    name: str
    tasks: tuple[Task, ...]
    """The models on the datasets."""
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    """Selections, one each (no alternatives left)."""
    description: str = ""
    frameworks: tuple[str, ...] = FRAMEWORKS
    """Of ``torch`` and ``tensorflow``."""
    seeds: tuple[int, ...] = (0,)
    """Every cell is run once for each."""
    target: Literal["predicted", "label"] = "predicted"
    """The class that is explained: ``predicted`` (the model's top class) or ``label`` (the dataset's)."""
    precision: Precision = "float32"
    """``float32`` or ``bf16``."""
    limit: int | None = None
    """Only so many samples of each dataset, spread over its classes (`datasets.choosing.Choice`), or None for all."""
    per_class: int | None = None
    """Only so many samples of each class, or None for all."""
    part: Part = "held-out"
    """Of the data that a network was trained on here: only what training did not see (``held-out``), or ``all``."""
    batch_size: int = 8
    """Samples that are explained and scored together; no score depends on it."""
    cell_samples: int = 200
    """The most samples in one cell: a larger dataset is cut into several cells."""
    gallery: int = 8
    """So many samples of each dataset keep their heatmaps."""

    def __post_init__(self) -> None:
        for item in ("tasks", "methods", "metrics", "frameworks", "seeds"):
            if not getattr(self, item):
                raise BadInput(f"The suite {self.name!r} has no {item}. Name at least one.")
        for framework in self.frameworks:
            _check_choice("framework", framework, FRAMEWORKS)
        _check_choice("target", self.target, TARGETS)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("part", self.part, PARTS)
        for item, low in (("batch_size", 1), ("cell_samples", 1), ("gallery", 0)):
            _check_whole(item, getattr(self, item), low)
        for item in ("limit", "per_class"):
            if getattr(self, item) is not None:
                _check_whole(item, getattr(self, item), 1)
        for seed in self.seeds:
            _check_whole("seed", seed, 0)

    @property
    def rule(self) -> SampleRule:
        """Which samples of each dataset are taken."""
        return SampleRule(self.limit, self.per_class, self.part)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all tasks, each once."""
        return tuple(dict.fromkeys(task.model for task in self.tasks))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets of all tasks, each once."""
        return tuple(dict.fromkeys(task.dataset for task in self.tasks))

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types; tasks become ``{"model": ..., "data": ...}``."""
        tasks = [{"model": task.model, "data": task.dataset} for task in self.tasks]
        found = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**found, "tasks": tasks}

    def changed(
        self,
        *,
        models: Names | None = None,
        data: Names | None = None,
        methods: Names | None = None,
        metrics: Names | None = None,
        frameworks: Names | None = None,
        seeds: Iterable[int] | None = None,
        precision: str | None = None,
        target: str | None = None,
        limit: int | None = None,
        per_class: int | None = None,
        part: str | None = None,
    ) -> Suite:
        """Return the suite with some parts replaced; None leaves a part as it is.

        New models run on all of the suite's datasets, and the reverse. A string is split at its commas.
        """
        tasks = self.tasks
        if models is not None or data is not None:
            chosen_models = self.models if models is None else names_of(models, "models")
            chosen_data = self.datasets if data is None else names_of(data, "data")
            tasks = tuple(Task(model, dataset) for model in chosen_models for dataset in chosen_data)
        return replace(
            self,
            tasks=tasks,
            methods=self.methods if methods is None else _selections(methods),
            metrics=self.metrics if metrics is None else _selections(metrics),
            frameworks=self.frameworks if frameworks is None else names_of(frameworks, "frameworks"),
            seeds=self.seeds if seeds is None else tuple(seeds),
            precision=self.precision if precision is None else cast(Precision, precision),
            target=self.target if target is None else cast(Literal["predicted", "label"], target),
            limit=self.limit if limit is None else limit,
            per_class=self.per_class if per_class is None else per_class,
            part=self.part if part is None else cast(Part, part),
        )


def load_suite(name: str | Path) -> Suite:
    """Return a packaged suite by name, or one's own by the path of its TOML file.

    Raises
    ------
    UnknownName
        If there is no such suite.
    StorageError
        If the file cannot be read.
    BadInput
        If the file is no TOML, or has unknown or missing keys or values of the wrong kind.
    """
    path = Path(name)
    if path.suffix != ".toml":
        packaged = {file.stem: file for file in SUITES.glob("*.toml")}
        if str(name) not in packaged:
            raise UnknownName(
                f"Unknown suite {str(name)!r}.{suggestion(str(name), packaged)} "
                "See `heatmark list suites`, or give the path of your own .toml file."
            )
        path = packaged[str(name)]
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise StorageError(f"Cannot read the suite {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The suite {path} is not valid TOML: {error}.") from error
    return suite_from(values, path.stem, str(path))


def list_suites() -> list[Suite]:
    """Return the packaged suites by name."""
    return [load_suite(path.stem) for path in sorted(SUITES.glob("*.toml"))]


def suite_from(values: Mapping[str, Any], name: str, where: str) -> Suite:
    """Return the suite that a TOML table describes; ``where`` stands in messages.

    Tasks are given as ``models`` and ``data`` (every model on every dataset) or as ``tasks``, a list of tables with
    ``model`` and ``data``.
    """
    own = {item.name for item in fields(Suite)}
    known = own | {"models", "data"}
    for key in values:
        if key not in known:
            raise BadInput(f"{where}: unknown key {key!r}.{suggestion(key, known)} Known: {', '.join(sorted(known))}.")
    for key in ("methods", "metrics"):
        if key not in values:
            raise BadInput(f"{where}: the key {key!r} is missing. Give a list of names.")
    listed = {key: _strings(values[key], key, where) for key in ("methods", "metrics", "frameworks") if key in values}
    rest = {key: value for key, value in values.items() if key in own - {"tasks", *listed}}
    try:
        return Suite(
            **{
                "name": name,
                **rest,
                "tasks": _tasks(values, where),
                **{key: _selections(found) if key != "frameworks" else found for key, found in listed.items()},
                **({"seeds": _seeds(values["seeds"], where)} if "seeds" in values else {}),
            }
        )
    except (BadInput, UnknownName) as error:
        raise type(error)(f"{where}: {error}") from error


def names_of(names: Names, what: str) -> tuple[str, ...]:
    """Return names from a comma-separated string (commas in brackets do not count) or an iterable, without repeats."""
    items = re.split(r",(?![^\[]*\])", names) if isinstance(names, str) else list(names)
    if not all(isinstance(item, str) for item in items):
        raise BadInput(f"{what} are names; got {items!r}. Pass a network itself to `heatmark.evaluate`.")
    found = tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    if not found:
        raise BadInput(f"No {what} named. Give at least one.")
    return found


def _selections(text: Names) -> tuple[str, ...]:
    return tuple(selection.text for selection in parse_selections(text))


def _tasks(values: Mapping[str, Any], where: str) -> tuple[Task, ...]:
    if "tasks" not in values:
        models, data = (_strings(values.get(key, []), key, where) for key in ("models", "data"))
        if not models or not data:
            raise BadInput(f"{where}: no tasks. Give lists of `models` and `data`, or `tasks`.")
        return tuple(Task(model, dataset) for model in models for dataset in data)
    if "models" in values or "data" in values:
        raise BadInput(f"{where}: give either `tasks`, or `models` and `data`, not both.")
    found = values["tasks"]
    if not isinstance(found, list) or not all(
        isinstance(item, dict)
        and set(item) == {"model", "data"}
        and all(isinstance(value, str) for value in item.values())
        for item in found
    ):
        raise BadInput(f"{where}: `tasks` is a list of tables with the two strings `model` and `data`.")
    return tuple(Task(item["model"], item["data"]) for item in found)


def _strings(value: Any, key: str, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{where}: {key!r} is a list of strings, got {value!r}.")
    return tuple(value)


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise BadInput(f"{where}: 'seeds' is a list of whole numbers, got {value!r}.")
    return tuple(value)


def _check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownName(f"Unknown {what} {value!r}.{suggestion(str(value), known)} Choose from {', '.join(known)}.")


def _check_whole(what: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise BadInput(f"{what} is a whole number of at least {low}, got {value!r}.")
