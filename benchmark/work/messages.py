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
    examined: bool = False
    """Whether an examination tells what is doubtful of it, so that loading it need not."""

    @property
    def method(self) -> str:
        """Nothing: nothing is explained where a model is only described."""
        return ""

    @property
    def label(self) -> str:
        """The model in one line."""
        return f"{self.model} · {self.framework}"


@dataclass(frozen=True)
class DescribedModel:
    """What a model turned out to be."""

    weights: str
    """The SHA-256 of its weights."""
    device_class: str
    """``cpu``, or the name of the GPU."""
    knows_shape: bool = True
    """Whether it says which inputs it takes."""


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


@dataclass(frozen=True)
class Call:
    """A function of a module's top level with its arguments, to be called in another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


Described = DescribedModel | Failed | NotMeant


@dataclass(frozen=True)
class Started:
    """A piece of work has begun."""

    piece: Piece


@dataclass(frozen=True)
class Advanced:
    """So many more images went through the network."""

    piece: Piece
    images: int


@dataclass(frozen=True)
class Ended:
    """A piece of work has ended, after so many seconds."""

    piece: Piece
    outcome: Outcome
    seconds: float


Event = Started | Advanced | Ended
