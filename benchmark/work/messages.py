"""What a run and its workers say to each other; plain data that travels between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ...models.queries import Precision
from ..store.cell import CellSpec


@dataclass(frozen=True)
class ModelRequest:
    """Load this model and say what it is."""

    model: str
    framework: str
    device: str
    precision: Precision


@dataclass(frozen=True)
class Description:
    """What a model turned out to be.

    Attributes
    ----------
    weights
        The SHA-256 of its weights.
    device_class
        ``cpu``, or the name of the GPU.
    knows_shape
        Whether it says which inputs it takes.
    """

    weights: str
    device_class: str
    knows_shape: bool = True


@dataclass(frozen=True)
class Job:
    """One cell to do, with what the scores do not depend on."""

    spec: CellSpec
    device: str
    batch_size: int
    gallery: int

    @property
    def request(self) -> ModelRequest:
        """The model that the cell needs."""
        return ModelRequest(self.spec.model, self.spec.framework, self.device, self.spec.precision)


@dataclass(frozen=True, eq=False)
class Finished:
    """A cell's rows (see `cells.rows_schema`), provenance, and pictures of gallery samples by sample id."""

    rows: pa.Table
    provenance: dict[str, Any]
    thumbnails: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A cell, or the loading of a model, that ended in an error; ``known`` tells a heatmark error from others."""

    error: str
    traceback: str = ""
    known: bool = False


@dataclass(frozen=True)
class NotMeant:
    """A cell that has no meaning, and why."""

    reason: str


Outcome = Finished | Failed | NotMeant


@dataclass(frozen=True)
class Started:
    """A cell has begun."""

    job: Job


@dataclass(frozen=True)
class Advanced:
    """So many more images went through the network."""

    job: Job
    images: int


@dataclass(frozen=True)
class Ended:
    """A cell has ended, after so many seconds."""

    job: Job
    outcome: Outcome
    seconds: float


Event = Started | Advanced | Ended
