"""Every page of a site: what a browser, a reader and a policy ask of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from browsers import watched
from made_boards import EVIL

from heatmark.errors import BadInput
from heatmark.leaderboards.report.tables import agreement_text
from heatmark.leaderboards.site.catalogue import Slugs
from heatmark.leaderboards.site.colours import contrast, on_dark
from heatmark.leaderboards.site.rendering import STATIC, coded
from heatmark.leaderboards.site.site import write_site
from heatmark.leaderboards.standings.styles import FAMILIES
from heatmark.leaderboards.writing import numbers
from heatmark.leaderboards.writing.numbers import percent
from heatmark.leaderboards.writing.sentences import begun


class Parsed(HTMLParser):
    """The ids, links and pictures of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.pictures, self.odd = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in ("img", "script", "link") and (found.get("src") or found.get("href")):
            self.links.append(found.get("src") or found["href"])
        if tag == "img":
            self.pictures.append(found.get("alt"))
        self.odd += [name for name in found if name == "style" or name.startswith("on")]


def pages(site):
    return sorted(site.rglob("*.html"))


def test_no_page_asks_complains_or_spills_over(site, browsed):
    for path in pages(site):
        drawn = "[data-ready]" if "data/board.js" in path.read_text(encoding="utf-8") else ""
        browsed.page.set_viewport_size({"width": 390, "height": 800})
        page = browsed.open(path, drawn=drawn)
        for width in (390, 1400):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path.name, width)
        assert page.title() != "obeyed"
        assert page.locator("h1").count() == 1
        assert page.evaluate("[...document.images].every(image => image.alt)"), path.name
    assert {url.split(":")[0] for url in browsed.requests} <= {"file", "about"}


def test_every_link_leads_somewhere(site):
    parsed = {path: Parsed(path.read_text(encoding="utf-8")) for path in pages(site)}
    broken = []
    for path, found in parsed.items():
        for link in found.links:
            if link.startswith("https://"):
                continue
            target, _, anchor = link.partition("#")
            aim = (path.parent / unquote(target)).resolve() if target else path.resolve()
            if not aim.is_file() or (anchor and "=" not in anchor and anchor not in parsed[aim].ids):
                broken.append((path.name, link))
    assert broken == []
    assert all(all(found.pictures) for found in parsed.values())
    assert all(not found.odd for found in parsed.values())


def test_the_policy_is_strict_and_on_every_page(site, browsed):
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        policy = re.search('http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy and "http" not in policy
        assert re.search(r"script-src 'self' file: 'sha256-[A-Za-z0-9+/]{43}='", policy)
        assert text.index("Content-Security-Policy") < text.index("<script")
        assert "&lt;!--" not in text  # a comment in a text of the documentation
    # It is in force: what a page would be tricked into does not run, and the browser says so.
    page = browsed.open(site / "index.html")
    page.evaluate(
        """const script = document.createElement("script");
        script.textContent = "document.title = 'obeyed'";
        document.head.append(script);"""
    )
    assert page.title() != "obeyed"
    assert any("Content Security Policy" in text for text in browsed.complaints)
    browsed.complaints.clear()


def test_a_page_from_disk_works_where_no_file_is_its_own(site, browsed):
    """Firefox takes 'self' for nothing there; without the word everything is still allowed that a page needs."""
    text = (site / "index.html").read_text(encoding="utf-8")
    alone = site / "alone.html"
    assert text.count("&#39;self&#39; ") == 3
    alone.write_text(text.replace("&#39;self&#39; ", ""), encoding="utf-8")
    page = browsed.open(alone)
    assert page.locator("#leaderboard tbody tr").count() > 2
    assert page.evaluate("document.styleSheets.length") == 3
    alone.unlink()


def test_names_are_text_on_every_page_and_no_path_leaves_the_site(site, browsed):
    found = [path for path in pages(site) if "onerror" in path.read_text(encoding="utf-8")]
    assert found and all("<img src=x" not in path.read_text(encoding="utf-8") for path in pages(site))
    assert all(re.fullmatch(r"[\w.-]+", part) for path in site.rglob("*") for part in path.relative_to(site).parts)
    (own,) = [path for path in (site / "methods").glob("*.html") if "onerror" in path.name]
    page = browsed.open(own)
    assert page.locator("h1").inner_text().startswith(EVIL)


def test_words_are_begun_and_code_is_code_and_nothing_else_of_a_text_changes():
    assert begun("noise on CUB-200: Grad-CAM") == "Noise on CUB-200: Grad-CAM" and begun("") == ""
    assert str(coded("2 x `steps` + 1 <b>")) == "2 x <code>steps</code> + 1 &lt;b&gt;"


def test_names_that_differ_in_capitals_alone_have_two_files():
    slugs = Slugs()
    assert len({slugs.of(text).lower() for text in ("Rise", "rise", "rise", "RISE")}) == 4


def test_the_theme_follows_the_system_and_the_button(site, chromium):
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = watched(chromium, color_scheme="dark", reduced_motion="reduce")
    page = dark.open(site / "index.html")
    assert page.evaluate(ground) == "rgb(20, 23, 27)"
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page.locator("#theme").click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert dark.open(site / "compare.html").evaluate(ground) == "rgb(255, 255, 255)"  # kept from page to page
    dark.page.context.close()


def variables(block):
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))


