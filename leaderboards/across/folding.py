"""Variants folded under their base method, so that a method with many of them counts once.

Which variant stands for a method is decided before any score is looked at: to take the best would be to select by the
outcome, and would favour whoever brings most variants. It is the default where that was run, and else the mean of all
variants: what a variant taken at random scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...errors import HeatmarkError
from ...methods.registry import METHODS
from ...selection import parse_selection
from ..standings.registered import MethodFacts


@dataclass(frozen=True)
class Folded:
    """A method with what stands for it."""

    method: MethodFacts
    """Named by its base where it stands for several variants."""
    taken: tuple[str, ...]
    """The canonical texts whose scores are its own; the mean of several."""
    others: tuple[str, ...] = ()
    """Further variants, which are left out."""

    @property
    def rule(self) -> str:
        """In words what was made of its variants; empty where it has but one."""
        if len(self.taken) > 1:
            return f"mean of {len(self.taken)} variants"
        return f"default; {len(self.others)} more left out" if self.others else ""


def folded(methods: Iterable[MethodFacts], fold: bool = True) -> list[Folded]:
    """Return the methods with their variants folded, in the order of first appearance; each by itself if not ``fold``.

    A single variant stands for itself, under its own name.
    """
    groups: dict[str, list[MethodFacts]] = {}
    for method in methods:
        groups.setdefault(base_of(method.id) if fold else method.id, []).append(method)
    return [_folded(base, variants) for base, variants in groups.items()]


def base_of(method: str) -> str:
    """Return the method that a canonical text is a variant of: its name, with the inner method of a wrapper."""
    try:
        selection = parse_selection(method)
    except HeatmarkError:  # the name on a board of several runs, which tells two versions apart
        return method
    try:
        wraps = METHODS.get(selection.name).wraps
    except HeatmarkError:  # a plugin's that is not loaded any more
        wraps = False
    return f"{selection.name}[{base_of(selection.variant)}]" if wraps and selection.variant else selection.name


def _folded(base: str, variants: Sequence[MethodFacts]) -> Folded:
    texts = tuple(method.id for method in variants)
    default = next((method for method in variants if method.id == base), None)
    if default is not None:
        return Folded(default, (base,), tuple(text for text in texts if text != base))
    if len(variants) == 1:
        return Folded(variants[0], texts)
    return Folded(replace(variants[0], id=base, parameters={}), texts)
