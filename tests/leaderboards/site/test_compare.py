"""The compare page against the Python values it must equal."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from made_boards import METRICS
from scipy import stats
from typer.testing import CliRunner

from heatmark.cli.main import app
from heatmark.leaderboards.comparing.paired import paired
from heatmark.leaderboards.site.catalogue import Catalogue
from heatmark.leaderboards.statistics.ranks import rounded

FIELDS = {"samples", "mean", "low", "high", "wins", "ties", "losses", "p", "p_holm"}


def agree(found, expected):
    """Whether the page's values are the Python ones to 1e-12, relative to their size where that is above one."""
    for name in expected.keys() & FIELDS:
        mine, theirs = found[name], expected[name]
        if theirs is None or math.isnan(theirs):
            assert mine is None, name
        else:
            assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-12), name


def test_every_pair_equals_the_command(site, standings, browsed):
    catalogue = Catalogue(standings)
    slugs = {one.facts.id: one.slug for one in (*catalogue.methods, *catalogue.metrics)}
    tables = {
        (table.setting.task.shown_model, table.setting.task.dataset, table.setting.framework): data
        for _, table, data in catalogue.settings
    }
    for first, second in (("saliency", "rise"), ("grad_cam", "random")):
        told = CliRunner().invoke(
            app, ["compare", str(standings.stores[0].path), "--methods", f"{first},{second}", "--json"]
        )
        assert told.exit_code == 0, told.output
        found = json.loads(told.output)["tables"]
        assert len(found) == 4  # where RISE has no result, too
        for table in found[:: len(found) - 1]:
            data = tables[table["model"], table["dataset"], table["framework"]]
            assert len(table["comparisons"]) == len(METRICS)
            for one in table["comparisons"][:: len(METRICS) // 2]:
                address = f"task={data}&a={slugs[first]}&b={slugs[second]}&metric={slugs[one['metric']]}"
                page = browsed.open(site / "compare.html", address)
                shown = json.loads(page.locator("#numbers").get_attribute("data-values"))
                assert (shown["metric"], shown["outcome"]) == (one["metric"], one["outcome"])
                agree(shown, one)
            outcomes = page.locator("#every tbody tr td:nth-child(2)").all_inner_texts()
            words = {"differs": "differ", "same": "the same"}
            assert outcomes == [words.get(one["outcome"], one["outcome"]) for one in table["comparisons"]]


def cases():
    generator = np.random.default_rng(4)
    for samples in (1, 2, 3, 5, 20, 50, 51, 73, 400):
        free = generator.normal(size=(2, samples))
        yield free
        yield np.round(free, 1)  # ties
        yield free * [[1e-9], [1e-9]] + 1e-7
        yield 1e6 + free * 1e-3
        yield np.stack([free[0], free[0]])  # no difference
        yield np.stack([free[0], free[0] + 0.25])  # the same difference everywhere
        yield np.where(generator.random((2, samples)) < 0.2, np.nan, free)


def test_the_arithmetic_equals_python_on_scores_of_every_kind(site, browsed):
    page = browsed.open(site / "compare.html")
    quantiles = stats.t.ppf(0.975, np.arange(1, 500)).tolist()
    asked = [(first, second, higher) for first, second in cases() for higher in (True, False, None)]
    plain = [
        [[None if math.isnan(value) else value for value in side.tolist()] for side in (first, second)] + [higher]
        for first, second, higher in asked
    ]
    found = page.evaluate(
        """([cases, quantiles]) => cases.map(([a, b, higher]) => {
          const doubles = side => Float64Array.from(side, value => value === null ? NaN : value);
          return JSON.parse(JSON.stringify(heatmark.statistics.paired(doubles(a), doubles(b), higher, quantiles)));
        })""",
        [plain, quantiles],
    )
    for mine, (first, second, higher) in zip(found, asked, strict=True):
        agree(mine, paired(first, second, higher)._asdict())


def test_the_better_side_is_the_one_that_the_test_leans_to(site, browsed):
    page = browsed.open(site / "compare.html")
    # The first is better by much on 19 samples of 40, and worse by little on 21.
    apart = np.concatenate([0.3 + 0.01 * np.arange(19), -0.001 * np.arange(1, 22)])
    outcomes = page.evaluate(
        """([first, quantiles]) => [true, false, null].map(higher => {
          const pair = { first: Float64Array.from(first), second: new Float64Array(first.length), higher };
          return heatmark.statistics.compared([pair], quantiles)[0].outcome;
        })""",
        [apart.tolist(), stats.t.ppf(0.975, np.arange(1, 50)).tolist()],
    )
    assert outcomes == ["first", "second", "differs"]


def test_rounding_and_the_normal_distribution_equal_python(site, browsed):
    page = browsed.open(site / "compare.html")
    generator = np.random.default_rng(0)
    values = np.concatenate(
        [
            generator.normal(size=300) * 10.0 ** generator.integers(-12, 12, 300),
            [0.0, 1.0, -10.0, 1e-5, 0.1234565, 2.5e-300],
        ]
    )
    mine = page.evaluate("values => values.map(heatmark.statistics.rounded)", values.tolist())
    np.testing.assert_allclose(mine, rounded(values), rtol=4e-16)  # a power of ten may differ in its last bit
    z = np.linspace(-8, 8, 161)
    found = page.evaluate("values => values.map(heatmark.statistics.normalBelow)", z.tolist())
    np.testing.assert_allclose(found, stats.norm.cdf(z), rtol=1e-12, atol=1e-15)


def test_it_says_who_is_better_and_shows_where(site, browsed):
    page = browsed.open(site / "compare.html", "a=saliency&b=random&metric=insertion")
    words = page.locator("#lead").inner_text()
    values = json.loads(page.locator("#numbers").get_attribute("data-values"))
    assert values["high"] < 0  # the scores rise with the method's place in the list
    assert words.startswith("Random is better than Saliency on Insertion: first minus second is -")
    assert page.locator("#scatter circle").count() == values["samples"] == 24
    differences = page.locator("#pictures small:first-of-type").all_inner_texts()
    sizes = [abs(float(text.split(": ")[1])) for text in differences]
    assert len(sizes) == 2 and sizes == sorted(sizes, reverse=True)  # pictures of two samples are kept
    assert "Pictures of 2 of 24 samples are kept" in page.locator("#pictures-note").inner_text()
    every = [abs(float(text)) for text in page.locator("#samples tbody td:last-child").all_inner_texts()]
    assert len(every) == 24 and every == sorted(every, reverse=True) and every[0] > every[-1]
    page.locator("#swap").click()
    page.wait_for_function("JSON.parse(document.querySelector('#numbers').dataset.values).low > 0")
    assert "a=random&b=saliency" in page.evaluate("location.href")


def test_a_single_sample_and_equal_scores_are_told_as_what_they_are(site, browsed):
    page = browsed.open(site / "compare.html", "a=saliency&b=saliency")
    assert "have the same scores" in page.locator("#lead").inner_text()
    values = json.loads(page.locator("#numbers").get_attribute("data-values"))
    assert (values["mean"], values["low"], values["high"], values["ties"], values["p"]) == (0, 0, 0, 24, 1)
