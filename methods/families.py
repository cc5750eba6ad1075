"""What the methods of a family have in common: how to read their maps."""

from __future__ import annotations

from collections.abc import Mapping

READINGS: Mapping[str, str] = {
    "gradient": (
        "As fine as the input. A gradient says how the score changes with a value; times the input, or its "
        "difference from a baseline, it says what the value contributed. Positive speaks for the class, negative "
        "against it, where the map has a sign."
    ),
    "cam": (
        "A weighted sum of a layer's feature maps, enlarged to the input: smooth, and as coarse as the layer. High "
        "is where channels that speak for the class are active; what a CAM cuts off at zero spoke against it."
    ),
    "perturbation": (
        "Parts of the input are hidden or shown, and the score is read; the network is asked and never looked "
        "into. High is where hiding costs the class most. What stands in for what is hidden is part of the "
        "question."
    ),
    "propagation": (
        "The score is handed back layer by layer by rules of its own, as fine as the input. Where the rules "
        "conserve it, a map sums to the score: each value is a share of it."
    ),
    "influence": (
        "Influence inside the network: of a layer's units on the score, drawn at the input's size or followed to "
        "the input. Positive speaks for the class."
    ),
    "transformer": (
        "Made of the attentions between tokens, so as coarse as the patches. High is where attention comes from "
        "that reaches the class token; only methods with gradients ask for which class."
    ),
    "control": (
        "No explanation: it asks nothing of the network, and shows what a metric pays for nothing. A method that "
        "does not beat its controls has shown nothing; the oracle is the ceiling instead."
    ),
    "peer": (
        "Another library's own code, run on the same network and samples: what differs from heatmark's is the library."
    ),
}
"""By the family's name."""
