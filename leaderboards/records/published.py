"""Published results read from TOML: every key, type, metric, method, network and data set is checked."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import BadInput, HeatmarkError, StorageError, UnknownName, suggestion
from ...toml_tables import made_of
from .published_results import PARTS, Column, Paper, PublishedTable, Row

PUBLISHED = Path(__file__).parents[1] / "published"
"""The files that come with heatmark."""


def list_published() -> list[Paper]:
    """Return the published results that come with heatmark, by name."""
    return [read_paper(path) for path in sorted(PUBLISHED.glob("*.toml"))]


def published(name: str | Path) -> Paper:
    """Return one source of published results.

    Parameters
    ----------
    name
        Its name (``rise``; `list_published` and ``heatmark list published`` have all), or the path of your own
        ``.toml`` file.

    Raises
    ------
    UnknownName
        If there is no such source.
    StorageError
        If the file cannot be read.
    BadInput
        If it is no TOML, has unknown or missing keys, or names what heatmark has not got; with the table and row.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return read_paper(path)
    known = {file.stem: file for file in PUBLISHED.glob("*.toml")}
    if str(name) not in known:
        raise UnknownName(
            f"Unknown published results {str(name)!r}.{suggestion(str(name), known)} "
            "See `heatmark list published`, or give the path of your own .toml file."
        )
    return read_paper(known[str(name)])


def read_paper(path: Path) -> Paper:
    """Return what a file holds; see `published` for what is raised.

    ``columns`` at the head of a file are those of every table that has none of its own.
    """
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise StorageError(f"Cannot read the published results {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The published results {path} are not valid TOML: {error}.") from error
    shared = values.pop("columns", None)
    if shared is not None and isinstance(tables := values.get("tables"), list):
        if all("columns" in one for one in tables if isinstance(one, dict)):
            raise BadInput(f"{path}: every table has 'columns' of its own, so those at the head are of none.")
        values["tables"] = [{"columns": shared, **one} if isinstance(one, dict) else one for one in tables]
    for key in ("name", "file"):
        if key in values:
            raise BadInput(f"{path}: unknown key {key!r}. The name is that of the file.")
    own = "" if path.parent == PUBLISHED else str(path)
    paper = replace(made_of(Paper, values, str(path)), name=path.stem, file=own)
    _unique([table.name for table in paper.tables], "table", str(path))
    for table in paper.tables:
        _check_table(table, f"{path}, table {table.name!r}")
    return paper


def flat(values: Mapping[str, Any], head: str = "") -> dict[str, Any]:
    """Return nested mappings as one level: ``{"levels": {"steps": 8}}`` is ``{"levels.steps": 8}``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found.update(flat(value, f"{head}{key}.") if isinstance(value, Mapping) else {f"{head}{key}": value})
    return found


def _unique(names: list[str], thing: str, where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{where}: there are several {thing}s called {name!r}. Give each a name of its own.")


def _known(names: Iterable[str], known: Collection[str], key: str, where: str) -> None:
    for name in names:
        if name not in known:
            raise BadInput(f"{where}: {key!r} names {name!r}.{suggestion(name, known)} Known: {', '.join(known)}.")


def _check_table(table: PublishedTable, where: str) -> None:
    columns = [column.name for column in table.columns]
    _unique(columns, "column", where)
    _unique([row.method for row in table.rows], "row", where)
    _known(table.untold, PARTS, "untold", where)
    if table.images is not None and table.images < 1:
        raise BadInput(f"{where}: 'images' is {table.images}. Give the number of samples, or leave the key out.")
    for column in table.columns:
        _check_column(column, f"{where}, column {column.name!r}")
    for row in table.rows:
        _check_row(row, columns, f"{where}, row {row.method!r}")
    _check_entries(table, where)
    if not table.no_command:
        _check_command(table, where)


def _check_column(column: Column, where: str) -> None:
    if column.scale <= 0:
        raise BadInput(f"{where}: 'scale' is {column.scale:g}. Give a number above zero.")
    if (column.tolerance is None) != (not column.because):
        raise BadInput(f"{where}: give 'tolerance' and 'because' (why so much) together.")
    if column.tolerance is not None and column.tolerance < 0:
        raise BadInput(f"{where}: 'tolerance' is {column.tolerance:g}. Give a number of at least zero.")
    if not column.metric:
        if not column.differs:
            raise BadInput(f"{where}: it has neither 'metric' nor, in 'differs', why heatmark has none.")
        return
    from ...metrics.registry import metric_from

    try:
        metric = metric_from(column.metric)
    except HeatmarkError as error:
        raise BadInput(f"{where}: the metric {column.metric!r} is not there. {error}") from error
    if metric.entry.higher_is_better != column.higher_is_better and not column.differs:
        raise BadInput(f"{where}: 'higher_is_better' contradicts the metric {column.metric}.")
    if not column.differs and not column.fields:
        raise BadInput(f"{where}: say in 'fields' which fields of {column.metric} are the protocol.")
    protocol = flat(metric.protocol)
    _known(column.fields, protocol, "fields", where)
    for name, stated in column.fields.items():
        if protocol[name] != stated:
            raise BadInput(
                f"{where}: {column.metric} is not the protocol stated: its {name} is {protocol[name]!r}, and 'fields' "
                f"says {stated!r}. Name the metric or preset that is, or say in 'differs' why none is."
            )


def _check_row(row: Row, columns: list[str], where: str) -> None:
    for key in ("claimed", "in_words", "spread", "measured", "best"):
        _known(getattr(row, key), columns, key, where)
    if not row.claimed and not row.in_words:
        raise BadInput(f"{where}: it claims nothing. Give 'claimed' (numbers) or 'in_words', by column.")
    for name, (low, high) in row.spread.items():
        if name not in row.claimed or not low <= row.claimed[name] <= high:
            raise BadInput(f"{where}: 'spread' of {name!r} is [{low:g}, {high:g}], and 'claimed' is not inside it.")
    if not row.entry:
        if not row.differs:
            raise BadInput(f"{where}: it has neither 'entry' nor, in 'differs', why heatmark has no such method.")
        return
    from ...methods.registry import method_from

    try:
        method_from(row.entry)
    except HeatmarkError as error:
        raise BadInput(f"{where}: the method {row.entry!r} is not there. {error}") from error


def _check_entries(table: PublishedTable, where: str) -> None:
    from ...datasets.registry import find_dataset
    from ...models.zoo.loading import find_model
    from ...models.zoo.user_models import is_own

    try:
        if table.model_entry and not is_own(table.model_entry):
            find_model(table.model_entry)
        if table.data_entry:
            find_dataset(table.data_entry)
    except HeatmarkError as error:
        raise BadInput(f"{where}: 'model_entry' or 'data_entry' names what is not there. {error}") from error


def _check_command(table: PublishedTable, where: str) -> None:
    """Check that there is all that a command needs."""
    lacking = [
        *(key for key in ("model_entry", "data_entry") if not getattr(table, key)),
        *(["an 'entry' of some row"] if not any(row.entry for row in table.rows) else []),
        *(["a 'metric' of some column"] if not any(column.metric for column in table.columns) else []),
    ]
    if lacking:
        raise BadInput(f"{where}: a command needs {', '.join(lacking)}; else say in 'no_command' why there is none.")
    for column in table.columns:
        if column.metric and column.tolerance is None:
            raise BadInput(f"{where}, column {column.name!r}: say in 'tolerance' how near a right value must come.")
