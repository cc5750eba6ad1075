"""Whether gradients are derivatives: of the input and of the default layer, against finite differences.

For a few random directions v of entries 1 and -1 the slope of the predicted class's logit along v is measured by
central differences, (f(x + h v) - f(x - h v)) / 2h, and compared with the gradient's g . v. The root mean square of
the g . v over such directions is the gradient's length |g|, so all errors are given as shares of it: a
gradient that is wrong by a factor, a sign, or a lost branch is wrong by a large share.

A central difference is right up to three things: rounding, about eps |f| / h; curvature, which falls with the square of
h; and kinks (of ReLUs, of maxima) between x - h v and x + h v, whose number falls with h. No step is small and large
enough for every network, so steps go down by thirds until one agrees with the gradient. A right gradient is met by some
step, to within `AGREES` of |g| in the mean of the directions, where that step has few kinks and little rounding; that a
wrong one is met so by chance in all directions is out of the question. Where none meets it, two neighbouring steps that
agree tell a wrong gradient from differences that say nothing: slopes that hardly depend on the step are right, and the
gradient is not. Their disagreement, or what rounding may add to the smaller step's slopes where that is more, is how
unsure they are. Above `UNSURE` of |g|, or where the gradient's error is not twice that, nothing is said.

The network itself is asked, not a copy in float64: copies of large networks are dear, and many networks fix their
type. Inputs are drawn a little towards the middle of the domain and jittered, so that no value stands exactly at a kink
(a black pixel at the edge of a clamp, ties of a max pooling over a flat area), where the two sides have two slopes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ...errors import BadInput, NotApplicable
from ..arrays.operations import Tensor
from ..base import Model
from ..queries import Query
from .finding import Finding

INPUT_GRADIENT = "input gradient is the derivative"
LAYER_GRADIENT = "default layer's gradient is the derivative"

#: From points (m, ...) to a class's logit (m,).
Logits = Callable[[np.ndarray], np.ndarray]

DIRECTIONS = 4
STEPS = {False: (1e-3, 3e-4, 1e-4, 3e-5, 1e-5), True: (0.3, 0.1, 0.03, 0.01)}
"""Steps as shares of the domain's width, or of the layer's typical value; True: where it is computed in 16 bits."""

EPSILON = {False: 2.0**-23, True: 2.0**-8}
"""What rounding leaves of a number: in float32, and in bfloat16, the coarser one of 16 bits."""

AGREES = 0.1
UNSURE = 0.2
"""Shares of the gradient's length; see above."""

SURE = 0.01
"""Where a step agrees so well, no smaller one is tried."""

JITTER = 0.05
"""The largest jitter, as a share of the domain's width or of the layer's typical value."""


def input_gradient(model: Model, x: Tensor) -> Finding:
    """Compare the gradient of the predicted class's logit with respect to the first input."""
    low, high = model.domain
    width, random = high - low, np.random.default_rng(0)
    first = np.asarray(model.to_numpy(x[:1]), np.float64)
    point = (low + high) / 2 + (1 - 2 * JITTER) * (first - (low + high) / 2)
    point += JITTER * width * random.uniform(-1, 1, point.shape)
    target = _predicted(model, point)
    answer = model.run(Query(input_gradient=True), _tensor(model, point), model.from_numpy(target))
    gradient = np.asarray(model.to_numpy(answer.input_gradient), np.float64)

    def logits(points: np.ndarray) -> np.ndarray:
        """Return the class's logit (m,) of points (m, *input_shape)."""
        return _of_class(model, model.run(Query(), _tensor(model, points), None).logits, target)

    return _compared(INPUT_GRADIENT, _in_turn(model, logits), point, gradient, width, model.computes_in_half)


def layer_gradient(model: Model, x: Tensor) -> Finding:
    """Compare the gradient of the predicted class's logit with respect to the default layer's output."""
    try:
        name = model.layer().name
    except BadInput as error:
        raise NotApplicable(str(error)) from error
    first = np.asarray(model.to_numpy(x[:1]), np.float64)
    target, random = _predicted(model, first), np.random.default_rng(0)
    watching = Query(layers=(name,))
    point = np.asarray(model.to_numpy(model.run(watching, x[:1], None).activations[0]), np.float64)
    typical = float(np.sqrt((point**2).mean())) or 1.0
    point = point + JITTER * typical * random.uniform(-1, 1, point.shape)
    replacing = Query(layers=(name,), layer_gradients=True, replaced=name)
    answer = model.run(replacing, x[:1], model.from_numpy(target), None, _tensor(model, point))
    gradient = np.asarray(model.to_numpy(answer.layer_gradients[0]), np.float64)

    def logits(points: np.ndarray) -> np.ndarray:
        """Return the class's logit (m,) where the layer's output is ``points`` (m, *layer's shape)."""
        rows = model.operations.take(x, np.zeros(len(points), np.int64))
        answer = model.run(Query(replaced=name), rows, None, None, _tensor(model, points))
        return _of_class(model, answer.logits, target)

    found = _compared(LAYER_GRADIENT, _in_turn(model, logits), point, gradient, typical, model.computes_in_half)
    return Finding(found.question, found.verdict, f"layer {name}: {found.evidence}", found.remedy)


