"""Showing how far a run has come: a bar in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ..work.messages import Advanced, Ended, Event, Failed, Finished, Job, Outcome, Started

WINDOW_SECONDS = 15.0
"""The rate of images is taken over this time."""

QUIET_SECONDS = 10.0
"""Without a terminal, a line on how far things are comes at most this often."""


class Pace:
    """Counts cells and images, and estimates the time left.

    Frameworks run side by side or one after another; each one's time left is its mean time per cell times its cells
    left.

    Parameters
    ----------
    jobs
        The cells to do.
    side_by_side
        Whether the frameworks run at the same time.
    """

    def __init__(self, jobs: Sequence[Job], side_by_side: bool) -> None:
        self.total = len(jobs)
        self.ended = 0
        self._running: list[tuple[Job, float]] = []
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
        """Return the estimated time left, or None before the first cell has ended."""
        known = [seconds for times in self._times.values() for seconds in times]
        if not known:
            return None
        lefts = [self._framework_left(framework, sum(known) / len(known)) for framework in self._left]
        return max(lefts) if self._side_by_side else sum(lefts)

    def _framework_left(self, framework: str, otherwise: float) -> float:
        """Return the time left for one framework's cells; ``otherwise`` is the time per cell where none has ended."""
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
        if self.ended == self.total:
            took = monotonic() - self._began
            return f"{self._all_images / max(took, 1e-3):.0f} images/s, took {timedelta(seconds=round(took))}"
        left = self.seconds_left()
        remaining = "" if left is None else f", {timedelta(seconds=round(left))} left"
        return f"{self.images_per_second():.0f} images/s{remaining}"


class View(Protocol):
    """Something that shows a run."""

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
    """One line per ended cell, and in between one now and then."""

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
            self._print(f"{_result(event, self._said)} ({self._pace.text})")
        elif monotonic() - self._spoke >= QUIET_SECONDS:
            self._print(f"working on {self._pace.running} ({self._pace.text})")

    def _print(self, text: str) -> None:
        self._spoke = monotonic()
        line = f"[{self._pace.ended}/{self._pace.total}] {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bar:
    """A progress bar with cells, images per second and time left; what went wrong is printed above it, each once."""

    def __init__(self, pace: Pace, console: Console) -> None:
        self._pace = pace
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("cells"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            console=console,
        )
        self._bar = self._progress.add_task("cells", total=pace.total, shown="starting")
        self._said: set[str] = set()

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *problem: object) -> None:
        # Where the run was stopped, what was being worked on is so no longer.
        self._progress.update(self._bar, shown=self._pace.text)
        self._progress.stop()

    def hear(self, event: Event) -> None:
        """Move the bar."""
        self._pace.hear(event)
        if isinstance(event, Ended) and _why(event.outcome) not in {"", *self._said}:
            line = _result(event, self._said)
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        running = f" · {escape(self._pace.running)}" if self._pace.running else ""
        self._progress.update(self._bar, completed=self._pace.ended, shown=f"{self._pace.text}{running}")


def view_of(
    jobs: Sequence[Job],
    side_by_side: bool,
    shown: bool = True,
    console: Console | None = None,
    notes: Sequence[str] = (),
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
    return Bar(pace, console) if console.is_terminal else PlainLines(pace, console)


def _why(outcome: Outcome) -> str:
    """Return the error or reason for which a cell has no result; nothing where it has one."""
    if isinstance(outcome, Finished):
        return ""
    return outcome.error if isinstance(outcome, Failed) else outcome.reason


def _result(event: Ended, said: set[str]) -> str:
    """Return in one line how a cell ended; an error or reason is written out once and added to ``said``."""
    label, why = event.job.spec.label, _why(event.outcome)
    if isinstance(event.outcome, Finished):
        return f"{label}: {event.outcome.words or f'done in {event.seconds:.1f} s'}"
    failed = isinstance(event.outcome, Failed)
    again = "the same error" if failed else "the same reason"
    text = again if why in said else why
    said.add(why)
    return f"{label}: {'FAILED' if failed else 'not applicable'}: {text}"
