"""What is known about the metrics of a leaderboard: from heatmark's own audit, the run's, or one that was named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..writing.names import shown
from .audit import FAILED, PARTLY, PASSED, MetricAudit, MetricsAudit
from .json_file import FILE, read_audit

SHIPPED = Path(__file__).with_name("shipped")
"""The audits of heatmark's metrics: at their default protocols, and as its suites use them (docs/metrics.md)."""

NOTED = 8
"""So many metrics that did not pass are named in the terminal; the report tells of all."""

HOW = "heatmark audit metrics"


@dataclass(frozen=True)
class KnownAudits:
    """Audits, those that count most first.

    An audit belongs to a metric's key, not to its name: a changed protocol shows no stale audit.
    """

    audits: tuple[MetricsAudit, ...]

    @classmethod
    def for_runs(cls, runs: Iterable[Path], named: str | Path | None = None) -> KnownAudits:
        """Return the audit named, the runs' own (``RUN/audit.json`` or ``RUN/audit/audit.json``), and heatmark's.

        Raises
        ------
        StorageError
            If the one named is not there, or one of them is damaged.
        """
        own = [path for run in runs for path in (run / FILE, run / "audit" / FILE) if path.is_file()]
        paths = [*([Path(named)] if named is not None else []), *own]
        return cls((*map(read_audit, paths), *map(_shipped, sorted(SHIPPED.glob("*.json")))))

    def of(self, key: str) -> MetricAudit | None:
        """Return what is known about the metric with this key."""
        return next((one for audit in self.audits for one in audit.metrics if one.key == key), None)

    def covering(self, keys: Iterable[str]) -> MetricsAudit | None:
        """Return the audit that knows most of these metrics, the first of equals; None where none knows two."""
        wanted = set(keys)
        counts = [sum(one.key in wanted for one in audit.metrics) for audit in self.audits]
        best = max(counts, default=0)
        return self.audits[counts.index(best)] if best >= 2 else None


def _shipped(path: Path) -> MetricsAudit:
    """Return one of heatmark's own audits, which every board asks for; it is read once while the file is the same."""
    stat = path.stat()
    return _unchanged(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _unchanged(path: Path, size: int, modified: int) -> MetricsAudit:
    return read_audit(path)


def audit_notes(audits: Sequence[MetricAudit | None]) -> list[str]:
    """Return what the marks beside metrics' names mean, in a few lines; none where there are no marks."""
    known = [one for one in audits if one is not None and one.mark]
    if not known:
        return []
    lines = [
        f"{PASSED} passed every question of its audit on all data, {PARTLY} on some, {FAILED} on none "
        f"({HOW}; the report has the answers)"
    ]
    failing = [one for one in known if one.mark != PASSED]
    if failing:
        lines += [f"{one.mark} {shown(one.metric, 'metric')}: {'; '.join(one.causes)}" for one in failing[:NOTED]]
        if len(failing) > NOTED:
            lines.append(f"and {len(failing) - NOTED} more that did not pass everything: see the report")
    unknown = sum(one is None for one in audits)
    if unknown:
        lines.append(f"without a mark: {unknown} of {len(audits)} metrics were not audited at this protocol")
    return lines
