"""Whether a submission's results are whole, of its own methods and heatmark's controls, and can be what they say."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.store.cell import CellSpec, score_column
from ...benchmark.store.finished import Cell
from ...benchmark.store.folder import RunStore
from ...benchmark.store.same import difference
from ...benchmark.suite import Suite, suite_from
from ...errors import HeatmarkError, StorageError
from ...identity import canonical_json, file_digest
from ...methods.registry import METHODS, method_from
from ...metrics.registry import metric_from
from ...models.checking.finding import Finding
from ...models.zoo.loading import weights_id
from ...models.zoo.user_models import is_own
from ...selection import parse_selection
from .submission import RESULTS, Submission

WHOLE = "results are as they were packed"
OWN = "cells are of the submitted methods and of heatmark's controls"
COMPLETE = "every planned cell is there"
METRICS = "metrics are this heatmark's"
NETWORKS = "networks are heatmark's, and were examined"
RANGES = "values are in their ranges"
ANSWERS = "every method was asked about the same network and samples"
AS_OFFICIAL = "controls score as in the official results"
OFFICIAL = Path(__file__).parents[1] / "official"
_SLACK = 1e-6


def run_of(folder: Path) -> RunStore:
    """Return a submission's results; StorageError where they cannot be read, or lie in single files."""
    store = RunStore(folder / RESULTS)
    if store.packed is None:
        raise StorageError(f"{store.path} is no packed run. `heatmark submit` writes one.")
    return store


def results_findings(folder: Path, submission: Submission, *, official: bool = True) -> Iterator[Finding]:
    """Yield what is found of a submission's results; the file is read as text and never run.

    What the ``official`` results have too is compared with them where told, which fails nothing.
    """
    store = run_of(folder)
    damage = store.verify()
    yield Finding(WHOLE, "fails" if damage else "holds", "; ".join(damage[:2]) or f"{len(store.cells())} cells.")
    if damage:
        return
    specs, suite = store.expected, suite_from(store.run["suite"], submission.suite, str(store.path / "run.json"))
    yield _own(folder, submission, specs)
    yield _complete(store, submission, suite)
    yield _metrics(specs)
    yield _networks(store, specs)
    cells = store.cells()
    yield _ranges(cells, suite)
    yield _answers(cells)
    if official:
        yield _as_official(cells)


def _own(folder: Path, submission: Submission, specs: Sequence[CellSpec]) -> Finding:
    """Ask whether cells are of the methods that the file registers, as it is, and of controls as they are."""
    told = {spec.method: spec.method_identity for spec in specs}
    sources = _sources(folder / submission.file)
    problems = []
    for text, identity in told.items():
        name = parse_selection(text).name
        if identity.get("name") != name:
            problems.append(f"{text} is recorded as {identity.get('name')!r}")
        elif text in submission.texts:
            if name in METHODS.names() and METHODS.get(name).origin == "heatmark":
                problems.append(f"{name} is the name of a method of heatmark's")
            elif identity.get("source") not in sources:
                problems.append(f"{text} was another code than {submission.file} has")
        elif not _is_control(text, identity):
            problems.append(f"{text} is neither submitted nor a control of this heatmark")
    problems += [f"{text} has no cells" for text in sorted(submission.texts - told.keys())]
    if problems:
        return Finding(OWN, "fails", f"{'; '.join(problems[:3])}.", "Submit anew with this version of heatmark.")
    controls = len(told) - len(submission.texts)
    return Finding(OWN, "holds", f"{len(submission.texts)} submitted, {controls} controls.")


def _is_control(text: str, identity: Any) -> bool:
    try:
        method = method_from(text)
    except HeatmarkError:
        return False
    known = method.entry.is_control and method.entry.origin == "heatmark"
    return known and canonical_json(method.identity()) == canonical_json(identity)


