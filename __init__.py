"""heatmark: a benchmark of attribution methods for PyTorch and TensorFlow/Keras.

Importing it imports neither framework: every public name is resolved when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmark.checking.examine import check as check
    from .benchmark.evaluate import evaluate as evaluate
    from .benchmark.predict import predict as predict
    from .benchmark.rescore import score_run as score_run
    from .benchmark.run import run as run
    from .datasets.registry import list_datasets as list_datasets
    from .datasets.registry import load_dataset as load_dataset
    from .datasets.registry import register_dataset as register_dataset
    from .errors import HeatmarkError as HeatmarkError
    from .errors import NotApplicable as NotApplicable
    from .leaderboards import draw as draw
    from .leaderboards.audits.auditing import audit_metrics as audit_metrics
    from .leaderboards.board import leaderboard as leaderboard
    from .leaderboards.comparing.compare import compare as compare
    from .leaderboards.costs.studies import runtime as runtime
    from .leaderboards.records.published import list_published as list_published
    from .leaderboards.records.published import published as published
    from .leaderboards.records.published_matching import compare_published as compare_published
    from .leaderboards.sweeps.sweep import sweep as sweep
    from .methods.explain import explain as explain
    from .methods.registry import list_methods as list_methods
    from .methods.registry import register_method as register_method
    from .metrics.plan import plan as plan
    from .metrics.registry import list_metrics as list_metrics
    from .metrics.registry import register_metric as register_metric
    from .metrics.score import score as score
    from .models.catalogue import register_model as register_model
    from .models.normalization import Normalization as Normalization
    from .models.wrap import wrap as wrap
    from .models.zoo.loading import list_models as list_models
    from .models.zoo.loading import load_model as load_model
    from .registry import Reference as Reference

_HOMES = {
    "HeatmarkError": "errors",
    "Normalization": "models.normalization",
    "NotApplicable": "errors",
    "Reference": "registry",
    "audit_metrics": "leaderboards.audits.auditing",
    "check": "benchmark.checking.examine",
    "compare": "leaderboards.comparing.compare",
    "compare_published": "leaderboards.records.published_matching",
    "evaluate": "benchmark.evaluate",
    "explain": "methods.explain",
    "leaderboard": "leaderboards.board",
    "list_datasets": "datasets.registry",
    "list_methods": "methods.registry",
    "list_metrics": "metrics.registry",
    "list_models": "models.zoo.loading",
    "list_published": "leaderboards.records.published",
    "load_dataset": "datasets.registry",
    "load_model": "models.zoo.loading",
    "plan": "metrics.plan",
    "predict": "benchmark.predict",
    "published": "leaderboards.records.published",
    "register_dataset": "datasets.registry",
    "register_method": "methods.registry",
    "register_metric": "metrics.registry",
    "register_model": "models.catalogue",
    "run": "benchmark.run",
    "runtime": "leaderboards.costs.studies",
    "score": "metrics.score",
    "score_run": "benchmark.rescore",
    "sweep": "leaderboards.sweeps.sweep",
    "wrap": "models.wrap",
}
_MODULES = {"draw": "leaderboards.draw"}

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            return version("heatmark")
        except PackageNotFoundError:
            return "0+unknown"
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    raise AttributeError(f"module 'heatmark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
