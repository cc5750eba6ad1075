"""The registry of models, and loading one by name in either framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..datasets.base import Sizing
from ..errors import BadInput, HeatmarkError, NotApplicable, UnknownName, suggestion
from ..registry import Entry, Reference, Registry
from .base import Model
from .devices import installed_frameworks, require_framework, resolved_device
from .normalization import Normalization
from .queries import FRAMEWORKS, Framework, Precision

_PACKAGE = __name__.rpartition(".")[0]
_ROOT = _PACKAGE.rpartition(".")[0]


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with all that `wrap` needs to know of it.

    Attributes
    ----------
    net
        A ``torch.nn.Module`` or ``keras.Model`` with logits as its output.
    preprocess
        What it does to raw inputs in [0, 1] first, or None.
    input_shape
        One input's shape in the native layout; None where Keras knows it or the first input shows it.
    num_classes
        The number of logits, or None to find out.
    sizing
        How photographs get the input size.
    class_names
        One name per class, or None.
    weights_id
        What identifies the weights, or None to hash them.
    """

    net: Any
    preprocess: Normalization | Callable[[Any], Any] | None = None
    input_shape: tuple[int, ...] | None = None
    num_classes: int | None = None
    sizing: Sizing = field(default_factory=Sizing)
    class_names: Sequence[str] | None = None
    weights_id: str | None = None


@dataclass(frozen=True)
class ModelRequest:
    """What a builder is asked for: the framework, and for a family such as ``torchvision:vgg16`` the part behind it."""

    framework: str
    rest: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelEntry(Entry):
    """A registered model.

    Attributes
    ----------
    build
        Makes the network in the framework asked for.
    identify
        Returns what identifies its weights without importing a framework, given the part after the colon; None
        where that cannot be known before it is loaded.
    frameworks
        Those it can be built in.
    datasets
        Those it can be scored on as it comes, the default first.
    input_shape
        The canonical (spatial..., channels), or None where it depends.
    license, weights
        A note on the terms of use; where the weights come from.
    """

    build: Callable[[ModelRequest], LoadedNetwork]
    identify: Callable[[str], str | None] = lambda rest: None
    frameworks: tuple[str, ...] = FRAMEWORKS
    datasets: tuple[str, ...] = ()
    input_shape: tuple[int, ...] | None = None
    license: str = ""
    weights: str = ""


MODELS: Registry[ModelEntry] = Registry("model", _PACKAGE, ["zoo"])

Builder = TypeVar("Builder", bound=Callable[[str], LoadedNetwork])


def register_model(
    name: str,
    *,
    family: str = "own",
    frameworks: Sequence[str] = FRAMEWORKS,
    summary: str = "",
    reference: Reference | None = None,
    datasets: Sequence[str] = (),
    input_shape: Sequence[int] | None = None,
    license: str = "",
    weights: str = "",
) -> Callable[[Builder], Builder]:
    """Return a decorator that registers a function from a framework's name to a `LoadedNetwork`.

    Parameters
    ----------
    name
        The name users type.
    family, summary, reference
        See `Entry`.
    frameworks, datasets, input_shape, license, weights
        See `ModelEntry`.

    Raises
    ------
    BadInput
        If the name is empty, has characters that mean something else, or is taken; or a framework is unknown.
    """
    if not name or any(character in name for character in ":[], \t\n"):
        raise BadInput(f"The model name {name!r} is empty or has one of ':[],' or a space in it. Choose another.")
    unknown = [framework for framework in frameworks if framework not in FRAMEWORKS]
    if unknown or not frameworks:
        raise BadInput(f"The model {name!r} names the frameworks {unknown}; choose from {', '.join(FRAMEWORKS)}.")

    def registered(builder: Builder) -> Builder:
        module = builder.__module__
        MODELS.add(
            ModelEntry(
                name=name,
                family=family,
                summary=summary,
                reference=reference,
                origin="heatmark" if module.startswith(f"{_ROOT}.") else module,
                build=lambda request: builder(request.framework),
                frameworks=tuple(frameworks),
                datasets=tuple(datasets),
                input_shape=None if input_shape is None else tuple(input_shape),
                license=license,
                weights=weights,
            )
        )
        return builder

    return registered


