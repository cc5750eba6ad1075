"""All questions that an examination asks: of the network itself, then of what methods and metrics make of it."""

from __future__ import annotations

from ...models.checking.question import Question
from ...models.checking.questions import QUESTIONS as OF_THE_NETWORK
from .applicable import METHODS_APPLY, METRICS_APPLY, methods_apply, metrics_apply
from .completeness import (
    DEEP_LIFT,
    FULLGRAD,
    INTEGRATED_GRADIENTS,
    LRP,
    deep_lift,
    full_gradient,
    integrated_gradients,
    relevance,
)

QUESTIONS: tuple[Question, ...] = (
    *OF_THE_NETWORK,
    Question(INTEGRATED_GRADIENTS, integrated_gradients),
    Question(LRP, relevance),
    Question(FULLGRAD, full_gradient),
    Question(DEEP_LIFT, deep_lift),
    Question(METHODS_APPLY, methods_apply),
    Question(METRICS_APPLY, metrics_apply),
)
