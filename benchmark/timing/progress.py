"""Showing how far a runtime benchmark has come: a bar in a terminal, one line per row elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from .rows import Measurement, NotMeasured


class RuntimeView:
    """Tells which row is being measured, how each one ended, and about how long the others will take.

    Parameters
    ----------
    total
        The number of rows.
    console
        Where to.
    bar
        The bar of a terminal, or None for plain lines.
    """

    def __init__(self, total: int, console: Console | None, bar: Progress | None = None) -> None:
        self._total = total
        self._console = console
        self._bar = bar
        self._task = None if bar is None else bar.add_task("rows", total=total, shown="starting")
        self._ended = 0
        self._began = monotonic()

    def working_on(self, label: str) -> None:
        """Say what is being done now."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._ended, shown=f"{self._left()}{escape(label)}")

    def ended(self, row: Measurement | NotMeasured) -> None:
        """Say how a row ended."""
        self._ended += 1
        if self._console is not None:
            line = f"[{self._ended}/{self._total}] {row.case.label}: {in_words(row)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self.working_on("")

    def skip(self, rows: int) -> None:
        """Count rows as ended without a word."""
        self._ended += rows
        self.working_on("")

    def say(self, text: str) -> None:
        """Print a line."""
        if self._console is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        if not self._ended or self._ended >= self._total:
            return ""
        seconds = (monotonic() - self._began) / self._ended * (self._total - self._ended)
        return f"{timedelta(seconds=round(seconds))} left · "


def in_words(row: Measurement | NotMeasured) -> str:
    """Return how a row ended in a few words."""
    if isinstance(row, NotMeasured):
        return f"{'FAILED' if row.failed else 'not applicable'}: {row.reason}"
    milliseconds = 1000 * row.latency.median
    noisy = f", noisy (quartiles {row.latency.relative:.0%} of the median apart)" if row.noisy else ""
    return f"{milliseconds:.3g} ms an image, {row.throughput:.3g} images/s{noisy}"


@contextmanager
def runtime_view(total: int, shown: bool = True, console: Console | None = None) -> Iterator[RuntimeView]:
    """Yield a view on standard error: a bar above which rows are listed, plain lines, or silence."""
    if not shown:
        yield RuntimeView(total, None)
        return
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield RuntimeView(total, console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("rows"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
    )
    with Progress(*columns, console=console) as bar:
        yield RuntimeView(total, bar.console, bar)
