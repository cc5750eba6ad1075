"""Verifying a submission: a random part of its scores is computed again and compared."""

from __future__ import annotations

import hashlib
import math
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...benchmark.executors.engine import Engine
from ...benchmark.running.jobs import do, executor_of
from ...benchmark.running.progress import view_of
from ...benchmark.setting.environment import machine_facts, versions
from ...benchmark.setting.plugins import load_plugins
from ...benchmark.store.cell import CellSpec, score_column
from ...benchmark.store.outcomes import Failed, Finished, NotMeant, Outcome
from ...benchmark.suite import suite_from
from ...benchmark.work.again import AgainJob, ScoreAgain
from ...errors import BadInput, HeatmarkError
from ...identity import file_digest
from ...methods.registry import method_from
from ..trust.results_read import run_of
from ..trust.submission import DESCRIPTION, Reproduction, Submission, add_reproduction
from ..trust.validation import validate

SCORES = 300
"""So many scores find alterations of 1 % with a probability of 0.951: 1 - 0.99^300."""
TOLERANCE = 0.01
"""What scores may differ by, as a share of the spread of the metric's scores on the task: other processors differ by
less on all but a few (docs/submitting.md), and what is less moves no rank.
"""
ROUNDING = 1e-5
"""What they may differ by in any case, as a share of the metric's largest value."""
INNER = (0.05, 0.95)
"""The spread is taken between these quantiles, which few altered scores cannot move."""


@dataclass(frozen=True)
class Compared:
    """One score as it was submitted and as it came out again."""

    label: str
    sample: str
    metric: str
    submitted: float
    again: float
    allowed: float
    """How far they may be apart."""
    why: str = ""
    """Why it could not be computed again; empty where it could."""

    @property
    def same(self) -> bool:
        """Whether both are the same within the tolerance, or both undefined."""
        if self.why:
            return False
        if math.isnan(self.submitted) or math.isnan(self.again):
            return math.isnan(self.submitted) and math.isnan(self.again)
        return abs(self.submitted - self.again) <= self.allowed

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        where = f"{self.label}, sample {self.sample}, {self.metric}"
        if self.why:
            return f"{where}: could not be computed again: {self.why}"
        return f"{where}: submitted {self.submitted:.6g}, again {self.again:.6g}, allowed {self.allowed:.2g}"


@dataclass(frozen=True)
class Verification:
    """What came of computing a part of a submission again."""

    submission: Submission
    compared: tuple[Compared, ...]
    of: int
    """So many scores were submitted."""
    seed: str
    tolerance: float
    record: Path | None
    """The file that this was recorded in."""

    @property
    def differing(self) -> tuple[Compared, ...]:
        """The scores that are not the same."""
        return tuple(one for one in self.compared if not one.same)

    @property
    def reproduced(self) -> bool:
        """Whether all are the same."""
        return bool(self.compared) and not self.differing

    @property
    def finds(self) -> float:
        """The probability with which so many scores show an alteration of 1 % of all."""
        return chance_to_find(len(self.compared), self.of)

    @property
    def summary(self) -> str:
        """One line."""
        word = "reproduced" if self.reproduced else "not reproduced"
        same = len(self.compared) - len(self.differing)
        return (
            f"{self.submission.name} is {word}: {same} of {len(self.compared)} scores drawn from {self.of} came out "
            f"the same within {self.tolerance:.0%} of the metric's spread. So many find alterations of 1 % with a "
            f"probability of {self.finds:.3f}. Drawn by the seed {self.seed}."
        )


def chance_to_find(drawn: int, of: int, share: float = 0.01) -> float:
    """Return the probability that a draw without replacement has one at least of the scores that were altered."""
    altered = math.ceil(share * of)
    if drawn + altered > of:
        return 1.0
    missed = 1.0
    for number in range(altered):
        missed *= (of - drawn - number) / (of - number)
    return 1.0 - missed


