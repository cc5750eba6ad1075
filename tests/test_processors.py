"""The runner that takes other processors' part: its settings, and that its lists of tests are true."""

from __future__ import annotations

from pathlib import Path

import processors
import pytest
from processors import LONG, NATIVE, NOT_LIMITED, SETTINGS, SHORT, capability, environment, left_out, places

AVX2, SSE41 = SETTINGS[1:]


def test_every_listed_test_is_there():
    for place in places((*SHORT, *LONG, *NOT_LIMITED)):
        file, _, test = place.partition("[")[0].partition("::")
        assert f"def {test}" in Path(file).read_text("utf-8")
    assert len(set(SHORT)) == len(SHORT) and list(LONG) == sorted(set(LONG)) and list(SHORT) == sorted(SHORT)
    assert {name.partition("::")[0] for name in SHORT} <= set(LONG)


@pytest.mark.parametrize(
    ("native", "expected"),
    [("AVX512", (True, True)), ("AVX2", (False, True)), ("DEFAULT", (False, False)), ("SVE256", (False, False))],
)
def test_what_a_processor_lacks_or_has_anyway_is_left_out(native, expected):
    assert tuple(left_out(setting, native) == "" for setting in (AVX2, SSE41)) == expected
    assert left_out(NATIVE, native) == ""
    assert native in left_out(AVX2, native) or native == "AVX512"


def test_a_setting_is_what_the_process_gets(monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert not environment(NATIVE).keys() & AVX2.variables.keys()
    pytest.importorskip("torch")
    assert capability(SSE41) == "DEFAULT" or left_out(SSE41, capability(NATIVE)) != ""


def test_it_says_what_runs_and_fails_where_a_setting_fails(monkeypatch, capfd):
    monkeypatch.setattr(processors, "capability", lambda setting: setting.gives or "AVX512")
    monkeypatch.setattr(processors, "SHORT", ("test_processors.py::test_every_listed_test_is_there",))
    assert processors.main([]) == 0
    said = capfd.readouterr().out
    assert f"== avx2 ({AVX2.words}): PyTorch says AVX2 ==" in said and "ATEN_CPU_CAPABILITY=avx2 " in AVX2.words
    assert said.count("1 passed") == 2 and "native" not in said
    monkeypatch.setattr(processors, "SHORT", ("test_processors.py::there_is_none",))
    assert processors.main(["--only", "sse41"]) == 1
    assert "Failed as other processors: sse41" in capfd.readouterr().out
    monkeypatch.setattr(processors, "capability", lambda setting: "DEFAULT")
    assert processors.main([]) == 0
    assert capfd.readouterr().out.count("left out, this processor") == 2
