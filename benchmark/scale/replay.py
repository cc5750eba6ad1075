"""A run on a cluster, replayed: recorded times of cells, workers, one driver that hands out and keeps, and one storage.

The model has what can hold a run up and nothing else. A worker asks for its next cell when it begins one, so that it
waits only where the driver is late; the driver serves one request after another; a cell's samples come over storage
that all workers share, and are decoded while the network works; a worker loads a network when it has another one.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RecordedCell:
    """What a cell takes."""

    group: Hashable
    """What its worker has to load for it: the network in its framework."""
    work: float
    """Seconds on the device."""
    decoding: float = 0.0
    """Seconds in which its samples are read in and brought to size, beside the work on the device."""
    size: float = 0.0
    """Bytes that its samples have on storage."""


@dataclass(frozen=True)
class Cluster:
    """What cells are done on."""

    workers: int
    """Each with a device of its own."""
    handing: float
    """Seconds of the driver for each cell: it is handed out, and what came of it is kept."""
    bandwidth: float
    """Bytes a second that storage gives to all workers together."""
    loading: float
    """Seconds in which a worker loads a network."""


@dataclass(frozen=True)
class Replay:
    """How a run went."""

    seconds: float
    """From its beginning until the last cell has ended."""
    at_work: float
    """The share of that time in which devices worked, mean over workers."""
    loading: float
    """The share in which workers loaded networks."""
    decoding: float
    """The share in which devices waited for samples to be decoded."""
    driver: float
    storage: float
    """The shares of that time in which the driver, and storage, were busy."""
    tail: float
    """The share in which workers had nothing more to do, while others did the last cells."""

    @property
    def bottleneck(self) -> str:
        """What would have to be more, or faster, for the run to end sooner: the busiest, or what is waited for most."""
        shares = {"devices": self.at_work, "driver": self.driver, "storage": self.storage}
        shares |= {"decoding": self.decoding, "last cells": self.tail, "loading": self.loading}
        return max(shares, key=lambda name: shares[name])

    @property
    def largest_loss(self) -> tuple[str, float]:
        """Why devices do not work most of the time in which they do not, and the share of the whole time."""
        losses = {"last cells": self.tail, "decoding": self.decoding, "loading": self.loading}
        losses["driver and storage"] = max(0.0, 1 - self.at_work - sum(losses.values()))
        return max(losses.items(), key=lambda item: item[1])


def replayed(cells: Sequence[RecordedCell], cluster: Cluster) -> Replay:
    """Return how a run of cells goes, handed out in their order, of a group that the worker has first."""
    queues: dict[Hashable, deque[RecordedCell]] = {}
    for cell in cells:
        queues.setdefault(cell.group, deque()).append(cell)
    asking = [(0.0, worker, worker) for worker in range(cluster.workers)]  # when, the how manieth to ask, who
    free, loaded = [0.0] * cluster.workers, dict[int, Hashable]()
    driver = storage = 0.0
    busy = {"work": 0.0, "loading": 0.0, "decoding": 0.0, "storage": 0.0}
    for number in range(cluster.workers, cluster.workers + len(cells)):
        asked, _, worker = heapq.heappop(asking)
        cell = _next(queues, loaded.get(worker))
        driver = max(driver, asked) + cluster.handing
        storage = max(storage, driver) + cell.size / cluster.bandwidth
        busy["storage"] += cell.size / cluster.bandwidth
        began = max(free[worker], storage)
        load = 0.0 if loaded.get(worker) == cell.group else cluster.loading
        loaded[worker] = cell.group
        waited = max(0.0, cell.decoding - cell.work)
        free[worker] = began + load + cell.work + waited
        for name, seconds in (("work", cell.work), ("loading", load), ("decoding", waited)):
            busy[name] += seconds
        heapq.heappush(asking, (began, number, worker))
    seconds = max(free)
    whole = seconds * cluster.workers
    return Replay(
        seconds,
        at_work=busy["work"] / whole,
        loading=busy["loading"] / whole,
        decoding=busy["decoding"] / whole,
        driver=len(cells) * cluster.handing / seconds,
        storage=busy["storage"] / seconds,
        tail=sum(seconds - end for end in free) / whole,
    )


def _next(queues: dict[Hashable, deque[RecordedCell]], loaded: Hashable) -> RecordedCell:
    """Take the next cell for a worker, as `executors.queue` does: of what it has loaded, else where most is left."""
    group = loaded if loaded in queues else max(queues, key=lambda name: len(queues[name]))
    cell = queues[group].popleft()
    if not queues[group]:
        del queues[group]
    return cell
