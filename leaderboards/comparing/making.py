"""Comparisons made from runs: of two runs with one another, and of two methods within what one or several runs hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ...benchmark.store.folder import RunStore
from ...errors import BadInput, HeatmarkError, UnknownName, suggestion
from ..standings.gathering import gather, opened
from ..standings.registered import MethodFacts, MetricFacts, method_facts, metric_facts
from ..standings.results import Results
from ..statistics.significance import holm
from ..writing.numbers import counted
from .comparison import Compared, ComparedTable, Comparison
from .matching import Entry, Matched, MatchedEntries, matched_entries, matched_settings
from .paired import paired

NAMED = 12
"""So many names of what a run has are listed in a message."""


def of_runs(first: object, second: object) -> Comparison:
    """Compare two runs in everything that both have.

    Raises
    ------
    BadInput
        If both are one run, or have no task, no method and metric, or no sample with scores in common.
    StorageError
        If a folder holds no run.
    """
    stores = (*opened([first]), *opened([second]))
    if stores[0].path.resolve() == stores[1].path.resolve():
        raise BadInput(
            f"{stores[0].path} is named twice, and a run does not differ from itself. Name two runs, or compare two "
            "methods of one run with --methods A,B."
        )
    found = [gather([store]).settings for store in stores]
    matched = matched_settings(*found)
    taken = {id(results) for pair in matched for results in (pair.first, pair.second)}
    alone = [tuple(one.setting.title for one in side if id(one) not in taken) for side in found]
    tables = tuple(map(_table_of_runs, matched))
    if not any(one.samples for table in tables for one in table.compared):
        raise BadInput(_nothing_in_common(stores, found, tables))
    return Comparison("runs", (str(stores[0].path), str(stores[1].path)), stores, tables, (alone[0], alone[1]))


def of_methods(runs: Iterable[object], methods: Sequence[str]) -> Comparison:
    """Compare two methods wherever both were run.

    Raises
    ------
    BadInput
        If they are not two, or share no setting.
    UnknownName
        If one of them is in none of the runs.
    """
    stores = opened(runs)
    settings = gather(stores).settings
    known = list(dict.fromkeys(method.method for results in settings for method in results.methods))
    if len(methods) != 2:
        raise BadInput(f"Two methods are compared, written --methods A,B; got {', '.join(methods) or 'none'}.")
    first, second = (_method_named(name, known, stores) for name in methods)
    if first == second:
        raise BadInput(f"{first} is named twice, and a method does not differ from itself. Name two methods.")
    tables = []
    for results in settings:
        names = [method.method for method in results.methods]
        if first in names and second in names:
            pair = (names.index(first), names.index(second))
            metrics = tuple((number, number) for number in range(len(results.metrics)))
            tables.append(_table(Matched(results, results, ()), [pair], metrics, ((), ()), ()))
    if not any(one.samples for table in tables for one in table.compared):
        where = [f"{name} on {_listed(_settings_with(name, settings))}" for name in (first, second)]
        raise BadInput(f"Nowhere have both methods a score on the same sample: {'; '.join(where)}.")
    shown = {table.title for table in tables}
    alone = [tuple(title for title in _settings_with(name, settings) if title not in shown) for name in (first, second)]
    return Comparison("methods", (first, second), stores, tuple(tables), (alone[0], alone[1]))


def _method_named(name: str, known: Sequence[str], stores: Sequence[RunStore]) -> str:
    """Return the method of the runs that is meant: by its name on the board, or by another spelling of its text."""
    from ...methods.registry import method_from

    if name in known:
        return name
    try:
        canonical = method_from(name).id
    except HeatmarkError:
        canonical = name
    if canonical in known:
        return canonical
    where = ", ".join(str(store.path) for store in stores)
    versions = [other for other in known if other.startswith(f"{canonical} (")]
    if versions:
        raise BadInput(f"{name} is defined in several ways in {where}: name one of {', '.join(versions)}, in quotes.")
    raise UnknownName(f"There is no method {name} in {where}.{suggestion(name, known)} It has {_listed(known)}.")


def _table_of_runs(matched: Matched) -> ComparedTable:
    methods = matched_entries(*map(_methods, (matched.first, matched.second)), by_text=True)
    metrics = matched_entries(*map(_metrics, (matched.first, matched.second)), by_text=False)
    only = (_alone(methods, metrics, 0), _alone(methods, metrics, 1))
    return _table(matched, methods.both, metrics.both, only, (*methods.redefined, *metrics.redefined))


def _methods(results: Results) -> list[Entry]:
    return [(method.method, method.text, method.identity) for method in results.methods]


def _metrics(results: Results) -> list[Entry]:
    return list(zip(results.metrics, results.metric_texts, results.metric_identities, strict=True))


def _alone(methods: MatchedEntries, metrics: MatchedEntries, side: int) -> tuple[str, ...]:
    found = [entries.only[side] for entries in (methods, metrics)]
    return (*found[0], *(f"the metric {name}" for name in found[1]))


def _table(
    matched: Matched,
    methods: Sequence[tuple[int, int]],
    metrics: Sequence[tuple[int, int]],
    only: tuple[tuple[str, ...], tuple[str, ...]],
    redefined: tuple[str, ...],
) -> ComparedTable:
    """Return the comparison of pairs of methods on pairs of metrics, given by their positions in the two settings."""
    sides = (matched.first, matched.second)
    there = {sample: number for number, sample in enumerate(matched.second.samples)}
    common = [sample for sample in matched.first.samples if sample in there]
    numbers = {sample: number for number, sample in enumerate(matched.first.samples)}
    order = ([numbers[sample] for sample in common], [there[sample] for sample in common])
    facts = [metric_facts(matched.first.metric_texts[m], matched.first.metric_identities[m]) for m, _ in metrics]
    found = []
    for pair in methods:
        both = tuple(_facts_of(results, number) for results, number in zip(sides, pair, strict=True))
        for place, fact in zip(metrics, facts, strict=True):
            metric = replace(fact, id=matched.first.metrics[place[0]])
            scores = np.stack(
                [one.scores[m, k][taken] for one, m, k, taken in zip(sides, place, pair, order, strict=True)]
            )
            every = np.concatenate([one.scores[m].ravel() for one, m in zip(sides, place, strict=True)])
            found.append(_compared((both[0], both[1]), metric, common, scores, every))
    known = [number for number, one in enumerate(found) if np.isfinite(one.paired.p)]
    for number, adjusted in zip(known, holm([found[number].paired.p for number in known]), strict=True):
        found[number] = replace(found[number], p_holm=float(adjusted))
    setting = matched.first.setting
    return ComparedTable(setting.title, setting, matched.differs, tuple(found), only, redefined)


def _compared(
    methods: tuple[MethodFacts, MethodFacts],
    metric: MetricFacts,
    samples: Sequence[str],
    scores: np.ndarray,
    every: np.ndarray,
) -> Compared:
    both = np.isfinite(scores).all(axis=0)
    known = every[np.isfinite(every)]
    kept = scores[:, both]
    means = tuple(float(side.mean()) if side.size else float("nan") for side in kept)
    return Compared(
        methods,
        metric,
        paired(scores[0], scores[1], metric.higher_is_better),
        (means[0], means[1]),
        float("nan"),
        float(np.ptp(known)) if known.size else 0.0,
        tuple(sample for sample, is_kept in zip(samples, both, strict=True) if is_kept),
        kept,
        int((~both).sum()),
    )


def _facts_of(results: Results, number: int) -> MethodFacts:
    method = results.methods[number]
    return replace(method_facts(method.text, method.identity), id=method.method)


def _nothing_in_common(
    stores: Sequence[RunStore], found: Sequence[Sequence[Results]], tables: Sequence[ComparedTable]
) -> str:
    """Return in words what two runs lack in common, and what each has."""
    if not tables:
        what = "no model on a dataset"
        has = [[one.setting.title for one in side] for side in found]
    elif not any(table.compared for table in tables):
        what = "no method with the same metric"
        has = [[*_each(side, _methods), *(f"the metric {name}" for name in _each(side, _metrics))] for side in found]
    else:
        what = "no sample with scores"
        has = [[f"{_span(one.samples)} of {one.setting.title}" for one in side] for side in found]
    each = [f"{store.path} has {_listed(names)}" for store, names in zip(stores, has, strict=True)]
    apart = [words for table in tables for words in table.redefined]
    return f"The two runs have {what} in common. {'. '.join(each)}." + (f" {'; '.join(apart)}." if apart else "")


def _span(samples: Sequence[str]) -> str:
    ends = f" ({samples[0]} to {samples[-1]})" if len(samples) > 1 else ""
    return f"{counted(len(samples), 'sample')}{ends}"


def _each(side: Iterable[Results], entries: Callable[[Results], list[Entry]]) -> list[str]:
    return list(dict.fromkeys(entry[0] for results in side for entry in entries(results)))


def _settings_with(name: str, settings: Iterable[Results]) -> list[str]:
    return [one.setting.title for one in settings if any(method.method == name for method in one.methods)]


def _listed(names: Sequence[str]) -> str:
    """Return names in a row, the first ones of many, or that there are none."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}" if names else "nothing that was finished"
