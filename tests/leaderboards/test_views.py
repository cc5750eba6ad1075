"""The ways of looking at a heatmap: every view by its definition, and `--methods all`."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from made_methods import constant, entry, inapplicable
from PIL import Image
from typer.testing import CliRunner

from heatmark.benchmark.work.explaining import chosen_methods
from heatmark.errors import BadInput
from heatmark.leaderboards.galleries import gallery as gallery_module
from heatmark.leaderboards.galleries.colours import BAD_COLOUR, coloured, overlaid
from heatmark.leaderboards.galleries.drawing import draw_gallery, draw_map
from heatmark.leaderboards.galleries.layout import PANEL_SIZE
from heatmark.leaderboards.galleries.of_photographs import explain_gallery
from heatmark.leaderboards.galleries.views import VIEWS, brightness, caption, kept, opacity, ordinal, seen, views_of
from heatmark.leaderboards.writing import names
from heatmark.methods import registry as methods_registry
from heatmark.methods.libraries import Library
from heatmark.methods.registry import MethodEntry
from heatmark.registry import Registry

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
HEATMAP = np.random.default_rng(1).normal(size=(9, 7))


def test_points_are_the_pixels_weighted_by_the_positive_part_over_its_maximum():
    shown = seen(PICTURE, HEATMAP, True, "points")
    expected = PICTURE * (np.clip(HEATMAP, 0, None) / HEATMAP.max())[..., None]
    np.testing.assert_array_equal(shown, np.round(expected).astype(np.uint8))


def test_points_with_a_cap_reach_full_brightness_at_the_percentile():
    values = np.arange(101.0)
    assert opacity(values, 90)[45] == pytest.approx(0.5)
    assert (opacity(values, 90)[90:] == 1).all()
    np.testing.assert_allclose(opacity(values), values / 100)


def test_a_mask_of_one_point_is_the_disc_where_its_blur_is_above_a_fifth():
    """A Gaussian of width 2 falls to a fifth of its top where the squared distance is 2 * 2 ** 2 * ln 5."""
    heatmap = np.zeros((31, 31))
    heatmap[15, 15] = 7.0
    rows, columns = np.indices(heatmap.shape)
    disc = (rows - 15) ** 2 + (columns - 15) ** 2 < 8 * np.log(5)
    np.testing.assert_array_equal(kept(heatmap), disc)
    assert 30 < disc.sum() < 50


def test_a_mask_keeps_the_picture_and_dims_the_rest_to_a_tenth():
    heatmap = np.zeros((9, 7))
    heatmap[:, :2] = 1.0
    heatmap[:, 6] = -9.0
    where = kept(heatmap)
    shown = seen(PICTURE, heatmap, True, "mask")
    np.testing.assert_array_equal(shown[where], PICTURE[where])
    np.testing.assert_array_equal(shown[~where], np.round(0.1 * PICTURE[~where].astype(float)).astype(np.uint8))
    assert where[:, 0].all() and not where[:, 6].any()


def test_maps_show_their_whole_range_and_capped_maps_end_at_the_percentile():
    heatmap = np.linspace(-1.0, 1.0, 1000).reshape(40, 25)
    heatmap[0, 0] = -50.0
    whole, capped = (seen(PICTURE, heatmap, True, view) for view in ("map", "capped"))
    np.testing.assert_array_equal(whole, coloured(heatmap, True, 100))
    np.testing.assert_array_equal(capped, coloured(heatmap, True, 99))
    # Next to the one extreme value everything is nearly zero; the cap brings it out.
    assert np.ptp(whole[1:].astype(int), axis=(0, 1)).max() < 10 < np.ptp(capped[1:].astype(int), axis=(0, 1)).max()
    np.testing.assert_array_equal(seen(PICTURE, heatmap, True, "capped", 80), coloured(heatmap, True, 80))
    np.testing.assert_array_equal(seen(PICTURE, HEATMAP, False, "overlay", 75), overlaid(PICTURE, HEATMAP, False, 75))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("signed", [True, False])
def test_no_view_changes_its_inputs_and_all_mark_what_is_not_finite(view, signed):
    picture, heatmap = PICTURE.copy(), HEATMAP.copy()
    heatmap[0, 0], heatmap[8, 6] = np.nan, np.inf
    before = heatmap.copy()
    shown = seen(picture, heatmap, signed, view)
    np.testing.assert_array_equal(picture, PICTURE)
    np.testing.assert_array_equal(heatmap, before)
    assert shown.dtype == np.uint8 and shown.shape == (9, 7, 3)
    if view == "overlay":  # laid over the photograph with some of it shining through
        assert shown[0, 0, 1] < min(shown[0, 0, 0], shown[0, 0, 2])
    else:
        assert (shown[[0, 8], [0, 6]] == BAD_COLOUR).all()
        assert (shown[1:8] != BAD_COLOUR).any(axis=-1).all()


@pytest.mark.parametrize("heatmap", [np.zeros((9, 7)), np.full((9, 7), -1.0), np.full((9, 7), np.nan)])
def test_a_map_without_positive_values_has_no_points_and_an_empty_mask(heatmap):
    assert not opacity(heatmap).any() and not kept(heatmap).any()
    assert (brightness(heatmap, "mask") == 0.1).all()


def test_a_map_of_another_size_is_brought_to_the_picture():
    """A mask is blurred by the picture's pixels, whatever the size of the map."""
    picture = np.full((32, 32, 3), 255, np.uint8)
    coarse = np.zeros((4, 4))
    coarse[1, 2] = 1e-30
    for view in ("points", "mask"):
        shown = seen(picture, coarse, True, view)[..., 0]
        assert shown.shape == (32, 32)
        # The one coarse position, rows 8 to 15 and columns 16 to 23, and smoothly nothing a position away.
        assert (shown[11:13, 19:21] > 200).all() and (shown[24:] <= 26).all() and (shown[:, :8] <= 26).all()


