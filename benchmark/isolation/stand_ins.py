"""Methods of a file that is not trusted, registered here as stand-ins: each asks the process that runs the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadInput, HeatmarkError, NotApplicable
from ...identity import digest, file_digest
from ...methods.registry import METHODS, MethodEntry
from ...methods.request import Request
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.queries import PassCount
from ...models.zoo.loading import find_model
from ...models.zoo.user_models import is_own
from . import reading
from .description import MOST_METHODS, understood
from .launching import Level
from .limits import Limits
from .process import IsolatedProcess, OverLimit
from .texts import MESSAGE, cleaned
from .values import values_told
from .wire import BadMessage, Declared, Ended, TooLate

_MOST_PASSES = 1 << 40


class IsolationFailed(HeatmarkError):
    """Code that is not trusted failed, broke a limit, or did not keep to what was agreed."""


class IsolatedFile:
    """A file that is not trusted, and the process that runs it, which is started when it is needed.

    A process serves one network: another one is loaded by another process.

    Parameters
    ----------
    file, name, level, limits
        The file, what its module is called, how it is kept apart, and what it may use.

    Attributes
    ----------
    source
        What stands for its code in every result's key: the digest of the file.
    """

    def __init__(self, file: Path, name: str, level: Level, limits: Limits) -> None:
        self.file, self.name, self.level, self.limits = file, name, level, limits
        self.source = file_digest(file)
        self._process: IsolatedProcess | None = None
        self._network: tuple[Any, ...] = ()
        self._state: Mapping[str, Any] = {}
        self._weights = ""

    def __str__(self) -> str:
        return f"{self.level} ({self.file})"

    def describe(self) -> list[dict[str, Any]]:
        """Return the fields of its methods' entries; see `description.understood`."""
        self._process = IsolatedProcess(self.level, self.file, self.name, self.limits)
        try:
            methods = self._ask({"ask": "describe"}, seconds=self.limits.start_seconds).get("methods")
        finally:
            self.end()  # where it explains, another one is started, with what the network needs
        if not isinstance(methods, list) or len(methods) > MOST_METHODS:
            raise IsolationFailed(f"{self.file} has no list of at most {MOST_METHODS} methods.")
        return [understood(item) for item in methods]

    def ready(self, model: Model) -> None:
        """Have the process hold a network.

        Raises
        ------
        NotApplicable
            If it cannot be loaded by a name.
        IsolationFailed
            If it cannot be loaded there, or is read in another way there.
        """
        network = (model.loaded_as, model.framework, model.device, model.precision, model.input_shape)
        if self._process is not None and self._process.alive and network == self._network:
            return
        if reason := _why_not_loaded(model):
            raise NotApplicable(f"{self.name} is not trusted, so it loads the network by itself, and {reason}")
        self.end()
        if file_digest(self.file) != self.source:
            raise IsolationFailed(f"{self.file} has changed since its methods were registered. Start again.")
        gpu = "cpu" not in model.device.lower()
        readable = reading.weights(model.loaded_as)
        self._process = IsolatedProcess(self.level, self.file, self.name, self.limits, readable, gpu=gpu)
        body = {
            "ask": "load",
            "model": reading.absolute(model.loaded_as),
            "framework": model.framework,
            "device": model.device,
            "precision": model.precision,
            "input_shape": model.input_shape,
            "threads": int(os.environ["OMP_NUM_THREADS"]) if "OMP_NUM_THREADS" in os.environ else None,
        }
        if self._ask(body, seconds=self.limits.start_seconds).get("read_as") != digest(model.read_as):
            self.end()
            raise IsolationFailed(f"{model.name} is read in another way in a process of its own: state what it is.")
        self._network = network

    def explain(self, entry: str, request: Request, parameters: Mapping[str, Any]) -> np.ndarray:
        """Return what one of its methods makes of a request: float32, (n, *input_shape) or (n, *spatial)."""
        model = request.model
        self.ready(model)
        arrays = {name: value for name, value in parameters.items() if isinstance(value, np.ndarray)}
        body = {
            "ask": "explain",
            "method": entry,
            "parameters": {name: value for name, value in parameters.items() if name not in arrays},
            "array_parameters": list(arrays),
            "inner": None if request.inner is None else request.inner.id,
            "seed": request.seed,
            "values": values_told(request.values),
            "randomised": model.randomised_now,
            "shift": model.shift,
            "weights": self._weights_of(model),
        }
        x, target = np.asarray(model.to_numpy(request.x)), request.target_array
        shapes = {tuple(x.shape), (len(target), *model.spatial_shape)}
        answer, found = self._answer(
            body, (x, target, *arrays.values()), seconds=self.limits.answer_seconds, shapes=shapes
        )
        passes = _passes(answer)
        model.add_passes(passes)
        if model.engine.on_rows is not None:
            model.engine.on_rows(passes.forward)
        return found[0]

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.end()
        self._process, self._network = None, ()

    def _weights_of(self, model: Model) -> str:
        """Return the digest of the weights as they are now; they are hashed again only where they have changed."""
        state = model.state_now()
        if state != self._state:
            self._state, self._weights = state, model.hash_weights()
        return self._weights

    def _ask(self, body: Mapping[str, Any], *, seconds: float) -> Mapping[str, Any]:
        return self._answer(body, (), seconds=seconds)[0]

    def _answer(
        self,
        body: Mapping[str, Any],
        arrays: Sequence[np.ndarray],
        *,
        seconds: float,
        shapes: set[tuple[int, ...]] | None = None,
    ) -> tuple[Mapping[str, Any], Sequence[np.ndarray]]:
        """Return what the process answers, which is told here where it is a failure; after one, another is started."""
        process = self._process
        assert process is not None
        try:
            message = process.ask(body, arrays, accept=partial(_accept, shapes), seconds=seconds)
        except (BadMessage, Ended, TooLate, OverLimit) as error:
            said = f" It last wrote: {cleaned(process.said, MESSAGE)}" if process.said else ""
            self.end()
            raise IsolationFailed(f"{self.file} ({self.level}): {error}{said}") from None
        answer = message.body["answer"]
        if "not applicable" in answer:
            raise NotApplicable(cleaned(answer["not applicable"], MESSAGE))
        if "failed" in answer:
            self.end()
            raise IsolationFailed(f"{self.file} ({self.level}): {cleaned(answer['failed'], MESSAGE)}")
        return answer, message.arrays


