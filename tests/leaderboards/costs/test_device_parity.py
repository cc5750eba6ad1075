"""Devices and precisions against one another: what counts as a difference, and real networks in two precisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import runtime_plugin  # noqa: F401  (registers the network)
from made_outputs import CPU, METHODS, on_gpu, outputs

from heatmark.benchmark.running.progress import view_of
from heatmark.benchmark.store.outcomes import Failed
from heatmark.benchmark.timing import device_check
from heatmark.benchmark.timing.device_check import DeviceCheck, Outputs, Setup, maps_and_scores, starting_point
from heatmark.benchmark.timing.measure import Choice
from heatmark.benchmark.timing.rows import Place, RuntimeSettings
from heatmark.errors import BadInput
from heatmark.leaderboards.costs.device_parity import parities, parity, parity_frame, parity_markdown, summary


def test_the_same_outputs_agree_in_everything():
    found = parity("torch", outputs(), on_gpu())
    assert (found.reference, found.setup) == ("cpu float32", "A GPU float32")
    assert found.logits == 0 and found.same_predictions == (3, 3)
    assert all(item.identical and item.largest == 0 and item.correlation == 1 for item in found.maps)
    assert found.board.mean_rank == 1 and found.board.moved == 0 and found.board.same_first
    assert found.inverted == found.out_of_order == () and "INVERTED" not in summary(found)


def test_maps_that_are_upside_down_are_found():
    other = on_gpu()
    maps = {**other.maps, "second": -other.maps["second"]}
    found = parity("torch", outputs(), replace(other, maps=maps))
    assert found.inverted == ("second",) and found.out_of_order == ("second",)
    by_method = {item.method: item for item in found.maps}
    assert by_method["second"].correlation == pytest.approx(-1) and by_method["second"].largest == pytest.approx(2)
    assert "INVERTED: second" in summary(found) and "INVERTED" in parity_markdown([found])


def test_differences_are_shares_of_the_largest_value_of_that_map():
    one, other = outputs(), on_gpu()
    changed = one.maps["first"].copy()
    changed[1, 2, 3] += 0.25 * np.abs(changed[1]).max()
    found = parity("torch", one, replace(other, maps={**other.maps, "first": changed}))
    assert found.maps[0].largest == pytest.approx(0.25) and not found.maps[0].identical
    assert found.maps[1].identical


def test_full_precision_has_to_keep_the_order_and_others_need_not():
    generator = np.random.default_rng(1)
    noise = {method: generator.standard_normal((3, 5, 5)).astype(np.float32) for method in METHODS}
    for precision, expected in (("float32", METHODS), ("tf32", ()), ("bf16", ())):
        assert parity("torch", outputs(), on_gpu(precision, maps=noise)).out_of_order == expected


def test_leaderboards_that_change_are_told():
    other = on_gpu()
    swapped = {"first": other.scores["fourth"], "fourth": other.scores["first"]}
    found = parity("torch", outputs(), replace(other, scores={**other.scores, **swapped}))
    assert found.board.moved == 2 and not found.board.same_first
    assert found.board.mean_rank == pytest.approx(-0.8)  # ranks 4, 2, 3, 1 against 1, 2, 3, 4
    assert "ANOTHER" in summary(found)
    # The whole range of the metric's scores lies between the two.
    assert {item.method: item.score_difference for item in found.maps}["first"] == pytest.approx(1.0)


def test_leaderboards_that_part_by_rounding_do_not_move():
    # Two methods with one score, whose order is rounding's; a real difference of a thousandth is told.
    for size, moved in ((5e-6, 0), (1e-3, 2)):
        one, other = outputs(), on_gpu()
        tied = {metric: values + 0.0 for metric, values in one.scores["first"].items()}
        apart = {"deletion": tied["deletion"] * (1 + size), "insertion": tied["insertion"] * (1 - size)}
        reference = {**one.scores, "second": apart}
        found = parity("torch", replace(one, scores=reference), replace(other, scores={**other.scores, "second": tied}))
        assert (found.board.moved, found.board.same_first) == (moved, True)
        noise = {metric: values * (1 + size * np.arange(3)) for metric, values in tied.items()}
        flat, noisy = (dict.fromkeys(METHODS, scores) for scores in (tied, noise))
        found = parity("torch", replace(one, scores=flat), replace(other, scores=noisy))
        assert np.isnan(found.maps[0].score_difference)  # the reference's scores have no range


def test_methods_that_one_setup_lacks_are_named_and_not_compared():
    other = on_gpu()
    less = {method: maps for method, maps in other.maps.items() if method != "third"}
    lacking = replace(other, maps=less, left_out={"third": "no memory"}, failed=frozenset({"third"}))
    found = parity("torch", outputs(), lacking)
    assert [item.method for item in found.maps] == ["first", "second", "fourth"]
    assert found.only_one == {"third": "no memory"} and found.failed == {"third": "no memory"}
    assert "no memory" in parity_markdown([found])


def test_constant_maps_have_no_correlation_and_no_verdict():
    flat = {method: np.ones((3, 5, 5), np.float32) for method in METHODS}
    found = parity("torch", replace(outputs(), maps=flat), on_gpu(maps=flat))
    assert np.isnan(found.maps[0].correlation) and found.inverted == found.out_of_order == ()


def test_every_setup_is_compared_with_the_first_of_its_framework():
    found = parities({"torch": (outputs(), on_gpu("tf32"), on_gpu("bf16"))})
    assert [item.setup for item in found] == ["A GPU tf32", "A GPU bf16"]
    assert len(parity_frame(found)) == 8


def test_a_gpu_is_compared_in_three_precisions_and_a_processor_alone_is_said():
    places = tuple(Place(framework, device) for device in ("cpu", "cuda") for framework in ("torch", "tensorflow"))
    choice = Choice(("saliency",), ("net",), places, ("float32",), ("1",))
    setups, notes = device_check.setups_of(choice)
    labels = ["cpu float32", "cpu bf16", "cuda float32", "cuda tf32", "cuda bf16"]
    assert [setup.label for setup in setups["torch"]] == labels == [setup.label for setup in setups["tensorflow"]]
    assert notes == ()


def collected_here(setup: Setup, methods, targets=None) -> Outputs:
    """Return a setup's outputs, made in this process."""
    start = starting_point("runtime-net", setup, 3, targets)
    answers = {
        method: maps_and_scores("runtime-net", setup, 3, method, ("deletion[steps=4]",), start.targets, 0)
        for method in methods
    }
    assert all(problems == {} for _, _, problems in answers.values())
    return replace(
        start,
        maps={method: maps for method, (maps, _, _) in answers.items()},
        scores={method: scores for method, (_, scores, _) in answers.items()},
    )


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_bfloat16_on_the_processor_gives_nearly_the_same_maps(framework):
    pytest.importorskip(framework)
    methods = ("saliency", "grad_cam", "integrated_gradients[steps=4]", "random")
    setups = [Setup(Place(framework, "cpu"), precision) for precision in ("float32", "bf16")]
    reference = collected_here(setups[0], methods)
    found = parity(framework, reference, collected_here(setups[1], methods, reference.targets))
    by_method = {item.method: item for item in found.maps}
    assert by_method["random"].identical  # it asks nothing of the network
    for method in methods[:3]:
        # Single positions may differ a lot: a rectifier or pool whose inputs nearly tie decides otherwise.
        assert not by_method[method].identical and by_method[method].correlation > 0.97
    assert found.inverted == () and 0 < found.logits < 0.02


