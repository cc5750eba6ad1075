"""What goes into a network and what comes out: shape, layout, domain; the kind of outputs; classes and their names."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..arrays.operations import Tensor
from ..base import Model
from ..normalization import Normalization
from .finding import Finding

INPUTS = "inputs: shape, layout, domain"
OUTPUTS = "what the outputs are"
CLASSES = "classes and their names"

NARROW = 0.02
"""Pictures whose values span less of their domain than this were probably scaled twice."""

_LAYOUTS = {1: "channels first", -1: "channels last", None: "one axis of features"}
_KINDS = {
    "logits": "logits of classes that exclude each other",
    "probabilities": "probabilities of classes that exclude each other",
    "binary": "the probability of one class",
    "multi-label": "classes that do not exclude each other, each with a probability of its own",
}
_TOLD = {
    "stated": "as stated",
    "final layer": "told by its last layer",
    "values": "told by its values",
    "assumed": "taken as such, as nothing speaks against it",
    "not yet": "not looked at yet",
}


def inputs(model: Model, x: Tensor) -> Finding:
    """Say which inputs the network takes, and whether those at hand fill their domain."""
    low, high = model.domain
    stated = model.conventions.domain is not None
    least, most = (float(model.to_numpy(end(x))) for end in (model.operations.min, model.operations.max))
    shape, why = " x ".join(map(str, model.input_shape)), "as stated" if stated else "as is usual"
    told = (
        f"{shape}, {_LAYOUTS[model.channel_axis]}; raw values from {low:g} to {high:g} {why}, {_preparation(model)}; "
        f"these inputs hold {least:.4g} to {most:.4g}"
    )
    if model.takes_bytes:
        return Finding(
            INPUTS,
            "doubtful",
            f"{told}. It takes values of 0 to 255, as {model.takes_bytes} shows, and is given raw values times 255.",
            "Right if it was trained on bytes. Else state it: hm.wrap(net, domain=(0, 1)) or domain=(0, 255).",
        )
    if model.is_picture and most - least < NARROW * (high - low):
        return Finding(
            INPUTS,
            "doubtful",
            f"{told}, which is next to nothing of the domain.",
            "Were they divided by 255 twice? Or state the domain that they have: hm.wrap(net, domain=(low, high)).",
        )
    if least < low or most > high:
        usual = "" if stated else " (flat vectors and series have no usual one)"
        return Finding(
            INPUTS,
            "doubtful",
            f"{told}, which leaves the domain{usual}.",
            "State the domain, which black, white and noise go by: hm.wrap(net, domain=(low, high)).",
        )
    return Finding(INPUTS, "holds", f"{told}.")


def outputs(model: Model, x: Tensor) -> Finding:
    """Say what the network's outputs are, how that was told, and what is explained of them."""
    reading, logits = model.reading, model.outputs_of(x)
    kind = "the log odds of one class" if reading.kind == "logits" and reading.classes == 1 else _KINDS[reading.kind]
    explained = {"nothing": "", "log": "; their logarithm is explained", "log odds": "; log odds are explained"}
    told = (
        f"{kind}, {_TOLD[reading.told]}: {reading.evidence}{explained[reading.undone]}; "
        f"logits from {logits.min():.4g} to {logits.max():.4g} here"
    )
    if not np.isfinite(logits).all():
        return Finding(OUTPUTS, "fails", f"{told}; not all are finite.", "Look for NaN and overflow in the network.")
    if reading.warning:
        remedy = "Return logits, or say what they are: hm.wrap(net, output=...) or --output."
        return Finding(OUTPUTS, "doubtful", f"{told}. {reading.warning.partition('. ')[0]}.", remedy)
    return Finding(OUTPUTS, "holds", f"{told}.")


def classes(model: Model, x: Tensor) -> Finding:
    """Say how many classes there are, what they are called, and how many of them these inputs are taken for."""
    count, names = model.num_classes, model.class_names
    predicted = np.unique(model.outputs_of(x).argmax(axis=1))
    told = f"{count} class{'' if count == 1 else 'es'}; {len(predicted)} predicted for {int(x.shape[0])} inputs"
    if names is None:
        return Finding(CLASSES, "holds", f"{told}; without names (hm.wrap(net, class_names=[...]) gives them).")
    if len(names) != count:
        return Finding(
            CLASSES,
            "fails",
            f"{told}, but {len(names)} names.",
            "Give one name per class, in the order of the outputs.",
        )
    twice = [name for name, number in Counter(names).items() if number > 1]
    shown = ", ".join(names[:3]) + (", ..." if count > 3 else "")
    if twice:
        return Finding(
            CLASSES,
            "holds",
            f"{told}; named {shown}. Names that several classes share, such as {twice[0]!r}, are no targets.",
        )
    return Finding(CLASSES, "holds", f"{told}; named {shown}.")


def _preparation(model: Model) -> str:
    """Return what is done to raw inputs, in words."""
    if model.preprocess is None:
        return "given as they are"
    if isinstance(model.preprocess, Normalization):
        mean, std = (
            ", ".join(f"{one:.4g}" for one in values) for values in (model.preprocess.mean, model.preprocess.std)
        )
        flipped = ", then channels reversed" if model.preprocess.flip_channels else ""
        return f"less {mean} and divided by {std}{flipped}"
    return "through a function of the user's"
