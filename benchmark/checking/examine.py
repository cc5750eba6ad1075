"""Examining a network: the public `check`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from ...models.arrays.operations import Tensor
from ...models.arrays.tensor_float_32 import without_tensor_float_32
from ...models.base import Model
from ...models.checking.finding import Finding
from ...models.checking.inputs import two_inputs
from ...models.wrap import require_model
from .examination import Examination
from .inputs import ROWS
from .questions import QUESTIONS

RANDOM_INPUTS = "two random inputs that are far apart"
GIVEN_INPUTS = "the first of the inputs given"

#: Told the title of each question before it is asked.
Notice = Callable[[str], None]


def check(model: Model, x: Any = None, *, on_question: Notice | None = None) -> Examination:
    """Examine a network: what heatmark understood of it, and whether that holds.

    Parameters
    ----------
    model
        From `heatmark.wrap` or `heatmark.load_model`.
    x
        (n, *input_shape), array or tensor, in the model's native layout and raw domain: inputs of the kind that will be
        explained, of which the first two are used; by default two random inputs that are far apart.
    on_question
        Told the title of each question before it is asked, for a display of progress.

    Returns
    -------
    Examination
        Every question with its verdict, the evidence in numbers, and the remedy. It is shown as a table in a notebook;
        ``examination.frame`` is one.

    Raises
    ------
    BadInput
        If ``model`` is no heatmark model, or ``x`` does not fit it.

    Examples
    --------
    >>> print(hm.check(hm.wrap(net), x))
    """
    require_model(model)
    given = model.inputs(two_inputs(model) if x is None else x)
    return examine(model, given[:ROWS], RANDOM_INPUTS if x is None else GIVEN_INPUTS, on_question=on_question)


def examine(
    model: Model,
    x: Tensor,
    inputs: str,
    more: Sequence[Finding] = (),
    on_question: Notice | None = None,
) -> Examination:
    """Return what is found of a model with some raw inputs on its device; see `check`.

    ``inputs`` says in words what they are; findings that are known already come ``more``, at the beginning.
    """
    began, findings = perf_counter(), list(more)
    with without_tensor_float_32(model.framework):
        for question in QUESTIONS:
            if on_question is not None:
                on_question(question.title)
            findings.append(question.answer(model, x))
    return Examination(model.name, model.framework, inputs, tuple(findings), perf_counter() - began)
