"""Comparisons of made-up runs against scipy, hand counts, and what was put into the runs."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from made_runs import SAMPLES, made_run, provenance, rows, spaced, specification
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

from heatmark.benchmark.store.folder import RunStore
from heatmark.cli.main import app
from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.leaderboards.comparing.compare import compare
from heatmark.leaderboards.comparing.plots import scatter_figures
from heatmark.leaderboards.comparing.tables import notes, summary

FIRST = {"grad_cam": spaced(0.2, 0.7, noise=0.1, seed=1), "saliency": spaced(0.4, 0.5, noise=0.1, seed=2)}
SECOND = {"grad_cam": spaced(0.3, 0.7, noise=0.1, seed=3), "saliency": FIRST["saliency"]}


def run_of(folder, cells):
    """Make a run of (specification, scores)."""
    store = RunStore.prepared(folder)
    store.begin({"suite": {"name": folder.name}}, [spec for spec, _ in cells])
    for spec, scores in cells:
        store.write(spec, rows(spec, scores), provenance(spec))
    return folder


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def two_runs(tmp_path, first=FIRST, second=SECOND):
    made_run(tmp_path / "a", first)
    made_run(tmp_path / "b", second)
    return tmp_path / "a", tmp_path / "b"


def by_name(table):
    return {(one.methods[0].id, one.metric.id): one for one in table.compared}


def adjusted(p_values):
    """Return Holm's p values, by the definition: the k-th smallest of n times n - k + 1, never falling, at most 1."""
    order, found, so_far = sorted(range(len(p_values)), key=lambda k: p_values[k]), [0.0] * len(p_values), 0.0
    for step, place in enumerate(order):
        so_far = max(so_far, min(1.0, (len(p_values) - step) * p_values[place]))
        found[place] = so_far
    return found


def test_two_runs_are_compared_sample_by_sample(tmp_path):
    found = compare(*two_runs(tmp_path))
    (table,) = found.tables
    assert table.title == "net on photos · PyTorch" and not table.differs and not table.redefined
    assert list(by_name(table)) == [(m, k) for m in FIRST for k in ("deletion", "insertion")]
    for place, metric in enumerate(("deletion", "insertion")):
        one, other = FIRST["grad_cam"][place], SECOND["grad_cam"][place]
        got, interval = by_name(table)["grad_cam", metric], stats.ttest_rel(one, other).confidence_interval(0.95)
        np.testing.assert_allclose(got.paired[1:4], [(one - other).mean(), interval.low, interval.high], rtol=1e-12)
        assert got.means == (pytest.approx(one.mean(), rel=1e-14), pytest.approx(other.mean(), rel=1e-14))
        assert got.paired.p == pytest.approx(stats.wilcoxon(one, other, method="exact").pvalue, rel=1e-12)
        better = (one < other) if metric == "deletion" else (one > other)
        assert (got.paired.wins, got.paired.losses, got.paired.ties) == (better.sum(), SAMPLES - better.sum(), 0)
    same = by_name(table)["saliency", "deletion"]
    assert (same.outcome, same.paired.ties, same.paired.p, same.paired[1:4]) == ("same", SAMPLES, 1.0, (0, 0, 0))
    p_values = [one.paired.p for one in table.compared]
    np.testing.assert_allclose([one.p_holm for one in table.compared], adjusted(p_values), rtol=1e-14)


def test_the_better_side_is_named_where_it_can_be_told(tmp_path):
    down = {"grad_cam": np.stack([FIRST["grad_cam"][0] + 0.5, FIRST["grad_cam"][1] + 0.5])}
    (table,) = compare(*two_runs(tmp_path, second=down)).tables
    # Deletion is better where it is lower, insertion where it is higher.
    outcomes = {key: one.outcome for key, one in by_name(table).items()}
    assert outcomes == {("grad_cam", "deletion"): "first", ("grad_cam", "insertion"): "second"}
    assert table.only == (("saliency",), ())


def test_the_better_side_is_the_one_that_the_test_leans_to(tmp_path):
    # Grad-CAM is better by much on 19 samples of 40, and worse by little on 21.
    apart = np.concatenate([0.3 + 0.01 * np.arange(19), -0.001 * np.arange(1, 22)])
    scores = {"grad_cam": np.stack([0.5 - apart, 0.5 + apart]), "saliency": np.full((2, 40), 0.5)}
    made_run(tmp_path / "a", scores)
    for methods, better in (("grad_cam,saliency", "first"), ("saliency,grad_cam", "second")):
        for one in compare(tmp_path / "a", methods=methods).tables[0].compared:
            assert one.paired.p == pytest.approx(stats.wilcoxon(apart, method="exact").pvalue) and one.p_holm < 0.05
            assert (one.outcome, {one.paired.wins, one.paired.losses}) == (better, {19, 21})


