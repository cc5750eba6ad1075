"""Showing how far work has come: a bar in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ...datasets.progress import standard_error
from ..store.outcomes import Failed, Finished, Outcome
from ..work.messages import Advanced, Ended, Event, Piece, Started

WINDOW_SECONDS = 15.0
"""The rate of images is taken over this time."""

QUIET_SECONDS = 10.0
"""Without a terminal, a line on how far things are comes at most this often."""


NAMED = 4
"""So many of the pieces that are being worked on are named."""


class Pace:
    """Counts pieces of work and images, and estimates the time left.

    Pieces run side by side or one after another; each framework's time left is its mean time per piece times its pieces
    left, shared by as many as have been at work at the same time.

    Parameters
    ----------
    pieces
        What is to be done.
    side_by_side
        Whether pieces run at the same time.
    """

    def __init__(self, pieces: Sequence[Piece], side_by_side: bool) -> None:
        self.total = len(pieces)
        self.ended = 0
        self._running: list[tuple[Piece, float]] = []
        self._side_by_side = side_by_side
        self._left = Counter(piece.framework for piece in pieces)
        self._ended = Counter(dict.fromkeys(self._left, 0))
        self._seconds = dict.fromkeys(self._left, 0.0)
        self._at_once = Counter[str]()
        self._all_at_once = 1
        self._images: deque[tuple[float, int]] = deque()
        self._all_images = 0
        self._began = monotonic()

    def hear(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Started):
            self._running.append((event.piece, monotonic()))
            self._at_once |= Counter(piece.framework for piece, _ in self._running)
            self._all_at_once = max(self._all_at_once, len(self._running))
        elif isinstance(event, Advanced):
            self._images.append((monotonic(), event.images))
            self._all_images += event.images
        else:
            self._running = [(piece, began) for piece, began in self._running if piece is not event.piece]
            self.ended += 1
            framework = event.piece.framework
            self._left[framework] -= 1
            self._ended[framework] += 1
            self._seconds[framework] += event.seconds

    def images_per_second(self) -> float:
        """Return the images that went through the networks per second, lately."""
        now = monotonic()
        while self._images and now - self._images[0][0] > WINDOW_SECONDS:
            self._images.popleft()
        elapsed = min(WINDOW_SECONDS, max(now - self._began, 1e-3))
        return sum(images for _, images in self._images) / elapsed

    def seconds_left(self) -> float | None:
        """Return the estimated time left, or None before the first piece has ended."""
        if not self.ended:
            return None
        lefts = {framework: self._framework_left(framework) for framework in self._left}
        if not self._side_by_side:
            return sum(lefts.values())
        alone = max(left / max(1, self._at_once[framework]) for framework, left in lefts.items())
        return max(alone, sum(lefts.values()) / self._all_at_once)

    def _framework_left(self, framework: str) -> float:
        """Return the time left for one framework, were its pieces done one after another."""
        mean, now = self._mean(framework), monotonic()
        elapsed = [now - began for piece, began in self._running if piece.framework == framework]
        return mean * self._left[framework] - sum(min(mean, spent) for spent in elapsed)

    def _mean(self, framework: str) -> float:
        """Return the mean time of a framework's pieces that have ended; of all where it has none."""
        if self._ended[framework]:
            return self._seconds[framework] / self._ended[framework]
        return sum(self._seconds.values()) / max(1, self.ended)

    @property
    def _overdue(self) -> bool:
        """Whether what is being worked on takes longer than what has ended did, so that the time left is a least."""
        now = monotonic()
        return self.ended > 0 and any(now - began > self._mean(piece.framework) for piece, began in self._running)

    @property
    def running(self) -> str:
        """What is being worked on, in words."""
        named = [f"{piece.method} {piece.framework}" for piece, _ in self._running]
        return ", ".join(named[:NAMED]) + (f" and {len(named) - NAMED} more" if len(named) > NAMED else "")

    @property
    def text(self) -> str:
        """Rate and time left in words; once nothing is left, the rate over all and the time that it took."""
        over = self.ended == self.total
        took = monotonic() - self._began
        rate = self._all_images / max(took, 1e-3) if over else self.images_per_second()
        left = self.seconds_left()
        parts = [f"{rate:.0f} images/s"] if self._all_images else []
        if over:
            parts.append(f"took {timedelta(seconds=round(took))}")
        elif left is not None and not self._overdue:
            parts.append(f"{timedelta(seconds=round(left))} left")
        elif left is not None and left >= 1:
            parts.append(f"more than {timedelta(seconds=round(left))} left")
        return ", ".join(parts)


