"""Putting a network of either framework behind the model interface."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..datasets.base import RawValues, Sizing
from ..datasets.samples import Neutral
from ..errors import BadInput
from .base import Model
from .catalogue import LoadedNetwork
from .checking.doubts import warn_of_doubts
from .conventions import Conventions, OutputKind
from .devices import resolved_device
from .interface import ModelOptions, Preprocess
from .normalization import Normalization
from .queries import Framework, Precision


def wrap(
    net: Any,
    preprocess: Preprocess | None = None,
    input_shape: Sequence[int] | None = None,
    num_classes: int | None = None,
    device: str = "auto",
    *,
    precision: Precision = "float32",
    output: OutputKind | None = None,
    outputs: Callable[[Any], Any] | None = None,
    domain: tuple[float, float] | None = None,
    neutral: Neutral | None = None,
    channel_axis: int | None = None,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    sizing: Sizing | None = None,
    weights_id: str | None = None,
) -> Model:
    """Return a model for a ``torch.nn.Module`` or a Keras model (TensorFlow backend) that tells classes apart.

    Parameters
    ----------
    net
        The network. It is used where it is and comes back unchanged from every call: mode, hooks, gradients'
        flags and weights. Where it ends in a layer of softmax or sigmoid, the logits before it are explained; where
        probabilities come from a place that cannot be told, a warning says that their logarithm or log odds are. What
        it returns is one tensor, or holds one, or one named ``logits``.
    preprocess
        What the network does to raw inputs first: a `Normalization` (mean and standard deviation), a function from
        tensor to tensor in the framework's own layout, or None when it takes inputs as they are. (A Keras model that
        begins with ``Rescaling(1/255)`` is given raw inputs times 255 then, with a warning.)
    input_shape
        One input's shape in the native layout, without the batch axis. By default the Keras model's own; a PyTorch
        network takes that of the first input it is given.
    num_classes
        Checked against the network's output where given.
    device
        ``auto`` leaves a PyTorch network where it is and lets TensorFlow use the first GPU; another one (``cpu``,
        ``cuda:1``) runs a copy of a PyTorch network there.
    precision
        ``float32``, or ``bf16`` for automatic mixed precision.
    output, outputs, domain, neutral, channel_axis
        What cannot be read off the network about its inputs and outputs: see `Conventions`. ``output`` is ``logits``,
        ``probabilities``, ``binary`` (one probability) or ``multi-label`` (classes that do not exclude each other);
        ``outputs`` a function that takes the class scores out of what the network returns; ``domain`` the lowest and
        the highest raw value (pictures outside of [0, 1] are refused without it).
    name, class_names, sizing, weights_id
        What tables call it; the classes' names; how photographs get the input size; what identifies the weights.

    Returns
    -------
    Model

    Raises
    ------
    BadInput
        If it is no network of either framework, or takes several inputs, or its output is not (n, classes), or not
        what is stated of it.

    Warns
    -----
    Doubt
        A ``UserWarning`` of what a few passes of two random inputs show to be doubtful, such as answers that depend on
        chance or on the rest of the batch; of a PyTorch network without a stated input shape, when it is given its
        first input. `heatmark.check` asks more.
    """
    if isinstance(net, Model):
        return net
    if precision not in ("float32", "bf16"):
        raise BadInput(f"Unknown precision {precision!r}: choose float32 or bf16.")
    RawValues(domain, neutral)  # refuses what makes no sense
    framework = framework_of(net)
    options: ModelOptions = {
        "name": name or type(net).__name__,
        "precision": precision,
        "input_shape": None if input_shape is None else tuple(int(size) for size in input_shape),
        "class_names": None if class_names is None else tuple(class_names),
        "sizing": sizing or Sizing(),
        "preprocess": preprocess,
        "weights_id": weights_id,
        "conventions": Conventions(output, outputs, domain, neutral, channel_axis),
    }
    model = _torch_model(net, device, options) if framework == "torch" else _keras_model(net, device, options)
    model.when_new = warn_of_doubts
    if model.knows_shape:
        model.probe(num_classes)
        warn_of_doubts(model)
    return model


def wrapped(loaded: LoadedNetwork, name: str, device: str, precision: Precision) -> Model:
    """Return the model over a loaded network, moved to the device."""
    net = loaded.net
    if framework_of(net) == "torch" and device != "auto":
        net = net.to(device)  # it was made for this model, so it moves rather than being copied
    return wrap(
        net,
        loaded.preprocess,
        loaded.input_shape,
        loaded.num_classes,
        device,
        precision=precision,
        name=name,
        class_names=loaded.class_names,
        sizing=loaded.sizing,
        weights_id=loaded.weights_id,
        **vars(loaded.conventions),
    )


def require_model(model: Any) -> Model:
    """Return ``model`` if it is one; BadInput for a bare network or a name, with the call that makes a model of it."""
    if isinstance(model, Model):
        return model
    how = "heatmark.load_model(name)" if isinstance(model, str) else "heatmark.wrap(net)"
    raise BadInput(f"Expected a heatmark model, got {type(model).__name__}. Make one with {how}.")


def framework_of(net: Any) -> Framework:
    """Return ``torch`` or ``tensorflow``; BadInput for anything that is no network of either.

    A framework that has not been imported cannot have made ``net``, so none is imported here.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is not None and isinstance(net, torch.nn.Module):
        return "torch"
    if keras is not None and isinstance(net, keras.Model):
        if keras.backend.backend() != "tensorflow":
            raise BadInput(
                f"The Keras model runs on the {keras.backend.backend()!r} backend; heatmark needs TensorFlow's. "
                "Set KERAS_BACKEND=tensorflow before importing keras."
            )
        return "tensorflow"
    raise BadInput(f"Expected a torch.nn.Module or a keras.Model, got {type(net).__module__}.{type(net).__qualname__}.")


