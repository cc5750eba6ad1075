"""The bare PyTorch network: a plain loop over chunks, as a careful user writes it, to measure the engine against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..base import Model
from ..probes.at_rest import at_rest

_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def bare_loop(model: Model, size: int, layout: str, backward: bool) -> Callable[[Any], None]:
    """Return a function that sends (n, *input_shape) through the network, ``size`` at a time; see `bare_network`."""

    def run(x: torch.Tensor) -> None:
        with at_rest(model.net), torch.autocast(x.device.type, torch.bfloat16, enabled=model.precision == "bf16"):
            for first in range(0, len(x), size):
                rows = x[first : first + size].contiguous(memory_format=_FORMATS[layout])
                if backward:
                    rows = rows.detach().requires_grad_()
                    torch.autograd.grad(model.logits(rows)[:, 0].sum(), rows)
                else:
                    with torch.inference_mode():
                        model.logits(rows)
        model.synchronise()

    return run