class View:
    """Shows how far work has come, or nothing where there is no console.

    In a terminal: a bar with the images per second and the time left; what went wrong, and results that have words of
    their own, are printed above it, each once. Elsewhere: one line per ended piece, and in between one now and then.

    Parameters
    ----------
    pace
        What is shown.
    console
        Where, or None.
    noun
        What the pieces of work are called.
    """

    def __init__(self, pace: Pace, console: Console | None = None, noun: str = "cells") -> None:
        self._pace = pace
        self._console = console
        self._spoke = monotonic()
        self._said: set[str] = set()
        self.bar: Progress | None = None
        if console is not None and console.is_terminal:
            columns = (SpinnerColumn(), TextColumn(noun), MofNCompleteColumn(), BarColumn())
            self.bar = Progress(*columns, TextColumn("{task.fields[shown]}"), console=console)
            self.bar.add_task(noun, total=pace.total, shown="starting")

    def __enter__(self) -> View:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self.bar is not None:
            # Where work was stopped, what was being worked on is so no longer.
            self._move("")
            self.bar.stop()

    def hear(self, event: Event) -> None:
        """Show an event."""
        self._pace.hear(event)
        if self.bar is not None:
            if isinstance(event, Ended) and _told(event.outcome) not in {"", *self._said}:
                say(self.bar.console, _result(event, self._said))
            self._move(self._pace.running)
        elif isinstance(event, Ended):
            self._print(_result(event, self._said))
        elif monotonic() - self._spoke >= QUIET_SECONDS:
            self._print(f"working on {self._pace.running}")

    def _move(self, running: str) -> None:
        assert self.bar is not None
        shown = self._pace.text + (f" · {escape(running)}" if running else "")
        self.bar.update(self.bar.task_ids[0], completed=self._pace.ended, shown=shown)

    def _print(self, text: str) -> None:
        if self._console is not None:
            self._spoke = monotonic()
            pace = f" ({self._pace.text})" if self._pace.text else ""
            say(self._console, f"[{self._pace.ended}/{self._pace.total}] {text}{pace}")


def view_of(
    pieces: Sequence[Piece],
    side_by_side: bool = False,
    shown: bool = True,
    console: Console | None = None,
    notes: Sequence[str] = (),
    noun: str = "cells",
) -> View:
    """Return what shows work on standard error, unless there is none or it shall not; notes are printed first."""
    pace = Pace(pieces, side_by_side)
    if not shown:
        return View(pace)
    console = console or Console(file=standard_error())
    for note in notes:
        say(console, note)
    return View(pace, console if pieces else None, noun)


def say(console: Console, text: str) -> None:
    """Print a line as it is, however long."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _told(outcome: Outcome) -> str:
    """Return what there is to tell beyond that something is done: an error, a reason, or a result's own words."""
    if isinstance(outcome, Finished):
        return outcome.words
    return outcome.error if isinstance(outcome, Failed) else outcome.reason


def _result(event: Ended, said: set[str]) -> str:
    """Return in one line how a piece ended; an error or reason is written out once and added to ``said``."""
    label, told = event.piece.label, _told(event.outcome)
    if isinstance(event.outcome, Finished):
        return f"{label}: {told or f'done in {event.seconds:.1f} s'}"
    failed = isinstance(event.outcome, Failed)
    text = told if told not in said else "the same error" if failed else "the same reason"
    said.add(told)
    return f"{label}: {'FAILED' if failed else 'not applicable'}: {text}"
