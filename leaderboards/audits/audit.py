"""The audit of metrics: for each one, whether what it says can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..writing.names import shown

REACTIVE, RESILIENT, REPEATABLE = 0.75, 0.75, 0.7
"""What is asked for: of reactivity, half-way between chance and always; of resilience and of the order that noise
leaves, that a little noise costs at most a quarter; of another seed and of other samples, the usual bar of
reliability (Nunnally 1978)."""

FINDS_TRUTH = 0.75
"""A control whose map tells the truth's positions from the others this well (area under the ROC curve: half-way between
chance and always) is a second oracle, and the oracle is not compared with it."""

QUESTIONS = ("oracle", "reacts", "resilient", "order kept", "retest", "halves")

PASSED, PARTLY, FAILED = "✓", "~", "!"
"""The marks beside a metric's name: every question passed on all data, on some of it, on none."""

VERDICTS: Mapping[str, str] = {PASSED: "passed", PARTLY: "passed on some data", FAILED: "not passed", "": ""}
"""The marks in words."""

#: What the oracle's map says nothing about, so that it need not win: how a map changes, or how simple it is.
NOT_ABOUT_TRUTH = frozenset({"robustness", "randomisation", "complexity", "axioms"})

#: Beaten: the interval of the difference is above zero. Lost: below. Undefined: too few samples have both values.
OracleOutcome = Literal["beaten", "not told apart", "lost", "undefined"]

#: The answer to a question over all data; empty where the question was not asked or has no value.
Grade = Literal["yes", "partly", "no", ""]


@dataclass(frozen=True)
class OracleComparison:
    """The oracle against one control."""

    control: str
    """Whom."""
    difference: float
    low: float
    high: float
    """How much better the oracle scores on average, in the metric's unit, with its 95 % interval."""
    wins: float
    """The share of samples on which it scores better, ties counting half."""
    samples: int
    of: int
    """On how many samples both are defined, and how many there are."""

    @property
    def outcome(self) -> OracleOutcome:
        """How it ended."""
        if 2 * self.samples < self.of or not math.isfinite(self.low):
            return "undefined"
        return "beaten" if self.low > 0 else "lost" if self.high < 0 else "not told apart"


@dataclass(frozen=True)
class Check:
    """One question to a metric on one data set."""

    name: str
    """One of `QUESTIONS`."""
    passed: bool | None
    """None where it has no answer or need not be asked."""
    words: str
    """The answer."""


@dataclass(frozen=True)
class TaskAudit:
    """What was found about a metric on one data set; NaN where undefined."""

    model: str
    dataset: str
    """On what."""
    oracle: tuple[OracleComparison, ...]
    """The comparisons of the oracle with each control."""
    reactivity: float
    resilience: float
    order_kept: float
    """See `audit_statistics`."""
    random: bool
    """Whether another seed gives other values; ``retest`` is how well the two agree."""
    retest: float
    split_half: float
    """Whether halves of the samples put the maps in the same order."""
    values: int
    undefined: int
    """How many values of undisturbed maps there are, and how many of these the definition did not give."""

    @property
    def beaten(self) -> tuple[int, int]:
        """Of how many controls the oracle is better, and with how many it could be compared."""
        known = [one.outcome for one in self.oracle if one.outcome != "undefined"]
        return known.count("beaten"), len(known)

    def checks(self, about_truth: bool) -> tuple[Check, ...]:
        """Return every question's answer; the oracle need win only where the metric is about the truth."""
        return (
            self._truth(about_truth),
            _above("reacts", self.reactivity, REACTIVE),
            _above("resilient", self.resilience, RESILIENT),
            _above("order kept", self.order_kept, RESILIENT),
            _above("retest", self.retest, REPEATABLE),
            _above("halves", self.split_half, REPEATABLE),
        )

    def _truth(self, about_truth: bool) -> Check:
        odd = [
            f"{_OUTCOMES[one.outcome]} {shown(one.control, 'method')}"
            for one in self.oracle
            if one.outcome in _OUTCOMES
        ]
        passed = not odd if about_truth and self.beaten[1] else None
        return Check("oracle", passed, ", ".join(odd) if odd else "all")


