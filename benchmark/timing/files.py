"""Runtime results as files, in the JSON format of pytest-benchmark, whose own tools read them as well.

A folder of results holds one file for each call of ``heatmark runtime``, ``runtime-TIME.json``, written anew after
every row, so that nothing that was measured is lost. A row that was measured again counts as it was measured last.
"""

from __future__ import annotations

import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import BadInput, StorageError
from ...identity import parsed_json
from ...storage import made_folder
from ..setting.environment import versions
from ..store.keyed import write_json
from ..store.outcomes import Failed, Finished, Outcome
from .machine import differences, machine_record
from .rounds import spread
from .rows import Measurement, NotMeasured, RuntimeCase, RuntimeSettings

SCHEMA = 1
FORMAT = "5.1.0"
"""The version of pytest-benchmark whose format this is."""

TEST = "benchmark/runtime/test_methods.py::test_cost"
"""The benchmark that pytest runs for the same row."""

EXTRA = "heatmark"
"""What heatmark adds stands under this name, which pytest-benchmark leaves alone."""


@dataclass(frozen=True)
class RuntimeRecord:
    """The rows of one machine."""

    path: Path
    """The file or folder."""
    machine: Mapping[str, Any]
    """From `runtime_machine.machine_record`."""
    measurements: tuple[Measurement, ...]
    missing: tuple[NotMeasured, ...]
    """Rows with and without a measurement."""
    created: str
    """When the (last) file was begun, ISO 8601."""
    notes: tuple[str, ...] = ()
    """What the reader should know, such as rows of another machine that were left out."""

    def __repr__(self) -> str:
        return f"<RuntimeRecord {self.path}: {len(self.measurements)} rows, {len(self.missing)} not measured>"

    @property
    def failures(self) -> tuple[NotMeasured, ...]:
        """The rows that failed, without those that have no meaning."""
        return tuple(row for row in self.missing if row.failed)


class RuntimeFile:
    """The file of one call of ``heatmark runtime``, written anew after each row.

    Parameters
    ----------
    folder
        Where; made where it is missing.
    settings
        How rows are measured.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, settings: RuntimeSettings) -> None:
        made_folder(folder, hint="Choose another folder with --out.")
        began = datetime.now(UTC)
        self.path = folder / f"runtime-{began:%Y%m%dT%H%M%S}-{began.microsecond:06d}.json"
        self._settings = settings
        self._record = RuntimeRecord(self.path, machine_record(), (), (), began.isoformat(timespec="seconds"))

    @property
    def record(self) -> RuntimeRecord:
        """What has been written so far."""
        return self._record

    def keep(self, case: RuntimeCase, outcome: Outcome) -> None:
        """Add what measuring a row came to."""
        if isinstance(outcome, Finished):
            self.add(outcome.value)
        elif isinstance(outcome, Failed):
            self.add(NotMeasured(case, outcome.error, failed=True, traceback=outcome.traceback))
        else:
            self.add(NotMeasured(case, outcome.reason))

    def add(self, row: Measurement | NotMeasured) -> None:
        """Add a row and write the file, whole or not at all."""
        record = self._record
        if isinstance(row, Measurement):
            self._record = replace(record, measurements=(*record.measurements, row))
        else:
            self._record = replace(record, missing=(*record.missing, row))
        write_json(self.path, runtime_document(self._record, asdict(self._settings)))


def runtime_document(record: RuntimeRecord, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows as pytest-benchmark would write them, with what it does not know under ``heatmark``."""
    return {
        "machine_info": {**python_record(), EXTRA: dict(record.machine)},
        "commit_info": {"id": f"heatmark {versions()['heatmark']}", "project": "heatmark", "dirty": None},
        "benchmarks": [_benchmark(row, settings) for row in record.measurements],
        "datetime": record.created,
        "version": FORMAT,
        EXTRA: {
            "schema": SCHEMA,
            "settings": dict(settings),
            "missing": [
                {"case": row.case.plain(), "reason": row.reason, "failed": row.failed, "traceback": row.traceback}
                for row in record.missing
            ],
        },
    }


def python_record() -> dict[str, Any]:
    """Return what pytest-benchmark says of the machine."""
    return {
        "node": platform.node(),
        "processor": platform.processor(),
        "machine": platform.machine(),
        "python_compiler": platform.python_compiler(),
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(),
        "python_version": platform.python_version(),
        "python_build": list(platform.python_build()),
        "release": platform.release(),
        "system": platform.system(),
        "cpu": {},
    }


