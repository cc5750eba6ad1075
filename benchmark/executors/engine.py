"""Which executor does the jobs, and how many workers it has: what `run` and the command line take, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from ...errors import BadInput, MissingExtra, UnknownName, suggestion

ENGINES = ("processes", "serial", "dask", "slurm")
_NEEDED = {"dask": ("distributed", "distributed"), "slurm": ("submitit", "slurm")}
"""The package that an engine needs, and the extra that installs it."""


@dataclass(frozen=True)
class Engine:
    """How jobs are done.

    Raises
    ------
    UnknownName
        If there is no such engine.
    BadInput
        If something is asked of it that it has not.
    MissingExtra
        If the package that it needs is not installed.
    """

    name: str = "processes"
    """``processes``: workers on this machine; ``serial``: this process; ``dask``: a cluster of workers; ``slurm``: an
    array of jobs.
    """
    workers: int | None = None
    """How many work side by side: worker processes of each framework, dask's local workers, or jobs of the array; None
    for as many as suit the machine.
    """
    scheduler: str | None = None
    """The address of a dask scheduler that runs already, such as ``tcp://node7:8786``; None for workers here."""
    cell_timeout: float | None = None
    """The seconds that a job may take before its process is ended, ``inf`` for any number; None for so many that only
    what is stuck takes longer.
    """
    slurm: Mapping[str, Any] = field(default_factory=dict)
    """What is asked of Slurm, as submitit names it: ``partition``, ``timeout_min``, ``mem_gb``, and so on."""

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UnknownName(
                f"Unknown engine {self.name!r}.{suggestion(self.name, ENGINES)} Choose one of: {', '.join(ENGINES)}."
            )
        if self.workers is not None and (isinstance(self.workers, bool) or self.workers < 1):
            raise BadInput(f"The number of workers is at least 1, got {self.workers!r}.")
        if self.workers is not None and (self.name == "serial" or self.scheduler is not None):
            who = "The engine serial works in this process" if self.name == "serial" else "A scheduler has its workers"
            raise BadInput(f"{who}: leave out the number of workers.")
        if self.scheduler is not None and self.name != "dask":
            raise BadInput(f"A scheduler is the engine dask's, not {self.name}'s: give --engine dask with --scheduler.")
        if self.slurm and self.name != "slurm":
            raise BadInput(f"What is asked of Slurm is for the engine slurm, not {self.name}: give --engine slurm.")
        if self.cell_timeout is not None and not self.cell_timeout > 0:
            raise BadInput(
                f"--cell-timeout must be a number of seconds above 0 (inf: no limit); got {self.cell_timeout:g}."
            )
        if self.cell_timeout is not None and self.name == "serial":
            raise BadInput(
                "--cell-timeout ends a cell's process, and with --engine serial that is this one. Leave out one of "
                "the two."
            )
        if self.name in _NEEDED:
            package, extra = _NEEDED[self.name]
            if find_spec(package) is None:
                raise MissingExtra(
                    f"The engine {self.name} needs {package}. Install it with: pip install 'heatmark[{extra}]'"
                )

    @classmethod
    def of(cls, engine: str | Engine, cell_timeout: float | None = None) -> Engine:
        """Return an engine, by its name where it is one, with a limit of time where that is given."""
        found = engine if isinstance(engine, Engine) else cls(engine)
        return found if cell_timeout is None else replace(found, cell_timeout=cell_timeout)


def slurm_options(texts: str | None) -> dict[str, Any]:
    """Return what ``name=value,...`` asks of Slurm; BadInput where it cannot be read."""
    found: dict[str, Any] = {}
    for text in texts.split(",") if texts else ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise BadInput(f"What is asked of Slurm is written name=value, such as partition=gpu; got {text!r}.")
        found[name] = int(value) if value.isdigit() else value
    return found
