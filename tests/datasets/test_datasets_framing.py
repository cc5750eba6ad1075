"""Framing: one sample becomes a model's input, with the same bits in every layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmark.datasets.base import ArrayFormat, Sample, Sizing
from heatmark.datasets.framing import framed, geometry, resized, target_of
from heatmark.errors import BadInput

RANDOM = np.random.default_rng(0)


PLAIN = Sizing()


def frame(array, shape, axis=-1, sizing=PLAIN, framing="whole", mask=None):
    return framed(Sample("s", array, 0, mask), target_of(ArrayFormat(shape, axis, sizing)), framing)


def picture(height, width, channels=3):
    return RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8)


@given(
    st.integers(3, 400), st.integers(3, 400), st.integers(3, 64), st.integers(3, 64), st.sampled_from([0.5, 0.875, 1.0])
)
def test_the_scaled_picture_just_covers_the_wanted_size_and_the_crop_is_central(height, width, high, wide, crop):
    (new_height, new_width), (top, left) = geometry((height, width), (high, wide), crop)
    wanted = (round(high / crop), round(wide / crop))
    assert new_height >= wanted[0] and new_width >= wanted[1]
    assert new_height == wanted[0] or new_width == wanted[1]
    # The two axes are scaled alike, to within the rounding of one pixel.
    assert abs(new_height / height * width - new_width) <= max(1, width / height)
    assert abs((new_height - high) - 2 * top) <= 1 and abs((new_width - wide) - 2 * left) <= 1


@pytest.mark.parametrize(
    ("size", "goal", "expected"),
    [
        # Worked out by hand from torchvision's rules: Resize(256) keeps the ratio and cuts off the fraction of the
        # longer side; CenterCrop(224) rounds the corner to the nearest even number at one half.
        ((400, 600), (224, 224), ((256, 384), (16, 80))),
        ((601, 400), (224, 224), ((384, 256), (80, 16))),
        ((375, 500), (224, 224), ((256, 341), (16, 58))),
        ((500, 333), (240, 240), ((411, 274), (86, 17))),
    ],
)
def test_geometry_of_the_usual_centre_crop(size, goal, expected):
    assert geometry(size, goal, 0.875) == expected


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("height", "width", "scaled", "corner", "tolerance"),
    [
        # Halved: the taps lie symmetrically about every new pixel, so a linear ramp stays exactly linear.
        (128, 256, (64, 128), (4, 36), 1e-6),
        # Any other ratio: the taps lie unevenly about a new pixel, which shifts it by under a tenth of an old one
        # (a crop that is wrong by one new pixel would be off by 0.009).
        (120, 200, (64, 106), (4, 25), 0.1 / 200),
    ],
)
def test_the_centre_crop_of_a_ramp_is_the_ramp_at_the_right_place(
    interpolation, height, width, scaled, corner, tolerance
):
    x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    y = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    ramp = np.stack([x, y, np.full((height, width), 0.25)], axis=-1).astype(np.float32)
    array, _ = frame(ramp, (56, 56, 3), sizing=Sizing(0.875, interpolation))
    expected_x = (np.arange(56) + corner[1] + 0.5) / scaled[1]
    expected_y = (np.arange(56) + corner[0] + 0.5) / scaled[0]
    assert np.abs(array[..., 0] - expected_x).max() < tolerance
    assert np.abs(array[..., 1] - expected_y[:, None]).max() < tolerance * width / height
    assert np.abs(array[..., 2] - 0.25).max() < 1e-6


def test_shrinking_averages_so_that_fine_stripes_become_grey():
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    array, _ = frame(stripes, (8, 8, 1), sizing=Sizing(None, "bilinear"))
    assert np.abs(array[:, 1:-1] - 0.5).max() < 0.02  # without antialiasing these would be 0 or 1


def test_cropped_pictures_are_resized_whole_and_photographs_are_not():
    photo = picture(64, 64)
    whole, _ = frame(photo, (32, 32, 3), sizing=Sizing(0.5), framing="whole")
    cropped, _ = frame(photo, (32, 32, 3), sizing=Sizing(0.5), framing="cropped")
    # Half of the side at half the size: the centre, pixel by pixel.
    assert np.array_equal(whole, photo[16:48, 16:48].astype(np.float32) / np.float32(255))
    again = resized(photo.astype(np.float32) / np.float32(255), (32, 32), None, "bicubic")
    assert np.array_equal(cropped, np.clip(again, 0, 1))


def test_whole_resizing_stretches_other_aspect_ratios():
    halves = np.zeros((20, 60, 1), np.uint8)
    halves[:, 30:] = 255
    array, _ = frame(halves, (20, 20, 1))
    assert np.abs(array[:, :8]).max() < 0.01 and np.abs(array[:, 12:] - 1).max() < 0.01


def test_a_picture_of_the_right_size_keeps_its_values():
    photo = picture(9, 7)
    assert np.array_equal(frame(photo, (9, 7, 3))[0], photo / np.float32(255))


def test_overshoot_is_clipped():
    edge = np.zeros((16, 16, 1), np.uint8)
    edge[:, 8:] = 255
    raw = resized(edge / np.float32(255), (40, 40), None, "bicubic")
    array, _ = frame(edge, (40, 40, 1))
    assert raw.max() > 1.01 and raw.min() < -0.01
    assert array.min() == 0 and array.max() == 1


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]), st.sampled_from([None, 0.875]))
def test_both_layouts_hold_the_same_bits(height, width, channels, crop):
    photo = np.random.default_rng(height * 31 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    first, _ = frame(photo, (3, 11, 13), 1, Sizing(crop))
    last, _ = frame(photo, (11, 13, 3), -1, Sizing(crop))
    assert first.shape == (3, 11, 13) and first.dtype == last.dtype == np.float32
    assert np.ascontiguousarray(np.moveaxis(first, 0, -1)).tobytes() == last.tobytes()


def test_grey_is_repeated_and_colour_becomes_luminance():
    grey = picture(5, 5, 1)
    array, _ = frame(grey, (5, 5, 3))
    assert all(np.array_equal(array[..., c], grey[..., 0] / np.float32(255)) for c in range(3))
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert np.allclose(frame(primaries, (1, 4, 1))[0].ravel(), [0.299, 0.587, 0.114, 1.0], atol=1e-6)


def test_masks_are_cropped_like_their_pictures():
    photo = np.zeros((60, 100, 1), np.uint8)
    photo[20:40, 30:70] = 255
    array, mask = frame(photo, (28, 28, 1), sizing=Sizing(0.875, "bilinear"), mask=photo[..., 0] > 0)
    assert mask.dtype == bool and mask.shape == (28, 28) and 0 < mask.sum() < 28 * 28
    assert (array[..., 0][mask] >= 0.5).all() and (array[..., 0][~mask] <= 0.5).all()


def test_series_must_fit_exactly():
    series = RANDOM.random((40, 1), dtype=np.float32)
    first, _ = frame(series, (1, 40), 1)
    last, _ = frame(series, (40, 1), -1)
    assert np.array_equal(last, series) and np.array_equal(first, series.T)
    for shape, axis in [((1, 41), 1), ((39, 1), -1), ((2, 40), 1), ((40, 40, 1), -1)]:
        with pytest.raises(BadInput, match=r"\(40, 1\).*takes (41|39|40)"):
            frame(series, shape, axis)


def test_flat_vectors():
    features = RANDOM.random(6, dtype=np.float32)
    assert np.array_equal(frame(features, (6,), None)[0], features)
    digits = picture(2, 3, 1)
    assert np.array_equal(frame(digits, (6,), None)[0], digits.ravel() / np.float32(255))
    with pytest.raises(BadInput, match="7 features"):
        frame(features, (7,), None)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1, 255.0])
def test_values_outside_the_raw_domain_are_refused_with_the_samples_id(value):
    series = np.full((4, 1), 0.5, np.float32)
    series[2] = value
    with pytest.raises(BadInput, match="Sample 's'"):
        frame(series, (4, 1))


def test_wrong_channels_types_and_masks_are_refused():
    with pytest.raises(BadInput, match=r"\(5, 5, 2\).*3 channel"):
        frame(picture(5, 5, 2), (5, 5, 3))
    with pytest.raises(BadInput, match="int32"):
        frame(np.zeros((5, 5, 3), np.int32), (5, 5, 3))
    with pytest.raises(BadInput, match="mask has shape"):
        frame(picture(5, 5), (5, 5, 3), mask=np.zeros((4, 5), bool))
    with pytest.raises(BadInput, match="empty"):
        frame(np.zeros((0, 5, 3), np.uint8), (5, 5, 3))


def test_framing_leaves_the_sample_alone():
    series = RANDOM.random((8, 2), dtype=np.float32)
    before = series.copy()
    array, _ = frame(series, (8, 2))
    array[:] = 0
    assert np.array_equal(series, before)


@pytest.mark.parametrize(("shape", "axis"), [((), 1), ((3, 0, 4), 1), ((3, 4, 5), 2), ((3, 4, 5), None)])
def test_impossible_model_inputs_are_refused(shape, axis):
    with pytest.raises(BadInput, match="model's"):
        target_of(ArrayFormat(shape, axis))


@pytest.mark.parametrize("crop", [0, -1, 1.5, float("nan")])
def test_impossible_sizings_are_refused(crop):
    with pytest.raises(BadInput, match="crop"):
        Sizing(crop)


def test_unknown_filters_are_refused():
    with pytest.raises(BadInput, match="nearest"):
        Sizing(None, "nearest")
