"""The replay of a run against times known by hand, and against a simulation tick by tick with no code in common."""

from __future__ import annotations

import numpy as np
import pytest

from heatmark.benchmark.scale.imagenet import FRAMEWORKS, METHODS, cells_of, costs_in_forwards
from heatmark.benchmark.scale.replay import Cluster, RecordedCell, replayed

INSTANT = {"handing": 0.0, "bandwidth": 1e12, "loading": 0.0}


def ticked(works: list[int], workers: int, handing: int, reading: list[int]) -> int:
    """Play a run tick by tick: every tick each worker, the driver and storage do a unit of what they have.

    A worker has a seat for the cell that it does and one for the next, which is asked for as soon as the seat is free.
    """
    left, asked = list(enumerate(zip(works, reading, strict=True))), list(range(workers))
    driver: list | None = None  # ticks left, for whom, what
    storage: list[list[int]] = []  # ticks left, for whom, work, number
    seat: dict[int, tuple[int, int]] = {}  # number and work of the next
    doing: dict[int, int] = {}
    time = ended = 0
    while ended < len(works):
        progress = True
        while progress:  # what takes no time happens within the tick
            progress = False
            if driver is None and asked and left:
                driver, progress = [handing, asked.pop(0), left.pop(0)], True
            if driver is not None and driver[0] == 0:
                number, (work, reads) = driver[2]
                storage.append([reads, driver[1], work, number])
                driver, progress = None, True
            if storage and storage[0][0] == 0:
                _, worker, work, number = storage.pop(0)
                seat[worker], progress = (number, work), True
            for worker in sorted(seat, key=lambda one: seat[one]):
                if worker not in doing:
                    _, doing[worker] = seat.pop(worker)
                    asked.append(worker)
                    progress = True
        time += 1
        if driver is not None:
            driver[0] -= 1
        if storage:
            storage[0][0] -= 1
        for worker in list(doing):
            doing[worker] -= 1
            if doing[worker] == 0:
                del doing[worker]
                ended += 1
    return time


@pytest.mark.parametrize(("workers", "handing", "reading"), [(1, 0, 0), (3, 0, 0), (3, 2, 0), (4, 1, 3), (8, 3, 1)])
def test_a_replay_takes_as_long_as_tick_by_tick(workers: int, handing: int, reading: int) -> None:
    generator = np.random.default_rng([workers, handing, reading])
    for _ in range(10):
        works = [int(work) for work in generator.integers(1, 30, size=40)]
        reads = [int(one) for one in generator.integers(0, reading + 1, size=40)]
        cells = [RecordedCell("net", work, size=read) for work, read in zip(works, reads, strict=True)]
        found = replayed(cells, Cluster(workers, handing, bandwidth=1.0, loading=0.0))
        assert found.seconds == pytest.approx(ticked(works, workers, handing, reads))


def test_times_that_are_known_by_hand() -> None:
    cells = [RecordedCell("net", 10.0)] * 12
    one = replayed(cells, Cluster(5, **INSTANT))
    assert one.seconds == 30 and one.at_work == pytest.approx(120 / 150) and one.tail == pytest.approx(30 / 150)
    slow = replayed([RecordedCell("net", 1.0)] * 100, Cluster(50, 0.5, 1e12, 0.0))
    assert slow.seconds == pytest.approx(100 * 0.5 + 1) and slow.bottleneck == "driver"
    disk = replayed([RecordedCell("net", 1.0, size=2e6)] * 100, Cluster(50, 0.0, 1e6, 0.0))
    assert disk.seconds == pytest.approx(100 * 2 + 1) and disk.bottleneck == "storage"
    eyes = replayed([RecordedCell("net", 1.0, decoding=4.0)] * 8, Cluster(2, **INSTANT))
    assert eyes.seconds == pytest.approx(16) and eyes.bottleneck == "decoding"
    assert eyes.largest_loss == ("decoding", pytest.approx(12 / 16))
    end = replayed([RecordedCell("net", 1.0)] * 9 + [RecordedCell("net", 20.0)], Cluster(10, **INSTANT))
    assert end.bottleneck == "last cells" and end.seconds == 20


def test_a_worker_loads_as_few_networks_as_it_can() -> None:
    cells = [RecordedCell(name, 1.0) for name in "abab" * 5]
    two = replayed(cells, Cluster(2, 0.0, 1e12, 100.0))
    assert two.seconds == pytest.approx(100 + 10)
    alone = replayed(cells, Cluster(1, 0.0, 1e12, 100.0))
    assert alone.seconds == pytest.approx(200 + 20) and alone.bottleneck == "loading"


def test_the_cells_of_imagenet_are_all_there_at_recorded_costs() -> None:
    costs = costs_in_forwards()
    methods = {method for method, _ in costs}
    assert len(methods) == METHODS and len(costs) == METHODS * len(FRAMEWORKS)
    assert 24 < costs["grad_cam", "torch"] < 40  # 24 perturbed pictures, and a pass forward and backward
    assert costs["rise[masks=64]", "torch"] - costs["grad_cam", "torch"] == pytest.approx(63, abs=8)
    cells = list(cells_of(costs, 1000.0, 8.0, 200))
    assert len(cells) == 250 * METHODS * 2
    assert sum(cell.work for cell in cells) == pytest.approx(50_000 * sum(costs.values()) / 1000.0)
    uneven = list(cells_of({("m", "torch"): 1.0, ("m", "tensorflow"): 1.0}, 1000.0, 8.0, 30_000))
    assert [cell.work for cell in uneven] == [30.0, 30.0, 20.0, 20.0]
