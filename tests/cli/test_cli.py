"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from heatmark.cli.main import app

PLUGIN = str(Path(__file__).parents[1] / "shared" / "plugins" / "tiny_plugin.py")


@pytest.fixture(autouse=True)
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    monkeypatch.setenv("TINY_FOLDER", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return folder


def called(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def run_tiny(methods: str, *more: str) -> Result:
    pytest.importorskip("torch")
    options = ["--models", "tiny", "--data", "tiny-pictures", "--metrics", "average_drop,deletion[steps=4]"]
    options += ["--frameworks", "torch", "--device", "cpu", "--engine", "serial", "--out", "run", "--plugin", PLUGIN]
    return called("run", "--methods", methods, *options, *more)


def test_help_is_there_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from heatmark.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'pandas', 'pyarrow', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    for command in (
        "run",
        "leaderboard",
        "list",
        "show",
        "status",
        "explain",
        "sweep",
        "doctor",
        "check",
        "prepare",
        "train",
        "predict",
        "runtime",
    ):
        assert f"\n  {command} " in answer.stdout


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "check",
        "leaderboard",
        "list",
        "show",
        "status",
        "explain",
        "sweep",
        "prepare",
        "train",
        "predict",
        "runtime",
    ],
)
def test_every_command_shows_an_example(command: str) -> None:
    result = called(command, "--help")
    assert result.exit_code == 0 and f"heatmark {command}" in result.stdout


def test_the_version_is_printed() -> None:
    from importlib.metadata import version

    assert called("--version").stdout.strip() == version("heatmark")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("methods", "integrated_gradients"),
        ("metrics", "deletion"),
        ("datasets", "imagenet-samples"),
        ("models", "efficientnet-lite0"),
        ("suites", "quick"),
    ],
)
def test_lists(kind: str, name: str) -> None:
    assert name in called("list", kind).stdout
    entries = json.loads(called("list", kind, "--json").stdout)
    entry = next(entry for entry in entries if entry["name"] == name)
    assert len(entry) > 4


def test_a_method_is_shown_with_parameters_and_reference() -> None:
    text = called("show", "method", "integrated_gradients[steps=5]").stdout
    for part in ("Sundararajan", "steps", "baseline", "signed", "yes"):
        assert part in text
    facts = json.loads(called("show", "metric", "deletion", "--json").stdout)
    assert facts["higher_is_better"] is False
    assert {"name", "default", "allowed", "meaning", "source"} == set(facts["parameters"][0])


def test_a_selection_is_shown_with_its_values() -> None:
    facts = json.loads(called("show", "metric", "deletion[rise,score=logit,steps=8]", "--json").stdout)
    values = {parameter["name"]: (parameter["here"], parameter["default"]) for parameter in facts["parameters"]}
    assert values == {"steps": (8, 28), "fill": ("zero", "neutral"), "score": ("logit", "probability")}
    assert facts["range"] == [None, None] and facts["cost"].startswith("9 shared")
    text = called("show", "method", "integrated_gradients[steps=5]").stdout
    assert any(row.split()[:3] == ["steps", "5", "50"] for row in text.splitlines())


def test_signedness_is_shown_as_the_parameters_say() -> None:
    names = ("smoothgrad", "smoothgrad[squared]", "smoothgrad[samples=3]", "saliency")
    found = [json.loads(called("show", "method", name, "--json").stdout)["signed"] for name in names]
    assert found == ["as the parameters say", False, True, False]


