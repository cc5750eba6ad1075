"""The array namespaces of both frameworks, on the processor."""

from __future__ import annotations

from heatmark.models.tensors import TensorOperations


def operations_of(framework: str) -> TensorOperations:
    if framework == "torch":
        import torch

        from heatmark.models.torch_tensors import TorchOperations

        return TorchOperations(torch.device("cpu"))
    from heatmark.models.tensorflow_tensors import TensorFlowOperations

    return TensorFlowOperations("/CPU:0")
