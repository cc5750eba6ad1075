"""Which methods and metrics have a meaning for a network, and why the others have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...methods.registry import METHODS, method_from
from ...metrics.planner import reasons_against
from ...metrics.registry import metrics_named
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.checking.finding import Finding

METHODS_APPLY = "methods that apply"
METRICS_APPLY = "metrics that apply"


def methods_apply(model: Model, x: Tensor) -> Finding:
    """Say how many methods have a meaning for the network, and why the others have none, as they themselves say.

    Other libraries' methods count where the library is installed and knows the framework.
    """
    reasons: dict[str, str] = {}
    entries = [
        entry for entry in METHODS if not entry.wraps and entry.missing is None and model.framework in entry.frameworks
    ]
    for entry in entries:
        if (reason := method_from(entry.name).why_not(model)) is not None:
            reasons[entry.name] = reason
    return _applying(METHODS_APPLY, "methods", len(entries), reasons)


def metrics_apply(model: Model, x: Tensor) -> Finding:
    """Say how many metrics have a meaning here, as far as that is known before the network is asked.

    The data is taken to come without masks of the truth, as what people bring mostly does.
    """
    metrics = metrics_named(None)
    reasons = reasons_against(model, x[:1], metrics)
    return _applying(METRICS_APPLY, "metrics", len(metrics), reasons)


def _applying(title: str, noun: str, count: int, reasons: Mapping[str, str]) -> Finding:
    """Return the finding on so many entries of which some have no meaning, with one text a reason."""
    left = count - len(reasons)
    evidence = f"{left} of {count} {noun}"
    if reasons:
        evidence += "; not " + "; not ".join(_grouped(reasons))
    if left:
        return Finding(title, "holds", f"{evidence}.")
    return Finding(title, "fails", f"{evidence}.", "Nothing can be measured on this network as it is.")


def _grouped(reasons: Mapping[str, str]) -> Iterable[str]:
    """Yield each reason once, with the names that it holds for."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason.rstrip("."), []).append(name)
    for reason, found in names.items():
        yield f"{', '.join(found)} ({reason})"
