"""Randomised copies of a network: some of its layers get fresh random parameters, and the others keep theirs.

The user's network itself holds the random values for a while and gets its own back, to the bit, when the copy is no
longer needed: nothing is copied, traced, or tuned again, and whatever reads parameters sees the random ones.

Random values come from the bank, by the layer's name and in one canonical layout, so that the same layers of a PyTorch
and a Keras network get the same values: kernels are drawn as (outputs, inputs, *window), as PyTorch stores them, and
a dense layer after a flattening counts its inputs channels first.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...errors import UnknownName, suggestion
from ..interface import Interface
from ..queries import Layer
from ..random_bank import RandomBank

#: What a fresh array holds. ``kernel``: normal numbers of variance 2 / inputs (He, Zhang, Ren, Sun 2015); ``zero`` and
#: ``one``: biases, and the scales and statistics of normalisation; ``like``: normal numbers with the mean and the
#: deviation that the array has, for parameters of which nothing is known.
Freshness = Literal["kernel", "zero", "one", "like"]


@dataclass(frozen=True, kw_only=True)
class ParameterArray(ABC):
    """One array of parameters or statistics where the network keeps it."""

    name: str
    """Canonical, the same in both frameworks where the layers are: ``weight``, ``bias``, ``running_mean``, ..."""
    fresh: Freshness
    """What it holds after randomising."""
    shape: tuple[int, ...]
    """The canonical shape, that of a kernel with its outputs first."""
    native: Callable[[np.ndarray], np.ndarray] = lambda values: values
    """From an array of the canonical shape to one as the framework keeps it."""

    @abstractmethod
    def value(self) -> np.ndarray:
        """Return the values, float32, as the framework keeps them."""

    @abstractmethod
    def assign(self, values: np.ndarray) -> None:
        """Take other values, given as the framework keeps them."""

    @abstractmethod
    def kept(self) -> Any:
        """Return an exact copy of the values."""

    @abstractmethod
    def restore(self, kept: Any) -> None:
        """Take back what `kept` returned."""

    def randomise(self, layer: str, bank: RandomBank) -> None:
        """Take fresh values."""
        if self.fresh in ("zero", "one"):
            self.assign(self.native(np.full(self.shape, float(self.fresh == "one"), np.float32)))
            return
        stream = f"parameters {layer.replace('/', '.')}.{self.name}"
        drawn = bank.generator(stream).standard_normal(self.shape, dtype=np.float32)
        if self.fresh == "kernel":
            drawn *= np.float32(math.sqrt(2 / math.prod(self.shape[1:])))
        else:
            value = self.value().astype(np.float64)
            drawn = (drawn * value.std() + value.mean()).astype(np.float32)
        self.assign(self.native(drawn))


@dataclass(frozen=True)
class Owner:
    """A module or layer that holds arrays of its own, not those of what is inside it."""

    name: str
    arrays: tuple[ParameterArray, ...]

    @property
    def begins(self) -> bool:
        """Whether it has a kernel, or at least a matrix, and so counts as a layer by itself."""
        return any(item.fresh == "kernel" or (item.fresh == "like" and len(item.shape) > 1) for item in self.arrays)


@dataclass(frozen=True)
class ParameterLayer:
    """What is randomised together: a layer with a kernel, and what follows it without one (normalisation, biases)."""

    name: str
    """The layer with the kernel."""
    owners: tuple[Owner, ...]
    """The layers whose arrays are meant."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return sum(math.prod(item.shape) for owner in self.owners for item in owner.arrays)


def grouped(owners: Iterable[Owner]) -> tuple[ParameterLayer, ...]:
    """Return the layers that owners, in the order in which they are computed, make up.

    What stands before the first kernel goes with it.
    """
    groups: list[list[Owner]] = []
    for owner in owners:
        if not owner.arrays:
            continue
        if not groups or (owner.begins and any(item.begins for item in groups[-1])):
            groups.append([])
        groups[-1].append(owner)
    return tuple(
        ParameterLayer(next((item.name for item in group if item.begins), group[0].name), tuple(group))
        for group in groups
    )


def in_order(owners: Sequence[Owner], layers: Sequence[Layer], separator: str) -> list[Owner]:
    """Return owners in the order in which they are computed.

    Parameters
    ----------
    owners
        In the order of definition, those without arrays among them; the name of the whole network is empty.
    layers
        Those whose outputs were seen, in the order in which they were.
    separator
        Between the parts of a name.

    What contains others stands before the first of these (a class token, position embeddings). What was not seen by
    itself (the projections inside an attention, an output that is no tensor) follows what is defined before it.
    """
    computed = {layer.name: place for place, layer in enumerate(layers)}
    first_inside: dict[str, int] = {}
    for name, place in computed.items():
        parts = name.split(separator)
        for end in range(len(parts)):
            outer = separator.join(parts[:end])
            first_inside[outer] = min(first_inside.get(outer, place), place)
    places: list[tuple[float, int]] = []
    last = -1.0
    for number, owner in enumerate(owners):
        if owner.name in first_inside:
            places.append((first_inside[owner.name] - 0.5, number))
        else:
            last = float(computed.get(owner.name, last))
            places.append((last, number))
    return [owners[number] for _, number in sorted(places)]


@contextmanager
def randomised(model: Interface, layers: Iterable[ParameterLayer], names: Sequence[str], seed: int) -> Iterator[None]:
    """While active, let the named ones of a model's layers hold random values; see `Model.randomised`."""
    known = {layer.name: layer for layer in layers}
    for name in names:
        if name not in known:
            raise UnknownName(f"{model.name} has no layer {name!r} with parameters.{suggestion(name, known)}")
    bank = RandomBank(seed)
    weights_id, before = model.known_weights_id, model.randomised_now
    kept: list[tuple[ParameterArray, Any]] = []
    try:
        model.known_weights_id = None  # what identifies the weights is now worked out from them
        model.randomised_now = (*before, (tuple(names), seed))
        for owner in (owner for name in names for owner in known[name].owners):
            for array in owner.arrays:
                kept.append((array, array.kept()))
                array.randomise(owner.name, bank)
        yield
    finally:
        for array, values in reversed(kept):
            array.restore(values)
        model.known_weights_id, model.randomised_now = weights_id, before
