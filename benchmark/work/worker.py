"""What a process that works keeps between jobs: the last model and dataset, and what the one says of the other."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ...datasets.base import Batch, Dataset
from ...datasets.choosing import Choice
from ...datasets.registry import load_dataset
from ...errors import BadInput, Doubt
from ...models.arrays.tensor_float_32 import without_tensor_float_32
from ...models.base import Model
from ...models.devices import device_name
from ...models.unharmed import REMEDY, changes, fingerprint, same_chances
from ..setting.input_shapes import settle_input_shape
from ..store.outcomes import Failed, Finished, NotMeant, Outcome, failed, outcome_of
from .messages import DescribedModel, NamedModel, Piece, Report
from .named_models import identity, loaded_model
from .samples import SampleRule


@dataclass
class LoadedTask:
    """The model and dataset that jobs share, and the logits of the samples that are in work.

    Only those of one sample range are kept, so memory does not grow with the dataset.
    """

    model: Model
    dataset: Dataset
    bare_forward_seconds: float | None = None

    def __post_init__(self) -> None:
        self._samples = range(0)
        self._logits: dict[int, np.ndarray] = {}
        self._galleries: dict[int, frozenset[int]] = {}

    def gallery(self, size: int) -> frozenset[int]:
        """Return the positions of so many samples, spread over the classes, whose heatmaps are kept."""
        if size not in self._galleries:
            positions = Choice(size).positions(self.dataset) if size else ()
            self._galleries[size] = frozenset(positions)
        return self._galleries[size]

    @contextmanager
    def telling(self, report: Report) -> Iterator[None]:
        """Tell ``report`` of every image that goes through the network."""
        engine = self.model.engine
        engine.on_rows = report
        try:
            yield
        finally:
            engine.on_rows = None

    def logits(self, batch: Batch, samples: range) -> np.ndarray:
        """Return the logits (n, classes) of a batch of some sample range, which are asked for once."""
        if samples != self._samples:
            self._samples, self._logits = samples, {}
        indices = [int(index) for index in batch.indices]
        if any(index not in self._logits for index in indices):
            self._logits.update(zip(indices, self.model.outputs(batch.x), strict=True))
        return np.stack([self._logits[index] for index in indices])


_GPU_LOST = re.compile(
    "device-side assert|illegal memory access|unspecified launch failure|misaligned address|"
    "CUDA_ERROR_(?!OUT_OF_MEMORY)"
)
"""After such an error a process has lost its GPU: whatever it asks of it next ends in the same error."""


class Job(Protocol):
    """A piece of work with all that doing it in a worker takes."""

    @property
    def spec(self) -> Piece:
        """What is to be done."""

    @property
    def named_model(self) -> NamedModel:
        """The model that it needs."""

    def result(self, worker: Worker, report: Report) -> Any:
        """Do it in a process that may have loaded the model already, and return what came out."""


class Worker:
    """Loads models and does jobs with them; keeps the last model and dataset.

    Parameters
    ----------
    threads
        The number of threads that the process was bound to, or None where it was left as it is.

    Attributes
    ----------
    spoiled
        Whether a job changed a network or its framework's settings: later ones must not be done here.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.spoiled = False
        self._model: tuple[NamedModel, Model] | None = None
        self._shape_open = False
        self._task: tuple[NamedModel, str, SampleRule, LoadedTask] | None = None
        self._unusable: dict[NamedModel, Failed | NotMeant] = {}

    def run(self, job: Job, report: Report) -> Outcome:
        """Do one job; whatever goes wrong inside becomes a failure with its traceback."""
        loaded = self._loaded(job.named_model)
        if not isinstance(loaded, Model):
            return loaded
        outcome: Outcome | None = None
        try:
            with without_tensor_float_32(loaded.framework):  # float32 means float32, whoever's process this is
                before = fingerprint(loaded)
                with same_chances(loaded):
                    outcome = outcome_of(job.result, self, report)
                changed = changes(loaded, before)
        except Exception as error:  # the framework cannot even be asked any more
            self.spoiled = True
            return outcome if isinstance(outcome, Failed) else failed(error)
        if not changed:
            self.spoiled |= isinstance(outcome, Failed) and _GPU_LOST.search(outcome.error) is not None
            return outcome
        self.spoiled = True
        told = f"It changed what is not its own: {changed}. {REMEDY}"
        failure = outcome if isinstance(outcome, Failed) else Failed(told, known=True)
        if changed not in failure.error:
            failure = replace(failure, error=f"{failure.error} {told}")
        return replace(failure, error=f"{failure.error} Nothing of this is kept, and the worker starts anew.")

    def described(self, named: NamedModel) -> DescribedModel:
        """Return what identifies a model that `run` has loaded."""
        model = self._loaded(named)
        assert isinstance(model, Model)
        device_class = device_name(model.framework, model.device)
        return DescribedModel(identity(model, named.model), device_class, not self._shape_open)

    def task(self, named: NamedModel, weights: str, dataset: str, rule: SampleRule) -> LoadedTask:
        """Return a model with the samples of a dataset that it is asked about.

        Raises
        ------
        BadInput
            If the model's weights are other than those that work was planned with.
        """
        if self._task is not None and self._task[:3] == (named, dataset, rule):
            return self._task[3]
        model = self._loaded(named)
        assert isinstance(model, Model)  # `run` has seen to that
        if identity(model, named.model) != weights:
            raise BadInput(f"The weights of {named.model} changed while the run was going on. Start the run again.")
        loaded = LoadedTask(model, rule.of(load_dataset(dataset), named.model))
        if self._shape_open:
            with _doubts_told(named):
                settle_input_shape(model, loaded.dataset.first_readable(), loaded.dataset.framing)
        self._task = (named, dataset, rule, loaded)
        return loaded

    def _loaded(self, named: NamedModel) -> Model | Failed | NotMeant:
        """Return the model, or why it cannot be had; that is found out once, as it may take a long download."""
        if named in self._unusable:
            return self._unusable[named]
        if self._model is None or self._model[0] != named:
            self._model = self._task = None
            gc.collect()  # models and their engines know each other: only now is the old one's memory free
            with _doubts_told(named):
                found = outcome_of(loaded_model, named)
            if not isinstance(found, Finished):
                self._unusable[named] = found
                return found
            self._model, self._shape_open = (named, found.value), not found.value.knows_shape
        return self._model[1]


