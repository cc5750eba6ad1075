"""The registry of attribution methods: what a method declares, and how one is chosen by its selection text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal, Protocol

import numpy as np

from ..datasets.base import Dataset
from ..datasets.registry import load_dataset
from ..definitions import Chosen, Selectable, chosen
from ..errors import BadInput
from ..identity import array_digest, source_digest
from ..models.arrays.operations import Tensor
from ..models.base import Model
from ..models.queries import FRAMEWORKS, Framework
from ..parameters import Parameter
from ..registry import Reference, Registry
from ..selection import Selection
from .libraries import Library

Need = Literal["gradients", "layers", "feature_maps", "relu", "masks", "graph", "attention"]
Pooling = Literal["sum", "max_abs", "none"]
Sum = Literal["logit", "difference"]
MethodFunction = Callable[..., Tensor]
#: Whether maps carry a sign: always or never, or as the parameters, of which each has a value, say.
Signed = bool | Callable[[Mapping[str, Any]], bool]

_SPELT: dict[Framework, str] = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


class Apart(Protocol):
    """Where the code of methods runs that are not trusted: not in this process."""

    @property
    def level(self) -> str:
        """How it is kept apart."""

    @property
    def source(self) -> str:
        """What stands for the code in every result's key."""

    def ready(self, model: Model) -> None:
        """Load a model there, so that explaining it takes no more time than explaining."""


@dataclass(frozen=True, kw_only=True, repr=False)
class MethodEntry(Selectable):
    """A registered attribution method.

    Attributes
    ----------
    function
        ``f(request, **parameters)``, returning (n, *input_shape) with channels, or (n, *spatial).
    """

    signed: Signed
    """Whether negative values speak against the class; an unsigned map is at least zero everywhere. For a method with
    its parameters chosen, ask `Method.signed`.
    """
    pooling: Pooling = "sum"
    """How a map with channels becomes one without: the ``sum``, the largest absolute value (``max_abs``), or ``none``
    for methods that return spatial maps.
    """
    needs: frozenset[Need] = frozenset()
    """What the model must offer: ``gradients``, ``layers`` with spatial positions, ``feature_maps`` (layers that hold
    no tokens), ``relu``, ``attention``, ``graph`` (a network of known operations only).
    """
    cost: str = ""
    """The passes that a sample takes."""
    frameworks: frozenset[Framework] = frozenset(FRAMEWORKS)
    """The frameworks that it runs in."""
    requires: Library | None = None
    """The library that carries it, where that is not heatmark."""
    wraps: bool = False
    """Whether a selection names an inner method instead of a preset, which the function gets as ``request.inner``."""
    reads: str | None = None
    """The parameter that names a dataset, whose revision is then part of every result's key."""
    sums_to: Sum | None = None
    """What a map adds up to, which ``heatmark test`` then asks for: the target's ``logit`` (conservation), or its
    ``difference`` from the baseline that the parameter ``baseline`` names, without one the neutral value's
    (completeness).
    """
    apart: Apart | None = None
    """Where its code runs, if that is not this process; its costs are then what it says itself."""

    @property
    def isolation(self) -> str:
        """How its code is kept apart from this process; empty where it runs in it."""
        return "" if self.apart is None else self.apart.level

    @property
    def missing(self) -> str | None:
        """What must be installed first and how, or None where the method can run."""
        return None if self.requires is None else self.requires.missing

    @property
    def carrier(self) -> str:
        """What messages speak of: the library that carries the method, or the method itself."""
        return self.name if self.requires is None else self.requires.name

    @property
    def is_control(self) -> bool:
        """Whether the method is a control, which ignores the network."""
        return self.family == "control"

    def preset(self, name: str | None) -> Mapping[str, Any]:
        """See `Selectable.preset`; a wrapper's selection names another method there."""
        if not self.wraps:
            return super().preset(name)
        if name is None:
            raise BadInput(f"{self.name} wraps another method: write {self.name}[METHOD], as {self.name}[gradient].")
        return {}


