"""What was asked of a source, and what was read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from shoal.data.pictures.resize import SMALLEST, usual_size
from shoal.errors import DataError, Problem
from shoal.progress import Listener

Purpose = Literal["train", "score", "predict"]
"""What rows are for: fitting (and perhaps other parts), a part of their own with a target, or prediction, which needs none."""


@dataclass(frozen=True)
class Wanted:
    """What a source is read for.

    Args:
        purpose: of the rows; those to predict need no label.
        size: height and width of pictures; by default the median of those to train on, and at most 64 on either side.
        channels: 1 for grey, 3 for colour; by default colour where a picture has some.
        listener: is told how far the decoding of pictures is.
    """

    purpose: Purpose = "predict"
    size: tuple[int, int] | None = None
    channels: int | None = None
    listener: Listener = lambda event: None

    def shape(self, heights: np.ndarray, widths: np.ndarray, channels: int) -> tuple[int, int, int]:
        """Of all pictures, from what some or all of them are."""
        height, width = self.size or usual_size(heights, widths)
        return height, width, self.channels or channels


@dataclass(frozen=True)
class Reading:
    """One source, read.

    Args:
        frames: ``train`` alone, or with ``dev`` and ``test`` where the source has parts of its own.
        notes: what is to be said about it.
        kept: of a table, positions of the rows that are left of it; ``None`` where all are.
        skipped: names of pictures that could not be read, with the reason.
    """

    frames: dict[str, pl.DataFrame]
    notes: tuple[str, ...] = ()
    kept: np.ndarray | None = None
    skipped: Sequence[str] = field(default=())

    @property
    def frame(self) -> pl.DataFrame:
        """All rows, whatever their part."""
        frames = list(self.frames.values())
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")


def check_size(height: int, width: int, name: str) -> None:
    """Raise a DataError where pictures of this size are too small."""
    if min(height, width) < SMALLEST:
        remedy = "Give larger ones; a single picture x is an array of one, x[None], and rows of numbers are an array [rows, columns]."
        raise DataError(Problem(f"pictures are at least {SMALLEST} x {SMALLEST} pixels ({name})", f"{height} x {width}", remedy))
