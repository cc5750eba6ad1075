"""What is asked of processes that work, and what they answer: plain data that travels between processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...models.queries import Precision
from ..store.outcomes import Failed, NotMeant, Outcome

Report = Callable[[int], None]
"""Told how many images went through the network since it was last told."""


@dataclass(frozen=True)
class NamedModel:
    """A model by its name, in a framework, on a device, in a precision."""

    model: str
    framework: str
    device: str
    precision: Precision = "float32"


@dataclass(frozen=True)
class DescribedModel:
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


class Piece(Protocol):
    """Work that is planned, shown and kept by itself: a cell of a run or an audit, or a row of a runtime benchmark."""

    @property
    def method(self) -> str:
        """Whose maps it is about."""

    @property
    def framework(self) -> str:
        """``torch`` or ``tensorflow``."""

    @property
    def label(self) -> str:
        """The piece in one line, for progress and messages."""


class Planned(Protocol):
    """What has a piece of work."""

    @property
    def spec(self) -> Piece:
        """What is to be done."""


@dataclass(frozen=True)
class ShownPiece:
    """A piece of work that is done outside a worker's loop, such as a row that is measured."""

    spec: Piece


@dataclass(frozen=True)
class Call:
    """A function of a module's top level with its arguments, to be called in another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


Described = DescribedModel | Failed | NotMeant


@dataclass(frozen=True)
class Started:
    """A job has begun."""

    job: Planned


@dataclass(frozen=True)
class Advanced:
    """So many more images went through the network."""

    job: Planned
    images: int


@dataclass(frozen=True)
class Ended:
    """A job has ended, after so many seconds."""

    job: Planned
    outcome: Outcome
    seconds: float


Event = Started | Advanced | Ended
