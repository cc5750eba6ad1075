"""The model interface over a ``torch.nn.Module``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import numpy as np
import torch

from ...errors import HeatmarkError, NotApplicable
from ..arrays.on_torch import TorchOperations
from ..base import Model
from ..copies.randomised import ParameterLayer
from ..copies.randomised_on_torch import torch_parameter_layers
from ..gradients import OTHERWISE, refuse_unconnected
from ..graph.on_torch import TorchNetwork, torch_network
from ..interface import ModelOptions
from ..layers.channel_axes import BY_OPERATIONS, of_batch, told_by_shape
from ..layers.channel_axes_on_torch import ChannelAxes
from ..normalization import Normalization
from ..probes.at_rest import at_rest
from ..probes.attention_on_torch import attention_layers, captured_attention
from ..probes.operations_on_torch import operations_of
from ..probes.reach_on_torch import reachable_modules, why_out_of_reach
from ..probes.rectifiers_on_torch import RectifierRule, rectifiers
from ..probes.state_now_on_torch import state_now
from ..probes.state_on_torch import hidden_tensors, state_bytes
from ..queries import Answer, AttentionLayer, Computed, Layer, LayerBias, Query, Rectifiers
from ..reading.ending_on_torch import final_layer, without_layer
from ..reading.outputs import Ending
from ..reading.returned import class_scores, require_real
from ..reading.scores import target_score
from .way_in_on_torch import WayIn, way_in

_LAYOUTS = ("channels_last", "contiguous")

_LINEAR = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "alloc_failed",
    "unable to find an engine",
    "unable to find a valid cudnn algorithm",
)
"""What PyTorch and the libraries under it say, partly as plain errors, where memory for numbers or scratch is short."""


class TorchModel(Model):
    """A ``torch.nn.Module`` behind the model interface.

    The module itself is used, not a copy: weights that change are seen. While a chunk runs, it stands in evaluation
    mode with frozen parameters and perhaps hooks; all of that is as before when `run` returns or raises. Inputs may
    be given the channels-last memory format (the weights need not be), which is often faster for convolutions.
    """

    framework = "torch"
    kept_inputs = 150

    def __init__(self, net: torch.nn.Module, *, device: torch.device, **options: Unpack[ModelOptions]) -> None:
        super().__init__(device=str(device), **options)
        self.net = net
        self.operations = TorchOperations(device)
        self._torch_device = device
        self._way = WayIn(_LAYOUTS)
        self._parts: list[Any] = []

    def rebuilt(self) -> bool:
        """See `Interface.rebuilt`; a head is replaced, a softmax appended, the network made ``double()``."""
        before = self._parts
        self._parts = [*self.net.modules(), *(weight.dtype for weight in self.net.parameters())]
        same = len(before) == len(self._parts) and all(map(operator.is_, before, self._parts))
        return bool(before) and not same

    @property
    def layouts(self) -> tuple[str, ...]:
        """The memory formats to choose from: those that the network takes."""
        return self._way.layouts if self._is_picture else ("contiguous",)

    @property
    def _is_picture(self) -> bool:
        """Whether inputs are what the channels-last memory format is for."""
        return len(self.input_shape) == 3 and self.channel_axis == 1

    @property
    def left_out(self) -> str:
        """See `Interface.left_out`."""
        return self._way.left_out

    def settle(self, x: torch.Tensor) -> None:
        """See `Interface.settle`: memory format and floating type."""

        def ask(layout: str, dtype: torch.dtype | None) -> torch.Tensor:
            self._way = WayIn((layout,), dtype)
            with at_rest(self.net), torch.no_grad(), self._autocast():
                output: torch.Tensor = self.logits(_laid_out(x.clone(), layout))
                return output

        self.rebuilt()  # from now on it is these parts that are known
        known = [tensor.dtype for tensor in self.net.parameters() if tensor.is_floating_point()]
        before = self._way
        try:
            layouts = _LAYOUTS if self._is_picture else ("contiguous",)
            dtypes = [dtype for dtype in dict.fromkeys(known) if dtype != torch.float32]
            self._way = way_in(ask, layouts, dtypes)
        except Exception:
            self._way = before
            raise

    def as_tensor(self, x: Any) -> torch.Tensor:
        if isinstance(x, torch.Tensor):
            with torch.inference_mode(False):  # gradients may be taken at it, wherever it comes from
                return x.detach().to_dense().to(self._torch_device, torch.float32, copy=True)
        tensor: torch.Tensor = self.operations.from_numpy(np.asarray(self.plain(x), dtype=np.float32))
        return tensor

    def plain(self, value: Any) -> Any:
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value

    def _answer(
        self,
        query: Query,
        x: torch.Tensor,
        target: torch.Tensor | None,
        layout: str | None,
        replacement: torch.Tensor | None,
    ) -> Answer:
        """See `Model._answer`; a memory format in which a query fails, but not in another, is not used again."""
        layout = layout if layout in self.layouts else self.layouts[0]
        try:
            return self._answer_in(layout, query, x, target, replacement)
        except Exception as error:
            if layout == "contiguous" or isinstance(error, HeatmarkError) or self.is_out_of_memory(error):
                raise
            answer = self._answer_in("contiguous", query, x, target, replacement)
            self._way = replace(self._way, layouts=("contiguous",), left_out=f"{query.in_words()} failed in {layout}")
            return answer

    def _answer_in(
        self,
        layout: str,
        query: Query,
        x: torch.Tensor,
        target: torch.Tensor | None,
        replacement: torch.Tensor | None,
    ) -> Answer:
        with torch.inference_mode(False), at_rest(self.net), ExitStack() as stack:
            x = _laid_out(x.clone() if x.is_inference() else x, layout)
            # Not inference mode: what the network keeps of a pass (a cached table) must serve later gradients.
            stack.enter_context(torch.set_grad_enabled(query.backward))
            if query.input_gradient:
                x = x.detach().requires_grad_()
            if query.replaced is not None:
                assert replacement is not None
                layer = self.net.get_submodule(query.replaced)
                stack.enter_context(layer.register_forward_hook(partial(_replaced, replacement)))
            kept = stack.enter_context(_captured(self.net, query))
            attentions = stack.enter_context(captured_attention(self.net, query))
            with self._autocast(), RectifierRule(query.rule) if query.rule else nullcontext():
                logits = self.logits(x)
            if query.backward:
                return self._with_gradients(query, x, target, logits, kept, attentions)
        # Copies: a network may return the same tensor each time, and overwrite it.
        activations = tuple(kept[name].float().clone() for name in query.layers)
        return Answer(
            logits.clone(), activations=activations, attentions=tuple(item.float().clone() for item in attentions)
        )

    def _with_gradients(
        self,
        query: Query,
        x: torch.Tensor,
        target: torch.Tensor | None,
        logits: torch.Tensor,
        kept: dict[str, torch.Tensor],
        attentions: list[torch.Tensor],
    ) -> Answer:
        assert target is not None
        activations = tuple(kept[name] for name in query.layers)
        scored = logits if query.output is None else kept[query.output].float()
        score = target_score(self.operations, scored, target, query.score, self.link).sum()
        inside = [*activations, *attentions] if query.layer_gradients else []
        wanted = ([x] if query.input_gradient else []) + inside
        differentiable = score.requires_grad  # not where no_grad or detach stands on every way to it
        found = torch.autograd.grad(score, wanted, allow_unused=True) if differentiable else (None,) * len(wanted)
        refuse_unconnected(self.name, query, found)
        gradients = [
            torch.zeros_like(tensor, dtype=torch.float32) if gradient is None else gradient.float()
            for tensor, gradient in zip(wanted, found, strict=True)
        ]
        return Answer(
            logits.detach(),
            gradients.pop(0) if query.input_gradient else None,
            tuple(item.detach().float() for item in activations),
            tuple(gradients[: len(activations)]),
            tuple(item.detach().float() for item in attentions),
            tuple(gradients[len(activations) :]),
        )

    def prepared(self, x: torch.Tensor) -> torch.Tensor:
        """See `Interface.prepared`; of the floating type that the network takes, and its own to overwrite."""
        # A normalisation makes a new tensor; other preprocessing, or the network itself, may change what it is given.
        x = super().prepared(x if isinstance(self.preprocess, Normalization) else x.clone())
        return x if self._way.dtype is None or not x.is_floating_point() else x.to(self._way.dtype)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        with without_layer(self.net, self.reading.left_out):
            scores = self._scores(x)
        logits: torch.Tensor = self.reading.logits(self.operations, scores.float())
        return logits

    def _scores(self, x: torch.Tensor) -> torch.Tensor:
        """Return the network's class scores as they come."""
        output = self.net(self.prepared(x))
        scores: torch.Tensor = class_scores(output, torch.is_tensor, self.name, self.conventions.outputs)
        require_real(str(scores.dtype), self.name)
        # A squeeze() takes from a single sample the axis of samples too.
        return scores[None] if scores.ndim == 1 and len(x) == 1 else scores

    def find_ending(self) -> Ending | None:
        blank = self.blank()
        with at_rest(self.net), torch.no_grad(), self._autocast():
            return final_layer(self.net, lambda: self._scores(blank))

    @property
    def computes_in_half(self) -> bool:
        kinds = {value.dtype for value in (*self.net.parameters(), *self.net.buffers())}
        return self.precision == "bf16" or not kinds.isdisjoint({torch.float16, torch.bfloat16})

    def constant(self, array: np.ndarray) -> torch.Tensor:
        """See `Interface.constant`; kept, because a copy to a GPU for every chunk would stall it."""

        def made() -> torch.Tensor:
            with torch.inference_mode(False):  # it outlives this query and must serve gradients too
                tensor: torch.Tensor = self.from_numpy(array)
            return tensor

        return self.once(("constant", array.shape, array.tobytes()), made)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._torch_device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def biases(self) -> tuple[LayerBias, ...]:
        found, called = [], {layer.name: layer for layer in self.layers()}
        for name, module in self.net.named_modules():
            if name not in called:
                continue
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                assert module.running_var is not None
                scale = torch.rsqrt(module.running_var + module.eps)
                shift = torch.zeros_like(scale)
                if module.affine:
                    scale, shift = scale * module.weight, module.bias
                found.append(LayerBias(name, called[name], self.plain((shift - scale * module.running_mean).float())))
            elif isinstance(module, _LINEAR) and module.bias is not None:
                found.append(LayerBias(name, called[name], self.plain(module.bias.float())))
        return tuple(found)

    @property
    def unreached(self) -> str:
        """See `Interface.unreached`: what TorchScript compiled."""
        return self.once("unreached", lambda: why_out_of_reach(self.net))

    def _find_computed(self) -> tuple[Computed, ...]:
        with at_rest(self.net), torch.no_grad():
            return operations_of(self.net, lambda: self.logits(self.blank()))

    def _find_rectifiers(self) -> Rectifiers:
        with at_rest(self.net), torch.enable_grad():
            return rectifiers(self.net, lambda: self.logits(self.blank().requires_grad_()))

    def _find_attentions(self) -> tuple[AttentionLayer, ...]:
        with at_rest(self.net):
            return attention_layers(self.net, lambda: self.logits(self.blank()))

    def _find_layers(self) -> tuple[Layer, ...]:
        # Noise, at which sums differ from their parts, and two rows of it, which show what has no axis of samples.
        noise = np.random.default_rng(0).random((2, *self.input_shape), dtype=np.float32)
        x = self.from_numpy(self.from_unit(noise))
        axes = ChannelAxes(x, None if self.channel_axis is None else self.channel_axis % x.ndim)
        found: dict[str, Layer] = {}
        before: torch.Tensor | None = None  # a copy of the last output: some networks add to it in place

        def note(name: str, composed: bool) -> Callable[..., None]:
            def hook(module: torch.nn.Module, arguments: Any, output: Any) -> None:
                nonlocal before
                found.pop(name, None)  # a module that is called again moves to its last place
                if not isinstance(output, torch.Tensor):
                    before = None
                    return
                axis = of_batch(axes.axis_of(output), output.ndim)
                found[name] = Layer(
                    name,
                    type(module).__name__,
                    tuple(output.shape[1:]),
                    axis,
                    "" if axis is None else BY_OPERATIONS,
                    per_sample=output.shape[:1] == x.shape[:1],
                    composed=composed,
                    repeats=before is None or (before.shape == output.shape and torch.equal(before, output)),
                )
                before = output.clone()

            return hook

        with ExitStack() as stack:
            for name, module in reachable_modules(self.net):
                if name:
                    stack.enter_context(module.register_forward_hook(note(name, any(True for _ in module.children()))))
            stack.enter_context(at_rest(self.net))
            stack.enter_context(torch.no_grad())
            stack.enter_context(axes)
            self.logits(x)
        return told_by_shape(tuple(found.values()), self.spatial_shape)

    def network(self) -> TorchNetwork:
        return torch_network(self.net, self)

    def parameter_layers(self) -> tuple[ParameterLayer, ...]:
        return torch_parameter_layers(self.net, self.layers())

    def synchronise(self) -> None:
        if self._torch_device.type == "cuda":
            torch.cuda.synchronize(self._torch_device)

    def is_out_of_memory(self, error: BaseException) -> bool:
        text = str(error).lower()
        return isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) or (
            isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
        )

    def _weights(self) -> Iterator[tuple[str, bytes]]:
        return state_bytes(self.net)

    def hidden_state(self) -> list[str]:
        """See `Insides.hidden_state`: tensors that are plain attributes of modules."""
        with at_rest(self.net), torch.no_grad(), self.failures_told(Query().in_words()):
            return hidden_tensors(self.net, lambda: self.logits(self.operations.zeros((2, *self.input_shape))))

    def state_now(self) -> dict[str, Any]:
        return state_now(self.net)


