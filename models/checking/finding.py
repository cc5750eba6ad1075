"""What an examination of a network found: one question, its verdict, the evidence and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "doubtful", "fails"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question about a network."""

    question: str
    """What was asked, in a few words, such as ``answers do not depend on the batch``."""
    verdict: Verdict
    """Whether it holds (✓), is doubtful (!) or fails (✗)."""
    evidence: str
    """What was seen, in numbers."""
    remedy: str = ""
    """What to do where it does not hold."""
