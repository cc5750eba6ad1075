"""What was found when something of someone's own was held to its contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import NotApplicable, error_in_words, where_raised
from ...models.checking.finding import Finding

Kind = Literal["method", "metric", "dataset", "model"]
KINDS: tuple[Kind, ...] = ("method", "metric", "dataset", "model")

#: Told in a few words what is being asked.
Notice = Callable[[str], None]


@dataclass(frozen=True)
class ContractReport:
    """The answers about one entry."""

    kind: Kind
    name: str
    """A method's or metric's canonical text, or a name."""
    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing fails."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that fail."""
        return tuple(finding for finding in self.findings if finding.verdict == "fails")

    @property
    def summary(self) -> str:
        """One line: whether the contract is kept, and how many questions hold, are doubtful, fail, do not apply."""
        counts = dict.fromkeys(("holds", "doubtful", "fails", "inapplicable"), 0)
        for finding in self.findings:
            counts[finding.verdict] += 1
        words = {"holds": "hold", "doubtful": "doubtful", "fails": "fail", "inapplicable": "do not apply"}
        told = ", ".join(f"{count} {words[verdict]}" for verdict, count in counts.items() if count)
        return f"The {self.kind} {self.name} {'keeps' if self.passed else 'breaks'} its contract: {told}."

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {
            "kind": self.kind,
            "name": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 2),
            "findings": [finding.plain() for finding in self.findings],
        }


def asked(title: str, ask: Callable[[], Finding | Iterable[Finding]], where: str = "") -> list[Finding]:
    """Return what was found; where asking raised, that is the finding.

    Parameters
    ----------
    title
        What is asked, in a few words.
    ask
        Finds it out.
    where
        The framework or network, which stands behind each question.
    """
    try:
        found = ask()
        findings: Sequence[Finding] = [found] if isinstance(found, Finding) else list(found)
    except NotApplicable as reason:
        findings = [Finding(title, "inapplicable", str(reason))]
    except Exception as error:
        findings = [Finding(title, "fails", f"it raised {error_in_words(error)}{where_raised(error)}")]
    behind = f" ({where})" if where else ""
    return [Finding(f"{one.question}{behind}", one.verdict, one.evidence, one.remedy) for one in findings]
