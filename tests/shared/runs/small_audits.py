"""Audits of a small world, which a plugin registers: squares whose truth is known, and metrics good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heatmark.benchmark.setting.plugins import load_plugins, plugin_module
from heatmark.datasets.registry import DATASETS
from heatmark.leaderboards.audits.audit import MetricAudit, MetricsAudit
from heatmark.leaderboards.audits.auditing import audit_metrics
from heatmark.methods.registry import METHODS as METHODS_REGISTERED
from heatmark.metrics.registry import METRICS
from heatmark.models.zoo.loading import MODELS

PLUGIN = str(Path(__file__).parents[1] / "plugins" / "audit_plugin.py")
GOOD, BAD = ("overlap", "steady"), ("overlap_inverted", "flat", "dice")
METHODS = "gradient,input_x_gradient,integrated_gradients[steps=2,baseline=black]"
CONTROLS = {"random", "sobel", "center_gaussian", "input_intensity", "constant"}
COMPARED = CONTROLS - {"sobel", "input_intensity"}


@pytest.fixture(scope="module", autouse=True)
def plugin() -> Iterator[None]:
    """Register the plugin's entries for this module alone: a metric that raises must not meet other tests."""
    import sys

    registries = (METHODS_REGISTERED, METRICS, DATASETS, MODELS)
    for registry in registries:
        registry.names()
    before = [dict(registry._entries) for registry in registries]
    load_plugins([PLUGIN])
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry._entries.clear()
        registry._entries.update(entries)
    del sys.modules[plugin_module(PLUGIN)]


def audited(folder: Path, metrics: str = "overlap", **options: Any) -> MetricsAudit:
    """Return an audit that is made in this process, unless told otherwise."""
    defaults: dict[str, Any] = {"methods": METHODS, "framework": "torch", "limit": 16, "device": "cpu"}
    defaults |= {"engine": "serial", "progress": False}
    return audit_metrics(metrics, "squares", out=folder, **{**defaults, **options})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> MetricsAudit:
    """An audit of every metric of the plugin."""
    pytest.importorskip("torch")
    names = ",".join([*GOOD, *BAD, "broken", "picky", "directionless"])
    return audited(tmp_path_factory.mktemp("audit"), names)


def one(audit: MetricsAudit, name: str) -> MetricAudit:
    return next(metric for metric in audit.metrics if metric.metric == name)
