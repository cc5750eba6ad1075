"""Methods that read a transformer's attention: what each token takes from each other token.

All return the class token's view of the patches. In a network that has no class token (it is read at the mean of its
tokens) that is the mean view of all tokens.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import numpy as np

from ..errors import BadInput
from ..models.arrays.operations import Tensor
from ..models.queries import Answer
from ..parameters import Doc
from ..registry import Reference
from .registry import register_method
from .request import Request

Fusion = Literal["mean", "max", "min"]
_transformer = partial(
    register_method, family="transformer", signed=False, pooling="none", needs=["gradients", "attention"]
)


@_transformer(
    "raw_attention",
    title="Raw Attention",
    needs=["attention"],
    cost="1 forward pass",
    reference=Reference("Dosovitskiy et al.", 2020, "An Image is Worth 16x16 Words", "2010.11929"),
)
def raw_attention(
    request: Request,
    *,
    block: Annotated[
        int,
        Doc(
            "which attention, counted from 0; -1 is the last",
            says={-1: "the last attention", "": "attention number {}, counted from 0"},
            source="Chefer et al. 2021",
        ),
    ] = -1,
) -> Tensor:
    """The attention of the class token to the patches in one layer, the mean over heads; the same for every class.

    Formula
    -------
    R = mean over heads of the class token's attention to the patches, in one layer

    Weaknesses
    ----------
    The same for every class, and one layer's attention is not what the network uses.
    """
    count = len(request.model.attentions())
    if not -count <= block < count:
        raise BadInput(f"raw_attention: there is no block {block}; {request.model.name} has {count}, 0 to {count - 1}.")
    return request.attention_map(lambda answer: _read(request, _over_heads(request, answer.attentions[block])))


@_transformer(
    "attention_rollout",
    title="Attention Rollout",
    needs=["attention"],
    cost="1 forward pass",
    reference=Reference("Abnar, Zuidema", 2020, "Quantifying Attention Flow in Transformers", "2005.00928"),
)
def attention_rollout(
    request: Request,
    *,
    heads: Annotated[
        Fusion,
        Doc(
            "how a layer's heads become one",
            says={
                "mean": "heads are averaged",
                "max": "of heads the largest counts",
                "min": "of heads the least counts",
            },
            source="Abnar and Zuidema 2020: mean",
        ),
    ] = "mean",
    residual: Annotated[
        float,
        Doc(
            "share of what goes past each attention",
            says="{%} goes past each attention",
            source="Abnar and Zuidema 2020: a half",
            low=0,
            high=1,
        ),
    ] = 0.5,
) -> Tensor:
    """The attention that reaches the patches through all layers: the product of their attentions, each half identity.

    It is the same for every class.

    Formula
    -------
    R = product over layers of (residual I + (1 - residual) mean over heads of attention)

    Weaknesses
    ----------
    The same for every class: where attention goes, not what it is for.
    """
    operations = request.operations

    def rolled(answer: Answer) -> Tensor:
        joint = _identity(request, answer)
        for attention in answer.attentions:
            mixed = _over_heads(request, attention, heads)
            if heads != "mean":  # rows of a mean sum to one already
                mixed = mixed / operations.sum(mixed, axis=-1, keepdims=True)
            # (residual I + (1 - residual) A) joint, without the identity matrix
            joint = residual * joint + (1.0 - residual) * operations.einsum("nij,njk->nik", mixed, joint)
        return _read(request, joint)

    return request.attention_map(rolled)


@_transformer(
    "chefer",
    title="Chefer et al.",
    cost="1 forward pass, and 1 backward pass down to the first attention",
    reference=Reference(
        "Chefer, Gur, Wolf",
        2021,
        "Generic Attention-model Explainability for Interpreting Bi-Modal Transformers",
        "2103.15679",
    ),
)
def chefer(request: Request) -> Tensor:
    """Attention times the positive part of its product with the logit's gradient, gathered through all layers.

    Relevance starts as the identity; each layer adds A R, where A is the mean over heads of (gradient x attention)
    without its negative values (equations 5 and 6).

    Formula
    -------
    R += relu(mean over heads of gradient * attention) R, layer by layer, from R = I

    Weaknesses
    ----------
    Only positive parts; values and the dense parts between attentions are not followed.
    """
    operations = request.operations

    def gathered(answer: Answer) -> Tensor:
        relevance = _identity(request, answer)
        for attention, gradient in zip(answer.attentions, answer.attention_gradients, strict=True):
            weighted = _over_heads(request, operations.maximum(gradient * attention, 0.0))
            relevance = relevance + operations.einsum("nij,njk->nik", weighted, relevance)
        return _read(request, relevance)

    return request.attention_map(gathered, gradients=True)


@_transformer(
    "legrad",
    title="LeGrad",
    cost="1 forward and 1 backward pass for each attention layer read",
    reference=Reference(
        "Bousselham et al.",
        2024,
        "LeGrad: An Explainability Method for Vision Transformers via Feature Formation Sensitivity",
        "2404.03214",
    ),
)
def legrad(
    request: Request,
    *,
    blocks: Annotated[
        int | None,
        Doc(
            "how many of the last blocks are read; by default all (the authors' code: 2)",
            says={None: "all blocks are read", "": "the last {} blocks are read"},
            source="heatmark",
            low=1,
        ),
    ] = None,
) -> Tensor:
    """The positive part of gradients at the attentions, the mean over heads, tokens and layers.

    The score of a layer is the logit that the classifier gives to that layer's own features: the network's last
    normalisation and all behind it, fed with the block's output instead of the last block's.

    Formula
    -------
    R = mean over layers, heads and tokens of relu(d f_layer / d attention)

    Weaknesses
    ----------
    Uses the classifier on layers that it was not trained for.
    """
    operations = request.operations
    shortcuts = request.model.tokens.heads_of_blocks()
    chosen = list(enumerate(shortcuts))[-min(blocks or len(shortcuts), len(shortcuts)) :]
    total: Tensor | float = 0.0
    for number, shortcut in chosen:

        def sensitive(answer: Answer, number: int = number) -> Tensor:
            positive = operations.maximum(answer.attention_gradients[number], 0.0)
            return operations.mean(positive, axis=(1, 2))

        total = total + request.attention_map(sensitive, gradients=True, shortcut=shortcut)
    return total / len(chosen)


def _over_heads(request: Request, attention: Tensor, fusion: Fusion = "mean") -> Tensor:
    """Return (m, tokens, tokens) from (m, heads, tokens, tokens)."""
    operations = request.operations
    reductions = {"mean": operations.mean, "max": operations.max, "min": operations.min}
    return reductions[fusion](attention, axis=1)


def _identity(request: Request, answer: Answer) -> Tensor:
    """Return each row's identity matrix, (m, tokens, tokens)."""
    rows, _, tokens, _ = answer.attentions[0].shape
    one = request.operations.from_numpy(np.eye(int(tokens), dtype=np.float32))[None]
    return one + request.operations.zeros((int(rows), 1, 1))


def _read(request: Request, matrix: Tensor) -> Tensor:
    """Return (m, tokens) from (m, tokens, tokens): the row where the network reads its features."""
    grid = request.model.tokens.grid(int(matrix.shape[1]))
    leading = 0 if grid is None else grid.leading
    return matrix[:, 0] if leading else request.operations.mean(matrix, axis=1)
