"""Cells: the unit of work and of storage, and the key that names everything a cell's numbers depend on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import BadInput
from ...identity import canonical_json, digest
from ...models.queries import Precision
from ...models.zoo.loading import shown_name

SCHEMA = 2
"""The version of the results folder; raised whenever the meaning of a stored number changes."""

UNKNOWN_WEIGHTS = "unknown"
"""Stands for the weights digest of a model that could not be loaded; such a cell only ever fails."""


@dataclass(frozen=True)
class Task:
    """A model on a dataset."""

    model: str
    dataset: str
    """Their names."""
    weights: str = field(default="", compare=False)
    """The SHA-256 of the model's weights where it is known; it only tells how the model is shown."""

    @property
    def shown_model(self) -> str:
        """What tables call the model."""
        return shown_name(self.model, self.weights)

    def __str__(self) -> str:
        return f"{self.shown_model} on {self.dataset}"


@dataclass(frozen=True, kw_only=True)
class KeyedSpec:
    """What the numbers of a method on a model and a dataset depend on, whoever asks for them.

    Batch size, chunk sizes and the number of gallery samples are absent on purpose: no score depends on them.
    """

    model: str
    model_weights: str
    """The model's name and the SHA-256 of its weights."""
    dataset: str
    dataset_revision: str
    """The dataset's name and revision."""
    method: str
    method_identity: Mapping[str, Any] = field(repr=False)
    """The method's canonical text and its name, version and all parameters."""
    framework: str
    """``torch`` or ``tensorflow``."""
    device_class: str = "cpu"
    """``cpu``, or the name of the GPU."""
    seed: int = 0
    """The seed of noise and masks."""
    schema: int
    """The version of what is kept under the key; raised whenever the meaning of a stored number changes."""

    @cached_property
    def key(self) -> str:
        """The SHA-256 of the canonical JSON of all fields."""
        return digest(self.plain())

    @property
    def task(self) -> Task:
        """The model and the dataset."""
        return Task(self.model, self.dataset, self.model_weights)

    @property
    def label(self) -> str:
        """The piece of work in one line, for progress and messages."""
        return f"{self.task} · {self.method} · {self.framework}"

    def plain(self) -> dict[str, Any]:
        """Return the fields as JSON types; what is a mapping or a list is the specification's own."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, kw_only=True)
class CellSpec(KeyedSpec):
    """What the numbers of one cell of a run depend on."""

    first: int
    last: int
    """The sample range, ``first <= index < last``."""
    metrics: tuple[str, ...]
    metric_identities: tuple[Mapping[str, Any], ...] = field(repr=False)
    """As `method` and `method_identity` for every metric, sorted by canonical text."""
    precision: Precision = "float32"
    """``float32`` or ``bf16``."""
    target: str = "predicted"
    """``predicted`` or ``label``: the class that is explained."""
    schema: int = SCHEMA

    @property
    def label(self) -> str:
        """The cell in one line, for progress and messages."""
        return f"{super().label} · samples {self.first} to {self.last - 1}"

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> CellSpec:
        """Return the specification that `plain` gave; BadInput where fields are missing or unknown."""
        known = {item.name for item in fields(cls)}
        if set(values) != known:
            odd = ", ".join(sorted(set(values) ^ known))
            raise BadInput(f"A cell's specification has missing or unknown fields: {odd}.")
        changed = {"metrics": tuple(values["metrics"]), "metric_identities": tuple(values["metric_identities"])}
        return cls(**{**values, **changed})


def with_keys(specs: Iterable[CellSpec]) -> list[CellSpec]:
    """Return specifications whose keys are worked out together: what they share is written as JSON once."""
    names = sorted(item.name for item in fields(CellSpec))
    known: dict[int, tuple[Any, str]] = {}
    words: dict[str, str] = {}

    def text(value: Any) -> str:
        if type(value) is int:
            return str(value)
        if isinstance(value, str):
            if value not in words:
                words[value] = json.dumps(value, ensure_ascii=False)
            return words[value]
        if id(value) not in known:
            known[id(value)] = (value, canonical_json(value))  # the value is held, so that no other has its id
        return known[id(value)][1]

    listed = list(specs)
    for spec in listed:
        if "key" not in vars(spec):
            together = ",".join([f'"{name}":{text(getattr(spec, name))}' for name in names])
            vars(spec)["key"] = hashlib.sha256(f"{{{together}}}".encode()).hexdigest()
    return listed


@dataclass(frozen=True, eq=False)
class CellResult:
    """A cell's rows (see `rows_schema`), provenance, and pictures of gallery samples by sample id."""

    rows: pa.Table
    provenance: dict[str, Any]
    thumbnails: dict[str, np.ndarray] = field(default_factory=dict)


def score_column(metric: str) -> str:
    """Return the column that holds a metric's per-sample scores."""
    return f"score:{metric}"


def rows_schema(metrics: Sequence[str]) -> pa.Schema:
    """Return the Arrow schema of a cell's rows, one row per sample.

    ``band_*`` columns hold the fields of `metrics.perturbing.perturbation.Bands`: every perturbed image that was
    evaluated, and the facts of the map for every unit that was ranked. Seconds are the sample's share of its batch;
    those of explaining hold no one-time work (`work.settled_time`).
    """
    columns: list[tuple[str, pa.DataType]] = [
        ("sample", pa.string()),
        ("index", pa.int64()),
        ("label", pa.int64()),
        ("target", pa.int64()),
        ("predicted", pa.int64()),
        ("target_logit", pa.float64()),
        ("target_probability", pa.float64()),
        ("label_log_probability", pa.float64()),
        ("degenerate", pa.string()),
        *((score_column(metric), pa.float64()) for metric in metrics),
        ("band_fill", pa.list_(pa.string())),
        ("band_low", pa.list_(pa.int32())),
        ("band_high", pa.list_(pa.int32())),
        ("band_unit", pa.list_(pa.string())),
        ("band_logit", pa.list_(pa.float32())),
        ("band_probability", pa.list_(pa.float64())),
        ("band_top", pa.list_(pa.bool_())),
        ("band_relevance", pa.list_(pa.float64())),
        ("band_units", pa.list_(pa.string())),
        ("band_positions", pa.list_(pa.int32())),
        ("band_positives", pa.list_(pa.int32())),
        ("band_quantiles", pa.list_(pa.list_(pa.int32()))),
        ("explain_seconds", pa.float64()),
        ("score_seconds", pa.float64()),
        ("map", pa.list_(pa.float32())),
        ("map_shape", pa.list_(pa.int32())),
    ]
    return pa.schema(columns)


def slug(text: str) -> str:
    """Return a file name for ``text``: readable, safe on every system, different for different texts."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60]
    return f"{readable}-{digest(text)[:8]}" if readable != text or not readable else readable
