"""The registry of attribution methods: what a method declares, and how one is chosen by its selection text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..datasets.base import Dataset
from ..datasets.registry import load_dataset
from ..errors import BadInput
from ..identity import array_digest, source_digest
from ..models.arrays.operations import Tensor
from ..models.base import Model
from ..models.queries import FRAMEWORKS, Framework
from ..parameters import Parameter, bound, parameters_of
from ..registry import Entry, Reference, Registry
from ..selection import Selection, parse_selection, select
from .libraries import Library

Need = Literal["gradients", "layers", "relu", "masks", "graph", "attention"]
Pooling = Literal["sum", "max_abs", "none"]
MethodFunction = Callable[..., Tensor]

_SPELT: dict[Framework, str] = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


@dataclass(frozen=True, kw_only=True)
class MethodEntry(Entry):
    """A registered attribution method.

    Attributes
    ----------
    function
        ``f(request, **parameters)``, returning (n, *input_shape) with channels, or (n, *spatial).
    signed
        Whether negative values speak against the class; an unsigned map is at least zero everywhere.
    pooling
        How a map with channels becomes one without: the ``sum``, the largest absolute value (``max_abs``), or
        ``none`` for methods that return spatial maps.
    needs
        What the model must offer: ``gradients``, ``layers`` with spatial positions, ``relu``, ``attention``, ``graph``
        (a network of known operations only).
    cost
        The passes that a sample takes.
    variants
        The presets: name to parameters.
    frameworks
        The frameworks that it runs in.
    requires
        The library that carries it, where that is not heatmark.
    wraps
        Whether the variant names an inner method instead, which the function gets as ``request.inner``.
    reads
        The parameter that names a dataset, whose revision is then part of every result's key.
    version
        Raised whenever the numbers change; part of every result's key.
    """

    function: MethodFunction
    signed: bool
    pooling: Pooling = "sum"
    needs: frozenset[Need] = frozenset()
    cost: str = ""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    frameworks: frozenset[Framework] = frozenset(FRAMEWORKS)
    requires: Library | None = None
    wraps: bool = False
    reads: str | None = None
    version: int = 1

    @property
    def missing(self) -> str | None:
        """What must be installed first and how, or None where the method can run."""
        return None if self.requires is None else self.requires.missing

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The keyword parameters of the function."""
        return parameters_of(self.function)

    @property
    def is_control(self) -> bool:
        """Whether the method is a control, which ignores the network."""
        return self.family == "control"


@dataclass(frozen=True)
class Method:
    """A method with all parameters bound.

    Attributes
    ----------
    entry
        The registered method.
    selection
        How it was chosen; its text is the method's name in tables.
    parameters
        Every parameter with its value.
    inner
        The method that a wrapper wraps, or None.
    """

    entry: MethodEntry
    selection: Selection
    parameters: Mapping[str, Any]
    inner: Method | None = None

    @property
    def id(self) -> str:
        """The name in tables: the entry with its explicitly chosen parameters."""
        return self.selection.text

    def why_not(self, model: Model) -> str | None:
        """Return why the method has no meaning for a model, or None where it has one."""
        if self.inner is not None:
            return self.inner.why_not(model)
        if model.framework not in self.entry.frameworks:
            library = self.entry.name if self.entry.requires is None else self.entry.requires.name
            return f"{library} is for {' and '.join(_SPELT[item] for item in sorted(self.entry.frameworks))} only"
        if self.entry.missing is not None:
            return self.entry.missing
        if (
            self.entry.requires is not None
            and self.entry.name.endswith(("cam", "cam_plus_plus"))
            and model.has_attention()
        ):
            return f"{self.entry.requires.name}'s maps need feature maps, and {model.name} has tokens"
        needs = self.entry.needs
        if "relu" in needs and not model.has_rectifiers():
            return f"{model.name} has no ReLU"
        if "attention" in needs and (reason := model.tokens.why_no_attention()) is not None:
            return reason
        if "layers" in needs:
            try:
                model.layer(self.parameters.get("layer"))
            except BadInput as error:
                return str(error)
        return model.extraction.reason if "graph" in needs else None

    def identity(self) -> dict[str, Any]:
        """Return everything that the method's numbers depend on, as plain data."""
        identity: dict[str, Any] = {
            "name": self.entry.name,
            "version": self.entry.version,
            "parameters": {name: _identified(value) for name, value in sorted(self.parameters.items())},
        }
        data = None if self.entry.reads is None else self.parameters[self.entry.reads]
        if data is not None:
            identity["revision"] = load_dataset(data).revision
        if self.inner is not None:
            identity["inner"] = self.inner.identity()
        if self.entry.requires is not None:
            identity["library"] = f"{self.entry.requires.packages[0]} {self.entry.requires.version}"
        if self.entry.origin != "heatmark":
            identity["source"] = source_digest(self.entry.function)
        return identity


