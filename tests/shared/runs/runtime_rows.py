"""Made-up rows of runtime results, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heatmark.benchmark.timing.files import RuntimeRecord
from heatmark.benchmark.timing.rows import Measurement, NotMeasured, Place, RuntimeCase
from heatmark.models.queries import PassCount

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 8, "system": "Linux", "gpus": [], "versions": {"numpy": "2"}}


def case(
    method: str = "saliency", framework: str = "torch", device: str = "cpu", model: str = "net", **more: Any
) -> RuntimeCase:
    return RuntimeCase(method, model, Place(framework, device), **more)


def row(
    what: RuntimeCase,
    calls: Sequence[float],
    *,
    images: int = 1,
    bare: float = 0.01,
    backward: float = 0.02,
    passes: tuple[int, int] = (1, 1),
    noisy: bool = False,
    **conditions: Any,
) -> Measurement:
    """Return a measured row with these times of a call; the bare network took the same time in every round."""
    return Measurement(
        case=what,
        images=images,
        calls=tuple(calls),
        iterations=1,
        bare_forward=(bare,) * len(calls),
        bare_backward=(backward,) * len(calls) if passes[1] else (),
        first_call=1.0,
        passes=PassCount(*passes),
        memory=2**20,
        memory_peak=2**30,
        memory_kind="made up",
        bare_labels=("8-native", "4-native"),
        chunks={"backward": 8},
        attempts=1,
        noisy=noisy,
        conditions={"device_name": what.place.device, "threads": 2, **conditions},
    )


def record(
    *rows: Measurement | NotMeasured, machine: dict[str, Any] | None = None, path: str = "made-up.json"
) -> RuntimeRecord:
    return RuntimeRecord(
        Path(path),
        MACHINE if machine is None else machine,
        tuple(item for item in rows if isinstance(item, Measurement)),
        tuple(item for item in rows if isinstance(item, NotMeasured)),
        "2026-11-22T12:00:00+00:00",
    )