def test_grey_and_odd_pictures_have_every_view():
    for picture in (PICTURE[..., 0], PICTURE[..., :1], np.random.default_rng(2).random((9, 7, 2))):
        for view in VIEWS:
            assert seen(picture, HEATMAP, True, view).shape == (9, 7, 3)


def test_views_are_named_alone_together_or_for_short():
    assert views_of("mask") == ("mask",)
    assert views_of("points, overlay,points") == ("points", "overlay")
    assert views_of("both") == ("overlay", "map")
    assert views_of(["all"]) == VIEWS
    with pytest.raises(BadInput, match="Did you mean 'mask'"):
        views_of("overlay,maks")
    with pytest.raises(BadInput, match="No view"):
        views_of(",")


def test_the_caption_says_what_is_shown():
    assert "blurred by 2 pixels" in caption(["mask"]) and "Signed" not in caption(["mask"])
    assert "99th percentile" in caption(["capped"]) and "92nd percentile" in caption(["overlay"], 92)
    assert "Unsigned" not in caption(["map"], signs=[True])
    assert [ordinal(n) for n in (91, 92, 93, 99, 99.5, 100, 111)] == [
        "91st", "92nd", "93rd", "99th", "99.5th", "100th", "111th",
    ]  # fmt: skip


@pytest.mark.parametrize("cap", [50, 101, float("nan")])
def test_a_cap_out_of_range_is_refused(cap):
    with pytest.raises(BadInput, match="percentile"):
        draw_gallery([PICTURE], {"m": [HEATMAP]}, {"m": True}, ["t"], cap=cap)


def images(figure: Any) -> list[np.ndarray]:
    return [np.asarray(panel.get_images()[0].get_array()) for panel in figure.axes if panel.get_images()]


