"""Saved Keras models (``.keras``, ``.h5``), loaded so that no code that a file brings or names is run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...declared_sizes import TooLarge, check_hdf5, check_zip
from ...errors import BadInput
from ...identity import parsed_json
from ..devices import require_framework

SUFFIXES = (".keras", ".h5", ".hdf5")
# Layers of Keras itself that run code from the file or read other files that it names.
_REFUSED = frozenset({
    "Lambda", "__lambda__", "__typespec__", "FlaxLayer", "IntegerLookup", "JaxLayer", "StringLookup", "TFSMLayer",
    "TextVectorization", "TorchModuleWrapper",
})  # fmt: skip
# Layers, operations and activations that may show which values a network takes, or what its outputs are.
_TELLING = frozenset({
    "Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract", "Sigmoid", "LogSoftmax", "LogSigmoid",
    "HardSigmoid", "Clip", "sigmoid", "log_sigmoid", "hard_sigmoid", "log_softmax",
})  # fmt: skip
# Where the functions live that a layer may name; others (such as one that downloads a file) are never called.
_FUNCTION_MODULES = ("keras.activations", "keras.src.activations", "keras.initializers", "keras.src.initializers")


def load_saved_keras(path: Path) -> Any:
    """Return the saved keras.Model, uncompiled.

    Parameters
    ----------
    path
        A ``.keras``, ``.h5`` or ``.hdf5`` file.

    Raises
    ------
    BadInput
        If the file is missing, damaged, of another kind, or needs code: Lambda layers, layers of one's own.
    MissingExtra
        If TensorFlow is not installed.
    """
    check_saved_keras(path)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a damaged or foreign file provokes
        raise BadInput(f"Keras cannot load {path}: {error}") from error


def check_saved_keras(path: Path) -> None:
    """Raise what `load_saved_keras` raises, as far as that can be told without importing Keras."""
    require_framework("tensorflow")
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path} is no saved Keras model: its name has to end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        reasons = list(_code_in(_configuration(path)))
    except TooLarge:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"Cannot read {path} as a saved Keras model ({error}). Save the whole model again with model.save()."
        ) from error
    for reason in reasons:
        raise BadInput(
            f"{path} {reason}, and heatmark runs no code from files. Build the model in Python instead and pass "
            "--model pkg.module:build (or file.py:build), where build() returns it with its weights loaded."
        )


def may_be_read_otherwise(path: Path) -> bool:
    """Return whether a saved network may have something that heatmark reads off it, told without importing Keras.

    That is a scaling or normalisation of values of 0 to 255, or a sigmoid or another function at the end of outputs
    whose meaning is told by their values.
    """
    try:
        names = set(_names_in(_configuration(path)))
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):
        return False
    return not names.isdisjoint(_TELLING)


def _names_in(value: Any) -> Iterator[str]:
    """Yield every class and every activation that a description names."""
    if isinstance(value, dict):
        yield from (value[key] for key in ("class_name", "activation") if isinstance(value.get(key), str))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _names_in(item)


def _configuration(path: Path) -> Any:
    """Return the JSON description of the network; TooLarge where the file says that it holds far more than it can."""
    if path.suffix.lower() == ".keras":
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            return parsed_json(archive.read("config.json"))
    import h5py  # comes with Keras

    check_hdf5(path, str(path), path.stat().st_size)
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds weights only")
        text = file.attrs["model_config"]
        return parsed_json(text.decode() if isinstance(text, bytes) else text)


def _code_in(value: Any) -> Iterator[str]:
    """Yield a reason for everything in a description that would need code from the file or from elsewhere."""
    if isinstance(value, list):
        for item in value:
            yield from _code_in(item)
    if not isinstance(value, dict):
        return
    name, module, registered = value.get("class_name"), value.get("module"), value.get("registered_name")
    if isinstance(name, str):
        if name in _REFUSED:
            yield f"has a {name} layer" if name[0].isalpha() else "contains a function"
        elif name == "function" and not str(module).startswith(_FUNCTION_MODULES):
            yield f"calls the function {module}.{value.get('config')}"
        elif module is not None and str(module) != "keras" and not str(module).startswith("keras."):
            yield f"needs the class {module}.{name}, which is not part of Keras"
        elif ">" in name or (isinstance(registered, str) and ">" in registered):
            yield f"needs the class {registered or name}, which is not part of Keras"
    for item in value.values():
        yield from _code_in(item)
