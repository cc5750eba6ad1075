"""Layer-wise relevance propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ...models.arrays.operations import Tensor
from ...models.graph.graph import Network
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .lrp_rules import Rules
from .passes import Step, at_target, evaluated, propagated, run


@dataclass(frozen=True)
class RelevanceWork:
    """The relevance of the input, and what did not arrive there; see `lrp`."""

    rules: Rules

    def __call__(self, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the relevance (m, *input_shape) and what was absorbed on the way (m,)."""
        x, target = tensors
        operations = network.operations
        steps = evaluated(network, x)
        start = at_target(operations, steps[network.graph.output].output, target)
        absorbed = [operations.zeros((1,))]

        def rule(step: Step, relevance: Tensor) -> tuple[Tensor, ...]:
            shares = self.rules.shared(network, x, step, relevance)
            given = sum(_per_row(network, share) for share in shares)
            absorbed[0] = absorbed[0] + (_per_row(network, relevance) - given)
            return shares

        relevance = propagated(network, steps, start, rule)
        return relevance, absorbed[0]


def relevance_and_absorbed(request: Request, rules: Rules) -> tuple[Tensor, Tensor]:
    """Return the relevance (n, *input_shape) of each sample, and (n,) what biases and stabilisers absorbed of it.

    Both add up to the target's logit.
    """
    relevance, absorbed = run(request, RelevanceWork(rules), name="relevance")
    return relevance, absorbed


@register_method(
    "lrp", title="LRP",
    family="propagation",
    signed=True,
    needs=["graph"],
    cost="1 forward and 1 backward pass, with up to 4 evaluations of each layer",
    reference=Reference(
        "Bach et al.", 2015, "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance "
        "Propagation",
    ),
    presets={
        "epsilon": {"convolutions": "epsilon"},
        "epsilon_plus": {"convolutions": "z_plus"},
        "alpha2_beta1": {"convolutions": "alpha_beta", "alpha": 2.0},
        "epsilon_gamma_box": {"convolutions": "gamma", "first": "z_box"},
    },
)  # fmt: skip
def lrp(
    request: Request,
    *,
    convolutions: Annotated[
        Literal["epsilon", "z_plus", "alpha_beta", "gamma"],
        Doc(
            "the rule of convolutions; dense layers follow epsilon",
            says="convolutions follow the {} rule",
            source="Bach et al. 2015: epsilon",
        ),
    ] = "epsilon",
    first: Annotated[
        Literal["same", "z_box"],
        Doc(
            "the rule of convolutions that read the input; z_box knows its range",
            says={"same": "", "": "those that read the input follow the {} rule"},
            source="Montavon et al. 2017",
        ),
    ] = "same",
    epsilon: Annotated[
        float, Doc("added to a denominator's magnitude", says="epsilon is {}", source="zennit: 1e-6", low=1e-12)
    ] = 1e-6,
    alpha: Annotated[
        float,
        Doc(
            "weight of what increases a unit; beta = alpha - 1",
            says="alpha is {}",
            when="convolutions=alpha_beta",
            source="Bach et al. 2015: 2",
            low=1,
        ),
    ] = 2.0,
    gamma: Annotated[
        float,
        Doc(
            "how much the gamma rule favours",
            says="gamma is {}",
            when="convolutions=gamma",
            source="Montavon et al. 2019: 0.25",
            low=0,
        ),
    ] = 0.25,
) -> Tensor:
    """The target's logit, handed back layer by layer in proportion to what each input contributed.

    Relevance starts as the target's logit. Activations and the model's own normalisation pass it on unchanged, maxima
    give it to the winner, sums and averages share it out in proportion, and batch normalisation is folded into the
    layer before it (or passes relevance on where there is none). Each layer's bias keeps its share, so with the
    epsilon rule the map sums to the logit less what the biases absorbed; alpha-beta and z-box conserve the same way as
    long as a unit has contributions of both signs.

    Formula
    -------
    R_i = sum_j z_ij / (sum_i z_ij + eps) R_j, z_ij = a_i w_ij; other rules change z

    Weaknesses
    ----------
    Rules are chosen by taste and layer; alpha-beta hardly depends on the class in deep networks.
    """
    relevance, _ = relevance_and_absorbed(request, Rules(convolutions, first, epsilon, alpha, gamma, request.domain))
    return relevance


def _per_row(network: Network, values: Tensor) -> Tensor:
    return network.operations.sum(values, axis=tuple(range(1, len(values.shape))))