def test_two_methods_of_a_run_and_json_in_full(tmp_path):
    made_run(tmp_path / "a", FIRST, frameworks=("torch", "tensorflow"))
    found = compare(tmp_path / "a", methods="grad_cam,saliency")
    assert [table.title for table in found.tables] == ["net on photos · PyTorch", "net on photos · TensorFlow"]
    shown = CliRunner().invoke(app, ["compare", str(tmp_path / "a"), "--methods", "grad_cam,saliency", "--json"])
    assert shown.exit_code == 0
    told = json.loads(shown.output)
    assert told == json.loads(json.dumps(found.plain()))
    assert (told["compares"], told["first"], told["second"]) == ("methods", "grad_cam", "saliency")
    assert [table["framework"] for table in told["tables"]] == ["torch", "tensorflow"]
    for table in told["tables"]:
        for place, one in enumerate(table["comparisons"]):
            first, second = FIRST["grad_cam"][place], FIRST["saliency"][place]
            interval = stats.ttest_rel(first, second).confidence_interval(0.95)
            got = [one[name] for name in ("samples", "mean", "low", "high")]
            np.testing.assert_allclose(
                got, [SAMPLES, (first - second).mean(), interval.low, interval.high], rtol=1e-12, atol=1e-15
            )
            assert one["p"] == pytest.approx(stats.wilcoxon(first, second, method="exact").pvalue, rel=1e-12)
            assert one["wins"] + one["ties"] + one["losses"] == SAMPLES
    back = compare(tmp_path / "a", methods=["saliency", "grad_cam"]).plain()["tables"][0]["comparisons"][0]
    assert back["mean"] == -told["tables"][0]["comparisons"][0]["mean"]


def test_a_method_is_found_by_any_spelling_and_by_its_name_on_the_board(tmp_path):
    made_run(tmp_path / "a", {"rise[masks=64]": FIRST["grad_cam"], "saliency": FIRST["saliency"]})
    assert compare(tmp_path / "a", methods="rise[ masks = 64 ],saliency").sides == ("rise[masks=64]", "saliency")
    spec = specification("grad_cam")
    run_of(tmp_path / "b", [(spec, FIRST["grad_cam"])])
    run_of(
        tmp_path / "c", [(replace(spec, method_identity={**spec.method_identity, "version": 2}), SECOND["grad_cam"])]
    )
    runs = (tmp_path / "b", tmp_path / "c")
    with pytest.raises(BadInput, match=r"several ways.*grad_cam \(version 1\), grad_cam \(version 2\)"):
        compare(*runs, methods="grad_cam,saliency")
    found = compare(*runs, methods="grad_cam (version 1),grad_cam (version 2)")
    assert found.tables[0].compared[0].means == (
        pytest.approx(FIRST["grad_cam"][0].mean()),
        pytest.approx(SECOND["grad_cam"][0].mean()),
    )


def test_what_only_one_run_has_and_which_definitions_differ_is_said(tmp_path):
    spec = specification("grad_cam")
    blurred = ({**spec.metric_identities[0], "protocol": {"fill": "blur"}}, spec.metric_identities[1])
    newer = replace(spec, method_identity={**spec.method_identity, "version": 2}, metric_identities=blurred)
    first = run_of(tmp_path / "a", [(spec, FIRST["grad_cam"]), (specification("rise"), FIRST["saliency"])])
    second = run_of(tmp_path / "b", [(newer, SECOND["grad_cam"])])
    (table,) = compare(first, second).tables
    # The two protocols of deletion are not compared; the two versions of the method are, and it is said.
    assert list(by_name(table)) == [("grad_cam", "insertion")]
    assert table.redefined == ("grad_cam: version 1 and 2", "deletion: fill black and blur")
    assert table.only == (("rise", "the metric deletion"), ("the metric deletion",))
    console = Console(width=110, file=StringIO())
    compare(first, second).show(console)
    printed = console.file.getvalue()
    assert "grad_cam: version 1 and 2" in printed and "Only the first has rise" in printed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"framework": "tensorflow"}, "framework: PyTorch and TensorFlow"),
        ({"precision": "bf16"}, "precision: float32 and bf16"),
        ({"device_class": "NVIDIA H200"}, "device: cpu and NVIDIA H200"),
        ({"model_weights": "0123456789"}, "weights: w and 01234567"),
        ({"seed": 5}, "seed: 0 and 5"),
        ({"target": "label"}, "explained class: predicted and label"),
        ({"last": 7}, "samples: 12, data r and 7, data r"),
    ],
)
def test_settings_that_differ_least_go_together_and_say_in_what(tmp_path, change, words):
    spec = specification("grad_cam")
    first = run_of(tmp_path / "a", [(spec, FIRST["grad_cam"])])
    second = run_of(tmp_path / "b", [(replace(spec, **change), SECOND["grad_cam"])])
    (table,) = compare(first, second).tables
    assert table.differs == (words,)
    one = table.compared[0]
    assert one.paired.samples == change.get("last", SAMPLES)
    common = slice(0, one.paired.samples)
    assert one.paired.mean == pytest.approx((FIRST["grad_cam"][0] - SECOND["grad_cam"][0])[common].mean())


