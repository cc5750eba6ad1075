"""A plugin of next to nothing: a network of one layer, many equal samples of 4 x 4 values, a method that copies them.

What a run of its cells takes is what heatmark itself takes for each: planning, handing out, keeping.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heatmark.datasets.base import Dataset, Sample
from heatmark.datasets.registry import register_dataset
from heatmark.methods.registry import register_method
from heatmark.models.zoo.loading import LoadedNetwork, register_model

SAMPLES = 100_000


class Many(Dataset):
    """Samples that differ in nothing but their ids."""

    name = title = "empty-samples"
    license = "none needed"
    revision = "1"
    class_names = ("a", "b", "c")
    framing = "cropped"

    def __len__(self) -> int:
        return SAMPLES

    def label(self, index: int) -> int:
        return index % 3

    def sample_id(self, index: int) -> str:
        return f"empty/{index}"

    def sample(self, index: int) -> Sample:
        return Sample(self.sample_id(index), np.full((4, 4, 1), 0.5, np.float32), self.label(index))


@register_dataset("empty-samples", family="test")
def empty_samples() -> Dataset:
    """Samples that differ in nothing but their ids."""
    return Many()


@register_model("empty-network", family="test", frameworks=["torch"], input_shape=(4, 4, 1))
def empty_network(framework: str) -> LoadedNetwork:
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    return LoadedNetwork(net, input_shape=(1, 4, 4), num_classes=3)


@register_method("nothing", family="test", signed=True)
def nothing(request: Any) -> Any:
    """The input itself."""
    return request.x
