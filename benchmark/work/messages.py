"""What is asked of processes that work, and what they answer: plain data that travels between processes."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import HeatmarkError, NotApplicable, error_in_words
from ...models.queries import Precision

if TYPE_CHECKING:
    from .worker import Worker

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


class Job(Planned, Protocol):
    """A piece of work with all that doing it in a worker takes."""

    @property
    def named_model(self) -> NamedModel:
        """The model that it needs."""

    def result(self, worker: Worker, report: Report) -> Any:
        """Do it in a process that may have loaded the model already, and return what came out."""


@dataclass(frozen=True)
class ShownPiece:
    """A piece of work that is done outside a worker's loop, such as a row that is measured."""

    spec: Piece


@dataclass(frozen=True)
class Call:
    """A function of a module's top level with its arguments, to be called in another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Finished:
    """What came out of work, and ``words`` on it where there is more to say than that it is done."""

    value: Any
    words: str = ""


@dataclass(frozen=True)
class Failed:
    """Work, or the loading of a model, that ended in an error; ``known`` tells a heatmark error from others."""

    error: str
    traceback: str = ""
    known: bool = False


@dataclass(frozen=True)
class NotMeant:
    """Work that has no meaning, and why."""

    reason: str


Outcome = Finished | Failed | NotMeant
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


def outcome_of(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Return what a call came to; whatever goes wrong inside becomes data."""
    try:
        return Finished(function(*arguments))
    except NotApplicable as reason:
        return NotMeant(str(reason))
    except Exception as error:
        return failed(error)


def failed(error: BaseException) -> Failed:
    """Return the record of an exception."""
    return Failed(error_in_words(error), "".join(traceback.format_exception(error)), isinstance(error, HeatmarkError))
