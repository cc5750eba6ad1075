"""Gradients that are there, and those that are not: None is no zero."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NotApplicable
from .arrays.operations import Tensor
from .queries import Query

OTHERWISE = "Use a method without gradients (rise, occlusion, ...)."
"""What to do where there is no gradient."""


def refuse_unconnected(name: str, query: Query, gradients: Sequence[Tensor | None]) -> None:
    """Refuse a backward query whose score does not depend differentiably on what its gradient is wanted of.

    Zeros are kept where a part is not connected and that is what its share is: at layers where the query says so, and
    at some of several attentions.

    Parameters
    ----------
    name
        The model's.
    query
        What was asked.
    gradients
        What the framework found: at the input where it is wanted, then at each layer, then at each attention; None
        where nothing leads from there to the score.

    Raises
    ------
    NotApplicable
        With what is not connected.
    """
    places = list(gradients)
    if query.input_gradient and places.pop(0) is None:
        raise NotApplicable(
            f"The score of {name} does not depend differentiably on the input: something on the way (no_grad, detach, "
            f"stop_gradient, argmax, a step, integers) lets no gradient through. {OTHERWISE}"
        )
    layers = places[: len(query.layers)]
    dead = [layer for layer, gradient in zip(query.layers, layers, strict=False) if gradient is None]
    if layers and dead and (len(dead) == len(layers) or not query.dead_layers):
        raise NotApplicable(
            f"The score of {name} does not depend differentiably on the output of {', '.join(map(repr, dead))}: it "
            f"goes into no class, or something behind it (no_grad, detach, stop_gradient, a step) or round it "
            f"(tf.recompute_grad) lets no gradient through. Choose another layer, or a method without gradients."
        )
    attentions = places[len(query.layers) :]
    if attentions and all(gradient is None for gradient in attentions):
        raise NotApplicable(f"The score of {name} does not depend differentiably on any attention. {OTHERWISE}")
