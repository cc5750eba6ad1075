"""Freed memory stays with the processes that compute, so that they do not ask the system for every activation anew."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from heatmark.benchmark.executors.malloc import keep_freed_memory

told = keep_freed_memory() if sys.argv[1] == "keep" else False
counts = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    first, second = np.ones(2**23), np.ones(2**23)
    del first, second
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(int(told), counts[-1])
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def faults(way: str, **variables: str) -> tuple[bool, int]:
    """Return whether the C library was told, and the page faults of two arrays of 64 MiB, made once more."""
    clean = {name: value for name, value in os.environ.items() if "MALLOC" not in name and name != "GLIBC_TUNABLES"}
    answer = subprocess.run(
        [sys.executable, "-c", FAULTS, way], env=clean | variables, capture_output=True, text=True, check=True
    )
    told, count = answer.stdout.split()
    return told == "1", int(count)


@pytest.mark.skipif(not GLIBC, reason="only glibc is told")
def test_memory_that_was_freed_is_used_again_without_a_page_fault():
    _, left = faults("leave")
    told, kept = faults("keep")
    # Huge pages make them fewer, where the system gives those.
    assert told and left > 50 and kept < left / 10


@pytest.mark.skipif(not GLIBC, reason="only glibc is told")
def test_what_the_user_has_set_stays():
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072")[0] is False
