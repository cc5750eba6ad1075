"""Keeping freed memory in the process, so that a network's activations need not be asked of the system every time.

glibc hands large blocks back as soon as they are freed, and gets them anew, page by page, at the next layer. For
convolutional networks in PyTorch on a processor that took up to half of the time at chunks of 16 and more
(docs/performance.md); TensorFlow keeps memory itself.
"""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The numbers of the two options in glibc's malloc.h."""
_KEPT_BYTES = 2**30
_KEPT_BYTES_BEFORE = 2**25
"""The most that older versions of glibc accept for blocks of their own."""


def keep_freed_memory() -> bool:
    """Let this process keep up to 1 GiB that it has freed; return whether the C library could be told so.

    For processes of heatmark's own: the setting is the process's, and cannot be read to be restored. Nothing is done
    where the user has set glibc's own variables (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_`` or
    ``GLIBC_TUNABLES``), or where the C library is another one.
    """
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in names):
        return False
    option = ctypes.CDLL(None).mallopt
    # Either option ends glibc's own adjustment of both, so that the first must not stand alone.
    large = any(option(_MMAP_THRESHOLD, size) for size in (_KEPT_BYTES, _KEPT_BYTES_BEFORE))
    return bool(large and option(_TRIM_THRESHOLD, _KEPT_BYTES))
