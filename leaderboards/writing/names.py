"""What readers know methods and metrics by: ``Integrated Gradients (steps 20)`` for ``integrated_gradients[steps=20]``.

Names are shown, never looked up: CSV and JSON files keep the canonical texts, by which everything can be found again.
"""

from __future__ import annotations

import re
from typing import Literal

from ...datasets.registry import DATASETS
from ...definitions import Selectable
from ...errors import HeatmarkError
from ...methods.registry import METHODS, MethodEntry
from ...metrics.registry import METRICS, MetricEntry
from ...models.catalogue import MODELS
from ...registry import Registry
from ...selection import Selection, Value, parse_selection

Kind = Literal["method", "metric"]

_SPELT = {
    "gradcampp": "Grad-CAM++",
    "scorecam": "Score-CAM",
    "torchcam": "TorchCAM",
    "pair": "PAIR",
    "idsds": "IDSDS",
    "rise": "RISE",
    "shap": "SHAP",
    "captum": "Captum",
    "quantus": "Quantus",
    "xplique": "Xplique",
    "alpha2_beta1": "alpha 2, beta 1",
}
"""Presets named after a library, a method or values."""


def shown(text: str, kind: Kind) -> str:
    """Return the display name of a canonical text, or the text where nothing of that name is registered.

    What tells two entries of one text apart on a board stays behind the name: ``Deletion (version 1)``.

    Examples
    --------
    >>> shown("integrated_gradients[steps=20]", "method")
    'Integrated Gradients (steps 20)'
    >>> shown("lrp[epsilon_plus]", "method")
    'LRP (epsilon-plus)'
    >>> shown("smooth[gradient]", "method")
    'Smoothed Gradient'
    """
    text, apart = parted(text)
    entry = entry_of(text, kind)
    if entry is None:
        return text + apart
    selection = parse_selection(text)
    if entry.origin != "heatmark" and sum(other.title == entry.title for other in _registry(kind)) > 1:
        return text + apart  # another entry has that title already
    if getattr(entry, "wraps", False) and selection.variant is not None:
        return _with(f"{entry.title} {shown(selection.variant, kind)}", [], selection) + apart
    return _with(entry.title, [] if selection.variant is None else [preset_name(selection.variant)], selection) + apart


def entry_of(text: str, kind: Kind) -> Selectable | None:
    """Return the entry that a canonical text names, or None where none is registered by that name."""
    try:
        return _registry(kind).get(parse_selection(parted(text)[0]).name)
    except HeatmarkError:
        return None


def parted(name: str) -> tuple[str, str]:
    """Return the canonical text of a name on a board, and what tells it there from others of that text."""
    text, space, apart = name.partition(" (")
    return text, space + apart


def shown_model(name: str) -> str:
    """Return the display name of a model, as it stands in tables; one's own is called what it is called."""
    entry = next((one for one in MODELS if one.name == name and one.origin == "heatmark"), None)
    return name if entry is None else entry.title


def shown_dataset(name: str) -> str:
    """Return the display name of a dataset with its options; one read from a path is called what it is called."""
    try:
        selection = parse_selection(name)
    except HeatmarkError:
        return name
    entry = next((one for one in DATASETS if one.name == selection.name and one.origin == "heatmark"), None)
    return name if entry is None else _with(entry.title, [], selection)


def preset_name(name: str) -> str:
    """Return a preset's name as people write it: ``Wang 2020`` for ``wang2020``, ``epsilon-plus``."""
    if name in _SPELT:
        return _SPELT[name]
    if paper := re.fullmatch("([a-z]+)((?:19|20)[0-9]{2})", name):
        return f"{paper[1].capitalize()} {paper[2]}"
    return name.replace("_", "-")


def parameter_name(name: str) -> str:
    """Return a parameter's name in words."""
    return name.replace("_", " ")


def _with(title: str, notes: list[str], selection: Selection) -> str:
    """Return a title with what was chosen behind it."""
    notes += [_chosen(name, value) for name, value in selection.parameters]
    return f"{title} ({', '.join(notes)})" if notes else title


def _chosen(name: str, value: Value) -> str:
    """Return a parameter and its value in words; a switch is its name, with "no" where it is off."""
    words = parameter_name(name)
    if isinstance(value, bool):
        return words if value else f"no {words}"
    return f"{words} {'none' if value is None else value}"


def _registry(kind: Kind) -> Registry[MethodEntry] | Registry[MetricEntry]:
    return METHODS if kind == "method" else METRICS
