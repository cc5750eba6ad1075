"""What was read to make a network: a registered model's weights, a saved Keras file, or a function of the user's."""

from __future__ import annotations

from pathlib import Path

from ...models.base import Model
from ...models.checking.finding import Finding
from ...models.zoo.loading import find_model
from ...models.zoo.stated import split_stated
from ..work.named_models import is_own

READ = "what was read"

_FORMATS = {".keras": "Keras' own format", ".h5": "HDF5", ".hdf5": "HDF5"}


def what_was_read(name: str, model: Model) -> Finding:
    """Say where the network came from, for a model by the name that a run takes."""
    layers = len(model.parameter_layers())
    held = f"{layers} layer{'' if layers == 1 else 's'} with weights"
    if not is_own(name):
        entry = find_model(name)[0]
        weights = f"; weights: {entry.weights}" if entry.weights else ""
        digest = f" (SHA-256 {entry.digest[:12]}, no tensor missing and none left over)" if entry.digest else ""
        return Finding(READ, "holds", f"the registered model {name}{weights}{digest}; {held}.")
    head, _, tail = split_stated(name)[0].rpartition(":")
    if head != "file":
        return _built(f"what {tail}() of {head} returned; {held}", model)
    path = Path(tail).expanduser()
    size = path.stat().st_size / 1e6
    kind = _FORMATS.get(path.suffix.lower(), "a saved model")
    return Finding(
        READ, "holds", f"{path.name}, {kind}, {size:.1f} MB: the whole network, uncompiled, with all weights; {held}."
    )


def _built(evidence: str, model: Model) -> Finding:
    """Return the finding on a network that a function of the user's built, with what that read into it."""
    told = "; ".join([evidence, *(read.text for read in model.weights_read)])
    partial = [read for read in model.weights_read if read.kept or read.left_over]
    if not partial:
        return Finding(READ, "holds", f"{told}.")
    nothing = any(read.nothing for read in partial)
    remedy = (
        "What was not read is as chance drew it. Give tensors the network's names (without 'module.', say), and load "
        "them with strict=True, or without skip_mismatch."
    )
    return Finding(READ, "fails" if nothing else "doubtful", f"{told}.", remedy)
