"""What a runtime benchmark measures, and what it found: plain data that travels between processes and into files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from statistics import median
from typing import Any, Literal

import numpy as np

from ...errors import BadInput
from ...models.queries import PassCount
from ...models.zoo.loading import shown_name
from ..setting.environment import usable_cores
from .rounds import Spread, spread

RuntimePrecision = Literal["float32", "tf32", "bf16"]
PRECISIONS: tuple[RuntimePrecision, ...] = ("float32", "tf32", "bf16")

CHUNK = "chunk"
"""Stands for as many images as the engine puts into one chunk."""

FULL = "xfull"
"""Ends the batch ``2xfull``: twice as many images as the method's passes need to fill the engine's chunk."""

ENGINE = "engine:"
"""Begins the names of work that is no method: plain queries, and curves."""

FORWARD, GRADIENT, CURVES = f"{ENGINE}forward", f"{ENGINE}gradient", f"{ENGINE}curves"
WORKS = {
    FORWARD: "logits of every image",
    GRADIENT: "the input gradient of every image",
    CURVES: "deletion and insertion of one map per image",
}


@dataclass(frozen=True, order=True)
class Place:
    """Where a network runs: what one worker process holds."""

    framework: str
    """``torch`` or ``tensorflow``."""
    device: str
    """``cpu``, ``cuda`` or ``cuda:N``."""

    @property
    def on_cpu(self) -> bool:
        """Whether it is the processor."""
        return self.device.lower().partition(":")[0] == "cpu"


@dataclass(frozen=True)
class RuntimeCase:
    """One row: a method on a network at a place, with so many images at a time."""

    method: str
    """A selection such as ``integrated_gradients[steps=50]``, or one of `WORKS`."""
    model: str
    """The network's name."""
    place: Place
    """Framework and device."""
    precision: RuntimePrecision = "float32"
    """``float32`` (without TensorFloat-32), ``tf32`` (with it) or ``bf16``."""
    batch: str = "1"
    """The number of images, ``chunk``, or a multiple of `FULL`."""
    size: int | None = None
    classes: int | None = None
    """Another input side and another number of classes than the network's own, for measuring how cost grows."""
    weights: str = field(default="", compare=False)
    """The digest of a network that a user trained; it only tells how the network is shown."""

    @property
    def shown_model(self) -> str:
        """What tables call the network."""
        return shown_name(self.model, self.weights)

    @property
    def framework(self) -> str:
        """``torch`` or ``tensorflow``."""
        return self.place.framework

    @property
    def key(self) -> tuple[str, ...]:
        """What the row is paired by when two runs are compared."""
        return tuple(self.parameters.values())

    @property
    def network(self) -> RuntimeCase:
        """What the rows of one network at one place and precision have in common."""
        return replace(self, method="", batch="")

    @property
    def parameters(self) -> dict[str, str]:
        """The row's coordinates by name, in the order of its name."""
        found = {
            "method": self.method,
            "model": self.model,
            "framework": self.place.framework,
            "device": self.place.device,
            "precision": self.precision,
            "batch": self.batch,
        }
        extra = {"size": self.size, "classes": self.classes}
        return found | {name: str(value) for name, value in extra.items() if value is not None}

    @property
    def label(self) -> str:
        """The row in one line, for progress and messages."""
        unusual = f" · {self.precision}" if self.precision != "float32" else ""
        unusual += f" · {self.size} px" if self.size is not None else ""
        unusual += f" · {self.classes} classes" if self.classes is not None else ""
        batch = "one chunk" if self.batch == CHUNK else f"batch {self.batch}"
        if self.batch.endswith(FULL):
            batch = f"{self.batch.removesuffix(FULL)} full chunks"
        return f"{self.method} · {self.shown_model} · {self.place.framework} · {self.place.device}{unusual} · {batch}"

    def plain(self) -> dict[str, str]:
        """Return the row's coordinates, and the digest of its network where that is kept."""
        return self.parameters | ({"weights": self.weights} if self.weights else {})

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> RuntimeCase:
        """Return the case that `plain` described; BadInput where one is missing or unknown."""
        try:
            return cls(
                str(found["method"]),
                str(found["model"]),
                Place(str(found["framework"]), str(found["device"])),
                checked_precision(str(found["precision"])),
                str(found["batch"]),
                size=None if found.get("size") is None else int(found["size"]),
                classes=None if found.get("classes") is None else int(found["classes"]),
                weights=str(found.get("weights", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"The row {dict(found)!r} does not say what was measured: {error}.") from error


def checked_precision(text: str) -> RuntimePrecision:
    """Return a precision; BadInput for another word."""
    for known in PRECISIONS:
        if text == known:
            return known
    raise BadInput(f"Unknown precision {text!r}: choose one of {', '.join(PRECISIONS)}.")


@dataclass(frozen=True)
class RuntimeSettings:
    """How rows are measured."""

    rounds: int = 7
    """Measured rounds of each row, if they fit into its time."""
    seconds: float = 60.0
    """The time for the rounds of one row; at least `LEAST_ROUNDS` are measured whatever they take."""
    threads: int = field(default_factory=usable_cores)
    """The threads of the framework; all usable cores by default."""
    memory: bool = True
    """Whether peak memory is measured, which takes a fresh process for every row on a processor."""
    plugins: tuple[str, ...] = ()
    """Modules or files that register methods, models or datasets."""

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise BadInput(f"--rounds must be at least 1, not {self.rounds}: without a round nothing is measured.")
        if not self.seconds > 0:
            raise BadInput(f"--seconds must be above 0, not {self.seconds}.")
        if self.threads < 1:
            raise BadInput(f"--threads must be at least 1, not {self.threads}.")


@dataclass(frozen=True)
class Surveyed:
    """What is found out once about a network at a place, before its rows are measured."""

    bare_forward: str
    bare_backward: str
    """The chunk size and memory format at which the bare network is fastest, as a label."""
    forward_chunk: int
    backward_chunk: int
    """The engine's own chunk sizes."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of one row; times are seconds."""

    case: RuntimeCase
    """The row."""
    images: int
    """The number of images of one call."""
    calls: tuple[float, ...]
    """The time of a whole call, one entry per round."""
    iterations: int
    """How many calls each round took the mean of."""
    bare_forward: tuple[float, ...]
    bare_backward: tuple[float, ...]
    """The bare network's time per image in the same rounds, forward alone and with the input gradient; the latter is
    empty where the work goes forward only.
    """
    first_call: float
    """The first call on a freshly loaded network: tracing graphs and finding chunk sizes included."""
    passes: PassCount
    """Passes through the network of one call, exactly."""
    memory: int | None
    """Bytes by which memory grew at most, beyond the loaded network and its inputs; None where not measured."""
    memory_peak: int | None
    """The peak itself."""
    memory_kind: str
    """What was watched."""
    bare_labels: tuple[str, ...]
    """The chunks and memory formats of the bare network."""
    chunks: Mapping[str, int]
    """The engine's chunk sizes afterwards, by kind of query."""
    attempts: int
    noisy: bool
    """How often the rounds were measured, and whether they still spread too much."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """Device, threads, load, clocks, driver and the like."""

    @property
    def latency(self) -> Spread:
        """The time per image: median and quartiles over rounds."""
        return spread([seconds / self.images for seconds in self.calls])

    @property
    def throughput(self) -> float:
        """Images per second."""
        return 1.0 / self.latency.median

    @property
    def relative(self) -> np.ndarray:
        """The time per image over the bare network's forward time, one entry per round."""
        costs: np.ndarray = np.array(self.calls) / self.images / np.array(self.bare_forward)
        return costs

    @property
    def overhead(self) -> np.ndarray:
        """The time over that of the bare network for the same passes, one per round; empty where there are none."""
        if not self.passes.forward:
            return np.empty(0)
        backward = self.passes.backward if self.bare_backward else 0
        bare: np.ndarray = (self.passes.forward - backward) * np.array(self.bare_forward)
        if backward:
            bare = bare + backward * np.array(self.bare_backward)
        times: np.ndarray = np.array(self.calls) / bare
        return times

    @property
    def words(self) -> str:
        """What was measured in a few words, for progress."""
        noisy = f", noisy (quartiles {self.latency.relative:.0%} of the median apart)" if self.noisy else ""
        return f"{1000 * self.latency.median:.3g} ms an image, {self.throughput:.3g} images/s{noisy}"

    @property
    def device_name(self) -> str:
        """``cpu``, or the name of the GPU."""
        return str(self.conditions.get("device_name", self.case.place.device))

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            **found,
            "case": self.case.plain(),
            "passes": asdict(self.passes),
            "chunks": dict(self.chunks),
            "conditions": dict(self.conditions),
            "latency_median": self.latency.median,
            "latency_iqr": self.latency.iqr,
            "throughput": self.throughput,
            "relative_cost": float(median(self.relative)),
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Measurement:
        """Return the measurement that `plain` gave; BadInput where something is missing or of another kind."""
        try:
            found = {item.name: values[item.name] for item in fields(cls)}
            for name in ("calls", "bare_forward", "bare_backward", "bare_labels"):
                found[name] = tuple(found[name])
            found["case"] = RuntimeCase.from_plain(found["case"])
            found["passes"] = PassCount(**found["passes"])
            return cls(**found)
        except (KeyError, TypeError) as error:
            raise BadInput(f"A row of the runtime results lacks {error}.") from error


@dataclass(frozen=True)
class NotMeasured:
    """A row without a measurement, and why; ``failed`` where that is an error rather than the row's nature."""

    case: RuntimeCase
    reason: str
    failed: bool = False
    traceback: str = ""
