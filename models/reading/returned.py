"""Finding the tensor of class scores in what a network returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ...errors import BadInput

_SHOWN = 8
"""So many parts of what a network returns are named in a message."""


def class_scores(
    output: Any, is_tensor: Callable[[Any], bool], name: str, taken: Callable[[Any], Any] | None = None
) -> Any:
    """Return the one tensor of what a network returns.

    Parameters
    ----------
    output
        A tensor, or what holds one: a mapping or an object with ``logits``, or a tuple, list, mapping or object with a
        single tensor.
    is_tensor
        Whether something is a tensor.
    name
        What the network is called.
    taken
        What takes the tensor out; the user's own.

    Raises
    ------
    BadInput
        If it is not told which tensor is meant; the message has what there is and how to say it.
    """
    if taken is not None:
        found = taken(output)
        if is_tensor(found):
            return found
        raise BadInput(
            f"The function outputs=... for {name} returned {_in_words(found, is_tensor)}, no tensor; the network "
            f"itself returns {_in_words(output, is_tensor)}."
        )
    if is_tensor(output):
        return output
    parts = _parts(output)
    tensors = {key: part for key, part in parts.items() if is_tensor(part)}
    if "logits" in tensors:
        return tensors["logits"]
    if len(tensors) == 1:
        return next(iter(tensors.values()))
    key = next(iter(tensors), "...")
    by_place = isinstance(output, (Mapping, list, tuple)) and not hasattr(output, "_asdict")
    which = f"o[{key!r}]" if by_place else f"o.{key}"
    raise BadInput(
        f"{name} returns {_in_words(output, is_tensor)}; heatmark needs one tensor of class scores. Say which it is: "
        f"hm.wrap(net, outputs=lambda o: {which})."
    )


def require_real(dtype: str, name: str) -> None:
    """Raise BadInput for outputs that are no real floating-point numbers."""
    if "complex" in dtype:
        raise BadInput(
            f"{name} returns complex numbers; heatmark needs real class scores. Say what they are: "
            "hm.wrap(net, outputs=lambda o: abs(o))."
        )
    if "float" not in dtype:
        raise BadInput(
            f"{name} returns {dtype.removeprefix('torch.')} numbers, such as the predicted class; heatmark needs the "
            "classes' scores. Return what stands before argmax or rounding."
        )


def _parts(output: Any) -> dict[Any, Any]:
    """Return what something holds, by name or place."""
    if isinstance(output, Mapping):
        return dict(output)
    if hasattr(output, "_asdict"):
        return dict(output._asdict())
    if isinstance(output, (list, tuple)):
        return dict(enumerate(output))
    if is_dataclass(output):
        return {item.name: getattr(output, item.name) for item in fields(output)}
    return dict(getattr(output, "__dict__", {}))


def _in_words(output: Any, is_tensor: Callable[[Any], bool]) -> str:
    """Return what a network returns, with the shapes of its parts."""
    if is_tensor(output):
        return f"a tensor {_shape(output)}"
    kind, parts = type(output).__name__, list(_parts(output).items())
    words = (f"{key}: {_shape(part) if is_tensor(part) else type(part).__name__}" for key, part in parts[:_SHOWN])
    return f"{kind} ({', '.join(words)}{', ...' if len(parts) > _SHOWN else ''})" if parts else kind


def _shape(tensor: Any) -> str:
    return str(tuple(getattr(tensor, "shape", ())))
