"""The leaderboard as data, CSV and Markdown; every number comes from the standings."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..audits.audit import VERDICTS
from ..audits.known_audits import audit_notes
from ..standings.agreement import Agreement
from ..standings.results import FRAMEWORK_NAMES
from ..standings.standings import Row, Standings, Table
from ..writing import numbers as formatting

CONTROL_NOTE = "Controls (marked †) are the floor and ceiling of the table, not contenders."
RANK_NOTE = (
    "Mean rank: the mean over metrics of a method's ranks (1 = best). Intervals: 95 % percentiles of a paired "
    "bootstrap over samples. Methods that share a letter in the column “tie” cannot be told apart from the best "
    "of their group (Friedman test, then Wilcoxon signed-rank tests with Holm's correction, level 0.05)."
)


def tidy_frame(standings: Standings) -> pd.DataFrame:
    """Return one row per task, framework, method and metric."""
    records = []
    for table in standings.tables:
        for row in table.rows:
            common = {**_setting(table), **_method(row), **_standing(row), **_cost(row)}
            for metric, counted, value in zip(table.metrics, table.counted, row.values, strict=True):
                records.append(
                    {
                        **common,
                        "metric": metric.id,
                        "higher_is_better": metric.higher_is_better,
                        "audit": VERDICTS[metric.mark],
                        "counted": counted,
                        "mean": value.mean,
                        "low": value.low,
                        "high": value.high,
                        "rank": value.rank,
                        "metric_tie_group": value.group,
                        "metric_samples": value.samples,
                    }
                )
    return pd.DataFrame.from_records(records)


def wide_frame(standings: Standings) -> pd.DataFrame:
    """Return one row per task, framework and method, with four columns per metric."""
    records = []
    for table in standings.tables:
        for row in table.rows:
            record = {**_setting(table), **_standing(row), **_method(row)}
            for metric, value in zip(table.metrics, row.values, strict=True):
                record |= {
                    metric.id: value.mean,
                    f"{metric.id}:low": value.low,
                    f"{metric.id}:high": value.high,
                    f"{metric.id}:rank": value.rank,
                }
            records.append({**record, **_cost(row)})
    return pd.DataFrame.from_records(records)


def csv_text(standings: Standings) -> str:
    """Return `wide_frame` as CSV, with numbers to ten significant digits."""
    return wide_frame(standings).to_csv(index=False, float_format="%.10g", lineterminator="\n")


def markdown_text(standings: Standings) -> str:
    """Return the tables as Markdown."""
    parts = [f"# Leaderboard: {escaped(suite_name(standings))}", "", RANK_NOTE, "", CONTROL_NOTE, ""]
    for table in standings.tables:
        parts += [f"## {escaped(table.setting.title)}", "", *_markdown_rows(table), ""]
        parts += [f"{escaped(model_text(table))}", ""]
    metrics = {metric.id: metric.audit for table in standings.tables for metric in table.metrics}
    parts += [f"{escaped(note)}\n" for note in audit_notes(list(metrics.values()))]
    for agreement in standings.agreements:
        parts += [f"## Frameworks: {escaped(str(agreement.task))}", "", escaped(agreement_text(agreement)), ""]
    if standings.failures:
        lines = [f"- {escaped(failure.spec.label)}: {escaped(failure.error)}" for failure in standings.failures]
        parts += ["## Failures", "", *lines, ""]
    if standings.not_applicable:
        parts += ["## Not applicable", ""]
        for item in standings.not_applicable:
            name = FRAMEWORK_NAMES.get(item.framework, item.framework)
            parts.append(f"- {escaped(item.method)} ({escaped(str(item.task))}, {name}): {escaped(item.reason)}")
        parts.append("")
    return "\n".join(parts)


def method_name(row: Row) -> str:
    """Return a method's name with the mark of a control."""
    return f"{row.method.id} †" if row.method.control else row.method.id


def place_text(row: Row) -> str:
    """Return a row's place, or a dash."""
    return formatting.MISSING if row.place is None else str(row.place)


def suite_name(standings: Standings) -> str:
    """Return the name of the suite that was run, with a note where options changed it."""
    suite = standings.run.get("suite")
    named = suite.get("name") if isinstance(suite, dict) else suite
    return str(standings.run.get("name") or named or "run")


