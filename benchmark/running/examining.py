"""Before a run's cells: every network is examined with every dataset, and one that fails stops the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...errors import BadInput, Untrusted
from ..checking.examination import Examination
from ..checking.job import ExaminationJob, ExaminationSpec
from ..executors.base import Executor
from ..store.cell import CellSpec
from ..store.folder import RunStore
from ..store.outcomes import Finished, Outcome
from ..work.messages import Ended, Event
from .jobs import do
from .plan import ResolvedSuite
from .progress import view_of


def examined(
    left: Sequence[CellSpec],
    resolved: ResolvedSuite,
    store: RunStore,
    executor: Executor,
    *,
    force: bool,
    shown: bool,
) -> tuple[str, ...]:
    """Examine the networks of the cells that are left to do, once for each dataset and framework; keep the answers.

    What was found before is not asked again, unless it fails, since the reason may have been mended. Returns what
    fails of the networks that are measured all the same.

    Raises
    ------
    Untrusted
        If a network fails, unless ``force``.
    """
    found: dict[ExaminationSpec, Examination] = {}
    for spec in dict.fromkeys(map(ExaminationSpec.before, left)):
        if (known := kept_examination(store, spec)) is not None:
            found[spec] = known
    wanted = [
        spec
        for spec in dict.fromkeys(map(ExaminationSpec.before, left))
        if spec not in found or (found[spec].worst == "fails" and not force)
    ]

    def keep(spec: ExaminationSpec, outcome: Outcome) -> None:
        if isinstance(outcome, Finished):  # what cannot be examined cannot be explained either, which its cells tell
            found[spec] = outcome.value
            store.write_examination(spec.key, spec.plain(), outcome.value.plain())

    jobs = [ExaminationJob(spec, resolved.device, resolved.suite.rule) for spec in wanted]
    do(_told(executor.execute(jobs)), view_of(wanted, executor.side_by_side, shown, noun="networks"), keep)
    failing = [(spec, one) for spec, one in found.items() if one.worst == "fails"]
    if failing and not force:
        raise Untrusted("\n".join([*(_words(*one) for one in failing), _ANYWAY]))
    return tuple(f"{_words(*one)}\n  It is measured all the same." for one in failing)


def kept_examination(store: RunStore, spec: ExaminationSpec) -> Examination | None:
    """Return what a run's folder holds of an examination, None where it holds nothing that can be read."""
    record = store.examination(spec.key)
    try:
        return None if record is None else Examination.from_plain(record)
    except BadInput:
        return None


def _told(events: Iterator[Event]) -> Iterator[Event]:
    """Give each examination words for the progress: how many questions hold, and those that do not."""
    for event in events:
        if isinstance(event, Ended) and isinstance(event.outcome, Finished):
            event = replace(event, outcome=Finished(event.outcome.value, _summary(event.outcome.value)))
        yield event


def _summary(found: Examination) -> str:
    doubtful = [f"{one.sign} {one.question}" for verdict in ("fails", "doubtful") for one in found.of(verdict)]
    holding = len(found.of("holds"))
    return "; ".join([f"{holding} questions hold", *doubtful]) + (
        ". `heatmark check` and the report say more." if doubtful else ""
    )


def _words(spec: ExaminationSpec, found: Examination) -> str:
    """Return what is wrong with a network, one line for each finding that fails."""
    lines = [f"{spec.model} in {spec.framework} with {spec.dataset} failed its examination:"]
    return "\n".join([*lines, *(f"  {one.sign} {one.sentence}" for one in found.of("fails"))])


_ANYWAY = "Nothing was measured. Mend the network, or run it all the same with --force (force=True)."
