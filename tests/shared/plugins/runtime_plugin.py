"""Networks and methods for tests of runtime benchmarks, loaded as a plugin where another process needs them."""

from __future__ import annotations

from typing import Any

import networks

from heatmark.methods.registry import register_method
from heatmark.models.catalogue import LoadedNetwork, register_model
from heatmark.models.engine import Pairs
from heatmark.models.queries import Query


@register_model("runtime-net", family="test", input_shape=(12, 12, 3))
def runtime_net(framework: str) -> LoadedNetwork:
    model = networks.model_of(networks.plain(), framework)
    return LoadedNetwork(model.net, input_shape=model.input_shape, num_classes=4)


@register_method("greedy", family="test", signed=True)
def greedy(request: Any) -> Any:
    """Never fits into memory."""

    def make(x: Any, chunk: Any) -> Any:
        raise MemoryError("not enough memory: you tried to allocate 9 EiB")

    for _ in request.model.engine.stream(Query(), request.x, None, Pairs.grid(request.count, 1), make):
        pass
    return request.x


@register_method("faulty", family="test", signed=True)
def faulty(request: Any) -> Any:
    """Raises."""
    raise ValueError("broken on purpose")
