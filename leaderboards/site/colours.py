"""Colours that can be seen: contrast as WCAG 2 defines it, and a method's colour on dark ground."""

from __future__ import annotations

DARK_GROUND = "#14171b"
"""The ground of the dark theme (static/base.css)."""

ENOUGH = 4.5
"""The contrast that text needs (WCAG 2.1, level AA); marks need 3, and get as much."""


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, 0 to 1 (WCAG 2.1)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.1)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def on_dark(colour: str) -> str:
    """Return a colour of the same hue that stands out from the dark theme's ground, with as little white as does."""
    channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = ("#" + "".join(f"{round(one + (255 - one) * share / 20):02x}" for one in channels) for share in range(21))
    return next(one for one in mixed if contrast(one, DARK_GROUND) >= ENOUGH)
