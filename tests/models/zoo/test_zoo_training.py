"""Training: the neutral recipe, the same course in both frameworks, and what is kept of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest
from PIL import Image

from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.models.architecture.nodes import initial_weights
from heatmark.models.architecture.small_networks import small_cnn
from heatmark.models.training import kept as trained
from heatmark.models.training.kept import restore, train, trained_names, trained_path, unseen_positions
from heatmark.models.training.recipe import (
    Epoch,
    Split,
    TrainingRecipe,
    accuracy_and_loss,
    fit,
    for_few_samples,
    measured_normalization,
    new_trainer,
)
from heatmark.models.training.training_data import training_data
from heatmark.models.zoo.loading import find_model, list_models, load_model, weights_id
from heatmark.models.zoo.shipped import ZOO, shipped_records

NAMES = ("dark", "bright", "striped")


def shapes(count: int, seed: int = 0, side: int = 8, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of three kinds that a small network tells apart at once."""
    generator = np.random.default_rng(seed)
    y = np.arange(count) % 3
    x = np.where((y == 1)[:, None, None], 0.8, 0.2) * np.ones((count, side, side))
    x[y == 2, ::2] = 0.9
    x = np.clip(x + generator.normal(0, 0.05, x.shape), 0, 1)[..., None]
    return np.repeat(x, channels, -1).astype(np.float32), y.astype(np.int64)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_learning_rates_rise_then_fall() -> None:
    rates = TrainingRecipe(learning_rate=0.5).learning_rates(100)
    assert rates.shape == (100,)
    assert rates.max() == rates[9] == pytest.approx(0.5)
    assert rates[0] == pytest.approx(0.05)
    assert (np.diff(rates[:10]) > 0).all() and (np.diff(rates[9:]) < 0).all()
    assert 0 < rates[-1] < 0.001
    assert TrainingRecipe().learning_rates(1).shape == (1,)


def test_batches_are_seeded_and_cover_an_epoch() -> None:
    x, y = shapes(20)
    recipe = TrainingRecipe(batch=6, seed=5)
    first, again, later = ([y for _, y in recipe.batches(x, np.arange(20), epoch)] for epoch in (1, 1, 2))
    assert [len(part) for part in first] == [6, 6, 6]
    assert np.array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(later))
    assert len(set(np.concatenate(first))) == 18
    assert [len(part) for _, part in TrainingRecipe(batch=64).batches(x, y, 1)] == [20]


def test_shifts_move_pictures_and_repeat_their_border() -> None:
    x = np.zeros((200, 5, 1), np.float32)
    x[:] = np.arange(5, dtype=np.float32)[:, None]
    recipe = TrainingRecipe(batch=200, augmentation="shift", shift=1)
    ((moved, _),) = recipe.batches(x, np.zeros(200, np.int64), 1)
    kinds = {tuple(row[:, 0].tolist()) for row in moved}
    assert kinds == {(0, 1, 2, 3, 4), (0, 0, 1, 2, 3), (1, 2, 3, 4, 4)}
    assert np.array_equal(x[0, :, 0], np.arange(5))


def test_shifts_are_drawn_for_each_axis() -> None:
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1).repeat(300, 0)
    ((moved, _),) = TrainingRecipe(batch=300, augmentation="shift", shift=1).batches(x, np.zeros(300, np.int64), 1)
    assert len({tuple(row.ravel().tolist()) for row in moved}) == 9


@pytest.mark.parametrize("samples", [1, 3, 9, 40, 200, 1500])
def test_few_samples_still_make_enough_steps(samples: int) -> None:
    recipe = trained.RECIPES["small-cnn"]
    found = for_few_samples(recipe, samples, more_epochs=True)
    steps = found.epochs * found.steps_per_epoch(samples)
    assert 250 <= steps < 350 and found.steps_per_epoch(samples) >= min(4, samples) and found.epochs >= recipe.epochs
    asked = for_few_samples(replace(recipe, epochs=2), samples, more_epochs=False)
    assert asked.epochs == 2 and asked.batch == found.batch
    assert for_few_samples(recipe, 5000, more_epochs=True) == recipe


