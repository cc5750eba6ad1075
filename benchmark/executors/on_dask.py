"""Jobs on a dask cluster: one on this machine, made for the run, or one that runs already.

dask chooses the place and moves what a lost worker had; at its place a job is done as everywhere else, by a worker
process of heatmark's own (`ProcessExecutor`), which keeps the network that it has loaded. So a cell that crashes, hangs
or meddles costs no dask worker, and two frameworks never share a process.

On this machine dask's scheduler and workers are threads of this process, which talk to one another without a port:
whoever reaches the port of a dask scheduler can run any code. The pages about its state, which dask insists on serving,
are left out, and what serves them is bound to loopback.
"""

from __future__ import annotations

import multiprocessing
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import dask.config
from distributed import Client, Future, KilledWorker, LocalCluster, get_worker, wait
from distributed.diagnostics.plugin import WorkerPlugin

from ...errors import BadInput, HeatmarkError, error_in_words
from ..setting.environment import gpu_possible, usable_cores, versions
from ..store.outcomes import Failed, Outcome
from ..work.messages import Advanced, Ended, Event, Started
from ..work.worker import Job
from .limits import TimeLimit
from .processes import ProcessExecutor
from .queue import Group, JobQueue, group_of
from .suitable import suitable_workers

GPU = "GPU"
"""The resource that a worker with a GPU declares (``dask worker --resources GPU=1``), and a job on a GPU asks for."""
AHEAD = 2
"""So many jobs a worker has: the one that it does, and the next, so that it need not wait for us."""
REFRESH_SECONDS = 2.0
"""Which workers there are is asked anew this often."""
_LOOPBACK = "127.0.0.1:0"
_NO_PAGES: Mapping[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
CONNECT_SECONDS = 15
PATIENCE_SECONDS = 120.0
"""A scheduler without any worker is given up after this time."""
_NO_GPU = "No dask worker declares a GPU. Start one with: dask worker ADDRESS --nthreads 1 --resources GPU=1"


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a job at its place."""

    outcome: Outcome
    images: int
    """How many went through the network."""
    seconds: float


class Place(WorkerPlugin):
    """What a dask worker does jobs with: a worker process for one framework at a time.

    Parameters
    ----------
    name
        Under which jobs find it.
    plugins
        Modules or files that worker processes import first.
    threads
        The threads of the framework; None for those that the dask worker was given.
    limit
        How long a job may take.
    """

    def __init__(self, name: str, plugins: Sequence[str], threads: int | None, limit: TimeLimit) -> None:
        self.name = name
        self._limit = limit
        self._plugins = tuple(plugins)
        self._threads = threads

    def setup(self, worker: Any) -> None:
        """Get ready on a worker; nothing is started before the first job."""
        self._one_at_a_time = threading.Lock()  # however many threads the worker has
        self._threads = self._threads or worker.state.nthreads
        self._executor: tuple[tuple[str, bool], ProcessExecutor] | None = None

    def teardown(self, worker: Any) -> None:
        """End the worker process."""
        if self._executor is not None:
            self._executor[1].close()
            self._executor = None

    def done(self, job: Job, on_cpu: bool) -> Answer:
        """Do a job, and return what came of it."""
        with self._one_at_a_time, _children_allowed():
            images = 0
            for event in self._fit_for(job.spec.framework, on_cpu).execute([job]):
                if isinstance(event, Advanced):
                    images += event.images
                elif isinstance(event, Ended):
                    return Answer(event.outcome, images, event.seconds)
        raise AssertionError("an executor ends every job")

    def _fit_for(self, framework: str, on_cpu: bool) -> ProcessExecutor:
        """Return the process for a framework; another one's is ended first, for the sake of memory."""
        if self._executor is None or self._executor[0] != (framework, on_cpu):
            if self._executor is not None:
                self._executor[1].close()
            executor = ProcessExecutor(
                (framework,), self._plugins, on_cpu=on_cpu, limit=self._limit, workers=1, threads=self._threads
            )
            self._executor = (framework, on_cpu), executor
        return self._executor[1]


@dataclass(eq=False)
class _Line:
    """The jobs that one dask worker has been given, the one that it does first."""

    address: str
    gpus: float
    last: Group | None = None
    jobs: deque[Job] = field(default_factory=deque)


class DaskExecutor:
    """Does jobs on a dask cluster.

    Parameters
    ----------
    plugins
        Modules or files that worker processes import first; they lie where the workers are.
    workers
        How many work here, where no scheduler is given; None for as many as suit the cores, memory and GPU.
    scheduler
        The address of a scheduler that runs already, or None.
    on_cpu
        Whether no job shall see a GPU.
    limit
        How long a job may take.
    most
        There will not be more jobs at a time than so many; None where that is not known.

    Raises
    ------
    HeatmarkError
        If there is no scheduler at the address.
    BadInput
        If its workers have another version of heatmark.
    """

    side_by_side = True

    def __init__(
        self,
        plugins: Sequence[str],
        *,
        workers: int | None = None,
        scheduler: str | None = None,
        on_cpu: bool = False,
        limit: TimeLimit = TimeLimit(),  # noqa: B008 (it is frozen)
        most: int | None = None,
    ) -> None:
        self._on_cpu = on_cpu
        self._cluster: LocalCluster | None = None
        threads = None
        if scheduler is None:
            one_gpu = not on_cpu and gpu_possible()
            count = workers or (1 if one_gpu else suitable_workers(1, most))
            threads = max(1, usable_cores() // count)
            with dask.config.set(_NO_PAGES):
                self._cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=False,
                    dashboard_address=_LOOPBACK,
                    worker_dashboard_address=_LOOPBACK,
                    memory_limit=None,
                    resources={GPU: 1} if one_gpu else None,
                )
        self._where = scheduler or "this machine"
        self._client = _connected(self._cluster or scheduler)
        self._lines: dict[str, _Line] = {}
        self._asked = 0.0
        self._seen = monotonic()
        self._futures: dict[str, tuple[Future, Job, _Line]] = {}
        try:
            self._refresh()
            if scheduler is not None:
                self._check_versions()
            self._name = f"heatmark-{uuid.uuid4().hex[:8]}"
            self._client.register_plugin(Place(self._name, plugins, threads, limit))
        except BaseException:
            self.close()
            raise
        self.gpu_possible = any(line.gpus for line in self._lines.values())

    def execute(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield what happens on all workers; images count when their job has ended."""
        queues = {gpu: JobQueue(job for job in jobs if self._on_gpu(job) == gpu) for gpu in (True, False)}
        while any(map(len, queues.values())) or self._futures:
            self._refresh()
            for line in sorted(self._lines.values(), key=lambda line: len(line.jobs)):
                yield from self._given(line, queues)
            if not self._futures:  # what is left needs a GPU
                while (job := queues[True].take(None)) is not None:
                    yield Ended(job.spec, Failed(_NO_GPU), 0.0)
                return
            with suppress(TimeoutError), self._client.as_current():
                wait([future for future, _, _ in self._futures.values()], REFRESH_SECONDS, "FIRST_COMPLETED")
            yield from self._taken(queues)

    def close(self) -> None:
        """Take back what is not done, and end what was made for this run."""
        with suppress(Exception):  # whoever stops does not care that a cluster is gone already
            self._client.cancel([future for future, _, _ in self._futures.values()], force=True)
            self._client.unregister_worker_plugin(self._name)
        self._futures.clear()
        with suppress(Exception):
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()

    def _on_gpu(self, job: Job) -> bool:
        device = job.named_model.device.lower()
        planned = getattr(job.spec, "device_class", None)
        if self._on_cpu or device.startswith("cpu") or planned == "cpu":
            return False
        return device != "auto" or self.gpu_possible

    def _given(self, line: _Line, queues: dict[bool, JobQueue]) -> Iterator[Event]:
        """Give a worker as many jobs as it is to have."""
        while len(line.jobs) < AHEAD:
            mine = [queues[gpu] for gpu in ((True, False) if line.gpus else (False,)) if len(queues[gpu])]
            job = mine[0].take(line.last) if mine else None
            if job is None:
                return
            self._submit(job, line)
            if len(line.jobs) == 1:
                yield Started(job.spec)

    def _submit(self, job: Job, line: _Line) -> None:
        on_gpu = self._on_gpu(job)
        future = self._client.submit(
            done_here,
            self._name,
            job,
            not on_gpu,
            key=f"{self._name}-{uuid.uuid4().hex}",
            workers=[line.address],
            allow_other_workers=True,  # a lost worker's jobs move
            resources={GPU: 1} if on_gpu else None,
            pure=False,
        )
        line.last = group_of(job)
        line.jobs.append(job)
        self._futures[future.key] = future, job, line

    def _taken(self, queues: dict[bool, JobQueue]) -> Iterator[Event]:
        """Take what is done, give its workers more to do, and then tell what came of it."""
        done = [item for item in self._futures.values() if item[0].done()]
        good = [future for future, _, _ in done if future.status == "finished"]
        answers = dict(zip((future.key for future in good), self._client.gather(good), strict=True))
        following: list[Event] = []
        for future, job, line in done:
            del self._futures[future.key]
            was_first = line.jobs[0] is job
            line.jobs.remove(job)
            if was_first and line.jobs:
                following.append(Started(line.jobs[0].spec))
        for line in dict.fromkeys(line for _, _, line in done):
            if line.address in self._lines:
                following += self._given(line, queues)
        for future, job, _ in done:
            answer = answers.get(future.key) or Answer(self._why(future), 0, 0.0)
            yield Advanced(job.spec, answer.images)
            yield Ended(job.spec, answer.outcome, answer.seconds)
        yield from following

    def _why(self, future: Future) -> Failed:
        """Return why a job has no answer."""
        if future.status in ("cancelled", "lost"):
            raise HeatmarkError(f"The dask scheduler of {self._where} is gone. Start it, and the same command goes on.")
        problem = future.exception()
        if isinstance(problem, KilledWorker):
            return Failed(
                f"Every dask worker that was given this died ({problem.allowed_failures + 1} of them); the last was "
                f"{problem.last_worker.address}. Its log tells why; memory that runs out is the usual reason."
            )
        return Failed(error_in_words(problem))

    def _refresh(self) -> None:
        """Ask which workers there are; those that are gone get nothing more, and dask moves what they had.

        Raises
        ------
        HeatmarkError
            If there has been none for a long time.
        """
        while not self._lines or monotonic() - self._asked > REFRESH_SECONDS:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
            self._asked = monotonic()
            self._lines = {
                address: self._lines.get(address) or _Line(address, about["resources"].get(GPU, 0))
                for address, about in found.items()
            }
            if self._lines:
                self._seen = self._asked
                return
            if self._asked - self._seen > PATIENCE_SECONDS:
                raise HeatmarkError(
                    f"The dask scheduler of {self._where} has had no worker for {PATIENCE_SECONDS:.0f} s. Start some "
                    "with: dask worker ADDRESS"
                )
            with suppress(TimeoutError):
                self._client.wait_for_workers(1, REFRESH_SECONDS)

    def _check_versions(self) -> None:
        mine = versions()["heatmark"]
        for address, theirs in self._client.run(versions).items():
            if theirs["heatmark"] != mine:
                raise BadInput(
                    f"The dask worker at {address} has heatmark {theirs['heatmark']}, this is {mine}. Install the same "
                    "version in both environments."
                )


def done_here(name: str, job: Job, on_cpu: bool) -> Answer:
    """Do a job at the place of this name on the dask worker that calls it."""
    answer: Answer = get_worker().plugins[name].done(job, on_cpu)
    return answer


def _connected(to: LocalCluster | str) -> Client:
    try:
        return Client(to, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise HeatmarkError(
            f"No dask scheduler answers at {to} ({error_in_words(error)}). Start one with `dask scheduler`, and give "
            "the address that it prints: --scheduler tcp://HOST:8786"
        ) from error


@contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a process that is called a daemon start processes: a nanny calls its dask worker so.

    Python forbids it lest the children be left behind; heatmark's end by themselves when their parent is gone.
    """
    settings: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
    daemon = settings.pop("daemon", None)
    try:
        yield
    finally:
        if daemon is not None:
            settings["daemon"] = daemon
