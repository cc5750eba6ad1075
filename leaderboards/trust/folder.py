"""Whether a submission's folder holds the files that it says, and nothing that could do harm when it is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...identity import file_digest
from ...models.checking.finding import Finding
from .submission import DESCRIPTION, REPRODUCED, Submission

FILES = "the files are those that were submitted"
SIZES = "files are as small as results are"
MOST_FILES, MOST_BYTES, MOST_UNPACKED = 400, 64 << 20, 1 << 30
"""Of a submission: files, their bytes, and the bytes that its tables say they unpack to."""
MOST_ROWS, MOST_COLUMNS = 5_000_000, 4_000
ENDINGS = (".py", ".toml", ".json", ".parquet")


def files_in(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path of everything in a folder that is no folder, with its facts; links are not followed."""
    for place, folders, files in os.walk(folder, followlinks=False):
        for name in sorted([*files, *(one for one in folders if Path(place, one).is_symlink())]):
            path = Path(place) / name
            yield path.relative_to(folder).as_posix(), path.lstat()


def folder_findings(folder: Path, submission: Submission) -> Iterator[Finding]:
    """Yield whether sizes are safe and files are those of the description; after a failure nothing may be read."""
    there = dict(files_in(folder))
    sizes = _sizes(folder, there)
    yield sizes
    if sizes.verdict == "fails":
        return  # what is no plain file may never end
    own = {name for name in there if name not in (DESCRIPTION, REPRODUCED)}
    missing, further = sorted(set(submission.files) - own), sorted(own - set(submission.files))
    if missing or further:
        told = [f"{name} is missing" for name in missing[:3]] + [f"{name} is not in the list" for name in further[:3]]
        yield Finding(FILES, "fails", f"{'; '.join(told)}.", "Submit anew, and change nothing in the folder.")
        return
    changed = [name for name, digest in submission.files.items() if file_digest(folder / name) != digest]
    if changed:
        other = f"{', '.join(changed[:3])} {'has' if len(changed) == 1 else 'have'} another SHA-256 than was submitted."
        yield Finding(FILES, "fails", other, "Submit anew, and change nothing in the folder.")
        return
    yield Finding(FILES, "holds", f"{len(own)} files, each with its SHA-256.")


def _sizes(folder: Path, there: dict[str, os.stat_result]) -> Finding:
    """Return whether what is there can be read without harm; tables say what they unpack to before they are read."""
    odd = [name for name, facts in there.items() if not stat.S_ISREG(facts.st_mode)]
    odd += [name for name in there if not name.endswith(ENDINGS)]
    if odd:
        told = f"{odd[0]} is no plain file, or none that a submission has ({', '.join(ENDINGS)})."
        return Finding(SIZES, "fails", told, "Take it out.")
    whole = sum(facts.st_size for facts in there.values())
    if len(there) > MOST_FILES or whole > MOST_BYTES:
        told = (
            f"{len(there)} files of {whole / 2**20:.0f} MiB; at most {MOST_FILES} of {MOST_BYTES >> 20} MiB are taken."
        )
        return Finding(SIZES, "fails", told, "Submit fewer samples, or ask for a larger submission.")
    unpacked = 0
    for name in there:
        if name.endswith(".parquet"):
            try:
                facts = pq.read_metadata(folder / name)
                unpacked += sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
            except (OSError, ValueError, pa.ArrowException) as error:
                return Finding(SIZES, "fails", f"{name} is no table: {error}", "Submit anew.")
            if facts.num_rows > MOST_ROWS or facts.num_columns > MOST_COLUMNS or unpacked > MOST_UNPACKED:
                told = (
                    f"{name} says that it has {facts.num_rows} rows, {facts.num_columns} columns, {unpacked >> 20} MiB."
                )
                return Finding(SIZES, "fails", told, "Submit fewer samples, or ask for a larger submission.")
    return Finding(
        SIZES, "holds", f"{len(there)} files of {whole / 2**10:.0f} KiB, {unpacked / 2**10:.0f} KiB unpacked."
    )
