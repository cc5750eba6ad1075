"""The examination of a network: every question with its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from time import perf_counter
from typing import Any

import pandas as pd

from ...errors import BadInput
from ...models.arrays.operations import Tensor
from ...models.arrays.tensor_float_32 import without_tensor_float_32
from ...models.base import Model
from ...models.checking.finding import Finding, Verdict
from ...models.checking.inputs import two_inputs
from ...models.queries import PassCount
from ...models.wrap import require_model
from .inputs import ROWS
from .questions import QUESTIONS

RANDOM_INPUTS = "two random inputs that are far apart"
GIVEN_INPUTS = "the first of the inputs given"

#: Told the title of each question before it is asked.
Notice = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Examination:
    """What was found of a network.

    ``examination.worst`` is the verdict to act on; `frame` holds all findings as a table, `text` as lines.
    """

    model: str
    """Its name."""
    framework: str
    """``torch`` or ``tensorflow``."""
    inputs: str
    """What it was asked with, in words."""
    findings: tuple[Finding, ...]
    """In the order in which they are shown."""
    forward: int = 0
    backward: int = 0
    """Rows that went through the network, as far as the engine counts them."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took."""

    @property
    def worst(self) -> Verdict:
        """``fails`` where anything fails, else ``doubtful`` where anything is, else ``holds``."""
        return "fails" if self.of("fails") else "doubtful" if self.of("doubtful") else "holds"

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        """Return the findings with one verdict."""
        return tuple(finding for finding in self.findings if finding.verdict == verdict)

    @property
    def summary(self) -> str:
        """One line: how many questions hold, are doubtful, fail and do not apply."""
        counts = [
            (self.of("holds"), "hold"),
            (self.of("doubtful"), "doubtful"),
            (self.of("fails"), "fail"),
            (self.of("inapplicable"), "do not apply"),
        ]
        told = ", ".join(f"{len(found)} {words}" for found, words in counts if found)
        return f"{self.model} in {self.framework}, asked with {self.inputs}: {told}"

    @property
    def frame(self) -> pd.DataFrame:
        """The findings as a table: ``question``, ``verdict``, ``evidence``, ``remedy``."""
        return pd.DataFrame([finding.plain() for finding in self.findings])

    def __repr__(self) -> str:
        lines = [f"  {finding.sign} {finding.sentence}" for finding in self.findings]
        return "\n".join([f"<Examination: {self.summary}>", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{finding.sign}</td><th style='text-align:left'>{escape(finding.question)}</th>"
            f"<td style='text-align:left'>{escape(finding.evidence)}"
            f"{f'<br><b>{escape(finding.remedy)}</b>' if finding.remedy else ''}</td></tr>"
            for finding in self.findings
        )
        return f"<table><caption>{escape(self.summary)}</caption><tbody>{rows}</tbody></table>"

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {**asdict(self), "findings": [finding.plain() for finding in self.findings], "worst": self.worst}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Examination:
        """Return what `plain` was made of; BadInput where something is missing."""
        try:
            findings = tuple(Finding(**finding) for finding in values["findings"])
            known = {name: values[name] for name in ("model", "framework", "inputs", "forward", "backward", "seconds")}
        except (KeyError, TypeError) as error:
            raise BadInput(f"An examination's record is damaged: {error}.") from error
        return cls(**known, findings=findings)


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
    began, before, findings = perf_counter(), model.passes, list(more)
    with without_tensor_float_32(model.framework):
        for question in QUESTIONS:
            if on_question is not None:
                on_question(question.title)
            findings.append(question.answer(model, x))
    passes: PassCount = model.passes - before
    return Examination(
        model.name,
        model.framework,
        inputs,
        tuple(findings),
        passes.forward,
        passes.backward,
        perf_counter() - began,
    )
