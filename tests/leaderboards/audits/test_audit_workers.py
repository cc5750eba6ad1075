"""Audits in worker processes: a crash costs one method, is recorded, and is made up for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from small_audits import PLUGIN, audited

from heatmark.benchmark.audit.units import UnitJob


def test_a_crash_of_the_worker_costs_one_method_which_is_tried_again(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.setenv("AUDIT_FOLDER", str(tmp_path))
    (tmp_path / "crash").touch()
    options: dict[str, Any] = {"methods": "gradient,killing,input_x_gradient", "limit": 8, "engine": "processes"}
    options |= {"plugins": [PLUGIN], "progress": True}
    found = audited(tmp_path / "audit", **options)
    ((what, error),) = found.settings["failures"]
    assert what == "killing, halves on squares" and "torch worker process died" in error and "SIGKILL" in error
    assert found.settings["methods"] == ["gradient", "input_x_gradient"]
    (record,) = (tmp_path / "audit" / "failures").glob("*.json")
    assert json.loads(record.read_text())["spec"]["method"] == "killing"
    lines = capsys.readouterr().err.splitlines()
    assert sum(": done in " in line for line in lines) == 2 + 5 + 1
    assert any("killing · torch: FAILED: The torch worker process died" in line for line in lines)

    (tmp_path / "crash").unlink()
    again = audited(tmp_path / "audit", **options)
    (line,) = capsys.readouterr().err.splitlines()  # the rest had been done
    assert line.startswith("[1/1] halves on squares · killing · torch: done in ")
    assert again.settings["failures"] == [] and not record.exists()
    assert again.settings["methods"] == ["gradient", "killing", "input_x_gradient"]
    assert again.metrics == audited(tmp_path / "serial", **{**options, "engine": "serial"}).metrics


def test_methods_without_a_meaning_are_not_asked_again(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    asked: list[str] = []
    true = UnitJob.result
    monkeypatch.setattr(UnitJob, "result", lambda job, *given: asked.append(job.spec.method) or true(job, *given))
    for expected in (2 + 5 + 1, 0):
        found = audited(tmp_path, limit=8, methods="gradient,attention_rollout")
        assert found.settings["methods"] == ["gradient"] and found.settings["failures"] == []
        assert len(asked) == expected
        asked.clear()
