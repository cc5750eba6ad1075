"""Networks whose answer to any subset of their features is known: a linear one, and one that looks at a square."""

from __future__ import annotations

import networks
import numpy as np
import pytest

from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

# A dozen features, some of which speak against the class; the second logit is always zero.
WEIGHT = np.array([[3.0, -1.0, 2.0, 0.5, -2.5, 1.0, 0.25, -0.75, 1.5, 4.0, -0.1, 0.6], [0.0] * 12], np.float32)
INPUT = np.random.default_rng(3).uniform(0.2, 1.0, (2, 12)).astype(np.float32)
CONTRIBUTIONS = WEIGHT[:1] * INPUT


def linear(framework="torch"):
    return networks.linear(framework, WEIGHT, np.array([0.5, 0.0], np.float32))


def picture_network():
    """Only a square inside speaks for the class; the rest of the picture does nothing, or speaks against it."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2))
    mask = np.zeros((16, 16), bool)
    mask[3:11, 5:13] = True
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0] = torch.tensor(0.3 * mask.ravel())
        net[1].weight[0, 250:] = -0.2
        net[1].bias.copy_(torch.tensor([-11.5, 0.0]))
    rng = np.random.default_rng(1)
    x = (rng.integers(0, 60, (3, 1, 16, 16)) + 140 * mask + rng.integers(0, 50, (3, 1, 16, 16)) * mask) / 255
    return wrap(net, input_shape=(1, 16, 16)), x.astype(np.float32), np.repeat(mask[None], 3, axis=0)
