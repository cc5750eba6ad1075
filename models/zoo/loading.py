"""Finding a model by its name, and loading it in either framework."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import BadInput, HeatmarkError, NotApplicable, UnknownName, suggestion
from ..architecture.weights_file import load_metadata
from ..base import Model
from ..catalogue import MODELS as MODELS
from ..catalogue import LoadedNetwork as LoadedNetwork
from ..catalogue import ModelEntry as ModelEntry
from ..catalogue import ModelRequest as ModelRequest
from ..catalogue import register_model as register_model
from ..devices import creation_on, installed_frameworks, require_framework, resolved_device
from ..queries import FRAMEWORKS, Framework, Precision
from ..training.kept import read_record, restore, trained_names, trained_path
from ..wrap import wrapped
from .built_networks import built_small_network
from .user_models import is_own, model_from_text


def list_models() -> list[ModelEntry]:
    """Return all registered models by family and name, then the networks trained on this machine."""
    return [*MODELS, *(_trained_entry(name) for name in trained_names())]


def find_model(name: str) -> tuple[ModelEntry, str]:
    """Return the entry that ``name`` means and, for a family such as ``torchvision:vgg16``, the part after the colon.

    Raises
    ------
    UnknownName
        With the nearest names, among them those of networks trained on this machine.
    """
    known = MODELS.names()
    head, colon, rest = name.partition(":")
    if f"{head}:" in known and not rest:
        raise BadInput(f"{name!r} needs a name behind the colon, such as {_EXAMPLES.get(head, head + ':NAME')}.")
    if name in known or (colon and f"{head}:" in known):
        return MODELS.find(name)
    own = trained_names()
    if name in own:
        return _trained_entry(name), ""
    near = _own_form(name) or suggestion(name, [*known, *own])
    raise UnknownName(f"Unknown model {name!r}.{near} See `heatmark list models`.")


def load_model(
    name: str | Model, framework: str | None = None, device: str = "auto", precision: Precision = "float32"
) -> Model:
    """Return a model of the zoo, of a framework's own collection, trained on this machine, or one of the user's own.

    Parameters
    ----------
    name
        ``efficientnet-lite0``, ``small-cnn``, ``torchvision:vgg16``, ``keras:VGG16``, ... (`list_models`); or as
        `model_from_text` takes it: ``file:net.keras``, ``net.py:build``, ``package.module:build``.
    framework
        ``torch`` or ``tensorflow``; by default the first of these that is installed and has the model, and for one's
        own the framework that it is of.
    device
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``.
    precision
        ``float32``, or ``bf16`` for automatic mixed precision.

    Returns
    -------
    Model

    Raises
    ------
    UnknownName, BadInput
        For a name, framework, device or precision that does not exist.
    NotApplicable
        If the model cannot be had in this framework.
    MissingExtra
        If the framework, or the package that carries the weights, is not installed.
    HeatmarkError
        If weights can neither be found nor fetched; the message names the file, its URL and the folder.
    """
    if isinstance(name, Model):
        return name
    build = _own if is_own(name) else _registered
    model = build(name, framework, device, precision)
    model.loaded_as = name
    return model


def _registered(name: str, framework: str | None, device: str, precision: Precision) -> Model:
    entry, rest = find_model(name)
    chosen = _framework_for(entry, framework)
    place = resolved_device(chosen, device)
    with creation_on(chosen, place):
        loaded = entry.build(ModelRequest(chosen, rest))
    return wrapped(loaded, name, place, precision)


def weights_id(name: str) -> str | None:
    """Return what identifies a model's weights, without importing a framework here; None where that takes loading it.

    A small network of the zoo that has not been trained yet is trained, in a process of its own.

    Raises
    ------
    UnknownName
        If there is no such model.
    """
    entry, rest = find_model(name)
    return entry.identify(rest)


def shown_name(name: str, weights: str | None) -> str:
    """Return what tables call a model: one that a user trained has the first digits of its digest behind its name.

    Whoever trains a network under that name gets another one, while the names that heatmark registers, and those of
    families, say which weights they mean.

    Parameters
    ----------
    name
        As ``--models`` takes it.
    weights
        The SHA-256 of its weights; anything else, and the name stays as it is.
    """
    known = ":" in name or name in MODELS.names()
    return name if known or weights is None or not _DIGEST.fullmatch(weights) else f"{name} ({weights[:8]})"


def trained_digest(name: str) -> str:
    """Return the digest of a network that a user trained; empty for any other model."""
    known = ":" in name or name in MODELS.names() or name not in trained_names()
    return "" if known else _trained_entry(name).digest


def _own(name: str, framework: str | None, device: str, precision: Precision) -> Model:
    """Return a network of the user's own, which is to be of the framework asked for."""
    if framework is not None:
        _require_known(framework)
    model = model_from_text(name, device, precision)
    if framework not in (None, model.framework):
        raise NotApplicable(f"{name} is a {model.framework} network, so it does not run in {framework}")
    return model


def _require_known(framework: str) -> None:
    if framework not in FRAMEWORKS:
        raise BadInput(
            f"Unknown framework {framework!r}.{suggestion(framework, FRAMEWORKS)} Choose {' or '.join(FRAMEWORKS)}."
        )


def _own_form(name: str) -> str:
    """Return how a network of one's own is named, where ``name`` looks like an attempt at that; else nothing."""
    if name.endswith(".py"):
        return f" Name the function in it that returns the network: {name}:build."
    if Path(f"{name}.py").is_file():
        return f" A network of {name}.py is named by the function in it that returns it: {name}.py:build."
    if name.endswith((".keras", ".h5", ".hdf5")):
        return f" A saved Keras model is named file:{name}."
    if ":" in name or name.endswith((".pt", ".pth", ".ckpt", ".safetensors")):
        return (
            " Give a network of your own by a function that returns it: --model file.py:build or package.module:build."
        )
    return ""


def _framework_for(entry: ModelEntry, framework: str | None) -> Framework:
    """Return the framework to build in: the one asked for, checked, or the first that is installed."""
    if framework is None:
        here = [found for found in installed_frameworks() if found in entry.frameworks]
        framework = here[0] if here else entry.frameworks[0]
    _require_known(framework)
    if framework not in entry.frameworks:
        raise NotApplicable(f"{entry.name} exists only in {' and '.join(entry.frameworks)}, not in {framework}.")
    require_framework(framework)
    return "torch" if framework == "torch" else "tensorflow"


def _trained_entry(name: str) -> ModelEntry:
    """Return the entry of a network trained on this machine; a damaged file is listed as such."""
    path = trained_path(name)
    datasets: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    weights_digest = ""
    try:
        record = read_record(path, name)
        summary = f"trained on {record.dataset}: {record.test_accuracy:.1%} right, loss {record.test_loss:.3f}"
        datasets, weights_digest = (record.dataset,), record.digest
        shape = tuple(load_metadata(path)["input_shape"])
    except (HeatmarkError, KeyError) as error:
        summary = f"cannot be read: {error}"
    return ModelEntry(
        name=name,
        family="own",
        summary=summary,
        build=lambda request: built_small_network(restore(path, name), request.framework),
        identify=lambda rest: str(load_metadata(path)["digest"]),
        datasets=datasets,
        input_shape=shape,
        weights="trained on this machine",
        digest=weights_digest,
    )


_DIGEST = re.compile("[0-9a-f]{64}")
_EXAMPLES = {"torchvision": "torchvision:vgg16", "keras": "keras:VGG16"}
