"""Writing a commented, runnable file to begin with."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Any

from ...datasets.registry import DATASETS
from ...errors import BadInput
from ...methods.registry import METHODS
from ...metrics.registry import METRICS
from ...models.catalogue import MODELS
from ...registry import Registry, titled
from ...storage import written_whole
from .report import Kind

TEMPLATES = Path(__file__).parent / "templates"


def write_new(kind: Kind, name: str, out: str | Path | None = None) -> Path:
    """Write a file that registers a method, metric, dataset or model of this name, and return where it is.

    Parameters
    ----------
    kind
        What the file registers.
    name
        Its name: letters, digits and ``_-.``.
    out
        The file; ``NAME.py`` in the working folder where None.

    Raises
    ------
    BadInput
        If the name cannot be used or is taken, or the file is there already.
    StorageError
        If the file cannot be written.
    """
    _check_free(kind, name)
    identifier = re.sub(r"\W+", "_", name)
    if not identifier.isidentifier() or keyword.iskeyword(identifier):
        identifier = f"own_{identifier}"
    path = Path(f"{identifier}.py") if out is None else Path(out)
    if path.suffix != ".py":
        raise BadInput(f"{path} is no Python file. Give a file that ends in .py.")
    if path.exists():
        raise BadInput(f"{path} is there already, and is left as it is. Choose another file with --out.")
    words = [word for word in re.split(r"[\W_]+", name) if word]
    class_name = "".join(word[:1].upper() + word[1:] for word in words)
    template = Template((TEMPLATES / f"{kind}.py.txt").read_text(encoding="utf-8"))
    text = template.substitute(
        name=name,
        identifier=identifier,
        title=titled(re.sub(r"[-.]", "_", name)),
        class_name=class_name if class_name.isidentifier() else f"Own{class_name}",
        file=path.name,
    )
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _check_free(kind: Kind, name: str) -> None:
    """Raise BadInput where a name cannot be registered."""
    registries: dict[Kind, Registry[Any]] = {
        "method": METHODS,
        "metric": METRICS,
        "dataset": DATASETS,
        "model": MODELS,
    }
    registry = registries[kind]
    registry.check_name(name)
    if name in registry.names():
        raise BadInput(f"There is a {kind} {name!r} already: heatmark show {kind} {name}. Choose another name.")
