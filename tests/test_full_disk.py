"""A disk that fills up is told in words, whatever was being written, and nothing half written is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WRITING = """
import json, resource, signal, sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from PIL import Image

from heatmark.benchmark.store.keyed import write_json, write_table
from heatmark.errors import StorageError
from heatmark.leaderboards.writing.files import as_pictures, write_files
from heatmark.models.architecture.weights_file import StoredWeights, save_weights
from heatmark.storage import written_whole

folder = Path(sys.argv[1])
numbers = np.random.default_rng(0).random((100, 100, 3))


def picture():
    with written_whole(folder / "picture.png") as part:
        Image.fromarray((numbers * 255).astype(np.uint8)).save(part, format="PNG")


def archive():
    with written_whole(folder / "arrays.npz") as part, part.open("wb") as file:
        np.savez(file, x=numbers)


figure, axes = plt.subplots()
axes.plot(numbers.ravel())
ways = {
    "weights": lambda: save_weights(folder / "w.safetensors", StoredWeights({"w": numbers})),
    "arrays": archive,
    "table": lambda: write_table(folder / "t.parquet", pa.table({"x": numbers.ravel()}), b"heatmark", {}),
    "json": lambda: write_json(folder / "t.json", numbers.tolist()),
    "picture": picture,
    "text": lambda: write_files(folder, {"t.txt": "x" * 100_000}),
    "figure": lambda: write_files(folder, as_pictures({"f": figure})),
}
# As many bytes as a file may have: the next one fails as it does on a disk that is full.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
told = {}
for name, way in ways.items():
    try:
        way()
        told[name] = "written"
    except StorageError as error:
        told[name] = str(error)
    except Exception as error:
        told[name] = f"{type(error).__name__}, which is no error of heatmark's"
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limit")
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    ended = subprocess.run([sys.executable, "-c", WRITING, str(place)], capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    assert len(told) == 7
    for words in told.values():
        assert words.startswith(f"Cannot write {place}") and "Free some space there" in words, told
    assert list(place.iterdir()) == []
