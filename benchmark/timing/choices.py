"""What is measured where nothing, or not all, is said: the methods and networks of a run whose folder is named."""

from __future__ import annotations

from pathlib import Path

from ..store.folder import RunStore
from ..suite import Names
from .measure import Choice, chosen


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run of a suite, with which costs can be set beside quality."""
    return (folder / "run.json").is_file()


def choice_for(
    out: Path,
    methods: Names | None = None,
    models: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str = "float32",
    batches: Names = ("1", "chunk"),
) -> Choice:
    """Return what is to be measured; what is not said is that of the run whose folder ``out`` is, or of ``quick``.

    Parameters
    ----------
    out
        The folder of results.
    methods, models, frameworks, device, precision, batches
        As `measure_runtime.chosen` takes them.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    if is_run(out):
        plan = RunStore(out).expected
        methods = methods or tuple(dict.fromkeys(spec.method for spec in plan)) or None
        models = models or tuple(dict.fromkeys(spec.model for spec in plan)) or None
        frameworks = frameworks or tuple(dict.fromkeys(spec.framework for spec in plan)) or None
    return chosen(methods, models, frameworks, device, precision, batches)
