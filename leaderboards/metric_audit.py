"""The audit of metrics: for each one, whether what it says can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

REACTIVE, RESILIENT, REPEATABLE = 0.75, 0.75, 0.7
"""What is asked for: of reactivity, half-way between chance and always; of resilience and of the order that noise
leaves, that a little noise costs at most a quarter; of another seed and of other samples, the usual bar of
reliability (Nunnally 1978)."""

PASSED, FAILED = "✓", "!"
"""The marks beside a metric's name."""

#: What the oracle's map says nothing about, so that it need not win: how a map changes, or how simple it is.
NOT_ABOUT_TRUTH = frozenset({"robustness", "randomisation", "complexity", "axioms"})

#: Beaten: the interval of the difference is above zero. Lost: below. Undefined: too few samples have both values.
Outcome = Literal["beaten", "not told apart", "lost", "undefined"]


@dataclass(frozen=True)
class OracleComparison:
    """The oracle against one control on one task.

    Attributes
    ----------
    task, control
        Where, and whom.
    difference, low, high
        How much better the oracle scores on average, in the metric's unit, with the 95 % bootstrap interval.
    wins
        The share of samples on which it scores better, ties counting half.
    samples, of
        On how many samples both are defined, and how many there are.
    """

    task: str
    control: str
    difference: float
    low: float
    high: float
    wins: float
    samples: int
    of: int

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if 2 * self.samples < self.of or not math.isfinite(self.low):
            return "undefined"
        return "beaten" if self.low > 0 else "lost" if self.high < 0 else "not told apart"


@dataclass(frozen=True)
class Check:
    """One question to a metric: ``passed`` is None where it has no answer or need not be asked; words say why."""

    name: str
    passed: bool | None
    words: str


@dataclass(frozen=True)
class MetricAudit:
    """What was found about one metric; numbers are means over tasks, NaN where undefined.

    Attributes
    ----------
    metric, family, higher_is_better
        As in tables.
    key
        The digest of its identity: the audit holds for this protocol only.
    oracle
        Every comparison of the oracle with a control.
    reactivity, resilience, order_kept
        See `audit_statistics`.
    random
        Whether another seed gives other values; ``retest`` is how well the two agree.
    split_half
        Whether halves of the samples put the maps in the same order.
    values, undefined
        How many values of undisturbed maps there are, and how many of these the definition did not give.
    not_applicable
        (task, reason) where it has no meaning.
    """

    metric: str
    family: str
    higher_is_better: bool
    key: str
    oracle: tuple[OracleComparison, ...]
    reactivity: float
    resilience: float
    order_kept: float
    random: bool
    retest: float
    split_half: float
    values: int
    undefined: int
    not_applicable: tuple[tuple[str, str], ...] = ()

    @property
    def about_truth(self) -> bool:
        """Whether the oracle should win: a metric of faithfulness or localisation, or of an unknown family."""
        return self.family not in NOT_ABOUT_TRUTH

    @property
    def beaten(self) -> tuple[int, int]:
        """Of how many controls the oracle is better, and with how many it could be compared."""
        known = [one.outcome for one in self.oracle if one.outcome != "undefined"]
        return known.count("beaten"), len(known)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every question and its answer."""
        return (
            self._truth,
            _above("reacts", self.reactivity, REACTIVE, "noise in place of a map often scores as well as the map"),
            _above("resilient", self.resilience, RESILIENT, "a little noise on a map changes its score a lot"),
            _above("order kept", self.order_kept, RESILIENT, "a little noise on all maps changes their order"),
            _above("retest", self.retest, REPEATABLE, "another seed gives other scores"),
            _above("halves", self.split_half, REPEATABLE, "the order of maps depends on which samples are taken"),
        )

    @property
    def passed(self) -> bool | None:
        """Whether no question was answered with no; None where none has an answer."""
        answers = [check.passed for check in self.checks if check.passed is not None]
        return all(answers) if answers else None

    @property
    def mark(self) -> str:
        """The mark beside its name; empty where nothing could be asked."""
        return {True: PASSED, False: FAILED, None: ""}[self.passed]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The questions that were answered with no."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What it did not pass, in words."""
        return tuple(check.words for check in self.failed)

    @property
    def _truth(self) -> Check:
        won, known = self.beaten
        if not known or not self.about_truth:
            words = "the oracle was not compared" if not known else f"not asked of a metric of {self.family}"
            return Check("oracle", None, words)
        odd = [f"{one.control} on {one.task} ({one.outcome})" for one in self.oracle if one.outcome in _NOT_BEATEN]
        shown = ", ".join(odd[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
        return Check(
            "oracle", not odd, f"the ground truth beats {won} of {known} controls" + (f", not {shown}" * bool(odd))
        )


@dataclass(frozen=True)
class Concordance:
    """How far the metrics of a family (``all``: of every family) agree on the order of maps on a task.

    Attributes
    ----------
    w
        Kendall's coefficient of concordance, [0, 1].
    metrics
        How many metrics, those that score every map.
    """

    task: str
    family: str
    w: float
    metrics: int


@dataclass(frozen=True)
class AuditedTask:
    """Where metrics were audited: how many samples, and how often the network predicts the explained class."""

    model: str
    dataset: str
    samples: int
    accuracy: float


@dataclass(frozen=True)
class MetricsAudit:
    """An audit of several metrics.

    Attributes
    ----------
    settings
        What it was made with: heatmark's version, framework, device, seed, noise, methods, controls, when.
    tasks
        On what.
    metrics
        What was found.
    skipped
        (metric, reason) of those that cannot be audited.
    concordance
        Kendall's W on each task.
    tau
        Kendall's tau-b between the orders of every two of ``metrics``, averaged over tasks.
    """

    settings: Mapping[str, Any]
    tasks: tuple[AuditedTask, ...]
    metrics: tuple[MetricAudit, ...]
    skipped: tuple[tuple[str, str], ...]
    concordance: tuple[Concordance, ...]
    tau: tuple[tuple[float, ...], ...]

    @property
    def families(self) -> tuple[str, ...]:
        """The metrics' families, each once."""
        return tuple(dict.fromkeys(metric.family for metric in self.metrics))


_NOT_BEATEN: tuple[Outcome, ...] = ("not told apart", "lost")


def _above(name: str, value: float, bar: float, complaint: str) -> Check:
    if not math.isfinite(value):
        return Check(name, None, f"{name}: no value")
    return Check(name, value >= bar, f"{complaint} ({name} {value:.3g}, at least {bar:g} is asked for)")