def test_a_dozen_pictures_are_learned(own_cache: Path, tmp_path: Path) -> None:
    x, y = shapes(12, side=20, channels=3)
    for index, (picture, label) in enumerate(zip(x, y, strict=True)):
        folder = tmp_path / "few" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{index}.png")
    record = train("small-cnn", f"image-folder:{tmp_path / 'few'}", size=8)
    assert record.test_accuracy == 1.0 and record.history[-1].train_loss < 0.05 and len(record.history) == 63


def test_erasing_shows_one_level_at_a_share_of_the_positions() -> None:
    x = np.full((400, 6, 5, 3), 9.0, np.float32)
    recipe = TrainingRecipe(batch=400, augmentation="erase", erased=0.5)
    ((erased, _),) = recipe.batches(x, np.zeros(400, np.int64), 1)
    assert erased.dtype == np.float32 and (x == 9).all()
    changed = (erased != 9).all(axis=-1)
    assert np.array_equal(changed, (erased != 9).any(axis=-1))
    assert (
        0.2 < changed.mean() < 0.3 and changed.mean(axis=(1, 2)).max() > 0.4 and changed.mean(axis=(1, 2)).min() < 0.1
    )
    levels = [np.unique(picture[where]) for picture, where in zip(erased, changed, strict=True) if where.any()]
    assert all(len(found) == 1 for found in levels)
    assert -2 <= min(levels)[0] < -1.9 and 1.9 < max(levels)[0] <= 2
    ((again, _),) = recipe.batches(x, np.zeros(400, np.int64), 1)
    ((later, _),) = recipe.batches(x, np.zeros(400, np.int64), 2)
    assert np.array_equal(erased, again) and not np.array_equal(erased, later)


def test_accuracy_and_loss_by_hand() -> None:
    scores = np.array([[0.0, 0.0], [np.log(3.0), 0.0], [1000.0, 0.0]])
    accuracy, loss = accuracy_and_loss(
        lambda x: scores[x[:, 0].astype(int)], np.arange(3)[:, None], np.array([0, 1, 0])
    )
    assert accuracy == pytest.approx(2 / 3)
    assert loss == pytest.approx((np.log(2) + np.log(4) + 0) / 3)


def test_measured_normalization() -> None:
    x, _ = shapes(30, channels=2)
    x[..., 1] = 0.25
    rule = measured_normalization(x)
    normalised = rule.apply(x, 3)
    assert abs(normalised[..., 0].mean()) < 1e-4 and normalised[..., 0].std() == pytest.approx(1, abs=1e-4)
    assert rule.mean[1] == 0.25 and rule.std[1] == 1.0


def test_both_frameworks_take_the_same_steps() -> None:
    """Without dropout the course of training is the same in both, up to rounding."""
    architecture = networks.plain((8, 8, 1), 3)
    x, y = shapes(32)
    recipe = TrainingRecipe(weight_decay=0.1)
    losses, ends = [], []
    for framework in networks.FRAMEWORKS:
        trainer = new_trainer(framework, architecture, initial_weights(architecture, 0), recipe)
        losses.append([trainer.update(x, y, rate) for rate in (1e-3, 2e-3, 2e-3, 1e-3)])
        ends.append(trainer.weights())
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for name, value in ends[0].items():
        np.testing.assert_allclose(value, ends[1][name], atol=1e-6)


