"""A run beside published results: the right words for what differs, and a flag only where nothing does."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_runs import held_run

from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.suite import load_suite
from heatmark.errors import BadInput, StorageError
from heatmark.leaderboards.records.published import published
from heatmark.leaderboards.records.published_matching import compare_published, with_measured
from heatmark.leaderboards.records.published_terminal import difference_texts, verdict
from heatmark.leaderboards.records.published_words import measured_texts
from heatmark.leaderboards.site.beside import published_beside
from heatmark.leaderboards.standings.standings import Standings

DROP = "average_drop[scorecam]"
SCORECAM = {"methods": ["grad_cam"], "metrics": [DROP]}


def drops(mean, count=2000, spread=20.0):
    """Scores of so many samples with exactly this mean: half above and half below it."""
    return [mean + spread * np.tile([1.0, -1.0], count // 2)]


def parts(one):
    return {match.part: match.state for match in one.matches}


def words(one):
    return {match.part: list(match.words) for match in one.matches if match.words}


def only(found):
    (one,) = found.beside
    return one


def reach(spread, count):
    """Half of Student's 95 % interval of a mean, by hand for many samples: 1.961 standard errors."""
    return 1.961 * spread * np.sqrt(count / (count - 1)) / np.sqrt(count)


def test_a_wholly_matching_run_agrees_within_spread_tolerance_and_interval(tmp_path):
    one = only(compare_published(held_run(tmp_path / "run", **SCORECAM, scores=drops(47.0)), "score-cam"))
    assert parts(one) == dict.fromkeys(("protocol", "model", "dataset", "count"), "same")
    assert (one.comparable, one.flagged, one.verdict) == (True, False, "agrees")
    assert one.ours.mean == pytest.approx(47.0) and one.expected == pytest.approx((44.8, 50.8))
    assert one.ours.low == pytest.approx(47.0 - reach(20, 2000), abs=1e-3)


def test_the_frame_has_a_row_for_each_value_with_its_states(tmp_path):
    run = held_run(tmp_path / "run", **{**SCORECAM, "scores": drops(90.0), "dataset": "imagenet-samples"})
    (row,) = compare_published(run, "score-cam").frame.to_dict("records")
    assert (row["claimed"], row["our_mean"], row["our_metric"]) == (47.8, pytest.approx(90.0), DROP)
    assert [row[part] for part in ("protocol", "model", "dataset", "count")] == ["same", "same", "differs", "same"]
    assert row["verdict"] == "not comparable"


@pytest.mark.parametrize(
    ("mean", "flagged"), [(50.8 + 0.8, False), (50.8 + 1.0, True), (44.8 - 0.8, False), (44.8 - 1.0, True)]
)
def test_a_difference_is_flagged_beyond_tolerance_and_interval_together(tmp_path, mean, flagged):
    """Grad-CAM's 47.8 with a tolerance of 3; the run's interval reaches 0.877 to each side."""
    assert reach(20, 2000) == pytest.approx(0.877, abs=1e-3)
    found = compare_published(held_run(tmp_path / "run", **SCORECAM, scores=drops(mean)), "score-cam")
    assert only(found).verdict == ("DIFFERS" if flagged else "agrees")
    assert len(found.flagged) == flagged
    assert verdict(found) == f"1 of 1 value may be compared: {1 - flagged} agree, {int(flagged)} differ."


