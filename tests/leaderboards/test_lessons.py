"""What `heatmark show` teaches: something of every method and metric, its audit in words, a command that exists."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_audits import made
from typer.testing import CliRunner

from heatmark.benchmark.suite import load_suite
from heatmark.cli.main import app
from heatmark.definitions import Lesson
from heatmark.errors import NotApplicable
from heatmark.leaderboards.lessons import audit_in_words, bar, taught_method, taught_metric
from heatmark.leaderboards.sketch import lines, sketch
from heatmark.methods.families import READINGS as METHOD_READINGS
from heatmark.methods.registry import METHODS, method_from
from heatmark.metrics.families import READINGS as METRIC_READINGS
from heatmark.metrics.registry import METRICS, metric_from
from heatmark.selection import parse_selections

WIDTH = 80


def test_every_metric_teaches() -> None:
    for entry in METRICS:
        if entry.origin == "heatmark":
            lesson = entry.lesson
            assert lesson.formula and lesson.reading and lesson.weaknesses and METRIC_READINGS[entry.family], entry.name


def test_every_method_teaches() -> None:
    for entry in METHODS:
        if entry.origin != "heatmark":
            continue
        assert METHOD_READINGS[entry.family], entry.name
        if entry.family != "peer":  # those are the libraries' own, and say which
            assert entry.lesson.formula and entry.lesson.weaknesses, entry.name


def test_no_two_entries_have_one_formula_by_mistake() -> None:
    """A preset is another protocol of one formula; another entry has another formula."""
    for registry in (METRICS, METHODS):
        formulas = [entry.lesson.formula for entry in registry if entry.lesson.formula]
        assert len(set(formulas)) == len(formulas)


def test_sections_are_read_from_a_docstring() -> None:
    @dataclass(frozen=True)
    class Taught:
        """Summary.

        More that is no section.

        Formula
        -------
        a = b +
        c

        Weaknesses
        ----------
        Many.
        """

    assert Lesson.of(Taught) == Lesson("a = b + c", "", "Many.")
    assert Lesson.of(lambda: None) == Lesson()


@pytest.mark.parametrize("taught", [taught_metric, taught_method])
def test_lessons_fit_and_their_commands_name_what_there_is(taught) -> None:
    for entry in METRICS if taught is taught_metric else METHODS:
        if entry.origin != "heatmark":
            continue
        found = taught(entry.name)
        assert all(len(line) <= WIDTH for line in found.lines(WIDTH) if not line.startswith("  heatmark ")), entry.name
        heatmark, command, *words = shlex.split(found.example)
        options = {word: words[place + 1] for place, word in enumerate(words) if word.startswith("--")}
        assert heatmark == "heatmark" and command in ("run", "explain")
        for name in parse_selections(options.get("--methods", ())):
            method_from(name)
        for name in parse_selections(options.get("--metrics", ())):
            metric_from(name)
        if command == "run" and not words[0].startswith("--"):
            load_suite(words[0])


def test_an_audit_is_told_in_words_and_bars() -> None:
    passed = list(audit_in_words(made({})))
    assert passed[0] == "✓ Passed (on data 0)." and not any("as well as" in line for line in passed)
    weak = replace(made({"reactivity": 0.1}), metric="deletion")
    (line,) = [line for line in audit_in_words(weak) if "beats noise" in line]
    assert line.startswith(bar(0.1)) and " 0.10 " in line and bar(0.1).count("█") == 2
    assert any(line.startswith("Noise scores as well as maps") for line in audit_in_words(weak))
    assert [bar(share) for share in (-1.0, 0.0, 1.0, 2.0)] == ["░" * 20, "░" * 20, "█" * 20, "█" * 20]


def test_an_audit_belongs_to_its_protocol() -> None:
    assert any("controls" in line for line in taught_metric("deletion").audit)
    assert "Not audited at this protocol" in taught_metric("deletion[steps=3]").audit[0]
    assert '--metrics "deletion[steps=3]"' in taught_metric("deletion[steps=3]").audit[0]


def test_the_command_teaches() -> None:
    text = CliRunner().invoke(app, ["show", "metric", "deletion[steps=8]"]).output
    for words in ("Deletion (steps 8)", "Formula", "How to read it", "Known weaknesses", "8 equal steps", "Try it"):
        assert words in text
    facts = json.loads(CliRunner().invoke(app, ["show", "method", "rise", "--json"]).output)
    assert facts["title"] == "RISE" and facts["formula"].startswith("R = ") and facts["audit"] == []
    refused = CliRunner().invoke(app, ["show", "metric", "deletion", "--picture"])
    assert refused.exit_code == 2 and "of a method, not a metric" in refused.output


def test_a_picture_shows_size_and_sign() -> None:
    values = np.array([[0.0, 1.0, 0.5], [-1.0, -0.5, 0.25]])
    assert list(lines(values)) == ["  ██▒▒", "OO::░░"]
    assert list(lines(np.zeros((1, 2)))) == ["    "]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_method_is_drawn_by_a_network_it_applies_to(framework: str) -> None:
    pytest.importorskip(framework)
    head, *rows = sketch("constant", framework)
    assert "small-cnn" in head and all(row.endswith(f"|{'█' * 16}|") for row in rows[:8])
    assert any("█" in row[1:17] for row in rows[:8])  # the digit itself
    assert "vit-tiny" in next(iter(sketch("raw_attention", framework)))
    with pytest.raises(NotApplicable, match="mask"):
        list(sketch("oracle", framework))
