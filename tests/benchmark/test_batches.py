"""The one loop from samples to scores: which class is explained, and whose labels a model knows, for all who ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatmark.benchmark.work.batches import TargetedBatch, chosen_targets, known_labels, labels_fit, targeted_batches
from heatmark.benchmark.work.samples import EVERYTHING
from heatmark.datasets.base import Dataset, Sample
from heatmark.errors import BadInput
from heatmark.methods.registry import method_from
from heatmark.metrics.registry import metric_from

LOGITS = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 3.0], [0.0, 3.0, 1.0]])


class Labelled(Dataset):
    """Three pictures with given labels and names of classes."""

    name = title = "labelled"
    license = "none needed"
    revision = "1"
    framing = "cropped"
    folder = None

    def __init__(self, labels: tuple[int, ...], class_names: tuple[str, ...]) -> None:
        self.labels, self.class_names = labels, class_names

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, index: int) -> Sample:
        array = np.random.default_rng(index).random((8, 8, 1), dtype=np.float32)
        return Sample(f"s{index}", array, self.labels[index])


@pytest.fixture
def subject(model: Any) -> Any:
    pytest.importorskip("torch")
    return model("plain", "torch", (8, 8, 1))


@pytest.mark.parametrize(
    ("labels", "fit", "known"),
    [((0, 1, 2), True, [0, 1, 2]), ((0, 1, 2), False, [-1, -1, -1]), ((-1, 3, 2), True, [-1, -1, 2])],
)
def test_labels_are_known_where_they_fit_and_are_classes(labels: tuple[int, ...], fit: bool, known: list[int]) -> None:
    assert known_labels(np.array(labels), 3, fit).tolist() == known


@pytest.mark.parametrize(
    ("target", "labels", "chosen"),
    [
        ("predicted", (1, 1, 1), [0, 2, 1]),
        ("predicted", (-1, -1, -1), [0, 2, 1]),
        ("label", (1, 1, 0), [1, 1, 0]),
        ("label where known", (1, -1, 0), [1, 2, 0]),
    ],
)
def test_the_class_that_is_explained(target: str, labels: tuple[int, ...], chosen: list[int]) -> None:
    found = chosen_targets(LOGITS, np.array(labels), target, ["a", "b", "c"])
    assert found.tolist() == chosen and found.dtype == np.int64


def test_a_label_that_is_to_be_explained_must_be_known() -> None:
    with pytest.raises(BadInput, match="'b' has no label"):
        chosen_targets(LOGITS, np.array([0, -1, 2]), "label", ["a", "b", "c"])


@pytest.mark.parametrize(("names", "fit"), [(4, True), (3, False), (0, False)])
def test_class_numbers_are_the_models_where_there_are_as_many(subject: Any, names: int, fit: bool) -> None:
    dataset = Labelled((0, 1, 3), tuple("abcd"[:names]))
    assert subject.num_classes == 4 and labels_fit(dataset, subject) is fit
    ((batch, labels, asked),) = targeted_batches(subject, dataset, range(3), "label where known")
    predicted = subject.outputs(batch.x).argmax(axis=1)
    assert labels.tolist() == ([0, 1, 3] if fit else [-1, -1, -1])
    assert asked.target.tolist() == ([0, 1, 3] if fit else predicted.tolist())


def test_runs_audits_and_means_hold_to_the_rule(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told to ask a model of four classes about three; none may take a label for one of the model's."""
    from heatmark.benchmark.audit.units import UnitJob, UnitSpec
    from heatmark.benchmark.store.cell import CellSpec
    from heatmark.benchmark.store.outcomes import Finished
    from heatmark.benchmark.work import named_models
    from heatmark.benchmark.work import worker as module
    from heatmark.benchmark.work.averages import mean_maps
    from heatmark.benchmark.work.cell import CellJob
    from heatmark.benchmark.work.named_models import identity
    from heatmark.benchmark.work.worker import Worker

    monkeypatch.setattr(module, "loaded_model", lambda named: subject)
    monkeypatch.setattr(named_models, "weights_id", lambda name: None)  # "m" is registered nowhere
    method, metric = method_from("input_x_gradient"), metric_from("deletion[steps=4]")
    for names, fit in ((3, False), (4, True)):
        dataset = Labelled((0, 1, 2), tuple("abcd"[:names]))
        monkeypatch.setattr(module, "load_dataset", lambda name, dataset=dataset: dataset)
        batch = dataset.take(3, subject)
        predicted = subject.outputs(batch.x).argmax(axis=1)
        assert (predicted != batch.y).any()
        what = {
            "model": "m",
            "model_weights": identity(subject, "m"),
            "dataset": "d",
            "method": method.id,
            "method_identity": method.identity(),
            "framework": "torch",
        }
        cell = CellSpec(
            **what,
            dataset_revision="1",
            first=0,
            last=3,
            metrics=(metric.id,),
            metric_identities=(metric.identity(),),
        )
        found = Worker().run(CellJob(cell, "cpu", 2, 0, EVERYTHING), lambda images: None)
        assert isinstance(found, Finished)
        assert found.value.rows.column("label").to_pylist() == ([0, 1, 2] if fit else [-1, -1, -1])
        assert found.value.provenance["labels_known"] is fit

        unit = UnitSpec(**what, dataset_revision=dataset.revision_of(range(3)), role="method")
        audited = Worker().run(UnitJob(unit, "cpu", EVERYTHING, (metric.id,)), lambda images: None)
        assert isinstance(audited, Finished)
        # Where labels do not fit, what is explained is what is predicted.
        assert audited.value.right.tolist() == (predicted == batch.y).tolist() if fit else audited.value.right.all()

        # Means are taken over the dataset's own classes, whatever the model's are; maps explain the predicted class.
        means = mean_maps(subject, [method], dataset, "class")
        assert [group.number for group in means.groups] == [-1, 0, 1, 2]
        maps = TargetedBatch(subject, batch.x, predicted).maps(method, 0)
        np.testing.assert_allclose(means.groups[2].maps[method.id], maps[1], rtol=1e-5, atol=1e-7)


def test_a_metric_that_raises_costs_no_other(subject: Any) -> None:
    x = subject.from_numpy(np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32))
    asked = TargetedBatch(subject, x, np.array([0, 1]))
    method, good, masked = method_from("gradient"), metric_from("deletion[steps=4]"), metric_from("relevance_mass")

    class Broken:
        id = "broken"

        def __getattr__(self, name: str) -> Any:
            raise ValueError("on purpose")

    found = asked.scores_apart(
        asked.maps(method, 0),
        [good, Broken(), masked],
        0,
        asked.explainer(method, 0),  # type: ignore[list-item]
    )
    assert set(found.errors) == {"broken"} and found.errors["broken"] == "ValueError: on purpose"
    assert np.isfinite(found.scores[good.id]).all() and masked.id in found.reasons