def _torch_model(net: Any, device: str, options: ModelOptions) -> Model:
    import copy

    import torch

    from .networks.on_torch import TorchModel
    from .probes.reach_on_torch import inner_network

    net = inner_network(net)
    home = next((tensor.device for tensor in [*net.parameters(), *net.buffers()]), torch.device("cpu"))
    place = home if device == "auto" else torch.device(resolved_device("torch", device))
    if place != home:
        net = copy.deepcopy(net).to(place)
    return TorchModel(net, device=place, **options)


def _keras_model(net: Any, device: str, options: ModelOptions) -> Model:
    from .networks.on_tensorflow import TensorFlowModel
    from .probes.keras_layers import named_layers
    from .reading.input_scale_on_tensorflow import hidden_rescaling, takes_bytes

    name, inputs = options["name"], list(getattr(net, "inputs", None) or [])
    if len(inputs) > 1:
        listed = ", ".join(f"{item.name!r} {tuple(item.shape[1:])}" for item in inputs)
        raise BadInput(
            f"{name} takes {len(inputs)} inputs ({listed}); heatmark explains networks of one. Fix the others: call it "
            "in a keras.Model of one input, with constants in their place."
        )
    known = inputs[0].shape if inputs else getattr(net, "input_shape", None)
    if options["input_shape"] is None and isinstance(known, tuple) and all(known[1:]):
        options["input_shape"] = tuple(int(size) for size in known[1:])
    shown = ""
    if options["preprocess"] is None and options["conventions"].domain is None:
        state_it = "state it: hm.wrap(net, domain=(0, 1)) or hm.wrap(net, domain=(0, 255))"
        shape = options["input_shape"] or (known[1:] if isinstance(known, tuple) else None)
        picture = shape is None or len(shape) > 2  # vectors and series have no usual domain
        if picture and (shown := takes_bytes(net) or ""):
            options["preprocess"] = Normalization((0.0,), (1 / 255,))
            warnings.warn(
                f"{name} takes values of 0 to 255, as {shown} shows: it is given raw values, which lie in [0, 1], "
                f"times 255. To decide that yourself, {state_it}.",
                stacklevel=3,
            )
        elif hidden := hidden_rescaling(named_layers(net)):
            warnings.warn(
                f"{name} has the layer {hidden!r}, which scales values of 0 to 255, but whether its inputs come to it "
                f"in [0, 1] cannot be told. They are given as they are; if that is wrong, {state_it}.",
                stacklevel=3,
            )
    model = TensorFlowModel(net, device=resolved_device("tensorflow", device), **options)
    model.takes_bytes = shown
    return model
