"""Where a ranking depends on the fill: two columns that differ in it alone, compared in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heatmark.leaderboards.standings.fills import fill_comparisons
from heatmark.leaderboards.standings.registered import metric_facts
from heatmark.metrics.registry import metric_from

NAN = float("nan")


def table(columns: dict[str, list[float]], controls: int = 0) -> Any:
    """A table of made-up means: a column for each metric, a row for each method, the last ones controls."""
    metrics = [metric_facts(metric_from(name).id, metric_from(name).identity()) for name in columns]
    count = len(next(iter(columns.values())))
    rows = [
        SimpleNamespace(
            method=SimpleNamespace(id=f"m{number}", control=number >= count - controls),
            values=[SimpleNamespace(mean=values[number]) for values in columns.values()],
        )
        for number in range(count)
    ]
    return SimpleNamespace(metrics=metrics, rows=rows)


def test_one_order_hardly_depends():
    (found,) = fill_comparisons(table({"deletion": [0.1, 0.2, 0.3, 0.4], "deletion[fill=blur]": [0.3, 0.5, 0.6, 0.9]}))
    assert found.correlation == 1 and found.fills == ("neutral", "blur") and not found.depends
    assert found.text == (
        "Deletion hardly depends on the fill: neutral and blur put methods in nearly one order (rank correlation 1.00 "
        "over 4 methods)."
    )


def test_another_order_is_told_with_the_method_that_moves_most():
    # By hand: ranks 1 2 3 4 against 2 3 4 1 differ by 1, 1, 1, 3, so rho = 1 - 6 * 12 / (4 * 15) = -0.2.
    (found,) = fill_comparisons(table({"deletion": [0.1, 0.2, 0.3, 0.4], "deletion[fill=blur]": [0.2, 0.3, 0.4, 0.1]}))
    assert found.correlation == pytest.approx(-0.2) and found.depends and found.most_moved == ("m3", 4, 1)
    assert "depends on the fill" in found.text and "m3 is number 4 with neutral and number 1 with blur" in found.text


def test_a_similar_order_depends_a_little():
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    values = {"insertion": [0.9, 0.8, 0.7, 0.6, 0.5], "insertion[fill=blur]": [0.8, 0.9, 0.6, 0.7, 0.5]}
    (found,) = fill_comparisons(table(values))
    assert found.correlation == pytest.approx(0.8) and not found.depends and "depends a little" in found.text
    assert found.most_moved == ("m0", 1, 2)  # higher is better for insertion


def test_only_columns_that_differ_in_the_fill_alone_are_compared():
    same = [0.1, 0.2, 0.3]
    names = [
        "deletion[steps=8]",
        "deletion[fill=blur]",
        "insertion[fill=blur]",
        "deletion[steps=8,fill=mean]",
        "sparseness",
    ]
    found = fill_comparisons(table(dict.fromkeys(names, same)))
    assert [one.metrics for one in found] == [("deletion[steps=8]", "deletion[fill=mean,steps=8]")]


def test_controls_and_missing_values_do_not_count():
    values = {"deletion": [0.1, 0.2, 0.3, 0.0, 0.5], "deletion[fill=blur]": [0.1, 0.2, 0.3, 0.9, NAN]}
    assert fill_comparisons(table(values, controls=2))[0].correlation == 1
    assert fill_comparisons(table(values, controls=1))[0].methods == 4
    assert fill_comparisons(table(values))[0].methods == 4
    assert fill_comparisons(table({name: column[:2] for name, column in values.items()})) == ()
    assert fill_comparisons(table({"deletion": [0.1] * 3, "deletion[fill=blur]": [0.1, 0.2, 0.3]})) == ()
