"""The errors that heatmark raises on purpose; each message says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
import sysconfig
from collections.abc import Iterable
from pathlib import Path


class HeatmarkError(Exception):
    """Base of every error that heatmark raises on purpose."""


class UnknownName(HeatmarkError, LookupError):
    """A name that no registry, parameter list or folder holds."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class BadInput(HeatmarkError, ValueError):
    """An argument, array, file or option that cannot be used as it is."""


class NetworkFailed(BadInput):
    """A network that raised an error of its own or its framework's when it was asked."""


class Untrusted(HeatmarkError):
    """A network that failed its examination, so that nothing was measured with it; the message has the remedies."""


class Doubt(UserWarning):
    """The warning that something about a network is doubtful, or fails; see `heatmark.check`."""


class Damaged(UserWarning):
    """The warning that a file of results is damaged, was moved away, and counts as missing."""


class Disagreement(UserWarning):
    """The warning that two results of the same thing differ by more than rounding; one of them is shown."""


class NotApplicable(HeatmarkError):
    """A method or metric that has no meaning for this model or data; the message is the reason."""


class NetworkChanged(HeatmarkError):
    """Something that ran with a network changed it, or its framework's settings, and did not put them back."""


class MissingExtra(HeatmarkError, ImportError):
    """An optional package that is not installed; the message names the extra that installs it."""


class StorageError(HeatmarkError, OSError):
    """A folder or file that cannot be read or written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class OutOfMemory(HeatmarkError, MemoryError):
    """A single variant of a single sample did not fit into memory."""


class Interrupted(HeatmarkError):
    """A run that its user or executor stopped; finished cells are kept."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x' or 'y'?`` for the nearest known names, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.55)
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


MOST_CHARACTERS = 4000
"""Of an error's text so much is kept and shown: enough for every sentence, and no terminal or file is flooded."""


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text, of a longer one its beginning and end; what cannot be written as UTF-8 is escaped.

    What comes out has no more than ``most`` characters, so that shortening it again changes nothing.
    """
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= most:
        return text
    kept = most - _ROOM_FOR_WORDS
    end = kept // 3
    return f"{text[: kept - end]} [... {len(text) - kept} characters left out ...] {text[-end:]}"


_ROOM_FOR_WORDS = 60
"""Of a shortened text so many characters are for saying that it is."""


def error_in_words(error: BaseException) -> str:
    """Return the message of an error of heatmark's own; of another also its kind, without which it says little."""
    try:
        message = str(error)
    except Exception as another:  # an error of somebody's whose own words fail
        message = f"its message cannot be read ({type(another).__name__})"
    return shortened(message if isinstance(error, HeatmarkError) else f"{type(error).__name__}: {message}")


def where_raised(error: BaseException) -> str:
    """Return the last place in code that is neither heatmark's nor a library's that an error passed, in brackets."""
    last = place = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        last = f" ({file}, line {trace.tb_lineno})"
        if "site-packages" not in file and not file.startswith(_OTHERS):
            place = last
        trace = trace.tb_next
    return place or last


_OTHERS = (str(Path(__file__).parent), sysconfig.get_paths()["stdlib"])
"""Where heatmark's own code and Python's is."""
