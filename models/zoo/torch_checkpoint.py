"""Read a PyTorch checkpoint of the old (pre-1.6) format in NumPy, without PyTorch and without running what is in it.

Such a file is a row of pickles (magic number, protocol, machine, the dictionary of tensors, the storage keys) followed
by the raw storages. A pickle may name any function to be called, so this reader knows a handful of harmless names,
maps them to inert code of its own, and refuses every other one.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import BadInput

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class _StorageType:
    """Stands where the file says ``torch.FloatStorage``; it cannot be called."""

    dtype: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    length: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor whose storage has not been read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _RestrictedUnpickler(pickle.Unpickler):
    """Knows the names that a dictionary of tensors needs, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        """Return inert code for a known name; BadInput for every other one."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # A new function each time: what a pickle does to it cannot outlive the reading.
            return _rebuilder()
        if module == "torch" and name in _STORAGE_TYPES:
            return _StorageType(_STORAGE_TYPES[name])
        raise BadInput(f"the file asks for {module}.{name}, which a checkpoint of plain tensors does not need")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor lies in; where it lies (CPU, GPU) does not matter here."""
        match pid:
            case ("storage", _StorageType(dtype), str(key), str(), int(length), None) if length >= 0:
                return _Storage(key, np.dtype(dtype), length)
        raise BadInput(f"the file refers to something other than a whole storage: {pid!r}")


def read_torch_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a checkpoint file by name.

    Parameters
    ----------
    path
        A file written by ``torch.save`` before PyTorch 1.6, holding one dictionary of CPU or GPU tensors.

    Raises
    ------
    BadInput
        If the file is damaged, of another format, or asks for anything but tensors; nothing in it has been run.
    """
    try:
        with path.open("rb") as file:
            return _tensors(file)
    except BadInput as error:
        raise BadInput(f"Cannot read the checkpoint {path}: {error}. Get the file again from its source.") from error
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise BadInput(f"Cannot read the checkpoint {path}: it is damaged ({error}). Get the file again.") from error


def _tensors(file: BinaryIO) -> dict[str, np.ndarray]:
    magic, protocol, machine, state, keys = (_RestrictedUnpickler(file).load() for _ in range(5))
    if magic != _MAGIC or protocol != _PROTOCOL or not isinstance(machine, dict) or not machine.get("little_endian"):
        raise BadInput("it is not a little-endian checkpoint of PyTorch's old format")
    if not isinstance(state, dict) or not all(isinstance(tensor, _Tensor) for tensor in state.values()):
        raise BadInput("it holds something other than a dictionary of tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in state.values()}
    if not isinstance(keys, list) or set(keys) != storages.keys() or len(keys) != len(storages):
        raise BadInput("its list of storages does not fit its tensors")
    data: dict[str, np.ndarray] = {}
    for key in keys:
        storage = storages[key]
        length = int.from_bytes(file.read(8), "little")
        content = file.read(storage.length * storage.dtype.itemsize)
        if length != storage.length or len(content) != storage.length * storage.dtype.itemsize:
            raise BadInput("it ends too early or a storage has another length than its tensor says")
        data[key] = np.frombuffer(content, storage.dtype)
    return {str(name): _array(tensor, data[tensor.storage.key]) for name, tensor in state.items()}


def _array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    """Return a copy of the tensor after checking that it lies inside its storage."""
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    if len(tensor.shape) != len(tensor.strides) or not all(type(number) is int and number >= 0 for number in numbers):
        raise BadInput("a tensor has an impossible shape")
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, storage.dtype)
    if last >= storage.size or math.prod(tensor.shape) > storage.size:  # steps of zero would make much of little
        raise BadInput("a tensor reaches beyond its storage")
    steps = tuple(step * storage.itemsize for step in tensor.strides)
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, steps).copy()


def _rebuilder() -> Callable[..., _Tensor]:
    def rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise BadInput("a tensor has no storage")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))

    return rebuild
