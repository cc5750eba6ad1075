"""What a network predicts on a dataset: the public `predict`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from ..datasets.base import Dataset
from ..datasets.progress import Progress
from ..datasets.registry import load_dataset
from ..errors import BadInput
from ..models.base import Model
from ..models.queries import Precision
from ..models.zoo.loading import shown_name
from .executors.usual_frameworks import usual_frameworks
from .running.run_folder import short_dataset, short_model
from .setting.input_shapes import settle_input_shape
from .store.cell import slug
from .work.batches import BATCH_SIZE, UNKNOWN, labels_fit
from .work.messages import NamedModel
from .work.named_models import check_name, identity, loaded_model
from .work.predicting import Answer, answers
from .work.samples import PARTS, Part, SampleRule

NAMED_FILES = 8
"""So many files that could not be used are named."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of a dataset's samples."""

    model: str
    """What tables call it."""
    dataset: str
    """The dataset's title."""
    framework: str
    place: str = field(repr=False)
    """What a folder of results is called after the two."""
    answers: tuple[Answer, ...]
    """One per readable sample, in the dataset's order."""
    class_names: tuple[str, ...] = field(repr=False)
    """One name per class of the network."""
    notes: tuple[str, ...] = ()
    """What the user should know, such as labels that are not the network's."""

    def __repr__(self) -> str:
        return f"<Predictions of {self.model} on {self.dataset}: {len(self.answers)} samples>"

    @property
    def labelled(self) -> list[Answer]:
        """The answers to samples whose label the network knows."""
        return [answer for answer in self.answers if answer.label != UNKNOWN]

    @property
    def accuracy(self) -> float:
        """The share of labelled samples whose likeliest class is the label; NaN where there is none."""
        return _mean([float(answer.predicted == answer.label) for answer in self.labelled])

    @property
    def top_accuracy(self) -> float:
        """The share of labelled samples whose label is among the likeliest classes; NaN where there is none."""
        return _mean([float(answer.label in answer.classes) for answer in self.labelled])

    @property
    def loss(self) -> float:
        """Mean cross-entropy of the labelled samples, in nats; NaN where there is none."""
        return _mean([answer.loss for answer in self.labelled])

    @property
    def confusions(self) -> Counter[tuple[int, int]]:
        """How often each (label, predicted class) occurs among the labelled samples."""
        return Counter((answer.label, answer.predicted) for answer in self.labelled)

    def name(self, number: int) -> str:
        """Return what a class is called."""
        return self.class_names[number] if 0 <= number < len(self.class_names) else f"class {number}"


def predict(
    model: str | Model,
    data: str | Dataset,
    *,
    framework: str | None = None,
    top: int = 5,
    limit: int | None = None,
    per_class: int | None = None,
    part: str = "held-out",
    pictures: int = 8,
    device: str = "auto",
    precision: Precision | str = "float32",
    progress: bool = False,
) -> Predictions:
    """Ask a network about every sample of a dataset: its likeliest classes, and how often it is right.

    Parameters
    ----------
    model
        A model, a registered name, or ``package.module:build``, ``file.py:build``, ``file:net.keras``.
    data
        A dataset or its name.
    framework
        ``torch`` or ``tensorflow``; by default the first that is installed and that the network has.
    top
        So many of the likeliest classes of each sample.
    limit, per_class, part
        As `benchmark.run.run` takes them.
    pictures
        Of so many samples, spread over the classes, the input is kept for drawing.
    device, precision
        As `load_model` takes them.
    progress
        Whether to show progress on standard error.

    Raises
    ------
    UnknownName, BadInput
        For names and values that cannot be used, and data that does not fit the network.
    MissingExtra
        If the framework is not installed.
    NotApplicable
        If the network does not exist in the framework asked for.
    """
    if top < 1 or pictures < 0:
        raise BadInput(f"top is at least 1 and pictures at least 0; got top={top}, pictures={pictures}.")
    if part not in PARTS:
        raise BadInput(f"part is one of {', '.join(PARTS)}; got {part!r}.")
    rule = SampleRule(limit, per_class, cast(Part, part))
    whole = load_dataset(data)
    loaded = model if isinstance(model, Model) else _loaded(model, framework, device, cast(Precision, precision))
    name = model if isinstance(model, str) else ""
    dataset, notes = rule.of(whole, name), [rule.note(whole, name)]
    if not loaded.knows_shape:
        settle_input_shape(loaded, dataset.first_readable(), dataset.framing)
    if dataset.class_names and not labels_fit(dataset, loaded):
        notes.append(
            f"{dataset.title} has {len(dataset.class_names)} classes and {loaded.name} {loaded.num_classes}, so its "
            "labels are not the network's: there is no accuracy, loss or confusion."
        )
    found = []
    with Progress(f"Asking {loaded.name}", len(dataset), "samples", shown=progress) as bar:
        for answer in answers(loaded, dataset, min(top, loaded.num_classes), pictures, 4 * BATCH_SIZE):
            found.append(answer)
            bar.update(1)
    notes += [f"left out {file.path}: {file.reason}" for file in dataset.skipped[:NAMED_FILES]]
    if len(dataset.skipped) > NAMED_FILES:
        notes.append(f"... and {len(dataset.skipped) - NAMED_FILES} more files")
    names = loaded.class_names or (dataset.class_names if labels_fit(dataset, loaded) else ())
    shown = shown_name(name, identity(loaded, name)) if name else loaded.name
    place = slug(
        f"{short_model(name) if name else shown}-{short_dataset(data) if isinstance(data, str) else data.title}"
    )
    return Predictions(
        shown, dataset.title, loaded.framework, place, tuple(found), tuple(names), tuple(note for note in notes if note)
    )


def _loaded(name: str, framework: str | None, device: str, precision: Precision) -> Model:
    """Return a model by its name, in the framework asked for or the one that it has."""
    check_name(name)
    return loaded_model(NamedModel(name, framework or usual_frameworks(name)[0], device, precision))


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
