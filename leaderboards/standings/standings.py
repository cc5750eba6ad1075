"""The standings of one or several runs: ranks, intervals and ties, computed once; every output shows these."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from ...benchmark.store.cell import Task
from ...benchmark.store.folder import Failure, Inapplicable, RunStore
from ...identity import digest
from ..audits.known_audits import KnownAudits
from ..statistics.bootstrap import RESAMPLES
from ..statistics.ranking import RankStatistics, ranking
from ..statistics.significance import Places
from ..statistics.wins import Wins
from ..trust.words import WORDS, Submitted, Trust
from .agreement import Agreement, agreements_of
from .curves import mean_curves
from .gathering import gather, opened, thumbnail_in
from .kept_curves import MeanCurve
from .measured_alike import measured_alike, why_left_out
from .registered import MethodFacts, MetricFacts, method_facts, metric_facts
from .results import Coverage, MethodCost, MethodRun, Results, Setting


@dataclass(frozen=True)
class MetricResult:
    """One method's result on one metric."""

    mean: float
    low: float
    high: float
    """The mean over ``samples`` samples with its 95 % interval."""
    rank: float
    """NaN where the method is not ranked."""
    samples: int
    tied: Places | None
    """The places on this metric from which it cannot be told apart, its own among them; None where it has none."""
    best: bool
    """Whether it cannot be told apart from the best, and is not the metric's worst possible value."""


@dataclass(frozen=True)
class Row:
    """One method in one table."""

    method: MethodFacts
    values: tuple[MetricResult, ...]
    """One per metric of the table."""
    mean_rank: float
    mean_rank_low: float
    mean_rank_high: float
    """The mean over metrics of its ranks, with its interval on this board; NaN where it is not placed."""
    place: int | None
    """None where it is not placed; ``why_unplaced`` then says why."""
    tied: Places | None
    """The places from which it cannot be told apart, its own among them; None where it is not placed."""
    coverage: Coverage
    cost: MethodCost
    degenerate: int
    """How many of its maps were constant or not finite."""
    why_unplaced: str
    trust: Trust | None = None
    """How far its numbers can be trusted where somebody submitted them; None for runs of heatmark's or one's own."""

    @property
    def leads(self) -> bool:
        """Whether it cannot be told apart from the best."""
        return self.tied is not None and self.tied.lead


@dataclass(frozen=True)
class ModelFacts:
    """How well the network itself does on the samples."""

    samples: int
    unknown_labels: int
    """Samples seen, and how many of them have no known label."""
    accuracy: float
    """The share of labelled samples whose predicted class is the label; NaN where none is labelled."""
    loss: float
    """Mean cross-entropy of the labelled samples, in nats."""
    confidence: float
    """Mean probability of the class that was explained."""


@dataclass(frozen=True, eq=False)
class Table:
    """The leaderboard of one task in one framework; rows from best to worst, unplaced ones last."""

    setting: Setting
    metrics: tuple[MetricFacts, ...]
    counted: tuple[bool, ...]
    rows: tuple[Row, ...]
    friedman: float
    model: ModelFacts
    results: Results
    wins: Wins
    """Who wins against whom by mean ranks, (rows, rows): what the ties are told by; NaN where a row is not placed."""
    why_uncounted: Mapping[str, str] = field(default_factory=dict)
    """Why the mean rank leaves out metrics, by their ids, where that is not in what they are."""

    @property
    def provenances(self) -> list[Mapping[str, Any]]:
        """What every cell behind the table recorded of how it was made."""
        return [provenance for method in self.results.methods for provenance in method.provenances]

    @cached_property
    def curves(self) -> Mapping[str, Mapping[str, MeanCurve]]:
        """The mean curves by metric and method, for the metrics that read a curve; read once."""
        return mean_curves(self.results)

    def __repr__(self) -> str:
        return f"<Table of {self.setting.title}: {len(self.rows)} methods, {len(self.metrics)} metrics>"


