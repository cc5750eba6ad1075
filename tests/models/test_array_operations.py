"""The operations that both frameworks' array namespaces add to the usual ones."""

from __future__ import annotations

import weakref
from itertools import pairwise

import numpy as np
import pytest


def test_blend_takes_either_side_exactly(operations):
    generator = np.random.default_rng(0)
    inside, outside = (generator.standard_normal((5, 3, 4), np.float32) * 1000 for _ in range(2))
    mask = generator.choice(np.array([0.0, 0.25, 1.0], np.float32), (5, 1, 4))
    tensors = (operations.from_numpy(array) for array in (mask, inside, outside))
    blended = operations.to_numpy(operations.blend(*tensors))
    wide = np.broadcast_to(mask, inside.shape)
    assert np.array_equal(blended[wide == 1], inside[wide == 1])
    assert np.array_equal(blended[wide == 0], outside[wide == 0])
    np.testing.assert_allclose(blended, wide * inside + (1 - wide) * outside, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("cuts", [(0, 7), (0, 3, 7), (0, 1, 2, 6, 7)])
def test_collect_joins_chunks_in_order(operations, cuts):
    first = np.arange(14, dtype=np.float32).reshape(7, 2)
    second = np.arange(7)
    parts = (
        (operations.from_numpy(first[begin:end]), operations.from_numpy(second[begin:end]))
        for begin, end in pairwise(cuts)
    )
    joined = [operations.to_numpy(tensor) for tensor in operations.collect(parts, 7)]
    assert np.array_equal(joined[0], first) and np.array_equal(joined[1], second)
    assert joined[1].dtype == second.dtype


def test_torch_lets_go_of_what_it_has_collected():
    torch = pytest.importorskip("torch")
    from heatmark.models.arrays.on_torch import TorchOperations

    alive = []

    def parts():
        for number in range(6):
            # The part before is still bound in the loop that asks for this one; none before that may be.
            assert sum(part() is not None for part in alive) <= 1
            tensor = torch.full((2, 3), float(number))
            alive.append(weakref.ref(tensor))
            yield (tensor,)
            del tensor

    (whole,) = TorchOperations(torch.device("cpu")).collect(parts(), 12)
    assert whole[:, 0].tolist() == [number for number in range(6) for _ in range(2)]
    with pytest.raises(ValueError, match="2 rows together, not 3"):
        TorchOperations(torch.device("cpu")).collect(iter([(torch.zeros(2),)]), 3)
