"""Mean heatmaps per class and over a whole dataset, streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ...datasets.base import Dataset
from ...datasets.progress import Progress
from ...datasets.registry import load_dataset
from ...methods.registry import Method
from ...models.base import Model
from ..setting.input_shapes import settle_input_shape
from .batches import labels_fit, targeted_batches
from .explaining import ChosenMethods, LeftOut, channels_last, maps_of, model_named
from .samples import EVERYTHING, SampleRule

Average = Literal["class", "all"]
CLASSES = 24
"""So many classes have a mean of their own at most, so that memory does not grow with their number."""

WHOLE = -1
"""Stands for the whole dataset among the class numbers."""


@dataclass
class StreamingMean:
    """The mean of arrays that come one by one; arrays with values that are not finite are counted apart."""

    count: int = 0
    not_finite: int = 0
    _mean: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def add(self, array: np.ndarray) -> None:
        """Take one more array into the mean."""
        if not np.isfinite(array).all():
            self.not_finite += 1
            return
        self.count += 1
        # Moving the mean instead of adding up keeps small differences in view after many samples.
        self._mean = self._mean + (array.astype(np.float64) - self._mean) / self.count

    @property
    def value(self) -> np.ndarray | None:
        """The mean in float64, or None before the first finite array."""
        return self._mean if self.count else None


@dataclass(frozen=True)
class MeanMaps:
    """The means of one class, or of the whole dataset (``number`` is then `WHOLE`)."""

    number: int
    name: str
    """The class's name."""
    samples: int
    picture: np.ndarray
    """The mean input, channels last."""
    maps: Mapping[str, np.ndarray]
    """The mean map by method; a method without finite maps is absent."""


@dataclass(frozen=True)
class Averages:
    """The means of one model and dataset."""

    groups: tuple[MeanMaps, ...]
    """The whole dataset, then the classes by number."""
    by_label: bool
    """Whether the classes are the dataset's labels; else they are the model's predictions."""
    further_classes: int
    """How many classes were met beyond those that have a mean of their own."""
    not_finite: int
    """How many maps were left out because they held values that are not finite."""
    left_out: tuple[LeftOut, ...]
    """The methods without a mean, and why."""
    misfit: str = ""
    """In what way the dataset's classes are not the model's; nothing where they are, or where it has none."""


@dataclass
class _Sums:
    """Everything that is added up for one class."""

    picture: StreamingMean = field(default_factory=StreamingMean)
    maps: dict[str, StreamingMean] = field(default_factory=dict)


def mean_maps(
    model: Model,
    methods: Sequence[Method],
    dataset: Dataset,
    by: Average = "class",
    *,
    classes: int = CLASSES,
    seed: int = 0,
    lenient: bool = False,
    bar: Progress | None = None,
) -> Averages:
    """Return the mean map of every method per class and over the whole dataset.

    Every sample is explained for its predicted class, and the maps are averaged as they are. Samples stream through,
    so memory does not grow with their number.

    Parameters
    ----------
    by
        ``class``: a mean per class beside that of the whole dataset, which alone ``all`` gives. A sample's class is
        its label; where the dataset has no classes, the predicted one.
    classes
        So many classes, in the order in which they are met, have a mean of their own; the others count in the whole.
    lenient
        Whether a method that fails is left out instead of raising.
    bar
        Told of every map.

    Raises
    ------
    BadInput
        If the dataset is empty or does not fit the model.
    """
    by_label = bool(dataset.class_names)
    names = dataset.class_names if by_label else (model.class_names or ())
    sums: dict[int, _Sums] = {WHOLE: _Sums()}
    met: set[int] = set()
    left_out: dict[str, LeftOut] = {}
    for batch, _, asked in targeted_batches(model, dataset, range(len(dataset)), "predicted"):
        # The dataset's own classes, which need not be the model's.
        numbers = (batch.y if by_label else asked.target).tolist()
        met.update(number for number in numbers if number >= 0)
        places = [_places(sums, number, classes if by == "class" else 0) for number in numbers]
        for row, picture in enumerate(channels_last(model, batch.x)):
            for place in places[row]:
                sums[place].picture.add(picture)
        for method in methods:
            if method.id not in left_out:
                found = maps_of(asked, method, seed, lenient=lenient)
                if isinstance(found, LeftOut):
                    left_out[method.id] = found
                else:
                    _add(sums, places, method.id, found)
            if bar is not None:
                bar.update(len(batch))
    groups = [_group(number, sums[number], names, left_out) for number in sorted(sums)]
    return Averages(
        tuple(groups),
        by_label,
        len(met - set(sums)) if by == "class" else 0,
        sum(mean.not_finite for mean in sums[WHOLE].maps.values()),
        tuple(left_out.values()),
        _misfit(model, dataset),
    )


def average_maps(
    data: str,
    model: str,
    chosen: ChosenMethods,
    frameworks: Sequence[str],
    by: Average,
    *,
    rule: SampleRule = EVERYTHING,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Averages]:
    """Return the `mean_maps` of a dataset by framework; of ``all`` methods those that fail are left out."""
    dataset = rule.of(load_dataset(data), model)
    total = len(dataset) * len(chosen.methods) * len(frameworks)
    found: dict[str, Averages] = {}
    with Progress(f"Averaging over {data}", total, "heatmaps", shown=progress) as bar:
        for framework in frameworks:
            loaded = model_named(model, framework, device)
            if not loaded.knows_shape:
                settle_input_shape(loaded, dataset.first_readable(), dataset.framing)
            found[framework] = mean_maps(
                loaded,
                chosen.methods,
                dataset,
                by,
                seed=seed,
                lenient=chosen.every,
                bar=bar,
            )
    return found


def _misfit(model: Model, dataset: Dataset) -> str:
    if not dataset.class_names or labels_fit(dataset, model):
        return ""
    return (
        f"{dataset.title} has {len(dataset.class_names)} classes and {model.name} {model.num_classes}: the classes "
        "that are explained are the network's own, and say nothing of the dataset's."
    )


def _places(sums: dict[int, _Sums], number: int, most: int) -> list[int]:
    """Return the groups that a sample of this class belongs to; a new class gets a group while there is room."""
    if number < 0 or (number not in sums and len(sums) - 1 >= most):
        return [WHOLE]
    sums.setdefault(number, _Sums())
    return [WHOLE, number]


def _add(sums: Mapping[int, _Sums], places: Sequence[Sequence[int]], method: str, maps: np.ndarray) -> None:
    for row, heatmap in enumerate(maps):
        for place in places[row]:
            sums[place].maps.setdefault(method, StreamingMean()).add(heatmap)


def _group(number: int, sums: _Sums, names: Sequence[str], left_out: Mapping[str, LeftOut]) -> MeanMaps:
    name = "whole dataset" if number == WHOLE else names[number] if number < len(names) else f"class {number}"
    means = {method: mean.value for method, mean in sums.maps.items() if method not in left_out}
    picture = sums.picture.value
    assert picture is not None  # a group is made for a sample
    maps = {method: value.astype(np.float32) for method, value in means.items() if value is not None}
    return MeanMaps(number, name, sums.picture.count, picture.astype(np.float32), maps)