@dataclass(frozen=True, eq=False)
class Standings:
    """All leaderboards of one or several runs."""

    stores: tuple[RunStore, ...]
    """The runs' folders."""
    tables: tuple[Table, ...]
    """One per task, precision, target and framework; in several runs also per choice of samples, weights, revision of
    the data and device, which their titles then tell.
    """
    agreements: tuple[Agreement, ...]
    """One per task and pair of frameworks: where they agree, and where not."""
    failures: tuple[Failure, ...]
    not_applicable: tuple[Inapplicable, ...]
    """What has no result, with the reason."""
    resamples: int = RESAMPLES
    seed: int = 0
    """The bootstrap behind the mean ranks' intervals."""
    audits: KnownAudits = field(default_factory=lambda: KnownAudits(()))
    """What is known of the metrics."""

    @classmethod
    def of_run(cls, run: object, resamples: int = RESAMPLES, seed: int = 0, audit: str | Path | None = None) -> Self:
        """Return the standings of a run, finished or not; see `board.leaderboard`."""
        return cls.of_runs([run], resamples, seed, audit)

    @classmethod
    def of_runs(
        cls, runs: Iterable[object], resamples: int = RESAMPLES, seed: int = 0, audit: str | Path | None = None
    ) -> Self:
        """Return the standings of several runs together; see `board.leaderboard` for what stands in one table."""
        stores = opened(runs)
        audits = KnownAudits.for_runs([store.path for store in stores], audit)
        found = gather(stores)
        metrics = {
            name: replace(metric_facts(text, identity), id=name, audit=audits.of(digest(identity)))
            for results in found.settings
            for name, text, identity in zip(
                results.metrics, results.metric_texts, results.metric_identities, strict=True
            )
        }
        methods = {method.method: method for results in found.settings for method in results.methods}
        known = {name: replace(_facts(one, found.submissions), id=name) for name, one in methods.items()}
        options = (resamples, seed)
        tables = tuple(
            _table(
                results,
                [known[m.method] for m in results.methods],
                [metrics[m] for m in results.metrics],
                options,
                found.submissions,
            )
            for results in found.settings
        )
        return cls(
            stores,
            tables,
            agreements_of(found.settings, metrics),
            found.failures,
            (*found.not_applicable, *_refused_metrics(found.settings)),
            resamples,
            seed,
            audits,
        )

    def __repr__(self) -> str:
        tables = ", ".join(map(repr, self.tables[:1]))
        more = f" and {len(self.tables) - 1} more" if len(self.tables) > 1 else ""
        return f"<{type(self).__name__} of {', '.join(str(store.path) for store in self.stores)}: {tables}{more}>"

    @property
    def runs(self) -> tuple[dict[str, Any], ...]:
        """The content of the runs' ``run.json``."""
        return tuple(store.run for store in self.stores)

    def thumbnail(self, task: Task, sample: str) -> Path:
        """Return where the picture of a sample is kept, in the first run that has it; the file may be missing."""
        return thumbnail_in(self.stores, task, sample)

    @property
    def metrics(self) -> list[MetricFacts]:
        """The metrics of all tables, each once."""
        return list({metric.id: metric for table in self.tables for metric in table.metrics}.values())

    @property
    def methods(self) -> list[MethodFacts]:
        """The methods of all tables, each once."""
        return list({row.method.id: row.method for table in self.tables for row in table.rows}.values())

    @property
    def by_task(self) -> list[list[Table]]:
        """The tables of one task together, its frameworks beside one another."""
        tasks: dict[tuple[Any, ...], list[Table]] = {}
        for table in self.tables:
            tasks.setdefault(table.setting.in_all_frameworks, []).append(table)
        return list(tasks.values())

    @property
    def tasks(self) -> list[tuple[str, list[Table]]]:
        """The tables of one task on the same samples together, its frameworks, under the task's title."""
        found: list[tuple[str, list[Table]]] = []
        for tables in self.by_task:
            same: dict[frozenset[str], list[Table]] = {}
            for table in tables:
                same.setdefault(frozenset(table.results.samples), []).append(table)
            for together in same.values():
                setting = together[0].setting
                found.append((setting.task_title if len(same) == 1 else setting.title, together))
        return found


def _refused_metrics(settings: Sequence[Results]) -> list[Inapplicable]:
    """Return the metrics that have no meaning in a setting, or for some methods there, as methods that have none."""
    found = []
    for results in settings:
        task, framework = results.setting.task, results.setting.framework
        refused = dict.fromkeys(results.refused.items(), "")
        for method in results.methods:
            for item in method.refused.items():
                if item[0] in results.metrics:
                    refused[item] = f"{refused[item]}, {method.method}" if item in refused else f" of {method.method}"
        found += [
            Inapplicable(task, f"the metric {metric}{of}", framework, reason)
            for (metric, reason), of in refused.items()
        ]
    return found


def _facts(run: MethodRun, submissions: Mapping[Path, Submitted]) -> MethodFacts:
    """Return what is known of a method; of a submitted one, whose file is not loaded, what its submission says."""
    facts = method_facts(run.text, run.identity)
    sources = [submissions[path].submission for path in run.runs if path in submissions]
    told = next((one for source in sources for one in source.methods if one.method == run.text), None)
    if facts.family or told is None or len(sources) < len(run.runs):
        return facts
    return replace(
        facts,
        family=told.family,
        signed=told.signed,
        summary=told.summary,
        reference=told.reference,
        title=told.title,
    )


