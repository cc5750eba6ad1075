"""What two runs have in common: settings, methods and metrics, and in what those that are nearly the same differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...identity import digest
from ..standings.results import Results, framework_text
from ..standings.told_apart import Identity, fields_apart

_FIELDS: tuple[tuple[str, Callable[[Results], str]], ...] = (
    ("explained class", lambda one: one.setting.target),
    ("framework", lambda one: framework_text(one.setting.framework)),
    ("precision", lambda one: one.setting.precision),
    ("weights", lambda one: one.weights[:8]),
    ("samples", lambda one: f"{len(one.samples)}, data {one.revision[:8]}"),
    ("seed", lambda one: ", ".join(map(str, one.seeds))),
    ("device", lambda one: one.device),
)
"""In what settings of one model and dataset may differ, what separates them most first."""


Entry = tuple[str, str, Identity]
"""A method or metric: its name on the board, its canonical text, and what it is."""


@dataclass(frozen=True, eq=False)
class Matched:
    """A setting of each of two runs, of the same model and dataset."""

    first: Results
    second: Results
    differs: tuple[str, ...]
    """In what the two settings differ, in words; nothing where all is the same."""


def matched_settings(first: Sequence[Results], second: Sequence[Results]) -> list[Matched]:
    """Return the settings that belong together, each at most once, in the order of the first run.

    Of one model and dataset those go together that differ in the least. A run in PyTorch is so put beside one in
    TensorFlow where neither has the other's framework, which ``differs`` then tells.
    """
    near = sorted(
        (_distance(one, other), place, number)
        for place, one in enumerate(first)
        for number, other in enumerate(second)
        if _task(one) == _task(other)
    )
    found: dict[int, Matched] = {}
    taken: set[int] = set()
    for _, place, number in near:
        if place not in found and number not in taken:
            found[place] = Matched(first[place], second[number], tuple(_words(first[place], second[number])))
            taken.add(number)
    return [found[place] for place in sorted(found)]


def _task(results: Results) -> tuple[str, str]:
    return results.setting.task.model, results.setting.task.dataset


def _distance(one: Results, other: Results) -> tuple[bool, ...]:
    return tuple(value(one) != value(other) for _, value in _FIELDS)


def _words(one: Results, other: Results) -> Iterator[str]:
    for name, value in _FIELDS:
        if value(one) != value(other):
            yield f"{name}: {value(one)} and {value(other)}"


@dataclass(frozen=True)
class MatchedEntries:
    """The methods, or the metrics, of two settings."""

    both: tuple[tuple[int, int], ...]
    """The positions in the first and in the second of what both have."""
    only: tuple[tuple[str, ...], tuple[str, ...]]
    """The names of what one of them has alone."""
    redefined: tuple[str, ...]
    """In what those differ that have one text and two definitions, in words."""


def matched_entries(first: Sequence[Entry], second: Sequence[Entry], *, by_text: bool) -> MatchedEntries:
    """Match entries by what they are.

    Parameters
    ----------
    first, second
        The methods, or the metrics, of each.
    by_text
        Whether entries of one text go together although they are defined differently, such as two versions of a method.
        Scores of two protocols of a metric are never put beside one another.
    """
    keys = [[digest(identity) if identity else text for _, text, identity in side] for side in (first, second)]
    there: Mapping[str, int] = {key: number for number, key in enumerate(keys[1])}
    both = {place: there[key] for place, key in enumerate(keys[0]) if key in there}
    free = [number for number in range(len(second)) if number not in both.values()]
    redefined = []
    for place, (_, text, identity) in enumerate(first):
        other = next((number for number in free if second[number][1] == text), None)
        if place not in both and other is not None:
            redefined.append(f"{text}: {', '.join(fields_apart(identity, second[other][2]))}")
            if by_text:
                both[place] = other
                free.remove(other)
    left = set(both.values())
    return MatchedEntries(
        tuple(sorted(both.items())),
        (
            tuple(name for place, (name, _, _) in enumerate(first) if place not in both),
            tuple(name for number, (name, _, _) in enumerate(second) if number not in left),
        ),
        tuple(redefined),
    )
