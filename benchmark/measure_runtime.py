"""Runtime benchmarks: which rows there are, and measuring them in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ..errors import BadInput, Interrupted
from ..methods.registry import method_from
from ..models.devices import installed_frameworks, require_framework, resolved_device
from ..models.queries import FRAMEWORKS, PassCount
from ..selection import parse_selections
from .environment import gpu_possible, usable_cores
from .messages import Failed, NotMeant
from .named_models import check_name, possible_frameworks
from .plugins import load_plugins, refuse_in_worker
from .runtime_cases import (
    CHUNK,
    ENGINE,
    WORKS,
    Measurement,
    NotMeasured,
    Place,
    RuntimeCase,
    RuntimePrecision,
    RuntimeSettings,
    Surveyed,
    checked_precision,
)
from .runtime_files import RuntimeFile, RuntimeRecord
from .runtime_measuring import images_of, measured, survey
from .runtime_processes import PlaceProcess
from .runtime_progress import RuntimeView, runtime_view
from .suite import Names, load_suite, names_of

MOST_ROWS = 4096
"""One call of a row whose batch is a chunk sends at most about so many images through the network."""


@dataclass(frozen=True)
class Choice:
    """What is to be measured, checked: every combination is a row.

    Attributes
    ----------
    methods
        Canonical texts, or names of `WORKS`.
    models, places, precisions, batches
        The other coordinates.
    optional
        Places that may be missing without that being an error.
    """

    methods: tuple[str, ...]
    models: tuple[str, ...]
    places: tuple[Place, ...]
    precisions: tuple[RuntimePrecision, ...]
    batches: tuple[str, ...]
    optional: frozenset[Place] = frozenset()

    @property
    def cases(self) -> list[RuntimeCase]:
        """Every row, those of one network at one place together."""
        coordinates = product(self.places, self.precisions, self.models, self.methods, self.batches)
        return [RuntimeCase(m, model, place, precision, batch) for place, precision, model, m, batch in coordinates]


def chosen(
    methods: Names | None = None,
    models: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str = "float32",
    batches: Names = ("1", CHUNK),
) -> Choice:
    """Return what is to be measured.

    Parameters
    ----------
    methods, models
        By default those of the quick suite.
    frameworks
        By default all that are installed.
    device
        ``auto`` (the processor, and a GPU where there is one), or a list of ``cpu``, ``cuda``, ``cuda:N``.
    precision
        A list of ``float32``, ``tf32``, ``bf16``.
    batches
        Numbers of images, and ``chunk``.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    quick = load_suite("quick")
    texts = [item.text for item in parse_selections(quick.methods if methods is None else methods)]
    names = names_of(quick.models if models is None else models, "models")
    found = names_of(frameworks, "frameworks") if frameworks is not None else installed_frameworks() or FRAMEWORKS[:1]
    for framework in found:
        require_framework(framework)
    for name in names:
        check_name(name)
    devices = names_of(device, "device")
    here = ("cpu", "cuda") if gpu_possible() else ("cpu",)
    auto = devices == ("auto",)
    places = tuple(Place(framework, one) for one in (here if auto else devices) for framework in found)
    numbers = names_of(batches, "batch")
    for number in numbers:
        if number != CHUNK and not (number.isdigit() and int(number) > 0):
            raise BadInput(f"A batch is a number of images from 1 on, or {CHUNK!r}; got {number!r}.")
    return Choice(
        tuple(dict.fromkeys(_checked_work(text) for text in texts)),
        names,
        places,
        tuple(checked_precision(text) for text in names_of(precision, "precision")),
        # Numbers first: they tell how many passes an image takes, which bounds the images of a chunk.
        tuple(sorted(numbers, key=lambda text: (text == CHUNK, int(text) if text != CHUNK else 0))),
        frozenset(place for place in places if auto and not place.on_cpu),
    )


def _checked_work(text: str) -> str:
    """Return a method's canonical text or the name of an engine's work; an error names what there is."""
    if not text.startswith(ENGINE):
        return method_from(text).id
    if text not in WORKS:
        raise BadInput(f"Unknown work {text!r}: choose one of {', '.join(WORKS)}.")
    return text


def settings_of(
    rounds: int = 7,
    seconds: float = 60.0,
    threads: int | None = None,
    memory: bool = True,
    plugins: Iterable[str] = (),
) -> RuntimeSettings:
    """Return how rows are measured; BadInput for no rounds, no time or no threads."""
    return RuntimeSettings(rounds, seconds, usable_cores() if threads is None else threads, memory, tuple(plugins))