@pytest.mark.parametrize(
    ("change", "differing", "said"),
    [
        ({"metrics": ["average_drop"]}, ["protocol"], "mask soft, published top; fill neutral, published zero"),
        ({"methods": ["grad_cam[layer=x]"]}, ["protocol"], "method's layer x, published none"),
        ({"target": "label"}, ["protocol"], "label class explained, published predicted"),
        ({"precision": "bf16"}, ["protocol"], "computed in bf16"),
        ({"model": "torchvision:vgg19"}, ["model"], "torchvision:vgg19, published torchvision:vgg16@IMAGENET1K_V1"),
        ({"dataset": "imagenet-samples"}, ["dataset"], "imagenet-samples, published imagenet-1k"),
        ({"scores": drops(90.0, 500)}, ["count"], "500 samples, published 2,000"),
        (
            {"model": "small-cnn", "dataset": "digits", "scores": drops(90.0, 20), "metrics": ["average_drop"]},
            ["protocol", "model", "dataset", "count"],
            "small-cnn, published torchvision:vgg16@IMAGENET1K_V1",
        ),
    ],
)
def test_what_differs_is_said_and_nothing_is_flagged(tmp_path, change, differing, said):
    run = held_run(tmp_path / "run", **{**SCORECAM, "scores": drops(90.0), **change})
    one = only(compare_published(run, "score-cam"))
    assert list(one.differing) == differing
    assert "; ".join(words(one)[differing[min(1, len(differing) - 1)]]) == said
    assert (one.comparable, one.flagged, one.verdict) == (False, False, "not comparable")
    assert set(one.same) == {"protocol", "model", "dataset", "count"} - set(differing)


def test_what_the_source_does_not_tell_is_never_flagged(tmp_path):
    """Score-CAM's table 3 gives neither steps nor blur: everything else the same, and far from it."""
    run = held_run(tmp_path / "run", ["grad_cam"], ["deletion[rise]"], drops(0.9, spread=0.01))
    one = only(compare_published(run, "score-cam"))
    assert parts(one) == {"protocol": "not told", "model": "same", "dataset": "same", "count": "not told"}
    assert words(one)["protocol"] == ["the steps and what takes the pixels' place"]
    assert (one.comparable, one.flagged) == (False, False)


def test_nothing_is_claimed_of_what_the_source_does_not_tell(tmp_path):
    """The nearest preset has 28 steps; the source gives none, so that 8 are no difference from it."""
    run = held_run(tmp_path / "run", ["grad_cam"], ["deletion[steps=8]"], drops(0.1, spread=0.01))
    one = only(compare_published(run, "score-cam"))
    assert parts(one)["protocol"] == "not told" and "28" not in str(one.matches)
    masks = held_run(tmp_path / "masks", ["rise[masks=64]"], [DROP], drops(47.0))
    one = only(compare_published(masks, "score-cam"))
    assert words(one)["protocol"] == ["the number of masks and their grid"] and parts(one)["protocol"] == "not told"


def test_units_are_the_source_s(tmp_path):
    """TorchCAM reports shares, heatmark percent; its folder is known by the last parts of the path."""
    run = held_run(
        tmp_path / "run",
        ["grad_cam"],
        ["average_drop[torchcam]"],
        drops(26.0, 100, 1.0),
        model="torchvision:resnet18@IMAGENET1K_V1",
        dataset="image-folder:/data/imagenette2/val",
    )
    one = only(replace(found := compare_published(run, "torch-cam"), beside=found.beside[:1]))
    assert one.ours.mean == pytest.approx(0.26)
    assert parts(one) == {"protocol": "same", "model": "same", "dataset": "same", "count": "not told"}
    metrics = [DROP, "average_drop[torchcam]"]
    other = held_run(tmp_path / "b", ["grad_cam"], metrics, drops(26.0) * 2, dataset="image-folder:val")
    assert parts(compare_published(other, "torch-cam").beside[0])["dataset"] == "not told"
    assert parts(compare_published(other, "score-cam").beside[0])["dataset"] == "not told"


