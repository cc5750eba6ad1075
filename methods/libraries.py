"""Other libraries whose attribution methods stand beside heatmark's own, as optional extras."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from ..errors import MissingExtra
from ..models.queries import Framework

_EXTRA = "pip install 'heatmark[peers]'"


@dataclass(frozen=True)
class Library:
    """An installed or missing package that carries methods."""

    name: str
    """What its authors call it."""
    framework: Framework
    """The framework of the networks that it explains."""
    packages: tuple[str, ...]
    """The distributions that must be installed, the library's own first."""
    install: str = _EXTRA
    """The command that installs them."""

    @property
    def version(self) -> str | None:
        """The installed version, or None."""
        return _version(self.packages[0])

    @property
    def missing(self) -> str | None:
        """What is not installed and how to install it, or None where nothing is missing."""
        absent = [package for package in self.packages if _version(package) is None]
        return f"not installed: {', '.join(absent)} ({self.install})" if absent else None

    def module(self, name: str) -> Any:
        """Import one of the library's modules.

        Raises
        ------
        MissingExtra
            If the library, or something that it imports, is not installed.
        """
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{self.name} cannot be imported ({error}). Run: {self.install}") from error


@contextmanager
def seeded_numpy(seed: int) -> Iterator[None]:
    """While active, let NumPy's global generator, which some libraries draw from, run from a seed; restore it after."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """While active, let a library's class or module have another function, such as one with repeatable noise."""
    before = owner.__dict__.get(name, getattr(owner, name))
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


CAPTUM = Library("Captum", "torch", ("captum",))
PYTORCH_GRAD_CAM = Library("pytorch-grad-cam", "torch", ("grad-cam",))
TF_KERAS_VIS = Library("tf-keras-vis", "tensorflow", ("tf-keras-vis",))
#: Its metadata allows neither TensorFlow 2.21 nor SciPy 1.16, with which it runs: so not by the extra, and by itself.
XPLIQUE = Library(
    "Xplique",
    "tensorflow",
    ("xplique", "einops", "tensorflow-probability", "tf-keras"),
    "pip install 'heatmark[peers]' einops tensorflow-probability tf-keras && pip install --no-deps xplique",
)
