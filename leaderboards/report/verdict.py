"""The verdict of a leaderboard in words, before any table: who is best, what it beats, whether to believe it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from ..audits.audit import PASSED
from ..standings.standings import Row, Standings, Table
from ..statistics.chance import chance_warning
from ..statistics.ranking import sample_ranks
from ..statistics.significance import LEVEL, least_pairs
from ..writing.names import shown
from ..writing.numbers import counted, decimals, percent
from ..writing.sentences import begun

NAMED = 4
"""So many methods or metrics are named in one sentence."""


@dataclass(frozen=True)
class Verdict:
    """What a leaderboard says, and what speaks against believing it."""

    where: str
    """The model, the dataset, and the frameworks in which it came out like this."""
    sentences: tuple[str, ...]
    """The best method and its ties, the controls, the metrics, the network, the samples."""
    warnings: tuple[str, ...]
    """What makes the table worth little, such as a network at chance."""


def verdicts(standings: Standings) -> list[Verdict]:
    """Return the verdict of every table; frameworks in which the same holds have one together."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for table in standings.tables:
        words = (table.setting.task_title, *_of_table(table))
        found.setdefault(words, []).append(table.setting.framework_name)
    return [
        Verdict(f"{task} in {' and '.join(frameworks)}", sentences, warnings)
        for (task, sentences, warnings), frameworks in found.items()
    ]


