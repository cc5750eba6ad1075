"""What `heatmark new` writes keeps its contract as it is; metrics, datasets and models with one fault each are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from registering import forgotten_again

from heatmark.benchmark.contracts.new_file import write_new
from heatmark.benchmark.contracts.report import KINDS
from heatmark.benchmark.contracts.reporting import contract_reports
from heatmark.errors import BadInput


@pytest.fixture
def world() -> Iterator[None]:
    with forgotten_again():
        yield


def changed(file: Path, *changes: tuple[str, str]) -> str:
    """Change a file; every text to be replaced must be there."""
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["own-thing.2", "9_lives"])
def test_a_new_file_keeps_its_contract(world, kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write_new(kind, name)
    assert file.read_text(encoding="utf-8").count("$") == 0 and file.stem.isidentifier()
    (found,) = contract_reports(str(file), frameworks=["torch"])
    assert (found.kind, found.name) == (kind, name)
    assert found.passed, [finding.sentence for finding in found.failed]
    assert not [finding for finding in found.findings if finding.verdict == "doubtful"]


def test_nothing_is_written_over_and_names_must_be_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("kept", encoding="utf-8")
    with pytest.raises(BadInput, match=r"mine\.py is there already"):
        write_new("method", "mine")
    with pytest.raises(BadInput, match="There is a method 'grad_cam' already"):
        write_new("method", "grad_cam")
    with pytest.raises(BadInput, match="cannot be used"):
        write_new("metric", "../mine")
    with pytest.raises(BadInput, match="no Python file"):
        write_new("metric", "mine", tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    assert (tmp_path / "mine.py").read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize(
    ("kind", "change", "question", "said"),
    [
        ("metric", ("whole - left", "left - whole"), "the truth's own map", "higher is better"),
        ("metric", ("range=(-1, 1)", "range=(0, 0.1)"), "values lie in the declared range", "outside"),
        ("metric", ("return whole - left", "raise KeyError(3)"), "one value per sample", "it raised KeyError: 3 ("),
        ("dataset", ("default_rng(index)", "default_rng()"), "a sample is the same each time", "read again"),
        ("dataset", ("array[mask] += 0.7", "array[mask] += 7"), "samples are float32 in the domain", "the domain is"),
        ("dataset", ('f"square/{index}"', '"square"'), "ids are unique texts", "sample 1 has the id 'square'"),
        ("dataset", ("return index % 2", "return index % 3"), "labels are classes that have names", "a label 2"),
        ("dataset", ("(8, 8), bool", "(8, 9), bool"), "", ""),
        ("model", ("drawn = np.random.default_rng(0)", "raise OSError('no such weights')"), "loads", "no such weights"),
    ],
)
def test_each_fault_is_named(world, kind, change, question, said, tmp_path):
    file = write_new(kind, "own", tmp_path / "own.py")
    (found,) = contract_reports(changed(file, change), frameworks=["torch"])
    assert found.failed
    assert any(one.question.startswith(question) and said in one.evidence for one in found.failed)
