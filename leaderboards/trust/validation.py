"""Validating a submission: everything that can be asked of its files without running any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import HeatmarkError, error_in_words
from ...methods.registry import METHODS
from ...models.checking.finding import Finding
from ...registry import NAME
from .folder import folder_findings
from .results_read import results_findings
from .submission import DESCRIPTION, REPRODUCED, Submission, read_reproductions, read_submission

DESCRIBED = "the description can be read"
NAMES = "names are free and safe"
CONTRACT = "every method kept its contract"
CLAIMS = "who ran a part of it again"


@dataclass(frozen=True)
class Validation:
    """What was found of a submission's folder."""

    folder: Path
    submission: Submission | None
    """None where the description cannot be read."""
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing fails."""
        return all(finding.verdict != "fails" for finding in self.findings)

    @property
    def summary(self) -> str:
        """One line."""
        failed = sum(finding.verdict == "fails" for finding in self.findings)
        told = f"{failed} of {len(self.findings)} questions fail" if failed else f"{len(self.findings)} questions"
        return f"{self.folder.name} is {'valid' if self.valid else 'not valid'}: {told}. Nothing submitted was run."


def validate(folder: str | Path, *, official: bool = True) -> Validation:
    """Return what is found of a submission; nothing that was submitted is run, imported or unpickled.

    Asked are: keys and types of the description; names; sizes, files and their SHA-256; that cells are of the submitted
    code and of heatmark's controls, all there, with this heatmark's metrics and networks; ranges; and that the
    network's answers are the same for every method. That a number is the right one only running it again can tell
    (`submitting.verify`).

    Parameters
    ----------
    folder
        What `heatmark submit` wrote.
    official
        Whether cells that the official results have too are compared with them, which fails nothing.
    """
    folder = Path(folder)
    try:
        submission = read_submission(folder)
    except HeatmarkError as error:
        return Validation(folder, None, (Finding(DESCRIBED, "fails", str(error)),))
    found = [Finding(DESCRIBED, "holds", f"{submission.name} by {', '.join(submission.authors)}.")]
    found += _answered(NAMES, lambda: iter([_names(folder, submission)]))
    found += _answered("the files can be read", lambda: folder_findings(folder, submission))
    if all(finding.verdict != "fails" for finding in found):
        found += _answered(CONTRACT, lambda: iter([_contract(submission)]))
        found += _answered("the results can be read", lambda: results_findings(folder, submission, official=official))
        found += _answered(CLAIMS, lambda: _claims(folder))
    return Validation(folder, submission, tuple(found))


def _answered(title: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield findings; what cannot be read is one that fails."""
    try:
        yield from ask()
    except Exception as error:  # whatever a file holds, it must not stop the others from being read
        yield Finding(title, "fails", error_in_words(error))


def _names(folder: Path, submission: Submission) -> Finding:
    problems = []
    for what, name in (("submission", submission.name), ("file", submission.file.removesuffix(".py"))):
        if not NAME.fullmatch(name):
            problems.append(f"the {what} {name!r} has other characters than letters, digits, '_', '-' and '.'")
    if submission.name != folder.resolve().name:
        problems.append(f"the folder is called {folder.resolve().name!r} and the submission {submission.name!r}")
    if submission.file not in submission.files:
        problems.append(f"{submission.file} is not in the list of files")
    texts = [method.method for method in submission.methods]
    if len(set(texts)) < len(texts):
        problems.append("a method is named twice")
    titles = {entry.title.casefold() for entry in METHODS if entry.origin == "heatmark"}
    for method in submission.methods:
        name = method.method.partition("[")[0]
        if not NAME.fullmatch(name) or method.family == "control":
            problems.append(f"the method {method.method!r} has a name or a family that it cannot have")
        if method.title.casefold() in titles:
            problems.append(f"the title {method.title!r} is that of a method of heatmark's")
    problems += _taken(folder, submission)
    if not all(author.strip() for author in submission.authors):
        problems.append("an author has no name")
    if problems:
        return Finding(NAMES, "fails", f"{'; '.join(problems[:3])}.", "Choose others, and submit anew.")
    return Finding(NAMES, "holds", f"{', '.join(texts)}.")


def _taken(folder: Path, submission: Submission) -> Iterator[str]:
    """Yield which methods another submission beside this one has already."""
    own = {text.partition("[")[0] for text in submission.texts}
    for path in sorted(folder.resolve().parent.glob(f"*/{DESCRIPTION}")):
        if path.parent != folder.resolve():
            try:
                other = read_submission(path.parent)
            except HeatmarkError:
                continue
            for name in sorted(own & {text.partition("[")[0] for text in other.texts}):
                yield f"the method {name} is submitted in {path.parent} already, and again in {folder}"


def _contract(submission: Submission) -> Finding:
    kept = {one.method: one for one in submission.contracts}
    broken = sorted(text for text in submission.texts if text not in kept or not kept[text].passed)
    if broken:
        return Finding(CONTRACT, "fails", f"not {', '.join(broken)}.", "heatmark test FILE says what fails.")
    doubtful = [f"{text}: {one}" for text, found in kept.items() for one in found.doubtful]
    if doubtful:
        return Finding(CONTRACT, "doubtful", f"{'; '.join(doubtful[:2])}.")
    return Finding(
        CONTRACT, "holds", f"{sum(one.questions for one in kept.values())} questions, as the submitter says."
    )


def _claims(folder: Path) -> Iterator[Finding]:
    """Yield what `REPRODUCED` claims: whoever wrote it is to be asked, not the file."""
    for one in read_reproductions(folder):
        told = f"{one.who}, {one.when}, {one.where}: {one.differing} of {one.scores} scores differed."
        yield Finding(CLAIMS, "holds" if not one.differing else "doubtful", told)
    if not read_reproductions(folder):
        yield Finding(CLAIMS, "inapplicable", f"nobody yet: there is no {REPRODUCED}.")
