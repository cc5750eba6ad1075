"""Run tests as other processors would: with the instructions limited that PyTorch, oneDNN and MKL may use.

``python tests/processors.py`` is the short form, with which `tox -e tests` ends; ``tox -e processors`` is the long one.

PyTorch obeys its variable without asking the processor, which would die of an unknown instruction. So a setting that
this processor cannot have is left out, and said; so is one that is what the processor does anyway.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent

#: What PyTorch says of a processor with more and more instructions; others (of ARM, of POWER) are like the first.
CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")

SHORT = (
    "test_gradient_family.py",
    "test_ground_truth_datasets.py::test_networks_use_what_the_masks_mark",
    "test_methods.py::test_frameworks_agree",
    "test_metrics.py::test_frameworks_agree",
    "test_propagation.py::test_relevance_variants_agree_between_frameworks",
    "test_rank_correlation.py",
    "test_shipped_networks.py::test_both_frameworks_say_what_is_recorded",
    "test_transformers.py::test_frameworks_agree",
    "test_transformers.py::test_legrad_by_running_the_blocks",
)
"""The same maps and scores in both frameworks, known answers, and margins: files, or single tests of them."""

LONG = (
    "test_array_operations.py",
    "test_attention_seen.py",
    "test_audit.py",
    "test_audit_statistics.py",
    "test_axiom_metrics.py",
    "test_cam_family.py",
    "test_chunk_size.py",
    "test_complexity_metrics.py",
    "test_curve_metrics.py",
    "test_device_parity.py",
    "test_gradient_family.py",
    "test_ground_truth_datasets.py",
    "test_imputation.py",
    "test_information_curves.py",
    "test_localisation_metrics.py",
    "test_methods.py",
    "test_metric_references.py",
    "test_metrics.py",
    "test_mistakes.py",
    "test_model_interface.py",
    "test_open_input_shapes.py",
    "test_perturbation.py",
    "test_perturbations.py",
    "test_propagation.py",
    "test_propagation_graph.py",
    "test_randomisation_metrics.py",
    "test_randomised_models.py",
    "test_rank_correlation.py",
    "test_rescore.py",
    "test_robustness_metrics.py",
    "test_run.py",
    "test_run_own_models.py",
    "test_score_rounding.py",
    "test_shipped_networks.py",
    "test_sise.py",
    "test_small_inputs.py",
    "test_statistics.py",
    "test_subset_metrics.py",
    "test_trained_parity.py",
    "test_transformers.py",
    "test_zoo_architecture.py",
    "test_zoo_loaders.py",
    "test_zoo_training.py",
    "test_zoo_weights.py",
)
"""Everything that computes with a network."""

NOT_LIMITED = (
    "test_device_parity.py::test_bfloat16_on_the_processor_gives_nearly_the_same_maps[tensorflow]",
    "test_randomised_models.py::test_the_copy_that_runs_in_bfloat16_is_randomised_too",
)
"""Not where instructions are limited: TensorFlow asks the processor whether oneDNN has bfloat16, and not oneDNN."""


@dataclass(frozen=True)
class Setting:
    """Which instructions may be used.

    Attributes
    ----------
    name
        As on the command line.
    gives
        What of `CAPABILITIES` PyTorch is limited to; nothing where it is not.
    variables
        Of the environment.
    """

    name: str
    gives: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The setting in words."""
        return " ".join(f"{key}={value}" for key, value in self.variables.items()) or "as the processor is"


def _limited(torch: str, onednn: str, mkl: str) -> dict[str, str]:
    """Return the variables for PyTorch's own kernels and for the two libraries that multiply matrices for it."""
    return {"ATEN_CPU_CAPABILITY": torch, "ONEDNN_MAX_CPU_ISA": onednn, "MKL_ENABLE_INSTRUCTIONS": mkl}


NATIVE = Setting("native")
SETTINGS = (
    NATIVE,
    Setting("avx2", "AVX2", _limited("avx2", "AVX2", "AVX2")),
    Setting("sse41", "DEFAULT", _limited("default", "SSE41", "SSE4_2")),
)


def environment(setting: Setting) -> dict[str, str]:
    """Return the environment of a process that runs in this setting."""
    limits = {key for one in SETTINGS for key in one.variables}
    return {**{key: value for key, value in os.environ.items() if key not in limits}, **setting.variables}


def capability(setting: Setting) -> str:
    """Return what PyTorch says that it uses."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    told = subprocess.run([sys.executable, "-c", code], env=environment(setting), stdout=subprocess.PIPE, check=True)
    return told.stdout.decode().split()[-1]


def places(names: Sequence[str], folder: Path = FOLDER) -> list[str]:
    """Return where the tests of these names are; each file's name stands once below the folder."""
    found = []
    for name in names:
        file, *test = name.split("::")
        (path,) = folder.rglob(file)
        found.append("::".join([str(path), *test]))
    return found


def left_out(setting: Setting, native: str) -> str:
    """Return why a processor of this capability does not run a setting, or nothing."""
    rank = CAPABILITIES.index(native) if native in CAPABILITIES else 0
    if not setting.gives or (wanted := CAPABILITIES.index(setting.gives)) < rank:
        return ""
    return f"this processor {'has no more' if wanted == rank else 'lacks it'}: PyTorch says {native}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests in each setting; 1 if any failed."""
    names = [setting.name for setting in SETTINGS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="all that computes, in every setting")
    parser.add_argument("--only", choices=names, action="append", help="one setting; may be repeated")
    chosen = parser.parse_args(arguments)
    # The tests themselves have run in the first setting before the short form begins.
    wanted = chosen.only or (names if chosen.long else names[1:])
    tests = places(LONG if chosen.long else SHORT)
    native, failed = capability(NATIVE), []
    for setting in (setting for setting in SETTINGS if setting.name in wanted):
        if reason := left_out(setting, native):
            print(f"== {setting.name} ({setting.words}): left out, {reason} ==", flush=True)
            continue
        print(f"== {setting.name} ({setting.words}): PyTorch says {capability(setting)} ==", flush=True)
        began = time.monotonic()
        # As `pytest` itself: without the checkout's own files among the modules (-P).
        command = [sys.executable, "-P", "-m", "pytest", "-q", "--no-header", "-r", "fE", "-m", "not slow and not cuda"]
        command += [f"--deselect={Path(place).relative_to(ROOT)}" for place in places(NOT_LIMITED) if setting.variables]
        code = subprocess.run([*command, *tests], env=environment(setting), cwd=ROOT).returncode
        print(f"== {setting.name}: status {code} after {time.monotonic() - began:.0f} s ==", flush=True)
        failed += [setting.name] if code else []
    if failed:
        print(f"Failed as other processors: {', '.join(failed)}. Again: python {__file__} --only {failed[0]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
