"""The contract of a model: its examination in every framework, and the same answers in both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ...models.checking.finding import Finding
from ...models.checking.inputs import two_inputs
from ...models.zoo.loading import find_model, load_model
from ..checking.by_name import check_named
from .report import Notice, asked

AGREE = "both frameworks give the same logits"
SAME = 1e-3
"""What logits of two frameworks may differ by, as a share of the largest."""


def model_findings(name: str, frameworks: tuple[str, ...], notice: Notice) -> Iterator[Finding]:
    """Yield what is found of a model in each framework, then of both together."""
    known = find_model(name)[0].frameworks
    there = [framework for framework in frameworks if framework in known]
    for framework in there:
        notice(f"{name} in {framework}")
        yield from asked("loads", partial(_examined, name, framework), framework)
    if len(there) < 2:
        yield Finding(AGREE, "inapplicable", f"it is there in {' and '.join(known)}.")
        return
    yield from asked(AGREE, lambda: _agreement(name, there))


def _examined(name: str, framework: str) -> tuple[Finding, ...]:
    return check_named(name, framework=framework).findings


def _agreement(name: str, frameworks: list[str]) -> Finding:
    one, other = (load_model(name, framework) for framework in frameworks)
    first = np.asarray(two_inputs(one))
    channels_first = first if one.channel_axis == 1 else np.moveaxis(first, -1, 1) if one.channel_axis == -1 else first
    second = channels_first if one.channel_axis is None else other.native_array(channels_first)
    logits = [np.asarray(model.outputs(x), np.float64) for model, x in ((one, first), (other, second))]
    largest = float(np.abs(logits[0]).max()) or 1.0
    apart = float(np.abs(logits[0] - logits[1]).max()) / largest
    evidence = f"logits of up to {largest:.3g} differ by {apart:.1g} of that."
    if apart <= SAME:
        return Finding(AGREE, "holds", evidence)
    remedy = "Build both from the same weights; two networks under one name are compared as if they were one."
    return Finding(AGREE, "doubtful", evidence, remedy)
