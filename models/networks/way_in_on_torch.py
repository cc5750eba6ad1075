"""In which memory format and floating type a PyTorch network takes its inputs, found by asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..arrays.tensor_float_32 import without_tensor_float_32

#: From a memory format and a floating type (None: as it comes) to the network's output for some inputs.
Ask = Callable[[str, torch.dtype | None], torch.Tensor]

_FULL, _HALF = 1e-4, 2.0**-6
"""How far, relative to the largest output, two ways to compute the same may be apart in float32 and in 16 bits."""


@dataclass(frozen=True)
class WayIn:
    """How a network takes its inputs."""

    layouts: tuple[str, ...]
    """The memory formats that it takes, in which it gives the same."""
    dtype: torch.dtype | None = None
    """The floating type that inputs are brought to; None where they stay as the preprocessing gives them."""
    left_out: str = ""
    """Why a memory format is not among them; empty where all are."""


def way_in(ask: Ask, layouts: Sequence[str], dtypes: Sequence[torch.dtype]) -> WayIn:
    """Return the first way that works.

    Parameters
    ----------
    ask
        Asks the network.
    layouts
        The memory formats in question, the preferred one first; ``contiguous`` is among them.
    dtypes
        The floating types of its parameters, to be tried where it does not take inputs as they are.

    Raises
    ------
    Exception
        What the network raises for contiguous inputs, where no way works.
    """
    first: Exception | None = None
    for dtype in (None, *dtypes):
        answers: dict[str, torch.Tensor] = {}
        failures: dict[str, Exception] = {}
        for layout in layouts:
            try:
                with without_tensor_float_32("torch"):
                    answers[layout] = ask(layout, dtype)
            except Exception as error:
                failures[layout] = error
        if answers:
            return _settled(ask, answers, failures, dtype)
        # What is wrong with the usual type, or with the one that the network's weights have, tells most.
        first = failures["contiguous"]
    assert first is not None
    raise first


def _settled(
    ask: Ask, answers: dict[str, torch.Tensor], failures: dict[str, Exception], dtype: torch.dtype | None
) -> WayIn:
    """Return the way in a type that works; the formats that work must agree, or contiguous it is."""
    if failures:
        layout, error = next(iter(failures.items()))
        reason = str(error).partition("\n")[0]
        return WayIn(tuple(answers), dtype, f"it fails in {layout}: {type(error).__name__}: {reason}")
    plain = answers["contiguous"]
    for layout, answer in answers.items():
        distance = apart(plain, answer)
        # A network that answers by chance is not one that reads memory wrongly.
        if distance > 0 and apart(plain, ask("contiguous", dtype)) == 0:
            return WayIn(("contiguous",), dtype, f"in {layout} its output differs by {distance:.2g} of its largest")
    return WayIn(tuple(answers), dtype)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return by which part of the largest value two outputs differ; 0 where rounding explains it."""
    if one.shape != other.shape:
        return float("inf")
    largest = float(one.float().abs().max()) if one.numel() else 0.0
    distance = float((one.float() - other.float()).abs().max()) if one.numel() else 0.0
    allowed = _HALF if one.dtype in (torch.float16, torch.bfloat16) else _FULL
    return 0.0 if distance <= allowed * largest else distance / (largest or 1.0)
