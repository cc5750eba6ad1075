"""The array namespaces of both frameworks, on the processor."""

from __future__ import annotations

from heatmark.models.arrays.operations import TensorOperations


def operations_of(framework: str) -> TensorOperations:
    if framework == "torch":
        import torch

        from heatmark.models.arrays.on_torch import TorchOperations

        return TorchOperations(torch.device("cpu"))
    from heatmark.models.arrays.on_tensorflow import TensorFlowOperations

    return TensorFlowOperations("/CPU:0")
