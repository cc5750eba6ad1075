"""The examination of a network, as data: every question with its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import pandas as pd

from ...errors import BadInput
from ...models.checking.finding import Finding, Verdict


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
            (self.of("holds"), "holds", "hold"),
            (self.of("doubtful"), "is doubtful", "are doubtful"),
            (self.of("fails"), "fails", "fail"),
            (self.of("inapplicable"), "does not apply", "do not apply"),
        ]
        told = ", ".join(f"{len(found)} {one if len(found) == 1 else more}" for found, one, more in counts if found)
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
            known = {name: values[name] for name in ("model", "framework", "inputs", "seconds")}
        except (KeyError, TypeError) as error:
            raise BadInput(f"An examination's record is damaged: {error}.") from error
        return cls(**known, findings=findings)
