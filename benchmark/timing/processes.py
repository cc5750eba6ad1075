"""One process per framework and device for runtime benchmarks, so that thread pools and allocators stay apart."""

from __future__ import annotations

from ..executors.processes import WorkerProcess
from .rows import Place, RuntimeSettings


class PlaceProcess(WorkerProcess):
    """A process that holds one framework on one device; started when it is needed, and again after it died.

    Parameters
    ----------
    place
        Framework and device.
    settings
        Threads and plugins.
    """

    def __init__(self, place: Place, settings: RuntimeSettings) -> None:
        title = f"{place.framework} process on {place.device}"
        super().__init__(place.framework, settings.threads, settings.plugins, on_cpu=place.on_cpu, title=title)
