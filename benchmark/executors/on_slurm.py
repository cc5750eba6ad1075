"""Jobs as an array of Slurm's, by submitit: shares of about equal cost, each done by worker processes on its node.

What a node has done it leaves in a folder that all nodes reach, one file a job, written whole; whoever asked for it
takes it from there. So nothing that is done is lost with the process that asked: the same command finds it, and waits
for those shares of its array that still wait or run. What a share leaves undone, since its node or its time was lost,
goes into the next array.
"""

from __future__ import annotations

import math
import os
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from ...errors import BadInput, HeatmarkError, StorageError
from ...identity import digest
from ...storage import made_folder, written_whole
from ..setting.environment import gpu_possible
from ..store.keyed import read_json, write_json
from ..store.outcomes import Failed, Finished
from ..work.messages import Ended, Event, Piece, Started
from ..work.worker import Job
from .limits import TimeLimit
from .processes import ProcessExecutor
from .shares import jobs_shared_out

SHARES = 16
"""An array has so many shares where their number is not given, and fewer where there are fewer jobs."""
MINUTES = 240
"""What a share may take where that is not said."""
POLL_SECONDS = 1.0
"""The folder is looked through this often."""
ASK_SECONDS = 30.0
"""Slurm is asked what became of a share that has left no result this often."""
TRIES = 3
"""So many arrays in a row may end without a single job done before what is left counts as failed."""
_DONE, _ARRAYS, _LOGS = "done", "arrays", "logs"


@dataclass(frozen=True)
class Share:
    """What one job of an array does, as it is sent to its node.

    ``folder`` is where it leaves what is done; the rest is as `SlurmExecutor` takes it.
    """

    jobs: tuple[Job, ...]
    folder: Path
    plugins: tuple[str, ...]
    on_cpu: bool
    limit: TimeLimit


def do(share: Share) -> int:
    """Do the jobs of a share, and return how many were done; what a job of Slurm's runs."""
    frameworks = tuple(dict.fromkeys(job.spec.framework for job in share.jobs))
    done = 0
    most = len(share.jobs)
    executor = ProcessExecutor(frameworks, share.plugins, on_cpu=share.on_cpu, limit=share.limit, most=most)
    with closing(executor):
        for event in executor.execute(share.jobs):
            if isinstance(event, Ended):
                leave(share.folder, event)
                done += 1
    return done


@dataclass(eq=False)
class _Running:
    """A share that was submitted and is not known to have ended."""

    job: submitit.Job[Any]
    names: list[str]
    """What its jobs are called."""
    adopted: bool = False
    """Whether an earlier process submitted it."""
    asked: float = -math.inf
    """When Slurm was last asked what became of it."""


