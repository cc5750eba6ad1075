"""Methods with one known fault each: the question that asks for it fails, in words, and no other file is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from registering import forgotten_again

import heatmark as hm
from heatmark.benchmark.contracts.oracle import AGAINST, CLASS, FOR, NOTHING, SIDE, oracle_inputs, oracle_model, weights
from heatmark.benchmark.contracts.report import ContractReport
from heatmark.benchmark.contracts.reporting import contract_reports
from heatmark.errors import BadInput, UnknownName
from heatmark.models.queries import FRAMEWORKS

FAULTY = """
import heatmark as hm

CALLS = []

def method(name, **options):
    return hm.register_method(name, family="own", **{"signed": True, **options})

@method("right", sums_to="difference")
def right(request):
    return request.gradient() * request.x if "oracle" in request.model.name else _path(request)

def _path(request):
    from heatmark.methods.registry import method_from
    whole = method_from("integrated_gradients")
    return whole.entry.function(request, **whole.parameters)

@method("raises")
def raises(request):
    values = []
    return values[3]

@method("not_finite")
def not_finite(request):
    return request.gradient() / 0.0

@method("misshapen")
def misshapen(request):
    return request.gradient()[:, :, :1]

@method("restless")
def restless(request):
    CALLS.append(1)
    return request.gradient() * (1 + len(CALLS))

@method("gregarious")
def gregarious(request):
    return request.gradient() + request.operations.mean(request.x)

@method("meddling")
def meddling(request):
    request.x[0] += 1.0
    return request.gradient()

@method("retraining")
def retraining(request):
    import torch
    with torch.no_grad():
        next(iter(request.model.net.parameters())).mul_(1.0001)
    return request.gradient()

@method("negative", signed=False)
def negative(request):
    return request.gradient()

@method("backwards")
def backwards(request):
    return -1 * request.gradient()

@method("blind")
def blind(request):
    drawn = request.bank.normal("blind", request.model.spatial_shape)[[0]]
    return request.model.from_numpy(drawn) + 0 * request.x[:, 0]

@method("says_too_much", sums_to="difference")
def says_too_much(request):
    return 1.5 * request.gradient() * request.x

@method("says_logit", sums_to="logit")
def says_logit(request):
    return request.gradient() * request.x

@method("pictures_only")
def pictures_only(request):
    (n, channels, height, width) = request.x.shape
    return request.gradient()
