"""Plugins, entry points and callables register alike; names are restricted, and doubles name both places."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file
from types import SimpleNamespace

import pytest
from registering import forgotten_again

from heatmark.benchmark.setting.plugins import load_plugins, plugin_text
from heatmark.errors import BadInput, UnknownName
from heatmark.methods.registry import METHODS, method_from, register_method

ONE = '''
import heatmark as hm

@hm.register_method("{name}", family="own", signed=True)
def {function}(request):
    """{summary}"""
    return request.x * 1.0
'''


@pytest.fixture
def world() -> Iterator[None]:
    """Methods and modules that are registered and imported are forgotten again."""
    with forgotten_again():
        yield


def written(path: Path, name: str, function: str = "own", summary: str = "One.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ONE.format(name=name, function=function, summary=summary), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "../a", "a:b", "a,b", "a[b]", "-a", ".a", "ä", "a\n", "<b>", "a" * 65]
)
def test_names_have_letters_digits_and_three_signs(world, name):
    with pytest.raises(BadInput, match=r"cannot be used: a name has letters \(A to Z\), digits, '_', '-' and '\.'"):
        register_method(name, family="own", signed=True)(lambda request: request.x)
    assert name not in METHODS.names()


@pytest.mark.parametrize("name", ["a", "My_method-2.1", "_x", "9", "a" * 64])
def test_what_names_may_be(world, name):
    register_method(name, family="own", signed=True)(lambda request: request.x)
    assert METHODS.get(name).origin == __name__


def test_doubles_name_both_places(world, tmp_path):
    first, second = written(tmp_path / "a" / "mine.py", "own_double"), written(tmp_path / "b" / "mine.py", "own_double")
    load_plugins([str(first)])
    with pytest.raises(BadInput) as refused:
        load_plugins([str(second)])
    assert f"{first}, line 4" in str(refused.value) and f"{second}, line 4" in str(refused.value)
    assert "own_double" in METHODS.names()
    with pytest.raises(BadInput, match="'grad_cam' is already registered by heatmark, and is registered again by"):
        load_plugins([str(written(tmp_path / "c.py", "grad_cam"))])


def test_two_functions_of_one_file_may_not_have_one_name(world, tmp_path):
    file = written(tmp_path / "twice.py", "own_twice")
    file.write_text(file.read_text() + ONE.format(name="own_twice", function="other", summary="Two."))
    with pytest.raises(BadInput, match=r"twice\.py, line 4\), and is registered again by .*twice\.py, line 11"):
        load_plugins([str(file)])


def test_files_of_one_name_in_two_folders_are_two_plugins(world, tmp_path):
    for folder in ("a", "b"):
        load_plugins([str(written(tmp_path / folder / "mine.py", f"own_{folder}"))])
        load_plugins([str(tmp_path / folder / "mine.py")])  # a second time is nothing new
    one, other = METHODS.get("own_a"), METHODS.get("own_b")
    assert one.origin == "heatmark_plugin_mine" and other.origin.startswith("heatmark_plugin_mine_")


def test_entry_points_of_installed_packages_register(world, tmp_path, monkeypatch):
    """Beside a good package stand one that raises and one that takes a name; both are told, neither costs the good."""
    written(tmp_path / "pointed_good.py", "own_pointed", summary="Found.")
    (tmp_path / "pointed_bad.py").write_text("raise ValueError('out of order')", encoding="utf-8")
    written(tmp_path / "pointed_double.py", "grad_cam")
    for package in ("good", "bad", "double"):
        folder = tmp_path / f"pointed_{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pointed-{package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[heatmark.methods]\nx = pointed_{package}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(METHODS, "_points", None)
    with pytest.warns(UserWarning) as told:
        assert METHODS.get("own_pointed").summary == "Found."
    texts = [str(one.message) for one in told]
    assert len(texts) == 2
    bad, double = sorted(texts)
    assert (
        "x = pointed_bad of the package pointed-bad (heatmark.methods) cannot be used: ValueError: out of order" in bad
    )
    assert "pointed-double" in double and "already registered by heatmark" in double and "pointed_double.py" in double


class Weighted:
    """The input, weighted."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, request, *, power: int = 1):
        return self.weight * request.x**power

    def __repr__(self) -> str:
        return f"Weighted({self.weight})"


def weighted(request, weight, *, power: int = 1):
    """The input, weighted."""
    return weight * request.x**power


@pytest.mark.parametrize("made", [Weighted, lambda weight: partial(weighted, weight=weight)], ids=["object", "partial"])
def test_callables_register_like_functions(world, made):
    identities = []
    for weight in (2.0, 3.0):
        register_method("own_weighted", family="own", signed=True)(made(weight))
        method = method_from("own_weighted[power=2]")
        assert method.entry.summary == "The input, weighted." and method.entry.origin == __name__
        assert method.parameters["power"] == 2
        assert method.entry.function(SimpleNamespace(x=3.0), **dict(method.parameters, power=2)) == 9 * weight
        identities.append(method.identity()["source"])
    assert identities[0] != identities[1] and "unknown" not in identities


def test_a_plugin_is_a_file_a_module_or_what_was_registered(world, tmp_path):
    file = written(tmp_path / "mine.py", "own_file")
    load_plugins([str(file)])
    function = METHODS.get("own_file").function
    assert plugin_text(function) == plugin_text(sys.modules[function.__module__]) == str(file)
    assert plugin_text(str(file)) == plugin_text(file) == str(file) and plugin_text(Weighted(1.0)) == __name__
    with pytest.raises(BadInput, match="A plugin is a module's name"):
        plugin_text(3)
    with pytest.raises(UnknownName):
        load_plugins(["no_such_module"])


def test_a_compiled_copy_beside_a_file_is_neither_used_nor_left(world, tmp_path):
    path = written(tmp_path / "mine" / "mine.py", "another")
    copy = Path(cache_from_source(str(path)))
    compile_file(str(path), cfile=str(copy), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    load_plugins([str(written(path, "own"))])
    assert "own" in METHODS.names() and "another" not in METHODS.names()
    load_plugins([str(written(tmp_path / "fresh" / "fresh.py", "fresh"))])
    assert [file.name for file in (tmp_path / "fresh").iterdir()] == ["fresh.py"]
