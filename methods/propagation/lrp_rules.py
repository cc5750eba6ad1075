"""The rules of layer-wise relevance propagation, each for one node of a network's graph.

Bach et al. 2015 (epsilon, alpha-beta), Montavon et al. 2017, "Explaining nonlinear classification decisions with deep
Taylor decomposition" (z+, z-box), and Montavon et al. 2019, "Layer-wise relevance propagation: an overview" (gamma),
with the treatment of negative inputs that zennit gives them. A bias takes part in every denominator and keeps its
share, so that the sum of the relevance falls by what biases absorb (and rises where their share is negative).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...datasets.samples import UNIT
from ...models.arrays.operations import Tensor, TensorOperations
from ...models.graph.graph import Diagonal, Linear, Mixing, Network, Nonlinearity
from .passes import Step, linear_map

Change = Callable[[Tensor], Tensor]

STABILIZER = 1e-6
"""Added to a denominator's magnitude by every rule but epsilon, as in zennit."""


@dataclass(frozen=True)
class Rules:
    """Which rule each kind of node follows."""

    convolutions: str = "epsilon"
    """``epsilon``, ``z_plus``, ``alpha_beta`` or ``gamma``; dense layers follow the epsilon rule."""
    first: str = "same"
    """``z_box`` for the convolutions that read the raw input (normalised, padded), or ``same``."""
    epsilon: float = 1e-6
    alpha: float = 2.0
    gamma: float = 0.25
    """The rules' parameters; beta is alpha - 1."""
    domain: tuple[float, float] = UNIT
    """The lowest and the highest raw value, which the z-box rule goes by."""

    def shared(self, network: Network, raw: Tensor, step: Step, relevance: Tensor) -> tuple[Tensor, ...]:
        """Return the relevance of each of a node's inputs; ``raw`` is the network's input (m, *input_shape)."""
        node, operations = step.node, network.operations
        if isinstance(node, Nonlinearity | Diagonal):
            return (relevance,)
        if isinstance(node, Mixing):
            parts = step.back(relevance / stabilized(operations, step.output, STABILIZER))
            return tuple(value * part for value, part in zip(step.inputs, parts, strict=True))
        if not isinstance(node, Linear):
            return step.back(relevance)
        if node.convolution and self.first == "z_box" and node.inputs[0] in network.graph.from_input:
            return (z_box(network, raw, step, relevance, self.domain),)
        rule = self.convolutions if node.convolution else "epsilon"
        if rule == "epsilon":
            (part,) = step.back(relevance / stabilized(operations, step.output, self.epsilon))
            return (step.inputs[0] * part,)
        contributions = Contributions(network, step)
        if rule == "z_plus":
            return (contributions.shared("increase", relevance),)
        if rule == "alpha_beta":
            increase = contributions.shared("increase", self.alpha * relevance)
            return (increase - contributions.shared("decrease", (self.alpha - 1) * relevance),)
        return (contributions.gamma(self.gamma, relevance),)


def stabilized(operations: TensorOperations, values: Tensor, epsilon: float) -> Tensor:
    """Return the values moved away from zero by epsilon; zero counts as positive."""
    return operations.where(values >= 0, values + epsilon, values - epsilon)


class Contributions:
    """The contributions of a linear node's inputs to its outputs, split by their sign.

    An input times a weight increases the output where both have the same sign and decreases it otherwise; a positive
    bias increases it and a negative one decreases it. Where the inputs are known to be at least zero (after a ReLU),
    half of the work falls away.
    """

    def __init__(self, network: Network, step: Step) -> None:
        self._network = network
        self._step = step
        self._operations = network.operations
        self._positive_only = step.node.inputs[0] in network.graph.nonnegative

    def shared(self, direction: str, relevance: Tensor) -> Tensor:
        """Return the relevance in proportion to the contributions that ``increase`` or ``decrease`` the outputs."""
        up = direction == "increase"
        bias = self._step.weights[1]
        pairs = [(self._above, self._above if up else self._below)]
        if not self._positive_only:
            pairs.append((self._below, self._below if up else self._above))
        return self._proportional(pairs, None if bias is None else pairs[0][1](bias), relevance)

    def gamma(self, gamma: float, relevance: Tensor) -> Tensor:
        """Return the relevance by the generalised gamma rule.

        Outputs above zero favour the contributions that increase them, outputs below zero those that decrease them.
        """
        bias, output = self._step.weights[1], self._step.output
        total = 0.0
        for sign, same, other in ((1.0, self._above, self._below), (-1.0, self._below, self._above)):
            # For each sign of the input, the weights whose products have the sign of the output are strengthened.
            pairs = [(self._above, _strengthened(gamma, same))]
            if not self._positive_only:
                pairs.append((self._below, _strengthened(gamma, other)))
            here = self._operations.where(sign * output > 0, relevance, self._operations.zeros((1,)))
            total = total + self._proportional(pairs, None if bias is None else pairs[0][1](bias), here)
        return total

    def _proportional(
        self,
        pairs: Sequence[tuple[Change, Change]],
        bias: Tensor | None,
        relevance: Tensor,
    ) -> Tensor:
        """Return the relevance in proportion to the products of each pair of changed inputs and changed weights.

        The bias counts once, with the first pair.
        """
        weight = self._step.weights[0]
        assert weight is not None
        pulls, denominator = [], None
        for place, (of_input, of_weight) in enumerate(pairs):
            value = of_input(self._step.inputs[0])
            function = linear_map(self._step, of_weight(weight), bias if place == 0 else None)
            output, back = self._network.pulled(function, value)
            pulls.append((value, back))
            denominator = output if denominator is None else denominator + output
        part = relevance / stabilized(self._operations, denominator, STABILIZER)
        shares = [value * back(part)[0] for value, back in pulls]
        return shares[0] if len(shares) == 1 else shares[0] + shares[1]

    def _above(self, values: Tensor) -> Tensor:
        return self._operations.maximum(values, 0.0)

    def _below(self, values: Tensor) -> Tensor:
        return -self._operations.maximum(-values, 0.0)


def z_box(network: Network, raw: Tensor, step: Step, relevance: Tensor, domain: tuple[float, float] = UNIT) -> Tensor:
    """Return the relevance of a first layer's inputs by the z-box rule, for raw inputs in a domain.

    The bounds of what the layer reads are what the normalisation and padding before it make of the domain's ends. The
    bias cancels.
    """
    operations, weight, value = network.operations, step.weights[0], step.inputs[0]
    assert weight is not None
    black, white = (network.at_input(step.node.inputs[0], 0.0 * raw + end) for end in domain)
    low, high = -operations.maximum(-black, -white), operations.maximum(black, white)
    terms = [
        (value, 1.0, weight),
        (low, -1.0, operations.maximum(weight, 0.0)),
        (high, -1.0, -operations.maximum(-weight, 0.0)),
    ]
    pulls, denominator = [], 0.0
    for point, sign, changed in terms:
        output, back = network.pulled(linear_map(step, changed, None), point)
        denominator = denominator + sign * output
        pulls.append((point, sign, back))
    part = relevance / stabilized(operations, denominator, STABILIZER)
    total = 0.0
    for point, sign, back in pulls:
        total = total + sign * point * back(part)[0]
    return total


def _strengthened(gamma: float, part: Change) -> Change:
    return lambda weight: weight + gamma * part(weight)
