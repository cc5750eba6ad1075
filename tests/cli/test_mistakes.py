"""Mistakes that users make with the Python interface get one clear message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networks
import numpy as np
import pytest

from heatmark.benchmark.evaluate import evaluate
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput, UnknownName
from heatmark.methods.explain import explain
from heatmark.metrics.score import score
from heatmark.models.base import Model

Get = Callable[[str, str], Model]


@pytest.fixture
def plain(model: Get) -> Model:
    from heatmark.models.devices import installed_frameworks

    return model("plain", installed_frameworks()[0])


@pytest.fixture
def x(plain: Model) -> np.ndarray:
    return networks.native(plain, networks.pictures(2))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cat", "'cat' is a class's name, but plain has no names"),
        (1.5, "whole class numbers"),
        ([float("nan"), 1.0], "whole class numbers"),
        (True, "whole class numbers, got bool"),
        (9, "Target class 9 is out of range: plain has classes 0 to 3"),
        ([9, 9], "Target class 9 is out of range"),
        ([-1, 0], "Target class -1 is out of range"),
    ],
)
def test_a_target_that_is_no_class_is_named_once(plain: Model, x: np.ndarray, target: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        explain(plain, x, "saliency", target)


def test_whole_floats_are_classes(plain: Model, x: np.ndarray) -> None:
    assert np.array_equal(explain(plain, x, "saliency", [1.0, 2.0]), explain(plain, x, "saliency", [1, 2]))


@pytest.mark.parametrize(
    ("wrong", "message"), [("small-cnn", r"got str\..*load_model"), (object(), r"got object\..*heatmark\.wrap\(net\)")]
)
def test_what_is_no_model_is_refused_with_what_makes_one(x: np.ndarray, wrong: Any, message: str) -> None:
    maps = np.ones((2, 12, 12), np.float32)
    for call in (
        lambda: explain(wrong, x, "saliency"),
        lambda: score(wrong, x, maps, "deletion"),
        lambda: evaluate(wrong, x, methods="saliency", metrics="deletion"),
    ):
        with pytest.raises(BadInput, match=message):
            call()
    with pytest.raises(BadInput, match=r"Expected a heatmark model.*heatmark\.wrap\(net\)"):
        load_dataset("digits").take(1, wrong)


def test_evaluating_nothing_is_refused(plain: Model, x: np.ndarray) -> None:
    for names in ({"methods": [], "metrics": "deletion"}, {"methods": "saliency", "metrics": []}):
        with pytest.raises(BadInput, match="at least one method and one metric"):
            evaluate(plain, x, **names)


def test_a_wrong_layer_does_not_list_hundreds(plain: Model, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match=r"no layer 'secnd'\. Did you mean 'second'.*It has first"):
        explain(plain, x, "grad_cam", layer="secnd")
    many = plain.layers() * 30
    monkeypatch.setattr(plain, "layers", lambda: many)
    with pytest.raises(UnknownName) as caught:
        plain.layer("secnd")
    assert f"It has {len(many)} layers, the last of them: " in str(caught.value) and len(str(caught.value)) < 400
