"""Metrics added to a run from its stored curves, and metrics that have no meaning for a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import heatmark as hm
from heatmark.benchmark.run import run
from heatmark.benchmark.store.folder import RunStore
from heatmark.cli.main import app
from heatmark.errors import BadInput, NotApplicable, StorageError, UnknownName

pytest.importorskip("torch")

PLUGIN = str(Path(__file__).parents[1] / "shared" / "plugins" / "tiny_plugin.py")
METRICS = "deletion[steps=4],average_drop"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that runs two methods on the tiny network and gives the run's folder."""
    monkeypatch.setenv("TINY_FOLDER", str(tmp_path))

    def start(metrics: str = METRICS, name: str = "run", **options: Any) -> Path:
        return run(
            "quick",
            models="tiny",
            data="tiny-pictures",
            methods="saliency,random",
            metrics=metrics,
            frameworks="torch",
            device="cpu",
            engine="serial",
            out=tmp_path / name,
            plugins=[PLUGIN],
            progress=False,
            **options,
        ).path

    return start


def values(path: Path) -> dict[tuple[str, str], float]:
    """Return the mean of every method and metric in a run's tables."""
    rows = hm.leaderboard(path).frame
    return {(row.method, row.metric): row.mean for row in rows.itertuples()}


def test_scores_from_stored_curves_are_those_of_a_run(started):
    path = started()
    added = hm.score_run(path, "morf[steps=4],aopc[steps=4],deletion[steps=4]")
    assert added.added == ("morf[steps=4]", "aopc[steps=4]") and added.present == ("deletion[steps=4]",)
    again = started("morf[steps=4],aopc[steps=4]", "again")
    found, expected = values(path), values(again)
    for key, value in expected.items():
        # What is stored is float32.
        assert found[key] == pytest.approx(value, abs=1e-6)
    assert len(found) == len(values(again)) + 4


def test_the_run_goes_on_with_its_own_metrics(started):
    path = started(limit=4)
    hm.score_run(path, "morf[steps=4]")
    started(force=True)  # more samples: the added metric is known for none of the new cells
    assert hm.score_run(path, "morf[steps=4]").added == ("morf[steps=4]",)
    assert len(RunStore(path).added_scores()) == 1
    assert np.isfinite(list(values(path).values())).all()


def test_what_is_not_stored_is_told(started):
    path = started()
    with pytest.raises(BadInput, match=r"of its pictures are missing, the first: ranks .* kept, the rest neutral"):
        hm.score_run(path, "insertion[steps=4]")
    with pytest.raises(BadInput, match=r"nothing is ranked by patch:2"):
        hm.score_run(path, "morf[unit=patch:2]")
    with pytest.raises(BadInput, match=r"asks the model.*heatmark run"):
        hm.score_run(path, "adcc")
    with pytest.raises(UnknownName, match="Did you mean 'morf'"):
        hm.score_run(path, "mrof")
    with pytest.raises(StorageError):
        hm.score_run(path / "nowhere", "morf")
    assert RunStore(path).added_scores() == []


def test_the_command_shows_the_new_column(started):
    path = started()
    result = CliRunner().invoke(app, ["score", str(path), "--metrics", "morf[steps=4]", "--plugin", PLUGIN])
    assert result.exit_code == 0, result.output
    assert "MoRF" in result.output and "morf[steps=4]" in (path / "leaderboard.csv").read_text()


def test_a_damaged_file_of_scores_is_set_aside(started):
    path = started()
    hm.score_run(path, "morf[steps=4]")
    (file,) = (path / "scores").glob("*.parquet")
    file.write_bytes(b"no parquet")
    assert RunStore(path).added_scores() == [] and not file.exists()


def test_a_metric_without_meaning_is_left_out_with_its_reason(started, tmp_path):
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from heatmark.metrics.registry import Measure, register_metric\n"
        "@dataclass(frozen=True)\n"
        "class Inside(Measure):\n"
        "    wants: ClassVar[frozenset[str]] = frozenset({'masks'})\n"
        "    def values(self, scoring):\n"
        "        return scoring.masks.reshape(scoring.count, -1).mean(axis=1)\n"
        "@register_metric('inside', family='test', higher_is_better=True)\n"
        "def inside() -> Measure:\n"
        "    'The share of positions inside the mask.'\n"
        "    return Inside()\n"
    )
    path = run(
        "quick",
        models="tiny",
        data="tiny-pictures",
        methods="random",
        metrics="average_drop,inside",
        frameworks="torch",
        device="cpu",
        engine="serial",
        out=tmp_path / "run",
        plugins=[PLUGIN, str(plugin)],
        progress=False,
    ).path
    board = hm.leaderboard(path)
    assert [metric.id for metric in board.tables[0].metrics] == ["average_drop"]
    (reason,) = [item for item in board.not_applicable if "inside" in item.method]
    assert "ground-truth masks" in reason.reason
    board.write()
    assert "ground-truth masks" in (path / "report.html").read_text()


def test_a_mask_of_what_is_positive_has_no_meaning_for_unsigned_maps(started):
    """Saliency is above zero nearly everywhere: nothing would be hidden, nothing would drop, and it would be first."""
    metric = "average_drop[mask=positive]"
    board = hm.leaderboard(started(f"deletion[steps=4],{metric}"))
    (table,) = board.tables
    place = [one.id for one in table.metrics].index(metric)
    found = {row.method.id: row.values[place].mean for row in table.rows}
    assert np.isnan(found["saliency"]) and np.isfinite(found["random"])
    # The mean rank is over what both can be ranked by, and the reason is told.
    assert not table.counted[place] and sum(table.counted) == 1
    assert all(row.place is not None for row in table.rows)
    (told,) = [item for item in board.not_applicable if "average_drop" in item.method]
    assert told.method == f"the metric {metric} of saliency" and "unsigned" in told.reason
    # From stored curves, too.
    path = started("deletion[steps=4],average_increase[mask=positive]", name="stored")
    hm.score_run(path, metric)
    found = values(path)
    assert np.isnan(found["saliency", metric]) and np.isfinite(found["random", metric])
    with pytest.raises(NotApplicable, match="unsigned"):
        model = hm.load_model("tiny", framework="torch")
        hm.evaluate(model, np.zeros((1, 1, 8, 8), np.float32), methods="saliency", metrics=metric)
