"""Protocols and parameters as sentences: what stands in a `Doc` beside a parameter, with the value that it has."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ...parameters import Parameter
from .names import Kind, entry_of, parameter_name, shown

_WORDS = {
    None: "none",
    True: "yes",
    False: "no",
    # What stands where something is taken away.
    "neutral": "the data's neutral value",
    "black": "black",
    "white": "white",
    "mean": "its mean colour",
    "blur": "a blurred copy",
    "noise": "uniform noise",
    "zero": "what the normalisation maps to zero",
    "rise_blur": "the blurred picture of RISE's code",
    "linear": "values imputed from its neighbours",
    "segment_mean": "its own mean colour",
    # What is read off the network.
    "probability": "the target's probability",
    "logit": "the target's logit",
    "log_probability": "the logarithm of the target's probability",
    "accuracy": "whether the target is predicted",
    # What is ranked.
    "position": "single positions",
    # How maps are compared.
    "spearman": "Spearman's rank correlation",
    "absolute": "the rank correlation of absolute values",
    "ssim": "structural similarity (SSIM)",
    "hog": "the correlation of histograms of gradients (HOG)",
}
"""Values in words, whatever parameter has them; others are said as they are, their underscores as hyphens."""

_NUMBERED = {
    "blur": "a copy blurred by {} positions",
    "noise": "uniform noise (picture {})",
    "linear": "values imputed from its neighbours, with noise of {}",
    "patch": "patches of {0} by {0} positions",
    "grid": "the cells of a {0} by {0} grid",
    "superpixel": "about {} superpixels",
}
"""Values that hold a number behind a colon."""


def protocol_sentence(text: str, values: Mapping[str, Any], kind: Kind) -> str:
    """Return in a sentence what a method or metric was told to do.

    Parameters
    ----------
    text
        Its canonical text, by which the registry is asked what the parameters mean.
    values
        Every parameter's value, as `flat_parameters` gives them; fixed parts of a protocol may be among them, and
        ``inner``, the identity of the method that a wrapper wraps.
    kind
        ``method`` or ``metric``.

    Returns
    -------
    sentence
        Such as "28 equal steps from nothing to everything; deleted positions show black." Empty where there is nothing
        to tell. Where the entry is not registered (a plugin that is not loaded), the values by their names.
    """
    entry = entry_of(text, kind)
    if entry is None:
        return _joined(f"{parameter_name(name)} {in_words(value)}" for name, value in values.items())
    parts = [phrase(one, values[one.name], values) for one in entry.parameters if one.name in values]
    return " ".join(filter(None, [_joined(filter(None, parts)), _of_inner(values.get("inner"))]))


def phrase(parameter: Parameter, value: Any, values: Mapping[str, Any]) -> str:
    """Return what a sentence says of one parameter; nothing where it does not count beside the other ``values``."""
    doc = parameter.doc
    if doc.when and not _holds(doc.when, values):
        return ""
    if not doc.says:
        return f"{parameter_name(parameter.name)} {in_words(value)}"
    if not isinstance(doc.says, str):
        says: str = doc.says.get(value, doc.says.get("", "")) if isinstance(value, Hashable) else doc.says.get("", "")
    elif value is None or (value is False and "{" not in doc.says):
        return ""
    else:
        says = doc.says
    share = f"{100 * value:.3g} %" if isinstance(value, (int, float)) else in_words(value)
    return says.replace("{%}", share).replace("{}", in_words(value))


def in_words(value: Any) -> str:
    """Return a parameter's value as a sentence says it."""
    if isinstance(value, bool) or value is None:
        return _WORDS[value]
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    if value in _WORDS:
        return _WORDS[value]
    name, colon, number = value.partition(":")
    if colon and name in _NUMBERED:
        return _NUMBERED[name].format(number)
    if "+" in value:
        *others, last = map(in_words, value.split("+"))
        return f"{', '.join(others)} and {last}"
    return value.replace("_", "-")


def _of_inner(identity: Any) -> str:
    """Return what the method that a wrapper wraps was told to do, from its identity."""
    if not isinstance(identity, Mapping):
        return ""
    name, parameters = str(identity.get("name", "")), dict(identity.get("parameters") or {})
    words = protocol_sentence(name, {**parameters, "inner": identity.get("inner")}, "method")
    return f"{shown(name, 'method')}: {words}" if words else ""


def _holds(condition: str, values: Mapping[str, Any]) -> bool:
    """Return whether ``mask=top`` or ``step!=none`` is so; what is not known of is taken to be so."""
    name, _, wanted = condition.partition("=")
    other = name.endswith("!")
    name = name.removesuffix("!")
    if name not in values:
        return True
    value = values[name]
    return (value == wanted if isinstance(value, str) else in_words(value) == wanted) != other


def _joined(parts: Iterable[str]) -> str:
    """Return phrases as one sentence."""
    words = "; ".join(parts)
    return f"{begun(words)}." if words else ""


def begun(words: str) -> str:
    """Return words as a sentence begins: the first letter large, all others as they are."""
    return f"{words[:1].upper()}{words[1:]}"
