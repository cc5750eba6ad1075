"""Importing a framework without the chatter of its native code, and a file that is no installed module."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

LOUD = "tensorflow"
"""The framework whose import writes to standard error."""


def imported(framework: str) -> ModuleType:
    """Import ``torch`` or ``tensorflow`` and return it.

    TensorFlow reports on processors and drivers at import, whatever its log level says. What native code writes to
    standard error meanwhile is passed on only if the import fails.

    Raises
    ------
    ImportError
        If it is not installed or cannot be imported.
    """
    if framework in sys.modules:
        return sys.modules[framework]
    with _chatter_held_back():
        return importlib.import_module(framework)


class _SourceAlone(SourceFileLoader):
    """Compiles the file itself: a compiled copy beside it might be of other code, and none is left there."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file."""
        return self.source_to_code(self.get_data(self.path), self.path)


def module_from_file(path: Path, name: str) -> ModuleType:
    """Import a Python file under a module name of its own; once, as long as it is the same file.

    Whatever its code raises is raised, and the module is forgotten then.
    """
    known = sys.modules.get(name)
    if known is not None and Path(str(known.__file__)).resolve() == path.resolve():
        return known
    loader = _SourceAlone(name, str(path.resolve()))
    found = importlib.util.spec_from_file_location(name, path.resolve(), loader=loader)
    if found is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and the like look their module up
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def keep_imports_quiet() -> None:
    """From now on, hold the chatter back whoever imports TensorFlow; for a process of heatmark's own.

    A user's file may import Keras where heatmark itself needs no TensorFlow.
    """
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds the loud framework as usual, but holds back what it writes while it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the usual specification with a quiet loader; None for every other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == LOUD else None
        if spec is None or spec.loader is None:
            return None
        loader, load = spec.loader, spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            del loader.exec_module  # the instance's own, so that the loader is again as it was
            with _chatter_held_back():
                load(module)

        loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _chatter_held_back() -> Iterator[None]:
    """Keep what is written to file descriptor 2 in a file, and write it out if the block raises."""
    try:
        original = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            except BaseException:
                held.seek(0)
                os.write(original, held.read())
                raise
            finally:
                os.dup2(original, 2)
    finally:
        os.close(original)
