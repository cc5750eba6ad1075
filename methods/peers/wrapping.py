"""Other libraries' methods as entries: rows of a table for each library, and the one function that runs its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import Framework
from ...registry import Reference
from ..cam.cams import LayerName
from ..libraries import Library
from ..registry import MethodFunction, Need, Pooling, register_method
from ..request import Request

_USUAL: Mapping[Framework, int] = {"torch": 1, "tensorflow": -1}
_WORDS: Mapping[Framework, str] = {"torch": "first", "tensorflow": "last"}

ONE = "1 forward and 1 backward pass"
CAM: tuple[Need, ...] = ("gradients", "layers", "feature_maps")
FORWARD_CAM: tuple[Need, ...] = ("layers", "feature_maps")
SIMONYAN = Reference("Simonyan, Vedaldi, Zisserman", 2013, "Deep Inside Convolutional Networks", "1312.6034")
SUNDARARAJAN = Reference(
    "Sundararajan, Taly, Yan", 2017, "Axiomatic Attribution for Deep Networks", "1703.01365"
)  # fmt: skip
SMILKOV = Reference("Smilkov et al.", 2017, "SmoothGrad: removing noise by adding noise", "1706.03825")
ZEILER = Reference("Zeiler, Fergus", 2013, "Visualizing and Understanding Convolutional Networks", "1311.2901")
SELVARAJU = Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391")
CHATTOPADHYAY = Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063")
JIANG = Reference("Jiang et al.", 2021, "LayerCAM")
WANG = Reference("Wang et al.", 2019, "Score-CAM", "1910.01279")


def no_options(request: Request) -> dict[str, Any]:
    """Return nothing: the method has no parameters."""
    return {}


def at_layer(request: Request, *, layer: LayerName = None) -> dict[str, Any]:
    """Return the layer's name, the default one where none is given; libraries read it in their framework's layout."""
    place = request.layer(layer)
    if place.channel_axis != _USUAL[request.model.framework]:
        raise NotApplicable(
            f"The library reads layers with channels {_WORDS[request.model.framework]} alone, and {place.name!r} of "
            f"{request.model.name}, of shape {place.shape}, holds them elsewhere. Name another layer, or use "
            "heatmark's own method."
        )
    return {"layer": place.name}


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of a library's methods."""

    name: str
    """What stands behind the library's name and a colon."""
    kind: str
    """The library's class."""
    title: str = ""
    """What is shown behind the library's name, where the class has several methods."""
    summary: str
    reference: Reference
    signed: bool
    pooling: Pooling = "none"
    needs: Sequence[Need] = ("gradients",)
    cost: str = ONE
    """See `MethodEntry`."""
    options: Callable[..., dict[str, Any]] = no_options
    """``f(request, **parameters)``: what the library is to be told. Its keyword parameters are the entry's."""
    any_layout: bool = False
    """Whether inputs may have their channels on another axis than is usual in the library's framework."""


PeerType = TypeVar("PeerType", bound=Peer)


def register_peers(
    library: Library, peers: Sequence[PeerType], run: Callable[[Request, PeerType, dict[str, Any]], Tensor]
) -> None:
    """Register each row as ``library:name``, for networks of the library's framework alone; ``run`` runs any row."""
    for peer in peers:
        register_method(
            f"{library.name.lower()}:{peer.name}",
            title=f"{library.name} {peer.title or peer.kind}",
            family="peer",
            signed=peer.signed,
            pooling=peer.pooling,
            needs=peer.needs,
            cost=peer.cost,
            reference=peer.reference,
            frameworks=[library.framework],
            requires=library,
            version=2 if "layers" in peer.needs else 1,
        )(_method(peer, run))


def _method(peer: PeerType, run: Callable[[Request, PeerType, dict[str, Any]], Tensor]) -> MethodFunction:
    @wraps(peer.options)
    def method(request: Request, **parameters: Any) -> Tensor:
        model = request.model
        if not peer.any_layout and model.channel_axis not in (None, _USUAL[model.framework]):
            raise NotApplicable(f"{peer.kind} takes inputs with channels {_WORDS[model.framework]} alone")
        if model.rows_alone:
            raise NotApplicable(
                f"{peer.kind} asks for many inputs at once, and what {model.name} says of one depends on the others"
            )
        return run(request, peer, peer.options(request, **parameters))

    method.__doc__ = peer.summary
    return method
