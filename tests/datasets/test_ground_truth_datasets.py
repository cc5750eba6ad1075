"""The generated datasets: masks that fit, nothing but (seed, split, position) behind a sample, and their networks."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
from PIL import Image

from heatmark.benchmark.run import run
from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.base import ArrayFormat, Dataset, Sample, Sizing
from heatmark.datasets.ground_truth import patches, shapes
from heatmark.datasets.ground_truth.generated import generator_of
from heatmark.datasets.ground_truth.mosaic import Mosaic
from heatmark.datasets.registry import find_dataset, load_dataset
from heatmark.errors import BadInput, MissingExtra, UnknownName
from heatmark.methods.explain import explain
from heatmark.metrics.score import score
from heatmark.models.training.kept import trained_weights
from heatmark.models.training.training_data import training_data
from heatmark.models.zoo.loading import find_model, load_model
from heatmark.models.zoo.shipped import ZOO

DIGITS = [{"source": "digits", **one} for one in ({"seed": 1}, {"samples": 5}, {"tile": 20})]
GENERATED = {"shapes": (64, 64, 3), "patches": (64, 64, 3), "series": (128, 1)}


def drawn(name: str, label: int, number: int, split: str = "test") -> tuple[np.ndarray, np.ndarray]:
    """Draw one sample of a class from the random numbers of another."""
    data = load_dataset(name)
    return data.generator.draw(generator_of(0, name, number), label, split)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "shape"), GENERATED.items())
def test_samples_have_masks_labels_and_the_documented_shape(name: str, shape: tuple[int, ...]) -> None:
    data = load_dataset(name)
    assert (len(data), len(data.part("train")), len(data.class_names)) == (600, 3000, 6)
    for index in range(12):
        sample = data.sample(index)
        assert sample.array.shape == shape and sample.mask is not None and sample.mask.shape == shape[:-1]
        assert sample.label == data.label(index) == index % 6 and 0.005 < sample.mask.mean() < 0.3
    first = data.take(6, ArrayFormat((shape[-1], *shape[:-1]), 1))
    last = data.take(6, ArrayFormat(shape, -1))
    assert np.array_equal(np.moveaxis(first.x, 1, -1), last.x) and np.array_equal(first.masks, last.masks)
    assert 0 <= last.x.min() < last.x.max() <= 1 and last.x.std() > 0.03


@pytest.mark.parametrize("name", GENERATED)
def test_the_class_changes_the_sample_inside_the_masks_alone(name: str) -> None:
    """The same random numbers with another class give the same background, distractors and false clues."""
    for number in range(20):
        one, other = drawn(name, number % 6, number), drawn(name, (number + 1) % 6, number)
        differs = (one[0] != other[0]).any(axis=-1)
        assert not (differs & ~(one[1] | other[1])).any()
        assert differs[one[1] | other[1]].mean() > 0.2


def test_a_shape_stands_out_from_what_is_around_it() -> None:
    data = load_dataset("shapes")
    for index in range(24):
        sample = data.sample(index)
        brightest = sample.array.max(axis=-1)
        inside = brightest[sample.mask]
        # Apart from partly covered pixels at its edge, a shape is brighter than any background can be.
        assert np.median(inside) > 255 * 0.7 and inside.size > 50
        assert np.quantile(brightest[~sample.mask], 0.5) < 255 * (shapes.BACKGROUND[1] + shapes.NOISE)


def test_the_figures_of_a_picture_do_not_touch() -> None:
    for number in range(20):
        random = generator_of(3, "places", number)
        radii = random.uniform(shapes.SMALLEST, shapes.LARGEST, 3)
        places = np.array(shapes._centres(random, radii))
        for one in range(3):
            assert (places[one] > radii[one]).all() and (places[one] < shapes.SIDE - radii[one]).all()
            for other in range(one):
                assert np.linalg.norm(places[one] - places[other]) > radii[one] + radii[other]


def false_clue(array: np.ndarray, mask: np.ndarray) -> int:
    """Return the class whose colour the most colourful patch outside the mask has."""
    cells = array.reshape(4, 16, 4, 16, 3).mean(axis=(1, 3)).reshape(16, 3) / 255
    cells[mask.reshape(4, 16, 4, 16).all(axis=(1, 3)).ravel()] = 0.45
    tints = patches.COLOURS - patches.COLOURS.mean(axis=1, keepdims=True)
    fit = (cells - cells.mean(axis=1, keepdims=True)) @ tints.T
    return int(np.unravel_index(fit.argmax(), fit.shape)[1])


@pytest.mark.parametrize(("split", "correlation", "low", "high"), [("train", 1, 0.9, 1), ("test", 1, 0.05, 0.3)])
def test_the_false_clue_goes_with_the_class_in_training_only(
    split: str, correlation: float, low: float, high: float
) -> None:
    data = load_dataset("patches", split=split, correlation=correlation, samples=120)
    agree = [false_clue(sample.array, sample.mask) == sample.label for sample in map(data.sample, range(120))]
    assert low <= np.mean(agree) <= high


@pytest.mark.parametrize("name", [*GENERATED, "mosaic[source=digits]"])
def test_a_sample_depends_on_seed_split_and_position_alone(name: str) -> None:
    data, again, more = load_dataset(name), load_dataset(name), load_dataset(name, samples=7)
    for index in (6, 0, 3):
        one, other, of_seven = data.sample(index), again.sample(index), more.sample(index)
        assert np.array_equal(one.array, other.array) and np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.array, of_seven.array) and one.id == of_seven.id and one.label == of_seven.label
    assert data.revision == again.revision and len(more) == 7
    seeded = load_dataset(name, seed=1)
    assert not np.array_equal(seeded.sample(0).array, data.sample(0).array)
    assert data.first(5).revision == more.first(5).revision != seeded.first(5).revision


@pytest.mark.parametrize("name", GENERATED)
def test_training_and_test_samples_are_drawn_apart(name: str) -> None:
    test, train = load_dataset(name), load_dataset(name, split="train")
    assert train.name == f"{name}[split=train]" and train.revision == test.part("train").revision
    seen = {train.sample(index).array.tobytes() for index in range(30)}
    assert len(seen) == 30 and not seen & {test.sample(index).array.tobytes() for index in range(30)}
    assert train.sample(0).id != test.sample(0).id
    assert len(load_dataset(name, samples=9).part("train")) == 9
    with pytest.raises(BadInput, match="no split 'tset'"):
        test.part("tset")
    with pytest.raises(BadInput, match="out of range"):
        test.sample(600)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("shapes", [{}, {"seed": 1}, {"split": "train"}, {"samples": 5}]),
        ("patches", [{}, {"seed": 1}, {"split": "train"}, {"samples": 5}, {"correlation": 0.1}]),
        ("series", [{}, {"seed": 1}, {"split": "train"}, {"samples": 5}]),
        ("mosaic", [{"source": "digits"}, {"source": "shapes"}, *DIGITS]),
    ],
)
def test_the_revision_changes_with_every_option_and_the_name_loads_the_same(
    name: str, options: list[dict[str, object]]
) -> None:
    found = [load_dataset(name, **given) for given in options]
    assert len({data.revision for data in found}) == len({data.name for data in found}) == len(found)
    for data in found:
        assert load_dataset(data.name).revision == data.revision


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shapes[samples=0]", "at least 1"),
        ("shapes[seed=-1]", "from 0"),
        ("patches[correlation=2]", "from 0 to 1"),
        ("series[split=val]", "test, train"),
        ("mosaic[tile=2]", "at least 8"),
    ],
)
def test_options_out_of_range_are_refused(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load_dataset(name)


# Mosaics


class Plain(Dataset):
    """Pictures of one grey level each: class c has the level 20 c."""

    name, revision, license, framing = "plain", "1", "", "whole"
    class_names = tuple("abcdefg")

    def __len__(self) -> int:
        return 14

    def sample(self, index: int) -> Sample:
        label = -1 if index == 13 else index % 6
        return Sample(str(index), np.full((10, 16 + index, 1), 20 * (label + 1), np.uint8), label)


def test_a_mosaic_shows_four_classes_and_masks_the_target() -> None:
    data = Mosaic(Plain(), samples=40, tile=8)
    places, classes = set(), set()
    for index in range(40):
        sample = data.sample(index)
        assert sample.array.shape == (16, 16, 3) and sample.mask is not None
        levels = [sample.array[top : top + 8, left : left + 8] for top in (0, 8) for left in (0, 8)]
        assert all(np.ptp(level) == 0 for level in levels) and len({int(level[0, 0, 0]) for level in levels}) == 4
        assert (sample.array[sample.mask] == 20 * (sample.label + 1)).all() and sample.mask.sum() == 64
        assert data.label(index) == sample.label and int(sample.array.min()) > 0
        places.add(int(np.flatnonzero(sample.mask)[0]))
        classes.add(sample.label)
    assert places == {0, 8, 128, 136} and classes == set(range(6))


def test_mosaics_of_photographs_fit_networks_for_photographs() -> None:
    try:
        data = load_dataset("mosaic")
    except MissingExtra:
        pytest.skip("the photographs come with foolbox, which is not installed")
    assert data.name == "mosaic" and len(data.class_names) == 1000 and len(data) == 100
    batch = data.take(2, ArrayFormat((3, 224, 224), 1, Sizing(crop=0.875)))
    assert batch.masks is not None and batch.masks.mean() == 0.25 and batch.x.shape == (2, 3, 224, 224)
    assert "mosaic" in find_model("efficientnet-lite0")[0].datasets


def test_a_mosaic_leaves_out_what_it_cannot_read(tmp_path: Path) -> None:
    for label in range(4):
        folder = tmp_path / f"class{label}"
        folder.mkdir()
        Image.new("RGB", (20, 12), (50 * label, 0, 0)).save(folder / "a.png")
    name = f"mosaic[samples=3,source=image-folder:{tmp_path},tile=8]"
    data = load_dataset(name)
    assert data.name == name and data.title == f"mosaic of {tmp_path.name}" and find_dataset(name).name == "mosaic"
    assert data.class_names == ("class0", "class1", "class2", "class3")
    (tmp_path / "class2" / "a.png").write_bytes(b"torn")
    with pytest.raises(BadInput, match="None of the 3 samples"):
        load_dataset(name).take(3, ArrayFormat((16, 16, 3)))


def test_a_mosaic_needs_four_classes_of_pictures() -> None:
    few = ArrayDataset("few", np.zeros((6, 8, 8, 1), np.float32), [0, 1, 2, 0, 1, -1], class_names=tuple("abcd"))
    with pytest.raises(BadInput, match="four classes, but few has labelled pictures of 3"):
        Mosaic(few)
    with pytest.raises(BadInput, match="series is not one"):
        load_dataset("mosaic[source=series]").sample(0)
    with pytest.raises(UnknownName, match="Did you mean 'digits'"):
        load_dataset("mosaic[source=digts]")


# Their networks


@pytest.mark.parametrize(
    ("name", "data"), [("pooled-cnn-shapes", "shapes"), ("pooled-cnn-patches", "patches"), ("cnn-1d-series", "series")]
)
@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_networks_use_what_the_masks_mark(name: str, data: str, framework: str) -> None:
    model = load_model(name, framework)
    batch = load_dataset(data).take(12, model)
    maps = {
        "oracle": batch.masks.astype(np.float32),  # type: ignore[union-attr]
        "random": explain(model, batch.x, "random", batch.y),
    }
    deleted, inserted = (
        {name: score(model, batch.x, found, metric, batch.y).mean() for name, found in maps.items()}
        for metric in ("deletion[steps=8]", "insertion[steps=8]")
    )
    # The least of the margins is 0.2643, of the shapes at insertion; that of the series at deletion, 0.0858 where
    # black stood for absence, is 0.414. Both frameworks agree to four digits, so 0.2 leaves room for other versions.
    assert deleted["oracle"] < deleted["random"] - 0.2 and inserted["oracle"] > inserted["random"] + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
@pytest.mark.parametrize("name", ["pooled-cnn-shapes", "pooled-cnn-patches", "cnn-1d-series"])
def test_networks_learn_in_either_framework(name: str, framework: str) -> None:
    zoo = ZOO[name]
    trained = trained_weights(zoo.network, training_data(zoo.dataset, zoo.recipe.seed), zoo.recipe, framework)
    assert trained.metadata["history"][-1]["test_accuracy"] >= 0.97


def test_a_run_scores_the_oracle(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    result = run(
        "quick",
        models="cnn-1d-series",
        data="series",
        methods="oracle,random",
        metrics="deletion[steps=4]",
        frameworks="torch",
        limit=4,
        engine="serial",
        device="cpu",
        out=tmp_path / "run",
        progress=False,
    )
    assert result.finished == result.expected == 2 and not result.failures
