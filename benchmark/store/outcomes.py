"""What came of a piece of work, as data: it was done, it failed, or it has no meaning."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import HeatmarkError, NotApplicable, error_in_words, shortened

MOST_OF_A_TRACEBACK = 20_000
"""So many characters of a traceback are kept."""


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


def outcome_of(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """Return what a call came to; whatever goes wrong inside becomes data, ``sys.exit`` too, but for Ctrl-C."""
    try:
        return Finished(function(*arguments))
    except NotApplicable as reason:
        return NotMeant(error_in_words(reason))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failed(error)


def failed(error: BaseException) -> Failed:
    """Return the record of an exception."""
    lines = "".join(traceback.format_exception(error))
    return Failed(error_in_words(error), shortened(lines, MOST_OF_A_TRACEBACK), isinstance(error, HeatmarkError))