def test_a_setting_is_compared_with_its_own_kind_first(tmp_path):
    made_run(tmp_path / "a", FIRST, frameworks=("torch", "tensorflow"))
    made_run(tmp_path / "b", SECOND, frameworks=("tensorflow",))
    found = compare(tmp_path / "a", tmp_path / "b")
    assert [table.title for table in found.tables] == ["net on photos · TensorFlow"]
    assert found.only == (("net on photos · PyTorch",), ())


def test_undefined_scores_and_the_samples_that_differ_most(tmp_path):
    second = {"grad_cam": FIRST["grad_cam"].copy()}
    second["grad_cam"][0, [2, 5]] = np.nan
    second["grad_cam"][0, 7] += 0.25
    second["grad_cam"][0, 9] -= 0.5
    (table,) = compare(*two_runs(tmp_path, second=second)).tables
    one = by_name(table)["grad_cam", "deletion"]
    assert (one.paired.samples, one.undefined) == (SAMPLES - 2, 2)
    assert "Left out, as one of the two has no score there: 2 samples of Deletion." in notes(table)
    assert not {"s2", "s5"} & set(one.samples)
    assert one.furthest(5) == [
        ("s9", FIRST["grad_cam"][0, 9], second["grad_cam"][0, 9]),
        ("s7", FIRST["grad_cam"][0, 7], second["grad_cam"][0, 7]),
    ]
    every = np.concatenate([FIRST["grad_cam"][0], FIRST["saliency"][0], second["grad_cam"][0]])
    spread = np.nanmax(every) - np.nanmin(every)
    # Half, as the sample does not differ on the other metric.
    (first, share), (other, less) = table.furthest(5)
    assert (first, other) == ("s9", "s7")
    assert (share, less) == (pytest.approx(0.25 / spread), pytest.approx(0.125 / spread))


def test_what_has_no_sample_in_common_is_not_told_of_as_compared(tmp_path):
    second = {"grad_cam": np.stack([np.full(SAMPLES, np.nan), FIRST["grad_cam"][1]])}
    found = compare(*two_runs(tmp_path, second=second))
    (table,) = found.tables
    assert by_name(table)["grad_cam", "deletion"].outcome == "no sample"
    assert summary(found, table) == (
        "2 pairs of method and metric over 12 samples: 1 the same on every sample, 1 without a sample that has a score "
        "of both."
    )
    assert not [words for words in notes(table) if words.startswith("Left out")]


def test_everything_is_written_and_names_are_shown_as_they_are(tmp_path):
    spec = specification("grad_cam")
    odd = {"s1": "<b>x</b>"}

    def renamed(table):
        names = [odd.get(name, name) for name in table["sample"].to_pylist()]
        return table.set_column(0, table.schema.field("sample"), [names])

    for folder, scores in (("a", FIRST["grad_cam"]), ("b", SECOND["grad_cam"])):
        store = RunStore.prepared(tmp_path / folder)
        store.begin({}, [spec])
        store.write(spec, renamed(rows(spec, scores)), provenance(spec))
        store.write_thumbnail(spec.task, "s3", np.full((8, 8, 3), 99, np.uint8))
    found = compare(tmp_path / "a", tmp_path / "b")
    written = {path.name: path for path in found.write(tmp_path / "out")}
    names = ["comparison.csv", "samples.csv", "comparison.json", "comparison.md", "comparison.html"]
    assert list(written) == [*names, "scatter.png", "scatter.svg"]
    html = written["comparison.html"].read_text()
    assert "<b>x</b>" not in html and "data:image/svg" in html and "http" not in html.replace("http://www.w3.org", "")
    tables = found._repr_html_()
    assert "<table>" in tables and "<html" not in tables and "<b>x</b>" not in tables
    deletion = [line for line in lines_of(written["samples.csv"]) if line["metric"] == "deletion"]
    assert [float(line["first"]) for line in deletion] == FIRST["grad_cam"][0].tolist()
    assert [float(line["difference"]) for line in deletion] == (FIRST["grad_cam"][0] - SECOND["grad_cam"][0]).tolist()
    means = [float(line["mean"]) for line in lines_of(written["comparison.csv"])]
    assert means == [one.paired.mean for one in found.tables[0].compared]
    assert json.loads(written["comparison.json"].read_text()) == json.loads(json.dumps(found.plain()))


