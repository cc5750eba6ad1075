"""What was measured in one setting: every method's rows, coverage and cost, and one array of all scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...benchmark.store.cell import Task
from ...benchmark.store.finished import Cell

FRAMEWORK_NAMES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


def framework_text(framework: str, precision: str = "float32") -> str:
    """Return a framework as people write it, with the precision where it is not the usual one."""
    name = FRAMEWORK_NAMES.get(framework, framework)
    return name if precision == "float32" else f"{name} ({precision})"


class Setting(NamedTuple):
    """What one leaderboard table holds fixed."""

    task: Task
    precision: str
    target: str
    framework: str
    variant: str = ""
    """What tells it from other tables of the same task on the board, such as ``10 samples``; often nothing."""

    @property
    def framework_name(self) -> str:
        """The framework as people write it, with the precision where it is not the usual one."""
        return framework_text(self.framework, self.precision)

    @property
    def title(self) -> str:
        """The table's title."""
        return f"{self.task_title} · {self.framework_name}"

    @property
    def task_title(self) -> str:
        """What the tables of one task in all frameworks are headed with."""
        return f"{self.task} ({self.variant})" if self.variant else str(self.task)

    @property
    def columns(self) -> dict[str, str]:
        """What it is by the names that columns of data have for it."""
        return {
            "model": self.task.shown_model,
            "dataset": self.task.dataset,
            "framework": self.framework,
            "precision": self.precision,
            "target": self.target,
            "variant": self.variant,
        }

    @property
    def in_all_frameworks(self) -> tuple[Task, str, str, str]:
        """What it has in common with the same in another framework."""
        return self.task, self.precision, self.target, self.variant


@dataclass(frozen=True)
class Coverage:
    """How much of a method's work is done: cells and samples, there and expected."""

    cells: int
    expected_cells: int
    samples: int
    expected_samples: int
    failed: int = 0

    @property
    def complete(self) -> bool:
        """Whether every expected cell is there."""
        return self.cells >= self.expected_cells > 0

    @property
    def text(self) -> str:
        """Samples there of samples expected, with the number of failed cells."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.samples}/{self.expected_samples}{failed}"


@dataclass(frozen=True)
class MethodCost:
    """What one image costs a method."""

    seconds: float
    """Wall time of explaining, per image: the median over images, each with its share of its batch's time."""
    relative: float
    """The same in bare forward passes of the same network in the same worker."""
    forward: float
    backward: float
    """Exact passes per image."""
    score_seconds: float
    """Wall time of scoring, per image, all metrics together; the median as well."""
    verified: bool = True
    """Whether heatmark counted the passes itself; a method that runs in a sandbox counts its own."""


@dataclass(frozen=True, eq=False)
class MethodRun:
    """One method in one setting."""

    method: str
    """Its name on the board: its canonical text, and what tells it from another method of that text."""
    text: str
    identity: Mapping[str, Any]
    """Its canonical text, and what its cells recorded of it."""
    rows: pd.DataFrame
    """One per sample of each of its cells; scores are in columns ``score:NAME`` by the metrics' names on the board."""
    provenances: tuple[Mapping[str, Any], ...]
    """Of its cells."""
    coverage: Coverage
    cost: MethodCost
    asked: frozenset[str] = frozenset()
    """The metrics that its cells were to be scored with, and those that were added later."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Those among them that have no meaning for its maps in any cell, with the reason."""
    cells: tuple[Cell, ...] = field(default=(), repr=False)
    """Where its curves and heatmaps are: the rows are those of these cells, after one another."""
    runs: frozenset[Path] = frozenset()
    """The runs that its cells come from."""

    def maps(self) -> pd.DataFrame:
        """Return the rows that have a heatmap, with the heatmap and its shape; empty where none have."""
        found = [cell.maps() for cell in self.cells if cell.heatmaps]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def __repr__(self) -> str:
        return f"<MethodRun of {self.method}: {self.coverage.text} samples>"


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that was measured in one setting."""

    setting: Setting
    """Task, precision, target and framework."""
    methods: tuple[MethodRun, ...]
    """In the plan's order, without those that do not apply."""
    metrics: tuple[str, ...]
    """Their names on the board, in the order of first appearance: canonical texts, and what tells a metric from another
    one of its text. ``metric_texts`` and ``metric_identities`` stand beside them.
    """
    metric_texts: tuple[str, ...]
    metric_identities: tuple[Mapping[str, Any], ...]
    samples: tuple[str, ...]
    """Sample ids, in the dataset's order."""
    scores: np.ndarray
    """float64 (metrics, methods, samples), NaN where missing or undefined; averaged over seeds."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """The metrics that have no meaning here, with the reason; they are not among ``metrics``."""
    weights: str = ""
    revision: str = ""
    device: str = ""
    """The SHA-256 of the model's weights, the dataset's revision, and the device, which are the same for all cells."""
    seeds: tuple[int, ...] = ()
    """The seeds of its cells, rising."""

    def __repr__(self) -> str:
        metrics, methods, samples = self.scores.shape
        return f"<Results of {self.setting.title}: {methods} methods, {metrics} metrics, {samples} samples>"