def measure_runtime(
    choice: Choice,
    settings: RuntimeSettings,
    out: str | Path = "results/runtime",
    *,
    progress: bool = True,
    cases: Sequence[RuntimeCase] | None = None,
) -> RuntimeRecord:
    """Measure every row of a choice and write them into a folder, each as soon as it is there.

    Every place (a framework on a device) has a process of its own; on a processor every row has, where its memory
    is measured.

    Parameters
    ----------
    choice, settings
        From `chosen` and `settings_of`.
    out
        The folder of results; a run's folder will do.
    progress
        Whether to show progress on standard error.
    cases
        The rows, where they are others than all combinations.

    Returns
    -------
    RuntimeRecord
        What was measured, and what could not be.

    Raises
    ------
    BadInput
        If a device that was asked for is not there.
    StorageError
        If the folder cannot be written.
    Interrupted
        At Ctrl-C; rows already measured are kept.
    """
    refuse_in_worker()
    load_plugins(settings.plugins)
    _check_devices(choice, settings)
    wanted = choice.cases if cases is None else list(cases)
    file = RuntimeFile(Path(out), settings)
    try:
        with runtime_view(len(wanted), progress) as view:
            for row in measured_rows(wanted, settings, view, choice.optional):
                file.add(row)
                view.ended(row)
    except KeyboardInterrupt as error:
        kept = len(file.record.measurements)
        raise Interrupted(f"Stopped. {kept} measured row(s) are kept in {file.path}.") from error
    return file.record


def measured_rows(
    cases: Sequence[RuntimeCase],
    settings: RuntimeSettings,
    view: RuntimeView,
    optional: frozenset[Place] = frozenset(),
) -> Iterator[Measurement | NotMeasured]:
    """Yield every row as it ends; one that fails costs no other."""
    for place in dict.fromkeys(case.place for case in cases):
        with PlaceProcess(place, settings) as process:
            mine = [case for case in cases if case.place == place]
            for network in dict.fromkeys(_network(case) for case in mine):
                rows = [case for case in mine if _network(case) == network]
                yield from _rows_of_network(rows, process, settings, view, place in optional)


def _network(case: RuntimeCase) -> RuntimeCase:
    """Return what the rows of one network at one place and precision have in common."""
    return replace(case, method="", batch="")


def _rows_of_network(
    cases: Sequence[RuntimeCase],
    process: PlaceProcess,
    settings: RuntimeSettings,
    view: RuntimeView,
    optional: bool,
) -> Iterator[Measurement | NotMeasured]:
    """Yield the rows of one network at one place."""
    first = cases[0]
    problem: Failed | NotMeant | None = None
    if first.place.framework not in possible_frameworks(first.model):
        problem = NotMeant(f"{first.model} exists only in {' and '.join(possible_frameworks(first.model))}")
    else:
        view.working_on(f"the bare {first.model} · {first.place.framework} · {first.place.device}")
        found = process.call(survey, first)
        if isinstance(found, (Failed, NotMeant)):
            problem = NotMeant(found.error) if optional and isinstance(found, Failed) and found.known else found
    if problem is not None:
        yield from (_missing(case, problem) for case in cases)
        return
    passes: dict[str, PassCount] = {}
    for case in cases:
        view.working_on(case.label)
        if settings.memory and case.place.on_cpu:
            process.end()  # memory grows by less in a process that has worked before
        row = _measured_row(case, process, settings, found, passes.get(case.method))
        if isinstance(row, Measurement):
            passes[case.method] = PassCount(row.passes.forward // row.images, row.passes.backward // row.images)
        yield row


def _measured_row(
    case: RuntimeCase, process: PlaceProcess, settings: RuntimeSettings, found: Surveyed, passes: PassCount | None
) -> Measurement | NotMeasured:
    answer = process.call(measured, case, settings, found, images_of(case, found, passes, MOST_ROWS))
    return answer if isinstance(answer, Measurement) else _missing(case, answer)


def _missing(case: RuntimeCase, problem: Failed | NotMeant) -> NotMeasured:
    if isinstance(problem, NotMeant):
        return NotMeasured(case, problem.reason)
    return NotMeasured(case, problem.error, failed=True, traceback=problem.traceback)


def _check_devices(choice: Choice, settings: RuntimeSettings) -> None:
    """Raise BadInput before anything is measured if a device that was asked for is not there."""
    for place in choice.places:
        if place.on_cpu or place in choice.optional:
            continue
        with PlaceProcess(place, settings) as process:
            answer = process.call(resolved_device, place.framework, place.device)
        if isinstance(answer, Failed):
            raise BadInput(answer.error)
