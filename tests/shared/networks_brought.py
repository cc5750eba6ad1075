"""Networks as people bring them, each with one thing that tools of this kind were tripped up by.

One function for each kind, in PyTorch or Keras; each returns the network, the options that `wrap` needs to understand
it, and inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PICTURES = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)
CHANNELS_LAST = np.ascontiguousarray(np.moveaxis(PICTURES, 1, -1))


def torch_networks() -> dict[str, Callable[[], tuple[Any, dict[str, Any], np.ndarray]]]:
    """Return what makes each network, with `wrap`'s options and two inputs, by kind."""
    import torch
    from torch import nn

    @dataclass
    class ModelOutput:
        logits: Any
        loss: Any = None

    class Called(nn.Module):
        """Modules, and a function of them and the input."""

        def __init__(self, call: Callable[..., Any], **parts: nn.Module) -> None:
            super().__init__()
            self.call = call
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x: Any) -> Any:
            return self.call(self, x)

    def usual(outputs: int = 3) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, outputs),
        ).eval()  # fmt: skip

    def around(before: Callable[[Any], Any] = lambda x: x, inside: Callable[[Any], Any] = lambda h: h,
               after: Callable[[Any], Any] = lambda y: y) -> nn.Module:  # fmt: skip
        net = usual()
        return Called(lambda own, x: after(own.head(inside(own.body(before(x))))), body=net[:2], head=net[2:]).eval()

    def no_grad(context: Callable[[], Any]) -> nn.Module:
        net = usual()

        def call(own: Any, x: Any) -> Any:
            with context():
                h = own.body(x)
            return own.head(h)

        return Called(call, body=net[:2], head=net[2:]).eval()

    def viewed() -> nn.Module:
        torch.manual_seed(0)
        return Called(
            lambda own, x: own.dense((lambda h: h.view(h.size(0), -1))(own.relu(own.convolution(x)))),
            convolution=nn.Conv2d(3, 4, 3), relu=nn.ReLU(), dense=nn.Linear(400, 3),
        ).eval()  # fmt: skip

    def batched(norm: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        )

    def channels_last_inside() -> nn.Module:
        torch.manual_seed(0)
        block = nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

        def call(own: Any, x: Any) -> Any:
            h = own.stem(x).permute(0, 2, 3, 1)
            return own.head(own.norm(h + own.block(h)).mean((1, 2)))

        return Called(
            call, stem=nn.Conv2d(3, 24, 3, 3), block=block, norm=nn.LayerNorm(24), head=nn.Linear(24, 5)
        ).eval()

    def residual() -> nn.Module:
        torch.manual_seed(0)
        block = Called(
            lambda own, x: x + own.branch(x),
            branch=nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 6, 1)),
        )
        return nn.Sequential(
            nn.Conv2d(3, 6, 3), block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
        ).eval()  # fmt: skip

    def volumes() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 6, 3), nn.ReLU(),
            nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(6, 3),
        ).eval()  # fmt: skip

    def quantised() -> nn.Module:
        dynamic = torch.ao.quantization.quantize_dynamic
        return dynamic(nn.Sequential(*usual()), {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-any-return]

    def half_scripted() -> nn.Module:
        net = usual()
        return nn.Sequential(torch.jit.script(net[:2]), *net[2:]).eval()

    shape = {"input_shape": (3, 12, 12), "device": "cpu"}

    def pictures(make: Callable[[], Any], **options: Any) -> Callable[[], tuple[Any, dict[str, Any], np.ndarray]]:
        return lambda: (make(), {**shape, **options}, PICTURES)

    volume = np.random.default_rng(1).random((2, 1, 8, 10, 12), dtype=np.float32)
    return {
        "usual": pictures(usual),
        "flattened by view": pictures(viewed),
        "one sigmoid": pictures(lambda: nn.Sequential(*usual(1), nn.Sigmoid())),
        "multi-label, stated": pictures(usual, output="multi-label"),
        "several sigmoids": pictures(lambda: nn.Sequential(*usual(), nn.Sigmoid())),
        "softmax in a forward": pictures(lambda: around(after=lambda y: y.softmax(1))),
        "subtracts in place": pictures(lambda: around(before=lambda x: x.sub_(0.5).div_(0.25))),
        "multiplies in place": pictures(lambda: around(before=lambda x: x.mul_(3.0))),
        "first ReLU in place": lambda: (
            nn.Sequential(nn.ReLU(inplace=True), *usual()), {**shape, "domain": (-0.4, 0.6)}, PICTURES - np.float32(0.4)
        ),
        "float64": pictures(lambda: usual().double()),
        "bfloat16": pictures(lambda: usual().bfloat16()),
        "float16": pictures(lambda: usual().half()),
        "ModelOutput": pictures(lambda: around(after=ModelOutput)),
        "dict of logits": pictures(lambda: around(after=lambda y: {"logits": y})),
        "list of one": pictures(lambda: around(after=lambda y: [y])),
        "tuple, stated": pictures(lambda: around(after=lambda y: (y, y)), outputs=lambda both: both[0]),
        "no_grad": pictures(lambda: no_grad(torch.no_grad)),
        "inference_mode": pictures(lambda: no_grad(torch.inference_mode)),
        "detach": pictures(lambda: around(inside=lambda h: h.detach())),
        "data": pictures(lambda: around(before=lambda x: x.data)),
        "round": pictures(lambda: around(inside=lambda h: torch.round(64 * h) / 64)),
        "channels last inside": pictures(channels_last_inside),
        "volumes": lambda: (volumes(), {"input_shape": (1, 8, 10, 12), "device": "cpu"}, volume),
        "open size": lambda: (usual(), {"device": "cpu"}, PICTURES[..., :9]),
        "batch statistics": pictures(lambda: batched(nn.BatchNorm2d(4, track_running_stats=False)).eval()),
        "left in training": pictures(lambda: batched(nn.BatchNorm2d(4)).train()),
        "scripted": pictures(lambda: torch.jit.script(usual())),
        "traced": pictures(lambda: torch.jit.trace(usual(), torch.from_numpy(PICTURES))),
        "half scripted": pictures(half_scripted),
        "DataParallel": pictures(lambda: nn.DataParallel(usual())),
        "compiled": pictures(lambda: torch.compile(usual(), backend="eager")),
        "quantised": pictures(quantised),
        "preprocess function": lambda: (
            nn.Sequential(nn.Conv2d(1, 6, 3), *usual()[1:]).eval(),
            {**shape, "preprocess": lambda t: t.mean(1, keepdim=True)}, PICTURES,
        ),
        "residual sum in a forward": pictures(residual),
    }  # fmt: skip


def keras_networks() -> dict[str, Callable[[], tuple[Any, dict[str, Any], np.ndarray]]]:
    """Return what makes each network, with `wrap`'s options and two inputs, by kind."""
    import keras
    import tensorflow as tf

    layers = keras.layers

    class Through(layers.Layer):  # type: ignore[misc]  # Keras has no types
        def __init__(self, function: Callable[[Any], Any]) -> None:
            super().__init__()
            self.function = function

        def call(self, values: Any) -> Any:
            return self.function(values)

    def parts(outputs: int = 3, activation: str | None = None) -> list[Any]:
        keras.utils.set_random_seed(0)
        return [
            layers.Conv2D(6, 3, activation="relu"), layers.Conv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(), layers.Dense(outputs, activation=activation),
        ]  # fmt: skip

    def usual(*before: Any, after: Any = (), outputs: int = 3, activation: str | None = None) -> Any:
        first, second, pool, dense = parts(outputs, activation)
        return keras.Sequential([keras.Input((12, 12, 3)), *before, first, second, *after, pool, dense])

    class Subclass(keras.Model):  # type: ignore[misc]  # Keras has no types
        def __init__(self, kind: str, **options: Any) -> None:
            super().__init__()
            self.kind, self.parts = kind, parts(**options)

        def body(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            return x

        def call(self, x: Any, training: bool | None = None) -> Any:
            if self.kind == "tf.function":
                return tf.function(self.body)(x)
            if self.kind == "jit":
                return tf.function(self.body, jit_compile=True)(x)
            return tf.recompute_grad(self.body)(x) if self.kind == "recompute_grad" else self.body(x)

    def subclass(kind: str, policy: str | None = None, **options: Any) -> Any:
        before = keras.config.dtype_policy()
        if policy is not None:
            keras.config.set_dtype_policy(policy)
        try:
            net = Subclass(kind, **options)
            net(CHANNELS_LAST)
        finally:
            keras.config.set_dtype_policy(before)
        return net

    def nested() -> Any:
        first, second, pool, dense = parts()
        inner = keras.Sequential([keras.Input((12, 12, 3)), first, second], name="base")
        return keras.Sequential(
            [keras.Input((12, 12, 3)), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 255), inner, pool, dense]
        )

    def of_any_size() -> Any:
        first, second, pool, dense = parts()
        return keras.Sequential([keras.Input((None, None, 3)), first, second, pool, dense])

    def dictionary() -> Any:
        start = keras.Input((12, 12, 3))
        end = start
        for part in parts():
            end = part(end)
        return keras.Model(start, {"a": end})

    def pictures(make: Callable[[], Any], **options: Any) -> Callable[[], tuple[Any, dict[str, Any], np.ndarray]]:
        return lambda: (make(), options, CHANNELS_LAST)

    shape = {"input_shape": (12, 12, 3)}
    return {
        "usual": pictures(usual),
        "softmax": pictures(lambda: usual(activation="softmax")),
        "one sigmoid": pictures(lambda: usual(outputs=1, activation="sigmoid")),
        "several sigmoids": pictures(lambda: usual(activation="sigmoid")),
        "nested, with Rescaling": pictures(nested),
        "dict": pictures(dictionary),
        "open size": lambda: (of_any_size(), {}, CHANNELS_LAST[:, :, :9]),
        "stop_gradient": pictures(lambda: usual(after=[Through(tf.stop_gradient)])),
        "round": pictures(lambda: usual(after=[Through(lambda h: tf.round(64 * h) / 64)])),
        "tf.function": pictures(lambda: subclass("tf.function"), **shape),
        "jit": pictures(lambda: subclass("jit"), **shape),
        "recompute_grad": pictures(lambda: subclass("recompute_grad"), **shape),
        "mixed_float16": pictures(lambda: subclass("", "mixed_float16", activation="softmax", outputs=40), **shape),
        "mixed_bfloat16": pictures(lambda: subclass("", "mixed_bfloat16", activation="softmax", outputs=40), **shape),
    }  # fmt: skip
