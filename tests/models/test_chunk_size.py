"""The search for the chunk size and memory format at which a query runs fastest."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from heatmark.models import chunk_size
from heatmark.models.chunk_size import ChunkChoice, ChunkTuner

SIZES = (1, 2, 4, 8, 16, 32, 64)


def run(tuner: ChunkTuner, seconds_a_row: Callable[[int, str], float]) -> int:
    """Let the tuner settle on a fake clock; return the largest size that was tried."""
    largest = 0
    for _ in range(100):
        if tuner.settled:
            return largest
        size, layout = tuner.propose()
        largest = max(largest, size)
        tuner.record(size, layout, size * seconds_a_row(size, layout))
    raise AssertionError("The tuner does not settle.")


def settled(seconds_a_row: Callable[[int, str], float], layouts: tuple[str, ...] = ("native",)) -> tuple[int, str, int]:
    """Return the size and format that are settled on, and the largest size that was tried."""
    tuner = ChunkTuner(SIZES, layouts, start=8)
    largest = run(tuner, seconds_a_row)
    return tuner.best_size, tuner.layout, largest


@pytest.mark.parametrize(
    ("seconds", "best", "largest"),
    [
        ({1: 9, 2: 8, 4: 6, 8: 5, 16: 4, 32: 3, 64: 2}, 64, 64),
        ({1: 9, 2: 8, 4: 6, 8: 5, 16: 4.9, 32: 4, 64: 4}, 32, 64),  # past one size that gains nothing
        ({1: 9, 2: 8, 4: 6, 8: 5, 16: 6, 32: 7, 64: 1}, 8, 32),  # but not past two
        ({1: 2, 2: 1, 4: 4, 8: 5, 16: 6, 32: 7, 64: 8}, 2, 32),
        ({1: 9, 2: 3, 4: 5.1, 8: 5, 16: 6, 32: 7, 64: 8}, 2, 32),
        ({1: 5, 2: 5, 4: 5, 8: 5, 16: 4.95, 32: 4.9, 64: 4.9}, 8, 32),  # a hundredth is noise
    ],
)
def test_it_climbs_to_the_fastest_size(seconds, best, largest):
    assert settled(lambda size, _: seconds[size]) == (best, "native", largest)


@pytest.mark.parametrize(
    ("seconds", "best", "largest", "reason"),
    [
        # PyTorch's EfficientNet-Lite0 on a processor: what chunks of 16 and 32 gain does not pay for their memory.
        ({2: 5.6, 4: 5.19, 8: 5.02, 16: 4.85, 32: 4.88}, 8, 8, "16 may keep 1.4 GiB, and 8 had not gained enough"),
        ({2: 9, 4: 8, 8: 7, 16: 6.5, 32: 1}, 8, 16, "16 was faster by 7.1%"),
        ({2: 9, 4: 8, 8: 7, 16: 6, 32: 5.5}, 16, 32, "32 was faster by 8.3%"),
        ({2: 9, 4: 8, 8: 7, 16: 6, 32: 5, 64: 4}, 64, 64, "larger ones are out of bounds"),
        ({1: 9, 2: 3, 4: 5, 8: 4.9, 16: 1}, 2, 8, "4 was slower by 66.7%"),
    ],
)
def test_a_larger_chunk_earns_its_memory(seconds, best, largest, reason):
    # 8 rows are free of charge, 16 are not.
    tuner = ChunkTuner(SIZES, ("native",), start=4, kept_bytes=90 * 2**20)
    assert run(tuner, lambda size, _: seconds[size]) == largest
    choice = tuner.choice
    assert (choice.size, choice.layout, choice.reason) == (best, "native", reason)
    assert [trial.size for trial in choice.tried][:2] == [4, 8]
    assert [trial.seconds for trial in choice.tried] == pytest.approx([seconds[trial.size] for trial in choice.tried])
    assert choice.gain == pytest.approx(1 - seconds[best] / seconds[4])


def test_a_choice_says_how_far_the_search_is():
    tuner = ChunkTuner(SIZES, ("native",), start=8)
    assert tuner.choice == ChunkChoice(8, "native", (), None, "the search goes on")
    tuner.limit(4)
    assert tuner.choice == ChunkChoice(4, "native", (), None, "memory ran out above it")


def test_memory_formats_are_tried_at_the_best_size():
    def seconds(size, layout):
        return abs(size - 16) + (1 if layout == "channels_last" else 2)

    assert settled(seconds, ("contiguous", "channels_last"))[:2] == (16, "channels_last")


def test_no_size_is_proposed_that_ran_out_of_memory():
    tuner = ChunkTuner(SIZES, ("native",), start=8)
    tuner.limit(4)
    assert tuner.settled and tuner.propose() == (4, "native")


def test_bounds_follow_the_input_and_the_free_memory(monkeypatch):
    free = SimpleNamespace(available=20 * 2**30)
    monkeypatch.setattr(chunk_size, "virtual_memory", lambda: free)

    def of(shape, kept_inputs=150, **where):
        return ChunkTuner.for_input(shape, ("native",), kept_inputs=kept_inputs, **where)

    photograph = of((3, 224, 224), on_cpu=True, backward=True)
    assert photograph.propose()[0] == 4 and photograph.sizes[-1] == 32
    lean = of((224, 224, 3), kept_inputs=60, on_cpu=True, backward=True)
    assert lean.propose()[0] == 8 and lean.sizes[-1] == 32
    assert of((3, 448, 448), on_cpu=True, backward=True).propose()[0] == 1
    forward, backward = (of((3, 224, 224), on_cpu=False, backward=back) for back in (False, True))
    assert forward.propose()[0] == 32 and forward.sizes[-1] == 512 and backward.sizes[-1] == 256
    free.available = 2 * 2**30
    assert of((3, 224, 224), on_cpu=True, backward=True).sizes[-1] == 2
    assert of((3, 224, 224), on_cpu=True, backward=False).sizes[-1] == 32
    free.available = 0
    assert of((3, 224, 224), on_cpu=True, backward=True).sizes == (1,)
    assert of((40, 1), on_cpu=True, backward=False).propose()[0] == 4096
