"""Measuring rows: exact passes, what is timed against what, memory, and rows that cannot be measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import runtime_plugin  # noqa: F401  (registers the network and two methods)

from heatmark.benchmark.store.outcomes import Failed, Finished, NotMeant, outcome_of
from heatmark.benchmark.timing import bare_network
from heatmark.benchmark.timing import measure as measure_runtime
from heatmark.benchmark.timing.bare_network import bare_loop, fastest_bare, label_of, repeated_rows
from heatmark.benchmark.timing.files import read_runtime
from heatmark.benchmark.timing.machine import differences, gpu_facts, machine_record
from heatmark.benchmark.timing.measure import NetworkRows, PlaceProcess, chosen, rows_again
from heatmark.benchmark.timing.measure import measure_runtime as measure
from heatmark.benchmark.timing.row_in_process import images_of, measured, survey
from heatmark.benchmark.timing.rows import (
    CHUNK,
    CURVES,
    FORWARD,
    GRADIENT,
    Measurement,
    Place,
    RuntimeCase,
    RuntimeSettings,
    Surveyed,
)
from heatmark.errors import BadInput, MissingExtra, NotApplicable, OutOfMemory, UnknownName
from heatmark.models.arrays.tensor_float_32 import tensor_float_32
from heatmark.models.queries import PassCount
from heatmark.models.zoo.loading import load_model

FRAMEWORKS = ("torch", "tensorflow")
QUICK = RuntimeSettings(rounds=3, seconds=1.0, memory=False)
SURVEYED = {
    "torch": Surveyed("8-channels_last", "4-contiguous", 8, 4),
    "tensorflow": Surveyed("8-native", "4-native", 8, 4),
}


class InProcess:
    """Answers calls here instead of in another process."""

    def __init__(self, place, settings):
        self.calls = []

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return None

    def call(self, function, *arguments):
        self.calls.append(function.__name__)
        answer = outcome_of(function, *arguments)
        return answer.value if isinstance(answer, Finished) else answer

    def end(self):
        return None


def case(method, framework="torch", batch="2", **more):
    return RuntimeCase(method, "runtime-net", Place(framework, "cpu"), batch=batch, **more)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("saliency", (2, 2)),
        ("integrated_gradients[steps=5]", (10, 10)),
        ("rise[masks=6]", (12, 0)),
        ("random", (0, 0)),
        (FORWARD, (2, 0)),
        (GRADIENT, (2, 2)),
    ],
)
def test_a_row_holds_exact_passes_and_the_bare_network_of_the_same_rounds(framework, method, passes):
    pytest.importorskip(framework)
    found = measured(case(method, framework), QUICK, SURVEYED[framework], 2)
    assert found.passes == PassCount(*passes) and found.images == 2
    assert len(found.calls) == len(found.bare_forward) == 3 and min(found.calls) > 0
    assert len(found.bare_backward) == (3 if passes[1] else 0)
    assert len(found.bare_labels) == (2 if passes[1] else 1)
    assert found.relative == pytest.approx(np.array(found.calls) / 2 / np.array(found.bare_forward))
    assert found.first_call > 0 and found.memory is None
    assert found.conditions["device_name"] == "cpu" and found.conditions["tensor_float_32"] is False
    assert Measurement.from_plain(found.plain()) == found


def test_curves_are_deletion_and_insertion_together():
    pytest.importorskip("torch")
    found = measured(case(CURVES, batch="1"), QUICK, SURVEYED["torch"], 1)
    assert found.passes.backward == 0 and found.passes.forward > 20


def test_memory_grows_with_what_is_held():
    pytest.importorskip("torch")
    # In a process of its own, as rows are measured: a large one may give back more memory meanwhile than it takes.
    code = (
        "import numpy as np, torch, heatmark as hm\n"
        "from heatmark.benchmark.setting.peak_memory import MemoryGrowth\n"
        "model = hm.wrap(torch.nn.Linear(4, 2), input_shape=(4,), device='cpu')\n"
        "for _ in range(2):\n"  # the mark is set back, so the second time counts as well
        "    with MemoryGrowth(model) as memory:\n"
        "        held = np.ones(8_000_000)\n"
        "        del held\n"
        "    print(memory.growth, memory.peak, memory.kind)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    for line in answer.stdout.splitlines():
        growth, peak, kind = line.split(maxsplit=2)
        assert 55e6 < float(growth) < 120e6 and float(peak) > float(growth) and kind
    assert len(answer.stdout.splitlines()) == 2


def test_methods_without_meaning_and_ground_truth_are_not_measured():
    pytest.importorskip("torch")
    with pytest.raises(NotApplicable, match="attention"):
        measured(case("attention_rollout"), QUICK, SURVEYED["torch"], 1)
    with pytest.raises(NotApplicable, match="ground truth"):
        measured(case("oracle"), QUICK, SURVEYED["torch"], 1)
    with pytest.raises(BadInput, match="engine:forward"):
        measured(case("engine:nonsense"), QUICK, SURVEYED["torch"], 1)


def test_out_of_memory_with_a_single_input_is_said():
    pytest.importorskip("torch")
    with pytest.raises(OutOfMemory, match="single input of shape"):
        measured(case("greedy"), QUICK, SURVEYED["torch"], 2)


@pytest.mark.parametrize(
    ("batch", "passes", "images"),
    [
        ("7", (1, 1), 7),
        (CHUNK, (1, 1), 4),
        (CHUNK, (1, 0), 8),
        (CHUNK, (0, 0), 8),
        (CHUNK, (300, 0), 1),
        (CHUNK, (1000, 1000), 1),
        ("2xfull", (1, 0), 16),
        ("2xfull", (3, 0), 6),
        ("3xfull", (100, 100), 3),
    ],
)
def test_images_of_a_row(batch, passes, images):
    assert images_of(batch, SURVEYED["torch"], PassCount(*passes)) == images


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_bare_network_sees_every_row_once(framework):
    pytest.importorskip(framework)
    model = load_model("runtime-net", framework, "cpu")
    seen = []
    forward = model.logits

    def watched(x):
        seen.append(int(x.shape[0]))
        return forward(x)

    model.logits = watched
    rows = repeated_rows(model, np.zeros((3, *model.input_shape), np.float32))
    for backward in (False, True):
        bare_loop(model, label_of(4, model.layouts[0]), backward)(rows(10))
    # TensorFlow traces a graph for each size, PyTorch runs three chunks.
    assert seen == ([4, 4, 2] * 2 if framework == "torch" else [4, 2] * 2)
    assert model.passes == PassCount()  # nothing of the engine is in it


def test_the_fastest_bare_chunk_is_climbed_to(monkeypatch):
    pytest.importorskip("torch")
    model = load_model("runtime-net", "torch", "cpu")
    costs = {4: 1.0, 8: 0.5, 16: 0.25, 32: 0.4, 64: 0.5, 128: 0.1}
    now, tried = [0.0], []

    def loop(model, label, backward):
        size, _, layout = label.partition("-")
        tried.append(label)
        return lambda x: now.__setitem__(0, now[0] + costs[int(size)] * (0.8 if layout == "contiguous" else 1) * len(x))

    monkeypatch.setattr(bare_network, "bare_loop", loop)
    monkeypatch.setattr(bare_network, "timed", lambda work: _elapsed(work, now))
    monkeypatch.setattr(
        bare_network, "interleaved", lambda jobs, rounds: {n: [_elapsed(w, now)] for n, w in jobs.items()}
    )
    rows = repeated_rows(model, np.zeros((1, *model.input_shape), np.float32))
    assert fastest_bare(model, rows, backward=False) == "16-contiguous"
    # Two sizes in a row brought nothing, so 128 was not tried.
    assert list(dict.fromkeys(tried))[-2:] == ["64-channels_last", "16-contiguous"]


def _elapsed(work, now):
    began = now[0]
    work()
    return now[0] - began


def test_a_survey_finds_chunks(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(bare_network, "MOST_BYTES", {True: 2**15, False: 2**15})
    found = survey(case(""))
    assert found.bare_forward.partition("-")[0].isdigit() and found.forward_chunk >= 1 and found.backward_chunk >= 1


def test_a_row_that_fails_costs_no_other_and_rows_are_kept(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.setattr(measure_runtime, "PlaceProcess", InProcess)
    monkeypatch.setattr(measure_runtime, "survey", lambda case: SURVEYED["torch"])
    choice = chosen("saliency,greedy,faulty,attention_rollout,random", "runtime-net", "torch", "cpu", batches="1")
    found = measure(choice, QUICK, tmp_path, progress=False)
    assert [row.case.method for row in found.measurements] == ["saliency", "random"]
    reasons = {row.case.method: (row.failed, row.reason) for row in found.missing}
    assert reasons["greedy"][0] and "ran out of memory on a single input" in reasons["greedy"][1]
    assert reasons["faulty"] == (True, "ValueError: broken on purpose")
    assert not reasons["attention_rollout"][0]
    assert read_runtime(tmp_path).measurements == found.measurements


def test_a_chunk_asks_first_how_many_passes_an_image_takes(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(measure_runtime, "survey", lambda case: SURVEYED["torch"])
    process = InProcess(None, None)
    rows = NetworkRows(case("rise[masks=300]"), process, QUICK)
    assert rows.measure(case("rise[masks=300]", batch=CHUNK)).value.images == 1
    assert process.calls == ["<lambda>", "passes_of", "measured"]
    rows.measure(case("saliency", batch="3"))
    assert rows.measure(case("saliency", batch=CHUNK)).value.images == 4
    assert process.calls[3:] == ["measured", "measured"]


def test_a_network_that_is_not_in_a_framework_has_no_rows_there():
    rows = NetworkRows(
        RuntimeCase("", "torchvision:resnet18@random", Place("tensorflow", "cpu")), InProcess(0, 0), QUICK
    )
    row = rows.measure(RuntimeCase("saliency", "torchvision:resnet18@random", Place("tensorflow", "cpu")))
    assert isinstance(row, NotMeant) and "exists only in torch" in row.reason


def test_a_missing_gpu_is_an_error_only_where_it_was_asked_for():
    class Without(InProcess):
        def call(self, function, *arguments):
            return Failed("There is no device 'cuda'", known=True)

    gpu = RuntimeCase("saliency", "runtime-net", Place("torch", "cuda"))
    assert isinstance(NetworkRows(gpu, Without(0, 0), QUICK, optional=True).measure(gpu), NotMeant)
    assert isinstance(NetworkRows(gpu, Without(0, 0), QUICK).measure(gpu), Failed)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"methods": "salency"}, UnknownName, "saliency"),
        ({"models": "small-cn"}, UnknownName, "small-cnn"),
        ({"methods": "engine:sideways"}, BadInput, "engine:forward"),
        ({"frameworks": "jax"}, BadInput, "jax"),
        ({"batches": "0"}, BadInput, "from 1 on"),
        ({"batches": "many"}, BadInput, "chunk"),
        ({"precision": "fp8"}, BadInput, "float32, tf32, bf16"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(options, error, words):
    with pytest.raises(error, match=words):
        chosen(**{"methods": "saliency", "models": "runtime-net", **options})


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"seconds": 0.0}, {"threads": 0}, {"rounds": -3}])
def test_settings_that_measure_nothing_are_errors(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        RuntimeSettings(**wrong)


def test_batches_are_measured_from_small_to_large_and_the_chunk_last():
    assert chosen("saliency", "runtime-net", "torch", "cpu", batches="chunk,8,1").batches == ("1", "8", "chunk")


def test_all_stands_for_every_method_of_heatmarks_own():
    methods = chosen("all", "runtime-net", "torch", "cpu").methods
    assert {"saliency", "rise", "lrp", "random"} <= set(methods)
    assert "oracle" not in methods and not any(":" in method for method in methods)


def test_rows_are_measured_again_as_the_baseline_has_them(tmp_path):
    from runtime_rows import case as made_up
    from runtime_rows import record, row

    before = record(row(made_up(batch=CHUNK), [0.1]), row(made_up("rise"), [0.1]))
    choice, cases = rows_again(before)
    assert cases == [item.case for item in before.measurements] and choice.methods == ("saliency", "rise")
    with pytest.raises(BadInput, match="none of the rows"):
        rows_again(before, chosen("lime", "runtime-net", "torch", "cpu"))


def test_machines_are_told_apart():
    here = machine_record()
    assert differences(here, here) == [] and here["cores"] >= 1
    assert differences(here, {**here, "cpu": "another"}) == [f"cpu: {here['cpu']} and another"]
    # What may be compared on purpose is no difference.
    assert differences(here, {**here, "versions": {}, "python": "4"}) == []


def test_gpu_facts_are_read_from_nvidias_own_tool(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'A GPU, 600.1, 1980, 2619, 1980, 120.5, 41'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (found,) = gpu_facts()
    assert found["name"] == "A GPU" and found["sm_clock_mhz"] == 1980.0 and found["driver"] == 600.1
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpu_facts() == []


def test_a_process_that_dies_is_a_failure_and_the_next_call_starts_another():
    pytest.importorskip("torch")
    import os

    with PlaceProcess(Place("torch", "cpu"), QUICK) as process:
        first = process.call(os.getpid)
        assert first != os.getpid() and process.call(os.getpid) == first
        answer = process.call(os._exit, 3)
        assert isinstance(answer, Failed) and "died (exit code 3)" in answer.error
        assert isinstance(process.call(os.getpid), int)
        assert process.call(os.getenv, "CUDA_VISIBLE_DEVICES") == "-1"


def test_a_framework_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(measure_runtime, "require_framework", _missing)
    with pytest.raises(MissingExtra):
        chosen("saliency", "runtime-net", "torch", "cpu")


def _missing(framework):
    raise MissingExtra(f"{framework} is not installed.")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_float32_means_float32_in_every_process_of_heatmark(framework):
    """Both frameworks round to TensorFloat-32 on GPUs unless they are told otherwise."""
    pytest.importorskip(framework)
    with PlaceProcess(Place(framework, "cpu"), QUICK) as process:
        assert process.call(tensor_float_32, framework) is False
