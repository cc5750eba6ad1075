"""Display names: every entry has one, no two share one, and no result depends on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shared.made_methods import constant, entry

from heatmark.datasets.registry import DATASETS
from heatmark.leaderboards.writing.names import shown
from heatmark.methods.registry import METHODS, Method, method_from
from heatmark.metrics.registry import METRICS
from heatmark.models.catalogue import MODELS
from heatmark.registry import Registry, titled

REGISTRIES: list[Registry[Any]] = [METHODS, METRICS, DATASETS, MODELS]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_built_in_entry_has_a_title_of_its_own(registry: Registry[Any]) -> None:
    titles = {one.name: one.title for one in registry if one.origin == "heatmark"}
    assert len(set(titles.values())) == len(titles)
    assert all(title == title.strip() and not set(title) & set("_[]") for title in titles.values())
    assert all(name != title for name, title in titles.items())


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("grad_cam", "method", "Grad-CAM"),
        ("grad_cam_plus_plus", "method", "Grad-CAM++"),
        ("xgrad_cam", "method", "XGrad-CAM"),
        ("integrated_gradients[steps=20]", "method", "Integrated Gradients (steps 20)"),
        ("blur_ig[steps=20,sigma=none]", "method", "Blur IG (sigma none, steps 20)"),
        ("lrp[epsilon_plus]", "method", "LRP (epsilon-plus)"),
        ("smooth[guided_ig[steps=20],samples=5]", "method", "Smoothed Guided IG (steps 20) (samples 5)"),
        ("captum:saliency", "method", "Captum Saliency"),
        ("deletion", "metric", "Deletion"),
        ("deletion[rise]", "metric", "Deletion (RISE)"),
        ("n_ord[wang2020,fill=zero]", "metric", "N-Ord (Wang 2020, fill zero)"),
        ("average_drop[gradcampp]", "metric", "Average Drop (Grad-CAM++)"),
        ("deletion", "method", "deletion"),  # no method
        ("gone[share=0.5]", "method", "gone[share=0.5]"),  # a plugin that is not loaded
        ("no [name", "metric", "no [name"),
    ],
)  # fmt: skip
def test_texts_are_shown_in_the_fields_spelling(text: str, kind: Any, name: str) -> None:
    assert shown(text, kind) == name


def test_presets_parameters_and_switches_keep_names_apart() -> None:
    for registry, kind in ((METHODS, "method"), (METRICS, "metric")):
        texts = [one.name for one in registry] + [f"{one.name}[{preset}]" for one in registry for preset in one.presets]
        assert len({shown(text, kind) for text in texts}) == len(texts)


def test_a_name_without_a_title_is_put_in_words() -> None:
    assert titled("halved_gradient") == "Halved Gradient"
    assert titled("my_cam") == "My CAM"
    assert entry("halved_gradient", constant).title == "Halved Gradient"
    assert entry("halved_gradient", constant, title="Half").title == "Half"


def test_ones_own_entry_cannot_be_taken_for_a_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [entry("mine", constant, title="Grad-CAM", origin="plugin"), entry("halved", constant, origin="plugin")]
    monkeypatch.setattr(METHODS, "_entries", {**{one.name: one for one in METHODS}, **{one.name: one for one in own}})
    assert [shown(name, "method") for name in ("mine", "halved", "grad_cam")] == ["mine", "Halved", "Grad-CAM"]


def test_no_result_depends_on_a_title() -> None:
    method = method_from("grad_cam")
    renamed = Method(replace(method.entry, title="Another"), method.selection, method.parameters)
    assert renamed.identity() == method.identity()
