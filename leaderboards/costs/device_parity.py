"""Do maps, scores and leaderboards stay the same on another device or in another precision?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from ...benchmark.timing.device_check import Outputs
from ..standings.registered import metric_facts
from ..standings.results import framework_text
from ..statistics.ranks import ROUNDING, rank_correlation, ranks, rounded, spearman
from ..writing.numbers import MISSING, decimals
from ..writing.text_tables import Column, bullets, console_of, escaped, markdown_table, markdown_text, terminal_table

INVERTED = 0.0
"""Maps whose rank correlation with the reference is below this on the median image are the reference upside down."""

SAME_ORDER = 0.99
"""Full float32 on another device has to keep the order of positions at least this well, on the median image."""


@dataclass(frozen=True)
class MapParity:
    """One method's maps in one setup against the reference."""

    method: str
    """Its canonical text."""
    largest: float
    """The largest difference of any position, as a share of that map's largest absolute value."""
    correlation: float
    worst: float
    """The rank correlation of positions, blind to rounding (`ranks.rank_correlation`): the median over images, and the
    smallest. NaN where maps are constant.
    """
    identical: bool
    """Whether all maps are the same bit for bit."""
    score_difference: float
    metric: str
    """The largest difference of any score, as a share of the spread of that metric's scores, and on which metric."""

    @property
    def inverted(self) -> bool:
        """Whether the maps are the reference upside down."""
        return self.correlation < INVERTED


@dataclass(frozen=True)
class BoardParity:
    """The leaderboards of the two setups."""

    methods: int
    """How many are ranked in both."""
    mean_rank: float
    """The rank correlation of the mean ranks."""
    moved: int
    """How many methods have another place."""
    same_first: bool
    """Whether the same method is first."""


@dataclass(frozen=True)
class Parity:
    """One setup against its reference."""

    name: str
    """The framework (and the device, where only precisions are compared)."""
    reference: str
    setup: str
    """What is compared, in words, with the names of the devices."""
    logits: float
    """The largest difference of any logit, as a share of the largest absolute one."""
    same_predictions: tuple[int, int]
    """On how many images the predicted class is the same, of how many."""
    maps: tuple[MapParity, ...]
    """One for each method that both have."""
    board: BoardParity
    """The leaderboards."""
    only_one: Mapping[str, str]
    """Methods that one of the two lacks, with the reason."""
    precision: str
    """The setup's."""
    failed: Mapping[str, str]
    """Methods and metrics that failed in either, other than for having no meaning, with the error."""

    @property
    def inverted(self) -> tuple[str, ...]:
        """The methods whose maps are upside down."""
        return tuple(item.method for item in self.maps if item.inverted)

    @property
    def out_of_order(self) -> tuple[str, ...]:
        """The methods whose positions are ordered otherwise, for a setup that computes in full float32."""
        if self.precision != "float32":
            return ()
        return tuple(item.method for item in self.maps if item.correlation < SAME_ORDER)


def parities(collected: Mapping[str, Sequence[Outputs]]) -> tuple[Parity, ...]:
    """Return every setup against the first one of its framework."""
    return tuple(
        parity(name, outputs[0], other) for name, outputs in collected.items() if outputs for other in outputs[1:]
    )


def parity(name: str, reference: Outputs, other: Outputs) -> Parity:
    """Compare two setups.

    Parameters
    ----------
    name
        The framework.
    reference, other
        What both gave for the same images and classes.
    """
    shared = [method for method in reference.maps if method in other.maps]
    spreads = _spreads(reference)
    largest = float(np.abs(reference.logits).max()) or 1.0
    same = reference.logits.argmax(axis=1) == other.logits.argmax(axis=1)
    reasons = {**other.left_out, **reference.left_out}
    return Parity(
        name,
        f"{reference.device_name} {reference.setup.precision}",
        f"{other.device_name} {other.setup.precision}",
        float(np.abs(reference.logits - other.logits).max()) / largest,
        (int(same.sum()), len(same)),
        tuple(_maps(method, reference, other, spreads) for method in shared),
        _boards(shared, reference, other),
        {method: reasons[method] for method in reasons if (method in reference.maps) != (method in other.maps)},
        other.setup.precision,
        {
            **{method: reasons[method] for method in sorted(reference.failed | other.failed)},
            **reference.failed_metrics,
            **other.failed_metrics,
        },
    )


