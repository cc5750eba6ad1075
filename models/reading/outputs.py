"""What a network's outputs are, how that was told, and how logits and probabilities are had of them.

Everything above the networks works with logits. What a network returns cannot be read off its shape, so it is told
once: by what its user states, by a final layer that is left out, or by its values for inputs that lie far apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from ...errors import BadInput
from ..arrays.operations import Tensor, TensorOperations
from ..conventions import OutputKind

#: How classes share the probability: they exclude each other, or each logit is the log odds of its own class.
Link = Literal["softmax", "logistic"]
EndingFunction = Literal["softmax", "sigmoid", "log_softmax", "log_sigmoid"]

TOLERANCES: Mapping[bool, float] = {False: 1e-4, True: 2.0**-7}
"""How far probabilities may miss their sum of one and the end of their range; True: computed in half precision."""

_TINY = float(np.finfo(np.float32).tiny)
_FITTING: Mapping[EndingFunction, tuple[OutputKind | None, ...]] = {
    "softmax": (None, "probabilities"),
    "sigmoid": (None, "binary", "multi-label", "probabilities"),
    "log_sigmoid": (None, "binary", "multi-label"),
    "log_softmax": (),
}
"""What may be stated (None: nothing) where a network ends so, if that end is to be left out."""
_SAY_IT = "say what its outputs are: hm.wrap(net, output='logits'), 'probabilities', 'binary' or 'multi-label'"


@dataclass(frozen=True)
class Ending:
    """The final layer of a network, where it makes probabilities, or their logarithms, of logits."""

    name: str
    """The layer's name."""
    function: EndingFunction

    def __str__(self) -> str:
        return f"the {self.function} of its last layer, {self.name!r}"

    def is_left_out(self, stated: OutputKind | None) -> bool:
        """Return whether it is left out, given what the user states: what is stated otherwise is taken as stated."""
        return stated in _FITTING[self.function]


@dataclass(frozen=True)
class OutputReading:
    """What a network's outputs are, and how that was told."""

    kind: OutputKind = "logits"
    told: Literal["not yet", "stated", "final layer", "values", "assumed"] = "not yet"
    classes: int = 0
    """How many outputs there are; 0 before that is known."""
    left_out: str | None = None
    """The name of the final layer that is left out, so that the network returns logits."""
    undone: Literal["nothing", "log", "log odds"] = "nothing"
    """What is done to the outputs to have logits."""
    evidence: str = ""
    """What it was told by, in words."""
    warning: str = ""
    """What the user ought to know; empty where nothing is doubtful."""

    @property
    def link(self) -> Link:
        """How classes share the probability; a single output is its class's own."""
        return "logistic" if self.kind in ("binary", "multi-label") or self.classes == 1 else "softmax"

    @property
    def identity(self) -> dict[str, str]:
        """What numbers depend on; empty for logits of classes that exclude each other."""
        if self.kind == "logits":
            return {}
        return {"kind": self.kind, "undone": self.undone, "left_out": self.left_out or ""}

    def logits(self, operations: TensorOperations, outputs: Tensor) -> Tensor:
        """Return the logits (m, classes) of outputs (m, classes), float32.

        They are finite for probabilities of 0 and 1 too; their gradient is zero there.
        """
        if self.undone == "nothing":
            return outputs
        logits = operations.log(operations.maximum(outputs, _TINY))
        return logits if self.undone == "log" else logits - operations.log(operations.maximum(1.0 - outputs, _TINY))


def probabilities_of(logits: np.ndarray, link: Link) -> np.ndarray:
    """Return the probabilities, float64 (n, classes), of logits (n, classes)."""
    wide = logits.astype(np.float64)
    return np.asarray(special.expit(wide) if link == "logistic" else special.softmax(wide, axis=1))


def read(
    name: str,
    stated: OutputKind | None,
    ending: Ending | None,
    near: np.ndarray,
    far: Callable[[], np.ndarray],
    tolerance: float,
) -> OutputReading:
    """Return what a network's outputs are.

    Parameters
    ----------
    name
        What the network is called.
    stated
        What its user says, or None.
    ending
        Its final layer, where that is an `Ending`.
    near
        (n, classes): what it returns for inputs of its domain, without its ending where that `Ending.is_left_out`.
    far
        Gives the same for inputs that lie far apart, most of them outside of the domain.
    tolerance
        One of `TOLERANCES`.

    Raises
    ------
    BadInput
        If what is stated does not agree with the outputs; the message has the numbers.
    """
    classes = int(near.shape[1])
    if stated == "binary" and classes > 1:
        raise BadInput(
            f"output='binary' was stated for {name}, which has {classes} outputs; 'binary' is one probability. State "
            "'probabilities' for classes that exclude each other, or 'multi-label'."
        )
    if ending is not None and ending.is_left_out(stated):
        return _without(name, stated, ending, classes)
    if stated is not None:
        return _as_stated(name, stated, ending, near, far, tolerance)
    if ending is not None:  # a logarithm of probabilities is a logit
        return OutputReading("logits", "final layer", classes, evidence=f"log-probabilities, by {ending}")
    return _by_values(name, near, far, tolerance)


