"""The questions about a network that need no attribution method, in one list, in the order in which they are shown."""

from __future__ import annotations

from .attention import ATTENTION, attention
from .derivatives import INPUT_GRADIENT, LAYER_GRADIENT, input_gradient, layer_gradient
from .place import PLACE, place
from .question import Question

QUESTIONS: tuple[Question, ...] = (
    Question(PLACE, place),
    Question(INPUT_GRADIENT, input_gradient),
    Question(LAYER_GRADIENT, layer_gradient),
    Question(ATTENTION, attention),
)
"""Those that are cheap are asked by `wrap`."""