def test_a_suite_is_shown() -> None:
    assert json.loads(called("show", "suite", "quick", "--json").stdout)["target"] == "predicted"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "method", "salency"], "Did you mean 'saliency'"),
        (["show", "dataset", "digit"], "Did you mean 'digits'"),
        (["show", "metric", "average_drop[score=log_probability]"], "'score' is one of probability, logit"),
        (["show", "method", "integrated_gradients[step=5]"], "Did you mean 'steps'"),
        (["run", "quik"], "Did you mean 'quick'"),
        (["run", "--methods", "salency"], "Did you mean 'saliency'"),
        (["run", "--methods", "rise[masks=0]"], "rise"),
        (["run", "--frameworks", "jax"], "Unknown framework 'jax'"),
        (["status", "nowhere"], "holds no run"),
        (["leaderboard", "nowhere"], "holds no run"),
        (["prepare", "imagenet-sampels"], "Did you mean 'imagenet-samples'"),
        (["train", "small-cn", "--data", "digits"], "Did you mean 'small-cnn'"),
        (["explain", "none.png"], "Cannot read none.png"),
        (["show", "model", "smal-cnn"], "Did you mean 'small-cnn'"),
        (["list"], "Missing argument 'methods|metrics|datasets|models|suites|published'"),
        (["show"], "Missing argument 'method|metric|dataset|model|suite|published|plan'"),
        (["list", "method"], "nothing to list called 'method'. Did you mean 'methods'"),
        (["show", "methods", "saliency"], "nothing to show called 'methods'. Did you mean 'method'"),
        (["sweep", "smoothgrad", "noise=0.02:0.5"], "is low:high:count, such as 0.02:0.5:6"),
        (["predict", "smal-cnn", "--data", "digits"], "Did you mean 'small-cnn'"),
        (["predict", "small-cnn", "--data", "digit"], "Did you mean 'digits'"),
        (["predict", "small-cnn", "--data", "digits", "--top", "0"], "top is at least 1"),
        (["predict", "small-cnn", "--data", "digits", "--part", "test"], "part is one of held-out, all"),
        (["run", "--part", "test"], "Unknown part 'test'"),
        (["run", "--per-class", "0"], "per_class is a whole number of at least 1"),
        (["explain", "a.png", "--limit", "3"], "choose among a folder's pictures"),
        (["explain", "a.png", "--data", "digits"], "belong to --average"),
        (["train", "small-cnn", "--data", "digits", "--curves", "c.txt"], "c.txt"),
    ],
)
def test_mistakes_get_one_clear_message(words: list[str], message: str) -> None:
    result = called(*words)
    assert result.exit_code == 2
    assert message in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_unknown_option_is_refused() -> None:
    result = called("run", "--metods", "saliency")
    assert result.exit_code == 2 and "--metods" in result.stderr


