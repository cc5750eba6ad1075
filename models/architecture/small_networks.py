"""Small networks for small data: CNNs for small pictures and for series, a VGG, and a vision transformer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import BadInput
from . import nodes, transformer_nodes
from .nodes import INPUT, Architecture, Node, Shape


@dataclass
class _Chain:
    """Nodes in a row, while they are being listed."""

    nodes: list[Node]
    last: str = INPUT

    def add(self, make: Callable[[str], Node]) -> None:
        """Append the node that ``make`` returns for the name of its input."""
        self.nodes.append(make(self.last))
        self.last = self.nodes[-1].name

    def convolve(self, number: int, filters: int, kernel: Shape, stride: int = 1) -> None:
        """Append a SAME convolution and a ReLU."""
        self.add(lambda last: nodes.Convolution(f"convolution{number}", (last,), filters, kernel, stride))
        self.add(lambda last: nodes.Activation(f"relu{number}", (last,)))

    def convolve_normalised(self, number: int, filters: int, kernel: Shape, stride: int = 1) -> None:
        """Append a SAME convolution, batch normalisation and a ReLU."""
        self.add(lambda last: nodes.Convolution(f"convolution{number}", (last,), filters, kernel, stride, bias=False))
        self.add(lambda last: nodes.BatchNorm(f"norm{number}", (last,)))
        self.add(lambda last: nodes.Activation(f"relu{number}", (last,)))

    def pool(self, number: int, kernel: Shape) -> None:
        """Append a max pool that moves by its own width."""
        self.add(lambda last: nodes.MaxPool(f"pool{number}", (last,), kernel, kernel[0]))

    def classify(self, classes: int, features: int, dropout: float) -> None:
        """Append the flattening, one hidden dense layer, dropout, and the classifier."""
        self.add(lambda last: nodes.Flatten("flatten", (last,)))
        self.add(lambda last: nodes.Dense("features", (last,), features))
        self.add(lambda last: nodes.Activation("features_relu", (last,)))
        self.add(lambda last: nodes.Dropout("dropout", (last,), dropout))
        self.add(lambda last: nodes.Dense("classifier", (last,), classes))

    def attend(self, block: str, width: int, heads: int) -> None:
        """Append a transformer's block: attention and two dense layers, each normalised before and added behind."""
        start = self.last
        self.add(lambda last: transformer_nodes.LayerNorm(f"{block}_norm1", (last,)))
        self.add(lambda last: transformer_nodes.TokenDense(f"{block}_queries_keys_values", (last,), 3 * width))
        self.add(lambda last: transformer_nodes.SelfAttention(f"{block}_attention", (last,), heads))
        self.add(lambda last: transformer_nodes.TokenDense(f"{block}_mixed", (last,), width))
        self.add(lambda last: nodes.Add(f"{block}_sum1", (start, last)))
        middle = self.last
        self.add(lambda last: transformer_nodes.LayerNorm(f"{block}_norm2", (last,)))
        self.add(lambda last: transformer_nodes.TokenDense(f"{block}_hidden", (last,), 2 * width))
        self.add(lambda last: transformer_nodes.Gelu(f"{block}_gelu", (last,)))
        self.add(lambda last: transformer_nodes.TokenDense(f"{block}_out", (last,), width))
        self.add(lambda last: nodes.Add(f"{block}_sum2", (middle, last)))


def small_cnn(input_shape: Shape, num_classes: int) -> Architecture:
    """Return two convolutions (three from 16 pixels on), each with a pool after it except the first."""
    _require(input_shape, rank=3, smallest=4, network="small-cnn")
    chain = _Chain([])
    chain.convolve(1, 16, (3, 3))
    chain.convolve(2, 32, (3, 3))
    chain.pool(2, (2, 2))
    if min(input_shape[:2]) >= 16:
        chain.convolve(3, 32, (3, 3))
        chain.pool(3, (2, 2))
    chain.classify(num_classes, features=64, dropout=0.25)
    return Architecture("small-cnn", input_shape, tuple(chain.nodes), chain.last)


