"""What readers can take along: the tables as CSV, and every sample's scores as Parquet."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..report.tables import wide_frame
from ..standings.standings import Standings, Table
from ..writing.files import csv_text
from .rendering import Link

BOARD = Link("leaderboard.csv", "downloads/leaderboard.csv")
SCORES = Link("scores.parquet", "downloads/scores.parquet")
DOWNLOADS = (BOARD, SCORES)


def download_files(standings: Standings) -> dict[str, str | bytes]:
    """Return the files by their place in the site."""
    return {BOARD.path: csv_text(wide_frame(standings)), SCORES.path: scores_parquet(standings)}


def scores_parquet(standings: Standings) -> bytes:
    """Return one row per table, metric, method and sample: the score in full, null where there is none."""
    tables = [_scores(table) for table in standings.tables]
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), buffer, compression="zstd")
    return buffer.getvalue()


def _scores(table: Table) -> pa.Table:
    results = table.results
    metrics, methods, samples = results.scores.shape
    score = results.scores.ravel()
    alike = np.zeros(score.size, np.int32)
    columns = {name: _repeated([value], alike) for name, value in table.setting.columns.items()}
    which = np.indices((metrics, methods, samples), dtype=np.int32).reshape(3, -1)
    names = (results.metrics, [run.method for run in results.methods], results.samples)
    columns |= {
        key: _repeated(list(texts), places)
        for key, texts, places in zip(("metric", "method", "sample"), names, which, strict=True)
    }
    return pa.table({**columns, "score": pa.array(score, mask=np.isnan(score))})


def _repeated(texts: list[str], places: np.ndarray) -> pa.DictionaryArray:
    """Return a column of few different texts."""
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(texts, pa.string()))
