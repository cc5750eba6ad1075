"""The process between a run and its worker, which sees to it that nothing a worker started outlives the worker.

A method may fork children, and those may leave its process group. On Linux the keeper is the nearest "subreaper" above
them: whoever loses its parent becomes the keeper's own child, so that all of them are found when the worker ends, by
whatever, when the run tells the keeper to end, and when the run itself is gone. It imports no framework, so that it
forks as a small process of one thread; and it needs nothing of the worker, which may be stuck in code that lets no
thread of Python run. Elsewhere the worker is started without it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import FrameType

import psutil

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
"""Options of ``prctl``, from linux/prctl.h."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries read when they are imported."""


def keep(connection: Connection, framework: str, threads: int, plugins: Sequence[str], on_cpu: bool) -> None:
    """Start a worker, wait until it or the run ends, end all that is left of it, and end as it did.

    The target of a worker process; the arguments are those of `worker_main.serve`.
    """
    # Ctrl-C and a closed terminal reach the whole group; the parent decides what ends.
    if hasattr(os, "setsid"):
        os.setsid()
    if sys.platform != "linux":
        _serve(connection, framework, threads, plugins, on_cpu)
        return
    _control(_SET_CHILD_SUBREAPER, 1)
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            asked.append(number)

    kept = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGCHLD)}
    keeper, worker = os.getpid(), os.fork()
    if worker == 0:
        for number, handler in kept.items():
            signal.signal(number, handler)
        _control(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != keeper:  # it was killed before that could be asked for
            os._exit(1)
        os.close(woken)
        os.close(waker)
        _become(connection, framework, threads, plugins, on_cpu)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    connection.close()
    parent = multiprocessing.parent_process()
    assert parent is not None
    status: int | None = None
    while status is None and not asked:
        status = _reaped(worker)
        if status is None and parent.sentinel in wait([parent.sentinel, woken]):
            break
        with suppress(BlockingIOError):
            os.read(woken, 4096)
    _end_all()
    _end_as(status)


def _become(connection: Connection, framework: str, threads: int, plugins: Sequence[str], on_cpu: bool) -> None:
    """Be the worker, and end this process with it: what follows in the source is the keeper's."""
    code = 1
    try:
        _serve(connection, framework, threads, plugins, on_cpu)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _serve(connection: Connection, framework: str, threads: int, plugins: Sequence[str], on_cpu: bool) -> None:
    # Before NumPy is imported, whose library of linear algebra takes a thread for every core it sees.
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    from .worker_main import serve  # here, so that the keeper stays small

    serve(connection, framework, threads, plugins, on_cpu)


def _reaped(worker: int) -> int | None:
    """Take note of every child that has ended, also of those that became ours; return the worker's status."""
    found = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == worker:
                found = ended[1]
    return found


def _end_all() -> None:
    """Kill everything below this process until nothing is left; one may start another while it is being killed."""
    while True:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _end_as(status: int | None) -> None:
    """End this process in the way the worker ended, so that whoever started it is told."""
    if status is not None and os.WIFSIGNALED(status):
        _without_core_file()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        number = os.WTERMSIG(status)
        with suppress(OSError, ValueError):  # the one that kills for certain has no handler
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(0 if status is None else os.waitstatus_to_exitcode(status))


def _without_core_file() -> None:
    """The worker's own is enough."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _control(option: int, value: int) -> None:
    """Ask something of Linux for this process; where it refuses, children that leave their group may get away."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
