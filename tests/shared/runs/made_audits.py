"""Made-up audits of a metric, one data set for each set of changes to a good one."""

from __future__ import annotations

from dataclasses import replace

from heatmark.leaderboards.audits.audit import MetricAudit, OracleComparison, TaskAudit


def comparison(low: float, high: float, samples: int = 10) -> OracleComparison:
    return OracleComparison("random", (low + high) / 2, low, high, 0.5, samples, 10)


TASK = TaskAudit("net", "data", (comparison(0.1, 0.2),), 0.9, 0.9, 0.9, True, 0.9, 0.9, 100, 0)


def made(*changes: dict[str, object], family: str = "faithfulness") -> MetricAudit:
    """Return an audit on one data set for each set of changes."""
    tasks = tuple(replace(TASK, dataset=f"data {number}", **change) for number, change in enumerate(changes))
    return MetricAudit("made", family, True, "key", tasks)
