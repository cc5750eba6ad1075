"""How long a job may take before it counts as stuck: so generous by itself that honest work is not ended."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ..store.cell import CellSpec
from ..work.worker import Job

STARTING_SECONDS = 3600.0
"""For what is done once: downloading a network and its data, loading, tracing."""
SAMPLE_SECONDS = 300.0
"""For every sample."""
USUAL_SAMPLES = 200
"""Where the job does not say how many it has."""


def generous_seconds(job: Job) -> float:
    """Return the seconds after which a job is ended where nobody said how long it may take."""
    spec = job.spec
    samples = spec.last - spec.first if isinstance(spec, CellSpec) else USUAL_SAMPLES
    return STARTING_SECONDS + SAMPLE_SECONDS * samples


@dataclass(frozen=True)
class TimeLimit:
    """How long jobs may take, as it is sent to where they are done."""

    seconds: float | None = None
    """The same for all, or ``inf`` for no limit; None for `generous_seconds` of each."""

    def __call__(self, job: Job) -> float | None:
        """Return the seconds that a job may take, None for any number."""
        seconds = generous_seconds(job) if self.seconds is None else self.seconds
        return None if seconds == inf else seconds
