"""Whoever reads a run that is being done sees whole cells, ever more of them, and no damage."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

from made_runs import specification

from heatmark.benchmark.status import status
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.standings.standings import Standings

CELLS = 150
WRITING = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2] / name) for name in ("shared", "shared/runs")]!r}
import numpy as np
from made_runs import provenance, rows, specification
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import Failed

store = RunStore(sys.argv[1])
for turn in range(2):
    for number in range({CELLS}):
        spec = specification(f"m{{number}}", last=3)
        if turn == 0 and number % 3 == 0:
            store.keep(spec, Failed("for now"))
        else:
            store.write(spec, rows(spec, np.full((2, 3), number / 1000)), provenance(spec))
    store.plan([specification(f"m{{number}}", last=3) for number in range({CELLS})])
"""


def test_a_run_is_read_while_it_is_written(tmp_path: Path) -> None:
    store = RunStore.prepared(tmp_path / "run")
    specs = [specification(f"m{number}", last=3) for number in range(CELLS)]
    store.begin({"name": "made", "suite": {}}, specs)
    writing = subprocess.Popen([sys.executable, "-c", WRITING, str(store.path)])
    seen, board = 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while writing.poll() is None:
            cells = RunStore(store.path).cells()
            assert len(cells) >= seen
            seen = len(cells)
            for cell in cells:
                assert (cell.table["score:deletion"] == int(cell.spec.method[1:]) / 1000).all()
            found = status(store.path)
            assert sum(row.total for row in found.rows) == CELLS
            if seen and not board:
                board = len(Standings.of_run(store.path).tables)
        assert writing.returncode == 0
        assert len(RunStore(store.path).cells()) == CELLS and board == 1
    assert not RunStore(store.path).failures() and not RunStore(store.path).verify()