@dataclass(frozen=True)
class MetricAudit:
    """What was found about one metric."""

    metric: str
    family: str
    higher_is_better: bool
    """As in tables."""
    key: str
    """The digest of its identity: the audit holds for this protocol only."""
    tasks: tuple[TaskAudit, ...]
    """What was found on each data set on which it has a meaning."""
    not_applicable: tuple[tuple[str, str], ...] = ()
    """(task, reason) of the others."""

    def __repr__(self) -> str:
        verdict = VERDICTS[self.mark] or "no verdict"
        return f"<MetricAudit of {self.metric} on {len(self.tasks)} data sets: {verdict}>"

    @property
    def about_truth(self) -> bool:
        """Whether the oracle should win: a metric of faithfulness or localisation, or of an unknown family."""
        return self.family not in NOT_ABOUT_TRUTH

    @property
    def beaten(self) -> tuple[int, int]:
        """Of how many controls the oracle is better, and with how many it could be compared, on all data together."""
        return sum(task.beaten[0] for task in self.tasks), sum(task.beaten[1] for task in self.tasks)

    @property
    def random(self) -> bool:
        """Whether another seed gives other values."""
        return any(task.random for task in self.tasks)

    @property
    def undefined(self) -> float:
        """The share of values that the definition did not give."""
        values = sum(task.values for task in self.tasks)
        return sum(task.undefined for task in self.tasks) / values if values else math.nan

    @property
    def mark(self) -> str:
        """The mark beside its name; empty where nothing could be asked, or everything but the truth, with success."""
        answers = [check.passed for checks in self._checks.values() for check in checks if check.passed is not None]
        if not answers:
            return ""
        if self.about_truth and not any(task.oracle for task in self.tasks):
            return "" if all(answers) else FAILED
        whole = [all(check.passed is not False for check in checks) for checks in self._checks.values()]
        return PASSED if all(whole) else PARTLY if any(whole) else FAILED

    @property
    def answers(self) -> dict[str, Grade]:
        """The answer to each question over all data."""
        return {name: _over_all(self._of(name).values()) for name in QUESTIONS}

    @property
    def weak(self) -> tuple[str, ...]:
        """The questions that were not passed; on which data, where it was passed on other data."""
        found = []
        for name, answer in self.answers.items():
            where = [dataset for dataset, check in self._of(name).items() if check.passed is False]
            found += [name] if answer == "no" else [f"{name} on {', '.join(where)}"] if answer == "partly" else []
        return tuple(found)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The same in a few words for each question, without the data."""
        return tuple(_CAUSES[name] for name, answer in self.answers.items() if answer in {"no", "partly"})

    @property
    def causes(self) -> tuple[str, ...]:
        """Why it has not the mark of one that passed everything: a few words for each question, with the data."""
        found = []
        for name in QUESTIONS:
            failed = {dataset: check for dataset, check in self._of(name).items() if check.passed is False}
            if failed:
                where = "; ".join(
                    f"{data}: {check.words}" if name == "oracle" else data for data, check in failed.items()
                )
                found.append(f"{_CAUSES[name]} ({where})")
        return tuple(found)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What it did not pass, in words."""
        found = []
        for name in QUESTIONS:
            failed = [f"{dataset}: {check.words}" for dataset, check in self._of(name).items() if check.passed is False]
            if failed:
                found.append(f"{_COMPLAINTS[name]} ({'; '.join(failed)})")
        return tuple(found)

    def mean(self, name: str) -> float:
        """Return the mean over data sets of an attribute of `TaskAudit`, of those on which it has a value."""
        known = [value for task in self.tasks if math.isfinite(value := getattr(task, name))]
        return sum(known) / len(known) if known else math.nan

    @property
    def _checks(self) -> dict[str, tuple[Check, ...]]:
        return {task.dataset: task.checks(self.about_truth) for task in self.tasks}

    def _of(self, name: str) -> dict[str, Check]:
        """Return the answers to one question, by data set."""
        return {dataset: checks[QUESTIONS.index(name)] for dataset, checks in self._checks.items()}