def test_every_ink_stands_out_from_every_ground():
    text = (STATIC / "base.css").read_text(encoding="utf-8")
    themes = [variables(block) for block in re.findall(r":root[^{]*\{([^}]*)\}", text)]
    assert len(themes) == 3 and themes[1] == themes[2]
    for theme in themes:
        for ground in ("ground", "raised", "tint", "warm"):
            for ink in ("ink", "soft", "accent", "good", "bad"):
                if (ground, ink) not in {("warm", "accent"), ("warm", "good"), ("tint", "good"), ("tint", "bad")}:
                    assert contrast(theme[ground], theme[ink]) >= 4.5, (ground, ink)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for _, shades in FAMILIES.values():
        for shade in shades:
            assert contrast(on_dark(shade), themes[1]["ground"]) >= 4.5


def test_numbers_are_written_as_everywhere_else(site, browsed):
    generator = np.random.default_rng(1)
    free = generator.normal(size=400) * 10.0 ** generator.integers(-7, 8, 400)
    values = [*free.tolist(), 0.0, 0.0625, 0.1875, 2.125, 2.375, 12.125, 99.995, 0.0005, 0.00049, 1e5, 1 / 3, 2.5, 7.0]
    page = browsed.open(site / "index.html")
    for name, function in {"number": numbers.number, "decimals": numbers.decimals, "rank": numbers.rank}.items():
        found = page.evaluate("([name, values]) => values.map(value => heatmark.format[name](value))", [name, values])
        assert found == [function(value) for value in values], name
    assert (
        page.evaluate("heatmark.format.number(NaN)") == page.evaluate("heatmark.format.rank(null)") == numbers.MISSING
    )


def test_a_formula_in_a_csv_field_stays_a_text(site, browsed):
    page = browsed.open(site / "index.html")
    text = page.evaluate(
        """() => heatmark.csv({ columns: [{ key: "a", value: row => row }, { key: "b", value: () => -1.5 }],
                               rows: ["=1+1", "@x", "+y", "-z", 'a "b", c', "-"] })"""
    )
    assert text == 'a,b\n\'=1+1,-1.5\n\'@x,-1.5\n\'+y,-1.5\n\'-z,-1.5\n"a ""b"", c",-1.5\n-,-1.5\n'


def test_a_site_replaces_an_earlier_one_and_nothing_else(standings, tmp_path):
    folder = tmp_path / "site"
    page = write_site(standings, folder)
    assert page == folder / "index.html" and page.is_file()
    (folder / "CNAME").write_text("lab.example\n")
    manifest = (folder / "site.json").read_text(encoding="utf-8")
    (folder / "old.html").write_text("stale")
    (folder / "gone" / "deep").mkdir(parents=True)
    (folder / "gone" / "deep" / "old.jpg").write_text("stale")
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    (folder / "site.json").write_text(
        manifest.replace(
            '"files": [', '"files": ["old.html", "gone/deep/old.jpg", "../outside.txt", "methods", ".", "CNAME/x", 3,'
        )
    )
    before = {path: path.read_bytes() for path in folder.rglob("*.html") if path.name != "old.html"}
    write_site(standings, folder)
    assert (
        not (folder / "old.html").exists()
        and not (folder / "gone").exists()
        and outside.exists()
        and (folder / "CNAME").exists()
    )
    assert {path: path.read_bytes() for path in folder.rglob("*.html")} == before  # the same run, the same bytes


def test_a_folder_of_something_else_is_left_alone(standings, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="holds files and no site"):
        write_site(standings, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    for damaged in ("[", "[]", '{"files": 3}', '{"files": ["a\\u0000b"]}'):
        (tmp_path / "site.json").write_text(damaged)
        with pytest.raises(BadInput, match="is damaged"):
            write_site(standings, tmp_path)


def test_every_score_can_be_taken_along(site, standings):
    frame = pd.read_parquet(site / "downloads" / "scores.parquet")
    assert len(frame) == sum(table.results.scores.size for table in standings.tables)
    table = standings.tables[-1]
    one = frame[(frame["model"] == table.setting.task.model) & (frame["framework"] == table.setting.framework)]
    wide = one[one["metric"] == "insertion"].pivot(index="method", columns="sample", values="score")
    place = table.results.metrics.index("insertion")
    for number, run in enumerate(table.results.methods):
        expected = table.results.scores[place, number]
        if np.isfinite(expected).any():
            np.testing.assert_array_equal(wide.loc[run.method, list(table.results.samples)], expected)
    assert frame[frame["method"] == "rise"]["score"].isna().sum() == 2 * 5 * 24  # what is not there is null


def test_a_tasks_page_tells_of_its_network_and_its_frameworks(site, standings, browsed):
    (path,) = (site / "tasks").glob("small-net*.html")
    page = browsed.open(path)
    words = page.locator("main").inner_text()
    assert "Do the frameworks agree?" in words and agreement_text(standings.agreements[0]) in words
    assert percent(standings.tables[0].model.accuracy) in words
    assert page.locator("#samples tbody tr").count() == 24 and page.locator("#pictures img").count() == 2
    assert "<i>tench</i>" in words
