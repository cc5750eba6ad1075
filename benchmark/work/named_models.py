"""Models by the names that a run takes: registered ones, and networks of one's own by where they are built."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...identity import digest, file_digest
from ...models.base import Model
from ...models.devices import require_framework
from ...models.importing import imported
from ...models.queries import FRAMEWORKS
from ...models.zoo.loading import find_model, load_model, weights_id
from ...models.zoo.saved_keras import check_saved_keras
from ...models.zoo.stated import split_stated
from ...models.zoo.user_models import is_own as is_own
from ...models.zoo.user_models import user_weights_id
from .messages import NamedModel


def check_name(name: str) -> None:
    """Raise UnknownName for a model that is not registered, BadInput for a file of one's own that cannot be used."""
    if not is_own(name):
        find_model(name)
        return
    head, _, tail = split_stated(name)[0].rpartition(":")
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
    if is_own(named.model):
        require_framework(named.framework)
        imported(named.framework)  # before the user's code does, and quietly
    return load_model(named.model, named.framework, device=named.device, precision=named.precision)


def identity(model: Model, name: str) -> str:
    """Return the digest of a model's weights and of how its inputs and outputs are read, where that is unusual.

    For a network that one's own code builds of that code too: an edited forward pass changes the numbers though the
    weights stay the same.
    """
    if (known := identity_without_loading(name)) is not None:
        return known
    parts: dict[str, Any] = {"weights": model.weights_id(), **({"read": model.read_as} if model.read_as else {})}
    if is_own(name) and not name.startswith("file:"):
        parts["source"] = _source_digest(split_stated(name)[0].rpartition(":")[0])
    return model.weights_id() if len(parts) == 1 else digest(parts)


def _source_digest(place: str) -> str:
    if place.endswith(".py"):
        return file_digest(Path(place).expanduser())
    found = importlib.util.find_spec(place)
    origin = Path(found.origin) if found is not None and found.origin else None
    return file_digest(origin) if origin is not None and origin.is_file() else "unknown"
