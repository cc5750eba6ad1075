"""Submitting methods: contracts, a suite, and a folder that a pull request can add."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...benchmark.contracts.report import ContractReport
from ...benchmark.contracts.reporting import contract_reports, registered_by
from ...benchmark.run import run
from ...benchmark.setting.environment import machine_facts, versions
from ...benchmark.suite import load_suite
from ...errors import BadInput, HeatmarkError, Untrusted
from ...identity import file_digest
from ...methods.registry import Method, method_from
from ...registry import NAME
from ...selection import parse_selections
from ...storage import made_folder
from ..records.packing import pack_runs
from ..trust.folder import files_in
from ..trust.submission import (
    DESCRIPTION,
    REPRODUCED,
    RESULTS,
    SCHEMA,
    KeptContract,
    Submission,
    SubmittedMethod,
    read_submission,
)
from ..trust.validation import Validation, validate
from ..writing.names import shown
from .standing import standing_words

FOLDER = Path("leaderboards") / "submissions"
MAPS = 2
"""So many heatmaps of each cell are kept, to be looked at."""


@dataclass(frozen=True)
class Made:
    """A submission that was written."""

    folder: Path
    submission: Submission
    contracts: tuple[ContractReport, ...]
    validation: Validation
    standing: tuple[str, ...]
    """Where its methods stand, in sentences."""


def submit(
    file: str | Path,
    *,
    authors: Iterable[str],
    suite: str = "quick",
    name: str | None = None,
    paper: str = "",
    methods: str | None = None,
    frameworks: str | None = None,
    limit: int | None = None,
    device: str = "auto",
    engine: str = "processes",
    isolated: bool = False,
    out: str | Path | None = None,
    command: str = "",
    progress: bool = True,
    on_question: Callable[[str], None] | None = None,
) -> Made:
    """Hold the methods of a file to their contracts, run a suite of them and its controls, and write the submission.

    A run that was interrupted goes on: its cells lie in ``results/submission-NAME``.

    Parameters
    ----------
    file
        A ``.py`` file that registers methods.
    authors
        Who submits, at least one.
    suite
        A suite's name, or a ``.toml`` file.
    name
        The submission's; the file's without its ending where None.
    paper
        A link or a reference.
    methods
        Which of the file's methods, with parameters (``mine[steps=20|50]``); each at its defaults where None.
    frameworks, limit, device, engine, progress
        As `heatmark.run` takes them.
    isolated
        Whether the file's methods run in a sandbox; their costs are unverified either way.
    out
        The folder; ``leaderboards/submissions/NAME`` where None.
    command
        What was typed, to be kept.
    on_question
        Told what the contracts ask.

    Raises
    ------
    BadInput
        For a name that cannot be used, a file without methods, or a folder that holds something else.
    Untrusted
        If a contract is broken, or what was written is not valid; the message says what to do.
    HeatmarkError
        If a cell fails.
    """
    path = Path(file)
    named = name if name is not None else path.stem
    folder = Path(out) if out is not None else FOLDER / named
    by = tuple(author.strip() for author in authors if author.strip())
    _check(path, named, by, folder)
    plugin = f"untrusted:{path}" if isolated else str(path)
    chosen = _methods(plugin, methods)
    contracts = _contracts(chosen, frameworks, on_question)
    asked = load_suite(suite)
    controls = [text for text in asked.methods if method_from(text).entry.is_control]
    done = run(
        asked,
        methods=[*(method.id for method in chosen), *(one for one in controls)],
        frameworks=frameworks,
        limit=limit,
        device=device,
        engine=engine,
        plugins=[plugin],
        out=Path("results") / f"submission-{named}",
        force=True,
        progress=progress,
    )
    if done.failures:
        first = done.failures[0]
        raise HeatmarkError(
            f"{len(done.failures)} of {done.expected} cells failed, the first with: {first.error} Nothing was written. "
            f"Mend it and submit again: finished cells are kept in {done.path}."
        )
    if done.missing:
        raise HeatmarkError(
            f"{done.missing} of {done.expected} cells are missing, so nothing was written: {done.summary}"
        )
    made_folder(folder)
    pack_runs([done], folder / RESULTS, curves=False, maps=MAPS, force=True)
    shutil.rmtree(folder / RESULTS / "thumbnails", ignore_errors=True)  # others' pictures, which heatmark has
    shutil.copyfile(path, folder / path.name)
    (folder / REPRODUCED).unlink(missing_ok=True)  # what was reproduced was another submission
    submission = Submission(
        schema=SCHEMA,
        name=named,
        authors=by,
        file=path.name,
        suite=asked.name,
        methods=tuple(map(_told, chosen)),
        contracts=tuple(map(_kept, contracts)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        heatmark=str(versions()["heatmark"]),
        isolation=chosen[0].entry.isolation or "none",  # type: ignore[arg-type]  # one of the levels
        costs_verified=False,
        files={item: file_digest(folder / item) for item, _ in files_in(folder) if item != DESCRIPTION},
        environment=_environment(),
        paper=paper.strip(),
        command=command,
    )
    submission.write(folder)
    validation = validate(folder)
    if not validation.valid:
        failing = [finding.sentence for finding in validation.findings if finding.verdict == "fails"]
        raise Untrusted(f"{folder} was written and is not valid: {' '.join(failing)}")
    return Made(folder, submission, contracts, validation, tuple(standing_words(folder, submission)))


def _check(path: Path, name: str, authors: tuple[str, ...], folder: Path) -> None:
    """Refuse before any work what would be refused after it."""
    for what, text in (("submission", name), ("file", path.stem)):
        if not NAME.fullmatch(text):
            raise BadInput(f"The {what} name {text!r} may have letters, digits, '_', '-' and '.' only. Choose another.")
    if not authors:
        raise BadInput("A submission names its authors: --authors 'A. Author, B. Author'.")
    if path.suffix != ".py" or not path.is_file():
        raise BadInput(f"There is no Python file {path}. `heatmark new method NAME` writes one to begin with.")
    if folder.name != name:
        raise BadInput(f"The folder {folder} is not called {name}, as the submission is. Choose --out or --name.")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / DESCRIPTION).is_file():
            raise BadInput(f"{folder} holds something that is no submission. Choose another --name.")
        if read_submission(folder).file != path.name:
            raise BadInput(f"{folder} is the submission of another file. Choose another --name.")


def _methods(plugin: str, selections: str | None) -> list[Method]:
    """Return the file's methods that are submitted."""
    found = registered_by(plugin)
    own = [name for kind, name in found if kind == "method"]
    if not own:
        raise BadInput("The file registers no method. `heatmark new method NAME` shows how one is registered.")
    if other := [f"{kind} {name}" for kind, name in found if kind != "method"]:
        raise BadInput(
            f"The file registers the {other[0]} too. Methods are scored with heatmark's own metrics, networks and "
            "data: leave it out of the file."
        )
    chosen = [method_from(one) for one in (own if selections is None else parse_selections(selections))]
    for method in chosen:
        if method.entry.name not in own:
            raise BadInput(f"{method.id} is no method of the file (it has: {', '.join(own)}).")
        if method.entry.is_control:
            raise BadInput(f"{method.id} is of the family 'control', which is heatmark's own. Choose another family.")
    return chosen


