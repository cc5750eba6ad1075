"""The README's commands from an idea to the board, run one after another as a user types them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from made_submissions import TINY

from heatmark.benchmark.isolation import bubblewrap
from heatmark.leaderboards.trust.submission import read_reproductions, read_submission
from heatmark.leaderboards.trust.words import submitted

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"## From an idea to the board\n\n```bash\n(.*?)```", re.DOTALL)


def typed(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder."""
    command = [sys.executable, "-m", "heatmark", *words[1:]]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"}
    )


@pytest.fixture
def sandbox() -> list[str]:
    """What verifying here takes besides: nothing where a sandbox works."""
    words = [bubblewrap.PROGRAM, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"]
    works = bubblewrap.program() is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    return [] if works else ["--trust"]


@pytest.mark.slow
def test_the_commands_of_the_readme_lead_from_an_idea_to_the_site(tmp_path, sandbox):
    (section,) = SECTION.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    commands = [shlex.split(line, comments=True) for line in section.splitlines()]
    assert [words[1] for words in commands] == ["new", "test", "submit", "validate", "verify", "site"]
    (tmp_path / "tiny.toml").write_text(TINY.format(frameworks='"torch", "tensorflow"', limit=8), encoding="utf-8")
    for words in commands:
        words = ["tiny.toml" if word == "quick" else word for word in words if word != "official"]
        done = typed([*words, *(sandbox if words[1] == "verify" else [])], tmp_path)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    folder = tmp_path / "leaderboards" / "submissions" / "my_method"
    assert read_submission(folder).authors == ("A. Author",)
    (record,) = read_reproductions(folder)
    assert record.who == "C. Checker" and record.differing == 0 and record.scores == 2 * 3 * 8 * 4
    assert record.isolation == ("none" if sandbox else "bubblewrap")
    found = submitted(folder / "results")
    assert found is not None and found.trust.word == "reproduced"
    board = (tmp_path / "site" / "data" / "board.js").read_text(encoding="utf-8")
    assert '"trust":"reproduced"' in board and "reproduced by C. Checker" in board and "My Method" in board