def test_a_run_writes_its_leaderboard(tmp_path: Path) -> None:
    result = run_tiny("counted,random", "--limit", "3")
    assert result.exit_code == 0, result.stderr
    assert "2 of 2 cells done" in result.stdout and "Counted" in result.stdout
    for name in ("leaderboard.csv", "leaderboard.md", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 100
    again = called("leaderboard", "run", "--out", "elsewhere")
    assert again.exit_code == 0 and (tmp_path / "elsewhere" / "leaderboard.csv").is_file()
    assert (tmp_path / "elsewhere" / "leaderboard.csv").read_bytes() == (
        tmp_path / "run" / "leaderboard.csv"
    ).read_bytes()


def test_without_a_terminal_progress_is_plain_lines() -> None:
    result = run_tiny("counted,random", "--limit", "3")
    examined, *lines = [line for line in result.stderr.splitlines() if line.startswith("[")]
    assert examined.startswith("[1/1] tiny on tiny-pictures · examined · torch: ") and "questions hold" in examined
    assert lines[0].startswith("[1/2] tiny on tiny-pictures") and "done in" in lines[0]
    assert lines[-1].startswith("[2/2]") and "images/s" in lines[-1]
    assert "\x1b" not in result.stderr


def test_failed_cells_show_in_output_status_and_exit_code(tiny_folder: Path) -> None:
    (tiny_folder / "broken").touch()
    result = run_tiny("breaking,counted,rectified")
    assert result.exit_code == 1
    assert "1 cell failed: ValueError: broken on purpose" in result.stderr
    text = called("status", "run").stdout
    assert "broken on purpose" in text and "not applicable: rectified" in text
    facts = json.loads(called("status", "run", "--json").stdout)
    (row,) = facts["rows"]
    assert (row["done"], row["failed"], row["missing"], row["not_applicable"]) == (1, 1, 0, 1)
    assert facts["complete"] is False
    (tiny_folder / "broken").unlink()
    assert run_tiny("breaking,counted,rectified").exit_code == 0


def test_where_nothing_applies_the_status_says_so() -> None:
    result = run_tiny("rectified")
    assert result.exit_code == 1
    assert "not applicable: rectified: " in result.stderr and "None of the methods applies here" in result.stderr
    assert run_tiny("rectified,counted", "--force").exit_code == 0


def test_another_runs_folder_is_refused_unless_told(tmp_path: Path) -> None:
    assert run_tiny("counted").exit_code == 0
    before = (tmp_path / "run" / "report.html").read_bytes()
    refused = run_tiny("random")
    assert refused.exit_code == 2 and "holds another run, tiny on tiny-pictures" in refused.stderr
    assert (tmp_path / "run" / "report.html").read_bytes() == before
    joined = run_tiny("random", "--add")
    assert joined.exit_code == 0 and "Leaderboard: tiny on tiny-pictures" in joined.stdout
    assert run_tiny("random", "--force").exit_code == 0


def test_a_plugin_that_registers_nothing_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("def my_method(request):\n    return request.x\n")
    with pytest.warns(UserWarning, match=r"empty\.py registers no method, metric, model or dataset.*register_method"):
        run_tiny("counted", "--plugin", str(tmp_path / "empty.py"))
    (tmp_path / "full.py").write_text(
        "import heatmark as hm\n@hm.register_method('from_full', family='own', signed=True)\n"
        "def my_method(request):\n    return request.x * 1.0\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_tiny("from_full", "--plugin", str(tmp_path / "full.py"), "--out", "b").exit_code == 0


def test_ctrl_c_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from heatmark.benchmark.work.worker import Worker

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Worker, "run", stop)
    result = run_tiny("counted")
    assert result.exit_code == 130
    assert "Resume with: heatmark run quick --models tiny" in result.stderr


def test_prepare_reports_a_dataset() -> None:
    from heatmark.datasets.registry import load_dataset

    result = called("prepare", "digits")
    assert result.exit_code == 0 and f"{len(load_dataset('digits'))} samples" in result.stdout


def test_doctor_tells_versions_devices_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.setting import diagnosis

    monkeypatch.setattr(
        diagnosis, "imported_apart", lambda: {"torch": {"devices": ["cpu"]}, "keras": {"problem": "?!"}}
    )
    monkeypatch.setattr(diagnosis, "misfits", lambda packages: ["a 1 needs b<2, and 2 is installed"])
    monkeypatch.setitem(diagnosis.EXTRAS, "samples", ("no-such-package",))
    monkeypatch.setattr(diagnosis, "why_not", lambda level: "it is not there" if level == "bubblewrap" else "")
    text = called("doctor").stdout
    assert re.search("untrusted code is kept apart by +landlock", text)
    assert re.search("bubblewrap does not hold +it is not there", text)
    assert "torch runs on" in text and "cores" in text
    assert "Missing: no-such-package. Install with: pip install 'heatmark[samples]'" in text
    assert "\nkeras: ?!\n" in text and "Does not fit: a 1 needs b<2, and 2 is installed\n" in text
    assert "everything can be imported" not in text


def test_doctor_imports_packages_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that raises, one that ends its process, and those after them that work."""
    from heatmark.benchmark.setting import diagnosis

    (tmp_path / "raising.py").write_text("print('chatter')\nraise OSError('libfoo.so.3 is missing')\n")
    (tmp_path / "dying.py").write_text("import os\nos._exit(7)\n")
    (tmp_path / "fine.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(diagnosis, "TOGETHER", (("raising", "dying", "absent", "fine"),))
    monkeypatch.setattr(diagnosis, "package_version", lambda name: None if name == "absent" else "1")
    found = diagnosis.imported_apart()
    assert "OSError: libfoo.so.3 is missing" in found["raising"]["problem"]
    assert "exit status 7" in found["dying"]["problem"]
    assert found["fine"].get("problem") is None and "absent" not in found
    assert not {"raising", "dying", "fine"} & set(sys.modules)


def test_doctor_finds_the_devices_of_a_framework() -> None:
    pytest.importorskip("torch")
    from heatmark.benchmark.setting.diagnosis import import_and_tell

    assert import_and_tell("torch")["devices"][0] == "cpu"


def test_doctor_says_which_versions_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from heatmark.benchmark.setting import diagnosis

    wanted = {"one": ["two<2,>=1", "absent>=1", "three>9; extra == 'more'", "four>9; python_version < '3'"], "two": []}
    versions = {"one": "1.0", "two": "2.5", "three": "1", "four": "1"}
    monkeypatch.setattr(diagnosis, "_requirements", lambda name: wanted[name])
    monkeypatch.setattr(diagnosis, "package_version", versions.get)
    (found,) = diagnosis.misfits(["one", "two", "one"])
    assert found == "one 1.0 needs two<2,>=1, and 2.5 is installed: pip install 'two<2,>=1'"
