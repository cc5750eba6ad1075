"""Which samples are taken where not all are: spread over classes, the same ones everywhere."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.base import Dataset, Sample
from heatmark.datasets.choosing import Choice
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput


def labelled(*labels: int) -> ArrayDataset:
    x = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ArrayDataset("labelled", x, labels, class_names=("a", "b", "c"))


def folder(path: Path, **counts: int) -> Dataset:
    """Return a folder of pictures sorted by class; stray ones lie beside the class folders."""
    for name, count in counts.items():
        place = path if name == "stray" else path / name
        place.mkdir(exist_ok=True)
        for number in range(count):
            Image.new("RGB", (4, 4)).save(place / f"{name}{number}.png")
    return load_dataset("image-folder", path=path)


SORTED = labelled(*[0] * 10, *[1] * 10, *[2] * 3)


@pytest.mark.parametrize("limit", range(1, 24))
def test_a_limit_is_as_even_over_the_classes_as_it_can_be(limit: int) -> None:
    positions = Choice(limit).positions(SORTED)
    assert len(positions) == limit and sorted(set(positions)) == list(positions)
    counts = Counter(SORTED.label(index) for index in positions)
    # Classes take turns until one is used up: that is what no exchange of two samples could make more even.
    sizes, expected = {0: 10, 1: 10, 2: 3}, Counter[int]()
    turn = 0
    while expected.total() < limit:
        turn += 1
        for label, size in sizes.items():
            if size >= turn and expected.total() < limit:
                expected[label] += 1
    assert sorted(counts.values()) == sorted(expected.values())


def test_the_draw_is_the_same_everywhere_and_grows_with_the_limit() -> None:
    assert Choice(4).positions(SORTED) == [1, 11, 19, 22]  # as drawn once; other numbers would change results
    drawn = [set(Choice(limit).positions(SORTED)) for limit in range(2, 24)]
    assert all(smaller < larger for smaller, larger in pairwise(drawn))


def test_the_first_samples_are_kept_where_they_are_even_already() -> None:
    turns = labelled(0, 1, 2, 0, 1, 2, 2, 2)
    assert list(Choice(4).positions(turns)) == [0, 1, 2, 3]
    part = Choice(4).of(turns)
    assert part.revision == turns.revision and len(part) == 4  # so that cells of earlier runs keep their keys
    generated = load_dataset("shapes")
    assert list(Choice(7).positions(generated)) == list(range(7))
    assert Choice(7).of(generated).revision_of(range(7)) == generated.revision_of(range(7))
    assert Choice(99).of(turns) is turns and Choice().of(turns) is turns


def test_other_samples_have_a_revision_of_their_own() -> None:
    part = Choice(4).of(SORTED)
    assert part.revision == SORTED.subset([1, 11, 19, 22]).revision != SORTED.revision
    assert [part.sample_id(index) for index in range(4)] == ["1", "11", "19", "22"]


def test_samples_of_each_class() -> None:
    positions = Choice(per_class=4).positions(SORTED)
    assert Counter(SORTED.label(index) for index in positions) == {0: 4, 1: 4, 2: 3}
    assert set(Choice(5, per_class=4).positions(SORTED)) <= set(positions)
    assert Choice(per_class=1).positions(labelled(0, -1, 1, 0, -1)) == [0, 2]


def test_without_labels_samples_are_taken_at_equal_distances(tmp_path: Path) -> None:
    unknown = labelled(*[-1] * 10)
    assert Choice(4).positions(unknown) == [0, 2, 5, 7]
    with pytest.raises(BadInput, match=r"has no labels.*Give a limit"):
        Choice(per_class=2).of(unknown)
    assert Choice(2).positions(folder(tmp_path, stray=4)) == [0, 2]


def test_labels_that_only_reading_tells_are_not_read_for_a_limit() -> None:
    class Dear(Dataset):
        name, revision, license, class_names = "dear", "1", "", ("a", "b")
        read = 0

        def __len__(self) -> int:
            return 8

        def sample(self, index: int) -> Sample:
            self.read += 1
            return Sample(str(index), np.zeros((2, 2, 1), np.uint8), index // 4)

    dear = Dear()
    assert Choice(2).positions(dear) == [0, 4] and dear.read == 0
    assert Choice(per_class=1).positions(dear) and dear.read == 8  # asked for by class, they must be


def test_a_folder_is_never_taken_from_its_first_class_alone(tmp_path: Path) -> None:
    data = folder(tmp_path, apple=9, pear=7, plum=8)
    labels = [data.label(index) for index in Choice(3).positions(data)]
    assert labels == [0, 1, 2]
    with_stray = folder(tmp_path, stray=2)
    assert sorted(with_stray.label(index) for index in Choice(4).positions(with_stray)) == [-1, 0, 1, 2]


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5])
def test_numbers_that_choose_nothing_are_refused(wrong: object) -> None:
    for name in ("limit", "per_class"):
        with pytest.raises(BadInput, match=f"{name} is a whole number of at least 1"):
            Choice(**{name: wrong})  # type: ignore[arg-type]
