"""Class scores of a network for made-up inputs, from which it is told what they are."""

from __future__ import annotations

import numpy as np

from ...errors import BadInput
from ..interface import Interface
from ..queries import Query

_FAR = 100.0
"""So many widths of the domain beyond it lie inputs that tell a bounded output from a logit."""


def near_scores(model: Interface) -> np.ndarray:
    """Return the class scores, float32 (2, classes), of two inputs of noise in the domain.

    Raises
    ------
    BadInput
        If they have another shape; the message says what to do.
    """
    noise = np.random.default_rng(0).random((2, *model.input_shape), dtype=np.float32)
    scores = _scores(model, model.from_unit(noise))
    if scores.ndim == 2 and len(scores) == 2:
        return scores
    raise BadInput(
        f"{model.name} returns an output of shape {scores.shape} for 2 inputs; heatmark needs class scores of shape "
        f"(n, classes). {_REMEDIES.get((model.framework, scores.ndim), _MAKE_THEM)}"
    )


def far_scores(model: Interface, classes: int) -> np.ndarray:
    """Return the finite class scores (n, classes) of inputs far apart: the domain's ends, and noise far beyond them."""
    low, high = model.domain
    ends = np.stack([np.full(model.input_shape, end, np.float32) for end in (low, high)])
    noise = np.random.default_rng(1).standard_normal((2, *model.input_shape), dtype=np.float32)
    found = [np.zeros((0, classes), np.float32)]
    for x in (ends, (low + high) / 2 + np.float32(_FAR * (high - low)) * noise):
        try:
            found.append(_scores(model, x))
        except Exception as error:  # a network may refuse what lies outside of its domain in whatever way it likes
            if model.is_out_of_memory(error):
                raise
    scores = np.concatenate(found)
    finite: np.ndarray = scores[np.isfinite(scores).all(axis=1)]
    return finite


def _scores(model: Interface, x: np.ndarray) -> np.ndarray:
    return model.to_numpy(model.run(Query(), model.from_numpy(x), None).logits)


_MAKE_THEM = "Wrap a network that ends in its class scores, or make them: hm.wrap(net, outputs=lambda o: ...)."
_POSITION = "Where one position tells the class: hm.wrap(net, outputs=lambda o: o[:, 0])."
_REMEDIES = {
    ("torch", 1): "Where it is one score per input: hm.wrap(net, outputs=lambda o: o.reshape(-1, 1)).",
    ("tensorflow", 1): "Where it is one score per input: hm.wrap(net, outputs=lambda o: tf.reshape(o, (-1, 1))).",
    ("torch", 3): _POSITION,
    ("tensorflow", 3): _POSITION,
}
"""By the framework and the number of an output's axes."""
