"""Whether a network's answers can be trusted: that they repeat, stand for themselves, and have gradients."""

from __future__ import annotations

import numpy as np

from ...errors import HeatmarkError, NotApplicable
from ..arrays.operations import Tensor
from ..base import Model
from ..gradients import OTHERWISE
from ..queries import Computed, Query
from .finding import Finding

REPEAT = "answers repeat"
ALONE = "answers do not depend on the batch"
FORMATS = "memory format"
IDENTITY = "the identity covers all weights"
CONNECTED = "the score depends differentiably on the input"
RULES = "backward rules reach every ReLU"


def answers_repeat(model: Model, x: Tensor) -> Finding:
    """Ask for the logits of the same two inputs twice."""
    first, before, second = _logits(model, x[:2]), model.state_now(), _logits(model, x[:2])
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return Finding(
            REPEAT, "fails", "some logits are NaN or infinite.", "Look for an overflow, or weights that are not finite."
        )
    apart, size = float(np.abs(first - second).max()), float(np.abs(first).max())
    evidence = f"logits of up to {size:.3g} differ by {apart:.2g} when they are asked for twice"
    if apart <= model.resolution * size:
        return Finding(REPEAT, "holds", f"{evidence}.")
    now = model.state_now()
    causes = _places(model, [one for one in model.computed() if one.random])
    if not causes and (changed := [name for name in now if before.get(name) != now[name]]):
        return Finding(
            REPEAT,
            "fails",
            f"{evidence}: the network changes {_some(changed)} whenever it is asked.",
            "Let it change its state in training mode only (if self.training: ...).",
        )
    why = f"random numbers are drawn in {causes}" if causes else "where chance comes in is not known"
    return Finding(
        REPEAT,
        "fails",
        f"{evidence}: {why}.",
        "Switch off what is drawn by chance in evaluation: dropout that is always on, random layers.",
    )


def answers_alone(model: Model, x: Tensor) -> Finding:
    """Ask for the logits of one input and of its half, each alone and beside the other.

    A network whose answers depend on the batch is asked one row at a time from then on, so that results do not.
    """
    rows = [x[:1], 0.5 * x[:1]]
    alone, again = (np.concatenate([_logits(model, row) for row in rows]) for _ in range(2))
    among = _logits(model, model.operations.concat(rows))
    if not all(np.isfinite(logits).all() for logits in (alone, again, among)):
        raise NotApplicable("Some logits are NaN or infinite, and do not compare.")
    apart, size = float(np.abs(alone - among).max()), float(np.abs(among).max())
    evidence = f"logits of up to {size:.3g} of one input alone and beside another differ by {apart:.2g}"
    if apart <= 10 * model.resolution * size:
        return Finding(ALONE, "holds", f"{evidence}.")
    if float(np.abs(alone - again).max()) > model.resolution * size:
        return Finding(ALONE, "doubtful", "it cannot be told, as answers do not repeat.", "Make them repeat first.")
    causes = _places(model, [one for one in model.computed() if one.by_batch])
    model.rows_alone = True
    why = f"the whole batch decides in {causes}" if causes else "what looks at the batch is not known"
    return Finding(
        ALONE,
        "fails",
        f"{evidence}: {why}. It is asked one input at a time, which is slow.",
        "Let normalisations use running statistics (track_running_stats=True, training=False); quantise statically.",
    )


def memory_format(model: Model, x: Tensor) -> Finding:
    """Say which memory formats are used; one in which the network failed or erred was left out when it was wrapped."""
    left_out = f"; {model.left_out}" if model.left_out else ", in which its answers agree"
    return Finding(FORMATS, "holds", f"inputs are given {' or '.join(model.layouts)}{left_out}.")


def identity_complete(model: Model, x: Tensor) -> Finding:
    """Say whether everything that the network's answers depend on is in its weights' identity; reads all of them."""
    if model.known_weights_id is not None:
        return Finding(IDENTITY, "holds", f"it is given: {model.known_weights_id[:12]}.")
    try:
        entries, size = model.weights_size()
    except HeatmarkError as error:
        return Finding(IDENTITY, "fails", str(error))
    evidence = f"{entries} entries of {size:,} bytes"
    hidden = model.hidden_state()
    if not hidden:
        return Finding(IDENTITY, "holds", f"{evidence}.")
    return Finding(
        IDENTITY,
        "doubtful",
        f"{evidence}; what {_some(hidden)} may hold is not in it.",
        "Make such tensors buffers or weights: networks that differ in nothing else would share their results.",
    )


def gradient_connected(model: Model, x: Tensor) -> Finding:
    """Say whether the predicted classes' logits depend differentiably on the input."""
    target = model.from_numpy(_logits(model, x[:2]).argmax(axis=1))
    try:
        gradient = model.to_numpy(model.run(Query(input_gradient=True), x[:2], target).input_gradient)
    except NotApplicable as error:
        return Finding(CONNECTED, "doubtful", str(error))
    largest = float(np.abs(gradient).max())
    evidence = f"the largest of {gradient.size:,} partial derivatives is {largest:.3g}"
    if not np.isfinite(largest):
        return Finding(CONNECTED, "fails", f"{evidence}.", "Use a wider floating type (float32).")
    if largest == 0:
        return Finding(CONNECTED, "doubtful", f"{evidence}: it rounds, steps, or is saturated.", OTHERWISE)
    return Finding(CONNECTED, "holds", f"{evidence}.")


def rectifiers_caught(model: Model, x: Tensor) -> Finding:
    """Say whether backward rules (guided backpropagation, DeconvNet) reach every ReLU that is computed."""
    found = model.rectifiers()
    if not found.there:
        raise NotApplicable("the network computes no ReLU")
    evidence = f"{found.caught} of {found.there}"
    if found.missed:
        return Finding(RULES, "doubtful", f"{evidence}: {found.where}.", "guided_backprop and deconvnet are refused.")
    return Finding(RULES, "holds", f"{evidence}.")


def _logits(model: Model, x: Tensor) -> np.ndarray:
    logits: np.ndarray = model.to_numpy(model.run(Query(), x, None).logits)
    return logits


def _places(model: Model, operations: list[Computed]) -> str:
    """Return where some operations are computed, in words."""
    return _some(list(dict.fromkeys(f"{one.place or model.name} ({one.name})" for one in operations)))


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
