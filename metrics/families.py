"""What the metrics of a family have in common: how to read them."""

from __future__ import annotations

from collections.abc import Mapping

READINGS: Mapping[str, str] = {
    "faithfulness": (
        "Faithfulness asks whether a map says what the network uses: something is changed where the map is high, "
        "or low, and the network is asked again. It needs no ground truth, and stands and falls with what the "
        "change looks like."
    ),
    "localisation": (
        "Localisation asks whether a map points at the object. It needs masks, and says how sensible a map is only "
        "where the network uses the object and nothing else; the data sets of heatmark's ground truth are made so."
    ),
    "complexity": ("Complexity asks how few positions a map singles out, and nothing of the network or the truth."),
    "robustness": (
        "Robustness asks whether like inputs have like maps. A map that ignores the input is the most robust."
    ),
    "randomisation": (
        "Randomisation asks whether a map depends on what the network learnt, or on the class. It finds methods "
        "that draw the picture; it cannot find good ones."
    ),
    "axioms": ("Axioms ask whether a map keeps what its definition promises. They are checks, not a ranking."),
}
"""By the family's name."""
