"""Showing how far work has come: a bar in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ..store.outcomes import Failed, Finished, Outcome
from ..work.messages import Advanced, Ended, Event, Planned, Started

WINDOW_SECONDS = 15.0
"""The rate of images is taken over this time."""

QUIET_SECONDS = 10.0
"""Without a terminal, a line on how far things are comes at most this often."""


class Pace:
    """Counts jobs and images, and estimates the time left.

    Frameworks run side by side or one after another; each one's time left is its mean time per job times its jobs left.

    Parameters
    ----------
    jobs
        What is to be done.
    side_by_side
        Whether the frameworks run at the same time.
    """

    def __init__(self, jobs: Sequence[Planned], side_by_side: bool) -> None:
        self.total = len(jobs)
        self.ended = 0
        self._running: list[tuple[Planned, float]] = []
        self._side_by_side = side_by_side
        self._left: dict[str, int] = {}
        for job in jobs:
            self._left[job.spec.framework] = self._left.get(job.spec.framework, 0) + 1
        self._times: dict[str, list[float]] = {framework: [] for framework in self._left}
        self._images: deque[tuple[float, int]] = deque()
        self._all_images = 0
        self._began = monotonic()

    def hear(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Started):
            self._running.append((event.job, monotonic()))
        elif isinstance(event, Advanced):
            self._images.append((monotonic(), event.images))
            self._all_images += event.images
        else:
            self._running = [(job, began) for job, began in self._running if job is not event.job]
            self.ended += 1
            framework = event.job.spec.framework
            self._left[framework] -= 1
            self._times[framework].append(event.seconds)

    def images_per_second(self) -> float:
        """Return the images that went through the networks per second, lately."""
        now = monotonic()
        while self._images and now - self._images[0][0] > WINDOW_SECONDS:
            self._images.popleft()
        elapsed = min(WINDOW_SECONDS, max(now - self._began, 1e-3))
        return sum(images for _, images in self._images) / elapsed

    def seconds_left(self) -> float | None:
        """Return the estimated time left, or None before the first job has ended."""
        known = [seconds for times in self._times.values() for seconds in times]
        if not known:
            return None
        lefts = [self._framework_left(framework, sum(known) / len(known)) for framework in self._left]
        return max(lefts) if self._side_by_side else sum(lefts)

    def _framework_left(self, framework: str, otherwise: float) -> float:
        """Return the time left for one framework's jobs; ``otherwise`` is the time per job where none has ended."""
        times = self._times[framework]
        mean = sum(times) / len(times) if times else otherwise
        now = monotonic()
        elapsed = [now - began for job, began in self._running if job.spec.framework == framework]
        return mean * self._left[framework] - sum(min(mean, spent) for spent in elapsed)

    @property
    def running(self) -> str:
        """What is being worked on, in words."""
        return ", ".join(f"{job.spec.method} {job.spec.framework}" for job, _ in self._running)

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
        elif left is not None:
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)


class View(Protocol):
    """Something that shows how far work has come."""

    def __enter__(self) -> View:
        """Begin."""

    def __exit__(self, *problem: object) -> None:
        """End."""

    def hear(self, event: Event) -> None:
        """Show an event."""


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *problem: object) -> None:
        return None

    def hear(self, event: Event) -> None:
        """Show nothing."""


class PlainLines:
    """One line per ended job, and in between one now and then."""

    def __init__(self, pace: Pace, console: Console) -> None:
        self._pace = pace
        self._console = console
        self._spoke = monotonic()
        self._said: set[str] = set()

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *problem: object) -> None:
        return None

    def hear(self, event: Event) -> None:
        """Print a line where it is due."""
        self._pace.hear(event)
        if isinstance(event, Ended):
            self._print(_result(event, self._said))
        elif monotonic() - self._spoke >= QUIET_SECONDS:
            self._print(f"working on {self._pace.running}")

    def _print(self, text: str) -> None:
        self._spoke = monotonic()
        pace = f" ({self._pace.text})" if self._pace.text else ""
        line = f"[{self._pace.ended}/{self._pace.total}] {text}{pace}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bar:
    """A progress bar with jobs, images per second and time left; what went wrong is printed above it, each once.

    Parameters
    ----------
    pace, console
        What is shown, and where.
    noun
        What the jobs are called.
    """

    def __init__(self, pace: Pace, console: Console, noun: str = "cells") -> None:
        self._pace = pace
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(noun),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            console=console,
        )
        self._bar = self._progress.add_task(noun, total=pace.total, shown="starting")
        self._said: set[str] = set()

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *problem: object) -> None:
        # Where work was stopped, what was being worked on is so no longer.
        self._progress.update(self._bar, shown=self._pace.text)
        self._progress.stop()

    def hear(self, event: Event) -> None:
        """Move the bar."""
        self._pace.hear(event)
        if isinstance(event, Ended) and _to_tell(event.outcome) not in {"", *self._said}:
            line = _result(event, self._said)
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        running = f" · {escape(self._pace.running)}" if self._pace.running else ""
        self._progress.update(self._bar, completed=self._pace.ended, shown=f"{self._pace.text}{running}")


def view_of(
    jobs: Sequence[Planned],
    side_by_side: bool,
    shown: bool = True,
    console: Console | None = None,
    notes: Sequence[str] = (),
    noun: str = "cells",
) -> View:
    """Return a bar where standard error is a terminal, plain lines where not, or silence; notes are printed first."""
    if not shown:
        return Silence()
    console = console or Console(stderr=True)
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if not jobs:
        return Silence()
    pace = Pace(jobs, side_by_side)
    return Bar(pace, console, noun) if console.is_terminal else PlainLines(pace, console)


def _to_tell(outcome: Outcome) -> str:
    """Return what there is to tell beyond that something is done: an error, a reason, or a result's own words."""
    if isinstance(outcome, Finished):
        return outcome.words
    return outcome.error if isinstance(outcome, Failed) else outcome.reason


def _result(event: Ended, said: set[str]) -> str:
    """Return in one line how a job ended; an error or reason is written out once and added to ``said``."""
    label, told = event.job.spec.label, _to_tell(event.outcome)
    if isinstance(event.outcome, Finished):
        return f"{label}: {told or f'done in {event.seconds:.1f} s'}"
    failed = isinstance(event.outcome, Failed)
    text = told if told not in said else "the same error" if failed else "the same reason"
    said.add(told)
    return f"{label}: {'FAILED' if failed else 'not applicable'}: {text}"
