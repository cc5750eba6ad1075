"""The inside of a worker process: get ready, then answer one message after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter

from ...models.arrays.tensor_float_32 import set_tensor_float_32
from ...models.devices import set_threads
from ...models.importing import imported
from ..setting.plugins import load_plugins
from ..store.outcomes import Outcome, failed, outcome_of
from ..work.messages import Call
from ..work.worker import Worker
from .log_lines import show_notices
from .malloc import keep_freed_memory

REPORT_SECONDS = 0.5
"""A worker says how far it has come at most this often."""


@dataclass(frozen=True)
class Ready:
    """The worker has imported its framework and plugins."""


@dataclass(frozen=True, eq=False)
class Done:
    """The answer to a message, and the seconds that it took."""

    answer: Outcome
    seconds: float
    spoiled: bool = False
    """Whether what ran changed what is not its own, so that the process is not fit for more."""


def serve(connection: Connection, framework: str, threads: int, plugins: Sequence[str], on_cpu: bool) -> None:
    """Answer one message after another until the connection is closed; the target of a worker process.

    Sends `Ready` or, if the framework or a plugin cannot be imported, `Failed` and ends. A `Call` is
    answered by what it came to, a `Job` by numbers of images (how many more went through the network) and then by its
    outcome, as `Done`.
    """
    _keep_to_itself(connection)
    if not make_ready(connection, framework, threads, plugins, on_cpu=on_cpu):
        return
    worker, me = Worker(threads), os.getpid()
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        began = perf_counter()
        if isinstance(message, Call):
            answer = outcome_of(message.function, *message.arguments)
        else:
            report = _Throttled(connection)
            answer = worker.run(message, report)
            if os.getpid() == me:
                report.flush()
        if os.getpid() != me:
            os._exit(1)  # a child that a method forked and let go on; what it found is not the job's answer
        connection.send(Done(answer, perf_counter() - began, worker.spoiled))


def make_ready(
    connection: Connection, framework: str, threads: int, plugins: Sequence[str], *, on_cpu: bool = False
) -> bool:
    """Make a new process ready to work with one framework, and say so; False if that failed, which is said too.

    ``on_cpu`` hides GPUs, on which TensorFlow would work and take memory all the same.
    """
    # Where there are no sessions, Ctrl-C and a closed terminal reach this process too; the parent decides what ends.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="heatmark-parent", daemon=True).start()
    _be_killed_first()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # or it takes all of a GPU, beside PyTorch
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the numbers of nvidia-smi
    if on_cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    show_notices()
    keep_freed_memory()
    try:
        imported(framework)
        set_threads(framework, threads)
        set_tensor_float_32(framework, False)  # float32 means float32, and results compare across devices
        load_plugins(plugins)
    except Exception as error:
        connection.send(failed(error))
        return False
    connection.send(Ready())
    return True


def _keep_to_itself(connection: Connection) -> None:
    """Let no process that a method starts hold the connection, or nobody would notice the end of this one."""
    os.set_inheritable(connection.fileno(), False)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=connection.close)


class _Throttled:
    """Adds up images and sends their number now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._images = 0
        self._sent = perf_counter()

    def __call__(self, images: int) -> None:
        self._images += images
        if perf_counter() - self._sent >= REPORT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send the images that were not sent yet, so that short cells count as well."""
        if self._images:
            self._connection.send(self._images)
            self._images, self._sent = 0, perf_counter()


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, even if it was killed: nobody is left to take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _be_killed_first() -> None:
    """Where memory runs out, let Linux choose this worker rather than the parent, which loses only one cell."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    except OSError:
        return
