"""Importing torchvision where its compiled operators are missing.

The wheels on the public registry are built for CUDA. Beside a CPU build of PyTorch their compiled library does not
load, and the import fails with ``operator torchvision::nms does not exist``, because a Python module registers shape
rules for operators that nobody declared. Classification uses none of them, so declaring them is enough.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ...errors import MissingExtra

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_SHAPE_RULES = "torchvision._meta_registrations"
"""The module that registers shape rules; torchvision has tried to load its compiled library before it imports this."""


def import_torchvision() -> ModuleType:
    """Return torchvision, declaring the operators that its import needs where they are missing.

    Raises
    ------
    MissingExtra
        If torchvision is not installed.
    """
    try:
        with torchvision_importable():
            return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        raise MissingExtra("torchvision is not installed. Install it with: pip install 'heatmark[torch]'") from error


@contextmanager
def torchvision_importable() -> Iterator[None]:
    """Let whoever imports torchvision meanwhile (a user's own file, another library) find its operators declared."""
    finder = _DeclaringFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def compiled_operators_missing() -> bool:
    """Return whether torchvision, once imported, lacks its compiled operators, such as those of detection."""
    return not importlib.import_module("torchvision.extension")._has_ops()


class _DeclaringFinder(MetaPathFinder):
    """Finds nothing itself, but declares the missing operators when the module is looked for that needs them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None: the finders after this one go on."""
        if fullname == _SHAPE_RULES:
            _declared()
        return None


@cache
def _declared() -> Any:
    """Declare the missing operators; the cache keeps the library, without which they would vanish again."""
    import torch

    make_library: Any = torch.library.Library  # PyTorch does not say its types
    library = make_library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library
