"""The site's form of the printed figures: a page draws what Python found, and it can be read without a mouse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from browsers import watched

from heatmark.leaderboards.costs.pareto import paretos
from heatmark.leaderboards.report.pairs import Pairs, _cliques
from heatmark.leaderboards.site.catalogue import Catalogue
from heatmark.leaderboards.writing.numbers import decimals


def marks(page, place):
    """The words of every mark in a figure, and where its symbol stands."""
    return page.evaluate(
        """place => [...document.querySelectorAll(`${place} .mark`)].map(mark => {
          const box = mark.querySelector("path").getBoundingClientRect();
          return [mark.getAttribute("aria-label"), box.left + box.width / 2, box.top + box.height / 2, mark.tabIndex];
        })""",
        place,
    )


def test_quality_against_cost_is_that_of_the_figure(site, standings, browsed):
    catalogue = Catalogue(standings)
    found = paretos(standings)
    assert len(found) == len(catalogue.settings)
    for pareto, (_, _, data) in list(zip(found, catalogue.settings, strict=True))[::3]:
        page = browsed.open(site / "costs.html", f"task={data}")
        shown = marks(page, "#costs")
        assert len(shown) == len(pareto.points) > 2 and all(tab == 0 for *_, tab in shown)
        for point, (words, *_) in zip(pareto.points, shown, strict=True):
            assert words.startswith(point.method.name)
            assert f"mean rank {decimals(point.rank.value)}" in words
            assert words.endswith("on the front") == point.on_front
        # Better ranks stand higher, larger costs further to the right.
        for place, value, sign in ((2, "rank", 1), (1, "cost", 1)):
            of = np.array([getattr(point, value).value for point in pareto.points])
            at = np.array([mark[place] for mark in shown])
            assert (np.diff(at[np.argsort(sign * of, kind="stable")]) >= -1e-3).all(), value
        front = page.locator("#points tbody tr", has=page.locator("td:last-child", has_text="yes"))
        assert sorted(front.locator("th a").all_inner_texts()) == sorted(one.method.name for one in pareto.front)
        names = page.locator("#costs .front-name").all_text_contents()
        assert sorted(names) == sorted(point.method.name for point in pareto.front)


def test_more_methods_can_be_named_in_the_figure_of_costs(site, browsed):
    page = browsed.open(site / "costs.html")
    before = page.locator("#costs .label").count()
    button = page.locator("#legend [aria-pressed=false]").first
    name = button.inner_text()
    button.click()
    page.wait_for_function(f"document.querySelectorAll('#costs .label').length === {before + 1}")
    assert name in page.locator("#costs .label").all_text_contents()
    assert name not in page.locator("#costs .front-name").all_text_contents()


def test_bars_join_the_methods_that_the_tables_do_not_tell_apart(site, standings, browsed):
    for _, table, data in Catalogue(standings).settings[::3]:
        pairs = Pairs.of_table(table)
        page = browsed.open(site / "wins.html", f"task={data}")
        members = page.evaluate(
            "[...document.querySelectorAll('.bar-group')].map(one => one.querySelectorAll('.member').length)"
        )
        assert members == list(map(len, pairs.groups))
        words = [mark[0] for mark in marks(page, "#differences")]
        for number, method in enumerate(pairs.methods):
            others = {pairs.methods[other].name for other in np.flatnonzero(pairs.together[number]) if other != number}
            head, _, told = words[number].partition("\n")
            assert head == f"{method.name}: mean rank {decimals(pairs.mean_ranks[number])}"
            named = set(told.removeprefix("not told apart from ").split(", "))
            assert named == (others or {"told apart from every other"})
        # What is not told apart from a method stays when it has the focus, and all is back when it loses it.
        page.locator("#differences .mark").nth(0).focus()
        faded = page.locator("#differences .mark.faded").count()
        assert faded == int((~pairs.together[0]).sum())
        page.evaluate("document.activeElement.blur()")
        assert page.locator("#differences .faded").count() == 0


def test_a_metrics_matrix_has_no_diagram_of_mean_ranks(site, browsed):
    page = browsed.open(site / "wins.html", "metric=insertion")
    assert not page.locator("#apart").is_visible()


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_all_largest_sets_without_a_pair_that_is_told_apart(seed):
    generator = np.random.default_rng(seed)
    joined = generator.random((7, 7)) < 0.6
    joined = joined | joined.T
    neighbours = [frozenset(np.flatnonzero(row).tolist()) - {at} for at, row in enumerate(joined)]

    def level(members):
        return all(joined[a, b] for a, b in itertools.combinations(members, 2))

    every = [set(one) for size in range(1, 8) for one in itertools.combinations(range(7), size) if level(one)]
    largest = [one for one in every if not any(one < other for other in every)]
    assert sorted(map(sorted, _cliques(neighbours))) == sorted(map(sorted, largest))


def test_the_matrix_of_audits_has_every_answer_and_says_it_in_words(site, standings, browsed):
    page = browsed.open(site / "audits.html")
    audited = [metric for metric in standings.metrics if metric.audit is not None]
    rows = page.locator("#checks tbody tr")
    assert rows.count() == len(audited) and "Deletion (steps 5)" in page.locator("#without").inner_text()
    grades = page.locator("#checks tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('[data-grade]')].map(cell => cell.dataset.grade))"
    )
    assert grades == [[grade or "none" for grade in metric.audit.answers.values()] for metric in audited]
    (task, *_) = audited[0].audit.tasks
    page.locator("[name=data]").select_option(task.dataset)
    cells = page.locator("#checks tbody tr").first.locator("[data-grade]")
    answers = cells.evaluate_all("cells => cells.map(cell => cell.lastChild.textContent)")
    assert answers == [check.words for check in task.checks(audited[0].audit.about_truth)]
    assert "data=" in page.evaluate("location.href")  # so that it can be linked


def test_metrics_that_agree_are_those_of_the_audit(site, standings, browsed):
    page = browsed.open(site / "audits.html")
    audit = standings.audits.covering(metric.audit.key for metric in standings.metrics if metric.audit is not None)
    places = {one.key: number for number, one in enumerate(audit.metrics)}
    keys = {metric.name: metric.audit.key for metric in standings.metrics if metric.audit is not None}
    names = page.locator("#agreement tbody th a").all_inner_texts()
    cells = page.locator("#agreement tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.title))"
    )
    assert len(names) > 1
    for (row, one), (column, other) in itertools.permutations(enumerate(names), 2):
        tau = audit.tau[places[keys[one]]][places[keys[other]]]
        assert cells[row][column] == f"{one} and {other}: tau {decimals(tau)}"


def test_the_figure_of_ranks_across_tasks_is_that_of_the_table(site, standings, browsed):
    page = browsed.open(site / "index.html")
    page.wait_for_selector("#across .mark")
    ranked = Catalogue(standings).standing.ranked
    words = [mark[0] for mark in marks(page, "#across")]
    assert len(words) == len(ranked)
    for row, text in zip(ranked, words, strict=True):
        assert text.startswith(f"{row.method.name}: mean rank {decimals(row.mean_rank)}")
        assert all(decimals(rank) in text for rank in row.in_blocks)


def test_figures_fit_a_narrow_page_and_a_dark_one(site, chromium):
    found = watched(chromium, viewport={"width": 390, "height": 800}, color_scheme="dark")
    for name, place in (("costs", "#costs"), ("wins", "#differences"), ("index", "#across"), ("compare", "#scatter")):
        page = found.open(site / f"{name}.html")
        page.wait_for_selector(f"{place} svg text", state="attached")
        assert page.evaluate("place => document.querySelector(`${place} .drawing`).scrollWidth <= innerWidth", place)
        sizes = page.evaluate(
            """place => [...document.querySelectorAll(`${place} svg text`)].map(text => [
                 text.getBoundingClientRect().height, text.getBoundingClientRect().left])""",
            place,
        )
        assert min(size for size, _ in sizes) > 9 and min(left for _, left in sizes) >= 0
    assert found.complaints == []
    found.page.context.close()
