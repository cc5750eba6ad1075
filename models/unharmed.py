"""Whether what ran with a network left everything as it was: weights, modes, hooks, and the process's settings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ..errors import HeatmarkError, NetworkChanged
from .interface import Interface
from .queries import Query

Fingerprint = Mapping[str, Any]
"""What stands for each thing that must stay as it is, by its name in words."""

REMEDY = "Leave them as they are: ask through the request, or work on a copy (copy.deepcopy, keras.models.clone_model)."


def fingerprint(model: Interface) -> Fingerprint:
    """Return what stands for a network's weights and state and for the settings of its framework.

    A weight is represented by two sums of its bits, taken on its device, in one of which places count: a millisecond
    for a million numbers.
    """
    return {**model.state_now(), "NumPy's way with errors (np.seterr)": np.geterr()}


def changes(model: Interface, before: Fingerprint) -> str:
    """Return what is other than it was, in words; empty where nothing is.

    What a network changes itself when it is asked (a counter in a buffer) does not count.
    """
    after = fingerprint(model)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if names and model.knows_shape:
        with suppress(HeatmarkError):  # what was changed may no longer answer
            model.run(Query(), model.blank(), None)
        asked = fingerprint(model)
        names = [name for name in names if after.get(name) == asked.get(name)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@contextmanager
def unharmed(model: Interface, who: str) -> Iterator[None]:
    """Refuse what changes the network or its framework's settings; random states are put back.

    Parameters
    ----------
    model
        Whose network is watched.
    who
        What runs meanwhile, for the message.

    Raises
    ------
    NetworkChanged
        On leaving, also where something else was raised inside.
    """
    before = fingerprint(model)
    try:
        with same_chances(model):
            yield
    finally:
        if changed := changes(model, before):
            raise NetworkChanged(
                f"{who} changed what is not its own: {changed}. Whatever is computed with {model.name} from now on may "
                f"be wrong: load it anew. {REMEDY}"
            )


@contextmanager
def same_chances(model: Interface) -> Iterator[None]:
    """Put the random states of Python, NumPy and the framework back on leaving."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the one that others draw from
    try:
        with model.operations.same_chances():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
