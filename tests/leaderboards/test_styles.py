"""The looks of methods: one per method, told apart by the colour-blind, in grey print, and on white paper."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from heatmark.leaderboards.standings.registered import MethodFacts, method_facts
from heatmark.leaderboards.standings.styles import CONTROL_GREYS, CONTROL_MARKERS, FAMILIES, OTHER, family_styles
from heatmark.methods.registry import METHODS

VIEWS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""What the colour-blind see, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1."""

BASES = {**{family: shades[0] for family, (_, shades) in FAMILIES.items()}, "other": OTHER[1][0]}
OWN = [entry for entry in map(METHODS.get, METHODS.names()) if entry.origin == "heatmark"]
SHADES = [shade for _, shades in (*FAMILIES.values(), OTHER) for shade in shades]


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(colour: str, view: str) -> np.ndarray:
    """Return a colour in CIELAB as it is seen."""
    values = np.clip(VIEWS[view] @ linear(colour), 0, 1)
    srgb = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return rgb2lab(srgb[None, None])[0, 0]


def distance(first: str, second: str, view: str) -> float:
    return float(deltaE_ciede2000(seen(first, view), seen(second, view)))


def contrast(colour: str) -> float:
    """Return the contrast with white, as the Web Content Accessibility Guidelines define it."""
    return 1.05 / (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05)


@pytest.mark.parametrize("view", VIEWS)
def test_families_are_told_apart_by_everyone(view: str) -> None:
    """10 is five times the difference that two colours side by side need to be seen as two."""
    distances = {pair: distance(*(BASES[name] for name in pair), view) for pair in combinations(BASES, 2)}
    assert min(distances.values()) > 10, min(distances, key=distances.__getitem__)
    nothing = {pair: distance(BASES["gradient"], BASES["gradient"], view) for pair in distances}
    assert max(nothing.values()) == 0


def test_the_measure_sees_what_the_colour_blind_do_not() -> None:
    """Red and green are far apart; a brown and an olive are so only for those who see red and green."""
    assert distance("#ff0000", "#00a000", "normal") > 60
    assert distance("#a05a00", "#6e7000", "normal") > 20
    assert min(distance("#a05a00", "#6e7000", view) for view in ("deuteranopia", "protanopia")) < 10


def test_every_shade_stands_out_from_white_paper() -> None:
    assert contrast("#000000") == pytest.approx(21.0)
    assert contrast("#767676") == pytest.approx(4.54, abs=0.005)  # the grey that is known for it
    assert min(map(contrast, [*SHADES, *CONTROL_GREYS])) >= 3.0


def test_shades_of_a_family_differ_for_everyone() -> None:
    for _, shades in (*FAMILIES.values(), OTHER):
        for pair in combinations(shades, 2):
            assert min(distance(*pair, view) for view in VIEWS) > 5, pair


def test_markers_alone_say_the_family() -> None:
    markers = [marker for marker, _ in (*FAMILIES.values(), OTHER)] + list(CONTROL_MARKERS)
    assert len(set(markers)) == len(markers)
    assert set(FAMILIES) == {entry.family for entry in OWN} - {"control"}


def test_every_registered_method_has_its_own_look() -> None:
    methods = [method_facts(entry.name, {}) for entry in OWN]
    styles = family_styles(methods)
    assert len(set(styles.values())) == len(methods) > 80
    for method in methods:
        style, (marker, _) = styles[method.id], FAMILIES.get(method.family, OTHER)
        assert (style.line == "--") == method.control
        assert method.control or style.marker == marker
    assert styles == family_styles(reversed([*methods, *methods]))


def test_few_methods_of_a_family_differ_by_shade_and_families_by_hue() -> None:
    facts = [MethodFacts(f"{family}{n}", family) for family in ("cam", "gradient", "mine") for n in range(3)]
    styles = family_styles([*facts, MethodFacts("random", "control")])
    assert [styles[f"cam{n}"].colour for n in range(3)] == list(FAMILIES["cam"][1])
    assert [styles[f"mine{n}"].colour for n in range(3)] == list(OTHER[1])
    assert {style.fill for style in styles.values()} == {"full"} and styles["random"].colour in CONTROL_GREYS
    assert len({style.colour for style in styles.values()}) == 10


def test_the_first_looks_of_a_family_differ_by_their_markers_alone() -> None:
    styles = family_styles([MethodFacts(f"m{n:02}", "peer") for n in range(36)])
    looks = [(style.colour, style.marker, style.fill) for style in styles.values()]
    assert len(set(looks[:12])) == 12 and len(set(styles.values())) == 36


def test_looks_are_what_matplotlib_takes() -> None:
    for style in family_styles([MethodFacts(f"m{n}", "cam") for n in range(13)]).values():
        handle = style.handle()
        assert handle.get_marker() == style.marker and handle.get_color() == style.colour
        assert (handle.get_markerfacecolor() == "#ffffff") == (style.fill == "none")
