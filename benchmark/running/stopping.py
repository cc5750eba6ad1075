"""Ending work when the system asks for it, as Ctrl-C does: what is finished is kept, and workers end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGTERM", "SIGHUP")
"""What job schedulers and closed terminals send."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt where a signal would end the process at once, and leave its handlers as they were.

    A signal that is ignored (``nohup``) or that the user's own program handles is left alone; so are all of them
    outside the main thread, which alone may handle signals.
    """
    taken: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        present = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        taken = [number for number in present if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second one must not interrupt what puts things in order.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