"""
LINE = f"faulty.py, line {FAULTY[: FAULTY.index('values[3]')].count(chr(10)) + 1})"
#: The method, the question that fails and what is said; every other question does not fail.
FAULTS = {
    "raises": ("maps have the right shape", "it raised IndexError: list index out of range (", LINE),
    "not_finite": ("maps have the right shape", "NaN or infinite values", ""),
    "misshapen": ("maps have the right shape", "returned the shape (3, 1, 1, 8)", ""),
    "restless": ("the same seed gives the same maps", "a second call with the same seed", ""),
    "gregarious": ("maps do not depend on batch", "one sample at a time", ""),
    "meddling": ("inputs and network stay as they were", "changed the inputs or targets", ""),
    "retraining": ("inputs and network stay as they were", "changed what is not its own", ""),
    "negative": ("maps declared unsigned are nowhere negative", "negative values, down to", ""),
    "blind": ("right where the truth is known", "with probability 0.", ""),
    "says_too_much": ("maps add up to what they are said to", "the logit's difference from the baseline is", ""),
    "says_logit": ("maps add up to what they are said to", "the logit is", ""),
}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, ContractReport]]:
    """Every method of the faulty file, held to its contract in PyTorch."""
    file = tmp_path_factory.mktemp("faulty") / "faulty.py"
    file.write_text(FAULTY, encoding="utf-8")
    with forgotten_again():
        yield {one.name: one for one in contract_reports(str(file), frameworks=["torch"])}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_linear_network_is_what_it_says(framework):
    """Its gradient is its weights, and its logit their sum with the input, worked out apart."""
    model, pictures = oracle_model("linear", framework), oracle_inputs("linear", 2)
    x = np.asarray(model.native_array(np.moveaxis(pictures, -1, 1)))
    np.testing.assert_allclose(hm.explain(model, x, "gradient", CLASS), np.stack([weights()] * 2), atol=1e-7)
    wanted = (weights() * pictures[..., 0]).sum(axis=(1, 2)) + 0.25
    np.testing.assert_allclose(model.outputs(x), np.stack([wanted, -wanted], axis=1), atol=1e-5)
    assert (weights()[FOR] > 0).all() and (weights()[NOTHING] == 0).all() and (weights()[AGAINST] < 0).all()
    assert sum(len(range(*rows.indices(SIDE))) for rows in (FOR, NOTHING, AGAINST)) == SIDE


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_pooled_network_is_what_it_says(framework):
    model, pictures = oracle_model("pooled", framework), oracle_inputs("pooled", 2)
    x = np.asarray(model.native_array(np.moveaxis(pictures, -1, 1)))
    bright, dark = (
        np.maximum(2 * pictures - 1, 0).mean(axis=(1, 2, 3)),
        np.maximum(1 - 2 * pictures, 0).mean(axis=(1, 2, 3)),
    )
    np.testing.assert_allclose(model.outputs(x)[:, 0], 4 * (bright - dark), atol=1e-5)


def test_a_right_method_keeps_its_contract(held):
    assert held["right"].passed
    assert {"holds"} == {finding.verdict for finding in held["right"].findings if finding.question.endswith("(torch)")}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(held, name):
    question, said, further = FAULTS[name]
    failed = held[name].failed
    assert failed and not held[name].passed
    assert any(one.question.startswith(question) and said in one.evidence and further in one.evidence for one in failed)
    # What raises everywhere fails everywhere; any other fault fails where it is asked for alone.
    if name not in ("raises", "not_finite", "misshapen", "meddling", "retraining", "restless"):
        assert all(one.question.startswith(question) for one in failed)


def test_a_turned_sign_is_told_and_no_failure(held):
    """A method may mean evidence against the class by positive values, though none of heatmark's does."""
    (right,) = [one for one in held["backwards"].findings if one.question.startswith("right where")]
    assert right.verdict == "doubtful" and "positive values speak for the class" in right.remedy


def test_a_method_for_pictures_alone_is_told_to_say_so(held):
    (series,) = [one for one in held["pictures_only"].findings if one.question.startswith("series too")]
    assert series.verdict == "doubtful" and "NotApplicable" in series.remedy and held["pictures_only"].passed


def test_frameworks_that_differ_are_told(tmp_path):
    file = tmp_path / "apart.py"
    file.write_text(
        "import heatmark as hm\n\n"
        '@hm.register_method("apart", family="own", signed=True)\n'
        "def apart(request):\n"
        '    drawn = request.noise if request.model.framework == "torch" else None\n'
        "    return request.gradient() * (request.x if drawn else 1.0)\n",
        encoding="utf-8",
    )
    with forgotten_again():
        (found,) = contract_reports(str(file))
    (agree,) = [one for one in found.failed if one.question.startswith("both frameworks")]
    assert "the least correlation of a sample is" in agree.evidence and "request.operations" in agree.remedy
    assert found.failed == (agree,)


def test_what_cannot_be_tested_is_said(tmp_path):
    nothing = tmp_path / "nothing.py"
    nothing.write_text("x = 1\n", encoding="utf-8")
    with forgotten_again():
        with pytest.raises(BadInput, match="registers nothing"), pytest.warns(UserWarning, match="registers no method"):
            contract_reports(str(nothing), frameworks=["torch"])
        with pytest.raises(UnknownName, match=r"no file .*gone\.py.*heatmark new method"):
            contract_reports(str(tmp_path / "gone.py"))
        with pytest.raises(UnknownName, match="Did you mean 'grad_cam'"):
            contract_reports("grad_camm")
