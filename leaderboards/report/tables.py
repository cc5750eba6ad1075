"""The leaderboard as data, CSV and Markdown; every number comes from the standings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from ..across.overall import Overall
from ..audits.audit import VERDICTS
from ..audits.known_audits import audit_notes
from ..records.commands import run_name
from ..standings.agreement import Agreement
from ..standings.fills import fill_comparisons
from ..standings.results import framework_text
from ..standings.standings import Row, Standings, Table
from ..statistics.significance import Places
from ..writing.numbers import MISSING, decimals, number, passes_text, percent, rank, seconds, times, with_half_width
from ..writing.text_tables import Column, bullets, escaped, markdown_table, markdown_text, section
from .networks import examined_networks
from .overall import overall_markdown, worth_showing
from .verdict import verdicts

RUNS_NAMED = 4
"""So many runs are named in a heading."""
CONTROL_NOTE = "Controls (marked †) are the floor and ceiling of the table, not contenders."
RANK_NOTE = (
    "Mean rank: the mean over metrics of a method's ranks (1 = best). Intervals: 95 %, of a mean over samples "
    "(Student's t; Wilson's where each sample hits or misses). “tie”: the places from which a method cannot be told "
    "apart, its own among them (Friedman test, then Wilcoxon signed-rank tests of all pairs with Holm's correction, "
    "level 0.05)."
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
                        **_tied(value.tied, "metric_"),
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


def board_markdown(standings: Standings, standing: Overall) -> str:
    """Return the tables, and the standing across tasks, as Markdown."""
    blocks = [f"# Leaderboard: {escaped(suite_name(standings))}"]
    for verdict in verdicts(standings):
        blocks.append(f"**{escaped(verdict.where)}.** {escaped(' '.join(verdict.sentences))}")
        blocks += [f"**Warning:** {escaped(warning)}" for warning in verdict.warnings]
    blocks += [RANK_NOTE, CONTROL_NOTE]
    blocks += overall_markdown(standing) if worth_showing(standing) else []
    for table in standings.tables:
        blocks += [f"## {escaped(table.setting.title)}", markdown_table(_columns(table), table.rows, left=2)]
        texts = (
            uncounted_text(table),
            unplaced_text(table),
            *(one.text for one in fill_comparisons(table)),
            model_text(table),
        )
        blocks += [escaped(text) for text in texts if text]
    blocks += map(escaped, audit_notes([metric.audit for metric in standings.metrics]))
    for agreement in standings.agreements:
        blocks += [f"## Frameworks: {escaped(agreement.title)}", escaped(agreement_text(agreement))]
    networks = bullets(network.summary for network in examined_networks(standings))
    failures = bullets(f"{failure.spec.label}: {failure.error}" for failure in standings.failures)
    reasons = bullets(
        f"{item.method} ({item.task}, {framework_text(item.framework)}): {item.reason}"
        for item in standings.not_applicable
    )
    return markdown_text(
        [
            *blocks,
            *section("## Networks examined", networks),
            *section("## Failures", failures),
            *section("## Not applicable", reasons),
        ]
    )


def _passes(row: Row) -> str:
    words = passes_text(row.cost.forward, row.cost.backward)
    return words if row.cost.verified else f"{words} (its own word)"


def place_text(row: Row) -> str:
    """Return a row's place, or a dash."""
    return MISSING if row.place is None else str(row.place)


def tie_text(row: Row) -> str:
    """Return the places from which a row cannot be told apart, or nothing where there are no others."""
    return "" if row.tied is None or row.tied.alone else str(row.tied)


def uncounted_text(table: Table) -> str:
    """Return which metrics the mean rank leaves out, with the reason where it lies in this table; or nothing."""
    left: dict[str, list[str]] = {}
    for metric, counted in zip(table.metrics, table.counted, strict=True):
        if not counted:
            left.setdefault(table.why_uncounted.get(metric.id, ""), []).append(metric.name)
    parts = [f"{', '.join(left[why])}{f' ({why})' if why else ''}" for why in sorted(left)]
    return f"Not counted in the mean rank: {'; '.join(parts)}." if parts else ""


def unplaced_text(table: Table) -> str:
    """Return which methods have no place, each with the reason, or nothing."""
    each = [f"{row.method.name} ({row.why_unplaced})" for row in table.rows if row.place is None]
    return f"Not ranked: {'; '.join(each)}." if each else ""


