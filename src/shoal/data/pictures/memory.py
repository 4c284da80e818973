"""Do the pictures fit into memory, and if not, at which size would they?"""

from __future__ import annotations

import os
from pathlib import Path

from shoal.data.pictures.resize import SMALLEST
from shoal.errors import DataError, Problem

COPIES = 3
"""Of all bytes at once: as read, by part, and on the devices."""

SHARE = 0.8
"""Of the available memory that they may take."""

_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Memory that can be used without swapping, as far as the system says: that of the machine, or what a container is allowed."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        free = _free_pages()
    try:
        allowed = int((_CGROUP / "memory.max").read_text()) - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return max(min(free, allowed), 0)


def _free_pages() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 1 << 62


def fitting_size(rows: int, shape: tuple[int, int, int], asked_for: bool) -> tuple[int, int]:
    """The largest height and width of the same proportions at which so many pictures fit.

    Args:
        rows: how many pictures.
        shape: height, width and channels that they are to have.
        asked_for: whether the user chose this size, so that none but it will do.

    Raises:
        DataError: they do not fit in this size, or in no size of use.
    """
    height, width, channels = shape
    available = available_bytes()
    scale = (SHARE * available / (COPIES * max(rows, 1) * height * width * channels)) ** 0.5
    if scale >= 1:
        return height, width
    smaller = int(height * scale), int(width * scale)
    if asked_for or min(smaller) < SMALLEST:
        needed = _gigabytes(COPIES * rows * height * width * channels)
        received = f"{rows:,} of {height} x {width} need {needed}, with {_gigabytes(available)} available"
        remedy = "Give fewer pictures, ask for a smaller size, or use a machine with more memory."
        raise DataError(Problem("the pictures fit into memory", received, remedy))
    return smaller


def check_memory(needed: int, name: str) -> None:
    """Raise a DataError where an array of so many bytes does not fit into memory as it is."""
    if needed > SHARE * available_bytes():
        received = f"{_gigabytes(needed)}, with {_gigabytes(available_bytes())} available"
        remedy = "Store it as uint8, row after row (not in Fortran's order), in a smaller size or with fewer rows."
        raise DataError(Problem(f"the array in {name} fits into memory", received, remedy))


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
