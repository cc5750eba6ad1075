"""Streaming: samples are read, framed and grouped in one background thread, one batch ahead of the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np

from ..errors import BadInput
from .framing import Target, framed
from .samples import Batch, Framing, InputFormat, Sample, UnreadableSample

Item = TypeVar("Item")


class Readable(Protocol):
    """What streaming asks of a dataset."""

    framing: Framing
    domain: tuple[float, float]

    def sample(self, index: int) -> Sample:
        """Read one sample."""

    def note_skipped(self, path: str, reason: str) -> None:
        """Record a file that is left out."""


@dataclass(frozen=True)
class Row:
    """One framed sample: its position, id and label, its array in the model's layout, and its mask."""

    index: int
    id: str
    label: int
    array: np.ndarray
    mask: np.ndarray | None


def rows(dataset: Readable, indices: Iterable[int], target: Target) -> Iterator[Row]:
    """Yield the readable samples among ``indices``, framed for the model; damaged ones are recorded and left out.

    Raises
    ------
    BadInput
        If samples were asked for and none could be read, or one does not fit the model.
    """
    asked, read, last = 0, 0, ""
    for index in indices:
        asked += 1
        try:
            sample = dataset.sample(index)
        except UnreadableSample as error:
            dataset.note_skipped(error.path, error.reason)
            last = str(error)
            continue
        read += 1
        array, mask = framed(sample, target, dataset.framing, dataset.domain)
        yield Row(index, sample.id, sample.label, array, mask)
    if asked and not read:
        raise BadInput(f"None of the {asked} samples asked for can be read. The last: {last}")


def grouped(source: Iterator[Row], size: int, stop: threading.Event) -> Generator[list[Row], None, None]:
    """Yield lists of ``size`` rows, the last one shorter; end early once ``stop`` is set."""
    group: list[Row] = []
    for row in source:
        if stop.is_set():
            return
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def batch_of(group: list[Row], model: InputFormat) -> Batch:
    """Return the rows as one batch on the model's device.

    Raises
    ------
    BadInput
        If only some of the samples have masks.
    """
    masks = [row.mask for row in group if row.mask is not None]
    if masks and len(masks) != len(group):
        lacking = next(row.id for row in group if row.mask is None)
        raise BadInput(f"Sample {lacking!r} has no mask but others of its dataset have. Give every sample a mask.")
    return Batch(
        x=model.from_numpy(np.stack([row.array for row in group])),
        y=np.array([row.label for row in group], dtype=np.int64),
        ids=tuple(row.id for row in group),
        masks=np.stack(masks) if masks else None,
        indices=np.array([row.index for row in group], dtype=np.int64),
    )


def prefetched(make: Callable[[threading.Event], Iterator[Item]]) -> Generator[Item, None, None]:
    """Yield the items of ``make(stop)``, each made in a background thread while the caller uses the one before.

    At most one finished item waits. An exception in the thread is raised here, after the items made before it.
    Closing the generator sets ``stop`` and waits for the thread to end.
    """
    stop, workers = threading.Event(), set[int]()
    pool = ThreadPoolExecutor(1, thread_name_prefix="heatmark-prefetch")
    items = make(stop)

    def following() -> list[Item]:
        workers.add(threading.get_ident())
        return list(islice(items, 1))

    try:
        job = pool.submit(following)
        while made := job.result():
            job = pool.submit(following)
            yield made.pop()
    finally:
        stop.set()
        # The garbage collector may close an abandoned generator from within the thread itself.
        pool.shutdown(wait=threading.get_ident() not in workers, cancel_futures=True)