def _in_turn(model: Model, logits: Logits) -> Logits:
    """Return what asks as all else does: where the whole batch decides, one point at a time, as its gradient was."""
    if not model.rows_alone:
        return logits
    return lambda points: np.concatenate([logits(point[None]) for point in points])


def _compared(
    title: str,
    logits: Logits,
    point: np.ndarray,
    gradient: np.ndarray,
    unit: float,
    in_half: bool = False,
) -> Finding:
    """Return the finding on a gradient (1, ...) at a point (1, ...); steps are shares of ``unit``."""
    random = np.random.default_rng(1)
    directions = random.choice([-1.0, 1.0], (DIRECTIONS, *point.shape[1:]))
    claimed = (directions * gradient).reshape(DIRECTIONS, -1).sum(axis=1)
    if not np.isfinite(gradient).all():
        return Finding(title, "fails", "it has NaN or infinite values.", "Look for a square root or logarithm of zero.")
    length = float(np.sqrt((gradient**2).sum()))
    measured = _measured(logits, point, directions, unit, claimed, length, in_half)
    steps, slopes = list(measured), np.array([slope for slope, _ in measured.values()])
    size = max(length, min(map(_rms, slopes)))
    if size == 0:
        return Finding(
            title,
            "doubtful",
            "it is exactly zero, and so is the slope along every direction that was tried.",
            "Give inputs that change the network's answer; the unit behind the class may be saturated or dead.",
        )
    errors = [_rms(slope - claimed) / size for slope in slopes]
    unsure = min(
        (max(_rms(one - other), rounding) / size for (one, _), (other, rounding) in pairwise(measured.values())),
        default=0.0,
    )
    best = int(np.argmin(errors))
    evidence = (
        f"along {DIRECTIONS} random directions it differs from central differences by {errors[best]:.1%} of its length "
        f"({length:.3g}) at a step of {steps[best]:.0e} of the range"
    )
    if errors[best] <= AGREES:
        return Finding(title, "holds", evidence + ".")
    evidence += f"; differences are sure to {unsure:.1%}, by two steps' agreement and rounding"
    if unsure > UNSURE or errors[best] <= 2 * unsure:
        return Finding(
            title,
            "doubtful",
            f"{evidence}: the network is too rough, or its numbers too coarse, for differences to say anything.",
            "Check it once in float32, or with smooth activations (softplus) in place of ReLU.",
        )
    return Finding(
        title,
        "fails",
        evidence + ".",
        "Look for a backward pass of the network's own (a custom gradient, a straight-through estimator), for a branch "
        "that is detached, or for code that heatmark does not reach; until then use methods without gradients.",
    )


def _measured(
    logits: Logits,
    point: np.ndarray,
    directions: np.ndarray,
    unit: float,
    claimed: np.ndarray,
    length: float,
    in_half: bool,
) -> dict[float, tuple[np.ndarray, float]]:
    """Return slopes (directions,) with what rounding may add to them, by step, until one agrees with what is claimed.

    The largest step comes first.
    """
    found: dict[float, tuple[np.ndarray, float]] = {}
    for step in STEPS[in_half]:
        here = step * unit
        ends = np.concatenate([point + here * directions, point - here * directions])
        said = logits(ends)
        slopes = (said[: len(directions)] - said[len(directions) :]) / (2 * here)
        found[step] = slopes, EPSILON[in_half] * float(np.abs(said).max()) / here
        if length > 0 and _rms(slopes - claimed) <= SURE * length:
            break
    return found


def _predicted(model: Model, point: np.ndarray) -> np.ndarray:
    """Return the class of the highest logit, int64 (1,)."""
    logits = model.to_numpy(model.run(Query(), _tensor(model, point), None).logits)
    return np.asarray(logits.argmax(axis=1), np.int64)


def _of_class(model: Model, logits: Tensor, target: np.ndarray) -> np.ndarray:
    return np.asarray(model.to_numpy(logits), np.float64)[:, int(target[0])]


def _tensor(model: Model, array: np.ndarray) -> Tensor:
    return model.from_numpy(np.asarray(array, np.float32))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))
