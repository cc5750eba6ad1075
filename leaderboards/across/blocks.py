"""Blocks: tables that are no independent evidence of one another, because they were measured on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...datasets.registry import DATASETS
from ...errors import HeatmarkError
from ...selection import parse_selection
from ..standings.results import Results


@dataclass(frozen=True)
class Block:
    """Tables that share samples."""

    datasets: tuple[str, ...]
    """The names of their datasets."""
    tables: tuple[int, ...]
    """Which ones they are, as positions in the standings."""

    @property
    def name(self) -> str:
        """Its datasets in words."""
        return " + ".join(self.datasets)


def blocks_of(tables: Sequence[Results]) -> tuple[Block, ...]:
    """Return the blocks of some tables, in the order of their first tables.

    The frameworks, precisions and explained classes of one task are one block, and so are all networks on one dataset,
    whichever of its samples each saw: a photograph that is easy for one is easy for the next. Datasets that are made of
    another one's pictures (``mosaic``) belong to that one's block, and tables that share the id of a sample to the same
    block, whatever their datasets are called; ids that are mere numbers say nothing and are passed over.
    """
    found: list[tuple[set[str], list[int]]] = []
    for number, results in enumerate(tables):
        names = {f"data {name}" for name in sources(results.setting.task.dataset)}
        names |= {f"sample {sample}" for sample in results.samples if not sample.isdecimal()}
        joined = [one for one in found if one[0] & names]
        found = [one for one in found if not one[0] & names]
        members = sorted(member for _, before in joined for member in before)
        found.append((names.union(*(seen for seen, _ in joined)), [*members, number]))
    found.sort(key=lambda one: one[1][0])
    return tuple(
        Block(tuple(dict.fromkeys(tables[number].setting.task.dataset for number in members)), tuple(members))
        for _, members in found
    )


def sources(dataset: str) -> set[str]:
    """Return what a dataset's samples come from: its name without options, and the dataset that it is made of."""
    if ":" in dataset.partition("[")[0]:
        return {dataset}
    try:
        selection = parse_selection(dataset)
        parameters = DATASETS.get(selection.name).parameters
    except HeatmarkError:  # a dataset of one's own that is not loaded any more
        return {dataset.partition("[")[0]}
    usual = {parameter.name: parameter.default for parameter in parameters}
    inner = dict(selection.parameters).get("source", usual.get("source"))
    return {selection.name} | (sources(inner) if isinstance(inner, str) else set())
