"""The examination as a whole: of the zoo, as data, in a run, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pytest
from networks import FRAMEWORKS
from tiny_runs import Start, start, tiny_folder

from heatmark.benchmark.checking import examine as examine_module
from heatmark.benchmark.checking.by_name import check_named
from heatmark.benchmark.checking.examination import Examination
from heatmark.benchmark.checking.examine import check
from heatmark.errors import BadInput, Doubt, NetworkFailed, NotApplicable, Untrusted
from heatmark.models.arrays.operations import Tensor
from heatmark.models.base import Model
from heatmark.models.checking import doubts
from heatmark.models.checking.finding import Finding, Verdict
from heatmark.models.checking.question import Question
from heatmark.models.wrap import wrap
from heatmark.models.zoo.shipped import ZOO

__all__ = ["start", "tiny_folder"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ZOO)
def test_every_small_network_of_the_zoo_holds(name: str, framework: str) -> None:
    found = check_named(name, framework=framework, device="cpu")
    assert [one.sentence for one in found.findings if one.verdict not in ("holds", "inapplicable")] == []
    assert "samples of" in found.inputs and found.framework == framework
    assert len(found.of("holds")) > len(found.of("inapplicable"))


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_the_large_networks_of_the_zoo_hold(name: str, framework: str) -> None:
    found = check_named(name, framework=framework, device="cpu")
    assert [one.sentence for one in found.findings if one.verdict not in ("holds", "inapplicable")] == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("place", "worst", "forward", "backward"),
    [("", "holds", 120, 40), ("behind", "fails", 300, 100)],  # where nothing agrees, every step and path is tried
)
def test_what_it_costs_is_bounded(framework: str, place: str, worst: str, forward: int, backward: int) -> None:
    """Rows that go through, those of the questions that go past the engine too."""
    pytest.importorskip(framework)
    model = planted.planted(framework, place, "halved")
    rows = {"forward": 0, "backward": 0}
    answer = model._answer

    def counted(query: Any, x: Any, *rest: Any) -> Any:
        rows["forward"] += int(x.shape[0])
        rows["backward"] += int(x.shape[0]) * query.backward
        return answer(query, x, *rest)

    model._answer = counted  # type: ignore[method-assign]
    assert check(model, planted.inputs(model)).worst == worst
    assert rows["forward"] <= forward and rows["backward"] <= backward


def test_an_examination_is_data() -> None:
    pytest.importorskip("torch")
    model = planted.planted("torch")
    asked: list[str] = []
    found = check(model, planted.inputs(model), on_question=asked.append)
    assert asked == [question.title for question in examine_module.QUESTIONS]
    assert Examination.from_plain(json.loads(json.dumps(found.plain()))) == found
    assert list(found.frame.columns) == ["question", "verdict", "evidence", "remedy"]
    assert len(found.frame) == len(found.findings) == len(asked)
    assert "✓ input gradient is the derivative" in repr(found) and found.summary in repr(found)
    assert "<table>" in found._repr_html_() and "&lt;" not in found._repr_html_()
    assert found.seconds > 0
    with pytest.raises(BadInput, match="damaged"):
        Examination.from_plain({"findings": [{"question": "?"}]})


def test_without_inputs_two_random_ones_are_taken_and_said() -> None:
    pytest.importorskip("torch")
    model = planted.planted("torch", domain=(0.0, 10.0))
    assert "two random inputs" in check(model).inputs
    with pytest.raises(BadInput, match=r"Expected a heatmark model, got str.*load_model"):
        check("small-cnn")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="takes"):
        check(model, np.zeros((1, 3, 9, 9), np.float32))


def answering(verdict: Verdict, remedy: str = "") -> Question:
    return Question("planted", lambda model, x: Finding("planted", verdict, "seen 7", remedy), cheap=True)


def raising(error: Exception) -> Question:
    def ask(model: Model, x: Tensor) -> Finding:
        raise error

    return Question("planted", ask)


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (NotApplicable("it is flat"), "inapplicable", "it is flat"),
        (NetworkFailed("net failed"), "fails", "net failed"),
        (ZeroDivisionError("oh"), "doubtful", "could not be answered: ZeroDivisionError: oh"),
    ],
)
def test_a_question_that_raises_is_answered_all_the_same(error: Exception, verdict: str, words: str) -> None:
    model: Any = None
    finding = raising(error).answer(model, None)
    assert finding.question == "planted" and finding.verdict == verdict and words in finding.evidence


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (("holds", "inapplicable"), "holds"),
        (("holds", "doubtful", "inapplicable"), "doubtful"),
        (("doubtful", "fails", "holds"), "fails"),
    ],
)
def test_the_worst_verdict_counts(verdicts: tuple[Verdict, ...], worst: str) -> None:
    findings = tuple(Finding(str(number), verdict, "") for number, verdict in enumerate(verdicts))
    assert Examination("net", "torch", "nothing", findings).worst == worst


# What wrap asks


@pytest.fixture
def doubtful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(doubts, "QUESTIONS", (answering("holds"), answering("doubtful", "Do so."), raising(KeyError())))
    yield


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_wrap_warns_of_what_is_doubtful_at_the_users_line(framework: str, doubtful: None) -> None:
    pytest.importorskip(framework)
    from networks import ARCHITECTURES, built

    from heatmark.models.architecture.nodes import initial_weights

    architecture = ARCHITECTURES["plain"]()
    net = built(architecture, framework, initial_weights(architecture, 0))
    shape = (3, 12, 12) if framework == "torch" else (12, 12, 3)
    with pytest.warns(Doubt) as caught:
        model = wrap(net, input_shape=shape, name="mine", device="cpu")
    assert [str(one.message) for one in caught] == ["mine: ! planted: seen 7 Do so."]
    assert caught[0].filename == __file__
    assert (model.passes.forward, model.passes.backward) == (0, 0)


def test_a_network_without_a_shape_is_asked_at_its_first_input(doubtful: None) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.LazyLinear(3))
    net(torch.zeros(1, 1, 6, 6))
    model = wrap(net)
    with pytest.warns(UserWarning, match="planted: seen 7") as caught:
        model.outputs(np.full((1, 1, 6, 6), 0.5, np.float32))
    assert caught[0].filename == __file__ and len(caught) == 1
    model.outputs(np.full((1, 1, 6, 6), 0.5, np.float32))  # once


# In a run


def test_a_run_asks_before_its_cells_and_keeps_the_answers(
    start: Start, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(model: Model, x: Tensor) -> Finding:
        assert not (tiny_folder / "calls").exists()  # nothing was explained yet
        asked.append(f"{model.name} {tuple(x.shape)}")
        return Finding("planted", "doubtful", "seen 7", "Do so.")

    monkeypatch.setattr(examine_module, "QUESTIONS", (Question("planted", ask),))
    result = start("counted")
    assert result.complete and asked == ["tiny (2, 1, 8, 8)"]
    (kept,) = result.store.examinations()
    assert kept["answers"]["findings"][-1]["evidence"] == "seen 7" and kept["spec"]["model"] == "tiny"
    assert kept["answers"]["inputs"] == "2 samples of tiny pictures"
    more = start("counted,counted[shade=2]", add=True)  # its cells are new, the network is not
    assert more.complete and len(asked) == 1

    from heatmark.leaderboards.board import leaderboard

    board = leaderboard(more)
    board.write()
    page = (more.path / "report.html").read_text(encoding="utf-8")
    assert "Examined before they were trusted" in page and "! planted" in page and "seen 7 <b>Do so.</b>" in page
    assert "planted" in (more.path / "leaderboard.md").read_text(encoding="utf-8")
    for file in (more.path / "networks").iterdir():  # as in a run of an older version
        file.unlink()
    leaderboard(more).write()
    assert "Examined before" not in (more.path / "report.html").read_text(encoding="utf-8")


def test_a_network_that_fails_stops_the_run_unless_forced(
    start: Start, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine_module, "QUESTIONS", (answering("fails", "Mend it."),))
    for _ in range(2):  # the second time too: asked again, for it may have been mended
        with pytest.raises(
            Untrusted, match=r"tiny in torch with tiny-pictures failed.*\n.*✗ planted: seen 7 Mend it\."
        ):
            start("counted")
        assert not (tiny_folder / "calls").exists()
    forced = start("counted", force=True)
    assert forced.complete and (tiny_folder / "calls").exists()
    monkeypatch.setattr(examine_module, "QUESTIONS", (answering("holds"),))
    assert start("counted,counted[shade=2]", add=True).complete  # mended
