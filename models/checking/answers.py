"""Questions about a network whose answers decide whether its numbers can be trusted; each takes a few passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import HeatmarkError, NotApplicable
from ..base import Model
from ..gradients import OTHERWISE
from ..queries import Computed, Query
from .finding import Finding

_ROWS = 3
"""Inputs that a question is asked with."""


def answers_repeat(model: Model, x: Any) -> Finding:
    """Return whether the same inputs get the same logits twice.

    Parameters
    ----------
    model
        The model.
    x
        (n, *input_shape), n at least 1; the first few are used, here and in all questions.
    """
    question = "the same input gets the same answer twice"
    some = model.inputs(x)[:_ROWS]
    first, second = (model.to_numpy(model.run(Query(), some, None).logits) for _ in range(2))
    apart, size = float(np.abs(first - second).max()), float(np.abs(first).max())
    evidence = f"logits up to {size:.3g} differ by {apart:.2g}"
    if apart <= model.resolution * size:
        return Finding(question, "holds", evidence)
    causes = _places(model, [one for one in model.computed() if one.random])
    return Finding(
        question,
        "fails",
        f"{evidence}; {f'random numbers are drawn in {causes}' if causes else 'where by chance is not known'}",
        "switch off what is drawn by chance in evaluation (dropout that is always on, random layers)",
    )


def answers_alone(model: Model, x: Any) -> Finding:
    """Return whether an input gets the same logits alone and among others, darker ones and its own half among them."""
    question = "answers do not depend on the batch"
    some = model.inputs(x)[:_ROWS]
    alone, again = (model.to_numpy(model.run(Query(), some[:1], None).logits) for _ in range(2))
    batch = model.operations.concat([some, 0.5 * some, 0.1 * some])
    among = model.to_numpy(model.run(Query(), batch, None).logits)[:1]
    apart, size = float(np.abs(alone - among).max()), float(np.abs(among).max())
    evidence = f"logits up to {size:.3g} differ by {apart:.2g} between alone and in a batch of {int(batch.shape[0])}"
    if apart <= 10 * model.resolution * size:
        return Finding(question, "holds", evidence)
    if float(np.abs(alone - again).max()) > model.resolution * size:
        return Finding(
            question, "doubtful", "it cannot be told, as answers do not repeat", "make them repeat, and ask again"
        )
    causes = _places(model, [one for one in model.computed() if one.by_batch])
    return Finding(
        question,
        "fails",
        f"{evidence}; {f'the whole batch decides in {causes}' if causes else 'what looks at the batch is not known'}",
        "let normalisations use running statistics (track_running_stats=True, training=False), and quantise statically",
    )


def memory_format(model: Model, x: Any) -> Finding:
    """Return which memory formats the network takes; one in which it fails or errs has been left out already."""
    words = f"it takes {', '.join(model.layouts)}" + (f"; {model.left_out}" if model.left_out else "")
    return Finding("the memory formats in use give the same", "holds", words)


def identity_complete(model: Model, x: Any) -> Finding:
    """Return whether everything that the network's answers depend on is in its weights' identity."""
    question = "the identity covers all weights"
    if model.known_weights_id is not None:
        return Finding(question, "holds", f"it is given: {model.known_weights_id[:12]}")
    try:
        entries, size = model.weights_size()
    except HeatmarkError as error:
        return Finding(question, "fails", str(error), "give it: heatmark.wrap(net, weights_id='...')")
    evidence = f"{entries} entries, {size} bytes"
    hidden = model.hidden_state()
    if not hidden:
        return Finding(question, "holds", evidence)
    return Finding(
        question,
        "doubtful",
        f"{evidence}; what these hold is not in it: {_some(hidden)}",
        "make tensors buffers or weights; two networks that differ in nothing else would share their results",
    )


def gradient_connected(model: Model, x: Any) -> Finding:
    """Return whether the predicted class's logit depends differentiably on the input."""
    question = "the score depends differentiably on the input"
    some = model.inputs(x)[:_ROWS]
    target = model.from_numpy(model.to_numpy(model.run(Query(), some, None).logits).argmax(axis=1))
    try:
        gradient = model.to_numpy(model.run(Query(input_gradient=True), some, target).input_gradient)
    except NotApplicable as error:
        return Finding(question, "doubtful", str(error), OTHERWISE)
    if not np.isfinite(gradient).all():
        return Finding(question, "fails", "the gradient is NaN or infinite", "use a wider floating type (float32)")
    largest = float(np.abs(gradient).max())
    evidence = f"the largest of {gradient.size} partial derivatives is {largest:.3g}"
    if largest == 0:
        return Finding(question, "doubtful", f"{evidence}: rounding, steps or saturated units", OTHERWISE)
    return Finding(question, "holds", evidence)


def rectifiers_caught(model: Model, x: Any) -> Finding:
    """Return whether backward rules (guided backpropagation, DeconvNet) reach every ReLU that is computed."""
    question = "backward rules reach every ReLU"
    found = model.rectifiers()
    evidence = f"{found.caught} of {found.caught + found.missed}"
    if found.missed:
        return Finding(question, "doubtful", f"{evidence}; {found.where}", "guided_backprop and deconvnet are refused")
    return Finding(question, "holds", evidence if found.caught else "there is none")


def _places(model: Model, operations: list[Computed]) -> str:
    """Return where some operations are computed, in words."""
    return _some(list(dict.fromkeys(f"{one.place or model.name} ({one.name})" for one in operations)))


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
