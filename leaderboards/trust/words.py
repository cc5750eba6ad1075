"""How far the numbers of a row can be trusted, in one word: reported, validated or reproduced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import HeatmarkError
from ...identity import file_digest
from .submission import DESCRIPTION, RESULTS, Reproduction, Submission, read_reproductions, read_submission
from .validation import validate

Word = Literal["reported", "validated", "reproduced"]
WORDS: tuple[Word, ...] = ("reported", "validated", "reproduced")
"""From little to much: somebody says so; the files are whole and can be what they say; somebody else got the same."""


@dataclass(frozen=True)
class Trust:
    """What is known of a row that was submitted."""

    word: Word
    submission: str
    """Its name."""
    authors: tuple[str, ...]
    said: str
    """Who, when and where, in a sentence."""

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Submitted:
    """The submission that a run's folder belongs to, and how far it can be trusted."""

    submission: Submission
    trust: Trust

    def has(self, method: str) -> bool:
        """Return whether a method, by its canonical text, is one of the submitted ones."""
        return method in self.submission.texts


def submitted(run: Path) -> Submitted | None:
    """Return the submission whose results a folder holds, None for any other run; nothing submitted is run."""
    folder = run.resolve().parent
    if run.resolve().name != RESULTS or not (folder / DESCRIPTION).is_file():
        return None
    try:
        submission = read_submission(folder)
    except HeatmarkError:
        return None
    return Submitted(submission, trust_of(folder, submission))


def trust_of(folder: Path, submission: Submission) -> Trust:
    """Return how far a submission can be trusted, by what its folder holds now."""
    machine = submission.environment.get("cpu", "a machine")
    by = f"by {', '.join(submission.authors)}, {submission.created[:10]}, on {machine}"

    def told(word: Word, said: str) -> Trust:
        return Trust(word, submission.name, submission.authors, said)

    found = validate(folder, official=False)
    if not found.valid:
        failing = next(finding for finding in found.findings if finding.verdict == "fails")
        return told("reported", f"reported {by}; not valid: {failing.question}: {failing.evidence}")
    if records := list(_that_hold(folder)):
        last = records[-1]
        others = f", and {len(records) - 1} more" if len(records) > 1 else ""
        own = " (its author)" if last.who in submission.authors else ""
        said = f"reproduced by {last.who}{own}, {last.when[:10]}, on {last.where}: {last.scores} of {last.of} scores"
        return told("reproduced", f"{said}{others}; reported {by}")
    return told("validated", f"reported {by}; validated by this heatmark: files, keys, completeness, ranges")


def _that_hold(folder: Path) -> Iterable[Reproduction]:
    """Yield the records that are of the submission as it is and found nothing that differs."""
    digest = file_digest(folder / DESCRIPTION)
    return (one for one in read_reproductions(folder) if one.submission == digest and one.counts)
