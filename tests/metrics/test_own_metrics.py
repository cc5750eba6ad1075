"""Metrics of one's own, as docs/metrics.md says to write them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.benchmark.setting.plugins import load_plugins
from heatmark.errors import BadInput
from heatmark.metrics.registry import METRICS, metric_from

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def documented(tmp_path):
    """The document's example, registered from a file whose annotations are text."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "documented_metric.py"
    file.write_text("from __future__ import annotations\n\n" + code, encoding="utf-8")
    load_plugins([str(file)])
    entry = METRICS.get("half_gone")
    yield entry
    del METRICS._entries["half_gone"], sys.modules[entry.origin]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_documents_metric_is_a_dataclass_with_a_parameter(model, documented, framework):
    assert documented.summary == "The drop of the probability when the top half is filled."
    assert documented.origin == "heatmark_plugin_documented_metric"
    assert [parameter.name for parameter in documented.parameters] == ["fill"]
    neutral, white = metric_from("half_gone"), metric_from("half_gone[fill=white]")
    assert neutral.protocol == {"fill": "neutral"} and white.protocol == {"fill": "white"}
    assert len(neutral.identity()["source"]) == 2 and neutral.identity() != white.identity()
    with pytest.raises(BadInput, match="is one of neutral, black, white"):
        metric_from("half_gone[fill=pink]")

    subject, samples = model("plain", framework), pictures(2)
    maps = np.tile(np.linspace(1, 0, 12 * 12, dtype=np.float32).reshape(12, 12), (2, 1, 1))
    half = samples.copy()
    half[:, :6] = 1.0
    before, after = (probabilities(subject, native(subject, x)) for x in (samples, half))
    values = hm.score(subject, native(subject, samples), maps, "half_gone[fill=white]", target=[0, 1])
    np.testing.assert_allclose(values, (before - after)[[0, 1], [0, 1]], atol=1e-5)


def probabilities(subject, x):
    logits = subject.outputs(x).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
