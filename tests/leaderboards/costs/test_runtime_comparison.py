"""The regression guard: what counts as slower, whom one may compare, and the exit status."""

from __future__ import annotations

import numpy as np
import pytest
from runtime_rows import MACHINE, case, record, row
from typer.testing import CliRunner

from heatmark.benchmark.timing.files import RuntimeFile
from heatmark.benchmark.timing.rows import RuntimeSettings
from heatmark.cli.main import app
from heatmark.errors import BadInput
from heatmark.leaderboards.costs.comparison import compared
from heatmark.leaderboards.statistics.timed import median_estimate, ratio_estimate

STEADY = [0.100, 0.101, 0.099, 0.100, 0.102, 0.098, 0.100]


def times(factor: float) -> list[float]:
    return [factor * seconds for seconds in STEADY]


def test_each_verdict():
    before = record(*(row(case(method), STEADY) for method in ("same", "slower", "faster", "a little slower")))
    factors = {"same": 1.0, "slower": 1.3, "faster": 0.7, "a little slower": 1.05}
    after = record(*(row(case(method), times(factor)) for method, factor in factors.items()))
    found = compared(before, after)
    verdicts = {pair.case.method: pair.verdict for pair in found.pairs}
    assert verdicts == {"same": "same", "slower": "slower", "faster": "faster", "a little slower": "same"}
    assert found.pairs[0].case.method == "slower" and found.pairs[0].ratio.value == pytest.approx(1.3)
    assert found.quantity == "time" and "1 of 4 rows slower" in found.summary
    assert compared(before, after, threshold=0.4).slower == ()
    assert len(compared(before, after, threshold=0.01).slower) == 2


def test_a_slow_down_that_may_be_chance_is_none():
    unsteady = [0.05, 0.4, 0.06, 0.5, 0.07, 0.45, 0.13]
    (pair,) = compared(record(row(case(), times(1.2))), record(row(case(), unsteady))).pairs
    assert pair.ratio.value > 1.05 and pair.ratio.low < 1 and pair.verdict == "same"


def test_rows_that_only_one_run_has_are_named():
    found = compared(record(row(case(), STEADY), row(case("rise"), STEADY)), record(row(case(), STEADY)))
    assert [one.method for one in found.only_before] == ["rise"] and "1 rows of the baseline" in found.summary


def test_another_machine_is_refused_and_forced_by_relative_cost():
    # The other machine is three times as fast, bare network included; this method alone became slower.
    before = record(row(case(), STEADY), row(case("rise"), STEADY))
    faster = record(
        row(case(), times(1 / 3), bare=0.01 / 3),
        row(case("rise"), times(1.5 / 3), bare=0.01 / 3),
        machine={**MACHINE, "cpu": "another processor"},
    )
    with pytest.raises(BadInput, match=r"a processor and another processor.*--force"):
        compared(before, faster)
    found = compared(before, faster, force=True)
    assert found.quantity == "relative cost"
    assert {pair.case.method: pair.verdict for pair in found.pairs} == {"saliency": "same", "rise": "slower"}


def test_other_threads_are_other_conditions():
    before, after = row(case(), STEADY), row(case(), STEADY, threads=4)
    with pytest.raises(BadInput, match="threads: 2 and 4"):
        compared(record(before), record(after))


def test_nothing_in_common_and_a_negative_threshold_are_errors():
    with pytest.raises(BadInput, match="no row in common"):
        compared(record(row(case(), STEADY)), record(row(case("rise"), STEADY)))
    with pytest.raises(BadInput, match="threshold"):
        compared(record(row(case(), STEADY)), record(row(case(), STEADY)), threshold=-1)


def test_intervals_of_constant_times_have_no_width():
    assert median_estimate([2.0] * 5) == (2.0, 2.0, 2.0)
    assert ratio_estimate([3.0] * 5, [2.0] * 5) == (1.5, 1.5, 1.5)
    assert np.isnan(median_estimate([])).all()


def test_a_ratio_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        new, old = (factor * generator.lognormal(0.0, 0.1, 15) for factor in (1.2, 1.0))
        found = ratio_estimate(list(new), list(old), 300, seed)
        hits += found.low <= 1.2 <= found.high
    assert hits >= 180


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (1.5, 1)])
def test_the_command_ends_with_status_one_on_a_slow_down(tmp_path, factor, status):
    for name, calls in (("before", STEADY), ("after", times(factor))):
        RuntimeFile(tmp_path / name, RuntimeSettings()).add(row(case(), calls))
    words = ["runtime", "--compare", str(tmp_path / "before"), "--current", str(tmp_path / "after")]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert result.exit_code == status, result.output
    assert (tmp_path / "out" / "runtime-comparison.csv").read_text().splitlines()[0].startswith("method,model,")
