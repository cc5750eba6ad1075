"""Runtime benchmarks: which rows there are, and measuring them in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

from ...errors import BadInput, Interrupted
from ...methods.registry import method_from
from ...models.devices import installed_frameworks, require_framework, resolved_device
from ...models.queries import FRAMEWORKS, PassCount
from ...models.zoo.loading import trained_digest
from ...selection import parse_selections
from ..executors.worker_process import WorkerProcess
from ..running.jobs import do
from ..running.progress import view_of
from ..running.stopping import stopped_by_signals
from ..setting.environment import gpu_possible
from ..setting.plugins import load_plugins, refuse_in_worker
from ..store.folder import RunStore
from ..store.outcomes import Failed, Finished, NotMeant, Outcome
from ..suite import Names, load_suite, names_of
from ..work.explaining import EVERY, every_method
from ..work.messages import Ended, Started
from ..work.named_models import check_name, possible_frameworks
from .files import RuntimeFile, RuntimeRecord
from .row_in_process import images_of, measured, passes_of, survey
from .rows import (
    CHUNK,
    ENGINE,
    WORKS,
    Measurement,
    Place,
    RuntimeCase,
    RuntimePrecision,
    RuntimeSettings,
    Surveyed,
    checked_precision,
)


@dataclass(frozen=True)
class Choice:
    """What is to be measured, checked: every combination is a row."""

    methods: tuple[str, ...]
    """Canonical texts, or names of `WORKS`."""
    models: tuple[str, ...]
    places: tuple[Place, ...]
    precisions: tuple[RuntimePrecision, ...]
    batches: tuple[str, ...]
    """The other coordinates."""
    optional: frozenset[Place] = frozenset()
    """Places that may be missing without that being an error."""

    @property
    def cases(self) -> list[RuntimeCase]:
        """Every row, those of one network at one place together."""
        coordinates = product(self.places, self.precisions, self.models, self.methods, self.batches)
        return [RuntimeCase(m, model, place, precision, batch) for place, precision, model, m, batch in coordinates]


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run of a suite, with which costs can be set beside quality."""
    return (folder / "run.json").is_file()


def chosen(
    methods: Names | None = None,
    models: Names | None = None,
    frameworks: Names | None = None,
    device: str = "auto",
    precision: str = "float32",
    batches: Names = ("1", CHUNK),
    run: Path | None = None,
) -> Choice:
    """Return what is to be measured; the rest is as `runtime` takes it, and ``all`` stands for every method.

    Parameters
    ----------
    methods, models, frameworks, device, precision, batches
        As `heatmark.runtime` takes them.
    run
        A folder that may hold a run, whose methods, models and frameworks are then the default.

    Raises
    ------
    UnknownName, BadInput, MissingExtra
        For names and values that cannot be used.
    """
    if run is not None and is_run(run):
        plan = RunStore(run).expected
        methods = methods or tuple(dict.fromkeys(spec.method for spec in plan)) or None
        models = models or tuple(dict.fromkeys(spec.model for spec in plan)) or None
        frameworks = frameworks or tuple(dict.fromkeys(spec.framework for spec in plan)) or None
    quick = load_suite("quick")
    texts = checked_methods(quick.methods if methods is None else methods)
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
        texts,
        names,
        places,
        tuple(checked_precision(text) for text in names_of(precision, "precision")),
        # Numbers first: they tell how many passes an image takes, which a chunk needs to know.
        tuple(sorted(numbers, key=lambda text: (text == CHUNK, int(text) if text != CHUNK else 0))),
        frozenset(place for place in places if auto and not place.on_cpu),
    )


def checked_methods(names: Names) -> tuple[str, ...]:
    """Return the canonical texts of methods and works; ``all`` stands for all methods that cost something."""
    found: list[str] = []
    for item in parse_selections(names):
        if item.text == EVERY:
            found += [method.id for method in every_method().methods if "masks" not in method.entry.needs]
        else:
            found.append(_checked_work(item.text))
    return tuple(dict.fromkeys(found))


def _checked_work(text: str) -> str:
    """Return a method's canonical text or the name of an engine's work; an error names what there is."""
    if not text.startswith(ENGINE):
        method = method_from(text)
        if method.apart is not None:
            raise BadInput(
                f"What {method.id} costs cannot be measured: it is not trusted, and counts its own passes. If you "
                "trust its file as you trust your own, give it as --plugin FILE.py."
            )
        return method.id
    if text not in WORKS:
        raise BadInput(f"Unknown work {text!r}: choose one of {', '.join(WORKS)}.")
    return text


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
        What, from `chosen`, and how.
    out, progress
        As `runtime` takes them.
    cases
        The rows, where they are others than all combinations.

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
    check_devices(choice, settings)
    wanted = choice.cases if cases is None else list(cases)
    file = RuntimeFile(Path(out), settings)
    view = view_of(wanted, shown=progress, noun="rows")
    try:
        with stopped_by_signals():
            do(measured_rows(wanted, settings, choice.optional), view, file.keep)
    except KeyboardInterrupt as error:
        kept = len(file.record.measurements)
        raise Interrupted(f"Stopped. {kept} measured row(s) are kept in {file.path}.") from error
    return file.record


