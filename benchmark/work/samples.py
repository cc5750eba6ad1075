"""Which samples of a dataset a model is asked about: not what it was trained on here, and not more than asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ...datasets.base import Dataset
from ...datasets.choosing import Choice
from ...models.training.kept import unseen_positions

Part = Literal["held-out", "all"]
PARTS = get_args(Part)


@dataclass(frozen=True)
class SampleRule:
    """A rule that gives the same samples to whoever follows it: the planner, its workers, galleries, audits."""

    limit: int | None = None
    per_class: int | None = None
    """As `datasets.choosing.Choice` has them."""
    part: Part = "held-out"
    """Of data that a network was trained on here: only what its training held out, or ``all``."""

    def of(self, dataset: Dataset, model: str) -> Dataset:
        """Return a dataset's samples for a model; the dataset itself where that is all of them.

        Raises
        ------
        BadInput
            If samples per class are asked of a dataset without labels.
        """
        return Choice(self.limit, self.per_class).of(self._part_of(dataset, model))

    def note(self, dataset: Dataset, model: str) -> str:
        """Return what a user should know of the part that is used; nothing where it is the whole."""
        part = self._part_of(dataset, model)
        if part is dataset:
            return ""
        return (
            f"{model} was trained on {len(dataset) - len(part)} of the {len(dataset)} samples of {dataset.title}: only "
            f"the {len(part)} others, which it has not seen, are used. For all of them: --part all."
        )

    def _part_of(self, dataset: Dataset, model: str) -> Dataset:
        unseen = unseen_positions(model, dataset) if self.part == "held-out" else None
        return dataset if unseen is None else dataset.subset(unseen)


EVERYTHING = SampleRule()
"""What a network has not been trained on here, all of it."""
