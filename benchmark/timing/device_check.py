"""The same maps and scores on several devices and precisions: collecting what is then compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from time import perf_counter

import numpy as np

from ...errors import BadInput
from ...methods.registry import method_from
from ...metrics.registry import metric_from, metrics_named
from ...models.base import Model
from ...models.devices import device_name
from ..running.progress import View, view_of
from ..setting.environment import gpu_possible
from ..store.outcomes import Failed, Finished, NotMeant
from ..suite import Names, load_suite
from ..work.batches import TargetedBatch, refuse_meaningless
from ..work.messages import Ended, Started
from .measure import Choice, PlaceProcess
from .row_in_process import loaded_for, sample_inputs
from .rows import ENGINE, PRECISIONS, Place, RuntimeCase, RuntimePrecision, RuntimeSettings

IMAGES = 4
"""So many images are explained unless told otherwise."""


@dataclass(frozen=True, order=True)
class Setup:
    """A framework on a device in a precision."""

    place: Place
    precision: RuntimePrecision

    @property
    def label(self) -> str:
        """The setup in words, without the framework."""
        return f"{self.place.device} {self.precision}"


@dataclass(frozen=True, eq=False)
class Outputs:
    """What one setup gave."""

    setup: Setup
    device_name: str
    """Where."""
    targets: np.ndarray
    """(n,) the explained classes, the same for every setup."""
    logits: np.ndarray
    """(n, classes)."""
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By method, float32 (n, *spatial)."""
    scores: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    """By method and metric, float64 (n,)."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """By method, why it has no map; ``failed`` holds those for which that is an error."""
    failed: frozenset[str] = frozenset()
    failed_metrics: Mapping[str, str] = field(default_factory=dict)
    """By metric, the first error that it ended in."""


@dataclass(frozen=True)
class DeviceCheck:
    """What is compared: every setup of a framework with its first one, method by method."""

    model: str
    """The network."""
    setups: Mapping[str, tuple[Setup, ...]]
    """By framework, the reference first."""
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    """Canonical texts."""
    images: int = IMAGES
    """How many images are explained."""
    seed: int = 0
    """Of noise and masks."""

    def steps(self, setup: Setup) -> list[ComparedMethod]:
        """Return what is done in a setup."""
        return [ComparedMethod(method, self.model, setup) for method in self.methods]


@dataclass(frozen=True)
class ComparedMethod:
    """A method in a setup, for progress."""

    method: str
    model: str
    setup: Setup

    @property
    def framework(self) -> str:
        """``torch`` or ``tensorflow``."""
        return self.setup.place.framework

    @property
    def label(self) -> str:
        """The method and the setup in one line."""
        return f"{self.model} · {self.method} · {self.framework} · {self.setup.label}"


def setups_of(choice: Choice) -> tuple[dict[str, tuple[Setup, ...]], tuple[str, ...]]:
    """Return by framework the setups to compare, the processor in float32 first, and notes on what is missing.

    A GPU is compared in float32, with TensorFloat-32 and in bfloat16, the processor in bfloat16.
    """
    found: dict[str, tuple[Setup, ...]] = {}
    devices = tuple(dict.fromkeys(place.device for place in choice.places))
    gpus = [device for device in devices if device != "cpu"]
    for framework in dict.fromkeys(place.framework for place in choice.places):
        cpu = Place(framework, "cpu")
        setups = [Setup(cpu, "float32"), Setup(cpu, "bf16")]
        for gpu in gpus:
            setups += [Setup(Place(framework, gpu), precision) for precision in PRECISIONS]
        found[framework] = tuple(setups)
    note = () if gpus or gpu_possible() else ("There is no GPU here: only precisions on the processor are compared.",)
    return found, note


def precision_setups(choice: Choice) -> dict[str, tuple[Setup, ...]]:
    """Return by framework and device float32 and the other precisions that were chosen."""
    found: dict[str, tuple[Setup, ...]] = {}
    for place in choice.places:
        others = [Setup(place, precision) for precision in choice.precisions if precision != "float32"]
        found[f"{place.framework} {place.device}"] = (Setup(place, "float32"), *others)
    return found


def device_checks(
    choice: Choice, metrics: Names | None = None, images: int = IMAGES, *, precisions_only: bool = False
) -> tuple[list[DeviceCheck], tuple[str, ...]]:
    """Return what is compared of each network, and what the user should know, such as that there is no GPU.

    The parameters are those of `checked_devices`.

    Raises
    ------
    UnknownName, BadInput
        For metrics that cannot be used, or too few images.
    """
    if images < 1:
        raise BadInput(f"--images must be at least 1, not {images}.")
    setups, notes = (precision_setups(choice), ()) if precisions_only else setups_of(choice)
    scored = metrics_named(load_suite("quick").metrics if metrics is None and precisions_only else metrics)
    methods = tuple(method for method in choice.methods if not method.startswith(ENGINE))
    texts = tuple(metric.id for metric in scored)
    return [DeviceCheck(model, setups, methods, texts, images) for model in choice.models], notes


def check_setups(
    checks: Sequence[DeviceCheck], settings: RuntimeSettings, optional: frozenset[Place], *, progress: bool = True
) -> Iterator[dict[str, tuple[Outputs, ...]]]:
    """Yield what the setups of each check gave, as `collected` returns it, and show the progress."""
    steps = [
        step for check in checks for setups in check.setups.values() for setup in setups for step in check.steps(setup)
    ]
    with view_of(steps, shown=progress, noun="methods") as view:
        for check in checks:
            yield collected(check, settings, view, optional)


def collected(
    check: DeviceCheck, settings: RuntimeSettings, view: View, optional: frozenset[Place] = frozenset()
) -> dict[str, tuple[Outputs, ...]]:
    """Return by framework what every setup gave, the reference first; setups that cannot be had are left out, said.

    Every setup runs in a process of its own. The classes that the reference predicts are explained everywhere.
    """
    return {name: tuple(_outputs_of(setups, check, settings, view, optional)) for name, setups in check.setups.items()}


def _outputs_of(
    setups: Sequence[Setup], check: DeviceCheck, settings: RuntimeSettings, view: View, optional: frozenset[Place]
) -> list[Outputs]:
    found: list[Outputs] = []
    without_reference: NotMeant | None = None
    for setup in setups:
        if without_reference is None:
            targets = found[0].targets if found else None
            with PlaceProcess(setup.place, settings) as process:
                start = process.call(starting_point, check.model, setup, check.images, targets)
                if isinstance(start, Outputs):
                    found.append(_with_methods(start, check, process, view))
                    continue
            reason = start.error if isinstance(start, Failed) else start.reason
            # Where a device may be missing, its absence is no error, but whatever else goes wrong is.
            if isinstance(start, Failed) and not (start.known and setup.place in optional):
                raise BadInput(f"{check.model} · {setup.place.framework} · {setup.label}: {reason}")
            absent = NotMeant(f"left out {setup.place.framework} · {setup.label}: {reason}")
            without_reference = None if found else absent
        for step in check.steps(setup):
            view.hear(Ended(step, without_reference or absent, 0.0))
    return found


def _with_methods(start: Outputs, check: DeviceCheck, process: PlaceProcess, view: View) -> Outputs:
    maps: dict[str, np.ndarray] = {}
    scores: dict[str, dict[str, np.ndarray]] = {}
    left_out: dict[str, str] = {}
    failed: set[str] = set()
    failed_metrics: dict[str, str] = {}
    for method, step in zip(check.methods, check.steps(start.setup), strict=True):
        began = perf_counter()
        view.hear(Started(step))
        answer = process.call(
            maps_and_scores, check.model, start.setup, check.images, method, check.metrics, start.targets, check.seed
        )
        if isinstance(answer, Failed):
            left_out[method] = answer.error
            failed.add(method)
        elif isinstance(answer, NotMeant):
            left_out[method] = answer.reason
        else:
            maps[method], scores[method], problems = answer
            failed_metrics = {**problems, **failed_metrics}
            answer = Finished(None)
        view.hear(Ended(step, answer, perf_counter() - began))
    return replace(
        start,
        maps=maps,
        scores=scores,
        left_out=left_out,
        failed=frozenset(failed),
        failed_metrics=failed_metrics,
    )


@lru_cache(maxsize=1)
def _loaded(name: str, setup: Setup, images: int) -> tuple[Model, np.ndarray]:
    """Return a network and its inputs; kept in the process for the next method."""
    model = loaded_for(RuntimeCase("", name, setup.place, setup.precision))
    return model, sample_inputs(name, model, images)


def starting_point(name: str, setup: Setup, images: int, targets: np.ndarray | None) -> Outputs:
    """Return a setup's logits, with the classes to explain: those given, or the predicted ones."""
    model, x = _loaded(name, setup, images)
    logits = model.outputs(x)
    classes = logits.argmax(axis=1) if targets is None else targets
    return Outputs(setup, device_name(model.framework, model.device), classes, logits)


def maps_and_scores(
    name: str, setup: Setup, images: int, method: str, metrics: Sequence[str], targets: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, str]]:
    """Return a method's maps of the sample inputs, their scores on the metrics that have a meaning, and errors.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the network.
    """
    model, x = _loaded(name, setup, images)
    chosen = method_from(method)
    refuse_meaningless(chosen, model)
    asked = TargetedBatch(model, model.from_numpy(x), targets)
    maps = asked.maps(chosen, seed)
    found = asked.scores_apart(maps, list(map(metric_from, metrics)), seed, asked.explainer(chosen, seed))
    return maps, {metric: one for metric, one in found.scores.items() if metric not in found.reasons}, found.errors