@pytest.mark.cuda
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_gpu_gives_the_maps_of_the_processor(framework):
    from heatmark.errors import BadInput
    from heatmark.models.devices import resolved_device

    pytest.importorskip(framework)
    try:
        resolved_device(framework, "cuda")
    except BadInput as reason:
        pytest.skip(str(reason))
    methods = ("saliency", "grad_cam", "integrated_gradients[steps=4]", "smoothgrad[samples=4]", "rise[masks=32]")
    reference = collected_here(CPU if framework == "torch" else Setup(Place(framework, "cpu"), "float32"), methods)
    for precision in ("float32", "tf32", "bf16"):
        setup = Setup(Place(framework, "cuda"), precision)
        found = parity(framework, reference, collected_here(setup, methods, reference.targets))
        assert found.inverted == found.out_of_order == ()
        assert found.same_predictions == (3, 3)


class TestMissingDevices:
    """A device that is not there is left out where it was not asked for by name; other errors are never hidden."""

    GPU, CPU = Place("torch", "cuda"), Place("torch", "cpu")

    @pytest.fixture
    def collected(self, monkeypatch):
        """Return a function from the answers of setups, in order, to what `device_check.collected` gives."""

        def collect(setups, *answers, optional=True):
            waiting = list(answers)
            monkeypatch.setattr(device_check.PlaceProcess, "call", lambda *_: waiting.pop(0))
            check, missing = DeviceCheck("net", {"torch": setups}, (), ()), frozenset({self.GPU} if optional else ())
            return device_check.collected(check, RuntimeSettings(), view_of([], shown=False), missing)["torch"]

        return collect

    def test_an_absent_gpu_is_left_out(self, collected):
        setups = (Setup(self.CPU, "float32"), Setup(self.GPU, "float32"))
        absent = Failed("There is no device 'cuda'", known=True)
        assert [found.setup for found in collected(setups, outputs(), absent)] == [outputs().setup]
        with pytest.raises(BadInput, match="There is no device"):
            collected(setups, outputs(), absent, optional=False)

    def test_an_error_on_a_gpu_that_may_be_absent_is_an_error(self, collected):
        setups = (Setup(self.CPU, "float32"), Setup(self.GPU, "float32"))
        with pytest.raises(BadInput, match="illegal memory access"):
            collected(setups, outputs(), Failed("CUDA error: an illegal memory access was encountered"))

    def test_without_a_reference_there_is_nothing_to_compare(self, collected):
        setups = tuple(Setup(self.GPU, precision) for precision in ("float32", "bf16"))
        assert collected(setups, Failed("There is no device 'cuda'", known=True)) == ()
