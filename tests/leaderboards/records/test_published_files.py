"""Published results as they are shipped, and what is refused of a file."""

import json
import re

import pytest

from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.leaderboards.records.published import PUBLISHED, flat, list_published, published
from heatmark.metrics.registry import metric_from

#: From memory and unverified: none of these may be in any file. Deletion and insertion; Average Drop, Increase, Gain.
REMEMBERED = {
    ("deletion", "insertion"): (
        ".1232 .6766 .1421 .6618 .1217 .6940 .1076 .7267 .1087 .6149 .1158 .5917 .1014 .6167 .0980 .6663"
    ),
    ("average_drop", "average_increase", "average_gain"): (
        "36.84 46.56 17.05 13.42 70.72 29.28 62.75 82.86 8.61 3.16 "
        "12.2 17.6 44.4 12.9 16.0 42.1 8.6 26.6 56.7 12.5 16.4 42.8 15.6 15.0 38.8 1.5 68.8 92.8 "
        "14.2 14.7 40.6 17.1 10.2 33.4 13.5 15.6 41.7 1.3 71.2 92.7"
    ),
}

VALID = {
    "title": "Our paper",
    "citation": "Us 2026",
    "link": "https://example.org",
    "read": "first hand",
    "source": "Table 1",
    "tables": [
        {
            "name": "ours",
            "where": "Table 1",
            "model": "a network",
            "model_entry": "torchvision:vgg16@IMAGENET1K_V1",
            "data": "ImageNet",
            "data_entry": "imagenet-1k",
            "columns": [
                {
                    "name": "Deletion",
                    "protocol": "28 steps",
                    "higher_is_better": False,
                    "metric": "deletion[rise]",
                    "fields": {"fill": "zero"},
                    "tolerance": 0.01,
                    "because": "interpolation",
                }
            ],
            "rows": [{"method": "Grad-CAM", "entry": "grad_cam", "claimed": {"Deletion": 0.12}}],
        }
    ],
}


def values():
    """Every published value: paper, table, row, column."""
    for paper in list_published():
        for table in paper.tables:
            for row in table.rows:
                for column in table.columns:
                    if column.name in row.claimed:
                        yield paper, table, row, column


def of(name, table, method):
    return next(
        row.claimed for one in published(name).tables if one.name == table for row in one.rows if row.method == method
    )