def _without(name: str, stated: OutputKind | None, ending: Ending, classes: int) -> OutputReading:
    """Return the reading of a network whose ending is left out."""
    if ending.function == "softmax" and classes == 1:
        raise BadInput(
            f"{name} ends in a softmax over a single output ({ending.name!r}), which is 1 for every input. End it in a "
            "sigmoid, or return the logit itself."
        )
    if stated == "probabilities" and ending.function == "sigmoid" and classes > 1:
        raise BadInput(
            f"output='probabilities' was stated for {name}, but each of its {classes} outputs has a sigmoid of its own "
            f"({ending.name!r}), so its classes do not exclude each other: state output='multi-label'."
        )
    kind: OutputKind = "probabilities" if ending.function == "softmax" else "binary" if classes == 1 else "multi-label"
    evidence = f"{ending}, is left out: logits are explained"
    return OutputReading(kind, "final layer", classes, left_out=ending.name, evidence=evidence)


def _as_stated(
    name: str,
    stated: OutputKind,
    ending: Ending | None,
    near: np.ndarray,
    far: Callable[[], np.ndarray],
    tolerance: float,
) -> OutputReading:
    """Return the reading that a user states, checked against what the network returns."""
    classes, seen = int(near.shape[1]), _range(near)
    saturates = ending is not None and ending.function in ("softmax", "sigmoid")
    if stated == "logits":
        doubtful = saturates or (classes > 1 and _sum_to_one(near, tolerance))
        why = f"it ends in {ending}" if saturates else f"its outputs ({seen}) sum to one"
        warning = f"output='logits' was stated for {name} and is taken as stated, though {why}." if doubtful else ""
        return OutputReading("logits", "stated", classes, evidence=f"values {seen}", warning=warning)
    if stated == "multi-label":
        if saturates or (_within(near, tolerance) and _within(far(), tolerance)):
            evidence = f"a probability each, {seen}"
            return OutputReading("multi-label", "stated", classes, undone="log odds", evidence=evidence)
        return OutputReading("multi-label", "stated", classes, evidence=f"a logit each, {seen}")
    if not _within(near, tolerance):
        raise BadInput(
            f"output={stated!r} was stated for {name}, but it returns values {seen}, and probabilities lie in [0, 1]. "
            "State output='logits', or leave it out."
        )
    if classes == 1:
        return OutputReading("binary", "stated", 1, undone="log odds", evidence=f"a probability, {seen}")
    if not _sum_to_one(near, tolerance):
        sums = near.sum(axis=1)
        raise BadInput(
            f"output='probabilities' was stated for {name}, but its outputs for two inputs sum to {sums[0]:.4g} and "
            f"{sums[1]:.4g} instead of 1. If its classes do not exclude each other, state output='multi-label'."
        )
    return OutputReading("probabilities", "stated", classes, undone="log", evidence=f"they sum to one, {seen}")


def _by_values(name: str, near: np.ndarray, far: Callable[[], np.ndarray], tolerance: float) -> OutputReading:
    """Return the reading of a network of which no more is known than what it returns."""
    classes = int(near.shape[1])
    if not _within(near, tolerance):
        if classes > 1 and (near <= 0).all() and _sum_to_one(np.exp(near.astype(np.float64)), tolerance):
            evidence = f"log-probabilities: their exponentials sum to one, values {_range(near)}"
            return OutputReading("logits", "values", classes, evidence=evidence)
        return OutputReading("logits", "assumed", classes, evidence=f"values {_range(near)}")
    outputs = np.concatenate([near, far()])
    seen = f"values {_range(outputs)} for {len(outputs)} inputs that lie far apart"
    if not _within(outputs, tolerance) or (outputs == outputs[:1]).all():
        return OutputReading("logits", "assumed", classes, evidence=seen)
    exclusive = classes > 1 and _sum_to_one(outputs, tolerance)
    if exclusive:
        kind: OutputKind = "probabilities"
        looks, layer, used = "probabilities", "softmax", "their logarithm is"
    elif classes == 1:
        kind, looks, layer, used = "binary", "a probability", "sigmoid", "its log odds are"
    else:
        kind, looks, layer, used = "multi-label", "independent probabilities", "sigmoid", "their log odds are"
    return OutputReading(
        kind,
        "values",
        classes,
        undone="log" if exclusive else "log odds",
        evidence=seen,
        warning=(
            f"The output of {name} looks like {looks} ({seen}), and the {layer} cannot be taken off: {used} used as "
            f"logits. Give a network that returns logits for gradients of the true ones, or {_SAY_IT}."
        ),
    )


def _within(outputs: np.ndarray, tolerance: float) -> bool:
    return bool(((outputs >= 0) & (outputs <= 1 + tolerance)).all())


def _sum_to_one(outputs: np.ndarray, tolerance: float) -> bool:
    sums = outputs.astype(np.float64).sum(axis=1)
    return _within(outputs, tolerance) and bool(np.abs(sums - 1).max() <= tolerance)


def _range(outputs: np.ndarray) -> str:
    return f"from {outputs.min():.4g} to {outputs.max():.4g}"