def test_several_views_of_several_methods_are_a_table_with_views_as_lines():
    maps = {"a": [HEATMAP] * 2, "b": [-HEATMAP] * 2}
    figure = draw_gallery([PICTURE] * 2, maps, dict.fromkeys(maps, True), ["one", "two"], view="overlay,mask")
    panels = [panel for panel in figure.axes if panel.get_images()]
    assert [panel.get_title() for panel in panels] == ["one", "a", "b", "", "", "two", "a", "b", "", ""]
    assert [text.get_text() for panel in panels for text in panel.texts] == ["overlay", "mask"] * 2
    for place, (view, heatmap) in enumerate(product(("overlay", "mask"), (HEATMAP, -HEATMAP))):
        panel = panels[1 + place]
        np.testing.assert_array_equal(np.asarray(panel.get_images()[0].get_array()), seen(PICTURE, heatmap, True, view))
    # Views are lines, methods are columns.
    assert np.allclose([panels[n].get_position().x0 for n in (1, 3)], panels[1].get_position().x0)
    assert panels[0].get_position().y0 == panels[1].get_position().y0 > panels[3].get_position().y0


def test_one_method_in_every_view_stands_beside_its_photograph():
    figure = draw_gallery([PICTURE], {"m": [HEATMAP]}, {"m": True}, ["t"], view="all")
    assert [panel.get_title() for panel in figure.axes if panel.get_images()] == ["t", *(f"m\n{v}" for v in VIEWS)]
    for drawn, view in zip(images(figure)[1:], VIEWS, strict=True):
        np.testing.assert_array_equal(drawn, seen(PICTURE, HEATMAP, True, view))


@pytest.mark.parametrize(("methods", "pictures"), [(1, 1), (3, 1), (13, 2), (60, 1), (1, 11), (2, 5), (0, 7)])
def test_panels_and_words_have_one_size_and_no_gallery_is_wider_than_a_page(methods, pictures):
    maps = {f"m{n}": [HEATMAP] * pictures for n in range(methods)}
    figure = draw_gallery([PICTURE] * pictures, maps, dict.fromkeys(maps, True), ["t"] * pictures, colour_bar=True)
    panels = [panel for panel in figure.axes if panel.get_images()]
    assert len(panels) == pictures * (1 + methods) and figure.get_figwidth() <= 7.0  # inches of a page's text
    inches = np.array([panel.get_position().bounds * np.tile(figure.get_size_inches(), 2) for panel in panels])
    shape = PICTURE.shape[0] / PICTURE.shape[1]
    np.testing.assert_allclose(inches[:, 2:], np.tile([PANEL_SIZE, PANEL_SIZE * shape], (len(panels), 1)))
    assert {panel.title.get_fontsize() for panel in panels if panel.get_title()} == {7}
    # Nothing lies over anything else, and nothing beyond the edge.
    boxes = [panel.get_window_extent() for panel in figure.axes]
    assert not any(first.overlaps(second) for n, first in enumerate(boxes) for second in boxes[:n])
    assert min(box.y0 for box in boxes) > 0 and max(box.y1 for box in boxes) < figure.bbox.y1


def test_many_classes_stand_beside_one_another():
    """Eleven classes of one method are four lines of three, not eleven lines."""
    maps = {"m": [HEATMAP] * 11}
    figure = draw_gallery([PICTURE] * 11, maps, {"m": True}, [f"class {n}" for n in range(11)])
    panels = [panel for panel in figure.axes if panel.get_images()]
    assert len({round(panel.get_position().y0, 6) for panel in panels}) == 4
    assert [panel.get_title() for panel in panels if panel.get_title()][:6] == [
        "class 0", "m", "class 1", "m", "class 2", "m",
    ]  # fmt: skip


def test_the_caption_and_the_scales_of_colours_are_as_asked():
    maps, signed = {"a": [HEATMAP], "b": [HEATMAP]}, {"a": True, "b": False}
    drawn = draw_gallery([PICTURE], maps, signed, ["t"], note="A note.", colour_bar=True)
    assert drawn.texts[0].get_text().startswith("A note. Signed maps")
    ticks = [[tick.get_text() for tick in bar.get_xticklabels()] for bar in drawn.axes[3:]]
    assert ticks == [["against", "0", "for the class"], ["little", "much"]]
    bare = draw_gallery([PICTURE], maps, signed, ["t"], note="A note.", captioned=False)
    assert bare.texts == [] and len(bare.axes) == 3 and bare.get_figheight() < drawn.get_figheight()
    points = draw_gallery([PICTURE], maps, signed, ["t"], view="points", colour_bar=True)
    assert len(points.axes) == 3  # no colours, no scale of them


