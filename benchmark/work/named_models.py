"""Models by the names that a run takes: registered ones, and networks of one's own by where they are built."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ...errors import BadInput, NotApplicable
from ...identity import digest, file_digest
from ...models.base import Model
from ...models.devices import require_framework
from ...models.importing import imported
from ...models.queries import FRAMEWORKS
from ...models.zoo.loading import MODELS, find_model, load_model, weights_id
from ...models.zoo.saved_keras import check_saved_keras
from ...models.zoo.user_models import model_from_text, user_weights_id
from .messages import NamedModel


def is_own(name: str) -> bool:
    """Whether a name is ``package.module:build``, ``file.py:build`` or ``file:net.keras`` rather than registered."""
    head, colon, tail = name.partition(":")
    return bool(colon and tail) and f"{head}:" not in MODELS.names()


def check_name(name: str) -> None:
    """Raise UnknownName for a model that is not registered, BadInput for a file of one's own that cannot be used."""
    if not is_own(name):
        find_model(name)
        return
    head, _, tail = name.rpartition(":")
    path = Path(tail if head == "file" else head).expanduser()
    if (head == "file" or head.endswith(".py")) and not path.is_file():
        raise BadInput(f"There is no file {path} for the model {name!r}.")
    if head == "file":
        check_saved_keras(path)


def possible_frameworks(name: str) -> tuple[str, ...]:
    """Return the frameworks that a model may exist in; what one's own code builds is known only once it is built."""
    if not is_own(name):
        return find_model(name)[0].frameworks
    return ("tensorflow",) if name.startswith("file:") else FRAMEWORKS


def identity_without_loading(name: str) -> str | None:
    """Return what `identity` would, where that takes no framework, else None."""
    return user_weights_id(name) if is_own(name) else weights_id(name)


def loaded_model(named: NamedModel) -> Model:
    """Return the model.

    Raises
    ------
    NotApplicable
        If it cannot be had in the framework asked for.
    MissingExtra
        If that framework is not installed.
    """
    if not is_own(named.model):
        return load_model(named.model, named.framework, device=named.device, precision=named.precision)
    require_framework(named.framework)
    imported(named.framework)  # before the user's code does, and quietly
    model = model_from_text(named.model, named.device, named.precision)
    if model.framework != named.framework:
        raise NotApplicable(f"{named.model} is a {model.framework} network, so it does not run in {named.framework}")
    return model


def identity(model: Model, name: str) -> str:
    """Return the digest of a model's weights, and for a network that one's own code builds of that code too.

    With the code, because an edited forward pass changes the numbers though the weights stay the same.
    """
    if not is_own(name) or name.startswith("file:"):
        return model.weights_id()
    return digest({"weights": model.weights_id(), "source": _source_digest(name.rpartition(":")[0])})


def _source_digest(place: str) -> str:
    if place.endswith(".py"):
        return file_digest(Path(place).expanduser())
    found = importlib.util.find_spec(place)
    origin = Path(found.origin) if found is not None and found.origin else None
    return file_digest(origin) if origin is not None and origin.is_file() else "unknown"
