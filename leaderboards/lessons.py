"""What ``heatmark show`` teaches of a method or metric: formula, reading, weaknesses, protocol, audit, a command."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..identity import digest
from ..methods.families import READINGS as METHOD_READINGS
from ..methods.registry import METHODS, Method, MethodEntry, method_from
from ..metrics.families import READINGS as METRIC_READINGS
from ..metrics.registry import MetricEntry, metric_from
from .audits.audit import VERDICTS, MetricAudit
from .audits.known_audits import KnownAudits
from .standings.registered import flat_parameters
from .writing.names import shown
from .writing.sentences import begun, protocol_sentence

BAR = 20
"""The characters of a whole bar."""
WIDTH = 100
"""Of the text, where the output has no width of its own."""

HEADS = ("Formula", "How to read it", "Known weaknesses", "Protocol", "Its audit", "Try it")
"""What stands above the parts of a lesson."""

_ASKED: Mapping[str, str] = {
    "reactivity": "a map beats noise in its place",
    "resilience": "a little noise does not move it",
    "order_kept": "a little noise keeps the order",
    "retest": "another seed says the same",
    "split_half": "half of the samples say the same",
}
"""What an audit measures between 0 and 1, by the attribute of `TaskAudit`."""


@dataclass(frozen=True)
class Taught:
    """One method or metric, as it is taught."""

    title: str
    """What readers know it by, and what they type."""
    summary: str
    formula: str
    """In plain characters; empty where an entry of someone else's has none."""
    reading: tuple[str, ...]
    """How to read its values, and those of its family."""
    weaknesses: str
    """What is known to be wrong with it."""
    protocol: str
    """What it does here, by the parameters chosen."""
    audit: tuple[str, ...]
    """What its audit found, in words and bars; of a metric alone."""
    example: str
    """A command to try it with."""

    def plain(self) -> dict[str, Any]:
        """Return what is no fact of the registry, as JSON types."""
        return {
            "formula": self.formula,
            "reading": list(self.reading),
            "weaknesses": self.weaknesses,
            "protocol": self.protocol,
            "audit": list(self.audit),
            "example": self.example,
        }

    def lines(self, width: int = WIDTH) -> Iterator[str]:
        """Yield the lesson as lines of text, none longer than ``width`` but for a command."""
        yield from textwrap.wrap(self.title, width)
        yield from textwrap.wrap(self.summary, width)
        blocks = ([self.formula], self.reading, [self.weaknesses], [self.protocol], self.audit)
        for head, texts in zip(HEADS, blocks, strict=False):
            if any(texts):
                yield from ("", head)
            for text in filter(None, texts):
                # Bars are drawn already.
                lines = [text] if "█" in text or "░" in text else textwrap.wrap(text, width - 2, break_on_hyphens=False)
                yield from (f"  {line}" for line in lines)
        yield from ("", HEADS[-1], f"  {self.example}")


def taught_metric(text: str) -> Taught:
    """Return what there is to know about a metric under a selection; UnknownName or BadInput where there is none."""
    metric = metric_from(text)
    entry, identity = metric.entry, metric.identity()
    better = "higher is better" if entry.higher_is_better else "lower is better"
    audit = KnownAudits.for_runs([], None).of(digest(identity))
    return Taught(
        f"{shown(metric.id, 'metric')} ({metric.id}), {entry.family}: {better} {entry.arrow}",
        entry.summary,
        entry.lesson.formula,
        tuple(filter(None, (entry.lesson.reading, METRIC_READINGS.get(entry.family, "")))),
        entry.lesson.weaknesses,
        protocol_sentence(metric.id, flat_parameters(identity), "metric"),
        tuple(audit_in_words(audit)) if audit is not None else _unaudited(metric.id),
        metric_example(entry, metric.id),
    )


def taught_method(text: str) -> Taught:
    """Return what there is to know about a method under a selection (see `taught_metric`)."""
    # A wrapper is a method only around another.
    name = f"{text}[gradient]" if "[" not in text and METHODS.get(text).wraps else text
    method = method_from(name)
    entry = method.entry
    sign = "signed" if method.signed else "unsigned"
    return Taught(
        f"{shown(name, 'method')} ({name}), {entry.family}: {sign} maps",
        entry.summary,
        entry.lesson.formula,
        tuple(filter(None, (entry.lesson.reading, METHOD_READINGS.get(entry.family, "")))),
        entry.lesson.weaknesses,
        protocol_sentence(name, {**method.parameters, "inner": _inner(method)}, "method"),
        (),
        method_example(entry, method.id),
    )


def audit_in_words(audit: MetricAudit) -> Iterator[str]:
    """Yield what an audit found: its verdict, what it measured as bars, and what was not passed."""
    where = ", ".join(dict.fromkeys(task.dataset for task in audit.tasks))
    yield f"{audit.mark} {begun(VERDICTS[audit.mark] or 'no verdict')} (on {where}).".strip()
    won, of = audit.beaten
    if of:
        yield f"{bar(won / of)} the truth's own map beats {won} of {of} controls"
    for name, words in _ASKED.items():
        value = audit.mean(name)
        if math.isfinite(value) and (name != "retest" or audit.random):
            yield f"{bar(value)} {value:.2f}  {words}"
    yield from (f"{begun(cause)}." for cause in audit.causes)


def bar(share: float) -> str:
    """Return a bar of `BAR` characters, so much of it full."""
    full = round(BAR * min(max(share, 0.0), 1.0))
    return "█" * full + "░" * (BAR - full)


def metric_example(entry: MetricEntry, text: str) -> str:
    """Return a command that uses a metric, on data on which it has a meaning."""
    suite, more = ("ground-truth ", "") if entry.family == "localisation" else ("", " --limit 5")
    data = ' --data "mosaic" --models efficientnet-lite0' if entry.name == "grid_pointing_game" else ""
    return f"heatmark run {suite}--metrics {_quoted(text)}{data}{more} --out results/{entry.name}"


def method_example(entry: MethodEntry, text: str) -> str:
    """Return a command that uses a method."""
    if "masks" in entry.needs:
        return f"heatmark run ground-truth --methods {_quoted(f'saliency,{text}')} --out results/{entry.name}"
    model = " --model vit-tiny" if "attention" in entry.needs else ""
    if model:
        return f"heatmark explain --average class --data digits{model} --methods {_quoted(text)} --out {entry.name}.png"
    name = entry.name.replace(":", "-")
    return f"heatmark explain cat.jpg --methods {_quoted(text)} --out {name}.png"


def _unaudited(metric: str) -> tuple[str, ...]:
    how = f"heatmark audit metrics --metrics {_quoted(metric)} --out results/audit"
    return (f"Not audited at this protocol. To do it: {how}",)


def _quoted(text: str) -> str:
    return f'"{text}"' if "[" in text or "|" in text else text


def _inner(method: Method) -> Mapping[str, Any] | None:
    return None if method.inner is None else method.inner.identity()