def _replaced(replacement: torch.Tensor, module: torch.nn.Module, arguments: Any, output: torch.Tensor) -> torch.Tensor:
    """Return what replaces a module's output; earlier calls of it that give other shapes are left alone."""
    return replacement.to(output.dtype, copy=True) if output.shape[1:] == replacement.shape[1:] else output


def _laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    """Return inputs in a memory format."""
    return x.contiguous(memory_format=torch.channels_last) if layout == "channels_last" else x


@contextmanager
def _captured(net: torch.nn.Module, query: Query) -> Iterator[dict[str, torch.Tensor]]:
    """Yield a dictionary that a forward pass fills with the queried layers' (last) outputs.

    Where only gradients at the layers are wanted, the graph starts at the earliest of them: nothing before it is
    recorded, and the backward pass stops there. What follows gets a copy, because an in-place ReLU would overwrite
    the output that was kept.
    """
    kept: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., torch.Tensor]:
        def hook(module: torch.nn.Module, arguments: Any, output: torch.Tensor) -> torch.Tensor:
            if query.layer_gradients and not output.is_floating_point():
                raise NotApplicable(f"The layer {name!r} gives {output.dtype}, which has no gradient. {OTHERWISE}")
            if query.layer_gradients and name in query.layers and not output.requires_grad:
                # A copy of what was computed in inference mode may have a gradient.
                output = (output.clone() if output.is_inference() else output.detach()).requires_grad_()
            kept[name] = output
            return output.clone()

        return hook

    with ExitStack() as stack:
        for name in dict.fromkeys(query.layers if query.output is None else (*query.layers, query.output)):
            stack.enter_context(net.get_submodule(name).register_forward_hook(keep(name)))
        yield kept