def verify(
    folder: str | Path,
    *,
    seed: str | None = None,
    scores: int = SCORES,
    tolerance: float = TOLERANCE,
    who: str | None = None,
    trust: bool = False,
    device: str = "auto",
    engine: str = "processes",
    progress: bool = True,
) -> Verification:
    """Compute a random part of a submission's scores again and record what came out.

    Parameters
    ----------
    folder
        What ``heatmark submit`` wrote; it is validated first.
    seed
        What the part is drawn by; the hash of the last commit that touched the folder where None, and where there is
        none a random one. Whoever submits must not know it beforehand.
    scores
        So many are drawn, without replacement.
    tolerance
        What scores may differ by, as a share of the metric's spread.
    who
        Who verifies; Git's user name where None.
    trust
        Run the file in this machine's own processes, not in a sandbox.
    device, engine, progress
        As `heatmark.run` takes them.

    Raises
    ------
    BadInput
        If the submission is not valid, or an option is out of range.
    HeatmarkError
        If there is no sandbox here and ``trust`` is not given.
    """
    folder = Path(folder)
    if scores < 1 or not 0 <= tolerance < 1:
        raise BadInput(f"Give at least one score, and a tolerance from 0 to below 1; got {scores} and {tolerance}.")
    found = validate(folder)
    if not found.valid or found.submission is None:
        failing = next(finding for finding in found.findings if finding.verdict == "fails")
        raise BadInput(f"{folder} is not valid, so nothing of it is run: {failing.sentence}")
    submission, store = found.submission, run_of(folder)
    file = folder / submission.file
    plugin = str(file) if trust else f"untrusted:{file}"
    load_plugins([plugin])
    level = next(iter(method_from(text).entry.isolation for text in sorted(submission.texts))) or "none"
    suite = suite_from(store.run["suite"], submission.suite, str(store.path / "run.json"))
    drawn_by = seed if seed is not None else _commit_of(folder) or secrets.token_hex(16)
    known = _submitted(folder)
    drawn = _drawn(known, scores, f"{drawn_by} {file_digest(folder / DESCRIPTION)}")
    wanted: dict[str, list[_Score]] = {}
    for one in drawn:
        wanted.setdefault(one.spec.key, []).append(one)
    jobs = [AgainJob(asked[0].spec, device, suite.rule, tuple(one.score for one in asked)) for asked in wanted.values()]
    outcomes: dict[str, Outcome] = {}
    frameworks = sorted({job.spec.framework for job in jobs})
    with (
        tempfile.TemporaryDirectory() as scratch,
        executor_of(Engine.of(engine), frameworks, device, [plugin], (), Path(scratch), len(jobs)) as executor,
    ):
        view = view_of([job.spec for job in jobs], executor.side_by_side, progress, noun="cells")
        do(executor.execute(jobs), view, lambda spec, outcome: outcomes.__setitem__(spec.key, outcome))
    compared = tuple(_compared(drawn, known, outcomes, tolerance))
    if all(one.why for one in compared):
        raise HeatmarkError(f"Nothing could be computed again, so nothing is recorded: {compared[0].why}")
    record = Reproduction(
        who=who or _git("config", "user.name") or "unnamed",
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        where=_machine(),
        submission=file_digest(folder / DESCRIPTION),
        seed=drawn_by,
        scores=len(compared),
        of=len(known),
        differing=sum(not one.same for one in compared),
        tolerance=tolerance,
        heatmark=str(versions()["heatmark"]),
        isolation=level,
    )
    return Verification(submission, compared, len(known), drawn_by, tolerance, add_reproduction(folder, record))


@dataclass(frozen=True)
class _Score:
    """A score as it was submitted."""

    spec: CellSpec
    sample: str
    score: ScoreAgain
    value: float


def _submitted(folder: Path) -> list[_Score]:
    """Return every score of a submission that has a meaning, in the order of its cells."""
    found = []
    for cell in run_of(folder).cells():
        left_out = cell.provenance.get("metrics_not_applicable") or {}
        rows = cell.table
        for metric in cell.spec.metrics:
            if metric not in left_out:
                values = rows[score_column(metric)].to_numpy(np.float64)
                samples = zip(rows["sample"], rows["index"], values, strict=True)
                found += [
                    _Score(cell.spec, str(sample), ScoreAgain(int(index), metric), float(value))
                    for sample, index, value in samples
                ]
    if not found:
        raise BadInput(f"{folder} has no scores.")
    return found


def _drawn(known: Sequence[_Score], count: int, seed: str) -> list[_Score]:
    """Return so many scores, drawn without replacement by a text."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big")
    places = np.random.default_rng(number).choice(len(known), size=min(count, len(known)), replace=False)
    return [known[int(place)] for place in np.sort(places)]


def _compared(
    drawn: Sequence[_Score], known: Sequence[_Score], outcomes: dict[str, Outcome], tolerance: float
) -> Iterator[Compared]:
    allowed = _allowed(known, tolerance)
    for one in drawn:
        outcome = outcomes.get(one.spec.key)
        again, why = math.nan, ""
        if isinstance(outcome, Finished):
            again = outcome.value.get(one.score, math.nan)
        else:
            why = outcome.error if isinstance(outcome, Failed) else "it was not done"
            why = outcome.reason if isinstance(outcome, NotMeant) else why
        within = allowed[_place(one)]
        yield Compared(one.spec.label, one.sample, one.score.metric, one.value, again, within, why)


def _allowed(known: Sequence[_Score], tolerance: float) -> dict[tuple[str, str, str], float]:
    """Return what scores may differ by, for each metric on a task in a framework."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for one in known:
        if math.isfinite(one.value):
            values.setdefault(_place(one), []).append(one.value)
    found = {_place(one): 0.0 for one in known}
    for place, listed in values.items():
        low, high = np.quantile(listed, INNER)
        found[place] = max(tolerance * float(high - low), ROUNDING * float(np.abs(listed).max()))
    return found


def _place(one: _Score) -> tuple[str, str, str]:
    return str(one.spec.task), one.spec.framework, one.score.metric


def _commit_of(folder: Path) -> str:
    """Return the hash of the last commit that touched a folder; nothing where it is not committed as it is."""
    if _git("-C", str(folder), "status", "--porcelain", "--", ".", f":!{folder.name}/reproduced.toml") != "":
        return ""
    return _git("-C", str(folder), "log", "-1", "--format=%H", "--", DESCRIPTION) or ""


def _git(*words: str) -> str | None:
    """Return what Git says, None where there is no Git or no repository."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _machine() -> str:
    facts = machine_facts()
    return f"{facts['cpu']}, {facts['platform'].partition('-')[0]}"
