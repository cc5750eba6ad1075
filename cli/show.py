"""The commands that only look: list, show and doctor."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..errors import BadInput, UnknownName, suggestion
from ..registry import Entry, Reference
from . import options
from .published import published_entries, show_published

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..leaderboards.lessons import Taught


class Plural(StrEnum):
    """What can be listed."""

    METHODS = "methods"
    METRICS = "metrics"
    DATASETS = "datasets"
    MODELS = "models"
    SUITES = "suites"
    PUBLISHED = "published"


class Singular(StrEnum):
    """What can be shown."""

    METHOD = "method"
    METRIC = "metric"
    DATASET = "dataset"
    MODEL = "model"
    SUITE = "suite"
    PUBLISHED = "published"
    PLAN = "plan"


Kind = TypeVar("Kind", Plural, Singular)


def list_command(
    kind: Annotated[str, typer.Argument(metavar="|".join(Plural), help="What to list.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything that is known.")] = False,
) -> None:
    """List what heatmark knows.

    \b
    heatmark list methods
    heatmark list datasets --json
    heatmark list published            # numbers of papers, to hold yours against
    """
    kind = _kind(kind, Plural, "list")
    if kind is Plural.SUITES:
        from ..benchmark.suite import list_suites

        entries = [suite.plain() for suite in list_suites()]
    elif kind is Plural.PUBLISHED:
        entries = published_entries()
    else:
        entries = [entry_facts(entry) for entry in _known(kind.removesuffix("s"))[0]()]
    if as_json:
        options.say_json(entries)
        return
    shown = {Plural.SUITES: ["name", "description"], Plural.PUBLISHED: ["name", "title", "holds"]}
    columns = shown.get(kind, ["name", "family", "summary"])
    for entry in entries:
        if entry.get("missing"):
            entry["summary"] = entry["missing"]
        if kind is Plural.MODELS:
            _show_digest(entry)
    print_table(columns, [[str(entry.get(column) or "") for column in columns] for entry in entries])


def show_command(
    kind: Annotated[str, typer.Argument(metavar="|".join(Singular), help="What it is.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name, such as deletion[rise]; for a plan, metrics by commas.")
    ],
    as_json: options.AsJson = False,
    picture: Annotated[
        bool, typer.Option("--picture", help="Of a method: draw its map of a digit, made by a small network.")
    ] = False,
) -> None:
    """Show one method, metric, dataset, model, suite or paper, or what a set of metrics costs per image.

    Of a method or metric: its formula, how to read it, what is known to be wrong with it, its protocol in a sentence, a
    command to try it, and of a metric what its audit found. With brackets behind it, every parameter's value under that
    selection is shown too.

    \b
    heatmark show method integrated_gradients
    heatmark show method grad_cam --picture
    heatmark show metric deletion[rise]
    heatmark show plan "deletion,insertion,n_ord,s_ord,road_combined"
    heatmark show published rise       # a paper's numbers, their protocol, and how to reproduce them
    """
    kind = _kind(kind, Singular, "show")
    if kind is Singular.PLAN:
        _show_plan(name, as_json)
        return
    if kind is Singular.PUBLISHED:
        show_published(name, as_json)
        return
    if kind is Singular.SUITE:
        from ..benchmark.suite import load_suite

        facts = load_suite(name).plain()
    else:
        # What stands in brackets behind the name is seen to by `_add_selected`.
        facts = entry_facts(_known(kind)[1](name.partition("[")[0]))
        _add_selected(kind, name, facts)
    taught, drawn = _taught(kind, name), _drawn(kind, name) if picture else []
    if as_json:
        options.say_json(facts | (taught.plain() if taught is not None else {}))
        return
    if taught is not None:
        _print_lines(taught)
        if drawn:
            typer.echo("\n".join([*drawn, ""]))
        for told in ("title", "summary", "name"):
            facts.pop(told)
    if kind is Singular.MODEL:
        _show_digest(facts)
    parameters = facts.pop("parameters", [])
    print_table(None, [[key.replace("_", " "), _in_words(value)] for key, value in facts.items() if value != ""])
    if parameters:
        columns = [key for key in ("name", "here", "default", "allowed", "meaning", "source") if key in parameters[0]]
        typer.echo("")
        print_table(
            ["parameter", *columns[1:]], [[_in_words(parameter[key]) for key in columns] for parameter in parameters]
        )


def _kind(text: str, kinds: type[Kind], command: str) -> Kind:
    """Return which kind of thing is meant; UnknownName with the nearest ones, what is said in the other number too."""
    known = [str(kind) for kind in kinds]
    if text not in known:
        near = suggestion(text, known)
        raise UnknownName(
            f"There is nothing to {command} called {text!r}.{near} Write heatmark {command} with one of: "
            f"{', '.join(known)}."
        )
    return kinds(text)


def _show_plan(metrics: str, as_json: bool) -> None:
    from ..metrics.plan import PLAN_HEADS, PLAN_NOTE, plan

    found = plan(metrics)
    if as_json:
        whole = {**dataclasses.asdict(found), "forward": found.forward, "backward": found.backward}
        options.say_json({**whole, "explanations": found.explanations, "saved": found.saved})
        return
    names = [item.name for item in dataclasses.fields(found.metrics[0])]
    print_table(list(PLAN_HEADS), [[str(getattr(row, name)) for name in names] for row in found.metrics])
    typer.echo(str(found))
    typer.echo(PLAN_NOTE)


def doctor_command(
    as_json: options.AsJson = False,
) -> None:
    """Show versions and devices, what is missing, and what cannot be imported or does not fit together.

    \b
    heatmark doctor
    """
    from ..benchmark.setting.diagnosis import diagnose

    report = diagnose()
    if as_json:
        options.say_json(dataclasses.asdict(report))
        return
    rows = [[name, version or "not installed"] for name, version in report.versions.items()]
    machine = {**report.machine, "memory": f"{report.machine['memory_bytes'] / 2**30:.1f} GiB"}
    rows += [[key, str(value)] for key, value in machine.items() if key != "memory_bytes"]
    for framework in report.frameworks:
        rows.append([f"{framework.name} runs on", ", ".join(framework.devices) or framework.problem])
    holds = next((level for level, problem in report.isolation.items() if not problem), None)
    rows.append(["untrusted code is kept apart by", holds or "nothing: it is refused without --trust"])
    rows += [[f"{level} does not hold", problem] for level, problem in report.isolation.items() if problem]
    rows.append(["cache", report.cache])
    print_table(None, rows)
    for extra, names in report.missing.items():
        typer.echo(f"Missing: {', '.join(names)}. Install with: pip install 'heatmark[{extra}]'")
    for name, problem in report.broken.items():
        typer.echo(f"{name}: {problem}")
    for misfit in report.misfits:
        typer.echo(f"Does not fit: {misfit}")
    if not report.missing and not report.broken and not report.misfits:
        typer.echo("Nothing is missing, everything can be imported, and all versions fit together.")


def entry_facts(entry: Any) -> dict[str, Any]:
    """Return what a registered entry says about itself, as JSON types; functions are left out."""
    facts: dict[str, Any] = {}
    for item in dataclasses.fields(entry):
        value = getattr(entry, item.name)
        if item.name not in ("options", "parameters") and not callable(value):
            facts[item.name] = _plain(value)
        elif item.name == "signed":
            facts[item.name] = "as the parameters say"
    if cost := getattr(entry, "cost", None):
        facts["cost"] = cost
    if missing := getattr(entry, "missing", None):
        facts["missing"] = missing
    declared = getattr(entry, "parameters", None) or getattr(entry, "options", None) or ()
    if declared:
        facts["parameters"] = [_parameter_facts(parameter) for parameter in declared]
    return facts


def _known(kind: str) -> tuple[Callable[[], Sequence[Entry]], Callable[[str], Entry]]:
    """Return what lists all entries of a kind, models with the networks trained on this machine, and what finds one."""
    if kind == "method":
        from ..methods.registry import METHODS, list_methods

        return list_methods, METHODS.get
    if kind == "metric":
        from ..metrics.registry import METRICS, list_metrics

        return list_metrics, METRICS.get
    if kind == "dataset":
        from ..datasets.registry import find_dataset, list_datasets

        return list_datasets, find_dataset
    from ..models.zoo.loading import find_model, list_models

    return list_models, lambda name: find_model(name)[0]


def _show_digest(facts: dict[str, Any]) -> None:
    """Name a model as all tables do."""
    from ..models.zoo.loading import shown_name

    facts["name"] = shown_name(facts["name"], facts["digest"])


def _add_selected(kind: Singular, name: str, facts: dict[str, Any]) -> None:
    """Add to a method's or metric's facts what a selection in brackets makes of them; an error where it is wrong."""
    if "[" not in name or kind not in (Singular.METHOD, Singular.METRIC):
        return
    if kind is Singular.METHOD:
        from ..methods.registry import method_from

        method = method_from(name)
        values = method.parameters
        facts |= {"signed": method.signed}
    else:
        from ..metrics.registry import metric_from

        metric = metric_from(name)
        values = metric.parameters
        facts |= {"range": _plain(metric.range), "cost": metric.cost}
    for parameter in facts.get("parameters", []):
        parameter["here"] = _plain(values[parameter["name"]])


def _parameter_facts(parameter: Any) -> dict[str, Any]:
    doc = parameter.doc
    if doc.choices:
        allowed = ", ".join(doc.choices)
    elif doc.low is not None or doc.high is not None:
        low, high = (("" if bound is None else f"{bound:g}") for bound in (doc.low, doc.high))
        allowed = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
    else:
        allowed = " or ".join(kind.__name__ for kind in parameter.types if kind not in (object, type(None)))
    return {
        "name": parameter.name,
        "default": _plain(parameter.default),
        "allowed": allowed,
        "meaning": doc.text,
        "source": doc.source,
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON types; a reference in one line, anything unknown as its text."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Reference):
        return value.text
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(str(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return str(value)


def _in_words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_in_words(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_in_words(item) for item in value) or "none"
    return str(value)


def _taught(kind: Singular, name: str) -> Taught | None:
    """Return what there is to teach, of methods and metrics."""
    if kind not in (Singular.METHOD, Singular.METRIC):
        return None
    from ..leaderboards.lessons import taught_method, taught_metric

    return taught_method(name) if kind is Singular.METHOD else taught_metric(name)


def _drawn(kind: Singular, name: str) -> list[str]:
    """Return the lines of a method's picture; nothing else has one."""
    if kind is not Singular.METHOD:
        raise BadInput(f"--picture draws the map of a method, not a {kind}. Leave it out.")
    from ..leaderboards.sketch import sketch

    return list(sketch(name))


def _print_lines(taught: Taught) -> None:
    """Print a lesson in lines that fit the terminal, headings in bold."""
    from rich.console import Console
    from rich.text import Text

    from ..leaderboards.lessons import HEADS

    console = Console()
    width = min(console.width, 100) if console.is_terminal else 100
    for number, line in enumerate(taught.lines(width)):
        heading = number == 0 or line in HEADS
        console.print(Text(line, style="bold" if heading else ""), soft_wrap=True)
    console.print()


def print_table(columns: list[str] | None, rows: list[list[str]]) -> None:
    """Print a table without borders; nothing in it is read as markup, and a log gets whole lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    headers = columns or [""] * max(map(len, rows), default=0)
    table = Table(*headers, box=None, show_header=columns is not None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=400)
    console.print(table)
