"""Which methods and metrics have a meaning for a network: as many as are known to, with the reasons that they give."""

from __future__ import annotations

import re

import networks
import planted
import pytest
from networks import FRAMEWORKS

from heatmark.benchmark.checking.applicable import methods_apply, metrics_apply
from heatmark.metrics.registry import metric_from


def counts(evidence: str) -> tuple[int, int]:
    found = re.match(r"(\d+) of (\d+) ", evidence)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_methods_that_read_attention_have_none_to_read(framework: str) -> None:
    pytest.importorskip(framework)
    model = planted.planted(framework)
    finding = methods_apply(model, planted.inputs(model))
    left, all_of_them = counts(finding.evidence)
    assert finding.verdict == "holds" and all_of_them - left == 4 and all_of_them > 40
    assert "not attention_rollout, chefer, legrad, raw_attention (planted has no attention layers)" in finding.evidence


def test_methods_that_a_transformer_has_no_use_for() -> None:
    pytest.importorskip("torch")
    model = networks.model_of(networks.transformer(), "torch")
    evidence = methods_apply(model, model.inputs(networks.native(model, networks.pictures(2)))).evidence
    assert "deep_lift, excitation_backprop, lrp (" in evidence and "attention_rollout" not in evidence


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_metrics_without_masks_and_beyond_pictures(framework: str) -> None:
    pytest.importorskip(framework)
    model = planted.planted(framework)
    evidence = metrics_apply(model, planted.inputs(model)).evidence
    reason = "(it needs ground-truth masks, and there are none)"
    masked = evidence.partition("; not ")[2].partition(f" {reason}")[0].split(", ")
    assert all("masks" in metric_from(name).measure.wants for name in masked) and "pointing_game" in masked
    assert counts(evidence)[1] - counts(evidence)[0] == len(masked)

    volume = planted_volume(framework)
    told = metrics_apply(volume, volume.inputs(networks.native(volume, networks.pictures(1, (4, 4, 4, 1))))).evidence
    assert "irof" in told and "Superpixels are made of pictures and series" in told


def planted_volume(framework: str) -> networks.Model:
    """Return a network of volumes, for which there are no superpixels."""
    from heatmark.models.architecture.nodes import INPUT, Architecture, Dense, Flatten

    layers = (Flatten("flat", (INPUT,)), Dense("dense", ("flat",), 3))
    return networks.model_of(Architecture("volume", (4, 4, 4, 1), layers, "dense"), framework)