@dataclass(frozen=True)
class Method(Chosen[MethodEntry]):
    """A method with all parameters bound.

    Attributes
    ----------
    entry, selection, parameters
        See `Chosen`.
    """

    inner: Method | None = None
    """The method that a wrapper wraps, or None."""

    @property
    def signed(self) -> bool:
        """Whether its maps carry a sign, with these parameters; a wrapper's are what those of the inner method are."""
        if self.inner is not None:
            return self.inner.signed
        declared = self.entry.signed
        return declared(self.parameters) if callable(declared) else declared

    @property
    def apart(self) -> Apart | None:
        """Where its code runs, or that of the method that it wraps, if that is not this process."""
        return self.entry.apart or (None if self.inner is None else self.inner.apart)

    def why_not(self, model: Model) -> str | None:
        """Return why the method has no meaning for a model, or None where it has one."""
        if self.inner is not None:
            return self.inner.why_not(model)
        if model.framework not in self.entry.frameworks:
            known = " and ".join(_SPELT[item] for item in sorted(self.entry.frameworks))
            return f"{self.entry.carrier} is for {known} only"
        if self.entry.missing is not None:
            return self.entry.missing
        needs = self.entry.needs
        if "feature_maps" in needs and model.has_attention():
            return f"{self.entry.carrier}'s maps need feature maps, and {model.name} has tokens"
        if "relu" in needs and (reason := model.why_no_rule()) is not None:
            return reason
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
        unchanged = {item.name for item in self.entry.parameters if item.doc.later and self._has_default(item)}
        named = sorted((name, value) for name, value in self.parameters.items() if name not in unchanged)
        identity: dict[str, Any] = {
            "name": self.entry.name,
            "version": self.entry.version,
            "parameters": {name: _identified(value) for name, value in named},
        }
        data = None if self.entry.reads is None else self.parameters[self.entry.reads]
        if data is not None:
            identity["revision"] = load_dataset(data).revision
        if self.inner is not None:
            identity["inner"] = self.inner.identity()
        if self.entry.requires is not None:
            identity["library"] = f"{self.entry.requires.packages[0]} {self.entry.requires.version}"
        if self.entry.origin != "heatmark":
            identity["source"] = _source(self.entry)
        return identity

    def _has_default(self, parameter: Parameter) -> bool:
        value = self.parameters[parameter.name]
        return type(value) is type(parameter.default) and bool(value == parameter.default)


METHODS: Registry[MethodEntry] = Registry(
    "method",
    "heatmark.methods",
    {
        "": ("transformers", "controls"),
        "gradient": (
            "gradients",
            "integrated_gradients",
            "path_gradients",
            "guided_integrated_gradients",
            "smoothing",
            "fullgrad",
            "xrai",
            "internal_influence",
        ),
        "cam": ("cams", "perturbed_cams", "sise"),
        "perturbation": (
            "occlusion",
            "rise",
            "feature_ablation",
            "lime",
            "shapley",
            "sobol",
            "hsic",
            "extremal_perturbation",
        ),
        "propagation": ("deep_lift", "lrp", "excitation_backprop"),
        "peers": ("captum_entries", "grad_cam_entries", "tf_keras_vis_entries", "xplique_entries"),
    },
)


def register_method(
    name: str,
    *,
    title: str = "",
    family: str,
    signed: Signed,
    pooling: Pooling = "sum",
    needs: Iterable[Need] = (),
    cost: str = "",
    reference: Reference | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    frameworks: Iterable[Framework] = FRAMEWORKS,
    requires: Library | None = None,
    wraps: bool = False,
    reads: str | None = None,
    sums_to: Sum | None = None,
    version: int = 1,
) -> Callable[[MethodFunction], MethodFunction]:
    """Register the decorated function as an attribution method.

    The function takes a `Request` and keyword parameters with defaults, asks the model through the request, and
    returns a tensor: (n, *input_shape), pooled over channels as ``pooling`` says, or (n, *spatial). The first line of
    its docstring is its summary; ``title`` is what tables and figures call it (by default the name in words).

    Examples
    --------
    >>> @register_method("my_method", family="gradient", signed=True, needs=["gradients"])
    ... def my_method(request):
    ...     "The gradient, twice."
    ...     return 2 * request.gradient()
    """

    def register(function: MethodFunction) -> MethodFunction:
        METHODS.add(
            MethodEntry(
                name=name,
                title=title,
                family=family,
                reference=reference,
                signed=signed,
                pooling=pooling,
                needs=frozenset(needs),
                cost=cost,
                presets=dict(presets or {}),
                frameworks=frozenset(frameworks),
                requires=requires,
                wraps=wraps,
                reads=reads,
                sums_to=sums_to,
                version=version,
                **METHODS.described(function),
            )
        )
        return function

    return register


def method_from(selection: str | Selection, parameters: Mapping[str, Any] | None = None) -> Method:
    """Return the method that a selection such as ``"integrated_gradients[steps=20]"`` names; see `definitions.chosen`.

    ``parameters`` holds further ones, which may be arrays (a baseline).
    """
    found = chosen(METHODS, selection, parameters)
    variant = found.selection.variant
    inner = method_from(variant) if found.entry.wraps and variant is not None else None
    return Method(found.entry, found.selection, found.parameters, inner)


def _source(entry: MethodEntry) -> str:
    """Return what stands for the code of a method that is not heatmark's own."""
    return source_digest(entry.function) if entry.apart is None else entry.apart.source


def _identified(value: Any) -> Any:
    """Return what stands for a parameter's value in a method's identity."""
    if isinstance(value, np.ndarray):
        return array_digest(value)
    if callable(value):
        # A function is what its source says; an instance what its class's source and its own fields say.
        return [source_digest(value)] if isinstance(value, FunctionType) else [source_digest(type(value)), repr(value)]
    return value.name if isinstance(value, Dataset) else value


def list_methods() -> list[MethodEntry]:
    """Return all registered methods, by family and name."""
    return list(METHODS)
