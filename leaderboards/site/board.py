"""The data of the overview: every table's rows with their ranks, as one script that asks nothing of a server.

Ranks, places and ties are those of the standings. What runs in the browser sorts and hides rows; it ranks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..audits.audit import VERDICTS
from ..report.tables import place_text, tie_text
from ..standings.results import framework_text
from ..standings.standings import Row
from ..writing.numbers import passes_text, seconds, times
from .catalogue import Catalogue
from .encoding import short
from .figures import drawn_method

MEAN_DIGITS, INTERVAL_DIGITS = 8, 5
"""Significant digits of what tables show; what is compared sample by sample is stored in full (`scores`)."""


def board_data(catalogue: Catalogue) -> dict[str, Any]:
    """Return what the overview and the tables of every page are drawn from, as JSON types."""
    return {
        "methods": [
            {
                "id": one.facts.id,
                "shown": one.shown,
                "slug": one.slug,
                "family": one.facts.family,
                **drawn_method(one.facts, style),
            }
            for one, style in zip(catalogue.methods, catalogue.styles, strict=True)
        ],
        "metrics": [
            {
                "id": one.facts.id,
                "shown": one.shown,
                "slug": one.slug,
                "family": one.facts.family,
                "unit": one.facts.unit,
                "summary": one.facts.summary,
                "higher": one.facts.higher_is_better,
                "arrow": one.facts.arrow,
                "mark": one.facts.mark,
                "trust": VERDICTS[one.facts.mark],
                "reasons": [] if one.facts.audit is None else list(one.facts.audit.reasons),
            }
            for one in catalogue.metrics
        ],
        "settings": [
            {
                "data": name,
                "task": task.slug,
                "name": task.shown,
                "title": f"{task.shown} · {framework_text(table.setting.framework)}",
                "model": table.setting.task.shown_model,
                "dataset": table.setting.task.dataset,
                "framework": table.setting.framework_name,
                "device": table.results.device,
                "samples": len(table.results.samples),
                "metrics": [catalogue.metric_numbers[one.id] for one in table.metrics],
                "counted": [int(one) for one in table.counted],
            }
            for task, table, name in catalogue.settings
        ],
        "rows": [
            _row(catalogue, number, row)
            for number, (_, table, _) in enumerate(catalogue.settings)
            for row in table.rows
        ],
    }


def _row(catalogue: Catalogue, setting: int, row: Row) -> dict[str, Any]:
    values = row.values
    return {
        "s": setting,
        "m": catalogue.method_numbers[row.method.id],
        "place": row.place,
        "placeText": place_text(row),
        "rank": short(row.mean_rank, MEAN_DIGITS),
        "low": short(row.mean_rank_low, INTERVAL_DIGITS),
        "high": short(row.mean_rank_high, INTERVAL_DIGITS),
        "tie": tie_text(row),
        "leads": row.leads,
        "coverage": row.coverage.text,
        "complete": row.coverage.complete,
        "covered": row.coverage.samples,
        "why": row.why_unplaced,
        "degenerate": row.degenerate,
        **({} if row.trust is None else {"trust": row.trust.word, "said": row.trust.said}),
        "seconds": short(row.cost.seconds, INTERVAL_DIGITS),
        "relative": short(row.cost.relative, INTERVAL_DIGITS),
        "passed": short(row.cost.forward + row.cost.backward, INTERVAL_DIGITS),
        "cost": times(row.cost.relative),
        "time": seconds(row.cost.seconds),
        "passes": passes_text(row.cost.forward, row.cost.backward),
        "means": _numbers([one.mean for one in values], MEAN_DIGITS),
        "lows": _numbers([one.low for one in values], INTERVAL_DIGITS),
        "highs": _numbers([one.high for one in values], INTERVAL_DIGITS),
        "ranks": _numbers([one.rank for one in values], INTERVAL_DIGITS),
        "best": "".join("1" if one.best else "0" for one in values),
    }


def _numbers(values: Sequence[float], digits: int) -> list[float | int | None]:
    return [short(value, digits) for value in values]