def rows_again(record: RuntimeRecord, choice: Choice | None = None) -> tuple[Choice, list[RuntimeCase]]:
    """Return the rows of an earlier run that are to be measured again: all, or those of a choice.

    Raises
    ------
    BadInput
        If it has none of them.
    """
    cases = [row.case for row in record.measurements]
    if choice is not None:
        wanted = {case.key for case in choice.cases}
        cases = [case for case in cases if case.key in wanted]
    if not cases:
        raise BadInput(f"{record.path} has none of the rows that were asked for. Leave out --methods and the like.")

    def each(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(getattr(case, name) for case in cases))

    return Choice(each("method"), each("model"), each("place"), each("precision"), each("batch")), cases


class PlaceProcess(WorkerProcess):
    """A process that holds one framework on one device, so that thread pools and allocators stay apart."""

    def __init__(self, place: Place, settings: RuntimeSettings) -> None:
        title = f"{place.framework} process on {place.device}"
        super().__init__(place.framework, settings.threads, settings.plugins, on_cpu=place.on_cpu, title=title)


class NetworkRows:
    """Measures the rows of one network at one place, which is surveyed once.

    Parameters
    ----------
    first
        Any of the rows.
    process
        The place's process.
    settings
        How to measure.
    optional
        Whether the device may be missing without that being an error.

    Attributes
    ----------
    problem
        Why none of the rows can be measured, or None.
    """

    def __init__(
        self, first: RuntimeCase, process: PlaceProcess, settings: RuntimeSettings, optional: bool = False
    ) -> None:
        self.process = process
        self.problem: Failed | NotMeant | None = None
        self._settings = settings
        self._weights = trained_digest(first.model)
        self._passes: dict[str, PassCount] = {}
        frameworks = possible_frameworks(first.model)
        if first.place.framework not in frameworks:
            self.problem = NotMeant(f"{first.model} exists only in {' and '.join(frameworks)}.")
            return
        answer = process.call(survey, first)
        if isinstance(answer, Surveyed):
            self._surveyed = answer
        elif optional and isinstance(answer, Failed) and answer.known:
            self.problem = NotMeant(answer.error)
        else:
            self.problem = answer

    def measure(self, case: RuntimeCase) -> Outcome:
        """Return a row's `Measurement`, or why it was not measured; which weights these are is kept with it."""
        case = replace(case, weights=self._weights)
        if self.problem is not None:
            return self.problem
        images = self._images(case)
        if not isinstance(images, int):
            return images
        if self._settings.memory and case.place.on_cpu:
            self.process.end()  # memory grows by less in a process that has worked before
        row = self.process.call(measured, case, self._settings, self._surveyed, images)
        if not isinstance(row, Measurement):
            return row
        self._passes[case.method] = PassCount(row.passes.forward // row.images, row.passes.backward // row.images)
        return Finished(row, row.words)

    def _images(self, case: RuntimeCase) -> int | Failed | NotMeant:
        """Return how many images one call of a row explains, or why it explains none."""
        if case.batch.isdigit():
            return int(case.batch)
        if case.method not in self._passes:
            answer = self.process.call(passes_of, case)
            if not isinstance(answer, PassCount):
                return answer
            self._passes[case.method] = answer
        return images_of(case.batch, self._surveyed, self._passes[case.method])


def measured_rows(
    cases: Sequence[RuntimeCase], settings: RuntimeSettings, optional: frozenset[Place] = frozenset()
) -> Iterator[Started | Ended]:
    """Measure row after row and yield what happens; one that fails costs no other."""
    for place in dict.fromkeys(case.place for case in cases):
        with PlaceProcess(place, settings) as process:
            mine = [case for case in cases if case.place == place]
            precision = ""
            for network in dict.fromkeys(case.network for case in mine):
                if network.precision != precision:
                    process.end()  # TensorFlow may keep the kernels that it chose in another precision
                    precision = network.precision
                rows: NetworkRows | None = None
                for case in [case for case in mine if case.network == network]:
                    began = perf_counter()
                    yield Started(case)
                    rows = rows or NetworkRows(network, process, settings, place in optional)
                    yield Ended(case, rows.measure(case), perf_counter() - began)


def check_devices(choice: Choice, settings: RuntimeSettings) -> None:
    """Raise BadInput before anything is measured if a device that was asked for is not there."""
    for place in choice.places:
        if place.on_cpu or place in choice.optional:
            continue
        with PlaceProcess(place, settings) as process:
            answer = process.call(resolved_device, place.framework, place.device)
        if isinstance(answer, Failed):
            raise BadInput(answer.error)