@contextmanager
def _doubts_told(named: NamedModel) -> Iterator[None]:
    """Keep quiet of what an examination of the network asks again, with the data at hand, and tells."""
    with warnings.catch_warnings():
        if named.examined:
            warnings.simplefilter("ignore", Doubt)
        yield


@dataclass(frozen=True)
class DescribeJob:
    """A model to be loaded and described."""

    spec: NamedModel

    @property
    def named_model(self) -> NamedModel:
        """The model."""
        return self.spec

    def result(self, worker: Worker, report: Report) -> DescribedModel:
        """Return what identifies it."""
        return worker.described(self.spec)


def check_device(model: Model, planned: str) -> None:
    """Refuse to keep numbers of one device under the key of another.

    Raises
    ------
    BadInput
        If a model is on another device here than work was planned for.
    """
    if (here := device_name(model.framework, model.device)) != planned:
        raise BadInput(
            f"The network is on {here} here, but the work was planned for {planned}, and numbers of two devices do not "
            "mix. Name the device with --device, or use workers that have the same one."
        )


def check_planned(what: str, found: str, planned: str) -> None:
    """Refuse to keep numbers of one definition or dataset under the key of another.

    Raises
    ------
    BadInput
        If the two digests differ.
    """
    if found != planned:
        raise BadInput(f"{what} is another here than when the work was planned. Start it again.")
