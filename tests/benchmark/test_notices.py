"""What reaches the user's terminal besides results: notices, warnings, native chatter, and the count of images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heatmark.benchmark.executors.worker_main import _Throttled


def printed(code: str, folder: Path) -> str:
    """Return what a Python process of its own writes to standard error."""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd=folder
    )
    return answer.stderr


def test_heatmarks_own_notices_are_one_plain_line(tmp_path: Path) -> None:
    code = (
        "import logging, warnings\n"
        "from heatmark.benchmark.executors import log_lines as notices\n"
        "notices.show_notices(); notices.show_notices()\n"
        "logging.getLogger('heatmark.datasets.fetching').info('Fetching %s.', 'mnist')\n"
        "logging.getLogger('another.library').info('chatter')\n"
        "warnings.warn_explicit('It is damaged.', RuntimeWarning, notices.__file__, 1)\n"
        "from heatmark.errors import Doubt\n"
        "warnings.warn('net: it is doubtful.', Doubt)\n"
        "warnings.warn('of another', UserWarning)\n"
    )
    lines = printed(code, tmp_path).splitlines()
    told = ["heatmark: Fetching mnist.", "heatmark: It is damaged.", "heatmark: net: it is doubtful."]
    assert lines[:3] == told
    assert "UserWarning: of another" in lines[3] and len(lines) == 4


NOISY = "import os\nos.write(2, b'I0000 port.cc: on processors and drivers\\n')\n"


def test_native_chatter_at_import_is_kept_from_the_user(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    code = (
        "from heatmark.models.importing import imported\n"
        "import os\n"
        "assert imported('noisy').__name__ == 'noisy'\n"
        "os.write(2, b'later\\n')\n"
    )
    assert printed(code, tmp_path) == "later\n"


def test_native_chatter_is_shown_where_the_import_fails(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY + "raise ImportError('no driver')\n")
    text = printed("from heatmark.models.importing import imported\nimported('noisy')\n", tmp_path)
    assert text.startswith("I0000 port.cc") and "ImportError: no driver" in text


def test_an_import_without_standard_error_still_works(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text("")
    code = (
        "import os, sys\n"
        "from heatmark.models.importing import imported\n"
        "os.close(2)\n"
        "imported('quiet')\n"
        "open('done', 'w').close()\n"
    )
    printed(code, tmp_path)
    assert (tmp_path / "done").is_file()


class Pipe:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send(self, images: int) -> None:
        self.sent.append(images)


def test_the_images_of_a_short_cell_are_counted() -> None:
    pipe = Pipe()
    report = _Throttled(pipe)  # type: ignore[arg-type]
    report(3)
    report(4)
    assert pipe.sent == []
    report.flush()
    report.flush()
    assert pipe.sent == [7]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_importing_a_framework_for_a_model_is_quiet(framework: str, tmp_path: Path) -> None:
    pytest.importorskip(framework)
    code = (
        "import os\n"
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"  # as the command line and the workers set it
        "from heatmark.models.devices import resolved_device\n"
        f"print(resolved_device({framework!r}, 'auto'))\n"
    )
    assert printed(code, tmp_path) == ""
