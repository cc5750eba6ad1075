"""A user's own network, named on the command line: a function that builds it, or a saved Keras model."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import BadInput, HeatmarkError, suggestion, where_raised
from ...identity import digest, file_digest
from ..base import Model
from ..catalogue import MODELS, LoadedNetwork
from ..conventions import Conventions
from ..devices import installed_frameworks, require_framework, resolved_device
from ..importing import imported
from ..queries import FRAMEWORKS, Framework, Precision
from ..reading.weights_read import weights_watched
from ..wrap import framework_of, wrapped
from .saved_keras import check_saved_keras, load_saved_keras, may_be_read_otherwise
from .stated import combined, split_stated
from .torchvision_operators import torchvision_importable

_FORMS = "Write pkg.module:build, file.py:build, file:net.keras or file:net.h5."


def model_from_text(text: str, device: str = "auto", precision: Precision = "float32") -> Model:
    """Return the model that ``--model`` names.

    Parameters
    ----------
    text
        ``pkg.module:build`` or ``file.py:build``, where ``build()`` returns a ``torch.nn.Module``, a ``keras.Model``,
        a `LoadedNetwork` or a `Model`; or ``file:net.keras``, ``file:net.h5`` for a saved Keras model, from which no
        code is run. What is to be stated of it may stand behind it in brackets: see `split_stated`.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``; a `Model` stays where its builder put it.
    precision
        ``float32`` or ``bf16``.

    Raises
    ------
    BadInput
        If the text has another form, there is no such file, module or function, or it returns something else.
    HeatmarkError
        If the user's code raises; the message says what and where.
    """
    text, stated = split_stated(text)
    head, colon, tail = text.rpartition(":")
    if not colon or not head or not tail:
        raise BadInput(f"Cannot read the model {text!r}. {_FORMS}")
    if head == "file":
        return _wrapped(_saved(Path(tail).expanduser()), stated, text, Path(tail).stem, device, precision)
    function = _function(head, tail, text)
    with _users_code(f"{text} failed"), weights_watched() as weights_read:
        found = function()
    model = _wrapped(found, stated, text, text, device, precision)
    model.weights_read = weights_read()
    return model


def _wrapped(found: Any, stated: Conventions, text: str, name: str, device: str, precision: Precision) -> Model:
    """Return the model over what a builder returned or a file holds."""
    if isinstance(found, Model):
        if stated != Conventions():
            raise BadInput(
                f"{text} returned a model that is wrapped already, of which nothing more can be stated: state it where "
                "hm.wrap is called."
            )
        return found
    loaded = found if isinstance(found, LoadedNetwork) else LoadedNetwork(found)
    loaded = replace(loaded, conventions=combined(loaded.conventions, stated))
    framework = _framework_of(loaded.net, text)
    return wrapped(loaded, name, resolved_device(framework, device), precision)


def user_weights_id(text: str) -> str | None:
    """Return what identifies ``--model text`` without loading it: a saved file's digest.

    None where there is no file, or more than it counts: what is stated of the network, or told by looking at it.
    """
    name, stated = split_stated(text)
    head, _, tail = name.rpartition(":")
    path = Path(tail).expanduser()
    if head != "file" or not path.is_file() or stated != Conventions() or may_be_read_otherwise(path):
        return None
    return file_digest(path)


def is_own(name: str) -> bool:
    """Whether a name is ``package.module:build``, ``file.py:build`` or ``file:net.keras`` rather than registered."""
    head, colon, tail = name.partition(":")
    return bool(colon and tail) and f"{head}:" not in MODELS.names()


def _saved(path: Path) -> LoadedNetwork:
    check_saved_keras(path)
    require_framework("tensorflow")
    imported("tensorflow")
    return LoadedNetwork(load_saved_keras(path), weights_id=file_digest(path))


def _framework_of(net: Any, text: str) -> Framework:
    """Return the framework of what a builder returned."""
    try:
        return framework_of(net)
    except BadInput as error:
        raise BadInput(f"{text} returned something that is no network. {error}") from error


def _function(place: str, name: str, text: str) -> Callable[[], Any]:
    """Return the function ``name`` of a module or Python file."""
    with _users_code(f"Importing {place} failed"):
        module = _module_from_file(Path(place).expanduser()) if place.endswith(".py") else _module(place, text)
    function = getattr(module, name, None)
    if not callable(function):
        what = "has no function" if function is None else "has something that cannot be called:"
        raise BadInput(f"{place} {what} {name!r}. It needs a function without arguments that returns the network.")
    return function  # type: ignore[no-any-return]


@contextmanager
def _users_code(failed: str) -> Iterator[None]:
    """Let modules in the working folder be imported, as ``python -m`` does; say where the user's own code raises."""
    try:
        with _importable(str(Path.cwd())), torchvision_importable():
            yield
    except HeatmarkError:
        raise
    except Exception as error:
        _blame_missing_framework(error)
        raise HeatmarkError(f"{failed}: {type(error).__name__}: {error}{where_raised(error)}") from error


def _module(name: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            families = [known for known in MODELS.names() if known.endswith(":")]
            near = suggestion(f"{name}:", families)
            raise BadInput(f"There is no module {error.name!r} for the model {text!r}.{near} {_FORMS}") from error
        raise
    except ValueError as error:
        raise BadInput(f"{name!r} cannot be a module's name. {_FORMS}") from error


def _module_from_file(path: Path) -> ModuleType:
    """Import a Python file under a name of its own; its folder is importable while that goes on."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    name = f"heatmark_user_{path.stem}_{digest(str(path.resolve()))[:8]}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None  # it is a .py file that exists
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and the like look their module up
    try:
        with _importable(str(path.resolve().parent)):
            specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    """Let modules in a folder be imported, after all installed ones."""
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _blame_missing_framework(error: Exception) -> None:
    """Raise MissingExtra, which says how to install it, where the user's code lacks a framework."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        framework = "tensorflow" if package == "keras" else package
        if framework in FRAMEWORKS and framework not in installed_frameworks():
            require_framework(framework)
