"""Messages between this process and one that is not trusted: a length, a JSON header, and raw arrays of known types.

Nothing is unpickled. What a message declares (the length of its header, the types and shapes of its arrays) is checked
before room is made for it or a byte of it is read.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import select
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np

from ...errors import HeatmarkError

_LEAD = struct.Struct("<8sI")
_MAGIC = b"heatmk\x01\n"
MOST_HEADER_BYTES = 1 << 18
MOST_ARRAYS = 64
MOST_AXES = 8
_PIPE_BYTES = 1 << 20
"""What a pipe may hold, where the system allows it; arrays go through in fewer turns."""

_WATCH_SECONDS = 0.1

TYPES = {"float32": "<f4", "float64": "<f8", "int64": "<i8", "bool": "|b1"}
"""The element types that travel, little-endian, by their names."""


class BadMessage(HeatmarkError):
    """A message that is not of the agreed form; nothing of it was used."""


class Ended(HeatmarkError):
    """The other side closed the connection."""


class TooLate(HeatmarkError):
    """The other side did not answer in time."""


@dataclass(frozen=True)
class Declared:
    """What a message says of an array that follows."""

    kind: str
    """One of `TYPES`."""
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """The array's size."""
        return math.prod(self.shape) * np.dtype(TYPES[self.kind]).itemsize


@dataclass(frozen=True, eq=False)
class Message:
    """What was said."""

    body: Mapping[str, Any]
    arrays: Sequence[np.ndarray] = field(default=())


#: Looks at a message's body and at what it declares, and raises `BadMessage` unless the arrays are to be read.
Accept = Callable[[Mapping[str, Any], Sequence[Declared]], None]


class Channel:
    """One side of a connection over two pipes.

    Parameters
    ----------
    reading, writing
        File descriptors.
    watch
        Called several times a second while the other side is waited for; what it raises ends the waiting.
    """

    def __init__(self, reading: int, writing: int, watch: Callable[[], None] | None = None) -> None:
        self._reading, self._writing, self._watch = reading, writing, watch
        os.set_blocking(writing, False)
        for pipe in (reading, writing):
            with suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def send(self, body: Mapping[str, Any], arrays: Sequence[np.ndarray] = (), seconds: float | None = None) -> None:
        """Send a message, in at most so many seconds.

        Raises
        ------
        BadMessage
            If it cannot be said: a value that is no JSON, or an array of another type.
        Ended, TooLate
            If the other side is gone or does not read.
        """
        plain = [_plain(array) for array in arrays]
        declared = [{"type": array.dtype.name, "shape": list(array.shape)} for array in plain]
        try:
            head = json.dumps({"body": body, "arrays": declared}, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise BadMessage(f"This cannot be said to a process of its own: {error}") from error
        if len(head) > MOST_HEADER_BYTES or len(plain) > MOST_ARRAYS:
            raise BadMessage(f"The message is too large: {len(head)} bytes and {len(plain)} arrays.")
        deadline = _deadline(seconds)
        self._write(memoryview(_LEAD.pack(_MAGIC, len(head)) + head), deadline)
        for array in plain:
            if array.size:
                self._write(array.data.cast("B"), deadline)

    def receive(self, accept: Accept, seconds: float | None = None) -> Message:
        """Return the next message, if ``accept`` takes what it declares.

        Raises
        ------
        BadMessage
            If it is not of the agreed form; the connection is of no more use then.
        Ended, TooLate
            If the other side is gone, or the message is not whole in so many seconds.
        """
        deadline = _deadline(seconds)
        lead = self._read(_LEAD.size, deadline)
        magic, size = _LEAD.unpack(lead)
        if magic != _MAGIC:
            raise BadMessage(f"A message begins with {bytes(lead[:8])!r}, which is none of heatmark's.")
        if size > MOST_HEADER_BYTES:
            raise BadMessage(f"A message declares a header of {size} bytes; at most {MOST_HEADER_BYTES} are read.")
        body, declared = _head(self._read(size, deadline))
        accept(body, declared)
        arrays = []
        for item in declared:
            array = np.empty(item.shape, TYPES[item.kind])
            if array.size:
                self._fill(array.data.cast("B"), deadline)
            arrays.append(array)
        return Message(body, arrays)

    def _read(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        self._fill(memoryview(data), deadline)
        return data

    def _fill(self, view: memoryview, deadline: float | None) -> None:
        while view:
            self._wait(self._reading, select.POLLIN, deadline)
            count = os.readv(self._reading, [view])
            if not count:
                raise Ended("It ended in the middle of its work.")
            view = view[count:]

    def _write(self, view: memoryview, deadline: float | None) -> None:
        while view:
            self._wait(self._writing, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._writing, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise Ended("It ended before it had read what it was asked.") from error

    def _wait(self, pipe: int, event: int, deadline: float | None) -> None:
        """Wait until a pipe can be read or written, or its other end is closed."""
        poll = select.poll()
        poll.register(pipe, event)
        while True:
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                raise TooLate("It did not answer in time.")
            turn = left if self._watch is None else _WATCH_SECONDS if left is None else min(_WATCH_SECONDS, left)
            if poll.poll(None if turn is None else 1000 * turn):
                return
            if self._watch is not None:
                self._watch()


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else monotonic() + seconds


def _plain(array: np.ndarray) -> np.ndarray:
    """Return an array of its type as it travels: contiguous and little-endian."""
    if array.dtype.name not in TYPES:
        raise BadMessage(f"Arrays of {array.dtype} do not travel; {', '.join(TYPES)} do.")
    # Not ascontiguousarray, which makes a vector of a number.
    return np.asarray(array, TYPES[array.dtype.name], order="C")


def _head(data: bytearray) -> tuple[Mapping[str, Any], tuple[Declared, ...]]:
    """Return a header's body and what it declares."""
    try:
        head = json.loads(data.decode(), parse_constant=_no_constant)
        body, arrays = head["body"], head["arrays"]
        declared = tuple(Declared(item["type"], tuple(item["shape"])) for item in arrays)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BadMessage(f"A message's header cannot be read ({type(error).__name__}).") from error
    if not isinstance(body, dict) or not isinstance(arrays, list) or len(declared) > MOST_ARRAYS:
        raise BadMessage("A message's header has another form than was agreed.")
    for item in declared:
        whole = all(type(size) is int and 0 <= size < 1 << 40 for size in item.shape)
        if not isinstance(item.kind, str) or item.kind not in TYPES or not whole or len(item.shape) > MOST_AXES:
            raise BadMessage("A message declares an array of no type and shape that is known.")
    return body, declared


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
