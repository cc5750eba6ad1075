"""Where two frameworks give the same scores for the same weights, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ...benchmark.store.cell import Task
from ..statistics.ranks import ROUNDING, rank_correlation
from .overlaps import DIFFERS
from .registered import MetricFacts
from .results import Results, framework_text


@dataclass(frozen=True)
class AgreementRow:
    """One method and metric in two frameworks."""

    method: str
    metric: str
    means: tuple[float, float]
    """The mean in each framework, over the ``samples`` samples that both have."""
    samples: int
    largest: float
    """The largest difference on one sample, and ``share``: the same relative to the spread (largest minus smallest) of
    the metric's scores over all methods, samples and both frameworks. A difference that is rounding, compared with the
    largest of these scores, has no share, however small their spread is.
    """
    share: float
    rank_correlation: float
    """`rank_correlation` of the per-sample scores; NaN where they are constant."""

    @property
    def differs(self) -> bool:
        """Whether the frameworks disagree beyond rounding."""
        return self.share > DIFFERS


@dataclass(frozen=True)
class Agreement:
    """Two frameworks on one task."""

    task: Task
    precision: str
    target: str
    frameworks: tuple[str, str]
    """Their names as people write them."""
    samples: int
    """Samples that both have."""
    different_targets: int
    different_predictions: int
    """On how many of these the explained class, or the predicted class, is not the same."""
    largest_logit_difference: float
    """Of the explained class, where it is the same."""
    rows: tuple[AgreementRow, ...]
    """One per method and metric that both have, the largest share first."""
    variant: str = ""
    """See `Setting.variant`."""

    @property
    def title(self) -> str:
        """The task, as its tables are headed."""
        return f"{self.task} ({self.variant})" if self.variant else str(self.task)

    @property
    def differing(self) -> tuple[AgreementRow, ...]:
        """The rows on which the frameworks disagree."""
        return tuple(row for row in self.rows if row.differs)


def agreements_of(settings: Sequence[Results], metrics: Mapping[str, MetricFacts]) -> tuple[Agreement, ...]:
    """Compare every two settings that differ only in the framework."""
    found = []
    for first, second in combinations(settings, 2):
        one, other = first.setting, second.setting
        same = one.in_all_frameworks == other.in_all_frameworks and one.framework != other.framework
        if same and first.samples and second.samples:
            found.append(_agreement(first, second, [m for m in metrics if m in first.metrics and m in second.metrics]))
    return tuple(found)


def _agreement(first: Results, second: Results, metrics: Sequence[str]) -> Agreement:
    answers = _answers(first).add_suffix("_1").join(_answers(second).add_suffix("_2"), how="inner")
    same_target = answers["target_1"] == answers["target_2"]
    logits = (answers["target_logit_1"] - answers["target_logit_2"]).abs()[same_target]
    scores = [_scores(results, metrics) for results in (first, second)]
    rows = []
    for metric in metrics:
        every = np.concatenate([part[metric].to_numpy(np.float64).ravel() for part in scores])
        every = every[np.isfinite(every)]
        spread = float(every.max() - every.min()) if every.size else 0.0
        grain = ROUNDING * float(np.abs(every).max(initial=0.0))
        for method in (run.method for run in first.methods):
            if all(method in part[metric] for part in scores):
                both = pd.concat([part[metric][method] for part in scores], axis=1, join="inner").dropna()
                rows += [_row(method, metric, both.to_numpy(np.float64), spread, grain)] if len(both) else []
    rows.sort(key=lambda row: -row.share)
    setting = first.setting
    return Agreement(
        setting.task,
        setting.precision,
        setting.target,
        (framework_text(first.setting.framework), framework_text(second.setting.framework)),
        len(answers),
        int((~same_target).sum()),
        int((answers["predicted_1"] != answers["predicted_2"]).sum()),
        float(logits.max()) if len(logits) else float("nan"),
        tuple(rows),
        setting.variant,
    )


def _answers(results: Results) -> pd.DataFrame:
    """Return the network's answers by sample."""
    columns = ["sample", "target", "predicted", "target_logit"]
    rows = pd.concat([method.rows[columns] for method in results.methods if len(method.rows)])
    return rows.drop_duplicates("sample").set_index("sample")


def _scores(results: Results, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return, per metric, a table with samples as rows and methods as columns."""
    names = [method.method for method in results.methods]
    return {
        metric: pd.DataFrame(
            results.scores[results.metrics.index(metric)].T, index=list(results.samples), columns=names
        )
        for metric in metrics
    }


def _row(method: str, metric: str, paired: np.ndarray, spread: float, grain: float) -> AgreementRow:
    largest = float(np.abs(paired[:, 0] - paired[:, 1]).max())
    return AgreementRow(
        method,
        metric,
        (float(paired[:, 0].mean()), float(paired[:, 1].mean())),
        len(paired),
        largest,
        largest / spread if largest > grain else 0.0,
        rank_correlation(paired[:, 0], paired[:, 1]),
    )
