"""The attention that was found in a network."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...errors import NotApplicable
from ..arrays.operations import Tensor
from ..base import Model
from ..queries import Query
from .finding import Finding

ATTENTION = "attention found"

ROUNDING = 1e-2
"""How far the rows of an attention may be from 1: they are sums of a softmax, in the network's own precision."""


def attention(model: Model, x: Tensor) -> Finding:
    """Say which attentions there are, whether their rows are shares of one, and how their tokens cover the input."""
    found = model.attentions()
    if not found:
        raise NotApplicable("no softmax over tokens was found that attends to the same tokens")
    kinds = Counter((one.heads, one.tokens, one.parts) for one in found)
    told = "; ".join(
        f"{count} with {heads} heads on {tokens} tokens" + (f" in {parts} windows" if parts > 1 else "")
        for (heads, tokens, parts), count in kinds.items()
    )
    answer = model.run(Query(attention=True), x[:1], None)
    rows = [np.asarray(model.to_numpy(one), np.float64).sum(axis=-1) for one in answer.attentions]
    off = max((float(np.abs(one - 1).max()) for one in rows), default=0.0)
    if off > ROUNDING:
        return Finding(
            ATTENTION,
            "fails",
            f"{told}; the rows of what was found sum to 1 up to {off:.2g}, so it is not (only) an attention.",
            "Do not use attention methods on this network, and report its attention module to heatmark.",
        )
    reason = model.tokens.why_no_attention()
    if reason is not None:
        return Finding(ATTENTION, "holds", f"{told}; rows sum to 1. No map can be made of it: {reason}.")
    grid = model.tokens.grid(found[0].tokens)
    assert grid is not None  # or there was a reason
    patches = " x ".join(map(str, grid.spatial))
    return Finding(
        ATTENTION, "holds", f"{told}; rows sum to 1 within {off:.1g}; {grid.leading} leading and {patches} patches."
    )
