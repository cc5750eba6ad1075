"""Drawing heatmaps: colours that mean what the captions say, and galleries of every kind of input."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.leaderboards.galleries import gallery as explained
from heatmark.leaderboards.galleries.colours import (
    BAD_COLOUR,
    SIGNED_COLOURS,
    UNSIGNED_COLOURS,
    coloured,
    grey_picture,
    overlaid,
    unit_scale,
)
from heatmark.leaderboards.galleries.drawing import draw_gallery
from heatmark.leaderboards.galleries.of_photographs import explain_gallery

RAMP = np.linspace(-1.0, 1.0, 101).reshape(1, 101)


def colour_at(name, position):
    return list(mpl.colormaps[name](position, bytes=True)[:3])


def test_a_zero_map_has_the_centre_colour_on_the_signed_scale():
    colours = coloured(np.zeros((3, 4)), signed=True)
    assert colours.shape == (3, 4, 3)
    assert (colours == colour_at(SIGNED_COLOURS, 0.5)).all()


def test_the_signed_scale_is_centred_at_zero_whatever_the_values():
    """Three quarters positive: zero still is in the middle, and both signs reach as far as each other."""
    values = np.array([-0.5, 0.0, 0.5, 1.0, 2.0])
    scaled = unit_scale(values, signed=True)
    assert scaled[1] == 0
    assert scaled[0] == -scaled[2]
    red, _, blue = coloured(values, signed=True)[4].tolist()
    assert red > blue
    red, _, blue = coloured(-values, signed=True)[4].tolist()
    assert blue > red


def test_an_outlier_does_not_hide_the_rest():
    values = np.ones(1000)
    values[0] = 1e6
    scaled = unit_scale(values, signed=True)
    assert scaled[0] == 1
    assert scaled[1] == 1
    assert unit_scale(np.r_[np.zeros(999), 5.0], signed=True)[-1] == 1


def test_the_unsigned_scale_goes_from_low_to_high():
    scaled = unit_scale(np.linspace(3.0, 4.0, 1001), signed=False)
    assert (scaled[0], scaled[-1]) == (0, 1)
    assert scaled[500] == pytest.approx(0.5)
    constant = coloured(np.full((2, 2), 7.0), signed=False)
    assert (constant == colour_at(UNSIGNED_COLOURS, 0.0)).all()


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_not_finite_stands_out(signed):
    colours = coloured(np.array([[np.nan, 0.0], [np.inf, 1.0]]), signed)
    assert (colours[:, 0] == BAD_COLOUR).all()
    assert (colours[:, 1] != BAD_COLOUR).any(axis=-1).all()
    assert (coloured(np.full((2, 2), np.nan), signed) == BAD_COLOUR).all()


def test_scaling_a_map_changes_no_colour():
    np.testing.assert_array_equal(coloured(RAMP, True), coloured(RAMP * 1e-7, True))


def test_an_overlay_without_attribution_shows_the_grey_photograph():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 2:] = (255, 255, 255)
    shown = overlaid(picture, np.zeros((2, 2)), signed=True)
    assert shown.shape == (4, 4, 3)
    assert (shown[:, 2:] == 255).all()
    assert (shown[:, :2] == round(0.25 * 255)).all()


def test_an_overlay_is_strongest_where_the_attribution_is():
    heatmap = np.zeros((8, 8))
    heatmap[2:6, 2:6] = 1.0
    shown = overlaid(np.full((8, 8, 3), 128, np.uint8), heatmap, signed=True).astype(int)
    red_over_blue = shown[..., 0] - shown[..., 2]
    assert red_over_blue[4, 4] > 80
    assert red_over_blue[0, 0] == 0


def test_grey_pictures_of_every_kind():
    for picture in (np.full((2, 3, 3), 255, np.uint8), np.ones((2, 3, 1), np.float32), np.ones((2, 3))):
        assert grey_picture(picture).shape == (2, 3)
        np.testing.assert_allclose(grey_picture(picture), 1.0)


def pixels(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return np.asarray(Image.open(buffer).convert("RGB"))


def drawn_image(panel):
    (image,) = panel.get_images()
    return np.asarray(image.get_array())


def test_a_gallery_has_the_photograph_and_one_panel_per_method():
    pictures = [np.full((6, 6, 3), level, np.uint8) for level in (0, 255)]
    maps = {"signed": [np.zeros((3, 3))] * 2, "unsigned": [np.eye(3)] * 2}
    figure = draw_gallery(pictures, maps, {"signed": True, "unsigned": False}, ["dark", "light"], view="map")
    panels = np.array(figure.axes).reshape(2, 3)
    np.testing.assert_array_equal(drawn_image(panels[1, 0]), pictures[1])
    assert (drawn_image(panels[0, 1]) == colour_at(SIGNED_COLOURS, 0.5)).all()
    np.testing.assert_array_equal(drawn_image(panels[1, 2]), coloured(np.eye(3), signed=False))
    assert [panel.get_title() for panel in panels[0]] == ["dark", "signed", "unsigned"]
    assert pixels(figure).std() > 0


def test_views():
    picture = np.full((6, 6, 3), 128, np.uint8)
    maps, signed = {"m": [np.eye(6)]}, {"m": True}
    overlay = draw_gallery([picture], maps, signed, ["t"], view="overlay")
    np.testing.assert_array_equal(drawn_image(overlay.axes[1]), overlaid(picture, np.eye(6), True))
    both = draw_gallery([picture], maps, signed, ["t"], view="both")
    assert len(both.axes) == 3
    with pytest.raises(BadInput, match="view is one of"):
        draw_gallery([picture], maps, signed, ["t"], view="overlap")


def test_many_methods_go_on_in_the_next_line():
    maps = {f"m{number}": [np.eye(4)] for number in range(9)}
    figure = draw_gallery([np.zeros((4, 4, 3))], maps, dict.fromkeys(maps, True), ["t"], across=4)
    shown = [panel.get_title() for panel in figure.axes if panel.get_images()]
    assert shown == ["t", *maps]


def test_a_series_is_a_line_on_a_coloured_ground():
    series, heatmap = np.sin(np.arange(40.0)).reshape(40, 1), np.linspace(-1, 1, 40)
    figure = draw_gallery([series], {"m": [heatmap]}, {"m": True}, ["t"])
    first, second = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), series[:, 0])
    np.testing.assert_array_equal(drawn_image(second), coloured(heatmap[None], signed=True))
    left, right, low, high = second.get_images()[0].get_extent()
    assert (left, right) == (-0.5, 39.5)
    assert low < series.min() < series.max() < high
    assert len(second.lines) == 1
    assert pixels(figure).std() > 0


def test_a_reason_stands_where_there_is_no_map():
    reason = "not applicable: no $layers$ with positions"
    figure = draw_gallery([np.zeros((4, 4, 3))], {"m": [reason]}, {"m": True}, ["t"])
    assert figure.axes[1].texts[0].get_text().replace("\n", " ") == reason
    assert pixels(figure).std() > 0


def test_counts_that_differ_are_refused():
    with pytest.raises(BadInput, match="1 pictures, 2 titles"):
        draw_gallery([np.zeros((4, 4, 3))], {}, {}, ["a", "b"])
    with pytest.raises(BadInput, match="'m': 2"):
        draw_gallery([np.zeros((4, 4, 3))], {"m": [np.eye(4)] * 2}, {"m": True}, ["a"])


def test_inputs_stay_as_they_are():
    picture, heatmap = np.full((4, 4, 3), 0.5, np.float32), np.array([[np.nan, 1.0], [2.0, -3.0]], np.float32)
    before = picture.copy(), heatmap.copy()
    draw_gallery([picture], {"m": [heatmap]}, {"m": False}, ["t"])
    overlaid(picture, heatmap, signed=True)
    np.testing.assert_array_equal(picture, before[0])
    np.testing.assert_array_equal(heatmap, before[1])


def test_drawing_leaves_no_figure_behind():
    """Nothing goes through pyplot, which would keep every figure alive and choose a backend."""
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from heatmark.leaderboards.galleries.drawing import draw_gallery;"
        "draw_gallery([np.zeros((4, 4, 3))], {'m': [np.eye(4)]}, {'m': True}, ['t'])"
        ".savefig('/dev/null', format='png');"
        "print([m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules],"
        " sys.modules['matplotlib.pyplot'].get_fignums() if 'matplotlib.pyplot' in sys.modules else [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


@pytest.fixture
def tiny_models(monkeypatch, model):
    """Every model name is the same tiny network, in both frameworks."""
    monkeypatch.setattr(
        "heatmark.benchmark.work.named_models.load_model", lambda name, framework, **place: model("plain", framework)
    )


@pytest.fixture
def photographs(tmp_path):
    made = []
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        made.append(tmp_path / f"photo_{number}.png")
        Image.fromarray(pixels).save(made[-1])
    return made


def test_explaining_files_draws_frameworks_beside_one_another(tmp_path, tiny_models, photographs, monkeypatch, model):
    drawn = {}

    def kept(pictures, maps, signed, titles, **more):
        drawn.update(pictures=pictures, maps=maps, signed=signed, titles=titles)
        return draw_gallery(pictures, maps, signed, titles, **more)

    monkeypatch.setattr(explained, "draw_gallery", kept)
    out = explain_gallery(
        photographs, "tiny", "saliency,gradient", tmp_path / "gallery.png", frameworks=("torch", "tensorflow")
    )
    assert Image.open(out.paths[0]).format == "PNG"
    assert list(drawn["maps"]) == [
        f"{method}\n{name}" for method in ("Saliency", "Gradient") for name in ("PyTorch", "TensorFlow")
    ]
    assert [drawn["signed"][column] for column in drawn["maps"]] == [False, False, True, True]
    assert [picture.shape for picture in drawn["pictures"]] == [(12, 12, 3)] * 2
    for method in ("Saliency", "Gradient"):
        first, second = (np.stack(drawn["maps"][f"{method}\n{name}"]) for name in ("PyTorch", "TensorFlow"))
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    x = np.moveaxis(np.stack(drawn["pictures"]), -1, 1)
    logits = model("plain", "torch").outputs(x)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for number, title in enumerate(drawn["titles"]):
        assert title == f"photo_{number}\nclass {logits[number].argmax()}, {100 * shares[number].max():.1f} %"


def test_a_chosen_target_is_the_one_explained(tmp_path, tiny_models, photographs, monkeypatch):
    titles = []
    monkeypatch.setattr(
        explained, "draw_gallery", lambda *parts, **more: titles.extend(parts[3]) or draw_gallery(*parts, **more)
    )
    explain_gallery(photographs[0], "small-cnn", "saliency", tmp_path / "gallery.svg", target=2)
    assert "class 2," in titles[0]
    with pytest.raises(BadInput, match="class 9 is out of range"):
        explain_gallery(photographs[0], "small-cnn", "saliency", tmp_path / "gallery.svg", target=9)


def test_explaining_refuses_what_it_cannot_use_before_loading_a_model(tmp_path, photographs):
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    for images, methods, out, error, words in (
        (text, "saliency", "gallery.png", BadInput, "notes.jpg"),
        (tmp_path / "absent.png", "saliency", "gallery.png", StorageError, "absent.png"),
        (photographs, "salience", "gallery.png", UnknownName, "saliency"),
        (photographs, "saliency", "gallery.bmp2", BadInput, "format is one of"),
        ([], "saliency", "gallery.png", BadInput, "No image"),
    ):
        with pytest.raises(error, match=words):
            explain_gallery(images, "no such model", methods, tmp_path / out, frameworks="torch")
    assert not list(tmp_path.glob("gallery*"))
