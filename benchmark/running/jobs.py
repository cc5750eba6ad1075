"""From models to finished jobs, the same way for runs and audits: models are described, cells planned, jobs done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from math import inf
from typing import Any, TypeVar

from ...datasets.registry import find_dataset
from ...errors import BadInput, HeatmarkError, NotApplicable, UnknownName, suggestion
from ...methods.registry import Method
from ...metrics.registry import Metric
from ...models.zoo.loading import find_model
from ..executors.base import ENGINES, Executor, SerialExecutor
from ..executors.limits import generous_seconds
from ..executors.processes import ProcessExecutor
from ..setting.environment import gpu_possible
from ..setting.plugins import main_plugin, plugin_module
from ..store.cell import UNKNOWN_WEIGHTS, KeyedSpec
from ..store.keyed import KeyedStore
from ..store.outcomes import Failed, Finished, NotMeant, Outcome
from ..work.messages import Described, DescribedModel, Ended, Event, NamedModel
from ..work.named_models import identity_without_loading, is_own, possible_frameworks
from ..work.worker import DescribeJob, Job
from .progress import View

Spec = TypeVar("Spec", bound=KeyedSpec)


def check_engine(engine: str, cell_timeout: float | None = None) -> None:
    """Raise UnknownName unless jobs can be done so; BadInput unless what takes longer than that can be ended so."""
    if engine not in ENGINES:
        raise UnknownName(
            f"Unknown engine {engine!r}.{suggestion(engine, ENGINES)} Choose one of: {', '.join(ENGINES)}."
        )
    if cell_timeout is not None and not cell_timeout > 0:
        raise BadInput(f"--cell-timeout must be a number of seconds above 0 (inf: no limit); got {cell_timeout:g}.")
    if cell_timeout is not None and engine == "serial":
        raise BadInput(
            "--cell-timeout ends a cell's process, and with --engine serial that is this one. Leave out one of the two."
        )


def origins_outside(
    chosen: Iterable[Method | Metric], models: Iterable[str], datasets: Iterable[str]
) -> tuple[str, ...]:
    """Return the modules outside heatmark that registered methods, metrics, models and datasets."""
    registered = [find_model(name)[0] for name in models if not is_own(name)]
    found = [*(item.entry for item in chosen), *registered, *map(find_dataset, datasets)]
    origins = {entry.origin for entry in found}
    return tuple(sorted(name for name in origins if name in sys.modules and name.partition(".")[0] != "heatmark"))


def executor_of(
    engine: str,
    frameworks: Sequence[str],
    device: str,
    plugins: Sequence[str],
    origins: Iterable[str],
    cell_timeout: float | None = None,
) -> AbstractContextManager[Executor]:
    """Return the executor, closed at the end; worker processes also import the modules that registered something.

    A job may take ``cell_timeout`` seconds, or where None `limits.generous_seconds`.
    """
    if engine == "serial":
        return closing(SerialExecutor(plugins))
    known = {plugin_module(plugin) for plugin in plugins}
    further = [main_plugin() if origin == "__main__" else origin for origin in origins if origin not in known]

    def limit(job: Job) -> float | None:
        seconds = generous_seconds(job) if cell_timeout is None else cell_timeout
        return None if seconds == inf else seconds

    on_cpu = device.lower().startswith("cpu")
    return closing(ProcessExecutor(frameworks, (*plugins, *further), on_cpu=on_cpu, limit=limit))


def known_without_loading(named: NamedModel) -> DescribedModel | NotMeant | None:
    """Return what a model is if that needs no framework: known weights, and no GPU that it could be on."""
    if named.framework not in possible_frameworks(named.model):
        return NotMeant(f"{named.model} does not exist in {named.framework}")
    weights = identity_without_loading(named.model)
    if weights is None or not (named.device == "cpu" or (named.device == "auto" and not gpu_possible())):
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
    known = {named: known_without_loading(named) for named in models}
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