def test_the_nearest_value_is_taken_and_all_that_match_wholly(tmp_path):
    run = held_run(tmp_path / "a", ["grad_cam"], [DROP, "average_drop"], [*drops(10.0), *drops(47.0)])
    one = only(compare_published(run, "score-cam"))
    assert (one.ours.metric, one.ours.mean) == (DROP, pytest.approx(47.0))
    second = held_run(tmp_path / "b", **SCORECAM, scores=drops(80.0), framework="tensorflow")
    found = compare_published([run, second], "score-cam")
    assert [(one.ours.framework, one.verdict) for one in found.beside] == [
        ("PyTorch", "agrees"),
        ("TensorFlow", "DIFFERS"),
    ]
    page = published_beside(Standings.of_runs([run, second]))
    (section,) = [one for one in page.sections if one.comparable]
    assert [row.verdict for row in section.rows] == ["agrees, PyTorch", "DIFFERS, TensorFlow"]
    (low, high), said = found.beside[1].expected, " ".join(section.differences)
    assert f" within {found.beside[1].column.tolerance:g}, besides sampling" in said
    assert re.search(rf"TensorFlow: here 80 \[79.*?\], expected {low:.4g} to {high:.4g}\.", said)
    assert "PyTorch: here" not in said


def test_samples_without_a_value_are_counted_as_seen(tmp_path):
    scores = np.array(drops(47.0))
    scores[0, :100] = np.nan
    one = only(compare_published(held_run(tmp_path / "run", **SCORECAM, scores=scores), "score-cam"))
    assert (one.ours.samples, one.ours.undefined, parts(one)["count"]) == (2000, 100, "same")


def test_words_are_no_numbers_to_differ_from(tmp_path):
    run = held_run(tmp_path / "run", ["grad_cam"], ["n_ord[wang2020]"], drops(0.9, 100), model="keras:VGG16")
    one = only(compare_published(run, "wang2020"))
    assert (one.claimed, one.row.in_words["N-Ord"], one.comparable, one.flagged) == (None, "worst", False, False)


def test_a_network_or_folder_of_ones_own_may_be_the_one(tmp_path):
    own = {"model": "net.py:build", "dataset": "image-folder:/data/val"}
    one = only(compare_published(held_run(tmp_path / "own", **SCORECAM, scores=drops(90.0), **own), "score-cam"))
    assert parts(one) == {"protocol": "same", "model": "not told", "dataset": "not told", "count": "same"}
    assert words(one)["model"] == ["whether net.py:build is VGG16 with ImageNet weights"] and not one.flagged
    run = held_run(tmp_path / "run", ["grad_cam"], ["single_deletion[idsds]"], drops(0.2), model="net.py:build")
    one = only(compare_published(run, "idsds"))
    assert parts(one)["model"] == "not told"
    assert words(one)["model"] == ["whether net.py:build is ResNet-50, trained further with deleted cells"]


