"""LIME: a linear model of the score near the sample, in terms of the superpixels that are shown."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...models.arrays.operations import Tensor
from ...models.queries import ScoreKind
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import Request
from .superpixels import Fill, RegionKind, Spread, coalition_scores, painted, regions_of

_SEGMENTS, _POSITIONS = 50, 4
"""The default number of regions, and how many positions each has at least on average."""


@register_method(
    "lime",
    title="LIME",
    family="perturbation",
    signed=True,
    pooling="none",
    cost="`samples` forward passes",
    reference=Reference("Ribeiro, Singh, Guestrin", 2016, "Why Should I Trust You?", "1602.04938"),
)
def lime(
    request: Request,
    *,
    samples: Annotated[
        int,
        Doc(
            "perturbed copies, the first of them the sample itself",
            says="{} perturbed copies",
            source="lime package: 1000",
            low=1,
        ),
    ] = 1000,
    regions: RegionKind = "superpixels",
    segments: Annotated[
        int | None,
        Doc(
            "about how many regions an input is divided into; by default 50, and where these are filled with their own "
            "mean at most one for 4 positions",
            says={None: "about 50 regions", "": "about {} regions"},
            source="heatmark",
            low=1,
        ),
    ] = None,
    width: Annotated[
        float,
        Doc(
            "of the kernel, in cosine distance",
            says="a kernel of width {} in cosine distance",
            source="lime package: 0.25",
            low=0.001,
        ),
    ] = 0.25,
    ridge: Annotated[
        float, Doc("penalty of the squared weights", says="a ridge penalty of {}", source="lime package: 1", low=0)
    ] = 1.0,
    baseline: Fill = "segment_mean",
    score: Annotated[
        ScoreKind, Doc("what is fitted", says="fitted is {}", source="lime package: class probabilities")
    ] = "probability",
    spread: Spread = False,
) -> Tensor:
    """The weights of a ridge regression of the score on which superpixels are shown, nearer copies counting more.

    Each superpixel is shown with probability one half; a copy's weight is the square root of exp(-(d / width)^2), d
    being the cosine distance between its pattern of shown superpixels and that of the sample, all of them.

    Formula
    -------
    R = the weights of a ridge regression of f(x with the regions S) on S, nearer copies counting more

    Weaknesses
    ----------
    Another seed, other regions or another kernel give another map; linear near the sample is an assumption.
    """
    if segments is None:
        positions = int(np.prod(request.model.spatial_shape))
        # Its own mean hides nothing in a region of a single position.
        own_mean = isinstance(baseline, str) and baseline == "segment_mean"
        segments = max(1, min(_SEGMENTS, positions // _POSITIONS)) if own_mean else _SEGMENTS
    divided = regions_of(request, regions, segments)
    patterns = {int(count): _patterns(request, int(count), samples) for count in np.unique(divided.counts)}
    shown = [patterns[int(count)] for count in divided.counts]
    scores = coalition_scores(request, divided, baseline, shown, score)
    fitted = [fit(pattern, values, width, ridge) for pattern, values in zip(shown, scores, strict=True)]
    return painted(request, divided, fitted, spread=spread)


def fit(shown: np.ndarray, scores: np.ndarray, width: float, ridge: float) -> np.ndarray:
    """Return the weight of each region, float64 (regions,), in the linear model of the scores.

    Parameters
    ----------
    shown
        Boolean (copies, regions).
    scores
        (copies,).
    width
        Of the kernel, in cosine distance.
    ridge
        The penalty.
    """
    from sklearn.linear_model import Ridge  # takes a second to import

    # The cosine between a 0/1 pattern and all ones; the empty pattern is at distance one.
    distances = 1 - np.sqrt(shown.mean(axis=1))
    weights = np.sqrt(np.exp(-((distances / width) ** 2)))
    fitted = Ridge(alpha=ridge).fit(shown.astype(np.float64), scores, sample_weight=weights)
    coefficients: np.ndarray = fitted.coef_
    return coefficients


def _patterns(request: Request, count: int, samples: int) -> np.ndarray:
    """Return boolean (samples, count); they depend on the seed and the count alone, so samples share them."""
    shown = request.bank.generator("lime", count).random((samples, count)) < 0.5
    shown[0] = True
    return shown
