"""Modules of the user's that register methods, metrics, models or datasets."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import BadInput, UnknownName


def load_plugins(plugins: Iterable[str]) -> None:
    """Import each plugin: a module's import path, or the path of a ``.py`` file.

    Raises
    ------
    UnknownName
        If there is no such module or file.
    BadInput
        If importing it fails.
    """
    for plugin in plugins:
        if plugin.endswith(".py"):
            _import_file(Path(plugin))
        else:
            _import_module(plugin)


def _import_module(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UnknownName(
                f"There is no module {name!r} to load as a plugin. Give its import path, or the path of a .py file."
            ) from error
        raise BadInput(f"The plugin {name} cannot be imported: {error}.") from error
    except Exception as error:
        raise BadInput(f"The plugin {name} cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> None:
    """Import a file once under a name made of its stem, so that what it registers names it as its origin."""
    if not path.is_file():
        raise UnknownName(f"There is no plugin file {path}.")
    name = f"heatmark_plugin_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and Path(str(known.__file__)).resolve() == path.resolve():
        return
    found = importlib.util.spec_from_file_location(name, path.resolve())
    if found is None or found.loader is None:
        raise BadInput(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise BadInput(f"The plugin {path} cannot be imported: {type(error).__name__}: {error}") from error