@dataclass(frozen=True)
class Concordance:
    """How far the metrics of a family (``all``: of every family) agree on the order of maps on a data set."""

    dataset: str
    family: str
    w: float
    """Kendall's coefficient of concordance, [0, 1]."""
    metrics: int
    """How many metrics, those that score every map."""


@dataclass(frozen=True)
class AuditedTask:
    """Where metrics were audited."""

    model: str
    dataset: str
    """The model as tables call it, and the data set."""
    samples: int
    accuracy: float
    """How many samples, and how often the network predicts the explained class."""
    weights: str = ""
    """What identifies the model's weights; empty in audits from before this was kept."""
    second_oracles: tuple[tuple[str, float], ...] = ()
    """The controls that the oracle was not compared with, since they find the truth by themselves, and how well: the
    area under the ROC curve of their maps as detectors of the mask.
    """


@dataclass(frozen=True)
class MetricsAudit:
    """An audit of several metrics."""

    settings: Mapping[str, Any]
    """What it was made with: heatmark's version, framework, device, seed, noise, methods, controls, when."""
    tasks: tuple[AuditedTask, ...]
    """On what."""
    metrics: tuple[MetricAudit, ...]
    """What was found."""
    skipped: tuple[tuple[str, str], ...]
    """(metric, reason) of those that cannot be audited."""
    concordance: tuple[Concordance, ...]
    """Kendall's W on each data set."""
    tau: tuple[tuple[float, ...], ...]
    """Kendall's tau-b between the orders of every two of ``metrics``, averaged over data sets."""

    def __repr__(self) -> str:
        return f"<MetricsAudit of {len(self.metrics)} metrics on {', '.join(task.dataset for task in self.tasks)}>"

    @property
    def without_truth(self) -> tuple[str, ...]:
        """The data sets on which no metric's oracle was compared with a control, as where there are no masks."""
        compared = {task.dataset for metric in self.metrics for task in metric.tasks if task.oracle}
        return tuple(task.dataset for task in self.tasks if task.dataset not in compared)

    @property
    def of_family(self) -> dict[str, list[MetricAudit]]:
        """The metrics of each family, in the order of first appearance."""
        families = dict.fromkeys(metric.family for metric in self.metrics)
        return {family: [one for one in self.metrics if one.family == family] for family in families}

    @property
    def by_family(self) -> tuple[MetricAudit, ...]:
        """The metrics family by family."""
        return tuple(one for members in self.of_family.values() for one in members)


_OUTCOMES: Mapping[str, str] = {"not told apart": "not told apart from", "lost": "worse than"}

_CAUSES = {
    "oracle": "the truth's own map is no better than a control",
    "reacts": "noise scores as well as maps",
    "resilient": "a little noise moves it",
    "order kept": "a little noise changes the order",
    "retest": "hangs on its seed",
    "halves": "hangs on the samples",
}

_COMPLAINTS = {
    "oracle": "the ground truth does not beat every control",
    "reacts": f"noise in place of a map often scores as well as the map; reactivity below {REACTIVE:g}",
    "resilient": f"a little noise on a map changes its score a lot; resilience below {RESILIENT:g}",
    "order kept": f"a little noise on all maps changes their order; tau below {RESILIENT:g}",
    "retest": f"another seed gives other scores; correlation below {REPEATABLE:g}",
    "halves": f"the order of maps depends on which samples are taken; correlation below {REPEATABLE:g}",
}


def _above(name: str, value: float, bar: float) -> Check:
    return Check(name, value >= bar, f"{value:.3g}") if math.isfinite(value) else Check(name, None, "no value")


def _over_all(checks: Iterable[Check]) -> Grade:
    known = [check.passed for check in checks if check.passed is not None]
    if not known:
        return ""
    return "yes" if all(known) else "partly" if any(known) else "no"