def test_the_scatter_pictures_hold_every_sample(tmp_path):
    made_run(tmp_path / "a", FIRST)
    made_run(tmp_path / "b", SECOND)
    (figure,) = scatter_figures(compare(tmp_path / "a", tmp_path / "b"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Deletion ↓", "Insertion ↑"]
    drawn = {tuple(map(float, xy)) for line in figure.axes[0].lines for xy in line.get_xydata()}
    wanted = {(a, b) for name in FIRST for a, b in zip(FIRST[name][0], SECOND[name][0], strict=True)}
    assert wanted <= drawn
    (figure,) = scatter_figures(compare(tmp_path / "a", methods="grad_cam,saliency"))
    colours = {line.get_color(): len(line.get_xydata()) for line in figure.axes[0].lines}
    wins = int((FIRST["grad_cam"][0] < FIRST["saliency"][0]).sum())
    assert (colours["#0072b2"], colours["#d55e00"]) == (wins, SAMPLES - wins)


def test_bad_input_says_what_each_run_has(tmp_path):
    first, second = two_runs(tmp_path)
    spec = specification("grad_cam")
    elsewhere = run_of(tmp_path / "c", [(replace(spec, model="other"), FIRST["grad_cam"])])
    with pytest.raises(BadInput, match=r"no model on a dataset in common.*a has net on photos.*c has other on photos"):
        compare(first, elsewhere)
    methods = run_of(tmp_path / "d", [(specification("rise"), FIRST["grad_cam"])])
    with pytest.raises(BadInput, match=r"no method with the same metric.*a has grad_cam, saliency.*d has rise"):
        compare(first, methods)
    protocol = tuple({**identity, "version": 7} for identity in spec.metric_identities)
    metrics = run_of(tmp_path / "e", [(replace(spec, metric_identities=protocol), FIRST["grad_cam"])])
    with pytest.raises(BadInput, match=r"no method with the same metric.*deletion: version 1 and 7"):
        compare(first, metrics)
    undefined = run_of(tmp_path / "f", [(spec, np.full((2, SAMPLES), np.nan))])
    with pytest.raises(BadInput, match=r"no sample with scores.*12 samples \(s0 to s11\) of net on photos"):
        compare(first, undefined)
    with pytest.raises(BadInput, match=r"named twice.*--methods"):
        compare(first, tmp_path / "b" / ".." / "a")
    with pytest.raises(StorageError, match="nowhere holds no run"):
        compare(first, tmp_path / "nowhere")
    with pytest.raises(BadInput, match="got 3"):
        compare(first, second, elsewhere)
    with pytest.raises(BadInput, match="got 1"):
        compare(first)


def test_bad_methods_are_told_from_good_ones(tmp_path):
    made_run(tmp_path, FIRST)
    for methods, words in (("grad_cam", "got grad_cam"), ("grad_cam,saliency,rise", "Two methods"), ("", "Empty item")):
        with pytest.raises(BadInput, match=words):
            compare(tmp_path, methods=methods)
    with pytest.raises(BadInput, match="named twice"):
        compare(tmp_path, methods="grad_cam,grad_cam ")
    with pytest.raises(UnknownName, match=r"no method grad_cma.*Did you mean 'grad_cam'.*grad_cam, saliency"):
        compare(tmp_path, methods="grad_cma,saliency")
    spec = replace(specification("rise"), model="other")
    run_of(tmp_path / "more", [(spec, FIRST["grad_cam"])])
    with pytest.raises(BadInput, match=r"grad_cam on net on photos.*rise on other on photos"):
        compare(tmp_path, tmp_path / "more", methods="grad_cam,rise")


def test_the_command(tmp_path):
    first, second = (str(path) for path in two_runs(tmp_path))
    shown = CliRunner().invoke(app, ["compare", first, second, "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0
    assert "4 pairs of method and metric over 12 samples" in shown.output and "Written:" in shown.output
    assert CliRunner().invoke(app, ["compare", first]).exit_code == 2
    both = CliRunner().invoke(app, ["compare", first, "--methods", "grad_cam,saliency", "--published"])
    assert both.exit_code == 2 and "--published" in both.output
    told = CliRunner().invoke(app, ["compare", "--help"]).output
    assert "heatmark compare results/before results/after" in told
