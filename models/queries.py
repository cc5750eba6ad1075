"""What is asked of a network, and what it answers, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .arrays.operations import Tensor, TensorOperations

Framework = Literal["torch", "tensorflow"]
Precision = Literal["float32", "bf16"]
ScoreKind = Literal["logit", "probability", "log_probability"]
#: A score of one's own: (array namespace, logits (m, classes) or a layer's output, targets (m,)) to (m,).
ScoreFunction = Callable[[TensorOperations, Tensor, Tensor], Tensor]
BackwardRule = Literal["guided", "deconvnet"]

FRAMEWORKS: tuple[Framework, ...] = ("torch", "tensorflow")
BATCH = 16
"""Samples that are read, explained or scored at a time, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Query:
    """What is asked of the network, whatever the inputs."""

    score: ScoreKind | ScoreFunction = "logit"
    """The scalar of each row that gradients are taken of: the target's logit, probability or log-probability, or a
    function of one's own.
    """
    input_gradient: bool = False
    """Whether the score's gradient with respect to the raw input is wanted."""
    layers: tuple[str, ...] = ()
    """The layers whose outputs are wanted."""
    layer_gradients: bool = False
    """Whether the score's gradients at those layers, and at the attentions, are wanted."""
    dead_layers: bool = False
    """Whether layers that the score does not depend on are answered with zeros; else they are refused by name, for a
    zero that means "not connected" is no gradient.
    """
    rule: BackwardRule | None = None
    """How the backward pass treats ReLUs: None (the true gradient), ``guided`` (Springenberg et al. 2015: only positive
    gradients through active units) or ``deconvnet`` (Zeiler and Fergus 2014: only positive gradients).
    """
    output: str | None = None
    """The layer that a score of one's own reads, in the native layout, instead of the logits."""
    replaced: str | None = None
    """The layer whose output is replaced by what is given with each chunk, for answers from that layer onward."""
    attention: bool = False
    """Whether the attention probabilities of every self-attention are wanted."""
    shortcut: tuple[str, str] | None = None
    """Two layers: the second is given what the first was given instead of what comes to it, so that the score is that
    of earlier features. The first must be called before the second.
    """

    @property
    def backward(self) -> bool:
        """Whether the query needs a backward pass."""
        return self.input_gradient or self.layer_gradients

    @property
    def looks_inside(self) -> bool:
        """Whether the query asks for more than what goes in and what comes out."""
        return bool(self.layers or self.rule or self.output or self.replaced or self.attention or self.shortcut)

    def in_words(self) -> str:
        """Return what is asked, for messages."""
        wanted = ["the gradient at the input"] if self.input_gradient else []
        if self.layers:
            what = "output and gradient" if self.layer_gradients else "output"
            wanted.append(f"the {what} of {', '.join(map(repr, self.layers))}")
        if self.attention:
            wanted.append("attention probabilities")
        if self.replaced:
            wanted.append(f"the output after replacing that of {self.replaced!r}")
        words = " and ".join(wanted or ["its output"])
        return f"{words}, by the {self.rule} rule" if self.rule else words


@dataclass(frozen=True)
class Answer:
    """What the network said for m rows."""

    logits: Tensor
    """(m, classes), float32."""
    input_gradient: Tensor | None = None
    """(m, *input_shape), or None."""
    activations: tuple[Tensor, ...] = ()
    layer_gradients: tuple[Tensor, ...] = ()
    """One tensor per queried layer, in the query's order and the framework's native layout."""
    attentions: tuple[Tensor, ...] = ()
    attention_gradients: tuple[Tensor, ...] = ()
    """One tensor (m, heads, tokens, tokens) per self-attention, in the order in which they are computed; row i holds
    how much of each token goes into token i.
    """


@dataclass(frozen=True)
class PassCount:
    """Rows sent forward and backward through the network."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: PassCount) -> PassCount:
        return PassCount(self.forward + other.forward, self.backward + other.backward)

    def __sub__(self, other: PassCount) -> PassCount:
        return PassCount(self.forward - other.forward, self.backward - other.backward)


@dataclass(frozen=True)
class Layer:
    """A place in the network whose output can be queried."""

    name: str
    """What `Query.layers` takes."""
    kind: str
    """The class of the module or layer."""
    shape: tuple[int, ...]
    """One sample's output shape as the layer gives it, without the batch axis."""
    channel_axis: int | None = None
    """The axis of a batch of its outputs that holds channels, -1 for the last; None where that cannot be told."""
    axis_told_by: str = ""
    """How the channel axis is known, in words."""
    per_sample: bool = True
    """Whether the first axis of its output is that of the samples."""
    composed: bool = False
    """Whether it is no layer by itself, but holds others or computes something between them."""
    repeats: bool = False
    """Whether it gives what the layer called before gave, value by value."""

    @property
    def spatial(self) -> tuple[int, ...] | None:
        """The sizes of its other axes, its positions; None where the channel axis cannot be told."""
        if self.channel_axis is None:
            return None
        place = len(self.shape) - 1 if self.channel_axis == -1 else self.channel_axis - 1
        return (*self.shape[:place], *self.shape[place + 1 :])


@dataclass(frozen=True)
class Computed:
    """One operation that a network computes."""

    name: str
    """The framework's own name for it, such as ``relu`` or ``FusedBatchNormV3``."""
    place: str
    """The layer or scope that it is computed in; ``""`` for the network itself."""
    random: bool
    """Whether it draws random numbers."""
    by_batch: bool
    """Whether it normalises by what stands in the batch."""
    bounded: bool = False
    """Whether it is a ReLU with an upper bound."""


@dataclass(frozen=True)
class Rectifiers:
    """The ReLUs and ReLU6 that a network computes, as a backward rule sees them."""

    caught: int
    """Those whose backward pass the rule governs."""
    missed: int = 0
    """Those out of its reach."""
    where: str = ""
    """What those are inside of, and the remedy."""

    @property
    def there(self) -> int:
        """All of them."""
        return self.caught + self.missed


@dataclass(frozen=True)
class AttentionLayer:
    """A place where tokens attend to tokens: a softmax over the last axis of (rows, heads, tokens, tokens)."""

    heads: int
    tokens: int
    """How many."""
    parts: int
    """Into how many parts (windows) a sample is cut, each of which attends to itself alone; 1 for all to all."""
    norms: tuple[str, ...]
    """The names of the normalisation layers called since the attention before, in order."""


@dataclass(frozen=True)
class LayerBias:
    """A constant that a layer adds to each channel of its output."""

    name: str
    """What `Query.layers` takes: the layer, before its activation where the two are one."""
    layer: Layer
    """The layer."""
    values: np.ndarray
    """(channels,): a convolution's or dense layer's bias; shift - scale mean / deviation of a batch normalisation."""