def _trust(run: MethodRun, submissions: Mapping[Path, Submitted]) -> Trust | None:
    """Return how far a row can be trusted: None where a run that nobody submitted has it."""
    if not run.runs or not all(path in submissions for path in run.runs):
        return None
    return min((submissions[path].trust for path in run.runs), key=lambda trust: WORDS.index(trust.word))


def _table(
    results: Results,
    methods: Sequence[MethodFacts],
    metrics: Sequence[MetricFacts],
    options: tuple[int, int],
    submissions: Mapping[Path, Submitted],
) -> Table:
    counting = {metric.id for metric in metrics if metric.in_mean_rank}
    together = measured_alike([method.asked & counting for method in results.methods])
    left_out = why_left_out(results, counting, together, {method.id: method.name for method in methods})
    complete = [
        method.coverage.complete and not _all_degenerate(method) and together <= method.asked
        for method in results.methods
    ]
    ranked = ranking(
        results.scores,
        [metric.higher_is_better for metric in metrics],
        np.array(complete, dtype=bool),
        *options,
        bounds=[metric.range for metric in metrics],
        counting=[metric.id in counting and metric.id not in left_out for metric in metrics],
    )
    rows = [
        _row(number, methods[number], run, metrics, ranked, _trust(run, submissions))
        for number, run in enumerate(results.methods)
    ]
    rows.sort(key=lambda row: (row.place is None, row.place or 0, row.mean_rank, row.method.id))
    numbers = {run.method: number for number, run in enumerate(results.methods)}
    shown = [numbers[row.method.id] for row in rows]
    return Table(
        results.setting,
        tuple(metrics),
        tuple(bool(counted) for counted in ranked.counted),
        tuple(rows),
        ranked.friedman,
        _model_facts(results),
        results,
        Wins(*(one[np.ix_(shown, shown)] for one in ranked.wins)),
        left_out,
    )


def _row(
    number: int,
    method: MethodFacts,
    run: MethodRun,
    metrics: Sequence[MetricFacts],
    found: RankStatistics,
    trust: Trust | None,
) -> Row:
    values = tuple(_result(found, m, number, metric) for m, metric in enumerate(metrics))
    place = found.place[number]
    counted = np.flatnonzero(found.counted).tolist()
    unranked = [metrics[m].id for m in counted if not math.isfinite(found.rank[m, number])]
    return Row(
        method,
        values,
        float(found.mean_rank[number]),
        float(found.mean_rank_low[number]),
        float(found.mean_rank_high[number]),
        int(place) if math.isfinite(place) else None,
        found.tied[number],
        run.coverage,
        run.cost,
        _degenerate(run),
        _why_unplaced(run, unranked) if not math.isfinite(place) else "",
        trust,
    )


def _result(found: RankStatistics, m: int, number: int, metric: MetricFacts) -> MetricResult:
    mean, tied = float(found.mean[m, number]), found.metric_tied[m][number]
    return MetricResult(
        mean,
        float(found.low[m, number]),
        float(found.high[m, number]),
        float(found.rank[m, number]),
        int(found.samples[m, number]),
        tied,
        tied is not None and tied.lead and mean != metric.worst,
    )


def _degenerate(run: MethodRun) -> int:
    """Return how many of a method's maps are constant or not finite."""
    return int((run.rows["degenerate"].fillna("") != "").sum()) if len(run.rows) else 0


def _all_degenerate(run: MethodRun) -> bool:
    return 0 < len(run.rows) == _degenerate(run)


def _why_unplaced(run: MethodRun, unranked: Sequence[str]) -> str:
    coverage = run.coverage
    if not coverage.complete:
        failed = f" ({coverage.failed} failed)" if coverage.failed else ""
        return f"{coverage.cells} of {coverage.expected_cells} cells{failed}"
    if _all_degenerate(run):
        return "all its maps are constant or not finite"
    if other := [metric for metric in unranked if metric not in run.asked]:
        return f"not measured with {', '.join(other)}, which other methods here were"
    return f"too few defined scores on {', '.join(unranked)}" if unranked else "no metric could be ranked"


def _model_facts(results: Results) -> ModelFacts:
    columns = ["sample", "label", "predicted", "target_probability", "label_log_probability"]
    found = [method.rows[columns] for method in results.methods if len(method.rows)]
    nan = float("nan")
    if not found:
        return ModelFacts(0, 0, nan, nan, nan)
    # The network's answers are the same in every cell, so each sample is counted once.
    rows = pd.concat(found).drop_duplicates("sample")
    labelled = rows[rows["label"] >= 0]
    return ModelFacts(
        len(rows),
        len(rows) - len(labelled),
        float((labelled["predicted"] == labelled["label"]).mean()) if len(labelled) else nan,
        float(-labelled["label_log_probability"].mean()) if len(labelled) else nan,
        float(rows["target_probability"].mean()),
    )
