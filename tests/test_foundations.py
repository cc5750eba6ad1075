"""The foundations: selections, parameters, registry, identity, storage."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmark.errors import BadInput, StorageError, UnknownName
from heatmark.identity import array_digest, canonical_json, digest, file_digest
from heatmark.parameters import Doc, bound, made, parameters_of
from heatmark.registry import Entry, Reference, Registry
from heatmark.selection import Selection, parse_selection, parse_selections, select
from heatmark.storage import CACHE_VARIABLE, cache_folder, set_aside, set_aside_aloud, written_whole

NAMES = st.from_regex(r"[a-z_][a-z0-9_:./-]{0,12}", fullmatch=True)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
WORDS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.]{0,8}", fullmatch=True).filter(
    lambda word: word not in ("true", "false", "null", "NaN", "Infinity")
)
VALUES = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), WORDS
)


@given(NAMES, st.none() | WORDS, st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_selection_is_read_back_from_its_text(name, variant, parameters):
    selection = select(name, variant, parameters)
    assert parse_selection(selection.text) == selection


@given(NAMES, st.dictionaries(KEYS, st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True), max_size=3))
def test_alternatives_give_every_combination(name, grid):
    items = ",".join(f"{key}={'|'.join(map(str, values))}" for key, values in grid.items())
    selections = parse_selections(f"{name}[{items}]" if items else name)
    assert len(selections) == int(np.prod([len(values) for values in grid.values()]))
    assert len(set(selections)) == len(selections)


def test_selections_by_example():
    assert parse_selections("a, b[x=1|2,y=z]") == (
        Selection("a"), Selection("b", None, (("x", 1), ("y", "z"))), Selection("b", None, (("x", 2), ("y", "z"))),
    )  # fmt: skip
    assert parse_selection("smooth[integrated_gradients[steps=3],samples=2]") == Selection(
        "smooth", "integrated_gradients[steps=3]", (("samples", 2),)
    )
    assert [item.variant for item in parse_selections("deletion[rise|plain]")] == ["rise", "plain"]
    assert parse_selections(["a,b", "a"]) == (Selection("a"), Selection("b"))
    assert parse_selection("torchvision:vgg16").name == "torchvision:vgg16"


@pytest.mark.parametrize("text", ["", "a[", "a]", "a[x=1", "a,,b", "[x=1]", "a[x=1,x=2]", "a[b,c]", "a[]", "a[x=1|]"])
def test_unreadable_selections(text):
    with pytest.raises(BadInput):
        parse_selections(text)


def example(
    x,
    *,
    steps: Annotated[int, Doc("steps", low=1, high=9)] = 5,
    share: Annotated[float, Doc("share", low=0)] = 0.5,
    kind: Literal["a", "b"] = "a",
    flag: bool = False,
    window: int | None = None,
    baseline: Annotated[str | float | np.ndarray, Doc("baseline", choices=("black",))] = "black",
):
    """An example."""


def test_parameters_are_checked():
    parameters = parameters_of(example)
    assert [parameter.name for parameter in parameters] == ["steps", "share", "kind", "flag", "window", "baseline"]
    values = bound(parameters, {"steps": 3.0, "share": 1, "window": 4, "baseline": 0.5}, "example")
    assert values == {"steps": 3, "share": 1.0, "kind": "a", "flag": False, "window": 4, "baseline": 0.5}
    assert type(values["steps"]) is int and type(values["share"]) is float
    array = np.zeros(3)
    assert bound(parameters, {"baseline": array}, "example")["baseline"] is array
    for wrong in (
        {"steps": 0}, {"steps": 10}, {"steps": 2.5}, {"steps": "x"}, {"steps": True}, {"share": -1}, {"share": None},
        {"share": float("nan")}, {"kind": "c"}, {"flag": 1}, {"window": "wide"}, {"baseline": "white"},
    ):  # fmt: skip
        with pytest.raises(BadInput, match="example: parameter"):
            bound(parameters, wrong, "example")
    with pytest.raises(UnknownName, match="Did you mean 'steps'"):
        bound(parameters, {"stepz": 1}, "example")


def test_a_registry_suggests_and_resolves_families():
    registry: Registry[Entry] = Registry("thing", "heatmark", {})
    registry.add(Entry(name="saliency", family="x", reference=Reference("A", 2000, "T", "1.2")))
    registry.add(Entry(name="folder:", family="x"))
    assert registry.find("folder:a/b")[1] == "a/b" and registry.get("saliency").reference.text == "A 2000. T, arXiv 1.2"
    with pytest.raises(UnknownName, match=r"Did you mean 'saliency'.*heatmark list things"):
        registry.get("salency")
    with pytest.raises(UnknownName):
        registry.get("folder:")
    with pytest.raises(BadInput, match="already registered"):
        registry.add(Entry(name="saliency", family="x", origin="elsewhere"))


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.randoms())
def test_canonical_json_ignores_order(values, shuffler):
    items = list(values.items())
    shuffler.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(values) and digest(dict(items)) == digest(values)


def test_digests_tell_shape_type_and_content_apart(tmp_path):
    arrays = [np.zeros(4), np.zeros((2, 2)), np.zeros(4, np.float32), np.ones(4)]
    assert len({array_digest(array) for array in arrays}) == 4
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"x": float("nan")})
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with written_whole(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    with pytest.raises(RuntimeError), written_whole(path) as temporary:
        temporary.write_text("second")
        raise RuntimeError
    assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot make the folder"), written_whole(tmp_path / "file" / "x"):
        pass
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageError, match=f"Set {CACHE_VARIABLE}"):
        cache_folder("weights")


def test_unreadable_files_are_set_aside(tmp_path):
    path = tmp_path / "cache.bin"
    for expected in ("cache.bin.corrupt", "cache.bin.corrupt-1"):
        path.write_text("x")
        assert set_aside(path).name == expected and not path.exists()


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "Free some space there"), (errno.EROFS, "Choose a folder that you can write")]
)
def test_what_to_do_about_a_folder_depends_on_what_is_wrong_with_it(tmp_path, number, remedy):
    with pytest.raises(StorageError, match=remedy), written_whole(tmp_path / "file"):
        raise OSError(number, "refused")


def test_a_damaged_cache_file_is_set_aside_with_a_warning(tmp_path):
    (tmp_path / "cache.bin").touch()
    with pytest.warns(RuntimeWarning, match=r"It is short\. It was moved to .*cache\.bin\.corrupt and is being made"):
        set_aside_aloud(tmp_path / "cache.bin", "It is short.")


@dataclass(frozen=True)
class Steps:
    count: Annotated[int, Doc("how many", low=1)] = 4
    kept: bool = True


_FINE = Steps(8)


@dataclass(frozen=True)
class Protocol:
    steps: Steps = _FINE
    fill: Annotated[str, Doc("what is filled in", choices=("black", "white"))] = "black"
    score: str = "logit"


def test_a_dataclass_declares_its_documented_fields_and_those_of_what_it_holds():
    found = parameters_of(Protocol)
    assert [(one.name, one.default, one.doc.text) for one in found] == [
        ("count", 8, "how many"),
        ("fill", "black", "what is filled in"),
    ]
    assert made(Protocol, bound(found, {}, "it")) == Protocol()
    assert made(Protocol, bound(found, {"count": 2, "fill": "white"}, "it")) == Protocol(Steps(2), "white")
    for wrong in ({"kept": False}, {"score": "probability"}, {"steps": 3}):
        with pytest.raises(UnknownName, match="it has: count, fill"):
            bound(found, wrong, "it")
    with pytest.raises(BadInput, match="at least 1"):
        bound(found, {"count": 0}, "it")


def test_a_documented_field_needs_a_default():
    @dataclass(frozen=True)
    class Open:
        count: Annotated[int, Doc("how many")]

    with pytest.raises(TypeError, match="'count' needs a default"):
        parameters_of(Open)


def test_a_fixed_field_of_a_subclass_is_no_parameter_any_more():
    @dataclass(frozen=True)
    class Fixed(Protocol):
        fill: str = "white"

    assert [one.name for one in parameters_of(Fixed)] == ["count"]
    assert made(Fixed, {"count": 8}).fill == "white"
