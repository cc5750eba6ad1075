"""Which samples are taken where not all are: spread over the classes, the same ones everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import BadInput
from .arrays import hash_order
from .base import Dataset, Subset

DRAW = "heatmark samples"
"""What the order of samples within their classes is drawn from: the same on every machine and in every version."""


@dataclass(frozen=True)
class Choice:
    """How many samples of a dataset are taken; all where nothing is given.

    The first samples are taken where they are spread over the classes as evenly as so many can be, which holds for
    generated data, whose classes take turns. Else every class gives one sample after another, in an order that is drawn
    once and for all, until there are enough; samples without a label count as one class. Where there are no labels, or
    knowing them would read every sample (a dataset without a `Dataset.label` of its own), samples are taken at equal
    distances. They keep the dataset's order.
    """

    limit: int | None = None
    """At most so many in all."""
    per_class: int | None = None
    """At most so many of each class; samples without a label are left out."""

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("per_class", self.per_class)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise BadInput(f"{name} is a whole number of at least 1, got {value!r}.")

    def of(self, dataset: Dataset) -> Dataset:
        """Return the chosen samples; the dataset itself where that is all of them.

        Raises
        ------
        BadInput
            If samples per class are asked of a dataset without labels.
        """
        positions = self.positions(dataset)
        if len(positions) == len(dataset):
            return dataset
        return Head(dataset, positions) if _is_head(positions) else Subset(dataset, positions)

    def positions(self, dataset: Dataset) -> Sequence[int]:
        """Return the positions of the chosen samples, rising."""
        everything = range(len(dataset))
        if self.per_class is None and (self.limit is None or self.limit >= len(dataset)):
            return everything
        labels = known_labels(dataset)
        if self.per_class is None:
            assert self.limit is not None
            return _evenly(len(dataset), self.limit) if labels is None else spread(everything, labels, self.limit)
        labels = labels or [dataset.label(index) for index in everything]
        among = [index for index in everything if labels[index] >= 0]
        if not among:
            raise BadInput(f"{dataset.name} has no labels, so no samples of each class can be taken. Give a limit.")
        sizes = Counter(labels[index] for index in among)
        count = sum(min(self.per_class, size) for size in sizes.values())
        return spread(among, labels, count if self.limit is None else min(count, self.limit))


class Head(Subset):
    """The first samples of a dataset, under the revision of the whole: their range is told beside it."""

    @property
    def revision(self) -> str:  # type: ignore[override]  # the parent's, which may be worked out late
        """The parent's revision."""
        return self.parent.revision


def known_labels(dataset: Dataset) -> list[int] | None:
    """Return every sample's label, or None where there are none or knowing them would read every sample."""
    whole = dataset
    while isinstance(whole, Subset):
        whole = whole.parent
    if type(whole).label is Dataset.label:
        return None
    labels = [dataset.label(index) for index in range(len(dataset))]
    return labels if any(label >= 0 for label in labels) else None


def spread(among: Sequence[int], labels: Sequence[int], count: int) -> list[int]:
    """Return ``count`` of some positions, rising, as evenly over the classes as can be; see `Choice`.

    Parameters
    ----------
    among
        Positions, rising.
    labels
        One for each position of the dataset, -1 where there is none.
    """
    head = list(among[:count])
    available = Counter(labels[index] for index in among)
    if _as_even_as_can_be(Counter(labels[index] for index in head), available):
        return head
    drawn = [among[int(place)] for place in hash_order(len(among), DRAW)]
    return sorted(_in_turns(drawn, labels)[:count])


def _evenly(length: int, count: int) -> list[int]:
    """Return ``count`` positions at equal distances among ``length``."""
    return [place * length // count for place in range(count)]


def _in_turns(order: Iterable[int], labels: Sequence[int]) -> list[int]:
    """Return positions in an order in which classes take turns; within a class the order stays."""
    met: Counter[int] = Counter()
    turns = []
    for place, index in enumerate(order):
        turns.append((met[labels[index]], place, index))
        met[labels[index]] += 1
    return [index for _, _, index in sorted(turns)]


def _as_even_as_can_be(chosen: Counter[int], available: Counter[int]) -> bool:
    """Return whether no class could have one more instead of a class that has two more than it."""
    most = max(chosen.values(), default=0)
    return all(chosen[label] >= most - 1 or chosen[label] == count for label, count in available.items())


def _is_head(positions: Sequence[int]) -> bool:
    return bool(positions) and positions[-1] == len(positions) - 1
