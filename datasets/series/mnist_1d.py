"""``mnist1d``: series of 40 values made by the generator of the mnist1d package."""

from __future__ import annotations

import importlib
import random
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ...declared_sizes import check_zip
from ...errors import MissingExtra
from ...identity import array_digest, digest
from ...parameters import Doc
from ...registry import Reference
from ...storage import cache_folder, set_aside_aloud, written_whole
from ..arrays import dataset_of_parts
from ..base import Dataset
from ..installed import missing
from ..registry import register_dataset
from ..small_images.digits import DIGIT_NAMES

LICENSE = "MNIST-1D (S. Greydanus), Apache-2.0; generated, not downloaded."
# The generator's own defaults, fixed here so that another version of the package cannot change the data unseen.
ARGUMENTS = {
    "num_samples": 5000,
    "train_split": 0.8,
    "template_len": 12,
    "padding": [36, 60],
    "scale_coeff": 0.4,
    "max_translation": 48,
    "corr_noise_scale": 0.25,
    "iid_noise_scale": 2e-2,
    "shear_scale": 0.75,
    "shuffle_seq": False,
    "final_seq_length": 40,
    "seed": 42,
}
# The generator gives mean 0 and standard deviation 1 with values from -5.48 to 4.53.
DOMAIN = (-6.0, 6.0)
# Signed values whose mean over all samples is zero: a series that says nothing stays there.
NEUTRAL = 0.0
# Rounding hides the last bits, which may differ between processors and versions of SciPy.
GRID = 1.2e-5
NAMES = ("x", "y", "x_test", "y_test")


@register_dataset(
    "mnist1d",
    title="MNIST-1D",
    family="series",
    kind="series",
    summary="5,000 series of 40 values, 10 classes, made by the mnist1d package's generator",
    reference=Reference("Greydanus and Kobak", 2020, "Scaling down deep learning with MNIST-1D", "2011.14439"),
    license=LICENSE,
    requires=("mnist1d",),
)
def load_mnist1d(*, split: Annotated[str, Doc("which part", choices=("test", "train"))] = "test") -> Dataset:
    """Return a split of MNIST-1D (1,000 test, 4,000 train), 40 x 1.

    Values are the generator's own, standardised over the whole set and rounded to multiples of 0.000012; they lie
    within [-6, 6], and zero is their mean. The arrays are made once and kept in the cache; Python's and
    NumPy's global random states stay as they were.

    Raises
    ------
    MissingExtra
        If mnist1d is not installed.
    StorageError
        If the cache cannot be written.
    """
    path = cache_folder("datasets", "mnist1d") / f"mnist1d-{_key()[:16]}.npz"
    arrays = _cached(path)
    if arrays is None:
        arrays = _generated()
        stored: dict[str, Any] = {"checksum": array_digest(*arrays.values()), **arrays}
        with written_whole(path) as part, part.open("wb") as file:
            np.savez(file, **stored)
    parts = {"train": (arrays["x"], arrays["y"]), "test": (arrays["x_test"], arrays["y_test"])}
    return dataset_of_parts("mnist1d", parts, split, DIGIT_NAMES, folder=path.parent, domain=DOMAIN, neutral=NEUTRAL)


def _key() -> str:
    """Return what the cached arrays depend on."""
    try:
        version = metadata.version("mnist1d")
    except metadata.PackageNotFoundError as error:
        raise missing("mnist1d", "mnist1d") from error
    return digest({"version": version, "arguments": ARGUMENTS, "grid": GRID})


def _cached(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays in the cache; a file that cannot be read or has other content is set aside."""
    if not path.exists():
        return None
    try:
        check_zip(path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in NAMES}
            if str(stored["checksum"]) == array_digest(*arrays.values()):
                return arrays
    except (OSError, ValueError, MemoryError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    set_aside_aloud(path, f"The file {path} is damaged.")
    return None


def _generated() -> dict[str, np.ndarray]:
    """Run the generator."""
    try:
        package = importlib.import_module("mnist1d.data")
        views = importlib.import_module("mnist1d.utils")
    except ImportError as error:
        raise MissingExtra(
            f"The package mnist1d cannot be imported ({error}). Run: pip install 'heatmark[samples]'"
        ) from error
    with _random_state_kept():
        made = package.make_dataset(views.ObjectView(dict(ARGUMENTS)))
    arrays = {}
    for name in NAMES:
        values = np.asarray(made[name])
        if name.startswith("x"):
            arrays[name] = (np.round(values / GRID) * GRID).astype(np.float32)[..., np.newaxis]
        else:
            arrays[name] = values.astype(np.int64)
    return arrays


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the global random states, which the generator seeds."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
