"""The same maps and scores on several devices and precisions: collecting what is then compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ...errors import BadInput
from ...methods.registry import method_from
from ...metrics.registry import list_metrics, metric_from
from ...models.base import Model
from ...models.devices import device_name
from ...selection import parse_selections
from ..setting.environment import gpu_possible
from ..suite import Names
from ..work.batches import TargetedBatch, refuse_meaningless
from ..work.messages import Failed, NotMeant
from .measure import Choice
from .processes import PlaceProcess
from .progress import RuntimeView
from .row_in_process import loaded_for, sample_inputs
from .rows import PRECISIONS, Place, RuntimeCase, RuntimePrecision, RuntimeSettings

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
    """What one setup gave.

    Attributes
    ----------
    setup, device_name
        Where.
    targets
        (n,) the explained classes, the same for every setup.
    logits
        (n, classes).
    maps
        By method, float32 (n, *spatial).
    scores
        By method and metric, float64 (n,).
    left_out
        By method, why it has no map; ``failed`` holds those for which that is an error.
    failed_metrics
        By metric, the first error that it ended in.
    """

    setup: Setup
    device_name: str
    targets: np.ndarray
    logits: np.ndarray
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    failed_metrics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceCheck:
    """What is compared: every setup of a framework with its first one, method by method.

    Attributes
    ----------
    model
        The network.
    setups
        By framework, the reference first.
    methods, metrics
        Canonical texts.
    images
        How many images are explained.
    seed
        Of noise and masks.
    notes
        What the user should know, such as that there is no GPU.
    """

    model: str
    setups: Mapping[str, tuple[Setup, ...]]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    images: int = IMAGES
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many methods are run in all setups together."""
        return len(self.methods) * sum(map(len, self.setups.values()))


def checked_metrics(names: Names | None) -> tuple[str, ...]:
    """Return metrics' canonical texts; every registered one at its default where None."""
    if names is None:
        return tuple(metric_from(entry.name).id for entry in list_metrics())
    return tuple(metric_from(item.text).id for item in parse_selections(names))


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


def collected(
    check: DeviceCheck, settings: RuntimeSettings, view: RuntimeView, optional: frozenset[Place] = frozenset()
) -> dict[str, tuple[Outputs, ...]]:
    """Return by framework what every setup gave, the reference first; setups that cannot be had are left out, said.

    Every setup runs in a process of its own. The classes that the reference predicts are explained everywhere.
    """
    return {name: tuple(_outputs_of(setups, check, settings, view, optional)) for name, setups in check.setups.items()}


def _outputs_of(
    setups: Sequence[Setup],
    check: DeviceCheck,
    settings: RuntimeSettings,
    view: RuntimeView,
    optional: frozenset[Place],
) -> list[Outputs]:
    found: list[Outputs] = []
    for number, setup in enumerate(setups):
        targets = found[0].targets if found else None
        with PlaceProcess(setup.place, settings) as process:
            view.working_on(f"{check.model} · {setup.place.framework} · {setup.label}")
            start = process.call(starting_point, check.model, setup, check.images, targets)
            if isinstance(start, (Failed, NotMeant)):
                reason = start.error if isinstance(start, Failed) else start.reason
                # Where a device may be missing, its absence is no error, but whatever else goes wrong is.
                if isinstance(start, Failed) and not (start.known and setup.place in optional):
                    raise BadInput(f"{check.model} · {setup.place.framework} · {setup.label}: {reason}")
                view.say(f"left out {setup.place.framework} · {setup.label}: {reason}")
                if not found:  # nothing to compare the others with
                    view.skip(len(check.methods) * (len(setups) - number))
                    return []
                view.skip(len(check.methods))
                continue
            found.append(_with_methods(start, check, process, view))
    return found


def _with_methods(start: Outputs, check: DeviceCheck, process: PlaceProcess, view: RuntimeView) -> Outputs:
    maps: dict[str, np.ndarray] = {}
    scores: dict[str, dict[str, np.ndarray]] = {}
    left_out: dict[str, str] = {}
    failed = set()
    failed_metrics: dict[str, str] = {}
    for method in check.methods:
        view.working_on(f"{method} · {start.setup.place.framework} · {start.setup.label}")
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
            for metric, problem in problems.items():
                failed_metrics.setdefault(metric, problem)
        view.skip(1)
    return Outputs(
        start.setup,
        start.device_name,
        start.targets,
        start.logits,
        maps,
        scores,
        left_out,
        frozenset(failed),
        failed_metrics,
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