def list_models() -> list[ModelEntry]:
    """Return all registered models by family and name, then the networks trained on this machine."""
    from .trained import trained_names

    return [*MODELS, *(_trained_entry(name) for name in trained_names())]


def find_model(name: str) -> tuple[ModelEntry, str]:
    """Return the entry that ``name`` means and, for a family such as ``torchvision:vgg16``, the part after the colon.

    Raises
    ------
    UnknownName
        With the nearest names, among them those of networks trained on this machine.
    """
    from .trained import trained_names

    known = MODELS.names()
    head, colon, rest = name.partition(":")
    if f"{head}:" in known and not rest:
        raise BadInput(f"{name!r} needs a name behind the colon, such as {_EXAMPLES.get(head, head + ':NAME')}.")
    if name in known or (colon and f"{head}:" in known):
        return MODELS.find(name)
    own = trained_names()
    if name in own:
        return _trained_entry(name), ""
    hint = " A network of your own is given with --model." if colon or name.endswith(".py") else ""
    raise UnknownName(f"Unknown model {name!r}.{suggestion(name, [*known, *own])}{hint} See `heatmark list models`.")


def load_model(
    name: str | Model, framework: str | None = None, device: str = "auto", precision: Precision = "float32"
) -> Model:
    """Return a model of the zoo, of a framework's own collection, or trained on this machine.

    Parameters
    ----------
    name
        ``efficientnet-lite0``, ``small-cnn``, ``torchvision:vgg16``, ``keras:VGG16``, ... (`list_models`).
    framework
        ``torch`` or ``tensorflow``; by default the first of these that is installed and has the model.
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
    entry, rest = find_model(name)
    chosen = _framework_for(entry, framework)
    place = resolved_device(chosen, device)
    return wrapped(entry.build(ModelRequest(chosen, rest)), name, place, precision)


def wrapped(loaded: LoadedNetwork, name: str, device: str, precision: Precision) -> Model:
    """Return the model over a loaded network, moved to the device."""
    from .wrap import framework_of, wrap

    net = loaded.net
    if framework_of(net) == "torch" and device != "auto":
        net = net.to(device)  # it was made for this model, so it moves rather than being copied
    return wrap(
        net,
        loaded.preprocess,
        loaded.input_shape,
        loaded.num_classes,
        device,
        precision=precision,
        name=name,
        class_names=loaded.class_names,
        sizing=loaded.sizing,
        weights_id=loaded.weights_id,
    )


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


def _framework_for(entry: ModelEntry, framework: str | None) -> Framework:
    """Return the framework to build in: the one asked for, checked, or the first that is installed."""
    if framework is None:
        here = [found for found in installed_frameworks() if found in entry.frameworks]
        framework = here[0] if here else entry.frameworks[0]
    if framework not in FRAMEWORKS:
        raise BadInput(
            f"Unknown framework {framework!r}.{suggestion(framework, FRAMEWORKS)} Choose {' or '.join(FRAMEWORKS)}."
        )
    if framework not in entry.frameworks:
        raise NotApplicable(f"{entry.name} exists only in {' and '.join(entry.frameworks)}, not in {framework}.")
    require_framework(framework)
    return "torch" if framework == "torch" else "tensorflow"


def _trained_entry(name: str) -> ModelEntry:
    """Return the entry of a network trained on this machine; a damaged file is listed as such."""
    from .trained import read_record, trained_path
    from .weights_file import load_metadata
    from .zoo import built_small_network

    path = trained_path(name)
    datasets: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    try:
        record = read_record(path, name)
        summary = f"trained on {record.dataset}: {record.test_accuracy:.1%} right, loss {record.test_loss:.3f}"
        datasets = (record.dataset,)
        shape = tuple(load_metadata(path)["input_shape"])
    except (HeatmarkError, KeyError) as error:
        summary = f"cannot be read: {error}"
    return ModelEntry(
        name=name,
        family="own",
        summary=summary,
        build=lambda request: built_small_network(_restored(name), request.framework),
        identify=lambda rest: str(load_metadata(path)["digest"]),
        datasets=datasets,
        input_shape=shape,
        weights="trained on this machine",
    )


def _restored(name: str) -> Any:
    from .trained import restore, trained_path

    return restore(trained_path(name), name)


_EXAMPLES = {"torchvision": "torchvision:vgg16", "keras": "keras:VGG16"}
