"""Excitation backprop."""

from __future__ import annotations

from dataclasses import dataclass

from ...models.arrays.operations import Tensor
from ...models.graph.graph import Diagonal, Linear, Mixing, Network, Nonlinearity
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .passes import Step, at_target, evaluated, linear_map, propagated, run


@dataclass(frozen=True)
class ExcitationWork:
    """The probability that each input element wins; see `excitation_backprop`."""

    lowest: float = 0.0
    """The lowest raw value, which does not respond."""

    def __call__(self, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the winning probabilities (m, *input_shape)."""
        x, target = tensors
        operations = network.operations
        steps = evaluated(network, x)
        logits = steps[network.graph.output].output
        start = at_target(operations, 0.0 * logits + 1.0, target)

        def rule(step: Step, probability: Tensor) -> tuple[Tensor, ...]:
            node = step.node
            if isinstance(node, Nonlinearity | Diagonal):
                return (probability,)
            if not isinstance(node, Linear | Mixing):
                return step.back(probability)
            responses = [
                _response(network, x, source, value, self.lowest)
                for source, value in zip(node.inputs, step.inputs, strict=True)
            ]
            function = node.function
            if isinstance(node, Linear):
                weight = step.weights[0]
                assert weight is not None
                function = linear_map(step, operations.maximum(weight, 0.0), None)
            total, back = network.pulled(function, *responses)
            excited = total > 0
            zero = operations.zeros((1,))
            share = operations.where(excited, probability / operations.where(excited, total, zero + 1.0), zero)
            return tuple(value * part for value, part in zip(responses, back(share), strict=True))

        return (propagated(network, steps, start, rule),)


@register_method(
    "excitation_backprop",
    title="Excitation Backprop",
    family="propagation",
    signed=False,
    needs=["graph"],
    cost="1 forward and 1 backward pass, with 2 evaluations of each layer",
    reference=Reference("Zhang et al.", 2016, "Top-down Neural Attention by Excitation Backprop", "1608.00507"),
)
def excitation_backprop(request: Request) -> Tensor:
    """The probability that a top-down walk from the class, along excitatory connections, ends at each position.

    The walk starts at the target's logit with probability one and moves from a unit to its inputs in proportion to
    response times positive weight; biases and negative weights take no part, maxima go to the winner. Responses below
    zero count as zero, and so does black: raw inputs are at least that, though normalised ones may be below zero. The
    map sums to one, less what reaches units that no input excites.

    Formula
    -------
    P(child) = sum over parents of P(parent) * relu(w) a / sum relu(w) a

    Weaknesses
    ----------
    Negative weights take no part, so inhibition is not seen; maps of classes look alike.
    """
    (probability,) = run(request, ExcitationWork(request.domain[0]), name="excitation")
    return probability


def _response(network: Network, raw: Tensor, source: int, value: Tensor, lowest: float) -> Tensor:
    """Return a unit's response, at least zero: of the input's own units, how far they are above black."""
    if source in network.graph.from_input:
        value = value - network.at_input(source, 0.0 * raw + lowest)
    return network.operations.maximum(value, 0.0)
