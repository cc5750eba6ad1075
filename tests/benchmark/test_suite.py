"""Suites from TOML, and how options change them."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmark.benchmark.store.cell import Task
from heatmark.benchmark.suite import Suite, list_suites, load_suite
from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.methods.registry import METHODS
from heatmark.metrics.registry import METRICS
from heatmark.selection import parse_selection

SUITE = """
description = "mine"
models = ["small-cnn", "vgg7"]
data = ["digits"]
methods = ["integrated_gradients[steps=5|10]", "saliency"]
metrics = ["deletion"]
frameworks = ["torch"]
seeds = [0, 1]
target = "label"
limit = 7
cell_samples = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return path


def test_a_file_is_read(file: Path) -> None:
    suite = load_suite(file)
    assert suite.name == "mine" and suite.description == "mine"
    assert suite.tasks == (Task("small-cnn", "digits"), Task("vgg7", "digits"))
    assert suite.methods == ("integrated_gradients[steps=5]", "integrated_gradients[steps=10]", "saliency")
    assert suite.frameworks == ("torch",) and suite.seeds == (0, 1)
    assert (suite.target, suite.limit, suite.cell_samples, suite.precision) == ("label", 7, 3, "float32")


def test_tasks_may_be_listed_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "pairs.toml"
    path.write_text(
        'methods = ["saliency"]\nmetrics = ["deletion"]\n'
        '[[tasks]]\nmodel = "small-cnn"\ndata = "digits"\n[[tasks]]\nmodel = "cnn-1d"\ndata = "mnist1d"\n'
    )
    suite = load_suite(path)
    assert suite.tasks == (Task("small-cnn", "digits"), Task("cnn-1d", "mnist1d"))
    assert suite.models == ("small-cnn", "cnn-1d") and suite.datasets == ("digits", "mnist1d")


def test_the_names_of_every_packaged_suite_exist() -> None:
    from heatmark.benchmark.running.plan import ResolvedSuite

    suites = {suite.name: ResolvedSuite.of(suite, "auto") for suite in list_suites()}
    published = {"published", "published-label", "published-order", "published-series"}
    assert set(suites) == {"quick", "standard", "ground-truth", "full", "robustness"} | published
    assert all(suite.methods and suite.metrics for suite in suites.values())


def test_full_and_robustness_leave_nothing_out() -> None:
    """Every method is in both and every metric in one of them, as their descriptions say; smooth_mprt as mprt alone."""
    full, robustness = (load_suite(name) for name in ("full", "robustness"))
    own = {entry.name for entry in METHODS if entry.origin == "heatmark" and entry.requires is None}
    for suite in (full, robustness):
        assert {parse_selection(name).name for name in suite.methods} == own
    metrics = {parse_selection(name).name for name in full.metrics + robustness.metrics}
    assert {entry.name for entry in METRICS if entry.origin == "heatmark"} - metrics == {"smooth_mprt"}
    assert "mprt" in robustness.metrics and not set(full.metrics) & set(robustness.metrics)


def test_quick_is_packaged_and_its_names_exist() -> None:
    from heatmark.benchmark.running.plan import ResolvedSuite

    quick = load_suite("quick")
    resolved = ResolvedSuite.of(quick, "auto")
    assert quick in list_suites()
    assert quick.tasks == (Task("efficientnet-lite0", "imagenet-samples"),) and quick.frameworks == (
        "torch",
        "tensorflow",
    )
    assert len(resolved.methods) == 13 and len(resolved.metrics) == 6


def test_options_replace_parts(file: Path) -> None:
    suite = load_suite(file).changed(
        models="a, b", data=["d,with comma"], methods="rise[masks=2|4]", seeds=[3], limit=1
    )
    assert suite.tasks == (Task("a", "d,with comma"), Task("b", "d,with comma"))
    assert suite.methods == ("rise[masks=2]", "rise[masks=4]")
    assert suite.metrics == ("deletion",) and suite.seeds == (3,) and suite.limit == 1


def test_a_string_of_names_is_not_split_inside_brackets(file: Path) -> None:
    suite = load_suite(file).changed(data="digits[split=test,size=8],mnist")
    assert suite.datasets == ("digits[split=test,size=8]", "mnist")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('method = ["saliency"]', r"unknown key 'method'.*Did you mean 'methods'"),
        ("batch_size = 0", r"batch_size is a whole number of at least 1, got 0"),
        ("gallery = true", r"gallery is a whole number"),
        ("seeds = [-1]", r"seed is a whole number of at least 0"),
        ('frameworks = ["pytorch"]', r"[Uu]nknown framework 'pytorch'.*torch"),
        ('target = "labels"', r"Unknown target 'labels'.*Did you mean 'label'"),
        ('precision = "float16"', r"Unknown precision 'float16'"),
        ("methods = [1]", r"'methods' is a list of strings, got \[1\]"),
        ("methods = []", r"has no methods"),
        ('methods = ["rise[masks=1"]', r"Unmatched '\['"),
        ("[[tasks]]\nmodel = 'm'\ndata = 'd'", r"either `tasks`, or `models` and `data`"),
        ("seeds = 3", r"'seeds' is a list of whole numbers, got 3"),
    ],
)
def test_mistakes_are_named_with_the_file(file: Path, wrong: str, message: str) -> None:
    key = wrong.partition("=")[0].strip()
    kept = [line for line in SUITE.splitlines() if line.partition("=")[0].strip() != key]
    file.write_text("\n".join(kept) + "\n" + wrong)
    with pytest.raises((BadInput, UnknownName), match=message) as caught:
        load_suite(file)
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize("missing", ["methods", "metrics", "models", "data"])
def test_missing_keys_are_named(file: Path, missing: str) -> None:
    file.write_text("\n".join(line for line in SUITE.splitlines() if not line.startswith(missing)))
    with pytest.raises(BadInput, match=missing):
        load_suite(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.toml"):
        load_suite(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("methods = [")
    with pytest.raises(BadInput, match="not valid TOML"):
        load_suite(tmp_path / "broken.toml")


def test_an_unknown_suite_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownName, match=r"'quik'.*Did you mean 'quick'"):
        load_suite("quik")


def test_a_network_instead_of_a_name_is_refused(file: Path) -> None:
    with pytest.raises(BadInput, match="models are names"):
        load_suite(file).changed(models=[object()])  # type: ignore[list-item]


def test_a_suite_is_plain_data() -> None:
    import json

    suite: Suite = load_suite("quick")
    plain = suite.plain()
    assert plain == json.loads(json.dumps(plain))
    assert plain["tasks"] == [{"model": "efficientnet-lite0", "data": "imagenet-samples"}]
    assert plain["metrics"] == list(suite.metrics)