MASKS = "method's cells 7, published 10; method's masks 64, published 5000; method's probability 0.5, published 0.1"
QUICK = {"model": "efficientnet-lite0", "dataset": "imagenet-samples"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A run of the quick suite's methods and metrics, made up."""
    suite = load_suite("quick")
    scores = [np.full(20, 0.1 * number) for number in range(len(suite.metrics))]
    return held_run(tmp_path_factory.mktemp("quick") / "quick", suite.methods, suite.metrics, scores, **QUICK)


@pytest.mark.parametrize(
    ("name", "table", "told"),
    [
        (
            "rise",
            "resnet50",
            [
                f"differs in protocol (RISE, Deletion): steps 8, published 28; fill neutral, published zero; {MASKS}",
                "differs in protocol (RISE, Insertion): steps 8, published 28; fill neutral, published rise_blur; "
                + MASKS,
                "differs in model: efficientnet-lite0, published torchvision:resnet50@IMAGENET1K_V1",
                "differs in dataset: imagenet-samples, published imagenet-1k",
                "differs in count: 20 samples, published 10,000",
            ],
        ),
        (
            "score-cam",
            "average-drop",
            [
                "differs in protocol: mask soft, published top; fill neutral, published zero",
                "differs in model: efficientnet-lite0, published torchvision:vgg16@IMAGENET1K_V1",
                "differs in dataset: imagenet-samples, published imagenet-1k",
                "differs in count: 20 samples, published 2,000",
            ],
        ),
        (
            "torch-cam",
            "resnet18",
            [
                "differs in protocol: mask soft, published scaled; fill neutral, published zero",
                "differs in model: efficientnet-lite0, published torchvision:resnet18@IMAGENET1K_V1",
                "differs in dataset: imagenet-samples, published image-folder:imagenette2/val",
                "not told: count: the README gives no number of photographs, nor which version of Imagenette",
            ],
        ),
        (
            "wam",
            "efficientnet",
            [
                "not told: protocol (Grad-CAM, Insertion; Saliency, Insertion): steps, canvas and score; which "
                "class is explained",
                "not told: model: which of the EfficientNets",
                "differs in dataset: imagenet-samples, published imagenet-1k",
                "not told: count: the number of photographs",
            ],
        ),
    ],
)
def test_the_quick_suite_beside_published_tables(quick, name, table, told):
    found = compare_published(quick, name)
    said = difference_texts([one for one in found.beside if one.table.name == table])
    assert [line for line in said if line in told] == told
    assert name == "wam" or said == told
    assert not found.comparable and not found.flagged
    assert verdict(found).startswith(f"None of {len(found.beside)} values is of the same protocol, model, dataset and")


def test_what_has_nothing_beside_it_is_said(quick):
    missing = {(one.table, one.method, one.metric): one for one in compare_published(quick, "score-cam").missing}
    assert missing["average-drop", "Mask", "Average Drop"].why.startswith("heatmark has no method of this kind")
    assert not missing["average-drop", "Mask", "Average Drop"].here
    assert missing["average-drop", "Score-CAM", "Average Drop"].here


def test_all_published_values_are_put_beside_or_missing(quick):
    found = compare_published(quick)
    beside = {(one.paper, one.table.name, one.row.method, one.column.name) for one in found.beside}
    missing = {(one.paper, one.table, one.method, one.metric) for one in found.missing}
    assert not beside & missing and len(beside | missing) == sum(paper.values for paper in found.papers)


def test_what_is_measured_here_is_by_the_published_protocol_and_names_what_differs(tmp_path, quick):
    run = held_run(tmp_path / "run", ["rise[masks=64]"], ["deletion[rise]"], [np.full(20, 0.25)], **QUICK)
    (paper,) = with_measured(compare_published([quick, run], "rise"))
    measured = paper.tables[0].rows[0].measured
    assert set(measured) == {"Deletion"} and measured["Deletion"].value == 0.25
    assert measured["Deletion"].command == "heatmark run held --out results/run"
    assert "efficientnet-lite0, published torchvision:resnet50@IMAGENET1K_V1" in measured["Deletion"].differs
    assert not published("rise").tables[0].rows[0].measured
    assert measured_texts(paper.tables[0]) == [
        "RISE 0.25 [0.25, 0.25] (Deletion ↓): differs in protocol (method's cells 7, published 10; method's masks 64, "
        "published 5000; method's probability 0.5, published 0.1), model (efficientnet-lite0, published "
        "torchvision:resnet50@IMAGENET1K_V1), dataset (imagenet-samples, published imagenet-1k), count (20 samples, "
        "published 10,000). Made by: heatmark run held --out results/run"
    ]
    (by_another,) = with_measured(compare_published(quick, "rise"))
    assert not by_another.tables[0].rows[0].measured


def test_weights_without_a_name_may_be_the_ones(tmp_path):
    run = held_run(tmp_path / "run", **SCORECAM, scores=drops(90.0), model="torchvision:vgg16")
    one = only(compare_published(run, "score-cam"))
    assert words(one) == {
        "model": ["which weights torchvision:vgg16 has here; torchvision:vgg16@IMAGENET1K_V1 names them"]
    }
    assert not one.flagged


def test_a_run_without_a_cell_says_nothing_beside_others(tmp_path, quick):
    """As on a leaderboard of both; by itself it is an error."""
    empty = RunStore.prepared(tmp_path / "empty").path
    assert compare_published([empty, quick], "rise").beside == compare_published(quick, "rise").beside
    with pytest.raises(BadInput, match="no cell was planned"):
        compare_published(empty, "rise")


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(StorageError, match="holds no run"):
        compare_published(tmp_path, "rise")
