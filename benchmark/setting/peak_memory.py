"""The highest memory use during a piece of work."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

from ...models.base import Model

INTERVAL = 0.05
"""Seconds between two looks at the process's resident memory."""


class PeakMemory:
    """Measures the peak while a ``with`` block runs: GPU memory for a model on a GPU, else resident memory.

    Attributes
    ----------
    bytes
        The peak, after the block.
    """

    def __init__(self, model: Model) -> None:
        self.bytes = 0
        self._model = model
        self._on_gpu = not model.on_cpu
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="heatmark-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        if self._on_gpu:
            _reset_gpu_peak(self._model)
        else:
            self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._on_gpu:
            self.bytes = _gpu_peak(self._model)
        else:
            self._stop.set()
            self._watcher.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss)
            if self._stop.wait(INTERVAL):
                return


def _gpu_number(model: Model) -> int:
    number = str(model.device).rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _reset_gpu_peak(model: Model) -> None:
    if model.framework == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats(_gpu_number(model))
    else:
        import tensorflow

        tensorflow.config.experimental.reset_memory_stats(f"GPU:{_gpu_number(model)}")


def _gpu_peak(model: Model) -> int:
    if model.framework == "torch":
        import torch

        return int(torch.cuda.max_memory_allocated(_gpu_number(model)))
    import tensorflow

    return int(tensorflow.config.experimental.get_memory_info(f"GPU:{_gpu_number(model)}")["peak"])
