"""What a process that is not trusted says of its methods is checked before any of it is used."""

from __future__ import annotations

import inspect
import json
from typing import Annotated

import pytest

from heatmark.benchmark.isolation.description import told, understood
from heatmark.errors import BadInput
from heatmark.methods.registry import METHODS, MethodEntry
from heatmark.parameters import Doc, parameters_of


def method(request, *, steps: Annotated[int, Doc("points", low=1, high=9)] = 5, mode: str | float = "a"):
    """Sees all.

    Weaknesses
    ----------
    Many.
    """


def entry(**fields):
    return MethodEntry(**{"name": "mine", "family": "gradient", "signed": True, "function": method, **fields})


def test_a_method_is_told_and_understood():
    fields = understood(told(entry(needs=frozenset({"gradients"}), presets={"paper": {"steps": 3}}, version=2)))
    again = MethodEntry(**fields)
    assert parameters_of(again.function) == parameters_of(method)
    assert again.lesson.weaknesses == "Many." and again.summary == "Sees all."
    assert (again.needs, again.presets, again.version) == ({"gradients"}, {"paper": {"steps": 3}}, 2)
    assert inspect.signature(again.function).parameters["steps"].default == 5


@pytest.mark.parametrize("name", [item.name for item in METHODS if not callable(item.signed) and not item.reads])
def test_heatmarks_own_methods_could_be_told(name):
    """All but their names and titles, which are taken."""
    known = METHODS.get(name)
    if known.is_control:
        return
    fields = understood(json.loads(json.dumps({**told(known), "name": "other", "title": "Other"})))
    again = MethodEntry(**fields)
    plain = [(item.name, item.default, item.doc.low, item.doc.high) for item in known.parameters]
    assert [(item.name, item.default, item.doc.low, item.doc.high) for item in again.parameters] == plain
    assert (again.needs, again.frameworks, again.pooling) == (known.needs - {"masks"}, known.frameworks, known.pooling)
    assert again.requires == known.requires


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "<script>alert(1)</script>"}, "cannot be called"),
        ({"name": "../../etc/passwd"}, "cannot be called"),
        ({"name": "x" * 65}, "cannot be called"),
        ({"name": ""}, "cannot be called"),
        ({"name": ["x"]}, "cannot be called"),
        ({"name": "a\x1b[2J"}, "cannot be called"),
        ({"family": "control"}, "family"),
        ({"family": 3}, "family"),
        ({"title": "grad-cam"}, "that of another method"),
        ({"needs": ["everything"]}, "unknown"),
        ({"needs": "x"}, "list"),
        ({"frameworks": []}, "no framework"),
        ({"pooling": "best"}, "pooling"),
        ({"signed": 1}, "signed"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"presets": {"a": {"b": [1]}}}, "preset"),
        ({"presets": 3}, "cannot be used"),
        ({"parameters": [{}]}, "cannot be used"),
        ({"parameters": [0] * 65}, "list"),
        ({"requires": {"name": "x", "framework": "torch", "packages": ["a; rm -rf"], "install": ""}}, "library"),
        ({"text": 3}, "cannot be used"),
        ({"reference": {"authors": "x"}}, "cannot be used"),
    ],
)
def test_what_misleads_is_refused(changes, said):
    with pytest.raises(BadInput, match=said):
        understood({**told(entry()), **changes})


@pytest.mark.parametrize("parameter", [{"name": "__class__ x"}, {"default": [1]}, {"types": ["Path"]}, {"low": "x"}])
def test_parameters_that_mislead_are_refused(parameter):
    data = told(entry())
    with pytest.raises(BadInput):
        understood({**data, "parameters": [{**data["parameters"][0], **parameter}]})


@pytest.mark.parametrize("data", [None, 3, [], {}, {"name": "x"}])
def test_what_is_no_description_is_refused(data):
    with pytest.raises(BadInput):
        understood(data)


def test_what_cannot_be_told_is_refused():
    with pytest.raises(BadInput, match="signed is a function"):
        told(entry(signed=lambda values: True))
    with pytest.raises(BadInput, match="data set"):
        told(entry(reads="steps"))
