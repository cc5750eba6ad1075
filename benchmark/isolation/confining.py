"""The first thing that a process does which is not trusted: it gives up what it shall not have, then does its work.

Only the standard library is imported before that, as whatever starts threads or holds files would keep them.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import landlock, system_calls

_PR_SET_PDEATHSIG = 1
_CAPABILITIES_VERSION = 0x20080522


@dataclass(frozen=True)
class Confinement:
    """What a process gives up when it starts."""

    level: str
    """See `levels.Level`."""
    scratch: str
    """The folder that it may write to."""
    readable: tuple[str, ...]
    """What it may read, where its level does not show it that alone anyway."""
    devices: tuple[str, ...] = ()
    """Of an accelerator."""
    memory_bytes: int | None = None
    open_files: int = 1024
    threads: int | None = None
    """Its threads are bounded where they are counted apart from its user's others."""
    parent: int = 0
    """The process that it ends with, where that is seen from inside."""

    @property
    def text(self) -> str:
        """All of it as one word of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Confinement:
        """Return what `text` says."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "readable": tuple(fields["readable"]), "devices": tuple(fields["devices"])})

    def apply(self) -> None:
        """Give it up, for good; what is promised and cannot be given up is an error."""
        os.closerange(3, 1 << 16)
        if self.parent:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.parent:
                raise OSError("the process that asked is gone")
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # the first to go
        if self.level == "none":
            return
        bounds = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: self.open_files,
            resource.RLIMIT_DATA: self.memory_bytes,
            resource.RLIMIT_NPROC: self.threads,
        }
        for what, bound in bounds.items():
            if bound is not None:
                hard = resource.getrlimit(what)[1]
                bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
                resource.setrlimit(what, (bound, bound))
        if self.level == "landlock":
            landlock.restrict_files(map(Path, self.readable), [Path(self.scratch)], map(Path, self.devices))
            _drop_capabilities()
        system_calls.filter_calls()


def _drop_capabilities() -> None:
    """Give up what root may do beyond its own files."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "the process cannot give up its capabilities")


def main() -> None:
    """Give up what the first argument says, then serve the file that the next ones name."""
    Confinement.read(sys.argv[1]).apply()
    if sys.argv[2] == "try":
        from .trying import tried

        tried(sys.argv[3])
        return
    from .inside import serve

    serve(Path(sys.argv[3]), sys.argv[4])


if __name__ == "__main__":
    main()
