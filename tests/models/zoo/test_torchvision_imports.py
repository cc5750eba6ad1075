"""torchvision can be imported beside a PyTorch that it was not built for, whoever imports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_torchvision_imports_beside_a_cpu_build() -> None:
    script = (
        "from heatmark.models.zoo.torchvision_operators import import_torchvision; tv = import_torchvision()\n"
        "import gc, torch; gc.collect(); assert import_torchvision() is tv\n"
        "assert hasattr(torch.ops.torchvision, 'nms')\n"
        "print(tuple(tv.models.squeezenet1_1().eval()(torch.zeros(1, 3, 64, 64)).shape))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 1000)", done.stderr


def test_a_file_of_ones_own_may_import_torchvision(tmp_path: Path) -> None:
    """In a process of its own, where nobody has imported it before."""
    (tmp_path / "net.py").write_text(
        "import torchvision\n"
        "def build():\n"
        "    from torchvision.models import squeezenet1_1\n"
        "    return squeezenet1_1(num_classes=3)\n"
    )
    (tmp_path / "plugin.py").write_text("import torchvision\n")
    loading = {
        "model": "from heatmark.models.zoo.user_models import model_from_text as load; load('net.py:build', 'cpu')",
        "plugin": "from heatmark.benchmark.setting.plugins import load_plugins as load; load(['plugin.py'])",
    }
    for script in loading.values():
        command = [sys.executable, "-c", f"import sys; {script}; print('torchvision' in sys.modules)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.stdout.strip() == "True", done.stderr
