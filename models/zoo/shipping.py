"""Making the shipped weights of the zoo's small networks: training them, writing the files, and the table of them.

For maintainers, in a checkout, on one thread of a processor::

    OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=-1 python -m heatmark.models.zoo.shipping [NAME ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ...errors import UnknownName, suggestion
from ...identity import file_digest
from ...storage import written_whole
from ..architecture.weights_file import load_metadata, save_weights
from ..training.kept import RestoredNetwork, default_framework, restore, trained_weights
from ..training.recipe import TrainingRecipe, new_trainer
from ..training.training_data import TrainingData, training_data
from .shipped import SUFFIX, TABLE, WEIGHTS, ZOO, ShippedRecord, shipped_records


def ship(name: str, folder: Path = WEIGHTS) -> ShippedRecord:
    """Train a small network of the zoo by its recipe, write its weights, and enter it in the table.

    Parameters
    ----------
    name
        The network, of `shipped.ZOO`.
    folder
        Where the files and the table are.

    Raises
    ------
    UnknownName
        If there is no such network.
    """
    if name not in ZOO:
        raise UnknownName(f"Unknown network {name!r}.{suggestion(name, ZOO)} The zoo has {', '.join(ZOO)}.")
    zoo = ZOO[name]
    data = training_data(zoo.dataset, zoo.recipe.seed)
    path = folder / f"{name}{SUFFIX}"
    save_weights(path, trained_weights(zoo.network, data, zoo.recipe, default_framework()))
    restored, metadata = restore(path, name), load_metadata(path)
    record = ShippedRecord(
        network=zoo.network,
        dataset=zoo.dataset,
        revision=data.revision,
        recipe=zoo.recipe,
        framework=restored.record.framework,
        versions=metadata["versions"],
        file_sha256=file_digest(path),
        weights_sha256=restored.digest,
        test_samples=len(data.split.test_y),
        test_accuracy=restored.record.test_accuracy,
        test_loss=restored.record.test_loss,
        logits=_first_logits(restored, data, zoo.recipe),
    )
    _enter(name, record, folder)
    return record


def _first_logits(restored: RestoredNetwork, data: TrainingData, recipe: TrainingRecipe) -> tuple[float, ...]:
    """Return the logits of the first test sample, to compare other machines' with."""
    trainer = new_trainer(restored.record.framework, restored.architecture, restored.weights, recipe)
    x = restored.normalization.apply(data.split.test_x[:1], data.split.test_x.ndim - 1)
    return tuple(round(float(value), 6) for value in trainer.logits(x)[0])


def _enter(name: str, record: ShippedRecord, folder: Path) -> None:
    """Write the table with a network's record, old or new, in the order of the zoo."""
    path = folder / TABLE
    known = {**(shipped_records(folder) if path.exists() else {}), name: record}
    with written_whole(path) as temporary:
        table = {network: asdict(known[network]) for network in ZOO if network in known}
        temporary.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", "utf-8")


def main(names: Sequence[str]) -> None:
    """Make the networks named, by default all."""
    for name in names or ZOO:
        record = ship(name)
        print(f"{name}: {record.test_accuracy:.2%} right, loss {record.test_loss:.4f}, {record.weights_sha256}")


if __name__ == "__main__":
    main(sys.argv[1:])