def _contracts(
    chosen: list[Method], frameworks: str | None, on_question: Callable[[str], None] | None
) -> tuple[ContractReport, ...]:
    named = None if frameworks is None else [one.strip() for one in frameworks.split(",")]
    contracts = tuple(
        one
        for method in chosen
        for one in contract_reports(method.id, kind="method", frameworks=named, on_question=on_question)
    )
    if broken := [finding for one in contracts for finding in one.failed]:
        said = "\n".join(f"✗ {finding.sentence}" for finding in broken[:5])
        raise Untrusted(
            f"The contract is broken, so nothing was run or written:\n{said}\n`heatmark test FILE` shows all."
        )
    return contracts


def _told(method: Method) -> SubmittedMethod:
    entry = method.entry
    reference = entry.reference.text if entry.reference is not None else ""
    return SubmittedMethod(method.id, shown(method.id, "method"), entry.family, method.signed, entry.summary, reference)


def _kept(contract: ContractReport) -> KeptContract:
    doubtful = tuple(f"{one.question}: {one.evidence}" for one in contract.findings if one.verdict == "doubtful")
    return KeptContract(contract.name, contract.passed, len(contract.findings), doubtful)


def _environment() -> dict[str, str]:
    facts = machine_facts()
    machine = {name: str(facts[name]) for name in ("platform", "python", "cpu", "cores")}
    return {**machine, **{name: version for name, version in versions().items() if version is not None}}
