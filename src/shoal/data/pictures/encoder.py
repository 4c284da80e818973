"""The encoder of a column of pictures: their bytes are the inputs, and the numbers that a network normalises them with."""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec
import numpy as np
import polars as pl

from shoal.data.pictures.column import pixels_of
from shoal.data.pictures.resize import as_shape

SMALLEST_DEVIATION = 1.0
"""Floor of a channel's standard deviation, one grey level: pictures that differ by less differ by how they were rounded."""

_ROWS = 1024
_CHANNELS = {1: ("",), 3: (" red", " green", " blue")}


class PictureEncoder(msgspec.Struct, frozen=True, tag="picture", tag_field="encoder"):
    """Pictures: one input per pixel and channel, left as bytes; each channel is standardised inside the networks' program.

    ``x = (byte - mean) / deviation``, with the mean and the standard deviation of the channel over all pixels of the training pictures.
    Normalising inside the program keeps a data set at one byte per number, a quarter of its size as float32.
    """

    column: str
    height: int
    width: int
    channels: int
    means: tuple[float, ...]
    """Of each channel over the training rows, from 0 to 255."""
    deviations: tuple[float, ...]
    """Of each channel, in the same unit; at least ``SMALLEST_DEVIATION``."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.channels not in _CHANNELS:
            raise ValueError("a picture has a height, a width, and 1 or 3 channels")
        if not len(self.means) == len(self.deviations) == self.channels:
            raise ValueError("a picture encoder needs one mean and one deviation per channel")
        if not all(map(math.isfinite, self.means)) or not all(math.isfinite(each) and each > 0 for each in self.deviations):
            raise ValueError("means must be finite, and deviations finite and positive")

    @classmethod
    def fit(cls, series: pl.Series, rows: np.ndarray | None = None) -> PictureEncoder:
        """From the training rows of a column of pictures.

        Args:
            series: the column.
            rows: positions of its training rows; by default all of them are.
        """
        pixels = pixels_of(series)
        count = len(pixels) if rows is None else len(rows)
        height, width, channels = pixels.shape[1:]
        sums, squares = np.zeros(channels, np.uint64), np.zeros(channels, np.uint64)
        for start in range(0, count, _ROWS):
            block = pixels[start : start + _ROWS] if rows is None else pixels[rows[start : start + _ROWS]]
            for channel in range(channels):
                bytes_ = np.ascontiguousarray(block[..., channel])
                sums[channel] += bytes_.sum(dtype=np.uint64)
                squares[channel] += np.square(bytes_, dtype=np.uint16).sum(dtype=np.uint64)
        total = max(count * height * width, 1)
        means = tuple(int(each) / total for each in sums)
        # In whole numbers, so that no difference of two large sums loses digits.
        variances = [(total * int(square) - int(each) ** 2) / total**2 for each, square in zip(sums, squares, strict=True)]
        deviations = tuple(max(math.sqrt(variance), SMALLEST_DEVIATION) for variance in variances)
        return cls(series.name, height, width, channels, means, deviations)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    @property
    def inputs(self) -> int:
        """How many inputs a picture is."""
        return self.height * self.width * self.channels

    @property
    def input_names(self) -> tuple[str, ...]:
        """``<column> <row>,<column>`` of each pixel, and the colour where there are three."""
        return _names(self.column, *self.shape)

    def pixels(self, series: pl.Series) -> np.ndarray:
        """The inputs of these rows, uint8 ``[rows, inputs]``, in the order height, width, channel.

        Pictures of another size or other channels are brought to those of training; others are not copied, so do not write into them.
        """
        return as_shape(pixels_of(series), self.shape).reshape(series.len(), self.inputs)

    def encode(self, series: pl.Series, out: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Write the inputs of these rows (all by default) into ``out``, uint8 ``[rows, inputs]``."""
        if tuple(series.dtype.shape) != self.shape:  # type: ignore[attr-defined]
            series, rows = series if rows is None else series.gather(rows), None
        if rows is None:
            out[:] = self.pixels(series)
        else:
            np.take(self.pixels(series), rows, axis=0, out=out, mode="clip")  # raising on wrong rows would buffer the output


@lru_cache(maxsize=8)
def _names(column: str, height: int, width: int, channels: int) -> tuple[str, ...]:
    return tuple(f"{column} {y},{x}{colour}" for y in range(height) for x in range(width) for colour in _CHANNELS[channels])
