"""The cheap questions, asked when a network is wrapped: what does not hold becomes a warning."""

from __future__ import annotations

import sys
import warnings

from ...errors import Doubt
from ..base import Model
from .inputs import two_inputs
from .questions import QUESTIONS


def warn_of_doubts(model: Model) -> None:
    """Ask the cheap questions with two random inputs that are far apart, and warn of what is doubtful or fails.

    Each warning points at the line that called heatmark. The passes are not counted as the user's.
    """
    x, before = model.from_numpy(two_inputs(model)), model.passes
    for question in QUESTIONS:
        if question.cheap:
            finding = question.answer(model, x)
            if finding.verdict in ("doubtful", "fails"):
                warnings.warn(f"{model.name}: {finding.sign} {finding.sentence}", Doubt, stacklevel=_callers_level())
    model.add_passes(before - model.passes)


def _callers_level() -> int:
    """Return the level, for whoever calls this, of the first line outside of this package."""
    package, level = __name__.partition(".models.")[0], 1
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", ""), package):
        frame, level = frame.f_back, level + 1
    return level


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
