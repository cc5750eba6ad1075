"""What is found inside a network: its layers, what it computes, and what of that can be reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from .queries import AttentionLayer, Computed, Layer, LayerBias, Rectifiers

Found = TypeVar("Found")


class Insides(ABC):
    """What is known of a network's inside; each is worked out once, by the framework's way to look."""

    name: str
    """Its name in tables."""

    @abstractmethod
    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """Return what ``find`` gives, worked out once for this network, preprocessing and input shape."""

    @abstractmethod
    def failures_told(self, asked: str) -> AbstractContextManager[None]:
        """Return a context that raises NetworkFailed, with what was asked for, for whatever the network raises in it.

        What heatmark says itself, and a lack of memory, pass as they are.
        """

    def _looked_for(self, what: str, find: Callable[[], Found]) -> Found:
        def told() -> Found:
            with self.failures_told(f"its {what}"):
                return find()

        return self.once(what, told)

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers in the order in which their outputs are last computed."""
        return self._looked_for("layers", self._find_layers)

    @abstractmethod
    def biases(self) -> tuple[LayerBias, ...]:
        """Return the layers that add a constant to each channel, with it: what FullGrad calls biases."""

    def computed(self) -> tuple[Computed, ...]:
        """Return the operations that the network computes for one input, its preprocessing among them."""
        return self._looked_for("operations", self._find_computed)

    @property
    def unreached(self) -> str:
        """What of the network is out of the reach of hooks, with the remedy; empty where nothing is known to be."""
        return ""

    def rectifiers(self) -> Rectifiers:
        """Return how many ReLUs and ReLU6 the network computes, and how many of them a backward rule reaches."""
        return self._looked_for("ReLUs", self._find_rectifiers)

    def has_rectifiers(self) -> bool:
        """Return whether the network computes any ReLU or ReLU6."""
        return self.rectifiers().there > 0

    def why_no_rule(self) -> str | None:
        """Return why a backward rule for ReLUs would not be what it says, or None where it is."""
        found = self.rectifiers()
        if not found.there:
            return f"{self.name} has no ReLU"
        if not found.missed:
            return None
        return f"of the {found.there} ReLUs of {self.name}, {found.missed} are out of the rule's reach: {found.where}"

    def attentions(self) -> tuple[AttentionLayer, ...]:
        """Return the places where tokens attend to tokens, in the order in which they are computed."""
        return self._looked_for("attention", self._find_attentions)

    def has_attention(self) -> bool:
        """Return whether the network computes any attention of tokens to tokens."""
        return bool(self.attentions())

    @abstractmethod
    def hidden_state(self) -> list[str]:
        """Return the names of what may hold numbers that are no part of the weights' identity."""

    @abstractmethod
    def state_now(self) -> dict[str, Any]:
        """Return what stands for each part of the network and for the framework's settings, by its name in words."""

    @abstractmethod
    def _find_layers(self) -> tuple[Layer, ...]: ...

    @abstractmethod
    def _find_computed(self) -> tuple[Computed, ...]: ...

    @abstractmethod
    def _find_rectifiers(self) -> Rectifiers: ...

    @abstractmethod
    def _find_attentions(self) -> tuple[AttentionLayer, ...]: ...
