"""Datasets in memory and the formats of the small published sets."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile

import numpy as np
import pytest

from heatmark.datasets.arrays import ArrayDataset, hash_order
from heatmark.datasets.base import ArrayFormat
from heatmark.datasets.registry import load_dataset
from heatmark.datasets.small_images import cifar10, mnist
from heatmark.errors import BadInput
from heatmark.identity import file_digest
from heatmark.models.training.training_data import training_data

RANDOM = np.random.default_rng(1)


def series(count=6):
    return RANDOM.random((count, 5, 2), dtype=np.float32)


def test_samples_labels_and_masks_come_through():
    x = series()
    masks = RANDOM.random((6, 5)) > 0.5
    data = ArrayDataset("mine", x, [0, 1, 2, 0, 1, 2], masks=masks)
    batch = data.take(6, ArrayFormat((2, 5), 1))
    assert np.array_equal(batch.x, x.transpose(0, 2, 1)) and batch.y.tolist() == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(batch.masks, masks) and batch.ids == ("0", "1", "2", "3", "4", "5")
    assert data.class_names == ("0", "1", "2")


def test_the_callers_arrays_stay_apart():
    x, y = series(), np.zeros(6, np.int64)
    before = x.copy()
    data = ArrayDataset("mine", x, y)
    revision = data.revision
    x[:] = 0
    y[:] = 7
    assert np.array_equal(data.x, before) and data.y.tolist() == [0] * 6
    batch = data.take(6, ArrayFormat((5, 2)))
    batch.x[:] = 1
    assert np.array_equal(data.x, before) and not data.x.flags.writeable
    assert ArrayDataset("mine", before, np.zeros(6, np.int64)).revision == revision


def test_the_revision_follows_every_part():
    x, y = series(), [0, 1, 0, 1, 0, 1]
    other = x.copy()
    other[3, 2, 1] = np.nextafter(other[3, 2, 1], np.float32(0))
    revisions = {
        ArrayDataset("a", x, y).revision,
        ArrayDataset("a", other, y).revision,
        ArrayDataset("a", x, [0, 1, 0, 1, 1, 1]).revision,
        ArrayDataset("a", x, y, ids=list("abcdef")).revision,
        ArrayDataset("a", x, y, class_names=("no", "yes")).revision,
        ArrayDataset("a", x, y, masks=np.zeros((6, 5), bool)).revision,
        ArrayDataset("a", x, y).first(5).revision,
    }
    assert len(revisions) == 7
    assert ArrayDataset("b", x, y).revision in revisions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((0, 5, 2), np.float32)}, "samples in it"),
        ({"x": [[1.0]]}, "got list"),
        ({"x": np.full((2, 5), 1.5)}, "1.5"),
        ({"x": np.full((2, 5), np.nan)}, "finite"),
        ({"x": np.zeros((2, 5), np.int64)}, "int64"),
        ({"x": np.zeros((2, 5)), "y": [0]}, "2 integers"),
        ({"x": np.zeros((2, 5)), "y": [0.0, 1.0]}, "float64"),
        ({"x": np.zeros((2, 5)), "y": [0, 3], "class_names": ["a"]}, "label 3"),
        ({"x": np.zeros((2, 5)), "ids": ["a", "a"]}, "different ids"),
        ({"x": np.zeros((2, 5, 1)), "masks": np.zeros((2, 4), bool)}, "masks"),
    ],
)
def test_parts_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(BadInput, match=message):
        ArrayDataset("mine", **arguments)


def test_splits_for_training():
    x, train = series(), (series(9), np.arange(9) % 3)
    data = ArrayDataset("mine", x, [0] * 6, split="test", splits={"train": train}, class_names="abc")
    assert np.array_equal(data.part("train").x, train[0]) and data.part("train").y.tolist() == list(range(3)) * 3
    assert np.array_equal(data.part("test").x, x) and data.part("test").class_names == ("a", "b", "c")
    with pytest.raises(BadInput, match=r"'validation'; it has: test, train"):
        data.part("validation")


def test_bytes_become_shares_of_255():
    x = RANDOM.integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    data = ArrayDataset("mine", x)
    batch = data.take(3, ArrayFormat((4, 4, 1)))
    assert batch.x.dtype == np.float32 and np.array_equal(batch.x, x / np.float32(255)) and batch.y.tolist() == [-1] * 3


def test_any_dataset_becomes_arrays_of_one_size():
    x = RANDOM.integers(0, 256, (10, 12, 8, 3), dtype=np.uint8)
    data = ArrayDataset("mine", x, [0, 1] * 5)
    known = training_data(data, seed=0, size=6).split
    x, y = (np.concatenate(parts) for parts in ((known.train_x, known.test_x), (known.train_y, known.test_y)))
    expected = data.take(10, ArrayFormat((6, 6, 3))).x
    assert x.shape == (10, 6, 6, 3) and sorted(y) == [0] * 5 + [1] * 5
    assert sorted(row.tobytes() for row in x) == sorted(row.tobytes() for row in expected)


def test_hash_order_is_a_fixed_permutation():
    order = hash_order(100, "digits")
    assert sorted(order) == list(range(100)) and hash_order(100, "mnist").tolist() != order.tolist()
    # Pinned: this order decides which samples are test samples.
    assert hash_order(10, "digits").tolist() == [0, 6, 1, 8, 9, 2, 3, 4, 5, 7]


def idx(array):
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def test_idx_files():
    array = RANDOM.integers(0, 256, (3, 4, 5), dtype=np.uint8)
    assert np.array_equal(mnist.read_idx(idx(array)), array)
    for broken in (b"", b"\x00\x00\x0d\x01abcd", idx(array)[:10], idx(array)[:-1]):
        with pytest.raises(BadInput, match="IDX"):
            mnist.read_idx(broken)


def test_fashion_mnist_from_its_four_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path))
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    made, checksums = {}, {}
    for split, (images, labels) in mnist.FILE_NAMES.items():
        count = {"train": 4, "test": 3}[split]
        made[split] = RANDOM.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8)
        for name, array in zip((images, labels), made[split], strict=True):
            (folder / name).write_bytes(gzip.compress(idx(array)))
            checksums[name] = file_digest(folder / name)
    monkeypatch.setattr(mnist, "FASHION_SHA256", checksums)
    data = load_dataset("fashion-mnist", progress=False)
    assert len(data) == 3 and data.class_names[0] == "T-shirt/top"
    assert np.array_equal(data.sample(1).array[..., 0], made["test"][0][1])
    assert data.take(3, ArrayFormat((28, 28, 1))).y.tolist() == [0, 1, 2]
    assert data.part("train").x.shape == (4, 28, 28, 1)
    train = load_dataset("fashion-mnist[split=train]", progress=False)
    assert len(train) == 4 and train.name == "fashion-mnist[split=train]" and not set(train.ids) & set(data.ids)


def archive_of(path, contents):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_cifar10_from_its_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path))
    folder = tmp_path / "datasets" / "cifar10"
    folder.mkdir(parents=True)
    contents = {}
    for number, name in enumerate(name for names in cifar10.MEMBERS.values() for name in names):
        # One record: its label, then the red, the green and the blue plane, row by row.
        planes = np.zeros((3, 32, 32), np.uint8)
        planes[0], planes[1, 2, 3], planes[2, :, 5] = number, 200, 100
        contents[name] = bytes([number]) + planes.tobytes()
    archive_of(folder / cifar10.FILE_NAME, contents)
    monkeypatch.setattr(cifar10, "SHA256", file_digest(folder / cifar10.FILE_NAME))
    data = load_dataset("cifar10", progress=False)
    array = data.sample(0).array
    assert len(data) == 1 and array.shape == (32, 32, 3) and (array[..., 0] == 5).all()
    assert array[2, 3, 1] == 200 and array[..., 1].sum(dtype=int) == 200
    assert (array[:, 5, 2] == 100).all() and array[..., 2].sum(dtype=int) == 3200
    assert data.class_names[data.sample(0).label] == "dog"
    assert data.part("train").y.tolist() == [0, 1, 2, 3, 4]


def test_a_wrong_archive_says_what_is_missing(tmp_path):
    names = [name for names in cifar10.MEMBERS.values() for name in names]
    archive_of(tmp_path / "a.tar.gz", dict.fromkeys(names[1:], b"\x00" * cifar10.RECORD_BYTES))
    with pytest.raises(BadInput, match="lacks cifar-10-batches-bin/data_batch_1"):
        cifar10.read_archive(tmp_path / "a.tar.gz")
    archive_of(tmp_path / "b.tar.gz", dict.fromkeys(names, b"\x00" * 100))
    with pytest.raises(BadInput, match="multiple of 3073"):
        cifar10.read_archive(tmp_path / "b.tar.gz")
