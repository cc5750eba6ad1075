"""The overview in a real browser: it sorts, filters, searches, exports and can be linked, and ranks nothing anew."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil

import pytest
from made_boards import EVIL, METHODS, METRICS

from heatmark.leaderboards.report.tables import place_text
from heatmark.leaderboards.writing.numbers import decimals, number, rank

ALL = "model=&dataset=&framework="


def texts(page, column):
    """Every visible cell of a column, from the top."""
    return page.evaluate(
        """key => {
          const heads = [...document.querySelectorAll("#leaderboard thead th")];
          const place = heads.findIndex(head => head.dataset.key === key);
          return [...document.querySelectorAll("#leaderboard tbody tr")].map(row => row.cells[place].textContent);
        }""",
        column,
    )


def head(page, column):
    return page.locator(f'#leaderboard th[data-key="{column}"]')


def known(standings):
    """Place and mean rank, in words, by (task, framework, method)."""
    return {
        (str(table.setting.task), table.setting.framework_name, row.method.id): (
            place_text(row),
            decimals(row.mean_rank),
        )
        for table in standings.tables
        for row in table.rows
    }


def test_it_shows_one_table_first_and_its_numbers_are_those_of_python(site, standings, browsed):
    page = browsed.open(site / "index.html")
    table = standings.tables[0]
    assert texts(page, "place") == [place_text(row) for row in table.rows]
    assert texts(page, "rank") == [decimals(row.mean_rank) for row in table.rows]
    for place, metric in enumerate(METRICS[:4]):
        shown = [f"{number(row.values[place].mean)} ({rank(row.values[place].rank)})" for row in table.rows]
        assert texts(page, metric) == shown
    assert page.locator(".verdict").first.bounding_box()["y"] < page.locator("#board").bounding_box()["y"]


def test_headings_sort_both_ways_with_missing_values_last(site, standings, browsed):
    page = browsed.open(site / "index.html", "model=large-net&dataset=&framework=PyTorch")
    assert "–" not in texts(page, "place")
    head(page, "deletion").locator("button").click()
    assert head(page, "deletion").get_attribute("aria-sort") == "ascending"
    values = [float(text.split()[0]) for text in texts(page, "deletion") if text != "-"]
    assert values == sorted(values) and texts(page, "deletion")[-1] == "-"
    head(page, "deletion").locator("button").click()
    assert head(page, "deletion").get_attribute("aria-sort") == "descending"
    values = [float(text.split()[0]) for text in texts(page, "deletion") if text != "-"]
    assert values == sorted(values, reverse=True) and texts(page, "deletion")[-1] == "-"
    assert page.locator("#leaderboard th[aria-sort]").count() == 1


def test_a_keyboard_sorts_and_reaches_every_control(site, browsed):
    page = browsed.open(site / "index.html")
    head(page, "insertion").locator("button").focus()
    page.keyboard.press("Enter")
    assert head(page, "insertion").get_attribute("aria-sort") == "descending"  # the best first
    assert page.evaluate("document.activeElement.closest('th').dataset.key") == "insertion"
    reached = set()
    page.locator(".skip").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(e => e.name || e.id || e.closest('th')?.dataset.key || e.tagName)(document.activeElement)")
        )
    assert {"theme", "q", "framework", "family", "metric", "complete", "csv", "reset", "SUMMARY", "deletion"} <= reached


@pytest.mark.parametrize("seed", range(20))
def test_no_filter_changes_a_rank(site, standings, browsed, seed):
    page = browsed.open(site / "index.html", ALL)
    expected = known(standings)
    everything = set(zip(texts(page, "task"), texts(page, "framework"), strict=True))
    assert len(everything) == 4 and len(texts(page, "place")) == len(expected)
    generator = random.Random(seed)
    for select in generator.sample(page.locator("#filters select").all(), generator.randint(1, 4)):
        options = select.locator("option").evaluate_all("options => options.map(one => one.value)")
        select.select_option(generator.choice(options))
    if generator.random() < 0.3:
        page.locator("[name=complete]").check()
    for key in ("task", "framework"):  # columns that a narrow choice would leave out
        page.evaluate(
            "key => { const box = document.querySelector(`#picker [value=${key}]`); if (!box.checked) box.click(); }",
            key,
        )
    ids = page.evaluate("[...document.querySelectorAll('#leaderboard tbody th a')].map(one => one.textContent)")
    from heatmark.leaderboards.writing.names import shown

    names = {shown(method, "method"): method for method in METHODS}
    rows = list(
        zip(texts(page, "task"), texts(page, "framework"), ids, texts(page, "place"), texts(page, "rank"), strict=True)
    )
    for task, framework, name, place, mean_rank in rows:
        assert expected[task, framework, names[name]] == (place, mean_rank)


def test_search_finds_by_name_and_family(site, browsed):
    page = browsed.open(site / "index.html")
    page.locator("[name=q]").fill("grad")
    assert sorted(texts(page, "method")) == ["Grad-CAM", "Gradient", "Saliency"]
    page.locator("[name=q]").fill("grad cam")
    assert texts(page, "method") == ["Grad-CAM"]
    assert page.locator("#count").inner_text().startswith("1 of ")
    page.locator("[name=q]").fill("nothing like it")
    assert texts(page, "method") == []


def test_incomplete_rows_show_their_coverage_and_can_be_hidden(site, browsed):
    page = browsed.open(site / "index.html", "model=large-net&dataset=&framework=PyTorch")
    row = page.locator("#leaderboard tbody tr", has_text="RISE")
    assert "not ranked: 0 of 1 cells" in row.inner_text() and "0/24" in row.inner_text()
    page.locator("[name=complete]").check()
    assert page.locator("#leaderboard tbody tr", has_text="RISE").count() == 0


def test_the_address_keeps_the_view(site, browsed):
    page = browsed.open(site / "index.html")
    page.locator("[name=family]").select_option("gradient")
    page.locator("[name=metric]").select_option("insertion")
    head(page, "insertion").locator("button").click()
    page.locator("[name=q]").fill("s")
    before, seen = page.evaluate("location.href"), page.locator("#leaderboard").inner_text()
    other = browsed.open(site / "index.html", before.partition("#")[2])
    assert other.locator("#leaderboard").inner_text() == seen
    other.locator("#reset").click()
    assert "#" not in other.evaluate("location.href")


def test_the_csv_holds_the_visible_rows_and_columns(site, browsed):
    page = browsed.open(site / "index.html", ALL + "&sort=deletion&down=")
    page.locator(".columns summary").click()
    page.locator("#picker [value=average_drop]").uncheck()
    page.wait_for_function("document.querySelectorAll('#leaderboard tbody tr').length === 24")
    with page.expect_download() as download:
        page.locator("#csv").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    from heatmark.leaderboards.writing.names import shown

    assert [shown(row["method"], "method") for row in rows] == [
        text.removesuffix("control").partition("not ranked")[0].removesuffix("control")
        for text in texts(page, "method")
    ]
    assert "average_drop" not in rows[0] and len(rows) == 24
    assert [row["place"] or "-" for row in rows] == texts(page, "place")
    assert [row["task"] for row in rows] == texts(page, "task")
    for metric in ("deletion", "insertion"):
        shown_values = [
            f"{number(float(row[metric]))} ({rank(float(row[f'{metric}:rank']))})" if row[metric] else "-"
            for row in rows
        ]
        assert shown_values == texts(page, metric)
    assert [decimals(float(row["mean_rank"] or "nan")) for row in rows] == texts(page, "rank")


def test_submitted_rows_show_how_far_they_can_be_trusted_and_are_filtered_by_it(site, browsed, tmp_path):
    assert not browsed.open(site / "index.html").locator("[name=row]").count()  # nobody submitted anything
    folder = shutil.copytree(site, tmp_path / "site")
    script = folder / "data" / "board.js"
    text = script.read_text(encoding="utf-8")
    head, body = text[: text.index("{")], text[text.index("{") : text.rindex("}") + 1]
    board = json.loads(body)
    words = {"saliency": "reported", "gradient": "validated", "grad_cam": "reproduced"}
    for row in board["rows"]:
        word = words.get(board["methods"][row["m"]]["id"])
        row |= {"trust": word, "said": f"{word} by <i>A</i>"} if word else {}
    script.write_text(f"{head}{json.dumps(board)});", encoding="utf-8")
    page = browsed.open(folder / "index.html")
    everyone = len(texts(page, "method"))
    assert [text for text in texts(page, "method") if text.startswith("Saliency")] == ["Saliencyreported"]
    # Of what nobody submitted there is no word; it stays where less trusted rows are hidden.
    for choice, kept in (("validated", -1), ("reproduced", -2), ("own", -3), ("submitted", 3 - everyone)):
        page.locator("[name=row]").select_option(choice)
        assert len(texts(page, "method")) == everyone + kept, choice
        assert f"row={choice}" in page.evaluate("location.href")
    page.evaluate("document.querySelector('#picker [value=trust]').click()")
    assert sorted(texts(page, "trust")) == sorted(words.values())


def test_names_that_hold_html_are_shown_as_text(site, browsed):
    page = browsed.open(site / "index.html", ALL)
    assert EVIL in texts(page, "method") and "<b>odd</b>" in "".join(texts(page, "task"))
    assert "<b>odd</b>" in page.locator("main").inner_text()
    assert page.title() == "Which heatmap shows what a network looks at? · heatmark"