def test_batch_statistics_are_learned_in_both_frameworks() -> None:
    architecture = networks.residual((8, 8, 1), 3)
    x, y = shapes(32)
    for framework in networks.FRAMEWORKS:
        trainer = new_trainer(framework, architecture, initial_weights(architecture, 0), TrainingRecipe())
        trainer.update(x, y, 1e-3)
        assert (trainer.weights()["stem_norm.running_mean"] != 0).any()


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_fit_learns_and_records(framework: str) -> None:
    data = Split(*shapes(96), *shapes(30, seed=1))
    seen: list[tuple[int, int]] = []
    weights, history = fit(
        framework,
        small_cnn((8, 8, 1), 3),
        measured_normalization(data.train_x),
        data,
        TrainingRecipe(epochs=3, batch=16),
        lambda record, epochs: seen.append((record.epoch, epochs)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert history[-1].test_accuracy == 1.0 and history[-1].test_loss < 0.2
    assert weights.keys() == small_cnn((8, 8, 1), 3).parameter_shapes().keys()


def test_training_repeats_exactly_and_leaves_the_random_state_alone() -> None:
    torch = pytest.importorskip("torch")
    data = Split(*shapes(32), *shapes(6, seed=1))
    before = torch.get_rng_state()
    runs = [
        fit("torch", small_cnn((8, 8, 1), 3), measured_normalization(data.train_x), data, TrainingRecipe(1, 16))[0]
        for _ in range(2)
    ]
    assert torch.equal(before, torch.get_rng_state())
    assert all(np.array_equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_a_diverging_loss_is_reported() -> None:
    data = Split(*shapes(32), *shapes(6))
    data.train_x[0] = np.nan
    with pytest.raises(BadInput, match="epoch 1"):
        fit("torch", small_cnn((8, 8, 1), 3), measured_normalization(shapes(9)[0]), data, TrainingRecipe(1, 32))


def dataset(count: int = 60) -> ArrayDataset:
    return ArrayDataset("own shapes", *shapes(count), class_names=NAMES)


def test_a_dataset_without_a_split_is_split_by_class_and_seed() -> None:
    first, again, other = (training_data(dataset(), seed).split for seed in (1, 1, 2))
    assert len(first.train_x) == 48 and len(first.test_x) == 12
    assert np.array_equal(np.bincount(first.test_y), [4, 4, 4])
    assert np.array_equal(first.test_x, again.test_x) and not np.array_equal(first.test_x, other.test_x)
    everything = np.concatenate([first.train_x, first.test_x])
    assert np.array_equal(np.sort(everything.sum((1, 2, 3))), np.sort(dataset().x.sum((1, 2, 3))))


def test_a_dataset_with_a_split_keeps_it() -> None:
    whole = ArrayDataset("split", *shapes(9), class_names=NAMES, splits={"train": shapes(30, seed=3)})
    found = training_data(whole, 0).split
    np.testing.assert_array_equal(found.train_x, shapes(30, seed=3)[0])
    np.testing.assert_array_equal(found.test_x, shapes(9)[0])


def test_classes_are_needed() -> None:
    with pytest.raises(BadInput, match="fewer than two classes"):
        training_data(ArrayDataset("one", shapes(9)[0], np.zeros(9, np.int64), class_names=("only",)), 0)
    with pytest.raises(BadInput, match=r"'striped' of .* has one sample"):
        training_data(ArrayDataset("few", shapes(9)[0][:7], [0, 0, 1, 1, 0, 1, 2], class_names=NAMES), 0)


def test_a_trained_network_is_kept_and_loads_in_both_frameworks(own_cache: Path) -> None:
    seen: list[Epoch] = []
    record = train("small-cnn", dataset(), epochs=2, seed=4, progress=lambda epoch, _: seen.append(epoch))
    assert record.name == "small-cnn@own-shapes" and record.path == trained_path(record.name)
    assert record.history == tuple(seen) and record.test_accuracy == seen[-1].test_accuracy
    assert trained_names() == [record.name]
    entry = next(entry for entry in list_models() if entry.name == record.name)
    assert entry.family == "own" and entry.input_shape == (8, 8, 1) and "own shapes" in entry.summary
    models = [load_model(record.name, framework) for framework in networks.FRAMEWORKS]
    x = shapes(6)[0]
    in_torch, in_keras = (model.outputs(networks.native(model, x)) for model in models)
    assert np.abs(in_torch - in_keras).max() <= 1e-5 * np.abs(in_torch).max()
    assert {model.weights_id() for model in models} == {weights_id(record.name)}
    assert models[0].class_names == NAMES


def test_what_training_held_out_is_found_again(own_cache: Path, tmp_path: Path) -> None:
    record = train("small-cnn", dataset(), epochs=1, seed=3, name="mine")
    assert (record.seen, record.held_out) == (48, 12)
    unseen = unseen_positions("mine", dataset())
    assert unseen is not None and len(unseen) == 12
    held_out = training_data(dataset(), 3).split.test_x
    assert np.array_equal(dataset().x[unseen], held_out)  # to the picture those that the test accuracy is of
    assert unseen_positions("mine", ArrayDataset("other shapes", *shapes(60, seed=9), class_names=NAMES)) is None
    for other in ("small-cnn", "nobody", "net.py:build"):
        assert unseen_positions(other, dataset()) is None


def test_pictures_added_after_training_are_unseen_too(own_cache: Path, tmp_path: Path) -> None:
    x, y = shapes(30)
    for number in range(30):
        place = tmp_path / "pictures" / NAMES[y[number]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * x[number, ..., 0]).astype(np.uint8)).save(place / f"{number:02d}.png")
    folder = tmp_path / "pictures"
    train("small-cnn", f"image-folder:{folder}", epochs=1, name="mine")
    before = load_dataset("image-folder", path=folder)
    held_out = {before.sample_id(index) for index in unseen_positions("mine", before) or ()}
    assert len(held_out) == 6
    shutil.copy(folder / NAMES[0] / "00.png", folder / NAMES[0] / "zz-new.png")
    after = load_dataset("image-folder", path=folder)
    found = {after.sample_id(index) for index in unseen_positions("mine", after) or ()}
    assert found == held_out | {f"{NAMES[0]}/zz-new.png"}
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    (copied / NAMES[0] / "zz-new.png").unlink()
    again = load_dataset("image-folder", path=copied)  # the same pictures elsewhere
    assert {again.sample_id(index) for index in unseen_positions("mine", again) or ()} == held_out
    for name in found:
        (folder / name).unlink()
    with pytest.raises(BadInput, match=r"trained on all 24 samples.*--part all"):
        unseen_positions("mine", load_dataset("image-folder", path=folder))


def test_data_with_a_split_of_its_own_holds_nothing_back(own_cache: Path) -> None:
    whole = ArrayDataset("split", *shapes(9), class_names=NAMES, splits={"train": shapes(30, seed=3)})
    record = train("small-cnn", whole, epochs=1, name="mine")
    assert (record.seen, record.held_out) == (0, 0) and unseen_positions("mine", whole) is None


def test_a_name_can_be_chosen_and_trained_again(own_cache: Path) -> None:
    first = train("small-cnn", dataset(), epochs=1, name="mine")
    before = weights_id("mine")
    second = train("small-cnn", dataset(), epochs=1, name="mine", seed=1)
    assert first.path == second.path and weights_id("mine") != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small-cnn", "belongs to the zoo"),
        ("../up", "cannot be called"),
        ("a/b", "cannot be called"),
        ("", "cannot be"),
    ],
)
def test_impossible_names_are_refused_before_training(own_cache: Path, name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        train("small-cnn", dataset(), name=name)


def test_an_unknown_network_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'small-cnn'"):
        train("smal-cnn", dataset())


def test_a_damaged_trained_file_is_reported_and_listed(own_cache: Path) -> None:
    record = train("small-cnn", dataset(), epochs=1, name="mine")
    record.path.write_bytes(record.path.read_bytes()[:-9])
    with pytest.raises(StorageError, match="mine"):
        load_model("mine")
    assert "cannot be read" in next(entry for entry in list_models() if entry.name == "mine").summary


def test_a_folder_of_pictures_can_be_trained_on(own_cache: Path, tmp_path: Path) -> None:
    x, y = shapes(24, side=20, channels=3)
    for index, (picture, label) in enumerate(zip(x, y, strict=True)):
        folder = tmp_path / "pollen" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{index}.png")
    record = train("vgg7", f"image-folder:{tmp_path / 'pollen'}", epochs=1, size=16)
    assert record.name == "vgg7@pollen"
    restored = restore(record.path, record.name)
    assert restored.architecture.input_shape == (16, 16, 3)
    assert restored.class_names == ("bright", "dark", "striped")


def test_weights_are_identified_without_importing_a_framework() -> None:
    script = (
        "import sys; from heatmark.models.zoo.loading import weights_id\n"
        "print(weights_id('efficientnet-lite0'), weights_id('torchvision:vgg16'), weights_id('small-cnn'))\n"
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules), 'a framework was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    assert done.stdout.split()[-1] == shipped_records()["small-cnn"].weights_sha256


def test_zoo_entries_agree_with_what_is_trained() -> None:
    assert set(trained.RECIPES) == {"small-cnn", "vgg7", "pooled-cnn", "cnn-1d", "vit-tiny"}
    for name, zoo in ZOO.items():
        entry = find_model(name)[0]
        sample = training_shape(zoo.dataset)
        assert entry.input_shape == sample and entry.datasets == (zoo.dataset,)


def training_shape(name: str) -> tuple[int, ...]:
    from heatmark.datasets.registry import load_dataset

    return tuple(load_dataset(name).sample(0).array.shape)
