"""Which job a worker that is free does next: one with the network that it has, as long as there is one."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from ..work.messages import NamedModel
from ..work.worker import Job

Group = tuple[NamedModel, Hashable]


class JobQueue:
    """Jobs that wait, by network and data, in the order in which they came.

    A worker keeps the network that it has loaded, and the samples that it reads: it goes on with those, then with the
    network on other data, then with a network that nobody has begun, and then helps where most is left.

    Parameters
    ----------
    jobs
        The jobs.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._groups: dict[Group, deque[Job]] = {}
        self._begun: set[NamedModel] = set()
        self._left = 0
        for job in jobs:
            self._groups.setdefault(group_of(job), deque()).append(job)
            self._left += 1

    def __len__(self) -> int:
        return self._left

    def take(self, previous: Group | None) -> Job | None:
        """Return the next job for a worker that had one of a group (None: it has done nothing), None where none is."""
        if not self._left:
            return None
        group = self._best(previous)
        self._begun.add(group[0])
        job = self._groups[group].popleft()
        if not self._groups[group]:
            del self._groups[group]
        self._left -= 1
        return job

    def _best(self, previous: Group | None) -> Group:
        if previous is not None:
            if previous in self._groups:
                return previous
            same = [group for group in self._groups if group[0] == previous[0]]
            if same:
                return same[0]
        untouched = [group for group in self._groups if group[0] not in self._begun]
        return untouched[0] if untouched else max(self._groups, key=lambda group: len(self._groups[group]))


def group_of(job: Job) -> Group:
    """Return what a job's worker loads for it: the network, and the dataset where it reads one."""
    return job.named_model, getattr(job.spec, "dataset", None)
