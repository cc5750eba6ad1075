"""What is read off the logits: the score that gradients are taken of and curves are drawn of."""

from __future__ import annotations

from ..arrays.operations import Tensor, TensorOperations
from ..queries import ScoreFunction, ScoreKind
from .outputs import Link


def target_score(
    operations: TensorOperations, logits: Tensor, target: Tensor, score: ScoreKind | ScoreFunction, link: Link
) -> Tensor:
    """Return each row's score for its target class, shape (m,).

    Parameters
    ----------
    operations
        The model's array namespace.
    logits
        (m, classes).
    target
        (m,) class numbers.
    score
        ``logit``, ``probability``, ``log_probability``, or a function of one's own.
    link
        How classes share the probability: a softmax over all of them, or the logistic function of the target's logit.
    """
    if callable(score):
        return score(operations, logits, target)
    chosen = operations.take_class(logits, target)
    if score == "logit":
        return chosen
    if link == "logistic":
        logits = operations.concat([chosen[:, None], 0.0 * chosen[:, None]], axis=1)
    log_probability = chosen - operations.log_sum_exp(logits, axis=1)
    return log_probability if score == "log_probability" else operations.exp(log_probability)
