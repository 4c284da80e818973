"""Arrays that are read a block of rows at a time: of one that is larger than memory, what is made of each block may fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np

BLOCK = 1 << 26
"""Bytes that are read at once."""

Blocks = Callable[[], Iterator[np.ndarray]]


@dataclass(frozen=True)
class Stored:
    """An array ``[rows, ...]``, in memory or in a file.

    Args:
        shape: of the whole.
        dtype: of its numbers.
        blocks: reads it from its beginning, some rows at a time.
        whole: the array, where it is in memory.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Blocks
    whole: np.ndarray | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @classmethod
    def of(cls, array: np.ndarray) -> Stored:
        """An array in memory, or a file that is mapped into it.

        Example:
            >>> [block.shape for block in Stored.of(np.zeros((2**25, 3), np.uint8)).blocks()]
            [(22369621, 3), (11184811, 3)]
        """
        at_once = _rows_at_once(array.shape, array.dtype)

        def blocks() -> Iterator[np.ndarray]:
            for start in range(0, len(array), at_once):
                yield array[start : start + at_once]

        return cls(array.shape, array.dtype, blocks, None if isinstance(array, np.memmap) else array)

    @classmethod
    def in_file(cls, opened: Callable[[], AbstractContextManager[IO[bytes]]], shape: tuple[int, ...], dtype: np.dtype) -> Stored:
        """An array in a file, row after row (not column after column, as Fortran has it).

        Args:
            opened: opens the file and brings it to where the numbers begin.
            shape: of the array.
            dtype: of its numbers.

        ``blocks`` raises what reading the file does, and ValueError where it does not end with the last row.
        """
        at_once = _rows_at_once(shape, dtype)

        def blocks() -> Iterator[np.ndarray]:
            with opened() as file:
                for start in range(0, shape[0], at_once):
                    rows = min(at_once, shape[0] - start)
                    wanted = rows * _row_bytes(shape, dtype)
                    data = file.read(wanted)
                    if len(data) < wanted:
                        raise ValueError(f"it ends after {start + len(data) // _row_bytes(shape, dtype):,} of {shape[0]:,} rows")
                    yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])
                if file.read(1):  # at the end of a compressed file its checksum is compared
                    raise ValueError(f"it goes on after its {shape[0]:,} rows")

        return cls(shape, dtype, blocks)

    def changed(self, shape: tuple[int, ...], change: Callable[[np.ndarray], np.ndarray]) -> Stored:
        """The array with its rows in another ``shape``, each block brought to it as it is read."""
        whole = None if self.whole is None else change(self.whole)
        return Stored(shape, self.dtype, lambda: map(change, self.blocks()), whole)


class Head(NamedTuple):
    """What NumPy writes before an array."""

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype

    @classmethod
    def read(cls, file: IO[bytes]) -> Head:
        """Of the array that begins here; raises what NumPy does where none does."""
        version = np.lib.format.read_magic(file)
        return cls(*(np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(file))


def _row_bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape[1:], dtype=object)) * dtype.itemsize


def _rows_at_once(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return max(1, BLOCK // max(1, _row_bytes(shape, dtype)))
