"""Runs packed without curves keep mean curves, which are drawn where the curves themselves would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made_runs import THREE, known_entries, made_run, provenance, rows, specification, stored_curves  # noqa: F401  (fixtures)
from scipy import stats
from typer.testing import CliRunner

from heatmark.benchmark.merge import merge_runs
from heatmark.benchmark.store.folder import RunStore
from heatmark.cli.main import app
from heatmark.errors import StorageError
from heatmark.leaderboards.records.packing import pack_runs
from heatmark.leaderboards.standings.curves import mean_curves
from heatmark.leaderboards.standings.gathering import gather, opened
from heatmark.leaderboards.standings.kept_curves import FILE, MeanCurve

SAMPLES = 12


def curves_of(*runs: Path) -> dict[str, dict[str, MeanCurve]]:
    [results] = gather(opened(runs)).settings
    return mean_curves(results)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose samples have curves of their own: p, then p / 2, then nothing, with p = 1/12, 2/12, ... 1."""
    store = made_run(tmp_path / "run", THREE)
    for spec in store.expected:
        made = rows(spec, THREE[spec.method])
        place = made.schema.get_field_index("band_probability")
        values = [[share, share / 2, 0.0] for share in np.arange(1, SAMPLES + 1) / SAMPLES]
        field = made.schema.field(place)
        store.write(spec, made.set_column(place, field, pa.array(values, field.type)), provenance(spec))
    return tmp_path / "run"


def test_mean_curves_stand_in_for_the_curves_that_are_left_out(run: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["merge", str(run), "--out", str(tmp_path / "packed"), "--pack", "--no-curves"])
    assert found.exit_code == 0, found.output
    kept = curves_of(tmp_path / "packed")
    assert RunStore(tmp_path / "packed").cells()[0].curves()[0]["band_logit"] is None
    assert list(kept) == ["deletion", "insertion"] and all(set(curves) == set(THREE) for curves in kept.values())
    shares = np.arange(1, SAMPLES + 1) / SAMPLES
    mean, reach = shares.mean(), stats.t.ppf(0.975, SAMPLES - 1) * shares.std(ddof=1) / np.sqrt(SAMPLES)
    curve = kept["deletion"]["good"]
    fall = 1 - np.linspace(0, 1, 101)
    for values, top in ((curve.mean, mean), (curve.low, mean - reach), (curve.high, mean + reach)):
        assert values == pytest.approx(top * fall, abs=1 / 4096)


def test_packing_twice_gives_the_same_mean_curves(run: Path, tmp_path: Path) -> None:
    for name, source in (("one", run), ("other", run), ("again", tmp_path / "one")):
        pack_runs([source], tmp_path / name, curves=False)
    one, other, again = ((tmp_path / name / "packed" / FILE).read_bytes() for name in ("one", "other", "again"))
    assert one == other == again


def test_curves_that_are_kept_need_no_means(run: Path, tmp_path: Path) -> None:
    pack_runs([run], tmp_path / "whole")
    assert not (tmp_path / "whole" / "packed" / FILE).exists()
    assert curves_of(tmp_path / "whole")["deletion"]["good"].mean[0] == pytest.approx(6.5 / 12)


def test_a_mean_is_shown_for_its_own_cells_alone(run: Path, tmp_path: Path) -> None:
    """With a second seed of a method in another run, the mean of the first one's cell is not the method's."""
    packed = pack_runs([run], tmp_path / "packed", curves=False).path
    store = RunStore.prepared(tmp_path / "more")
    more = specification("good", seed=1)
    store.begin({"suite": {"name": "more", "seeds": [1]}, "seed": 1, "version": "0.1.0"}, [more])
    store.write(more, rows(more, THREE["good"]), provenance(more))
    merge_runs([tmp_path / "more"], tmp_path / "bare", pack=True, curves=False)
    curves = curves_of(packed, tmp_path / "bare")
    assert all(set(found) == {"fair", "random"} for found in curves.values()) and len(curves) == 2


def test_a_mean_of_another_definition_is_not_shown(run: Path, tmp_path: Path) -> None:
    packed = pack_runs([run], tmp_path / "packed", curves=False).path
    [results] = gather(opened([packed])).settings
    changed = replace(results, metric_identities=tuple({**one, "version": 2} for one in results.metric_identities))
    assert mean_curves(results) and not mean_curves(changed)


def test_damaged_mean_curves_are_told(run: Path, tmp_path: Path) -> None:
    packed = pack_runs([run], tmp_path / "packed", curves=False).path
    file = packed / "packed" / FILE
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StorageError, match=f"{FILE} is damaged"):
        curves_of(packed)
    assert any(FILE in words for words in RunStore(packed).verify())
