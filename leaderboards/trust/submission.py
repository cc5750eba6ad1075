"""What a submission is: a folder with a file of methods, what they scored, and a description of both.

::

    submission.toml           who, what, how, and the SHA-256 of every other file
    FILE.py                   the methods, as they were run
    results/                  a packed run of them and of controls, with the check of the networks
    reproduced.toml           who ran a part of it again, and what came out; not the submitter's, and may be missing
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import BadInput, StorageError
from ...storage import written_whole
from ...toml_tables import made_of, toml_text

SCHEMA = 1
"""Raised whenever the meaning of a key changes."""
DESCRIPTION, RESULTS, REPRODUCED = "submission.toml", "results", "reproduced.toml"
ENOUGH = 299
"""So many scores, drawn of whatever number, find alterations of 1 % with a probability of 0.95: 1 - 0.99^299."""
MOST_TEXT = 1 << 20
"""The bytes of a description at most."""


@dataclass(frozen=True)
class SubmittedMethod:
    """A method of the file as it was run."""

    method: str
    """Its canonical text."""
    title: str
    family: str
    signed: bool
    summary: str = ""
    reference: str = ""


@dataclass(frozen=True)
class KeptContract:
    """What came of the contract of one method."""

    method: str
    passed: bool
    questions: int
    doubtful: tuple[str, ...] = ()
    """The questions that were neither kept nor broken, with what was seen."""


@dataclass(frozen=True)
class Submission:
    """What ``submission.toml`` says."""

    schema: int
    name: str
    """The folder's."""
    authors: tuple[str, ...]
    file: str
    suite: str
    methods: tuple[SubmittedMethod, ...]
    contracts: tuple[KeptContract, ...]
    created: str
    """When it was written, UTC."""
    heatmark: str
    """The version that measured it."""
    isolation: Literal["bubblewrap", "landlock", "none"]
    """How the file was kept apart while it ran."""
    costs_verified: bool
    """Whether its times and passes were measured where the file could not change them."""
    files: Mapping[str, str]
    """The SHA-256 of every file but this one, by its path."""
    environment: Mapping[str, str]
    """The machine, and the versions of what results may depend on."""
    paper: str = ""
    """A link or a reference."""
    command: str = ""
    """What made it."""

    @property
    def texts(self) -> frozenset[str]:
        """The canonical texts of its methods."""
        return frozenset(method.method for method in self.methods)

    def write(self, folder: Path) -> None:
        """Write it into a submission's folder."""
        _write(folder / DESCRIPTION, {key: value for key, value in asdict(self).items() if value not in ("", ())})


@dataclass(frozen=True)
class Reproduction:
    """That somebody ran a part of a submission again."""

    who: str
    when: str
    """UTC."""
    where: str
    """The machine."""
    submission: str
    """The SHA-256 of the ``submission.toml`` that it was; of another one this record says nothing."""
    seed: str
    """What the part was drawn by."""
    scores: int
    """So many scores were computed again."""
    of: int
    """Of so many."""
    differing: int
    """So many were further apart than the tolerance."""
    tolerance: float
    """As a share of the spread of the metric's scores."""
    heatmark: str
    isolation: str

    @property
    def counts(self) -> bool:
        """Whether nothing differed among so many scores that alterations of 1 % would have been found."""
        return not self.differing and self.scores >= min(ENOUGH, self.of) > 0


@dataclass(frozen=True)
class Reproductions:
    """What ``reproduced.toml`` says."""

    reproductions: tuple[Reproduction, ...] = field(default=())


def read_submission(folder: Path) -> Submission:
    """Return what a submission's folder says of itself; nothing in it is run.

    Raises
    ------
    StorageError
        If there is no description, or it cannot be read.
    BadInput
        If it is no TOML, or keys are missing, unknown or of the wrong type.
    """
    path = folder / DESCRIPTION
    found = made_of(Submission, _read(path), str(path))
    if found.schema != SCHEMA:
        raise BadInput(f"{path} has schema {found.schema}; this heatmark reads {SCHEMA}. Submit it anew.")
    return found


def read_reproductions(folder: Path) -> tuple[Reproduction, ...]:
    """Return who ran parts of a submission again; see `read_submission` for what is raised."""
    path = folder / REPRODUCED
    return made_of(Reproductions, _read(path), str(path)).reproductions if path.is_file() else ()


def add_reproduction(folder: Path, made: Reproduction) -> Path:
    """Add a record to a submission's folder and return the file."""
    records = [*read_reproductions(folder), made]
    _write(folder / REPRODUCED, {"reproductions": [asdict(record) for record in records]})
    return folder / REPRODUCED


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_TEXT:
            raise BadInput(f"{path} is larger than {MOST_TEXT >> 20} MiB, which no description is.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}. `heatmark submit` writes it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}.") from error


def _write(path: Path, values: Mapping[str, Any]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(toml_text(values), encoding="utf-8")