def statistics_of(calls: Sequence[float], iterations: int) -> dict[str, Any]:
    """Return the statistics of pytest-benchmark over the times of some rounds."""
    found, mean = spread(calls), statistics.fmean(calls)
    deviation = statistics.stdev(calls) if len(calls) > 1 else 0.0
    low, high = found.low - 1.5 * found.iqr, found.high + 1.5 * found.iqr
    far = sum(not low <= seconds <= high for seconds in calls)
    unusual = sum(abs(seconds - mean) > deviation for seconds in calls)
    return {
        "min": min(calls),
        "max": max(calls),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(calls),
        "median": found.median,
        "iqr": found.iqr,
        "q1": found.low,
        "q3": found.high,
        "iqr_outliers": far,
        "stddev_outliers": unusual,
        "outliers": f"{unusual};{far}",
        "ld15iqr": min(seconds for seconds in calls if seconds >= low),
        "hd15iqr": max(seconds for seconds in calls if seconds <= high),
        "ops": 1.0 / mean,
        "total": sum(calls),
        "data": list(calls),
        "iterations": iterations,
    }


def _benchmark(row: Measurement, settings: Mapping[str, Any]) -> dict[str, Any]:
    parameters = row.case.parameters
    name = "-".join(parameters.values())
    return {
        "group": group_of(row.case),
        "name": f"test_cost[{name}]",
        "fullname": f"{TEST}[{name}]",
        "params": parameters,
        "param": name,
        "extra_info": row.plain(),
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": settings.get("rounds"),
            "max_time": settings.get("seconds"),
            "min_time": 0.0,
            "warmup": True,
        },
        "stats": statistics_of(row.calls, row.iterations),
    }


def group_of(case: RuntimeCase) -> str:
    """Return what rows have in common that are compared with one another."""
    return f"{case.shown_model} {case.place.framework} {case.place.device} {case.precision} batch {case.batch}"


def read_runtime(path: str | Path) -> RuntimeRecord:
    """Return the rows of a file, or of all files of a folder: each row as it was measured last.

    Files of another machine than the last one's are left out, with a note.

    Raises
    ------
    StorageError
        If there is no such file, or the folder holds no runtime results.
    BadInput
        If a file is damaged, or holds no rows of heatmark.
    """
    place = Path(path)
    if place.is_file():
        return _read_file(place)
    files = sorted(place.glob("runtime-*.json")) if place.is_dir() else []
    if not files:
        what = "holds no runtime results" if place.is_dir() else "does not exist"
        raise StorageError(f"{place} {what}. Give a folder that `heatmark runtime --out` wrote to, or a .json file.")
    records = [_read_file(file) for file in files]
    last = records[-1]
    same = [record for record in records if not differences(record.machine, last.machine)]
    notes = [
        f"{record.path.name} was measured on another machine ({'; '.join(differences(record.machine, last.machine))}) "
        "and is left out."
        for record in records
        if record not in same
    ]
    measured = {row.case.key: row for record in same for row in record.measurements}
    missing = {row.case.key: row for record in same for row in record.missing}
    return RuntimeRecord(
        place,
        last.machine,
        tuple(measured.values()),
        tuple(row for key, row in missing.items() if key not in measured),
        last.created,
        tuple(notes),
    )


def _read_file(path: Path) -> RuntimeRecord:
    try:
        document = parsed_json(path.read_text(encoding="utf-8"))
        rows = [item for item in document["benchmarks"] if "case" in item.get("extra_info", {})]
        extra = document.get(EXTRA, {})
        return RuntimeRecord(
            path,
            document["machine_info"].get(EXTRA, {}),
            tuple(Measurement.from_plain(row["extra_info"]) for row in rows),
            tuple(_missing(row) for row in extra.get("missing", [])),
            str(document["datetime"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} is no file of runtime results ({type(error).__name__}: {error}).") from error


def _missing(row: Mapping[str, Any]) -> NotMeasured:
    case = RuntimeCase.from_plain(row["case"])
    return NotMeasured(case, str(row["reason"]), bool(row["failed"]), str(row.get("traceback", "")))
