"""The framework that a model is used in where nobody asks for one: the one that it has."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import HeatmarkError, MissingExtra
from ...models.devices import installed_frameworks, require_framework
from ...models.zoo.loading import load_model
from ..store.outcomes import Failed, NotMeant
from ..work.named_models import check_name, is_own, possible_frameworks
from .worker_process import WorkerProcess


def usual_frameworks(model: str, plugins: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the first installed framework that a model exists in; of one's own code, the one that it builds in.

    Code is run in a process of its own, so that this one imports no framework and takes no accelerator.

    Raises
    ------
    UnknownName, BadInput
        For a model that does not exist.
    MissingExtra
        If its framework is not installed.
    HeatmarkError
        If one's own code fails.
    """
    check_name(model)
    possible = possible_frameworks(model)
    here = tuple(framework for framework in installed_frameworks() if framework in possible)
    if not here:
        require_framework(possible[0])
        raise MissingExtra(f"{model} exists only in {' and '.join(possible)}.")
    if len(here) == 1 or not is_own(model):
        return here[:1]
    with WorkerProcess(here[0], 1, plugins, on_cpu=True, title=f"process that builds {model}") as process:
        found = process.call(framework_built, model)
    if isinstance(found, Failed):
        raise HeatmarkError(found.error)
    if isinstance(found, NotMeant):
        raise HeatmarkError(found.reason)
    return (str(found),)


def framework_built(model: str) -> str:
    """Return the framework of the network that one's own code builds."""
    return load_model(model, device="cpu").framework
