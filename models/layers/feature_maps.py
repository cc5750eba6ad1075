"""Which of a network's layers hold feature maps, and the layer of a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import UnknownName, suggestion
from ..queries import Layer

_MOVING = ("Pool", "Flatten", "Pad", "Input", "Permute")
"""What kinds of layers are called that hold others' values elsewhere."""
_PASSING = ("Dropout", "Identity", "StochasticDepth", "DropPath")
"""What kinds of layers are called that hold what they get, when nothing is trained."""


def feature_maps(
    layers: Sequence[Layer], axes: int, default: Layer | None, inside: Callable[[Layer], bool]
) -> tuple[Layer, ...]:
    """Return the layers whose outputs have positions and are no pooled, flattened or padded copies, in order.

    What is composed of layers, and layers that pass on what they get, are among them where they give something else
    than the layer called before, on the same positions: a block's sum.

    Parameters
    ----------
    layers
        All, in the order in which their outputs are computed.
    axes
        How many axes a feature map of one sample has.
    default
        The layer of tokens that counts as one, or None.
    inside
        Whether a layer is a part of an attention.
    """
    found: list[Layer] = []
    for layer in layers:
        candidate = _holds_features(layer, axes) and not inside(layer)
        if candidate and (layer.composed or _called(layer, _PASSING)):
            candidate = not layer.repeats and bool(found) and _same_positions(layer, found[-1])
        if candidate or layer == default:
            found.append(layer)
    return tuple(found)


def layer_named(layers: Sequence[Layer], name: str, network: str, unreached: str | None) -> Layer:
    """Return the layer of this name; UnknownName, with near names and what is out of reach, where there is none."""
    for layer in layers:
        if layer.name == name:
            return layer
    names = [layer.name for layer in layers]
    why = f" ({unreached}.)" if unreached else ""
    raise UnknownName(f"{network} has no layer {name!r}.{suggestion(name, names)} It has {_ends(names)}.{why}")


def _holds_features(layer: Layer, axes: int) -> bool:
    """Return whether a layer's output has positions and is made where it stands."""
    if len(layer.shape) != axes or not layer.per_sample:
        return False
    spatial = layer.shape if layer.spatial is None else layer.spatial
    return max(spatial) > 1 and (layer.composed or not _called(layer, _MOVING))


def _called(layer: Layer, words: Sequence[str]) -> bool:
    return any(word in layer.kind for word in words)


def _same_positions(first: Layer, second: Layer) -> bool:
    """Return whether two layers' outputs have the same positions; of the same shape where those are not known."""
    if first.spatial is None or second.spatial is None:
        return first.shape == second.shape
    return first.spatial == second.spatial


def _ends(names: Sequence[str], most: int = 20) -> str:
    """Return all names as text, or the last few, which are those that methods look at."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{len(names)} layers, the last of them: {', '.join(names[-most:])}"
