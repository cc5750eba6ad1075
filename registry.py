"""The one registry class: names to entries, loaded on first use, with suggestions for misspelt names."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from .errors import BadInput, UnknownName, error_in_words, suggestion

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""A name that is not heatmark's own: it stands in file names, selections, tables and pages."""


@dataclass(frozen=True)
class Reference:
    """Where a method, metric, model or dataset comes from."""

    authors: str
    year: int
    title: str = ""
    arxiv: str | None = None

    @property
    def text(self) -> str:
        """The reference in one line."""
        link = f", arXiv {self.arxiv}" if self.arxiv else ""
        title = f". {self.title}" if self.title else ""
        return f"{self.authors} {self.year}{title}{link}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What every registered thing has."""

    name: str
    """The name users type. A name that ends in a colon stands for a family of names (``torchvision:``)."""
    family: str
    """The group it is listed under."""
    summary: str = ""
    """One line."""
    title: str = ""
    """What readers of tables and figures know it by (``Grad-CAM``); made of the name where none is given. It is
    shown and never looked up: no result depends on it.
    """
    reference: Reference | None = None
    """Its source, or None."""
    origin: str = "heatmark"
    """``heatmark``, or the module that registered it."""

    def __post_init__(self) -> None:
        if not self.title.strip():
            object.__setattr__(self, "title", titled(self.name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self.family}>"


def titled(name: str) -> str:
    """Return a title made of a name: ``halved_grad_cam`` is ``Halved Grad CAM``."""
    words = [word for word in re.split("[_:]", name) if word]
    return " ".join(word.upper() if word in _ABBREVIATIONS else word[:1].upper() + word[1:] for word in words) or name


_ABBREVIATIONS = frozenset({"cam", "ig", "lrp", "shap", "auc"})

EntryType = TypeVar("EntryType", bound=Entry)


class Registry(Generic[EntryType]):
    """Entries of one kind by name.

    Parameters
    ----------
    kind
        What an entry is called in messages (``method``).
    package
        The import path of the package that holds the built-in modules.
    rooms
        Those modules by the folder of the package that they stand in, or by "": imported at the first look-up, they
        register their entries.
    """

    def __init__(self, kind: str, package: str, rooms: Mapping[str, Sequence[str]]) -> None:
        self.kind = kind
        self._package = package
        self._pending = [f"{room}.{module}".strip(".") for room, modules in rooms.items() for module in modules]
        self._points: list[EntryPoint] | None = None
        self._entries: dict[str, EntryType] = {}

    @property
    def group(self) -> str:
        """The group of entry points by which installed packages add entries: ``heatmark.methods``."""
        return f"{self._package.partition('.')[0]}.{self.kind}s"

    def add(self, entry: EntryType) -> EntryType:
        """Register an entry; the same name from another place is refused, from the same it is replaced.

        Raises
        ------
        BadInput
            If the name is taken, with both places, or is not one that others' entries may have (`check_name`).
        """
        if entry.origin != "heatmark":
            self.check_name(entry.name.removesuffix(":"))
        known = self._entries.get(entry.name)
        if known is not None and (known.origin != entry.origin or _are_two(known, entry)):
            raise BadInput(
                f"The {self.kind} {entry.name!r} is already registered by {_place(known)}, and is registered again by "
                f"{_place(entry)}. Choose another name for one of them."
            )
        self._entries[entry.name] = entry
        return entry

    def check_name(self, name: str) -> None:
        """Raise BadInput where a name has other characters than letters, digits and ``_-.``, or is too long."""
        if not NAME.fullmatch(name):
            raise BadInput(
                f"The {self.kind} name {name!r} cannot be used: a name has letters (A to Z), digits, '_', '-' and '.' "
                "only, begins with a letter, a digit or '_', and has at most 64 characters. Choose another."
            )

    def origin_of(self, function: Callable[..., Any]) -> str:
        """Return where a registered function comes from: ``heatmark``, or the module of someone's own."""
        module = declaration_of(function).__module__
        return "heatmark" if module.startswith(f"{self._package}.") else module

    def described(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Return what a function or dataclass says of itself: its summary is the first line of its docstring."""
        summary = (inspect.getdoc(declaration_of(function)) or "").partition("\n")[0]
        return {"function": function, "summary": summary, "origin": self.origin_of(function)}

    def find(self, name: str) -> tuple[EntryType, str]:
        """Return the entry for ``name`` and, for a family such as ``torchvision:vgg16``, the part after the colon.

        Raises
        ------
        UnknownName
            With the nearest names and the command that lists all.
        """
        self._load()
        if name in self._entries and not name.endswith(":"):
            return self._entries[name], ""
        prefix, colon, rest = name.partition(":")
        if colon and rest and prefix + ":" in self._entries:
            return self._entries[prefix + ":"], rest
        raise UnknownName(
            f"Unknown {self.kind} {name!r}.{suggestion(name, self._entries)} See `heatmark list {self.kind}s`."
        )

    def get(self, name: str) -> EntryType:
        """Return the entry for ``name`` (see `find`)."""
        return self.find(name)[0]

    def others(self) -> list[EntryType]:
        """Return the entries so far that are not heatmark's own; unlike a look-up, it imports nothing."""
        return [entry for entry in self._entries.values() if entry.origin != "heatmark"]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._load()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[EntryType]:
        self._load()
        return iter(sorted(self._entries.values(), key=lambda entry: (entry.family, entry.name)))

    def _load(self) -> None:
        while self._pending:
            importlib.import_module(f"{self._package}.{self._pending[0]}")
            self._pending.pop(0)
        if self._points is None:
            self._points = list(entry_points(group=self.group))
        while self._points:
            self._add_point(self._points.pop(0))  # taken first: what it imports may look something up here

    def _add_point(self, point: EntryPoint) -> None:
        """Import what an installed package names; one that cannot be used is warned of and costs the others nothing."""
        try:
            point.load()
        except Exception as error:
            package = f" of the package {point.dist.name}" if point.dist is not None else ""
            warnings.warn(
                f"The entry point {point.name} = {point.value}{package} ({self.group}) cannot be used: "
                f"{error_in_words(error)} What it registers is left out. Update the package or uninstall it.",
                stacklevel=2,
            )


def _are_two(known: Entry, entry: Entry) -> bool:
    """Whether a module registers two functions under one name; in a script or notebook the last one counts."""
    first, second = (getattr(one, "function", None) for one in (known, entry))
    if first is None or second is None or entry.origin in ("heatmark", "__main__"):
        return False
    return bool(declaration_of(first).__qualname__ != declaration_of(second).__qualname__)


def _place(entry: Entry) -> str:
    """Return who registered an entry, with the file and line where they are known."""
    if entry.origin == "heatmark":
        return entry.origin
    file = getattr(sys.modules.get(entry.origin), "__file__", None)
    function = getattr(entry, "function", None)
    code = getattr(declaration_of(function), "__code__", None) if function is not None else None
    if code is not None:
        return f"{entry.origin} ({code.co_filename}, line {code.co_firstlineno})"
    return f"{entry.origin} ({file})" if file else entry.origin


def declaration_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is declared in a source file: the function that a partial holds, the class of a callable object."""
    while isinstance(function, partial):
        function = function.func
    return function if hasattr(function, "__qualname__") else type(function)
