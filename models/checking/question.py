"""A question about a network, as data: how it is asked and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import HeatmarkError, NotApplicable, OutOfMemory, error_in_words
from ..arrays.operations import Tensor
from ..base import Model
from .finding import Finding


@dataclass(frozen=True)
class Question:
    """One question about a network, asked with some inputs at hand."""

    title: str
    """What is asked, in a few words: what the finding is called where the question could not be answered."""
    ask: Callable[[Model, Tensor], Finding]
    """From the model and raw inputs (n, *input_shape) on its device to what was found. It raises `NotApplicable`, with
    the reason, where the question has no meaning for the network.
    """
    cheap: bool = False
    """Whether it takes a few forward passes of two rows at most, so that `wrap` can ask it."""

    def answer(self, model: Model, x: Tensor) -> Finding:
        """Return what was found, also where asking raised."""
        try:
            return self.ask(model, x)
        except NotApplicable as reason:
            return Finding(self.title, "inapplicable", error_in_words(reason))
        except OutOfMemory as error:
            return Finding(self.title, "doubtful", error_in_words(error))
        except HeatmarkError as error:  # the network's own error among them
            return Finding(
                self.title, "fails", error_in_words(error), "Methods that ask the same end in the same error."
            )
        except Exception as error:  # what no one foresaw tells nothing of the network, and stops nothing
            return Finding(
                self.title, "doubtful", f"it could not be answered: {error_in_words(error)}", "Report it to heatmark."
            )
