"""Result keys do not move: what a stored result is named by must not hang on where the code stands.

``stored_keys.json`` was written before the sources were sorted into rooms. A key may change only with a version that
was raised on purpose: then the file is written again by ``python tests/test_result_keys.py``.
"""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

from heatmark.benchmark.audit.plan import METHODS_AUDITED, ORACLE
from heatmark.benchmark.audit.units import UnitSpec, metric_key
from heatmark.benchmark.store.cell import CellSpec
from heatmark.benchmark.suite import load_suite
from heatmark.identity import digest
from heatmark.methods.registry import METHODS, method_from
from heatmark.metrics.registry import METRICS, metric_from
from heatmark.parameters import Parameter
from heatmark.selection import parse_selections

STORED = Path(__file__).with_name("stored_keys.json")
SUITES = ("quick", "standard", "ground-truth")


def method_keys() -> dict[str, str]:
    """Every method of heatmark's own at its defaults and presets; a wrapper around the gradient."""
    found = {}
    for entry in METHODS:
        if entry.origin != "heatmark" or entry.requires is not None:
            continue
        names = [f"{entry.name}[gradient]"] if entry.wraps else [entry.name]
        names += [] if entry.wraps else [f"{entry.name}[{preset}]" for preset in entry.presets]
        found.update({name: digest(method_from(name).identity()) for name in names})
    return found


def metric_keys() -> dict[str, str]:
    """Every metric of heatmark's own at its defaults and presets."""
    found = {}
    for entry in METRICS:
        if entry.origin == "heatmark":
            names = [entry.name, *(f"{entry.name}[{preset}]" for preset in entry.presets)]
            found.update({name: metric_key(metric_from(name)) for name in names})
    return found


def peer_keys() -> dict[str, str]:
    """Every method of another library at its defaults, whatever version of the library is installed."""
    return {entry.name: _method_key(entry.name) for entry in METHODS if entry.requires is not None}


def parameter_keys() -> dict[str, str]:
    """Every parameter of a method or metric, at one value other than its default."""
    found = {}
    for registry, key in ((METHODS, _method_key), (METRICS, _metric_key)):
        for entry in registry:
            inner = "gradient," if getattr(entry, "wraps", False) else ""
            for parameter in entry.parameters if entry.origin == "heatmark" else ():
                if parameter.name != getattr(entry, "reads", None):
                    name = f"{entry.name}[{inner}{parameter.name}={_another(parameter)}]"
                    found[name] = key(name)
    return found


def _method_key(name: str) -> str:
    identity = method_from(name).identity()
    identity.pop("library", None)
    return digest(identity)


def _metric_key(name: str) -> str:
    return metric_key(metric_from(name))


def _another(parameter: Parameter) -> str:
    """Return a value that the parameter admits and that is not its default."""
    default, doc = parameter.default, parameter.doc
    if isinstance(default, bool):
        return json.dumps(not default)
    if doc.choices:
        return next(re.sub(r"[A-Z]+$", "2", choice) for choice in doc.choices if choice != default)
    if isinstance(default, str) or (default is None and str in parameter.types):
        return "white"
    if isinstance(default, float):
        low = doc.low or 0.0
        return json.dumps(default + 0.25 if default == low else (default + low) / 2)
    whole = default or 2
    return json.dumps(whole + 1 if doc.high is None or whole < doc.high else whole - 1)


def cell_keys() -> dict[str, str]:
    """The cells of the packaged suites, as planned for weights and data of fixed digests."""
    found = {}
    for name in SUITES:
        suite = load_suite(name)
        metrics = sorted((metric_from(text) for text in suite.metrics), key=lambda metric: metric.id)
        methods = [method_from(text) for text in suite.methods]
        for task, method, framework, seed in product(suite.tasks, methods, suite.frameworks, suite.seeds):
            spec = CellSpec(
                model=task.model,
                model_weights="weights",
                dataset=task.dataset,
                dataset_revision="revision",
                first=0,
                last=20,
                method=method.id,
                method_identity=method.identity(),
                metrics=tuple(metric.id for metric in metrics),
                metric_identities=tuple(metric.identity() for metric in metrics),
                framework=framework,
                precision=suite.precision,
                device_class="cpu",
                seed=seed,
                target=suite.target,
            )
            found[f"{name}: {task} · {method.id} · {framework}"] = spec.key
    return found


def audit_keys() -> dict[str, str]:
    """What an audit stores of its usual methods and of the oracle."""
    found = {}
    for selection in (*parse_selections(METHODS_AUDITED), *parse_selections(ORACLE)):
        method = method_from(selection)
        role: Any = "oracle" if method.id == ORACLE else "method"
        spec = UnitSpec(
            model="pooled-cnn-shapes",
            model_weights="weights",
            dataset="shapes",
            dataset_revision="revision",
            method=method.id,
            method_identity=method.identity(),
            role=role,
            framework="torch",
            device_class="cpu",
            seed=0,
        )
        found[method.id] = spec.key
    return found


def all_keys() -> dict[str, dict[str, str]]:
    return {
        "methods": method_keys(),
        "metrics": metric_keys(),
        "peers": peer_keys(),
        "parameters": parameter_keys(),
        "cells": cell_keys(),
        "audits": audit_keys(),
    }


def test_no_result_key_has_moved():
    stored, now = json.loads(STORED.read_text()), all_keys()
    for kind, keys in stored.items():
        moved = sorted(name for name, key in keys.items() if now[kind].get(name) != key)
        assert moved == [], f"keys of {kind} changed, so their stored results would be computed again"


if __name__ == "__main__":
    STORED.write_text(json.dumps(all_keys(), indent=0, sort_keys=True) + "\n")
