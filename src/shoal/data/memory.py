"""Where the rows of a data set are kept: in memory, or where that is short in a file that is mapped into it."""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shoal.errors import DataError, Problem

ALIGNMENT = 64
"""Bytes. JAX uses an array at a multiple of this address as it is on all CPU devices, and copies another one for each of them."""

IN_MEMORY = 0.6
"""Of the available memory that one array may take."""

MORE_ROOM = "set TMPDIR to a folder on a larger disk."
"""What helps where there is too little."""

_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def zeros(shape: tuple[int, ...], dtype: Any, in_order: bool = True) -> np.ndarray:
    """Zeros for rows that devices are to use, which those of a CPU do without a copy.

    Where they would take more than ``IN_MEMORY`` of the available memory, they are a file that is mapped into it, from which the system
    reads what is used and drops it again when memory is short. The file has no name, so that it goes with the process however that ends.

    Args:
        shape: rows first.
        dtype: of the numbers.
        in_order: whether rows will be read one after the other, or here and there. With a third less memory than rows, a disk gave 240
            pictures of 12 KB a second here and there to a file that is read in order, 9,200 to the other, and 1,100 and 60 MB/s in order.

    Raises:
        DataError: there is no room for them in memory nor on the disk.

    Example:
        >>> zeros((2, 3), np.uint8).tolist()
        [[0, 0, 0], [0, 0, 0]]
    """
    count = math.prod(shape) * np.dtype(dtype).itemsize
    if count > IN_MEMORY * available_bytes():
        return _in_a_file(count, in_order).view(dtype).reshape(shape)
    padded = np.zeros(count + ALIGNMENT, np.uint8)
    first = -padded.ctypes.data % ALIGNMENT
    return padded[first : first + count].view(dtype).reshape(shape)


def available_bytes() -> int:
    """Memory that can be used without swapping, as far as the system says: that of the machine, or what a container is allowed."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        free = _free_pages()
    return max(min([free, *_allowed()]), 0)


def free_disk_bytes() -> int:
    """Bytes that files in ``folder()`` may take."""
    try:
        return shutil.disk_usage(folder()).free
    except OSError:
        return 0


def folder() -> Path:
    """Where files for what does not fit into memory are: ``TMPDIR``, or ``/var/tmp``, which is on a disk where ``/tmp`` may be memory."""
    for wanted in (os.environ.get("TMPDIR"), "/var/tmp"):
        if wanted and os.access(wanted, os.W_OK):
            return Path(wanted)
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # none can be written to, which is said where a file is made
        return Path()


def _in_a_file(count: int, in_order: bool) -> np.ndarray:
    try:
        with tempfile.TemporaryFile(dir=folder()) as file:
            file.truncate(count)
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and would end the process when it is written to
                os.posix_fallocate(file.fileno(), 0, count)
            mapped = mmap.mmap(file.fileno(), count)
        if not in_order and hasattr(mmap, "MADV_RANDOM"):  # without it, 128 KB are read wherever a row is looked at
            mapped.madvise(mmap.MADV_RANDOM)
        return np.frombuffer(mapped, np.uint8)
    except OSError as error:
        received = f"{gigabytes(count)}, with {gigabytes(available_bytes())} of memory available; {folder()}: {error.strerror}"
        remedy = f"Give fewer rows, or {MORE_ROOM}"
        raise DataError(Problem("the rows fit into memory, or onto the disk", received, remedy)) from None


def _allowed() -> Iterator[int]:
    """What the control groups of the process leave it; the files in memory that can be read again count as free."""
    try:
        groups = [line.split(":", 2) for line in _OWN_CGROUP.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, own in groups:
        if controllers and "memory" not in controllers.split(","):
            continue
        root, most, used = _CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        if not controllers:
            root, most, used = _CGROUP, "memory.max", "memory.current"
        for place in {root / own.lstrip("/"), root}:  # within a container the path may be that of the machine
            try:
                limit, usage = int((place / most).read_text()), int((place / used).read_text())
                counts = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):
                continue
            total = "" if not controllers else "total_"
            yield limit - usage + sum(int(counts.get(f"{total}{kind}_file", 0)) for kind in ("active", "inactive"))


def _free_pages() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 1 << 62


def gigabytes(count: float) -> str:
    """Bytes in words.

    Example:
        >>> gigabytes(3 * 2**29)
        '1.5 GiB'
    """
    return f"{count / 2**30:.1f} GiB"