def _maps(method: str, reference: Outputs, other: Outputs, spreads: Mapping[str, float]) -> MapParity:
    first, second = (outputs.maps[method].reshape(len(outputs.targets), -1) for outputs in (reference, other))
    scale = np.maximum(np.abs(first).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    correlations = np.array([rank_correlation(one, two) for one, two in zip(first, second, strict=True)])
    known = correlations[np.isfinite(correlations)]
    difference, metric = _scores(method, reference, other, spreads)
    return MapParity(
        method,
        float((np.abs(first - second) / scale).max()),
        float(np.median(known)) if len(known) else math.nan,
        float(known.min()) if len(known) else math.nan,
        bool(np.array_equal(first, second, equal_nan=True)),
        difference,
        metric,
    )


def _spreads(outputs: Outputs) -> dict[str, float]:
    """Return the range of each metric's scores over all methods and images, which differences are measured in.

    A range that is rounding, compared with the largest score, is none.
    """
    values: dict[str, list[np.ndarray]] = {}
    for scores in outputs.scores.values():
        for metric, found in scores.items():
            values.setdefault(metric, []).append(found[np.isfinite(found)])
    joined = {metric: np.concatenate(found) for metric, found in values.items()}
    return {
        metric: spread if (spread := float(np.ptp(found))) > ROUNDING * np.abs(found).max() else 0.0
        for metric, found in joined.items()
        if len(found)
    }


def _scores(method: str, reference: Outputs, other: Outputs, spreads: Mapping[str, float]) -> tuple[float, str]:
    """Return the largest difference of a score in spreads of its metric, and the metric."""
    first, second = reference.scores[method], other.scores[method]
    found = {}
    for metric in first:
        if metric in second and spreads.get(metric, 0.0) > 0:
            gaps = np.abs(first[metric] - second[metric])
            if np.isfinite(gaps).any():
                found[metric] = float(np.nanmax(gaps)) / spreads[metric]
    worst = max(found, key=lambda metric: found[metric], default="")
    return found.get(worst, math.nan), worst


def _boards(methods: Sequence[str], reference: Outputs, other: Outputs) -> BoardParity:
    """Compare the leaderboards over the methods and metrics that both setups have."""
    metrics = list(dict.fromkeys(metric for method in methods for metric in reference.scores[method]))
    ranked = []
    for metric in metrics:
        better = metric_facts(metric, {}).higher_is_better
        means = np.array([[_mean(outputs, method, metric) for method in methods] for outputs in (reference, other)])
        if better is None or not np.isfinite(means).all():
            continue
        means[1] = _settled(means[0], means[1])
        ranked.append([ranks(row, better) for row in means])
    if not ranked:
        return BoardParity(len(methods), math.nan, 0, True)
    mean_ranks = np.mean(ranked, axis=0)
    places = [ranks(row, higher_is_better=False) for row in mean_ranks]
    return BoardParity(
        len(methods),
        spearman(mean_ranks[0], mean_ranks[1]),
        int((rounded(places[0]) != rounded(places[1])).sum()),
        bool(places[0].argmin() == places[1].argmin()),
    )


def _settled(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return methods' means with those of the reference in place of all that rounding keeps from being the same.

    Otherwise noise would decide which of two methods with one mean stands first. Means of one metric may lie orders
    apart, so rounding is a share of each; near zero it is float32's of the largest.
    """
    sizes = np.maximum(np.abs(reference), np.abs(other))
    grain = ROUNDING * sizes + np.finfo(np.float32).eps * sizes.max(initial=0.0)
    return np.where(np.abs(reference - other) <= grain, reference, other)


def _mean(outputs: Outputs, method: str, metric: str) -> float:
    scores = outputs.scores[method].get(metric)
    return float(np.mean(scores)) if scores is not None and len(scores) else math.nan


def parity_frame(found: Sequence[Parity]) -> pd.DataFrame:
    """Return one row per setup and method."""
    return pd.DataFrame.from_records(
        [
            {
                "framework": item.name,
                "reference": item.reference,
                "setup": item.setup,
                "method": row.method,
                "largest_difference": row.largest,
                "rank_correlation": row.correlation,
                "worst_image": row.worst,
                "identical": row.identical,
                "inverted": row.inverted,
                "score_difference": row.score_difference,
                "metric": row.metric,
                "leaderboard_correlation": item.board.mean_rank,
            }
            for item in found
            for row in item.maps
        ]
    )


def title(item: Parity) -> str:
    """Return what is compared in one line."""
    return f"{framework_text(item.name.partition(' ')[0])}: {item.setup} against {item.reference}"


def summary(item: Parity) -> str:
    """Return the outcome of one comparison in a few sentences."""
    same, images = item.same_predictions
    text = (
        f"Logits differ by at most {item.logits:.1e} of the largest; the predicted class is the same on {same} of "
        f"{images} images. Over {item.board.methods} methods the leaderboards' mean ranks correlate at "
        f"{decimals(item.board.mean_rank, 4)}, {item.board.moved} methods have another place, and the first is "
        f"{'the same' if item.board.same_first else 'ANOTHER'}."
    )
    if item.inverted:
        text += f" INVERTED: {', '.join(item.inverted)}."
    if item.out_of_order:
        text += f" Ordered otherwise than at {SAME_ORDER}: {', '.join(item.out_of_order)}."
    return text


COLUMNS: tuple[Column[MapParity], ...] = (
    Column("method", lambda row: row.method, left=True),
    Column("largest difference", lambda row: "identical" if row.identical else f"{row.largest:.1e}"),
    Column("correlation", lambda row: decimals(row.correlation, 4) + (" INVERTED" if row.inverted else "")),
    Column("worst image", lambda row: decimals(row.worst, 4)),
    Column(
        "scores differ by",
        lambda row: f"{row.score_difference:.1e}" if math.isfinite(row.score_difference) else MISSING,
    ),
    Column("on", lambda row: row.metric, left=True),
)


def parity_markdown(found: Sequence[Parity], notes: Sequence[str] = ()) -> str:
    """Return every comparison as Markdown."""
    blocks = [
        "# Devices and precisions",
        "Largest difference: of any position, as a share of that map's largest absolute value. Correlation: "
        "Spearman's, over the positions of a map; the median over images, and the worst image. Scores differ by: the "
        "largest difference of any score, as a share of the range of that metric's scores.",
        *map(escaped, notes),
    ]
    for item in found:
        blocks += [f"## {escaped(title(item))}", escaped(summary(item)), markdown_table(COLUMNS, _from_worst(item))]
        blocks.append(bullets(f"{method}: {reason}" for method, reason in _without_maps(item).items()))
    return markdown_text(blocks)


def print_parity(found: Sequence[Parity], most: int = 12, console: Console | None = None) -> None:
    """Print every comparison: its summary and the methods that differ most."""
    console = console_of(console)
    for item in found:
        console.print(Text(title(item), style="bold"))
        console.print(Text(summary(item), style="red" if item.inverted or item.out_of_order else ""))
        rows = _from_worst(item)
        console.print(terminal_table(COLUMNS, rows[:most], lambda row: "red" if row.inverted else ""))
        for method, reason in _without_maps(item).items():
            console.print(Text(f"{method}: {reason}", style="red" if method in item.failed else "dim"))
        if len(rows) > most:
            console.print(Text(f"... and {len(rows) - most} methods that differ less; the file lists all", style="dim"))


def _without_maps(item: Parity) -> dict[str, str]:
    """Return the methods that cannot be compared though one would expect it, with the reason."""
    return {
        **{method: f"in one of the two only: {reason}" for method, reason in item.only_one.items()},
        **{method: f"failed: {reason}" for method, reason in item.failed.items()},
    }


def _from_worst(item: Parity) -> list[MapParity]:
    return sorted(item.maps, key=lambda row: (row.correlation if math.isfinite(row.correlation) else 2, -row.largest))
