"""DeepLIFT with the Rescale rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.graph.graph import Maximum, Network, Nonlinearity
from ...models.inputs.baselines import BASELINES, NEUTRAL
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .passes import Step, at_target, evaluated, propagated, run

_NEAR = 1e-6
"""Below this difference in an activation's input, its derivative stands in for the ratio of differences."""


@dataclass(frozen=True)
class RescaleWork:
    """The contributions of the input's differences from a baseline; see `deep_lift`."""

    def __call__(self, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the contributions (m, *input_shape)."""
        x, target, baseline = tensors
        operations = network.operations
        steps, references = evaluated(network, x), evaluated(network, baseline)
        logits = steps[network.graph.output].output
        start = at_target(operations, 0.0 * logits + 1.0, target)

        def rule(step: Step, multiplier: Tensor) -> tuple[Tensor, ...]:
            reference = references[step.position]
            del references[step.position :]
            if isinstance(step.node, Maximum):
                return (_through_maximum(network, step, reference, multiplier),)
            parts = step.back(multiplier)
            if not isinstance(step.node, Nonlinearity):
                return parts
            moved, change = step.inputs[0] - reference.inputs[0], step.output - reference.output
            far = operations.abs(moved) > _NEAR
            ratio = change / operations.where(far, moved, operations.zeros((1,)) + 1.0)
            return (operations.where(far, multiplier * ratio, parts[0]),)

        return ((x - baseline) * propagated(network, steps, start, rule),)


@register_method(
    "deep_lift", title="DeepLIFT",
    family="propagation",
    signed=True,
    sums_to="difference",
    needs=["graph"],
    cost="2 forward passes and 1 backward pass for each baseline",
    reference=Reference(
        "Shrikumar, Greenside, Kundaje", 2017, "Learning Important Features Through Propagating Activation Differences",
        "1704.02685",
    ),
)  # fmt: skip
def deep_lift(
    request: Request,
    *,
    baseline: Annotated[
        str | float | np.ndarray,
        Doc(
            f"what the differences are from: {', '.join(BASELINES)}, several as black+white, a number or an array",
            says="differences from {}",
            source="Shrikumar et al. 2017: black for MNIST",
        ),
    ] = NEUTRAL,
) -> Tensor:
    """The contribution of each input's difference from a baseline to that of the target's logit (Rescale rule).

    Multipliers pass linear layers like gradients; at an activation they are multiplied by the ratio of the output's
    difference to the input's. The map sums to the difference of the target's logits at x and at the baseline. With
    several baselines, the mean over them.

    Formula
    -------
    R = (x - b) * multipliers, (output - output_b) / (input - input_b) at every activation

    Weaknesses
    ----------
    Rescale alone, not RevealCancel; the baseline decides. Needs a network of known operations.
    """
    several, total = request.baselines(baseline), 0.0
    for one in several:
        start = one + 0.0 * request.x
        (contributions,) = run(request, RescaleWork(), start, name="rescale", forwards=2)
        total = total + contributions
    return total / len(several)


def _through_maximum(network: Network, step: Step, reference: Step, multiplier: Tensor) -> Tensor:
    """Return the multipliers of a max pooling's inputs.

    Where the pooled value rose, its difference belongs to the element that wins for the sample; where it fell, to the
    one that wins for the baseline. Neither element moved less than the pooled value did, so the ratio is bounded; an
    element that did not move gets none.
    """
    operations = network.operations
    change = step.output - reference.output
    risen, fallen = operations.maximum(change, 0.0), -operations.maximum(-change, 0.0)
    contribution = step.back(multiplier * risen)[0] + reference.back(multiplier * fallen)[0]
    moved = step.inputs[0] - reference.inputs[0]
    # Padding with minus infinity gives NaN here, which is not above zero either.
    told = operations.abs(moved) > 0
    zero = operations.zeros((1,))
    return operations.where(told, contribution / operations.where(told, moved, zero + 1.0), zero)
