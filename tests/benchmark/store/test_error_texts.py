"""Whatever an error's text is, it can be kept and shown, and is no flood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import specification

from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.store.outcomes import MOST_OF_A_TRACEBACK, Failed, NotMeant, outcome_of
from heatmark.errors import MOST_CHARACTERS, NotApplicable, error_in_words, shortened


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raising(error: BaseException) -> None:
    raise error


LONG = f"it begins here {'x' * 50_000_000} and ends here"


@pytest.mark.parametrize(
    "error",
    [ValueError(LONG), ValueError("caf\udce9"), Silent(), SystemExit(3), MemoryError(), GeneratorExit(), ValueError()],
    ids=lambda error: type(error).__name__,
)
def test_every_error_becomes_a_failure_that_can_be_kept(tmp_path: Path, error: BaseException) -> None:
    failure = outcome_of(raising, error)
    assert isinstance(failure, Failed) and type(error).__name__ in failure.error
    assert len(failure.error) < MOST_CHARACTERS + 100 and len(failure.traceback) < MOST_OF_A_TRACEBACK + 100
    assert "raising" in failure.traceback
    store, spec = RunStore.prepared(tmp_path / "run"), specification("m0")
    store.begin({"name": "made", "suite": {}}, [spec])
    store.keep(spec, failure)
    (kept,) = store.failures()
    assert (kept.error, kept.traceback) == (failure.error, failure.traceback)


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    told = error_in_words(ValueError(LONG))
    assert told.startswith("ValueError: it begins here") and told.endswith("and ends here")
    assert "characters left out" in told
    assert shortened("short") == "short" and shortened("x" * MOST_CHARACTERS) == "x" * MOST_CHARACTERS
    reason = outcome_of(raising, NotApplicable(LONG))
    assert isinstance(reason, NotMeant) and len(reason.reason) < MOST_CHARACTERS + 100
    json.dumps(told).encode("utf-8")


def test_ctrl_c_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        outcome_of(raising, KeyboardInterrupt())


def test_long_texts_that_earlier_versions_kept_are_shortened_when_they_are_read(tmp_path: Path) -> None:
    store, spec = RunStore.prepared(tmp_path / "run"), specification("m0")
    store.begin({"name": "made", "suite": {}}, [spec])
    record = {"key": spec.key, "spec": spec.plain(), "error": "x" * 10**6, "traceback": "y" * 10**6}
    (store.path / "failures" / f"{spec.key}.json").write_text(json.dumps(record))
    (kept,) = store.failures()
    assert len(kept.error) < MOST_CHARACTERS + 100 and len(kept.traceback) < MOST_OF_A_TRACEBACK + 100