def vgg7(input_shape: Shape, num_classes: int) -> Architecture:
    """Return five convolutions in three blocks and two dense layers: the VGG plan (arXiv 1409.1556) at a small size."""
    _require(input_shape, rank=3, smallest=8, network="vgg7")
    chain, number = _Chain([]), 0
    for block, widths in enumerate(((16, 16), (32, 32), (64,)), start=1):
        for width in widths:
            number += 1
            chain.convolve(number, width, (3, 3))
        chain.pool(block, (2, 2))
    chain.classify(num_classes, features=128, dropout=0.5)
    return Architecture("vgg7", input_shape, tuple(chain.nodes), chain.last)


def pooled_cnn(input_shape: Shape, num_classes: int) -> Architecture:
    """Return four normalised convolutions and an average over all places: what is seen counts, and not where."""
    _require(input_shape, rank=3, smallest=16, network="pooled-cnn")
    chain = _Chain([])
    chain.convolve_normalised(1, 16, (5, 5), stride=2)
    chain.pool(1, (2, 2))
    chain.convolve_normalised(2, 32, (3, 3))
    chain.convolve_normalised(3, 48, (3, 3))
    chain.pool(3, (2, 2))
    chain.convolve_normalised(4, 64, (3, 3))
    chain.add(lambda last: nodes.GlobalAveragePool("average", (last,)))
    chain.add(lambda last: nodes.Dense("classifier", (last,), num_classes))
    return Architecture("pooled-cnn", input_shape, tuple(chain.nodes), chain.last)


def cnn_1d(input_shape: Shape, num_classes: int) -> Architecture:
    """Return three convolutions over a series, two of which halve it, and two dense layers."""
    _require(input_shape, rank=2, smallest=8, network="cnn-1d")
    chain = _Chain([])
    chain.convolve(1, 32, (5,))
    chain.convolve(2, 64, (5,), stride=2)
    chain.convolve(3, 64, (3,), stride=2)
    chain.classify(num_classes, features=64, dropout=0.25)
    return Architecture("cnn-1d", input_shape, tuple(chain.nodes), chain.last)


def vit_tiny(input_shape: Shape, num_classes: int, blocks: int = 2, width: int = 64, heads: int = 4) -> Architecture:
    """Return a vision transformer (arXiv 2010.11929): normalisation before each step, read at a class token.

    Patches have 2 positions a side below 16, 4 below 40 and 8 from there; series are cut in the same way.
    """
    _require(input_shape, rank=2 if len(input_shape) == 2 else 3, smallest=4, network="vit-tiny")
    side = min(input_shape[:-1])
    patch = 2 if side < 16 else 4 if side < 40 else 8
    chain = _Chain([])
    chain.add(lambda last: nodes.Convolution("patches", (last,), width, (patch,) * (len(input_shape) - 1), patch))
    chain.add(lambda last: transformer_nodes.Tokens("tokens", (last,)))
    chain.add(lambda last: transformer_nodes.ClassToken("class_token", (last,)))
    chain.add(lambda last: transformer_nodes.PositionEmbedding("positions", (last,)))
    for block in range(1, blocks + 1):
        chain.attend(f"block{block}", width, heads)
    chain.add(lambda last: transformer_nodes.LayerNorm("norm", (last,)))
    chain.add(lambda last: transformer_nodes.FirstToken("first", (last,)))
    chain.add(lambda last: nodes.Dense("classifier", (last,), num_classes))
    return Architecture("vit-tiny", input_shape, tuple(chain.nodes), chain.last)


#: What ``heatmark train`` can train.
NETWORKS: dict[str, Callable[[Shape, int], Architecture]] = {
    "small-cnn": small_cnn,
    "vgg7": vgg7,
    "pooled-cnn": pooled_cnn,
    "cnn-1d": cnn_1d,
    "vit-tiny": vit_tiny,
}


def _require(shape: Shape, rank: int, smallest: int, network: str) -> None:
    """Raise BadInput unless the samples have the rank and size that the network needs."""
    if len(shape) != rank or min(shape[:-1]) < smallest:
        wanted = "pictures (height, width, channels)" if rank == 3 else "series (length, channels)"
        raise BadInput(f"{network} takes {wanted} of at least {smallest} positions a side, not samples of {shape}.")
