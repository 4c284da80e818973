"""The column of pictures in a table: which one it is, and its pixels without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from shoal.errors import DataError, Problem

PICTURE, LABEL, PATH = "picture", "label", "path"
"""Names of the columns of a table of pictures."""


def is_pictures(dtype: Any) -> bool:
    """Whether a column of this type holds pictures: bytes ``[height, width, channels]`` in every cell.

    Example:
        >>> is_pictures(pl.Array(pl.UInt8, (28, 28, 1))), is_pictures(pl.Array(pl.UInt8, 784)), is_pictures(pl.String)
        (True, False, False)
    """
    if not isinstance(dtype, pl.Array) or len(dtype.shape) != 3:
        return False
    inner: Any = dtype
    while isinstance(inner, pl.Array):
        inner = inner.inner
    return inner == pl.UInt8


def picture_column(frame: pl.DataFrame) -> str | None:
    """The name of the first column of pictures, if there is one."""
    return next((name for name, dtype in frame.schema.items() if is_pictures(dtype)), None)


def picture_series(pixels: np.ndarray) -> pl.Series:
    """A column of pictures from bytes ``[rows, height, width, channels]``, which it refers to where they are contiguous."""
    pixels = np.ascontiguousarray(pixels)
    return pl.Series(PICTURE, pixels, dtype=pl.Array(pl.UInt8, pixels.shape[1:]))


def pixels_of(series: pl.Series) -> np.ndarray:
    """The bytes ``[rows, height, width, channels]`` of a column of pictures: not a copy, unless it is stored in pieces.

    Raises:
        DataError: cells without a picture.
    """
    if missing := series.null_count():
        received = f"{missing:,} cell{'s' * (missing > 1)} without one in {series.name!r}"
        raise DataError(Problem("every row has a picture", received, "Remove those rows."))
    if not series.len():
        return np.zeros((0, *series.dtype.shape), np.uint8)  # type: ignore[attr-defined]
    return series.rechunk().to_numpy()


def row_hashes(pixels: np.ndarray) -> np.ndarray:
    """A number for each picture ``[rows]`` that equal pictures have in common, and different ones hardly ever.

    Args:
        pixels: bytes ``[rows, ...]``.

    Example:
        >>> a, b, c = row_hashes(np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3]], np.uint8))
        >>> bool(a == b), bool(a == c)
        (False, True)
    """
    flat = pixels.reshape(len(pixels), -1)
    width = -(-flat.shape[1] // 8)
    factors = np.random.default_rng(0).integers(1, 2**63, width, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    hashes = np.empty(len(flat), np.uint64)
    for start in range(0, len(flat), _ROWS):
        block = flat[start : start + _ROWS]
        padded = np.zeros((len(block), width * 8), np.uint8)
        padded[:, : flat.shape[1]] = block
        words = padded.view(np.uint64)
        # Multiplied by odd numbers alone, the top bit of a word would reach the top bit of the sum only: so mix the halves first.
        words = (words ^ (words >> np.uint64(32))) * factors
        hashes[start : start + _ROWS] = (words ^ (words >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
    return hashes


_ROWS = 4096