def toml(value):
    """A value in TOML, inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def written(folder, values, name="mine"):
    path = folder / f"{name}.toml"
    path.write_text("\n".join(f"{key} = {toml(value)}" for key, value in values.items()), encoding="utf-8")
    return path


def changed(where, value):
    """The valid file with one key changed, or taken away where the value is None."""
    found = json.loads(json.dumps(VALID))
    *path, last = where
    inner = found
    for key in path:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return found


def test_numbers_are_those_of_the_sources():
    """A transcription of some rows of each source, made apart from the files."""
    assert of("rise", "resnet50", "RISE") == {"Deletion": 0.10483, "Insertion": 0.77192}
    assert published("rise").tables[0].rows[0].spread == {
        "Deletion": (0.10237, 0.10729),
        "Insertion": (0.7654, 0.77845),
    }
    assert of("score-cam", "average-drop", "Score-CAM") == {"Average Drop": 31.5, "Average Increase": 30.6}
    assert of("score-cam", "deletion-insertion", "Grad-CAM") == {"Deletion": 0.089, "Insertion": 0.357}
    assert of("score-cam", "pointing-game", "RISE") == {"Energy pointing game": 36.3}
    assert of("torch-cam", "resnet18", "LayerCAM") == {"Average Drop": 0.1712, "Increase in Confidence": 0.2819}
    assert of("torch-cam", "mobilenet-v3-large", "GradCAM++") == {
        "Average Drop": 0.3182,
        "Increase in Confidence": 0.2535,
    }
    assert of("torchray", "voc07-vgg16", "center") == {"All": 69.6, "Difficult": 42.4}
    assert of("torchray", "coco14-resnet50", "extremal perturbation") == {"All": 56.5, "Difficult": 51.5}
    assert of("torchray", "voc07-resnet50", "contrastive excitation backpropagation") == {
        "All": 90.7,
        "Difficult": 82.1,
    }
    assert of("wam", "efficientnet", "Saliency") == {"Insertion": 0.148, "Deletion": 0.14, "Faithfulness": 0.008}
    assert of("wizwand", "faithfulness-imagenet", "RISE") == {
        "Insertion": 72.67,
        "Deletion": 0.127,
        "MuFidelity": 0.182,
    }
    assert of("wizwand", "diabetic-retinopathy", "Guided IG") == {"Feature attribution AUC": 86.3}
    assert of("hyper-ai", "mobilenet-v2", "Score-CAM") == {"Insertion": 0.1195}
    assert of("smdl", "example", "SMDL-Attribution") == {"Insertion": 0.755, "Deletion": 0.0814}
    assert of("siddhantmest", "mnist1d", "Integrated Gradients") == {"Drop rate": 0.409, "Increase rate": 0.173}
    assert of("siddhantmest", "hmt", "Grad-CAM") == {"Drop rate": 0.503, "Increase rate": 0.286}
    assert of("idsds", "resnet50", "Integrated Gradients") == {"IDSDS": 0.2}
    assert {paper.name: paper.values for paper in list_published()} == {
        "hyper-ai": 3, "idsds": 9, "rise": 2, "score-cam": 24, "siddhantmest": 8, "smdl": 2, "torch-cam": 16,
        "torchray": 72, "wam": 18, "wang2020": 12, "wizwand": 17,
    }  # fmt: skip


def test_nothing_from_memory_is_in():
    """One number was also read, in percent, at an aggregator, which is named."""
    held = set()
    for metrics, texts in REMEMBERED.items():
        remembered = {round(float(text) * scale, 9) for text in texts.split() for scale in (1, 100, 0.01)}
        held |= {
            (paper.name, row.method, column.name)
            for paper, _, row, column in values()
            if column.metric.partition("[")[0] in metrics and row.claimed[column.name] in remembered
        }
    assert held == {("wizwand", "RISE", "Insertion")}
    files = [path.read_text(encoding="utf-8") for path in PUBLISHED.iterdir()]
    areas = {text.lstrip(".") for text in REMEMBERED["deletion", "insertion"].split()}
    assert not {digits for text in files for digits in re.findall(r"\.(\d{4})(?!\d)", text)} & areas


def test_each_source_is_named_and_second_hand_ones_say_whose():
    second = {paper.name for paper in list_published() if paper.read == "second hand"}
    assert second == {"score-cam", "wang2020", "idsds", "wizwand", "hyper-ai"}
    assert all(paper.source and paper.citation and paper.link.startswith("https://") for paper in list_published())


def test_metrics_are_the_protocols_that_are_stated():
    for paper, table, _, column in values():
        if column.metric and not column.differs:
            protocol = flat(metric_from(column.metric).protocol)
            assert column.fields, (paper.name, column.name)
            assert {key: protocol[key] for key in column.fields} == column.fields, (paper.name, table.name, column.name)
    rise = {column.metric: flat(metric_from(column.metric).protocol) for column in published("rise").tables[0].columns}
    assert rise["deletion[rise]"]["fill"] == "zero" and rise["insertion[rise]"]["fill"] == "rise_blur"
    # 1,792 pixels a step at 224 x 224.
    assert {protocol["levels.steps"] for protocol in rise.values()} == {224 * 224 / 1792}


def test_what_is_known_to_be_unreliable_is_said():
    bad = {(p.name, row.method) for p in list_published() for t in p.tables for row in t.rows if row.unreliable}
    assert {("wam", "WAM, Integrated Gradients"), ("siddhantmest", "Integrated Gradients"), ("wang2020", "LRP")} <= bad
    for row in published("wam").tables[0].rows:
        claimed = row.claimed
        adds_up = abs(claimed["Insertion"] - claimed["Deletion"] - claimed["Faithfulness"]) < 5e-4
        assert adds_up != bool(row.unreliable)


def test_a_file_of_ones_own_is_read(tmp_path):
    paper = published(written(tmp_path, VALID))
    assert (paper.name, paper.tables[0].rows[0].claimed) == ("mine", {"Deletion": 0.12})
    shared = json.loads(json.dumps(VALID))
    shared["columns"] = shared["tables"][0].pop("columns")
    assert published(written(tmp_path, shared)).tables == paper.tables
    with pytest.raises(BadInput, match="those at the head are of none"):
        published(written(tmp_path, {**VALID, "columns": 3}))


ROW, COLUMN, TABLE = ("tables", 0, "rows", 0), ("tables", 0, "columns", 0), ("tables", 0)


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("source",), None, "mine.toml: the key 'source' is missing."),
        (("source",), "", "mine.toml: 'source' is empty."),
        (("name",), "x", "mine.toml: unknown key 'name'. The name is that of the file."),
        (("sauce",), "x", "mine.toml: unknown key 'sauce'. Did you mean 'source'?"),
        (("read",), "by heart", "'read' is 'by heart'. Give one of 'first hand', 'second hand'."),
        (("tables",), [], "'tables' is empty"),
        (("tables",), 3, "'tables' is 3. Give a list."),
        ((*TABLE, "images"), "many", "table 1 (ours): 'images' is 'many'. Give a whole number."),
        ((*TABLE, "images"), True, "'images' is True. Give a whole number."),
        ((*TABLE, "images"), 0, "'images' is 0"),
        ((*TABLE, "untold"), {"size": "x"}, "'untold' names 'size'. Known: protocol, model, dataset, count."),
        ((*TABLE, "model_entry"), "efficientnet-lite9", "table 'ours': 'model_entry' or 'data_entry' names what"),
        ((*TABLE, "data_entry"), "imagenet-2k", "Unknown dataset 'imagenet-2k'."),
        ((*TABLE, "data_entry"), None, "a command needs data_entry; else say in 'no_command' why there is none."),
        ((*COLUMN, "metric"), "deletion[rice]", "column 'Deletion': the metric 'deletion[rice]' is not there."),
        ((*COLUMN, "metric"), "delusion", "the metric 'delusion' is not there."),
        ((*COLUMN, "metric"), "deletion", "deletion is not the protocol stated: its fill is 'neutral', and"),
        ((*COLUMN, "fields"), {"steps": 28}, "'fields' names 'steps'. Did you mean 'levels.steps'?"),
        ((*COLUMN, "fields"), {}, "say in 'fields' which fields of deletion[rise] are the protocol."),
        ((*COLUMN, "higher_is_better"), True, "'higher_is_better' contradicts the metric deletion[rise]."),
        ((*COLUMN, "scale"), 0, "'scale' is 0. Give a number above zero."),
        ((*COLUMN, "because"), None, "give 'tolerance' and 'because' (why so much) together."),
        ((*ROW, "entry"), "grad_kam", "row 'Grad-CAM': the method 'grad_kam' is not there."),
        ((*ROW, "entry"), None, "neither 'entry' nor, in 'differs', why heatmark has no such method."),
        ((*ROW, "claimed"), {"Insertion": 0.1}, "row 'Grad-CAM': 'claimed' names 'Insertion'. Did you mean"),
        ((*ROW, "claimed"), {"Deletion": "low"}, "row 1 (Grad-CAM): 'claimed.Deletion' is 'low'. Give a number."),
        ((*ROW, "claimed"), {}, "it claims nothing."),
        ((*ROW, "spread"), {"Deletion": [0.2, 0.3]}, "'spread' of 'Deletion' is [0.2, 0.3], and 'claimed' is not"),
        ((*ROW, "spread"), {"Deletion": [0.1]}, "Give a list of 2 numbers."),
        ((*ROW, "measured"), {"Deletion": {"value": 1.0, "command": "x"}}, "measured.Deletion: the key 'differs'"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_file_and_row(tmp_path, where, value, words):
    with pytest.raises(BadInput, match=re.escape(words)) as raised:
        published(written(tmp_path, changed(where, value)))
    assert "mine.toml" in str(raised.value)


def test_two_of_one_name_are_refused(tmp_path):
    twice = json.loads(json.dumps(VALID))
    twice["tables"][0]["rows"] *= 2
    with pytest.raises(BadInput, match="there are several rows called 'Grad-CAM'"):
        published(written(tmp_path, twice))


def test_what_is_no_file_is_said(tmp_path):
    with pytest.raises(StorageError, match="Cannot read the published results"):
        published(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("title = ", encoding="utf-8")
    with pytest.raises(BadInput, match="not valid TOML"):
        published(tmp_path / "bad.toml")
    with pytest.raises(UnknownName, match=r"Did you mean 'torch-cam'.*heatmark list published"):
        published("torchcam")