class SlurmExecutor:
    """Does jobs as arrays of Slurm's.

    Parameters
    ----------
    plugins
        Modules or files that worker processes import first.
    folder
        A folder that every node reaches; results that are done and not yet taken lie there, with submitit's scripts and
        logs.
    workers
        How many shares an array has; None for `SHARES`.
    options
        What is asked of Slurm, as submitit names it: ``timeout_min``, ``mem_gb``, ``cpus_per_task``, ``gpus_per_node``,
        ``partition``, ``account``, and so on. ``cluster`` is ``slurm``, or ``local`` for processes on this machine.
    on_cpu
        Whether jobs shall see no GPU.
    limit
        How long a job may take.

    Raises
    ------
    BadInput
        If Slurm is not here, or submitit refuses an option.
    StorageError
        If the folder cannot be used, or is another user's.
    """

    side_by_side = True

    def __init__(
        self,
        plugins: Sequence[str],
        folder: Path,
        *,
        workers: int | None = None,
        options: Mapping[str, Any] | None = None,
        on_cpu: bool = False,
        limit: TimeLimit = TimeLimit(),  # noqa: B008 (it is frozen)
    ) -> None:
        asked = dict(options or {})
        self._cluster = str(asked.pop("cluster", "slurm"))
        self._plugins, self._on_cpu, self._limit = tuple(plugins), on_cpu, limit
        self._folder = made_folder(folder).resolve()
        if hasattr(os, "getuid") and self._folder.stat().st_uid != os.getuid():
            raise StorageError(f"{self._folder} is another user's: what lies there could be any code. Choose --out.")
        for name in (_DONE, _ARRAYS, _LOGS):
            made_folder(self._folder / name)
        self._shares = workers or SHARES
        self.gpu_possible = not on_cpu and (
            gpu_possible() if self._cluster == "local" else any("gpu" in f"{k}={v}" for k, v in asked.items() if v != 0)
        )
        self._submitting = self._submitter(asked)
        self._running: dict[str, _Running] = {}

    def _submitter(self, asked: dict[str, Any]) -> submitit.AutoExecutor:
        known = {"timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node"}
        named = {name if name in known else f"slurm_{name}": value for name, value in asked.items()}
        try:
            executor = submitit.AutoExecutor(folder=self._folder / _LOGS, cluster=self._cluster)
            executor.update_parameters(**{"timeout_min": MINUTES, "name": "heatmark", **named})
        except (RuntimeError, ValueError, NameError, TypeError, AssertionError) as error:
            words = " ".join(str(error).split())
            raise BadInput(f"Slurm cannot be asked for this: {words}") from error
        return executor

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens on all nodes; images are not counted."""
        waiting = {name_of(job.spec): job for job in jobs}
        self._adopt(waiting)
        yield from self._taken(waiting, afresh=True)
        tries, left = 0, len(waiting)
        while waiting:
            taken = {name for share in self._running.values() for name in share.names}
            if not taken & set(waiting):
                tries = tries + 1 if len(waiting) == left else 1
                left = len(waiting)
                if tries > TRIES:
                    yield from self._given_up(waiting)
                    return
                yield from self._submitted(list(waiting.values()))
            time.sleep(POLL_SECONDS)
            ended = [number for number, share in self._running.items() if _has_ended(share)]
            yield from self._taken(waiting)  # also what the last of them left before they ended
            for number in ended:
                del self._running[number]
                self._record(number).unlink(missing_ok=True)

    def close(self) -> None:
        """Cancel the shares that wait or run; what is done stays in the folder until it is taken."""
        for number, share in self._running.items():
            with suppress(Exception):  # whoever stops does not care that it has ended meanwhile
                share.job.cancel(check=False)
            self._record(number).unlink(missing_ok=True)
        self._running.clear()

    def _submitted(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Submit an array of jobs."""
        shares = [
            Share(tuple(share), self._folder / _DONE, self._plugins, self._on_cpu, self._limit)
            for share in jobs_shared_out(jobs, self._shares)
        ]
        try:
            if len(shares) == 1:
                submitted = [self._submitting.submit(do, shares[0])]
            else:
                submitted = self._submitting.map_array(do, shares)
        except (OSError, RuntimeError, submitit.core.utils.FailedJobError) as error:
            words = " ".join(str(error).split())
            raise HeatmarkError(f"Slurm took no jobs: {words}. The same command goes on from here.") from error
        for job, share in zip(submitted, shares, strict=True):
            names = [name_of(one.spec) for one in share.jobs]
            self._running[job.job_id] = _Running(job, names)
            write_json(self._record(job.job_id), {"cluster": self._cluster, "jobs": names})
            for one in share.jobs:
                yield Started(one.spec)

    def _record(self, number: str) -> Path:
        """Return the file that tells whoever comes after this process what a share of Slurm's does."""
        return self._folder / _ARRAYS / f"{number}.json"

    def _adopt(self, waiting: dict[str, Job]) -> None:
        """Wait for what an earlier process submitted of these jobs, as far as it still waits or runs."""
        for path in sorted((self._folder / _ARRAYS).glob("*.json")):
            record = read_json(path)
            if not isinstance(record, dict) or record.get("cluster") != "slurm" or self._cluster != "slurm":
                path.unlink(missing_ok=True)  # processes of this machine end with the one that started them
                continue
            if path.stem not in self._running and set(record["jobs"]) & set(waiting):
                job = submitit.SlurmJob(folder=self._folder / _LOGS, job_id=path.stem)
                self._running[path.stem] = _Running(job, record["jobs"], adopted=True)

    def _taken(self, waiting: dict[str, Job], *, afresh: bool = False) -> Iterator[Event]:
        """Take what is done of the jobs that wait, and yield it.

        Of what an earlier process left (``afresh``), only results under a key count, for that names all they depend on.
        """
        for path in sorted((self._folder / _DONE).glob("*.pickle")):
            job = waiting.get(path.stem)
            if job is None:
                continue
            try:
                ended: Ended = pickle.loads(path.read_bytes())
            except Exception:  # damaged: it is done anew
                path.unlink(missing_ok=True)
                continue
            if afresh and not (hasattr(job.spec, "key") and isinstance(ended.outcome, Finished)):
                path.unlink(missing_ok=True)
                continue
            del waiting[path.stem]
            yield Ended(job.spec, ended.outcome, ended.seconds)
            path.unlink(missing_ok=True)  # only now that it is kept

    def _given_up(self, waiting: dict[str, Job]) -> Iterator[Event]:
        told = Failed(
            f"{TRIES} arrays of jobs ended without doing this. Slurm's logs in {self._folder / _LOGS} tell why; "
            "too little time (timeout_min) or memory (mem_gb) are the usual reasons."
        )
        for job in waiting.values():
            yield Ended(job.spec, told, 0.0)


def _has_ended(share: _Running) -> bool:
    """Return whether a share will do nothing more."""
    if share.job.paths.result_pickle.exists():
        return True
    now = time.monotonic()
    if now - share.asked < ASK_SECONDS:
        return False
    share.asked = now
    return share.job.done(force_check=True) or (share.adopted and share.job.state == "UNKNOWN")


def name_of(piece: Piece) -> str:
    """Return what a piece of work is called between processes: its key, or a digest of all that it is."""
    key = getattr(piece, "key", None)
    return key if isinstance(key, str) else digest(vars(piece))


def leave(folder: Path, ended: Ended) -> None:
    """Leave what came of a job for whoever asked for it."""
    with written_whole(folder / f"{name_of(ended.piece)}.pickle") as temporary:
        temporary.write_bytes(pickle.dumps(ended))
