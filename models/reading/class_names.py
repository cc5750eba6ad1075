"""Classes by their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import BadInput, UnknownName, suggestion


def class_numbers(known: Sequence[str] | None, names: np.ndarray, model: str) -> np.ndarray:
    """Return the numbers of classes, int64 in the shape of ``names``.

    Parameters
    ----------
    known
        One name per class, or None where they have none.
    names
        The names that are looked up.
    model
        What the model is called.

    Raises
    ------
    BadInput
        If no names are known, or several classes have the name.
    UnknownName
        If no class has the name; with near ones.
    """
    if known is None:
        raise BadInput(
            f"The target {str(names.flat[0])!r} is a class's name, but {model} has no names for its classes: give "
            "hm.wrap(net, class_names=[...]), or the number of the class."
        )
    places: dict[str, list[int]] = {}
    for number, name in enumerate(known):
        places.setdefault(name, []).append(number)
    numbers = np.zeros(names.shape, np.int64)
    for place, name in np.ndenumerate(names):
        found = places.get(str(name))
        if found is None:
            raise UnknownName(f"{model} has no class {str(name)!r}.{suggestion(str(name), places)}{_of(known)}")
        if len(found) > 1:
            raise BadInput(
                f"{model} has several classes {str(name)!r}: give the number, {' or '.join(map(str, found))}."
            )
        numbers[place] = found[0]
    return numbers


def _of(known: Sequence[str], most: int = 10) -> str:
    """Return the names there are, where they are few."""
    return f" It has {', '.join(known)}." if len(known) <= most else ""
