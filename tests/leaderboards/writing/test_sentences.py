"""Protocols as sentences: every parameter is told, as it is, and only where it counts."""

from __future__ import annotations

from typing import Any

import pytest

from heatmark.leaderboards.standings.registered import flat_parameters, method_facts
from heatmark.leaderboards.writing.sentences import in_words, protocol_sentence
from heatmark.methods.registry import METHODS, method_from
from heatmark.metrics.registry import METRICS, metric_from


def of_metric(text: str) -> str:
    return protocol_sentence(text, flat_parameters(metric_from(text).identity()), "metric")


def test_a_protocol_is_a_sentence() -> None:
    assert of_metric("deletion[fill=black,steps=8]") == (
        "8 equal steps from nothing to everything; deleted positions show black; the curve shows the target's "
        "probability."
    )
    assert of_metric("localisation_auc") == ""  # its definition leaves nothing open


def test_what_does_not_count_is_not_told() -> None:
    top, soft = of_metric("average_drop[mask=top,share=0.3]"), of_metric("average_drop")
    assert "30 % of the positions are shown" in top and "%" not in soft
    stepped, equal = of_metric("morf[samek2017]"), of_metric("morf")
    assert "1 at a step; no more than 100 in all" in stepped and "equal steps" not in stepped
    assert "28 equal steps" in equal and "at a step" not in equal
    assert "Gaussian" in of_metric("infidelity[gaussian]") and "squares" not in of_metric("infidelity[gaussian]")


@pytest.mark.parametrize("kind", ["metric", "method"])
def test_every_parameter_says_its_value_in_words(kind: Any) -> None:
    """Each documented parameter has words of its own, with the value where it is a number."""
    for entry in METRICS if kind == "metric" else METHODS:
        if entry.origin != "heatmark":
            continue
        for one in entry.parameters:
            assert one.doc.says, f"{entry.name}: {one.name}"
            texts = [one.doc.says] if isinstance(one.doc.says, str) else list(one.doc.says.values())
            assert all(not text.endswith(".") and text == text.strip() for text in texts)
            if one.types in ((int,), (float,)) and isinstance(one.doc.says, str):
                assert "{" in one.doc.says, f"{entry.name}: {one.name}"
            if one.doc.when:
                names = {other.name for other in entry.parameters}
                names |= flat_parameters(metric_from(entry.name).identity()).keys() if kind == "metric" else set()
                assert one.doc.when.partition("=")[0].removesuffix("!") in names, f"{entry.name}: {one.doc.when}"
            if not isinstance(one.doc.says, str) and one.doc.choices:
                assert {*one.doc.choices} <= one.doc.says.keys() or "" in one.doc.says, f"{entry.name}: {one.name}"


def test_presets_that_are_other_protocols_read_differently() -> None:
    for entry in METRICS:
        texts = [entry.name, *(f"{entry.name}[{preset}]" for preset in entry.presets)]
        identities = {str(metric_from(text).identity()): of_metric(text) for text in texts}
        assert len(set(identities.values())) == len(identities), entry.name


def test_a_wrapper_tells_of_the_method_within() -> None:
    text = "smooth[integrated_gradients[steps=7],samples=5]"
    sentence = method_facts(text, method_from(text).identity()).sentence
    assert sentence.startswith("5 noisy copies; noise of 15 % of the input range. Integrated Gradients: 7 gradients")


def test_values_of_a_plugin_that_is_gone_are_told_by_name() -> None:
    assert protocol_sentence("gone[share=0.5]", {"share": 0.5, "fill": None, "deep": True}, "metric") == (
        "Share 0.5; fill none; deep yes."
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("blur:5", "a copy blurred by 5 positions"),
        ("black+white", "black and white"),
        ("grid:4", "the cells of a 4 by 4 grid"),
        ("top_down", "top-down"),
        (1e-6, "1e-06"),
        (4000, "4,000"),
        (0.1, "0.1"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_values_in_words(value: Any, words: str) -> None:
    assert in_words(value) == words
