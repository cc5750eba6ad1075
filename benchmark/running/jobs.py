"""From models to finished jobs, the same way for runs and audits: models are described, cells planned, jobs done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, TypeVar

from ...datasets.registry import find_dataset
from ...errors import HeatmarkError, NotApplicable
from ...methods.registry import Method
from ...metrics.registry import Metric
from ...models.zoo.loading import find_model
from ..executors.base import Executor, SerialExecutor
from ..executors.engine import Engine
from ..executors.limits import TimeLimit
from ..executors.processes import ProcessExecutor
from ..setting.plugins import main_plugin, plugin_module
from ..store.cell import UNKNOWN_WEIGHTS, KeyedSpec
from ..store.keyed import KeyedStore
from ..store.outcomes import Failed, Finished, NotMeant, Outcome
from ..work.messages import Described, DescribedModel, Ended, Event, NamedModel
from ..work.named_models import identity_without_loading, is_own, possible_frameworks
from ..work.worker import DescribeJob
from .progress import View

Spec = TypeVar("Spec", bound=KeyedSpec)

ARRAY = ".array"
"""Where in a run's folder an array of jobs has its scripts, logs, and what is done but not kept yet."""


def origins_outside(
    chosen: Iterable[Method | Metric], models: Iterable[str], datasets: Iterable[str]
) -> tuple[str, ...]:
    """Return the modules outside heatmark that registered methods, metrics, models and datasets."""
    registered = [find_model(name)[0] for name in models if not is_own(name)]
    found = [*(item.entry for item in chosen), *registered, *map(find_dataset, datasets)]
    origins = {entry.origin for entry in found}
    return tuple(sorted(name for name in origins if name in sys.modules and name.partition(".")[0] != "heatmark"))


def executor_of(
    engine: Engine,
    frameworks: Sequence[str],
    device: str,
    plugins: Sequence[str],
    origins: Iterable[str],
    folder: Path,
    most: int | None = None,
) -> AbstractContextManager[Executor]:
    """Return the executor, closed at the end; worker processes also import the modules that registered something.

    Parameters
    ----------
    engine
        Which one.
    frameworks, device
        What jobs will need.
    plugins, origins
        Modules or files that workers import first, and modules that have registered what jobs need.
    folder
        Where results are kept; every worker of an array of jobs reaches it.
    most
        There will not be more jobs than so many at a time for a framework; None where that is not known.
    """
    if engine.name == "serial":
        return closing(SerialExecutor(plugins))
    known = {plugin_module(plugin) for plugin in plugins}
    further = [main_plugin() if origin == "__main__" else origin for origin in origins if origin not in known]
    every, on_cpu = (*plugins, *further), device.lower().startswith("cpu")
    workers, limit = engine.workers, TimeLimit(engine.cell_timeout)
    if engine.name == "dask":
        from ..executors.on_dask import DaskExecutor

        return closing(
            DaskExecutor(every, workers=workers, scheduler=engine.scheduler, on_cpu=on_cpu, limit=limit, most=most)
        )
    if engine.name == "slurm":
        from ..executors.on_slurm import SlurmExecutor

        return closing(
            SlurmExecutor(every, folder / ARRAY, workers=workers, options=engine.slurm, on_cpu=on_cpu, limit=limit)
        )
    return closing(ProcessExecutor(frameworks, every, on_cpu=on_cpu, limit=limit, workers=workers, most=most))


def known_without_loading(named: NamedModel, gpu_possible: bool) -> DescribedModel | NotMeant | None:
    """Return what a model is if that needs no framework: known weights, and no GPU that it could be on."""
    if named.framework not in possible_frameworks(named.model):
        return NotMeant(f"{named.model} does not exist in {named.framework}")
    weights = identity_without_loading(named.model)
    if weights is None or not (named.device == "cpu" or (named.device == "auto" and not gpu_possible)):
        return None
    return DescribedModel(weights, "cpu")


def described(
    models: Sequence[NamedModel], executor: Executor, notes: Sequence[str] = ()
) -> dict[NamedModel, Described]:
    """Return what every model is.

    Raises
    ------
    HeatmarkError
        If not one of them can be used; the message ends with the notes.
    """
    known = {named: known_without_loading(named, executor.gpu_possible) for named in models}
    answers: dict[NamedModel, Described] = {named: answer for named, answer in known.items() if answer is not None}
    for event in executor.execute([DescribeJob(named) for named, answer in known.items() if answer is None]):
        if isinstance(event, Ended) and isinstance(event.piece, NamedModel):
            answers[event.piece] = event.outcome.value if isinstance(event.outcome, Finished) else event.outcome
    answers = {named: answers[named] for named in known}
    if all(isinstance(answer, (Failed, NotMeant)) for answer in answers.values()):
        for problem in answers.values():
            if isinstance(problem, Failed):
                raise HeatmarkError(problem.error if problem.known else f"{problem.error}\n{problem.traceback}")
        reasons = sorted({answer.reason for answer in answers.values() if isinstance(answer, NotMeant)})
        raise NotApplicable(". ".join([*reasons, *notes]))
    return answers


def facts_of(answer: Described, device: str) -> DescribedModel:
    """Return what a key needs of a model; of one that could not be loaded there is no more than its device."""
    return answer if isinstance(answer, DescribedModel) else DescribedModel(UNKNOWN_WEIGHTS, device)


def known_outcome(spec: Spec, answer: Described, store: KeyedStore[Spec], done: bool) -> Outcome | None:
    """Return what a cell has come to, or cannot but come to with its model; None where it is to be done."""
    if isinstance(answer, Failed):
        return answer
    if done:
        return Finished(None)
    reason = answer.reason if isinstance(answer, NotMeant) else store.reason(spec.key)
    return None if reason is None else NotMeant(reason)


def do(events: Iterable[Event], view: View, keep: Callable[[Any, Outcome], None]) -> None:
    """Let work go on, give every outcome with its spec to ``keep`` as soon as it is there, and show the progress."""
    with view:
        for event in events:
            if isinstance(event, Ended):
                keep(event.piece, event.outcome)
            view.hear(event)