METHODS: Registry[MethodEntry] = Registry(
    "method",
    "heatmark.methods",
    (
        "gradient.gradients",
        "gradient.integrated_gradients",
        "gradient.path_gradients",
        "gradient.guided_integrated_gradients",
        "gradient.smoothing",
        "gradient.fullgrad",
        "gradient.xrai",
        "cam.cams",
        "cam.perturbed_cams",
        "gradient.internal_influence",
        "perturbation.occlusion",
        "perturbation.rise",
        "propagation.deep_lift",
        "propagation.lrp",
        "propagation.excitation_backprop",
        "transformers",
        "perturbation.feature_ablation",
        "perturbation.lime",
        "perturbation.shapley",
        "perturbation.sobol",
        "perturbation.hsic",
        "perturbation.extremal_perturbation",
        "cam.sise",
        "controls",
        "peers.captum_entries",
        "peers.grad_cam_entries",
        "peers.tf_keras_vis_entries",
        "peers.xplique_entries",
    ),
)


def register_method(
    name: str,
    *,
    family: str,
    signed: bool,
    pooling: Pooling = "sum",
    needs: Iterable[Need] = (),
    cost: str = "",
    reference: Reference | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    frameworks: Iterable[Framework] = FRAMEWORKS,
    requires: Library | None = None,
    wraps: bool = False,
    reads: str | None = None,
    version: int = 1,
) -> Callable[[MethodFunction], MethodFunction]:
    """Register the decorated function as an attribution method.

    The function takes a `Request` and keyword parameters with defaults, asks the model through the request, and
    returns a tensor: (n, *input_shape), pooled over channels as ``pooling`` says, or (n, *spatial). The first line of
    its docstring is its summary.

    Examples
    --------
    >>> @register_method("my_method", family="gradient", signed=True, needs=["gradients"])
    ... def my_method(request):
    ...     "The gradient, twice."
    ...     return 2 * request.gradient()
    """

    def register(function: MethodFunction) -> MethodFunction:
        module = function.__module__
        METHODS.add(
            MethodEntry(
                name=name,
                family=family,
                summary=(inspect.getdoc(function) or "").partition("\n")[0],
                reference=reference,
                origin="heatmark" if module.startswith("heatmark.methods.") else module,
                function=function,
                signed=signed,
                pooling=pooling,
                needs=frozenset(needs),
                cost=cost,
                variants=dict(variants or {}),
                frameworks=frozenset(frameworks),
                requires=requires,
                wraps=wraps,
                reads=reads,
                version=version,
            )
        )
        return function

    return register


def method_from(selection: str | Selection, parameters: Mapping[str, Any] | None = None) -> Method:
    """Return the method that a selection names, with its parameters checked.

    Parameters
    ----------
    selection
        ``"integrated_gradients[steps=20]"``, or a parsed selection.
    parameters
        Further parameters, which may be arrays (a baseline).

    Raises
    ------
    UnknownName, BadInput
        For an unknown method, variant or parameter, or a value out of range.
    """
    chosen = parse_selection(selection) if isinstance(selection, str) else selection
    entry = METHODS.get(chosen.name)
    preset: Mapping[str, Any] = {}
    inner = None
    if entry.wraps:
        if chosen.variant is None:
            raise BadInput(f"{entry.name} wraps another method: write {entry.name}[METHOD], as {entry.name}[gradient].")
        inner = method_from(chosen.variant)
    elif chosen.variant is not None:
        if chosen.variant not in entry.variants:
            known = ", ".join(entry.variants) or "none"
            raise BadInput(f"{entry.name} has no variant {chosen.variant!r} (it has: {known}).")
        preset = entry.variants[chosen.variant]
    extra = dict(parameters or {})
    given = {**preset, **dict(chosen.parameters), **extra}
    values = bound(entry.parameters, given, entry.name)
    plain = {name: value for name, value in extra.items() if isinstance(value, (str, int, float, bool, type(None)))}
    named = select(entry.name, chosen.variant, {**dict(chosen.parameters), **plain})
    return Method(entry, named, values, inner)


def _identified(value: Any) -> Any:
    """Return what stands for a parameter's value in a method's identity."""
    if isinstance(value, np.ndarray):
        return array_digest(value)
    return value.name if isinstance(value, Dataset) else value


def list_methods() -> list[MethodEntry]:
    """Return all registered methods, by family and name."""
    return list(METHODS)
