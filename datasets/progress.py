"""Progress of long work on stderr: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0


class Unbroken:
    """A text stream whose output is dropped where it cannot be written: a closed pipe is no reason to end work.

    Parameters
    ----------
    stream
        Where output goes while that is possible; None where there is no such place at all.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or not."""
        if self._stream is not None:
            with suppress(OSError, ValueError):  # a closed file raises the latter
                return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits, or not."""
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person is watching."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False


def standard_error() -> TextIO:
    """Return what progress is written to."""
    return cast(TextIO, Unbroken(sys.stderr))


class Progress:
    """Counts finished units and shows the rate and the time left. It may be advanced from several threads.

    ``total``, `update`, `reset` and `close` are what pooch asks of a progress bar.

    Parameters
    ----------
    label
        What is being done.
    total
        Units in all; 0 where unknown.
    unit
        ``files``, ``samples`` or ``bytes``.
    shown
        False to show nothing.
    """

    def __init__(self, label: str, total: int = 0, unit: str = "files", shown: bool = True) -> None:
        self.label = label
        self.total = total
        self.unit = unit
        self.done = 0
        self._what = ""
        self._lock = threading.Lock()
        self._start = self._last_line = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._lines = shown and not standard_error().isatty()
        if shown and not self._lines:
            self._bar = _bar(unit)
            self._task = self._bar.add_task(label, total=total or None)
            self._bar.start()
        elif self._lines:
            print(f"{label} ...", file=standard_error(), flush=True)

    def update(self, units: int) -> None:
        """Count finished units."""
        with self._lock:
            self.done += units
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self.done, total=self.total or None)
            elif self._lines and time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
                self._last_line = time.monotonic()
                print(self._line(), file=standard_error(), flush=True)

    def working_on(self, what: str) -> None:
        """Say what is being done now, beside the label."""
        with self._lock:
            self._what = what
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, description=f"{self.label}: {what}")
            elif self._lines and time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
                self._last_line = time.monotonic()
                print(self._line(), file=standard_error(), flush=True)

    def reset(self) -> None:
        """Start the count again; pooch does so before it fills the bar at the end of a file."""
        with self._lock:
            self.done = 0

    def close(self) -> None:
        """Take the bar away, or print a last line."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
            elif self._lines and self.done:
                print(self._line(), file=standard_error(), flush=True)
            self._lines = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-3)
        rate = self.done / seconds
        of_total = f"/{self.total}" if self.total else ""
        left = (
            f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate and self.done < self.total else ""
        )
        what = f", working on {self._what}" if self._what and self.done < self.total else ""
        return f"{self.label}: {self.done}{of_total} {self.unit}, {rate:.3g} {self.unit}/s{left}{what}"


def _bar(unit: str) -> RichProgress:
    """Return a bar for a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Units per second."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.3g} {unit}/s")

    counts: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), RateColumn())
    if unit == "bytes":
        counts = (DownloadColumn(), TransferSpeedColumn())
    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=Console(file=standard_error()),
    )
