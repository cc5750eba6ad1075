"""The registry of datasets, and loading one by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..definitions import Definition
from ..errors import BadInput, UnknownName
from ..parameters import bound
from ..registry import Reference, Registry
from ..selection import parse_selection, select
from .base import Dataset

Kind = Literal["image", "series"]
Loader = TypeVar("Loader", bound=Callable[..., Dataset])


@dataclass(frozen=True, kw_only=True, repr=False)
class DatasetEntry(Definition):
    """A registered dataset.

    Attributes
    ----------
    function
        Returns the dataset. Its parameters are what `load_dataset` takes beside the name; with a parameter ``path``,
        ``NAME:PATH`` is a name too.
    """

    kind: Kind = "image"
    """``image`` or ``series``."""
    license: str = ""
    """A note on the terms of use."""
    requires: tuple[str, ...] = ()
    """The packages that carry it, beyond heatmark's own dependencies."""

    @property
    def takes_path(self) -> bool:
        """Whether it is read from a path of the user's."""
        return any(parameter.name == "path" for parameter in self.parameters)


DATASETS: Registry[DatasetEntry] = Registry(
    "dataset",
    "heatmark.datasets",
    {
        "photographs": ("imagenet_samples", "imagenet_sample_1000", "imagenet_1k", "image_folder"),
        "small_images": ("digits", "mnist", "cifar10"),
        "series": ("mnist_1d",),
        "ground_truth": ("shapes", "patches", "series", "mosaic"),
    },
)


def register_dataset(
    name: str,
    *,
    title: str = "",
    family: str,
    kind: Kind = "image",
    summary: str = "",
    reference: Reference | None = None,
    license: str = "",
    requires: tuple[str, ...] = (),
) -> Callable[[Loader], Loader]:
    """Return a decorator that registers a function as the loader of a dataset.

    Parameters
    ----------
    name
        The name users type; one that ends in a colon needs something behind it (``image-folder:PATH``).
    family
        The group it is listed under.
    kind, license, requires
        See `DatasetEntry`.
    title, summary, reference
        See `Entry`.

    Raises
    ------
    BadInput
        If the name is empty, has characters that mean something else, or is taken.
    """
    DATASETS.check_name(name.removesuffix(":"))

    def registered(loader: Loader) -> Loader:
        entry = DatasetEntry(
            name=name,
            title=title,
            family=family,
            reference=reference,
            kind=kind,
            license=license,
            requires=requires,
            **{**DATASETS.described(loader), "summary": summary},
        )
        if name.endswith(":") and not entry.takes_path:
            raise BadInput(
                f"The loader of {name!r} needs a keyword-only parameter 'path': what stands behind the colon."
            )
        DATASETS.add(entry)
        return loader

    return registered


def list_datasets() -> list[DatasetEntry]:
    """Return all registered datasets, by family and name."""
    return list(DATASETS)


def load_dataset(name: str | Dataset, **options: Any) -> Dataset:
    """Return the dataset of a name.

    Parameters
    ----------
    name
        A registered name (``imagenet-samples``), with options in brackets (``digits[split=train]``) or with a path
        behind a colon (``image-folder:PATH``, ``imagenet-1k:PATH``, ``imagenet-sample-1000:PATH``). A `Dataset` is
        returned as it is.
    options
        The dataset's options, such as ``path`` or ``split``.

    Raises
    ------
    UnknownName
        For a name or an option that is not registered, with the nearest ones.
    BadInput
        For an option of the wrong type or out of range, or a dataset without samples.
    MissingExtra
        If a package that carries the data is not installed.
    """
    if isinstance(name, Dataset):
        if options:
            raise BadInput(f"The dataset {name.name} is loaded already; it takes no options ({', '.join(options)}).")
        return name
    if not isinstance(name, str):
        raise BadInput(f"A dataset is given by its name or as a Dataset, not as {type(name).__name__}.")
    entry, given = _resolved(name)
    for option in given.keys() & options.keys():
        raise BadInput(f"{name!r} gives {option!r} and so does {option}={options[option]!r}. Give it once.")
    owner = f"dataset {entry.name.removesuffix(':')!r}"
    dataset = entry.function(**bound(entry.parameters, {**given, **options}, owner))
    if not isinstance(dataset, Dataset):
        raise BadInput(f"The loader of {owner} returned {type(dataset).__name__} instead of a Dataset.")
    if len(dataset) == 0:
        raise BadInput(f"The {owner} is empty. Its loader found no samples.")
    return dataset


def find_dataset(name: str) -> DatasetEntry:
    """Return the entry that `load_dataset` uses for ``name``; UnknownName where there is none."""
    return _resolved(name)[0]


def spelt(name: str, **options: Any) -> str:
    """Return the name that loads a dataset with these options: those that are not the registered default."""
    usual = {parameter.name: parameter.default for parameter in _entry(name).parameters}
    return select(name, parameters={key: value for key, value in options.items() if value != usual[key]}).text


def _resolved(name: str) -> tuple[DatasetEntry, dict[str, Any]]:
    """Return the entry that a name means, and the options that stand in the name."""
    head, colon, path = _at_colon(name)
    given: dict[str, Any] = {}
    if "[" in head:
        selection = parse_selection(head)
        if selection.variant is not None:
            raise BadInput(f"{name!r}: options are written as {selection.name}[option=value].")
        head, given = selection.name, dict(selection.parameters)
    entry = _entry(head)
    if not colon:
        return entry, given
    if not entry.takes_path:
        raise BadInput(f"The dataset {head!r} takes no path; leave out {colon + path!r}.")
    if not path:
        raise BadInput(f"{name!r} needs a path behind the colon.")
    if "path" in given:
        raise BadInput(f"{name!r} gives the path twice.")
    return entry, {**given, "path": path}


def _entry(name: str) -> DatasetEntry:
    """Return the entry of a name; a family such as `image-folder:` also answers without its path."""
    known = {entry.name.removesuffix(":"): entry for entry in DATASETS}
    if name not in known and Path(name).is_dir():
        raise UnknownName(
            f"Unknown dataset {name!r}. A folder of pictures of your own is named image-folder:{name}. "
            "See `heatmark list datasets`."
        )
    return known.get(name) or DATASETS.get(name)


def _at_colon(name: str) -> tuple[str, str, str]:
    """Split a name at its first colon outside brackets; the options may name another dataset with its path."""
    depth = 0
    for position, character in enumerate(name):
        depth += (character == "[") - (character == "]")
        if character == ":" and depth == 0:
            return name[:position], ":", name[position + 1 :]
    return name, "", ""
