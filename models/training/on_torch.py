"""One network under training in PyTorch: an update for each batch that the recipe deals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..architecture.nodes import Architecture
from ..architecture.on_torch import build_torch, torch_weights
from .trainer import ADAM_EPSILON, Trainer


class TorchTrainer(Trainer):
    """See `Trainer`."""

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, np.ndarray], weight_decay: float, seed: int
    ) -> None:
        self._network = build_torch(architecture, weights)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=0.0, betas=(0.9, 0.999), eps=ADAM_EPSILON, weight_decay=weight_decay
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._random_state = torch.get_rng_state()

    def update(self, x: np.ndarray, y: np.ndarray, learning_rate: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._network.train()
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.set_rng_state(self._random_state)
            loss = torch.nn.functional.cross_entropy(self._network(_channels_first(x)), torch.from_numpy(y))
            self._random_state = torch.get_rng_state()
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        self._network.eval()
        return float(loss.detach())

    def logits(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(self._network(_channels_first(x)).numpy())

    def weights(self) -> dict[str, np.ndarray]:
        return torch_weights(self._network)


def _channels_first(x: np.ndarray) -> torch.Tensor:
    """Return (n, *spatial, channels) as (n, channels, *spatial)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))
