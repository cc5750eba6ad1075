"""A small submission, made once, and ways to change it as somebody might who wants a better row."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from registering import forgotten_again

from heatmark.benchmark.contracts.new_file import write_new
from heatmark.benchmark.store.checksum import content_checksum
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.keyed import read_json, write_json
from heatmark.benchmark.store.packed import CELLS, ROWS
from heatmark.identity import file_digest
from heatmark.leaderboards.submitting.submit import Made, submit
from heatmark.leaderboards.trust.submission import DESCRIPTION

TINY = """
description = "digits for a try"
models = ["small-cnn"]
data = ["digits"]
frameworks = [{frameworks}]
methods = ["gradient", "random", "sobel"]
metrics = ["average_drop", "deletion[steps=8]", "insertion[steps=8]", "sparseness"]
limit = {limit}
"""


def made_submission(
    folder: Path, name: str = "mine", *, limit: int = 10, frameworks: str = '"torch", "tensorflow"'
) -> Made:
    """Return a submission of a new file's method, run in this process, in ``folder/NAME``."""
    suite = folder / "tiny.toml"
    suite.write_text(TINY.format(limit=limit, frameworks=frameworks), encoding="utf-8")
    with forgotten_again():
        file = write_new("method", name, folder / f"{name}.py")
        return submit(
            file,
            authors=["A. Author", "B. Author"],
            suite=str(suite),
            frameworks=",".join(word.strip(' "') for word in frameworks.split(",")),
            paper="https://example.org",
            engine="serial",
            device="cpu",
            out=folder / "submissions" / name,
            progress=False,
        )


def copied(made: Path, place: Path) -> Path:
    """Return a copy of a submission's folder, of the same name in another place."""
    return Path(shutil.copytree(made, place / made.name))


def rehashed(folder: Path) -> None:
    """Write the SHA-256 of all files anew, as whoever changes a file on purpose does."""
    run = read_json(folder / "results" / "run.json")
    packed = folder / "results" / "packed"
    write_json(
        folder / "results" / "run.json", {**run, "files": {name: file_digest(packed / name) for name in run["files"]}}
    )
    lines = (folder / DESCRIPTION).read_text(encoding="utf-8").splitlines()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        lines = [f'"{name}" = "{file_digest(path)}"' if line.startswith(f'"{name}" =') else line for line in lines]
    (folder / DESCRIPTION).write_text("\n".join(lines) + "\n", encoding="utf-8")


def with_rows(folder: Path, change: Callable[[pd.DataFrame], None]) -> Path:
    """Change the rows of a submission's results and everything that vouches for them: no file tells it any more."""
    packed = folder / "results" / "packed"
    table = pq.read_table(packed / ROWS)
    frame = table.to_pandas()
    change(frame)
    pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), packed / ROWS)
    rehashed(folder)
    cells = RunStore(folder / "results").packed
    assert cells is not None
    sums = [content_checksum(cells.table(one), one.provenance) if one.rows else "" for one in cells.entries.values()]
    known = pq.read_table(packed / CELLS)
    place = known.column_names.index("checksum")
    pq.write_table(known.set_column(place, known.schema.field(place), pa.array(sums, pa.string())), packed / CELLS)
    rehashed(folder)
    return folder


def with_description(folder: Path, changes: Mapping[str, str]) -> Path:
    """Change texts of a submission's description."""
    text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    return folder


def with_run(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change what a submission's ``run.json`` says, and its SHA-256."""
    run = read_json(folder / "results" / "run.json")
    change(run)
    write_json(folder / "results" / "run.json", run)
    rehashed(folder)
    return folder