def test_panels_have_the_shape_of_what_they_show():
    for picture, shape in ((np.zeros((20, 40, 3)), 0.5), (np.zeros((30, 20)), 1.5), (np.sin(np.arange(40.0)), 0.5)):
        figure = draw_gallery([picture], {}, {}, ["t"])
        (panel,) = figure.axes
        wide, high = panel.get_position().bounds[2:] * figure.get_size_inches()
        assert high / wide == pytest.approx(shape)


def test_a_series_in_points_and_mask_is_a_line_as_strong_as_its_attribution():
    from matplotlib.figure import Figure

    series, heatmap = np.sin(np.arange(40.0)).reshape(40, 1), np.zeros(40)
    heatmap[10], heatmap[30] = 4.0, 2.0
    for view in ("points", "mask"):
        panel = Figure().subplots()
        draw_map(panel, series, heatmap, True, view)
        strength = np.asarray(panel.collections[0].get_colors())[:, 3]
        at = brightness(heatmap, view)
        np.testing.assert_allclose(strength, np.maximum(at[1:], at[:-1]))
    assert strength[10] == 1 and strength[20] == pytest.approx(0.1)


# All methods


def broken(request: Any) -> Any:
    raise ZeroDivisionError("on purpose")


@pytest.fixture
def few_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these methods exist: two that work, and one each that does not apply, fails, and names a family."""
    few: Registry[MethodEntry] = Registry("method", "heatmark.methods", {})
    for one in (
        entry("constant", constant),
        entry("input", lambda request: request.x * 1.0),
        entry("moon", inapplicable),
        entry("broken", broken),
        entry("peers:", constant),
        entry("another:constant", constant, requires=Library("another", "torch", ("another",))),
    ):
        few.add(one)
    monkeypatch.setattr(methods_registry, "METHODS", few)
    monkeypatch.setattr(names, "METHODS", few)


@pytest.fixture
def tiny_models(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(
        "heatmark.benchmark.work.named_models.load_model", lambda name, framework, **place: model("plain", framework)
    )


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return path


def test_all_names_every_registered_method_and_says_what_is_left_out(few_methods):
    wanted = chosen_methods("all")
    assert wanted.every and [method.id for method in wanted.methods] == ["broken", "constant", "input", "moon"]
    (family,) = wanted.left_out
    assert family.method == "peers:" and "peers:NAME" in family.reason
    assert not chosen_methods("constant").every


def test_all_leaves_out_what_does_not_apply_or_fails_and_draws_the_rest(few_methods, tiny_models, photograph, tmp_path):
    drawn = explain_gallery(photograph, "small-cnn", "all", tmp_path / "all.png")
    assert Image.open(drawn.paths[0]).format == "PNG"
    found = {item.method: (item.reason, item.failed) for item in drawn.left_out}
    assert found["moon"] == ("not applicable: it needs the moon", False)
    assert found["broken"] == ("failed: ZeroDivisionError: on purpose", True)
    assert set(found) == {"moon", "broken", "peers:"}


def test_a_method_named_by_itself_is_not_silently_left_out(few_methods, tiny_models, photograph, tmp_path):
    drawn = explain_gallery(photograph, "small-cnn", "moon", tmp_path / "moon.png")
    assert {(item.method, item.reason) for item in drawn.left_out} == {("moon", "not applicable: it needs the moon")}
    assert drawn.empty
    both = explain_gallery(photograph, "small-cnn", "moon,input", tmp_path / "both.png")
    assert not both.empty and [item.method for item in both.left_out] == ["moon"]
    with pytest.raises(ZeroDivisionError):
        explain_gallery(photograph, "small-cnn", "broken", tmp_path / "broken.png")
    assert not (tmp_path / "broken.png").exists()


def test_what_has_no_map_is_no_hole_but_a_word_in_the_caption(
    few_methods, tiny_models, photograph, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        gallery_module,
        "draw_gallery",
        lambda *parts, **more: drawn.append((parts, more)) or draw_gallery(*parts, **more),
    )
    explain_gallery(photograph, "small-cnn", "moon,input", tmp_path / "both.svg")
    explain_gallery(photograph, "small-cnn", "moon", tmp_path / "empty.svg")
    ((_, maps, *_), more), ((_, none, *_), other) = drawn
    assert len(maps) == 1 and more["note"] == "Left out Moon (PyTorch): not applicable: it needs the moon."
    assert list(none) == ["Moon"] and other["note"] == ""


def test_files_of_one_name_are_told_apart_by_their_folders(tiny_models, tmp_path, monkeypatch):
    files = [tmp_path / folder / f"{name}.png" for folder, name in (("cats", "1"), ("dogs", "1"), ("dogs", "2"))]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(file)
    titles: list[str] = []
    monkeypatch.setattr(
        gallery_module, "draw_gallery", lambda *parts, **more: titles.extend(parts[3]) or draw_gallery(*parts, **more)
    )
    drawn = explain_gallery(files, "small-cnn", "gradient", tmp_path / "pictures")
    assert [title.rpartition("\n")[0] for title in titles] == ["cats/\n1", "dogs/\n1", "2"]
    assert [path.name for path in drawn.paths] == ["pictures.png", "pictures.svg"]
    assert all(path.stat().st_size > 1000 for path in drawn.paths)


def test_the_command_prints_the_reasons_and_exits_with_failure(few_methods, tiny_models, photograph, tmp_path):
    pytest.importorskip("torch")
    from heatmark.cli.main import app

    out = str(tmp_path / "all.png")
    words = ["explain", str(photograph), "--methods", "all", "--frameworks", "torch", "--view", "points,mask"]
    result = CliRunner().invoke(app, [*words, "--out", out])
    assert result.exit_code == 1 and out in result.stdout
    assert "left out moon (PyTorch): not applicable: it needs the moon" in result.stderr
    assert "left out broken (PyTorch): failed: ZeroDivisionError: on purpose" in result.stderr
    assert "heatmaps" in result.stderr  # progress


def test_progress_says_which_method_is_at_work(few_methods, tiny_models, photograph, tmp_path, monkeypatch, capsys):
    from heatmark.datasets import progress

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    explain_gallery(photograph, "small-cnn", "input,constant", tmp_path / "g.png", progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("Explaining with small-cnn: 0/2 heatmaps") and lines[1].endswith("working on input")
    halfway = [line for line in lines if line.startswith("Explaining with small-cnn: 1/2")]
    assert any(line.endswith("working on constant") for line in halfway)
    assert lines[-1].startswith("Explaining with small-cnn: 2/2") and "working" not in lines[-1]
    explain_gallery(photograph, "small-cnn", "input", tmp_path / "g.png")
    assert capsys.readouterr().err == ""


def test_another_class_is_explained_beside_the_predicted_one(tiny_models, photograph, tmp_path, monkeypatch, model):
    titles: list[str] = []
    monkeypatch.setattr(
        gallery_module, "draw_gallery", lambda *parts, **more: titles.extend(parts[3]) or draw_gallery(*parts, **more)
    )
    for target in range(4):
        explain_gallery(photograph, "small-cnn", "gradient", tmp_path / "g.png", target=target)
    said = [title.split("\n")[1:] for title in titles]
    (top,) = [number for number, lines in enumerate(said) if len(lines) == 1]
    other = (top + 1) % 4
    assert said[other][0].startswith(f"explained: class {other}, ")
    assert said[other][1] == f"predicted: {said[top][0]}"
