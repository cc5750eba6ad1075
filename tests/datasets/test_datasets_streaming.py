"""Streaming: batches, the bounded prefetch, damaged samples, subsets."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmark.datasets.base import ArrayFormat, Dataset, Sample, UnreadableSample
from heatmark.errors import BadInput

SERIES = ArrayFormat((4, 1))


class Counting(Dataset):
    """Series of their own position; some are damaged, and the readings are counted."""

    name, revision, license, class_names = "counting", "r1", "ours", ("a", "b")

    def __init__(self, length, damaged=(), shape=(4, 1), fails_at=None):
        self.length, self.damaged, self.shape, self.fails_at = length, set(damaged), shape, fails_at
        self.read = 0

    def __len__(self):
        return self.length

    def sample(self, index):
        self.read += 1
        if index == self.fails_at:
            raise RuntimeError("the disk is gone")
        if index in self.damaged:
            raise UnreadableSample(f"file{index}", "torn")
        return Sample(f"s{index}", np.full(self.shape, index / 1000, np.float32), index % 2)


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("heatmark-prefetch")]


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@given(st.integers(1, 20), st.integers(1, 7), st.sets(st.integers(0, 19)))
def test_every_readable_sample_comes_once_in_order_in_full_batches(length, size, damaged):
    damaged = {index for index in damaged if index < length}
    dataset = Counting(length, damaged)
    expected = [index for index in range(length) if index not in damaged]
    if not expected:
        with pytest.raises(BadInput, match="None of the"):
            list(dataset.batches(size, SERIES))
        return
    batches = list(dataset.batches(size, SERIES))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert 1 <= len(batches[-1]) <= size
    assert np.concatenate([batch.indices for batch in batches]).tolist() == expected
    assert [sample_id for batch in batches for sample_id in batch.ids] == [f"s{index}" for index in expected]
    for batch in batches:
        assert batch.x.shape == (len(batch), 4, 1) and batch.x.dtype == np.float32
        assert np.array_equal(batch.x[:, 0, 0], batch.indices.astype(np.float32) / np.float32(1000))
        assert batch.y.dtype == np.int64 and np.array_equal(batch.y, batch.indices % 2)
        assert batch.masks is None
    assert {item.path for item in dataset.skipped} == {f"file{index}" for index in damaged}
    assert len(dataset.skipped) == len(damaged)


def test_exactly_one_batch_is_made_ahead():
    dataset = Counting(40)
    stream = dataset.batches(4, SERIES)
    assert dataset.read == 0  # nothing is read before the first batch is asked for
    for number in range(5):
        next(stream)
        # One batch beyond the one just given is read while the caller works...
        assert wait_until(lambda: dataset.read >= 4 * (number + 2))  # noqa: B023
        time.sleep(0.02)
        # ... and no more, however long the caller takes.
        assert dataset.read == 4 * (number + 2)
    stream.close()


def test_memory_does_not_grow_with_the_length():
    size, values = 4, 50_000
    dataset = Counting(120, shape=(values, 1))
    gc.collect()
    tracemalloc.start()
    for number, batch in enumerate(dataset.batches(size, ArrayFormat((values, 1)))):
        assert len(batch) == size
        assert wait_until(lambda: dataset.read >= min(120, size * (number + 2)))  # noqa: B023
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # At most, whatever the threads' timing: the caller's last batch, the next one with the rows that it is made of,
    # the rows that are made meanwhile, and the copies of one sample in work. All of the data are 30 batches.
    assert peak < 5 * size * values * 4


def test_the_thread_ends_with_the_stream():
    dataset = Counting(40)
    list(dataset.batches(4, SERIES))
    assert not prefetch_threads()
    stream = dataset.batches(4, SERIES)
    next(stream)
    assert prefetch_threads()
    stream.close()
    assert not prefetch_threads()
    for _ in dataset.batches(4, SERIES):
        break
    gc.collect()
    assert not prefetch_threads()


def test_an_error_in_the_thread_reaches_the_caller_after_the_batches_before_it():
    stream = Counting(40, fails_at=9).batches(4, SERIES)
    assert next(stream).indices.tolist() == [0, 1, 2, 3]
    assert next(stream).indices.tolist() == [4, 5, 6, 7]
    with pytest.raises(RuntimeError, match="disk is gone"):
        next(stream)
    assert not prefetch_threads()


def test_chosen_indices_in_their_order():
    batches = list(Counting(10).batches(2, SERIES, indices=np.array([7, 0, 3])))
    assert [batch.indices.tolist() for batch in batches] == [[7, 0], [3]]
    assert list(Counting(10).batches(2, SERIES, indices=[])) == []


@pytest.mark.parametrize("indices", [[0, 10], [-1]])
def test_indices_out_of_range_are_refused_at_once(indices):
    with pytest.raises(BadInput, match="out of range"):
        Counting(10).batches(2, SERIES, indices=indices)


def test_sizes_below_one_and_empty_datasets_are_refused_at_once():
    for call in (lambda d, n: d.batches(n, SERIES), lambda d, n: d.take(n, SERIES), lambda d, n: d.first(n)):
        with pytest.raises(BadInput, match="at least 1"):
            call(Counting(3), 0)
        with pytest.raises(BadInput, match="is empty"):
            call(Counting(0), 1)


def test_take_gives_the_first_readable_samples_and_reads_no_more():
    dataset = Counting(10, damaged={0, 2})
    batch = dataset.take(3, SERIES)
    assert batch.ids == ("s1", "s3", "s4") and batch.indices.tolist() == [1, 3, 4]
    assert dataset.read == 5
    assert [item.reason for item in dataset.skipped] == ["torn", "torn"]
    assert len(Counting(2).take(5, SERIES)) == 2
    with pytest.raises(BadInput, match=r"None of the 2 samples.*file1.*torn"):
        Counting(2, damaged={0, 1}).take(1, SERIES)


def test_a_damaged_sample_is_counted_once_however_often_it_is_read():
    dataset = Counting(4, damaged={1})
    for _ in range(3):
        list(dataset.batches(2, SERIES))
    assert [item.path for item in dataset.skipped] == ["file1"]


def test_a_sample_that_does_not_fit_is_an_error_and_not_skipped():
    with pytest.raises(BadInput, match="Choose a dataset and a model that fit"):
        list(Counting(3).batches(2, ArrayFormat((5, 1))))


def test_subsets_keep_ids_and_have_revisions_of_their_own():
    dataset = Counting(10, damaged={4})
    subset = dataset.subset([8, 2, 4])
    assert len(subset) == 3 and subset.class_names == ("a", "b")
    assert subset.take(3, SERIES).ids == ("s8", "s2")
    assert subset.take(3, SERIES).indices.tolist() == [0, 1]
    assert [item.path for item in subset.skipped] == [item.path for item in dataset.skipped] == ["file4"]
    revisions = [dataset.revision, subset.revision, dataset.subset([2, 8, 4]).revision, dataset.first(3).revision]
    assert len(set(revisions)) == 4
    assert subset.subset([1, 0]).revision == dataset.subset([2, 8]).revision
    assert list(dataset.first(99).take(99, SERIES).ids) == [f"s{i}" for i in range(10) if i != 4]
    with pytest.raises(BadInput, match="twice"):
        dataset.subset([1, 1])


def test_masks_must_be_there_for_all_or_none():
    class Masked(Counting):
        def sample(self, index):
            plain = super().sample(index)
            return Sample(plain.id, plain.array, plain.label, np.array([True, False, True, False]) if index else None)

    with pytest.raises(BadInput, match="'s0' has no mask"):
        Masked(3).take(3, SERIES)
    assert Masked(3).subset([1, 2]).take(2, SERIES).masks.tolist() == [[True, False, True, False]] * 2


def test_describe_is_one_line_with_the_counts():
    dataset = Counting(4, damaged={1})
    list(dataset.batches(4, SERIES))
    assert dataset.describe() == "counting: 4 samples, 2 classes, revision r1, 1 files skipped"
    assert dataset.title == dataset.first(2).title == "counting"
    dataset.title = "my series"
    assert dataset.title == dataset.first(2).title == "my series" and dataset.name == "counting"