def _sources(file: Path) -> set[str]:
    """Return what may identify the code of a method: the file's digest, or that of each function with its decorators.

    The file is parsed and not run; a function's text is what `inspect.getsource` gives.
    """
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    found = {file_digest(file)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found.add(hashlib.sha256("".join(lines[first - 1 : node.end_lineno]).encode()).hexdigest())
    return found


def _complete(store: RunStore, submission: Submission, suite: Suite) -> Finding:
    """Ask whether every method has every task, framework, seed, sample and metric of the suite."""
    reasons, problems, spans = store.reasons(), [], dict[tuple[Any, ...], list[tuple[int, int]]]()
    wanted = sorted(suite.metrics)
    for spec in store.expected:
        if not store.has(spec.key) and spec.key not in reasons:
            failure = store.failure(spec.key)
            problems.append(f"{spec.label} {'failed' if failure is not None else 'is missing'}")
        if sorted(spec.metrics) != wanted:
            problems.append(f"{spec.label} has other metrics than the suite")
        place = (spec.model, spec.dataset, spec.framework, spec.seed, spec.method)
        spans.setdefault(place, []).append((spec.first, spec.last))
    ends: dict[tuple[str, str], set[int]] = {}
    for place, parts in spans.items():
        reached = 0
        for first, last in sorted(parts):
            if first != reached or last <= first:
                problems.append(f"{place[4]} on {place[0]} and {place[1]} lacks samples {reached} to {first - 1}")
                break
            reached = last
        ends.setdefault(place[:2], set()).add(reached)
    problems += [
        f"methods on {' and '.join(task)} have {sorted(found)} samples"
        for task, found in ends.items()
        if len(found) > 1
    ]
    tasks = {(task.model, task.dataset) for task in suite.tasks}
    if set(ends) != tasks:
        problems.append("the tasks are others than the suite's")
    controls = {spec.method for spec in store.expected} - submission.texts
    for text in sorted(submission.texts | controls):
        for model, dataset in sorted(tasks):
            for framework, seed in ((framework, seed) for framework in suite.frameworks for seed in suite.seeds):
                if (model, dataset, framework, seed, text) not in spans and text in submission.texts:
                    problems.append(f"{text} has no cells on {model} and {dataset} in {framework} with seed {seed}")
    if problems:
        return Finding(COMPLETE, "fails", f"{'; '.join(problems[:3])}.", "Finish the run, and submit anew.")
    left_out = f", {len(reasons)} of them not applicable" if reasons else ""
    return Finding(COMPLETE, "holds", f"{len(store.expected)} cells of {len(tasks)} tasks{left_out}.")


def _metrics(specs: Sequence[CellSpec]) -> Finding:
    other = []
    told = {text: one for spec in specs for text, one in zip(spec.metrics, spec.metric_identities, strict=True)}
    for text, identity in told.items():
        try:
            known = metric_from(text)
        except HeatmarkError:
            other.append(f"{text} is none of this heatmark's")
            continue
        if known.entry.origin != "heatmark":
            other.append(f"{text} is a metric of {known.entry.origin}")
        elif canonical_json(known.identity()) != canonical_json(identity):
            other.append(f"{text} is another version or protocol than this heatmark's")
    if other:
        return Finding(METRICS, "fails", f"{'; '.join(other[:3])}.", "Submit anew with this version of heatmark.")
    return Finding(METRICS, "holds", f"{len(told)} metrics, each with this heatmark's definition.")


def _networks(store: RunStore, specs: Sequence[CellSpec]) -> Finding:
    examined = {
        (one["spec"].get("model"), one["spec"].get("framework")): one["answers"] for one in store.examinations()
    }
    failing, own, missing = [], [], []
    for model, weights, framework in sorted({(spec.model, spec.model_weights, spec.framework) for spec in specs}):
        answers = examined.get((model, framework))
        if answers is None:
            missing.append(f"{model} in {framework}")
        elif any(one.get("verdict") == "fails" for one in answers.get("findings", ())):
            failing.append(f"{model} in {framework}")
        try:
            known = None if is_own(model) or ":" in model else weights_id(model)
        except HeatmarkError:
            known = None
        if known is None:
            own.append(model)
        elif known != weights:
            failing.append(f"{model} has other weights ({weights[:8]}) than this heatmark's ({known[:8]})")
    if failing or missing:
        told = [*(f"{one} fails its examination" if " has " not in one else one for one in failing)]
        told += [f"{one} was not examined" for one in missing]
        return Finding(
            NETWORKS, "fails", f"{'; '.join(told[:3])}.", "Submit anew; heatmark check MODEL says what fails."
        )
    if own:
        told = f"{', '.join(sorted(set(own)))}: weights that this heatmark does not carry."
        return Finding(NETWORKS, "doubtful", told, "Use a suite of heatmark's own networks, so that others can check.")
    return Finding(NETWORKS, "holds", f"{len(examined)} examinations, none of which fails.")


def _ranges(cells: Sequence[Cell], suite: Suite) -> Finding:
    """Ask whether rows can be what they say: samples, classes, probabilities, times, scores."""
    problems: list[str] = []
    undefined = values = 0
    for cell in cells:
        rows, spec = cell.table, cell.spec
        told = list(_odd(rows, spec, suite))
        reasons = cell.provenance.get("metrics_not_applicable") or {}
        for text in spec.metrics:
            found = rows[score_column(text)].to_numpy(np.float64)
            low, high = metric_from(text).range
            if np.isinf(found).any():
                told.append(f"{text} is infinite")
            if (low is not None and (found < low - _SLACK).any()) or (
                high is not None and (found > high + _SLACK).any()
            ):
                told.append(f"{text} is outside {(low, high)}")
            if text in reasons and not np.isnan(found).all():
                told.append(f"{text} has values and is said to have no meaning")
            elif text not in reasons:
                undefined, values = undefined + int(np.isnan(found).sum()), values + len(found)
        problems += [f"{spec.label}: {one}" for one in told]
    if problems:
        return Finding(RANGES, "fails", f"{'; '.join(problems[:3])}.", "Submit anew, and change nothing in the folder.")
    told_undefined = f", {undefined} of them undefined" if undefined else ""
    if undefined > values / 2:
        return Finding(RANGES, "doubtful", f"{undefined} of {values} scores are undefined.")
    return Finding(RANGES, "holds", f"{values} scores of {len(cells)} cells{told_undefined}.")


def _odd(rows: pd.DataFrame, spec: CellSpec, suite: Suite) -> Iterator[str]:
    index = rows["index"].to_numpy()
    if len(rows) > spec.last - spec.first or (index < spec.first).any() or (index >= spec.last).any():
        yield f"it has rows of other samples than {spec.first} to {spec.last - 1}"
    if len(np.unique(index)) < len(rows) or rows["sample"].nunique() < len(rows) or rows["sample"].isna().any():
        yield "a sample stands there twice, or has no name"
    share = rows["target_probability"].to_numpy(np.float64)
    if (
        not ((share >= 0) & (share <= 1 + _SLACK)).all()
        or not np.isfinite(rows["target_logit"].to_numpy(np.float64)).all()
    ):
        yield "a probability is none, or a logit is not finite"
    if suite.target == "predicted" and (rows["target"] != rows["predicted"]).any():
        yield "the explained class is not the predicted one"
    if (rows["label_log_probability"].dropna() > _SLACK).any() or (rows["label"] < -1).any():
        yield "a label or its probability is none"
    seconds = rows[["explain_seconds", "score_seconds"]].to_numpy(np.float64)
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        yield "a time is negative or not finite"


def _answers(cells: Sequence[Cell]) -> Finding:
    """Ask whether the network's own answers are the same in the cells of all methods, as they must be."""
    columns = ["sample", "label", "predicted", "target_logit", "target"]
    places: dict[tuple[Any, ...], list[pd.DataFrame]] = {}
    for cell in cells:
        spec = cell.spec
        places.setdefault((str(spec.task), spec.framework), []).append(cell.table[columns].assign(method=spec.method))
    for (task, framework), parts in places.items():
        rows = pd.concat(parts)
        groups = rows.groupby("sample")
        if (groups[["label", "predicted", "target"]].nunique() > 1).any().any():
            return Finding(ANSWERS, "fails", f"{task} in {framework}: methods have other labels or predicted classes.")
        apart = groups["target_logit"].agg(np.ptp) if len(rows) else pd.Series(dtype=float)
        largest = float(rows["target_logit"].abs().max()) if len(rows) else 1.0
        if (apart > 1e-3 * max(largest, 1e-12)).any():
            told = (
                f"{task} in {framework}: the logit of one sample differs between methods by {float(apart.max()):.3g}."
            )
            return Finding(ANSWERS, "fails", told)
        counts = rows.groupby("method")["sample"].nunique()
        if counts.nunique() > 1:
            return Finding(ANSWERS, "fails", f"{task} in {framework}: methods have {sorted(set(counts))} samples.")
    return Finding(ANSWERS, "holds", f"{len(places)} networks gave one answer for each sample, whichever the method.")


def _as_official(cells: Sequence[Cell]) -> Finding:
    """Ask whether cells that the official results have too came out the same, as they do on a sound machine."""
    own = {cell.key: cell for cell in cells}
    compared, told = 0, []
    for path in sorted(OFFICIAL.glob("*/*/run.json")):
        packed = RunStore(path.parent).packed
        for cell in packed.cells([key for key in own if key in packed.entries]) if packed is not None else ():
            compared += 1
            if apart := difference(cell.spec.metrics, cell.table, own[cell.key].table):
                told.append(f"{cell.spec.label}: {apart}")
    if not compared:
        return Finding(AS_OFFICIAL, "inapplicable", "the official results have none of these cells.")
    if told:
        remedy = "Other processors may differ in single scores; many that differ are another computation."
        evidence = f"{len(told)} of {compared} cells differ by more than rounding, such as {told[0]} (official first)."
        return Finding(AS_OFFICIAL, "doubtful", evidence, remedy)
    return Finding(AS_OFFICIAL, "holds", f"{compared} cells are the same but for rounding.")
