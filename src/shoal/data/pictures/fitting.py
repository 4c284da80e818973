"""Do the pictures fit, and if not, at which size would they?"""

from __future__ import annotations

from typing import NamedTuple

from shoal.data.memory import MORE_ROOM, available_bytes, folder, free_disk_bytes, gigabytes
from shoal.data.pictures.resize import SMALLEST
from shoal.errors import DataError, Problem

COPIES = 3
"""Of all pictures at once: as read, by part, and on the devices."""

SHARE = 0.8
"""Of the available memory, or of the disk, that they may take."""


class Fitting(NamedTuple):
    """Height and width at which pictures fit, and what is to be said about it."""

    height: int
    width: int
    note: str = ""


def fitting_size(rows: int, shape: tuple[int, int, int], asked_for: bool) -> Fitting:
    """The largest height and width of the same proportions at which so many pictures have room, in memory or else on the disk.

    Args:
        rows: how many pictures.
        shape: height, width and channels that they are to have.
        asked_for: whether the user chose this size, so that none but it will do.

    Raises:
        DataError: they have no room in this size, or in no size of use.
    """
    height, width, channels = shape
    needed = COPIES * max(rows, 1) * height * width * channels
    in_memory = available_bytes()
    if needed <= SHARE * in_memory:
        return Fitting(height, width)
    on_disk = free_disk_bytes()
    if needed <= SHARE * on_disk:
        note = f"{rows:,} pictures of {height} x {width} take {gigabytes(needed)} and do not fit into memory"
        return Fitting(height, width, f"{note}: kept in files without a name in {folder()} until the end")
    scale = (SHARE * max(in_memory, on_disk) / needed) ** 0.5
    smaller = int(height * scale), int(width * scale)
    if asked_for or min(smaller) < SMALLEST:
        received = f"{rows:,} of {height} x {width} need {gigabytes(needed)}, with {gigabytes(in_memory)} available"
        received += f", and {gigabytes(on_disk)} on the disk of {folder()}"
        remedy = f"Give fewer pictures, ask for a smaller size, or {MORE_ROOM}"
        raise DataError(Problem("the pictures fit into memory, or onto the disk", received, remedy))
    note = f"{smaller[0]} x {smaller[1]} pixels instead of {height} x {width}, so that all pictures fit into memory or onto the disk"
    return Fitting(*smaller, note)


def check_memory(needed: int, name: str) -> None:
    """Raise a DataError where an array of so many bytes does not fit into memory as it is."""
    if needed > SHARE * available_bytes():
        received = f"{gigabytes(needed)}, with {gigabytes(available_bytes())} available"
        remedy = "Store it as uint8, row after row (not in Fortran's order), in a smaller size or with fewer rows."
        raise DataError(Problem(f"the array in {name} fits into memory", received, remedy))
