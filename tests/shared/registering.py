"""What tests register, forgotten again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from heatmark.datasets.registry import DATASETS
from heatmark.methods.registry import METHODS
from heatmark.metrics.registry import METRICS
from heatmark.models.catalogue import MODELS

REGISTRIES = (METHODS, METRICS, DATASETS, MODELS)


@contextmanager
def forgotten_again() -> Iterator[None]:
    """Forget what is registered, and which plugins are imported, inside."""
    known = [(registry, registry.names(), dict(registry._entries)) for registry in REGISTRIES]
    modules = set(sys.modules)
    try:
        yield
    finally:
        for registry, _, entries in known:
            registry._entries.clear()
            registry._entries.update(entries)  # type: ignore[arg-type]  # each its own
        for name in set(sys.modules) - modules:
            if name.startswith(("heatmark_plugin_", "pointed")):
                del sys.modules[name]
