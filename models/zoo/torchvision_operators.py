"""Importing torchvision where its compiled operators are missing.

The wheels on the public registry are built for CUDA. Beside a CPU build of PyTorch their compiled library does not
load, and the import fails with ``operator torchvision::nms does not exist``, because a Python module registers shape
rules for operators that nobody declared. Classification uses none of them, so declaring them is enough.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import torch

from ...errors import MissingExtra

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> ModuleType:
    """Return torchvision, declaring the operators that its import needs where they are missing.

    Raises
    ------
    MissingExtra
        If torchvision is not installed.
    """
    try:
        return _imported()
    except ModuleNotFoundError as error:
        raise MissingExtra("torchvision is not installed. Install it with: pip install 'heatmark[torch]'") from error


def _imported() -> ModuleType:
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _declared()
    return importlib.import_module("torchvision")


@cache
def _declared() -> Any:
    """Declare the missing operators; the cache keeps the library, without which they would vanish again."""
    make_library: Any = torch.library.Library  # PyTorch does not say its types
    library = make_library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library