TIME: Column[Row] = Column("time", lambda row: seconds(row.cost.seconds), lambda row: row.cost.seconds)
RELATIVE: Column[Row] = Column("relative", lambda row: times(row.cost.relative), lambda row: row.cost.relative)
PASSES: Column[Row] = Column("forward + backward passes", _passes, lambda row: row.cost.forward + row.cost.backward)
SCORING: Column[Row] = Column(
    "time of scoring", lambda row: seconds(row.cost.score_seconds), lambda row: row.cost.score_seconds
)
COVERAGE: Column[Row] = Column("coverage", lambda row: row.coverage.text)
DEGENERATE: Column[Row] = Column("degenerate", lambda row: str(row.degenerate))
TRUST: Column[Row] = Column("trust", lambda row: str(row.trust or MISSING))


def _columns(table: Table) -> list[Column[Row]]:
    return [
        Column("#", place_text),
        Column("method", lambda row: row.method.label),
        Column("mean rank", lambda row: decimals(row.mean_rank)),
        Column("tie", tie_text),
        *(
            Column(f"{metric.name} {metric.arrow} {metric.mark}".strip(), partial(_value_text, place))
            for place, metric in enumerate(table.metrics)
        ),
        TIME,
        replace(RELATIVE, head="cost"),
        replace(PASSES, head="passes"),
        COVERAGE,
        DEGENERATE,
        *([TRUST] if any(row.trust is not None for row in table.rows) else []),
    ]


def _value_text(place: int, row: Row) -> str:
    value = row.values[place]
    return f"{with_half_width(value.mean, value.low, value.high)} ({rank(value.rank)})" if value.samples else MISSING


def suite_name(standings: Standings) -> str:
    """Return the names of the suites that were run, the first ones of many."""
    names = list(dict.fromkeys(map(run_name, standings.runs)))
    more = f" and {len(names) - RUNS_NAMED} more" if len(names) > RUNS_NAMED else ""
    return ", ".join(names[:RUNS_NAMED]) + more


def model_text(table: Table) -> str:
    """Return the network's own accuracy and loss in one sentence."""
    facts = table.model
    if not facts.samples:
        return "No results yet."
    if facts.samples == facts.unknown_labels:
        return f"The model on these {facts.samples} samples: no labels are known, so accuracy and loss are not."
    labelled = facts.samples - facts.unknown_labels
    text = (
        f"The model on these {facts.samples} samples: accuracy {percent(facts.accuracy)} "
        f"({round(facts.accuracy * labelled)} of {labelled}), mean cross-entropy {number(facts.loss)}, "
        f"mean probability of the explained class {number(facts.confidence)}."
    )
    unknown = facts.unknown_labels
    have = "1 sample has" if unknown == 1 else f"{unknown} samples have"
    return text + (f" {have} no label." if unknown else "")


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
            f"{number(worst.means[0])} and {number(worst.means[1])} on average and "
            f"{number(worst.largest)} apart on one sample."
        )
    if agreement.different_targets:
        text += f" They explain different classes on {agreement.different_targets} samples."
    if agreement.different_predictions:
        text += f" They predict different classes on {agreement.different_predictions} samples."
    return text


def _setting(table: Table) -> dict[str, Any]:
    """Return what a table holds fixed; a variant only where there is one."""
    return {name: value for name, value in table.setting.columns.items() if value or name != "variant"}


def _standing(row: Row) -> dict[str, Any]:
    return {
        "place": pd.NA if row.place is None else row.place,
        "mean_rank": row.mean_rank,
        "mean_rank_low": row.mean_rank_low,
        "mean_rank_high": row.mean_rank_high,
        **_tied(row.tied),
    }


def _tied(places: Places | None, prefix: str = "") -> dict[str, Any]:
    first, last = (pd.NA, pd.NA) if places is None else places
    return {f"{prefix}tied_from": first, f"{prefix}tied_to": last}


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
        "trust": str(row.trust or ""),
    }


def trust_notes(standings: Standings) -> list[str]:
    """Return what is known of every method that somebody submitted, in a sentence each."""
    rows = [row for table in standings.tables for row in table.rows if row.trust is not None]
    own = [row for row in rows if not row.method.control]  # of controls, a table says itself that they are some
    said = {(row.method.name, row.trust.word, row.trust.said) for row in own if row.trust is not None}
    return [f"{name}: {word} ({sentence})" for name, word, sentence in sorted(said)]


def _cost(row: Row) -> dict[str, Any]:
    return {
        "seconds_per_image": row.cost.seconds,
        "relative_cost": row.cost.relative,
        "forward_passes": row.cost.forward,
        "backward_passes": row.cost.backward,
        "scoring_seconds_per_image": row.cost.score_seconds,
    }
