"""Examining a network by the name that a run takes, with data by its name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress

from ...datasets.base import Dataset
from ...datasets.registry import load_dataset
from ...errors import BadInput, MissingExtra
from ...models.checking.inputs import two_inputs
from ...models.devices import require_framework
from ...models.queries import Precision
from ...models.zoo.loading import find_model, load_model
from ..setting.plugins import load_plugins
from ..work.named_models import check_name, is_own
from .examination import Examination
from .examine import RANDOM_INPUTS, Notice, examine
from .inputs import samples
from .sources import what_was_read


def check_named(
    name: str,
    data: str | None = None,
    *,
    framework: str | None = None,
    device: str = "auto",
    precision: str | None = None,
    plugins: Iterable[str] = (),
    on_question: Notice | None = None,
) -> Examination:
    """Examine a model by its name.

    Parameters
    ----------
    name
        As ``heatmark run --models`` takes it.
    data
        A dataset's name; by default the model's own, else two random inputs.
    framework
        ``torch`` or ``tensorflow``; by default that of the network, for a registered model the first installed.
    device, precision
        As `heatmark.run` takes them.
    plugins
        Modules or ``.py`` files that register the model or the data.
    on_question
        See `check`.

    Raises
    ------
    UnknownName, BadInput
        For names and values that cannot be used, and data that does not fit the network.
    HeatmarkError
        If the network cannot be loaded.
    """
    load_plugins(plugins)
    check_name(name)
    if framework is not None:
        require_framework(framework)
    dataset = None if data is None else load_dataset(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what wrapping warns of is asked again, with these inputs
        model = load_model(name, framework, device, _precision(precision))
        if dataset is None:
            dataset = _own_data(name)
        if dataset is None:
            x, inputs = model.inputs(two_inputs(model)), RANDOM_INPUTS
        else:
            x, inputs = samples(model, dataset)
    return examine(model, x, inputs, [what_was_read(name, model)], on_question)


def _own_data(name: str) -> Dataset | None:
    """Return the dataset that a registered model comes with, or None where there is none, or it is not at hand."""
    if is_own(name):
        return None
    for data in find_model(name)[0].datasets[:1]:
        with suppress(MissingExtra):
            return load_dataset(data)
    return None


def _precision(text: str | None) -> Precision:
    if text not in (None, "float32", "bf16"):
        raise BadInput(f"Unknown precision {text!r}: choose float32 or bf16.")
    return "bf16" if text == "bf16" else "float32"
