"""What an audit of metrics is to measure: metrics, tasks, and the methods, controls and oracle that they score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...datasets.registry import find_dataset
from ...errors import BadInput
from ...methods.registry import METHODS, method_from
from ...metrics.registry import Metric, metrics_named
from ...models.devices import installed_frameworks, require_framework
from ...models.queries import FRAMEWORKS
from ...models.zoo.loading import list_models
from ...selection import parse_selections
from ..setting.plugins import load_plugins
from ..store.cell import Task
from ..suite import Names, names_of
from ..work.named_models import check_name
from ..work.samples import SampleRule
from .units import AuditedMethod, Role

DATA = "shapes,patches,series"
METHODS_AUDITED = (
    "saliency,input_x_gradient,integrated_gradients[steps=10],guided_backprop,grad_cam,smoothgrad[samples=5]"
)
"""Methods of different kinds and quality, none of them dear: metrics that explain again do so many times."""

LIMIT = 64
"""Samples of each data set."""

LOCALISATION = "localisation_auc"
"""What tells whether a control finds the truth by itself: measured of every control, whatever is audited."""

METHOD: Role = "method"
ORACLE: Role = "oracle"
CONTROL: Role = "control"


@dataclass(frozen=True)
class AuditPlan:
    """What is audited, checked."""

    metrics: tuple[Metric, ...]
    """Without those of unknown direction, which are in ``skipped`` with the reason."""
    skipped: tuple[tuple[str, str], ...]
    tasks: tuple[Task, ...]
    """Models on datasets."""
    entries: tuple[AuditedMethod, ...]
    """Methods, controls, and the oracle."""
    framework: str
    device: str
    limit: int
    seed: int
    """As in a run; ``limit`` samples of each dataset."""
    plugins: tuple[str, ...] = ()
    """Modules or files that are imported first."""

    @property
    def rule(self) -> SampleRule:
        """Which samples of each dataset are taken."""
        return SampleRule(self.limit)


def audit_plan(
    metrics: Names | None = None,
    data: Names = DATA,
    models: Names | None = None,
    methods: Names = METHODS_AUDITED,
    framework: str | None = None,
    limit: int = LIMIT,
    seed: int = 0,
    device: str = "auto",
    plugins: Names = (),
) -> AuditPlan:
    """Return what an audit is to measure.

    Parameters
    ----------
    metrics
        Selections; every registered metric at its default protocol where None.
    data
        Datasets, best with ground-truth masks: without them there is no oracle.
    models
        One for each dataset, or one for all; by default the zoo's network for that dataset.
    methods
        Selections. heatmark's controls and the oracle are always there.
    framework
        By default the first that is installed.
    limit
        Samples of each dataset, spread over its classes, at least 8: fewer say nothing.
    seed
        Of maps, noise and metrics.
    device
        As `load_model` takes it.
    plugins
        Modules or files that register metrics, methods, models or datasets.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    plugins = (plugins,) if isinstance(plugins, str) else tuple(plugins)
    load_plugins(plugins)
    if limit < 8:
        raise BadInput(f"An audit takes at least 8 samples of each dataset; got {limit}.")
    if framework is None:
        framework = (installed_frameworks() or FRAMEWORKS)[0]
    require_framework(framework)
    chosen = metrics_named(metrics)
    skipped = {m.id: "its direction is unknown" for m in chosen if not isinstance(m.entry.higher_is_better, bool)}
    left = tuple(metric for metric in chosen if metric.id not in skipped)
    if not left:
        raise BadInput("No metric is left to audit. Name at least one whose direction is known.")
    return AuditPlan(
        left,
        tuple(skipped.items()),
        _tasks(names_of(data, "data"), None if models is None else names_of(models, "models"), framework),
        _entries(methods),
        framework,
        device,
        limit,
        seed,
        plugins,
    )


def _entries(methods: Names) -> tuple[AuditedMethod, ...]:
    """Return the methods asked for, heatmark's controls, and the oracle."""
    chosen = [method_from(selection) for selection in parse_selections(methods)]
    entries = [AuditedMethod(method, CONTROL if method.entry.is_control else METHOD) for method in chosen]
    own = [e for e in METHODS if e.is_control and e.origin == "heatmark" and not e.wraps and e.name != ORACLE]
    entries += [AuditedMethod(method_from(entry.name), CONTROL) for entry in own]
    unique = {entry.method.id: entry for entry in entries if entry.method.id != ORACLE}
    return (*unique.values(), AuditedMethod(method_from(ORACLE), ORACLE))


def _tasks(data: Sequence[str], models: Sequence[str] | None, framework: str) -> tuple[Task, ...]:
    for dataset in data:
        find_dataset(dataset)
    for model in models or ():
        check_name(model)
    if models is None:
        return tuple(Task(_usual_model(dataset, framework), dataset) for dataset in data)
    if len(models) not in (1, len(data)):
        raise BadInput(f"Give one model, or one for each of the {len(data)} datasets; got {len(models)}.")
    given = list(models) * len(data) if len(models) == 1 else models
    return tuple(Task(model, dataset) for model, dataset in zip(given, data, strict=True))


def _usual_model(dataset: str, framework: str) -> str:
    """Return the first registered network whose own data this is."""
    plain = dataset.partition("[")[0]
    fitting = [entry for entry in list_models() if plain in entry.datasets and framework in entry.frameworks]
    if not fitting:
        raise BadInput(f"No registered network goes with the dataset {dataset!r}. Name one with --models.")
    return min(fitting, key=lambda entry: entry.datasets.index(plain)).name
