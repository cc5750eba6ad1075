"""The questions about a network that need no attribution method, in one list, in the order in which they are shown."""

from __future__ import annotations

from .answers import (
    ALONE,
    CONNECTED,
    FORMATS,
    IDENTITY,
    REPEAT,
    RULES,
    answers_alone,
    answers_repeat,
    gradient_connected,
    identity_complete,
    memory_format,
    rectifiers_caught,
)
from .attention import ATTENTION, attention
from .derivatives import INPUT_GRADIENT, LAYER_GRADIENT, input_gradient, layer_gradient
from .inputs_and_outputs import CLASSES, INPUTS, OUTPUTS, classes, inputs, outputs
from .layers import ACTIVATION, HEAD, LAYER, behind_activation, default_layer, seen_by_the_head
from .place import PLACE, place
from .question import Question

QUESTIONS: tuple[Question, ...] = (
    Question(PLACE, place, cheap=True),
    Question(INPUTS, inputs),
    Question(OUTPUTS, outputs),
    Question(CLASSES, classes, cheap=True),
    Question(REPEAT, answers_repeat, cheap=True),
    Question(ALONE, answers_alone, cheap=True),
    Question(FORMATS, memory_format, cheap=True),
    Question(CONNECTED, gradient_connected),
    Question(INPUT_GRADIENT, input_gradient),
    Question(LAYER, default_layer),
    Question(HEAD, seen_by_the_head),
    Question(ACTIVATION, behind_activation),
    Question(LAYER_GRADIENT, layer_gradient),
    Question(RULES, rectifiers_caught),
    Question(ATTENTION, attention),
    Question(IDENTITY, identity_complete),
)
"""Those that are cheap are asked by `wrap`."""
