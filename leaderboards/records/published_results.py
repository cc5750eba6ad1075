"""Published results: what papers and public repositories report, as data, with how it was read and what is known of it.

``leaderboards/published/*.toml`` holds one file for each source (`published.py` reads them). A file is a `Paper`, which
has tables; a table is one network on one data set, with a column for each metric and a row for each method. What
heatmark has for a metric, method, network or data set stands beside the words of the source, and where it has nothing,
the reason does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: What has to be the same before two numbers may be compared.
Part = Literal["protocol", "model", "dataset", "count"]
PARTS: tuple[Part, ...] = ("protocol", "model", "dataset", "count")


@dataclass(frozen=True)
class Column:
    """A metric as a table reports it."""

    name: str
    """Its heading in the table."""
    protocol: str
    """What was done, in words."""
    higher_is_better: bool
    metric: str = ""
    """Heatmark's metric with the preset that is this protocol, or else the nearest one; empty where there is none."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The fields of that metric which are this protocol (``levels.steps``); the file is refused once they are not."""
    differs: str = ""
    """Why no metric or preset of heatmark's is this protocol; empty where one is."""
    untold: str = ""
    """What of the protocol the source does not tell."""
    left_open: str = ""
    """Small things that remain different although the preset matches; the tolerance is for them."""
    unit: str = ""
    """``%``, or empty for a number without one."""
    scale: float = 1.0
    """A published value times this is in the unit of heatmark's metric."""
    tolerance: float | None = None
    """How far a right value may lie from the published one, in the published unit, besides sampling."""
    because: str = ""
    """Why so far."""

    @property
    def arrow(self) -> str:
        """The direction of better."""
        return "↑" if self.higher_is_better else "↓"

    @property
    def title(self) -> str:
        """Its heading, with unit and direction."""
        return " ".join(filter(None, (self.name, self.unit, self.arrow)))


@dataclass(frozen=True)
class Measured:
    """A value that heatmark measured for a published one."""

    value: float
    """In the published unit."""
    command: str
    """What made the run."""
    differs: str
    """What is not as in the source, by `Part`."""
    untold: str = ""
    """What the source does not tell, by `Part`; only where neither is said is it a reproduction."""
    interval: tuple[float, float] | None = None
    """The 95 % interval of the value over samples."""


@dataclass(frozen=True)
class Best:
    """The best value known for a published one, where that is another than the one claimed."""

    value: float
    source: str


@dataclass(frozen=True)
class Row:
    """A method as a table reports it; mappings are by the name of a column."""

    method: str
    """As the source calls it."""
    entry: str = ""
    """Heatmark's method, or empty where it has none."""
    differs: str = ""
    """Why that is not the method as published, or why there is none."""
    untold: str = ""
    """What of its parameters the source does not tell."""
    claimed: Mapping[str, float] = field(default_factory=dict)
    in_words: Mapping[str, str] = field(default_factory=dict)
    """What the source claims: numbers as they stand there, or words where it shows no number."""
    spread: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The lowest and highest value where several are reported."""
    measured: Mapping[str, Measured] = field(default_factory=dict)
    best: Mapping[str, Best] = field(default_factory=dict)
    unreliable: str = ""
    """Why its numbers are known to be unreliable; empty where nothing is known against them."""


@dataclass(frozen=True)
class PublishedTable:
    """One network on one data set."""

    name: str
    """What it is called here."""
    where: str
    """Which table, figure or page of the source it is."""
    model: str
    data: str
    """The network with its weights, and the data, in words."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    model_entry: str = ""
    data_entry: str = ""
    """The same as heatmark calls them, or empty where it has not got them."""
    images: int | None = None
    """The number of samples, or None where the source does not tell."""
    target: Literal["predicted", "label"] | None = None
    """Which class is explained, or None where the source does not tell."""
    untold: Mapping[str, str] = field(default_factory=dict)
    """What the source does not tell, by `Part`."""
    no_command: str = ""
    """Why no command reproduces it; empty where one does."""
    limit: int | None = None
    """How many samples a command takes where ``images`` is not told; all where None."""

    @property
    def values(self) -> int:
        """How many values it holds."""
        return sum(len(row.claimed) + len(row.in_words) for row in self.rows)


@dataclass(frozen=True)
class Paper:
    """One source of published results."""

    title: str
    """What it is, in a few words."""
    citation: str
    """Authors, year, title, place of the paper behind it."""
    link: str
    read: Literal["first hand", "second hand"]
    """Whether the numbers were read in the source itself."""
    source: str
    """What was read, to the page or file; for numbers read second hand, the secondary source."""
    tables: tuple[PublishedTable, ...]
    warnings: tuple[str, ...] = ()
    """What to mind when numbers are put beside these."""
    name: str = ""
    """The file's name without its ending."""
    file: str = ""
    """The path of the file where it is not one of heatmark's own."""

    @property
    def values(self) -> int:
        """How many values it holds."""
        return sum(table.values for table in self.tables)

    def plain(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return asdict(self)