def model_text(table: Table) -> str:
    """Return the network's own accuracy and loss in one sentence."""
    facts = table.model
    if not facts.samples:
        return "No results yet."
    if facts.samples == facts.unknown_labels:
        return f"The model on these {facts.samples} samples: no labels are known, so accuracy and loss are not."
    labelled = facts.samples - facts.unknown_labels
    text = (
        f"The model on these {facts.samples} samples: accuracy {formatting.percent(facts.accuracy)} "
        f"({round(facts.accuracy * labelled)} of {labelled}), mean cross-entropy {formatting.number(facts.loss)}, "
        f"mean probability of the explained class {formatting.number(facts.confidence)}."
    )
    return text + (f" {facts.unknown_labels} samples have no label." if facts.unknown_labels else "")


def agreement_text(agreement: Agreement) -> str:
    """Return how well two frameworks agree in a few sentences."""
    first, second = agreement.frameworks
    differing = agreement.differing
    same = len(agreement.rows) - len(differing)
    text = (
        f"{first} and {second} agree on {same} of {len(agreement.rows)} pairs of method and metric "
        f"(largest difference on a sample within 5 % of the spread of that metric's scores), over {agreement.samples} "
        f"common samples."
    )
    if differing:
        worst = differing[0]
        text += (
            f" They disagree on {len(differing)}: the most on {worst.method}, {worst.metric}, with "
            f"{formatting.number(worst.means[0])} and {formatting.number(worst.means[1])} on average and "
            f"{formatting.number(worst.largest)} apart on one sample."
        )
    if agreement.different_targets:
        text += f" They explain different classes on {agreement.different_targets} samples."
    if agreement.different_predictions:
        text += f" They predict different classes on {agreement.different_predictions} samples."
    return text


def escaped(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is: no markup, no table borders, no line breaks."""
    flat = re.sub(r"\s+", " ", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        flat = flat.replace(character, entity)
    return re.sub(r"([\\`*_{}\[\]|$#~])", r"\\\1", flat)


def _markdown_rows(table: Table) -> list[str]:
    heads = ["#", "method", "mean rank", "tie", *(f"{m.id} {m.arrow} {m.mark}".strip() for m in table.metrics)]
    heads += ["time", "cost", "passes", "coverage", "degenerate"]
    rows = [_markdown_row(row) for row in table.rows]
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)], *rows]
    return ["| " + " | ".join(cells if n == 1 else map(escaped, cells)) + " |" for n, cells in enumerate(lines)]


def _markdown_row(row: Row) -> list[str]:
    values = [
        f"{formatting.with_half_width(v.mean, v.low, v.high)} ({formatting.rank(v.rank)})"
        if v.samples
        else formatting.MISSING
        for v in row.values
    ]
    return [
        place_text(row),
        method_name(row),
        formatting.mean_rank(row.mean_rank),
        row.group,
        *values,
        formatting.seconds(row.cost.seconds),
        formatting.times(row.cost.relative),
        passes_text(row),
        row.coverage.text,
        str(row.degenerate),
    ]


def passes_text(row: Row) -> str:
    """Return forward and backward passes per image as ``20 + 20``."""
    if not math.isfinite(row.cost.forward + row.cost.backward):
        return formatting.MISSING
    return f"{formatting.count(row.cost.forward)} + {formatting.count(row.cost.backward)}"


def _setting(table: Table) -> dict[str, Any]:
    task, precision, target, framework = table.setting
    return {
        "model": task.shown_model,
        "dataset": task.dataset,
        "framework": framework,
        "precision": precision,
        "target": target,
    }


def _standing(row: Row) -> dict[str, Any]:
    return {
        "place": pd.NA if row.place is None else row.place,
        "mean_rank": row.mean_rank,
        "mean_rank_low": row.mean_rank_low,
        "mean_rank_high": row.mean_rank_high,
        "tie_group": row.group,
    }


def _method(row: Row) -> dict[str, Any]:
    return {
        "method": row.method.id,
        "family": row.method.family,
        "control": row.method.control,
        "cells": row.coverage.cells,
        "expected_cells": row.coverage.expected_cells,
        "samples": row.coverage.samples,
        "expected_samples": row.coverage.expected_samples,
        "degenerate": row.degenerate,
        "why_unplaced": row.why_unplaced,
    }


def _cost(row: Row) -> dict[str, Any]:
    return {
        "seconds_per_image": row.cost.seconds,
        "relative_cost": row.cost.relative,
        "forward_passes": row.cost.forward,
        "backward_passes": row.cost.backward,
        "scoring_seconds_per_image": row.cost.score_seconds,
        "peak_memory_bytes": row.cost.memory,
    }


def in_parts(items: Sequence[Any], size: int) -> list[list[Any]]:
    """Return ``items`` cut into nearly equal parts of at most ``size``."""
    parts = max(1, -(-len(items) // size))
    step = -(-len(items) // parts) if items else 1
    return [list(items[start : start + step]) for start in range(0, len(items), step)] or [[]]
