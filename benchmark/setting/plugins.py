"""Modules of the user's that register methods, metrics, models or datasets."""

from __future__ import annotations

import importlib
import multiprocessing
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ...errors import BadInput, UnknownName, error_in_words
from ...identity import digest
from ...models.importing import module_from_file
from ...models.zoo.torchvision_operators import torchvision_importable
from ...registry import Entry, declaration_of
from ..isolation.levels import LEVELS, Level, require
from ..isolation.stand_ins import isolated_methods


def load_plugins(plugins: Iterable[str]) -> None:
    """Import each plugin: a module's import path, or the path of a ``.py`` file; warn of one that registers nothing.

    A file that is not trusted (``untrusted:PATH``) is not imported here: see `isolated_methods`.

    Raises
    ------
    UnknownName
        If there is no such module or file.
    BadInput
        If importing it fails.
    """
    for plugin in plugins:
        before = {id(entry) for entry in _registered()}
        with torchvision_importable():
            if (untrusted := untrusted_file(plugin)) is not None:
                isolated_methods(untrusted[0], plugin_module(plugin), require(untrusted[1]))
            elif plugin.endswith(".py"):
                _import_file(Path(plugin))
            else:
                _import_module(plugin)
        name = plugin_module(plugin)
        own = [entry for entry in _registered() if f"{entry.origin}.".startswith(f"{name}.") or id(entry) not in before]
        if not own and multiprocessing.parent_process() is None:
            warnings.warn(
                f"The plugin {plugin} registers no method, metric, model or dataset, so nothing of it can be named. "
                'Put a decorator such as @hm.register_method("name", family="own", signed=True) above the function.',
                stacklevel=2,
            )


def untrusted_file(plugin: str) -> tuple[Path, Level | None] | None:
    """Return the file of a plugin that is not trusted (``untrusted:PATH``), and its level (``untrusted[LEVEL]:PATH``).

    Without one it is the strongest that keeps its promises here.

    Raises
    ------
    BadInput
        For a level that there is not.
    """
    found = re.fullmatch(r"untrusted(?:\[(\w*)\])?:(.+)", plugin)
    if found is None:
        return None
    if found[1] is not None and found[1] not in LEVELS:
        raise BadInput(f"There is no isolation level {found[1]!r}: choose {', '.join(LEVELS)}.")
    level = next((level for level in LEVELS if level == found[1]), None)
    return Path(found[2]).expanduser(), level


def trusting(plugins: Iterable[str]) -> tuple[str, ...]:
    """Return plugins with the files that are not trusted as ones that are, which run as one's own code does."""
    found = [(plugin, untrusted_file(plugin)) for plugin in plugins]
    return tuple(plugin if file is None else str(file[0]) for plugin, file in found)


def _registered() -> list[Entry]:
    """Return what users' own modules have registered so far."""
    from ...datasets.registry import DATASETS
    from ...methods.registry import METHODS
    from ...metrics.registry import METRICS
    from ...models.catalogue import MODELS

    return [*METHODS.others(), *METRICS.others(), *MODELS.others(), *DATASETS.others()]


def plugin_module(plugin: str) -> str:
    """Return the name under which a plugin's module is imported: two files of one name are two modules."""
    untrusted = untrusted_file(plugin)
    if untrusted is None and not plugin.endswith(".py"):
        return plugin
    path = (Path(plugin) if untrusted is None else untrusted[0]).resolve()
    name = f"heatmark_plugin_{path.stem}"
    known = getattr(sys.modules.get(name), "__file__", None)
    free = untrusted is None and (known is None or Path(known).resolve() == path)
    return name if free else f"{name}_{digest(str(path))[:8]}"


def plugin_text(plugin: object) -> str:
    """Return a plugin as workers are told it: a text as it is; of a module, or of what was registered, its module."""
    if isinstance(plugin, str | Path):
        return str(plugin)
    if not isinstance(plugin, ModuleType) and not callable(plugin):
        raise BadInput(f"A plugin is a module's name, a .py file, a module or a registered function; got {plugin!r}.")
    module = plugin if isinstance(plugin, ModuleType) else sys.modules[declaration_of(plugin).__module__]
    if module.__name__ == "__main__":
        return main_plugin()
    specification = module.__spec__
    if module.__name__.startswith("heatmark_plugin_") and specification is not None and specification.origin:
        return specification.origin
    return module.__name__


def main_plugin() -> str:
    """Return the running script as a plugin, so that worker processes know what it registers.

    Raises
    ------
    BadInput
        In an interactive session, which no other process can import.
    """
    main = sys.modules["__main__"]
    specification = getattr(main, "__spec__", None)
    if specification is not None:
        return str(specification.name)
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).is_file():
        raise BadInput(
            "A method or metric was registered in an interactive session, which worker processes cannot import. Put "
            "it in a file and pass plugins=['that_file.py'], or use engine='serial'."
        )
    return str(Path(path).resolve())


def refuse_in_worker() -> None:
    """Raise BadInput in a worker process: a script that registers methods is imported there and must not run again."""
    if multiprocessing.parent_process() is not None and multiprocessing.current_process().name.startswith("heatmark-"):
        raise BadInput(
            "This script starts a run whenever it is imported, also by the run's own worker processes. Put the call "
            'under `if __name__ == "__main__":`.'
        )


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
        raise _broken(name, error) from error


def _import_file(path: Path) -> None:
    """Import a file once under a name made of its stem, so that what it registers names it as its origin."""
    if not path.is_file():
        raise UnknownName(f"There is no plugin file {path}.")
    try:
        module_from_file(path, plugin_module(str(path)))
    except Exception as error:
        raise _broken(str(path), error) from error


def _broken(plugin: str, error: Exception) -> BadInput:
    return BadInput(f"The plugin {plugin} cannot be imported: {error_in_words(error)}")
