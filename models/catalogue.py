"""The catalogue of models: what an entry is, how it builds its network, and registering one.

Finding an entry by name and loading its model stand above, in `models/zoo/loading.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..datasets.base import Sizing
from ..errors import BadInput
from ..registry import Entry, Reference, Registry
from .conventions import Conventions
from .normalization import Normalization
from .queries import FRAMEWORKS


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with all that `wrap` needs to know of it."""

    net: Any
    """A ``torch.nn.Module`` or ``keras.Model`` with logits as its output."""
    preprocess: Normalization | Callable[[Any], Any] | None = None
    """What it does to raw inputs in [0, 1] first, or None."""
    input_shape: tuple[int, ...] | None = None
    """One input's shape in the native layout; None where Keras knows it or the first input shows it."""
    num_classes: int | None = None
    """The number of logits, or None to find out."""
    sizing: Sizing = field(default_factory=Sizing)
    """How photographs get the input size."""
    class_names: Sequence[str] | None = None
    """One name per class, or None."""
    weights_id: str | None = None
    """What identifies the weights, or None to hash them."""
    conventions: Conventions = field(default_factory=Conventions)
    """What is stated about its inputs and outputs."""


@dataclass(frozen=True)
class ModelRequest:
    """What a builder is asked for: the framework, and for a family such as ``torchvision:vgg16`` the part behind it."""

    framework: str
    rest: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelEntry(Entry):
    """A registered model."""

    build: Callable[[ModelRequest], LoadedNetwork]
    """Makes the network in the framework asked for."""
    identify: Callable[[str], str | None] = lambda rest: None
    """Returns what identifies its weights without importing a framework, given the part after the colon; None where
    that cannot be known before it is loaded.
    """
    frameworks: tuple[str, ...] = FRAMEWORKS
    """Those it can be built in."""
    datasets: tuple[str, ...] = ()
    """Those it can be scored on as it comes, the default first."""
    input_shape: tuple[int, ...] | None = None
    """The canonical (spatial..., channels), or None where it depends."""
    license: str = ""
    weights: str = ""
    """A note on the terms of use; where the weights come from."""
    digest: str = ""
    """The SHA-256 of the weights, where they are one file that is known."""


MODELS: Registry[ModelEntry] = Registry("model", "heatmark.models", {"zoo": ["entries"]})

Builder = TypeVar("Builder", bound=Callable[[str], LoadedNetwork])


def register_model(
    name: str,
    *,
    title: str = "",
    family: str = "own",
    frameworks: Sequence[str] = FRAMEWORKS,
    summary: str = "",
    reference: Reference | None = None,
    datasets: Sequence[str] = (),
    input_shape: Sequence[int] | None = None,
    license: str = "",
    weights: str = "",
) -> Callable[[Builder], Builder]:
    """Return a decorator that registers a function from a framework's name to a `LoadedNetwork`.

    Parameters
    ----------
    name
        The name users type.
    title, family, summary, reference
        See `Entry`.
    frameworks, datasets, input_shape, license, weights
        See `ModelEntry`.

    Raises
    ------
    BadInput
        If the name is empty, has characters that mean something else, or is taken; or a framework is unknown.
    """
    MODELS.check_name(name)
    unknown = [framework for framework in frameworks if framework not in FRAMEWORKS]
    if unknown or not frameworks:
        raise BadInput(f"The model {name!r} names the frameworks {unknown}; choose from {', '.join(FRAMEWORKS)}.")

    def registered(builder: Builder) -> Builder:
        MODELS.add(
            ModelEntry(
                name=name,
                title=title,
                family=family,
                summary=summary,
                reference=reference,
                origin=MODELS.origin_of(builder),
                build=lambda request: builder(request.framework),
                frameworks=tuple(frameworks),
                datasets=tuple(datasets),
                input_shape=None if input_shape is None else tuple(input_shape),
                license=license,
                weights=weights,
            )
        )
        return builder

    return registered
