"""``keras:NAME``: the classifiers of keras.applications with their official weights, through Keras' own loader."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np

from ...datasets.base import Sizing
from ...datasets.photographs.imagenet_classes import imagenet_names
from ...errors import HeatmarkError, UnknownName, error_in_words, suggestion
from ..catalogue import LoadedNetwork
from ..normalization import Normalization
from .library_weights import RANDOM, RANDOM_SEED, library_weights_id, name_and_weights, not_fetched

_TO_255 = Normalization((0.0,) * 3, (1 / 255,) * 3)
_TO_ONE = Normalization((0.5,) * 3, (0.5,) * 3)
_IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# The blue-green-red means of Caffe's ImageNet networks, in raw units and in the raw order of the channels.
_CAFFE = Normalization((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3, flip_channels=True)

# By the module of keras.applications that defines a model: what its preprocess_input does to pixels of 0 to 255.
# The last four have it inside the network and take the pixels as they are.
PREPROCESSING = {
    **dict.fromkeys(("vgg16", "vgg19", "resnet"), _CAFFE),
    **dict.fromkeys(("resnet_v2", "inception_v3", "inception_resnet_v2", "xception"), _TO_ONE),
    **dict.fromkeys(("mobilenet", "mobilenet_v2", "nasnet"), _TO_ONE),
    "densenet": _IMAGENET,
    **dict.fromkeys(("efficientnet", "efficientnet_v2", "mobilenet_v3", "convnext"), _TO_255),
}
_DEFAULT_SIDE = 224
_CLASSES = 1000


def load_keras(text: str) -> LoadedNetwork:
    """Return a classifier of keras.applications, with logits as its output.

    Parameters
    ----------
    text
        ``VGG16``, ``ResNet50``, ...; ``VGG16@random`` for an untrained one (seeded).

    Raises
    ------
    UnknownName
        If there is no such classifier.
    HeatmarkError
        If the weights can neither be found nor fetched.
    """
    name, choice = name_and_weights(text)
    known = [item for item in dir(keras.applications) if callable(getattr(keras.applications, item))]
    if name not in known:
        raise UnknownName(f"keras.applications has no classifier {name!r}.{suggestion(name, known)}")
    if choice not in (None, "imagenet", RANDOM):
        raise UnknownName(f"Keras' {name} has no weights {choice!r}; it has imagenet and {RANDOM}.")
    constructor = getattr(keras.applications, name)
    net = _constructed(constructor, name, None if choice == RANDOM else "imagenet")
    if choice == RANDOM:
        _draw(net)
    spatial = tuple(size or _DEFAULT_SIDE for size in net.input_shape[1:3])
    return LoadedNetwork(
        net=net,
        preprocess=PREPROCESSING.get(constructor.__module__.rpartition(".")[2], _TO_255),
        input_shape=(*spatial, 3),
        num_classes=_CLASSES,
        sizing=Sizing(crop=0.875),
        class_names=imagenet_names(),
        weights_id=library_weights_id("keras", text),
    )


def _constructed(constructor: Any, name: str, weights: str | None) -> Any:
    """Call Keras' constructor; a failed download becomes an error that says what to do."""
    try:
        return constructor(weights=weights, classes=_CLASSES, classifier_activation=None)
    except (URLError, ConnectionError, TimeoutError) as error:
        raise not_fetched(f"Keras' {name}", f"the address of {name}'s weights", _folder(), error) from error
    except Exception as error:  # Keras raises a plain Exception when it cannot download
        failed = re.match(r"URL fetch failure on (\S+): (.*)", str(error), re.DOTALL)
        if failed is None and weights is not None and isinstance(error, (OSError, ValueError, KeyError)):
            raise HeatmarkError(
                f"Keras' {name} cannot be built: {error_in_words(error)}. Its weights lie in {_folder()}: if the file "
                "there is damaged, remove it, and it is fetched again."
            ) from error
        if failed is None:
            raise
        raise not_fetched(f"Keras' {name}", failed[1], _folder(), failed[2].removeprefix("None -- ")) from error


def _folder() -> Path:
    """Return the folder in which Keras looks for weights."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def _draw(net: Any) -> None:
    """Give every kernel normal weights of variance 2 / fan-in, without touching Keras' global random state again."""
    generator = np.random.default_rng(RANDOM_SEED)
    for variable in net.trainable_variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            spread = math.sqrt(2.0 / max(1, math.prod(shape[:-1])))
            variable.assign(generator.normal(0.0, spread, shape).astype(np.float32))
