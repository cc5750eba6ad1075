"""What an examination of a network found: one question, its verdict, the evidence and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["holds", "doubtful", "fails", "inapplicable"]

SIGNS: Mapping[Verdict, str] = {"holds": "✓", "doubtful": "!", "fails": "✗", "inapplicable": "–"}
"""What stands for a verdict in tables."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question about a network."""

    question: str
    """What was asked, in a few words, such as ``answers do not depend on the batch``."""
    verdict: Verdict
    """Whether it holds (✓), is doubtful (!), fails (✗), or has no meaning for this network (–), which is no fault."""
    evidence: str
    """What was seen, in numbers; where the question has no meaning, why."""
    remedy: str = ""
    """What to do where it does not hold."""

    @property
    def sign(self) -> str:
        """The verdict as a sign."""
        return SIGNS[self.verdict]

    @property
    def sentence(self) -> str:
        """The finding in one line, as warnings and errors say it."""
        return f"{self.question}: {self.evidence}" + (f" {self.remedy}" if self.remedy else "")

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)
