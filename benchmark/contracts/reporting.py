"""Holding one's own methods, metrics, datasets and models to their contracts: the public `test`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter

from ...datasets.registry import DATASETS, find_dataset
from ...errors import BadInput, HeatmarkError, UnknownName
from ...methods.registry import METHODS, method_from
from ...metrics.registry import METRICS, metric_from
from ...models.catalogue import MODELS
from ...models.checking.finding import Finding
from ...models.devices import installed_frameworks, require_framework
from ...models.zoo.loading import find_model
from ...registry import Entry
from ..setting.plugins import load_plugins, plugin_module
from .of_datasets import dataset_findings
from .of_methods import method_findings
from .of_metrics import metric_findings
from .of_models import model_findings
from .report import KINDS, ContractReport, Kind, Notice, asked

_FILE = re.compile(r"(untrusted(\[\w*\])?:)?.*\.py")


def contract_reports(
    what: str,
    *,
    kind: Kind | None = None,
    frameworks: Iterable[str] | None = None,
    plugins: Iterable[str] = (),
    on_question: Notice | None = None,
) -> tuple[ContractReport, ...]:
    """Return what is found of everything that a file registers, or of one entry by its name.

    Parameters
    ----------
    what
        A ``.py`` file (``untrusted:FILE`` where its methods are to run in a sandbox), or a name such as ``grad_cam``,
        ``deletion[steps=8]``, ``digits``.
    kind
        ``method``, ``metric``, ``dataset`` or ``model``; what has the name where None.
    frameworks
        ``torch``, ``tensorflow``; those that are installed where None.
    plugins
        What registers the name.
    on_question
        Told what is being asked.

    Raises
    ------
    UnknownName
        If nothing has the name, or there is no such file.
    BadInput
        If the file cannot be imported or registers nothing.
    """
    chosen = _frameworks(frameworks)
    load_plugins(plugins)
    notice = on_question or (lambda text: None)
    named = registered_by(what) if _FILE.fullmatch(what) else [_named(what, kind)]
    wanted = [(own, name) for own, name in named if kind in (None, own)]
    if not wanted:
        raise BadInput(f"{what} registers nothing that could be tested{f' as a {kind}' if kind else ''}.")
    return tuple(_report(own, name, chosen, notice) for own, name in wanted)


def registered_by(plugin: str) -> list[tuple[Kind, str]]:
    """Load a file and return what it registers, each with its kind."""
    if not Path(plugin.rpartition(":")[2]).is_file():
        raise UnknownName(f"There is no file {plugin.rpartition(':')[2]}. `heatmark new method NAME` writes one.")
    load_plugins([plugin])
    origin = plugin_module(plugin)
    registries: dict[Kind, Iterable[Entry]] = {
        "method": METHODS.others(),
        "metric": METRICS.others(),
        "dataset": DATASETS.others(),
        "model": MODELS.others(),
    }
    return [(kind, entry.name) for kind in KINDS for entry in registries[kind] if entry.origin == origin]


def _named(text: str, kind: Kind | None) -> tuple[Kind, str]:
    """Return the kind of what has a name."""
    finders: dict[Kind, Callable[[str], object]] = {
        "method": method_from,
        "metric": metric_from,
        "dataset": find_dataset,
        "model": find_model,
    }
    problems = []
    for own in KINDS if kind is None else (kind,):
        try:
            finders[own](text)
            return own, text
        except UnknownName as error:
            problems.append(str(error))
    near = next((one for one in problems if "Did you mean" in one), problems[0])
    raise UnknownName(f"{near} Or give a .py file that registers something." if kind is None else near)


def _report(kind: Kind, name: str, frameworks: tuple[str, ...], notice: Notice) -> ContractReport:
    began = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the networks are heatmark's own
        findings = asked("it can be asked", lambda: list(_findings(kind, name, frameworks, notice)))
    return ContractReport(kind, name, tuple(findings), perf_counter() - began)


def _findings(kind: Kind, name: str, frameworks: tuple[str, ...], notice: Notice) -> Iterator[Finding]:
    if kind == "method":
        yield from method_findings(method_from(name), frameworks, notice)
    elif kind == "metric":
        yield from metric_findings(metric_from(name), frameworks, notice)
    elif kind == "dataset":
        yield from dataset_findings(name, notice)
    else:
        yield from model_findings(name, frameworks, notice)


def _frameworks(asked_for: Iterable[str] | None) -> tuple[str, ...]:
    if asked_for is None:
        here = tuple(installed_frameworks())
        if not here:
            raise HeatmarkError("No framework is installed. pip install 'heatmark[torch]' or 'heatmark[tensorflow]'.")
        return here
    chosen = tuple(asked_for)
    for framework in chosen:
        require_framework(framework)
    return chosen