def isolated_methods(file: Path, name: str, level: Level, limits: Limits | None = None) -> tuple[MethodEntry, ...]:
    """Register a stand-in in this process for every method that a file registers, without running the file here.

    Parameters
    ----------
    file
        A ``.py`` file.
    name
        What its module is called, where methods tell their origin.
    level
        How it is confined; see `levels`.
    limits
        What it may use.

    Raises
    ------
    BadInput
        If what it says of its methods cannot be used.
    HeatmarkError
        If it cannot be run.
    """
    if not file.is_file():
        raise BadInput(f"There is no plugin file {file}.")
    known = [
        entry
        for entry in METHODS.others()
        if entry.origin == name
        and isinstance(home := entry.apart, IsolatedFile)
        and (home.source, home.level) == (file_digest(file), level)
    ]
    if known and limits is None:
        return tuple(known)
    home = IsolatedFile(file.resolve(), name, level, limits or Limits())
    entries = [
        MethodEntry(
            **{**fields, "function": _stand_in(home, fields["name"], fields["function"])}, origin=name, apart=home
        )
        for fields in home.describe()
    ]
    _check_doubles(entries, home)
    return tuple(METHODS.add(entry) for entry in entries)


def _check_doubles(entries: Sequence[MethodEntry], home: IsolatedFile) -> None:
    """Raise BadInput where a file takes a name that it has twice, or that another file or module has taken."""
    taken = {entry.name: entry for entry in METHODS.others()}
    for number, entry in enumerate(entries):
        if entry.name in {one.name for one in entries[:number]}:
            raise BadInput(f"{home.file} registers {entry.name} twice.")
        other = taken.get(entry.name)
        where = None if other is None else other.apart.file if isinstance(other.apart, IsolatedFile) else other.origin
        if where not in (None, home.file):
            raise BadInput(f"{home.file} and {where} both register {entry.name}: give one of them another name.")


def _stand_in(home: IsolatedFile, entry: str, declared: Any) -> Any:
    """Return the function that stands for a method, with the parameters and the text that it declares."""

    def explained(request: Request, **parameters: Any) -> Tensor:
        return request.model.from_numpy(home.explain(entry, request, parameters))

    explained.__doc__, explained.__annotations__ = declared.__doc__, declared.__annotations__
    explained.__signature__ = declared.__signature__  # type: ignore[attr-defined]
    return explained


def _why_not_loaded(model: Model) -> str:
    """Return why a process of its own cannot load a network; empty where it can."""
    name = model.loaded_as
    if not name:
        return "this one has no name that it could be loaded by (hm.load_model gives one)"
    if is_own(name):
        file = reading.own_file(name)
        return "" if file is not None else f"{name} is no single file: name it as file.py:build"
    return "" if find_model(name)[0].origin == "heatmark" else f"{name} is registered by a plugin, which is not there"


def _accept(shapes: set[tuple[int, ...]] | None, body: Mapping[str, Any], declared: Sequence[Declared]) -> None:
    """Take an answer, with one array of float32 of one of the shapes, or without any."""
    answer = body.get("answer")
    if not isinstance(answer, dict):
        raise BadMessage("Its answer has another form than was agreed.")
    if "failed" in answer or "not applicable" in answer or shapes is None:
        wanted: tuple[Declared, ...] = ()
    else:
        wanted = tuple(item for item in declared[:1] if item.kind == "float32" and item.shape in shapes)
        if not wanted:
            allowed = " or ".join(map(str, sorted(shapes)))
            got = ", ".join(f"{item.kind} {item.shape}" for item in declared[:3]) or "nothing"
            raise BadMessage(f"It answered with {got}; a map is float32 of shape {allowed}.")
    if tuple(declared) != wanted:
        raise BadMessage("Its answer has arrays that nobody asked for.")


def _passes(answer: Mapping[str, Any]) -> PassCount:
    """Return the passes that the process says it took; they cannot be checked."""
    found = answer.get("passes")
    if not isinstance(found, list) or len(found) != 2 or any(type(n) is not int for n in found):
        return PassCount()
    forward, backward = (min(max(0, number), _MOST_PASSES) for number in found)
    return PassCount(forward, backward)
