"""How long a job may take before it counts as stuck: so generous by itself that honest work is not ended."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ...errors import HeatmarkError
from ..store.cell import CellSpec
from ..work.planned_cost import planned_seconds
from ..work.worker import Job

STARTING_SECONDS = 3600.0
"""For what is done once: downloading a network and its data, loading, tracing."""
SAMPLE_SECONDS = 300.0
"""For every sample."""
TIMES = 100.0
"""And so many times the seconds that were planned, which know the method and the metrics and little of the network."""
USUAL_SAMPLES = 200
"""Where the job does not say how many it has."""


def generous_seconds(job: Job) -> float:
    """Return the seconds after which a job is ended where nobody said how long it may take."""
    spec = job.spec
    if not isinstance(spec, CellSpec):
        return STARTING_SECONDS + SAMPLE_SECONDS * USUAL_SAMPLES
    try:
        planned = planned_seconds(spec)
    except HeatmarkError:  # what a plugin registers is known to the workers, and not wherever they are watched
        planned = 0.0
    return STARTING_SECONDS + SAMPLE_SECONDS * (spec.last - spec.first) + TIMES * planned


@dataclass(frozen=True)
class TimeLimit:
    """How long jobs may take, as it is sent to where they are done."""

    seconds: float | None = None
    """The same for all, or ``inf`` for no limit; None for `generous_seconds` of each."""

    def __call__(self, job: Job) -> float | None:
        """Return the seconds that a job may take, None for any number."""
        seconds = generous_seconds(job) if self.seconds is None else self.seconds
        return None if seconds == inf else seconds
