"""The inside of a process that is not trusted: it imports a file, says what methods it has, and explains when asked.

Nothing here protects anyone: once the file is imported, everything in this process may be another's. What keeps the
machine safe is how the process was started, and what makes its answers safe is how they are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadInput, NotApplicable, error_in_words
from ...identity import digest
from ...methods.explain import attribution_of, watched
from ...methods.registry import METHODS, Method, method_from
from ...models.arrays.tensor_float_32 import set_tensor_float_32, without_tensor_float_32
from ...models.base import Model
from ...models.devices import set_threads
from ...models.importing import imported, keep_imports_quiet, module_from_file
from ...models.zoo.loading import load_model
from ...models.zoo.torchvision_operators import torchvision_importable
from ...selection import select
from .description import told
from .values import values_from
from .wire import Channel, Declared, Ended, Message


class Inside:
    """What the process keeps between questions: the file that it has imported, and one network."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._model: Model | None = None
        self._copies = ExitStack()
        self._randomised: list[tuple[tuple[str, ...], int]] = []
        self._weights = ""

    def answer(self, message: Message) -> tuple[Mapping[str, Any], Sequence[np.ndarray]]:
        """Return the answer to a question, with its arrays."""
        asked = message.body
        match asked["ask"]:
            case "describe":
                return {"methods": [told(entry) for entry in METHODS.others()]}, ()
            case "load":
                return self._load(asked), ()
            case "explain":
                return self._explain(asked, message.arrays)
        raise NotApplicable(f"nobody knows how to {asked['ask']}")

    def imports(self, name: str) -> None:
        """Import the file, as a module of this name."""
        with torchvision_importable():
            module_from_file(self.file, name)

    def _load(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        framework = asked["framework"]
        imported(framework)
        if asked["threads"] is not None:
            set_threads(framework, asked["threads"])
        set_tensor_float_32(framework, False)
        model = load_model(asked["model"], framework, asked["device"], asked["precision"])
        shape = tuple(asked["input_shape"])
        if not model.knows_shape or model.input_shape != shape:
            model.inputs(np.full((1, *shape), model.domain[0], np.float32))
        self._model = model
        return {"read_as": digest(model.read_as)}

    def _explain(
        self, asked: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> tuple[Mapping[str, Any], Sequence[np.ndarray]]:
        x, target, *further = arrays
        given = dict(zip(asked["array_parameters"], further, strict=True))
        entry = METHODS.get(asked["method"])
        inner = None if asked["inner"] is None else method_from(asked["inner"])
        method = Method(entry, select(entry.name, None, {}), {**asked["parameters"], **given}, inner)
        model = self._as_asked(asked)
        before = model.passes
        with watched(model, method), without_tensor_float_32(model.framework):
            found = attribution_of(
                model, method, model.from_numpy(x), target, asked["seed"], values=values_from(asked["values"])
            )
            maps = np.asarray(model.to_numpy(model.operations.to_float(found)), np.float32)
        passes = model.passes - before
        return {"passes": [passes.forward, passes.backward]}, (maps,)

    def _as_asked(self, asked: Mapping[str, Any]) -> Model:
        """Return the network with the layers randomised and the inputs shifted that are so on the other side."""
        model = self._model
        assert model is not None  # a network is loaded before anything is explained
        wanted = [(tuple(names), seed) for names, seed in asked["randomised"]]
        if wanted != self._randomised:
            self._copies.close()
            for names, seed in wanted:
                self._copies.enter_context(model.randomised(names, seed))
            self._randomised, self._weights = wanted, ""
        self._weights = self._weights or model.hash_weights()
        if self._weights != asked["weights"]:
            raise BadInput(f"{model.name} has other weights here than where its maps are scored")
        return model.shifted(asked["shift"]) if asked["shift"] else model


def serve(file: Path, name: str) -> None:
    """Answer one question after another over what were standard input and output, until there are no more."""
    channel = Channel(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what the file prints is no answer
    keep_imports_quiet()
    inside = Inside(file)
    problem: BaseException | None = None
    try:
        inside.imports(name)
    except Exception as error:
        problem = error
    while True:
        try:
            message = channel.receive(_everything)
        except Ended:
            return
        try:
            if problem is not None:
                raise problem
            body, arrays = inside.answer(message)
        except Exception as error:
            kind = "not applicable" if isinstance(error, NotApplicable) else "failed"
            body, arrays = {kind: error_in_words(error)[:20_000]}, ()
        channel.send({"answer": body}, arrays)


def _everything(body: Mapping[str, Any], declared: Sequence[Declared]) -> None:
    """Take whatever the trusted side sends."""