def _of_table(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sentences and the warnings of one table."""
    placed = [row for row in table.rows if row.place is not None]
    best = next((row for row in placed if not row.method.control), None)
    sentences = [_best(best, placed), beside_controls(best, placed), _metrics(table), _separable(table, placed)]
    network, warnings = _network(table)
    level, better = _controls_near(best, placed)
    if level or better:
        how = "is beaten by a control" if better else "is not told apart from a control"
        warnings.insert(0, f"A table whose best method {how} says nothing about methods.")
    return tuple(filter(None, [*sentences, network])), tuple(warnings)


def _best(best: Row | None, placed: Sequence[Row]) -> str:
    if best is None:
        return "No method could be ranked." if not placed else "Only controls were ranked."
    methods = sum(not row.method.control for row in placed)
    if methods == 1:
        return f"{best.method.name} is the only method that was ranked."
    tied = [row.method.name for row in placed if row is not best and not row.method.control and _level_with(best, row)]
    head = f"Best of {methods} methods: {best.method.name} (mean rank {decimals(best.mean_rank)})"
    if not tied:
        return f"{head}, told apart from every other."
    return f"{head}, not told apart from {_listed(tied)}."


def beside_controls(best: Row | None, placed: Sequence[Row]) -> str:
    """Return whether a method beats what ignores the network, and how it stands to the truth."""
    if best is None:
        return ""
    truth = next((_beside_the_truth(best, row) for row in placed if row.method.ceiling), "")
    controls = [row.method.name for row in placed if row.method.control and not row.method.ceiling]
    if not controls:
        floor = "No control was run, so whether the best method beats a picture of nothing is not known."
        return " ".join(filter(None, [floor, truth]))
    level, better = _controls_near(best, placed)
    parts = [f"the control {_listed(better)} beats it"] if len(better) == 1 else []
    parts = [f"the controls {_listed(better)} beat it"] if len(better) > 1 else parts
    parts += [f"it is not told apart from the control{'s' * (len(level) > 1)} {_listed(level)}"] if level else []
    if not parts:
        floor = f"It beats every control ({_listed(controls)})."
    else:
        text = " and ".join(parts)
        floor = f"{begun(text)}."
    return " ".join(filter(None, [floor, truth]))


def _controls_near(best: Row | None, placed: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Return the controls that ignore the network from which the best method is not told apart, and those ahead."""
    floor = [row for row in placed if row.method.control and not row.method.ceiling] if best is not None else []
    level = [row.method.name for row in floor if best is not None and _level_with(best, row)]
    ahead = [row.method.name for row in floor if best is not None and (row.place or 0) < (best.place or 0)]
    return level, [name for name in ahead if name not in level]


def _beside_the_truth(best: Row, oracle: Row) -> str:
    if _level_with(best, oracle):
        return "It is not told apart from the oracle, whose map is the truth."
    if (oracle.place or 0) < (best.place or 0):
        return "The oracle, whose map is the truth, beats it, as it should."
    return "It beats the oracle, whose map is the truth: these metrics do not tell the truth here."


def _metrics(table: Table) -> str:
    """Return how many of the metrics that count passed their audit, and why the others did not."""
    audits = [metric.audit for metric, is_counted in zip(table.metrics, table.counted, strict=True) if is_counted]
    known = [audit for audit in audits if audit is not None and audit.mark]
    if not audits:
        return ""
    if not known:
        return f"No audit of the {counted(len(audits), 'metric')} is known (heatmark audit metrics)."
    passed = sum(audit.mark == PASSED for audit in known)
    text = f"{passed} of {counted(len(audits), 'metric')} passed every question of the audit on all of its data"
    failing = [
        f"{shown(audit.metric, 'metric')}: {' and '.join(audit.reasons)}" for audit in known if audit.mark != PASSED
    ]
    text += f" ({'; '.join(failing[:NAMED])}{'; ...' if len(failing) > NAMED else ''})" if failing else ""
    unknown = len(audits) - len(known)
    return text + (f"; {unknown} not audited." if unknown else ".")


def _separable(table: Table, placed: Sequence[Row]) -> str:
    """Return the number of samples, and what difference in mean rank can be told with so many."""
    samples = table.model.samples
    text = f"{counted(samples, 'sample')}"
    least = least_difference(table)
    if len(placed) > 1 and samples < least_pairs(math.comb(len(placed), 2)):
        return f"{text}: too few for any of the {len(placed)} rows to be told apart, however large the difference."
    if not math.isfinite(least) or len(placed) < 2:
        return f"{text}: too few to tell methods apart." if len(placed) > 1 else f"{text}."
    if least >= len(placed) - 1:
        return f"{text}: so few that hardly any difference between the {len(placed)} rows can be told."
    size = f"about {decimals(least, 1)}" if least >= 0.1 else "less than 0.1"
    return f"{text}: enough to tell mean ranks apart that differ by {size} (of 1 to {len(placed)})."


def least_difference(table: Table) -> float:
    """Return about which difference of mean ranks can be told apart: NaN where there is none.

    Half the width of the interval of a difference of mean ranks over samples, for a pair of methods whose ranks vary as
    those of pairs do in the middle, at the level that Holm's correction begins with: `LEVEL` over the number of pairs.
    """
    by_id = {row.method.id: row for row in table.rows}
    placed = np.array([by_id[run.method].place is not None for run in table.results.methods])
    if placed.sum() < 2 or not any(table.counted):
        return math.nan
    scores, higher = table.results.scores, [metric.higher_is_better for metric in table.metrics]
    ranks = sample_ranks(scores, np.isfinite(scores), np.array(table.counted), placed, higher)
    pairs, samples = list(combinations(range(len(ranks)), 2)), ranks.shape[1]
    if samples < 2:
        return math.nan
    spreads = [float(np.std(ranks[one] - ranks[other], ddof=1)) for one, other in pairs]
    quantile = float(stats.t.ppf(1 - LEVEL / (2 * len(pairs)), samples - 1))
    return quantile * float(np.median(spreads)) / math.sqrt(samples)


def _network(table: Table) -> tuple[str, list[str]]:
    """Return how good the network itself is, and a warning where that is no better than guessing."""
    facts = table.model
    labelled = facts.samples - facts.unknown_labels
    if not labelled:
        return "No labels are known, so how often the network is right is not.", []
    right = round(facts.accuracy * labelled)
    text = f"The network is right on {right} of {labelled} ({percent(facts.accuracy)})."
    warning = chance_warning(right, *_labels(table))
    return text, [warning] if warning else []


def _labels(table: Table) -> tuple[Counter[int], int | None]:
    """Return how often each label occurs among the samples, and the number of classes where it was recorded."""
    for run in table.results.methods:
        if len(run.rows):
            rows = run.rows.drop_duplicates("sample")
            classes = next((one["classes"] for one in run.provenances if one.get("classes")), None)
            return Counter(int(label) for label in rows["label"] if label >= 0), classes
    return Counter(), None


def _level_with(one: Row, other: Row) -> bool:
    """Return whether two placed rows are not told apart."""
    return one.tied is not None and other.place is not None and one.tied.first <= other.place <= one.tied.last


def _listed(names: Sequence[str]) -> str:
    """Return names in words, the first ones of many."""
    if len(names) > NAMED + 1:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
