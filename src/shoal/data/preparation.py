"""The fitted preparation: a new table into network inputs, network outputs back into predictions."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from shoal.data.encode import Encoder
from shoal.data.pictures.column import is_pictures
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.read import read_table, source_name
from shoal.data.target import NumberTarget, Target
from shoal.errors import DataError, Problem, RunFolderError, did_you_mean, nearest
from shoal.records import Task


class Preparation(msgspec.Struct, frozen=True):
    """Everything learned from the training rows that a prediction needs; plain data, saved inside the model file.

    Example:
        >>> from shoal.data import load
        >>> preparation = load("example:wine").preparation
        >>> preparation.transform("example:wine").shape
        (178, 13)
    """

    encoders: tuple[Encoder, ...]
    target: Target

    @property
    def task(self) -> Task:
        """Classification, several labels, or regression."""
        return self.target.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Class labels as text, or the names of several labels; ``()`` for regression."""
        return self.target.classes

    @property
    def target_mean(self) -> float:
        """What is added last to a network's answer, in the target's unit: the training mean, or 0 where it was no more than divided by.

        0 for classification.
        """
        return self.target.shift if isinstance(self.target, NumberTarget) else 0.0

    @property
    def target_sd(self) -> float:
        """What a network's answer is multiplied by first: the training standard deviation, or the mean where that was divided by.

        1 for classification.
        """
        return self.target.divisor if isinstance(self.target, NumberTarget) else 1.0

    @property
    def picture(self) -> PictureEncoder | None:
        """The encoder of pictures, which are then the only input."""
        first = self.encoders[0]
        return first if isinstance(first, PictureEncoder) else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """One name per network input."""
        if self.picture is not None:
            return self.picture.input_names
        return tuple(name for encoder in self.encoders for name in encoder.input_names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns a table must have."""
        return tuple(dict.fromkeys(encoder.column for encoder in self.encoders))

    def transform(self, table: Any) -> np.ndarray:
        """Network inputs [rows, inputs] in the table's row order: float32, or uint8 of pictures, which networks normalise themselves.

        Args:
            table: any source that ``read_table`` takes; the order of columns and further columns do not matter.

        Raises:
            DataError: the table cannot be read, or lacks columns (all of them are named).
        """
        frame = read_table(table, like=self.picture)
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            raise DataError(missing_columns(missing, frame, source_name(table)))
        if self.picture is not None:
            return self.picture.pixels(_checked_pictures(frame[self.picture.column], source_name(table)))
        inputs = np.empty((frame.height, len(self.input_names)), np.float32)
        self.encode(frame, inputs)
        return inputs

    def encode(self, frame: pl.DataFrame, out: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Write the inputs of these rows (all by default) into ``out`` [rows, inputs]."""
        if self.picture is not None:
            self.picture.encode(frame[self.picture.column], out, rows)
            return
        start, column = 0, None
        for encoder in self.encoders:
            if column is None or column.name != encoder.column:
                column = frame[encoder.column] if rows is None else frame[encoder.column].gather(rows)
            width = len(encoder.input_names)
            encoder.encode(column, out[:, start : start + width])
            start += width

    def predictions_frame(self, outputs: np.ndarray, proba: bool) -> pl.DataFrame:
        """Predictions as a table: the column ``prediction``, or one column per label where the target has several.

        Args:
            outputs: class probabilities [rows, classes], probabilities of labels [rows, labels], or values in the target's own unit [rows].
            proba: add one column ``p_<class>`` per class or label; without effect for regression, which has none.
        """
        return self.target.predictions(np.asarray(outputs), proba)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``Preparation.from_dict`` is its inverse."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preparation:
        """A preparation from plain data.

        Raises:
            RunFolderError: the content is malformed.
        """
        try:
            return msgspec.convert(content, cls)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            remedy = "The model file was changed or cut short: use a copy, or train again."
            raise RunFolderError(Problem("a model's preparation is as shoal wrote it", str(error), remedy)) from None


def _checked_pictures(series: pl.Series, name: str) -> pl.Series:
    if not is_pictures(series.dtype):
        received = f"cells of type {series.dtype}"
        remedy = "Give pictures: a folder, a table of their paths, an NPZ or IDX file, or an array [rows, height, width]."
        raise DataError(Problem(f"the column {series.name!r} of {name} holds pictures", received, remedy))
    return series


def missing_columns(missing: list[str], frame: pl.DataFrame, name: str) -> Problem:
    """The problem of a table without these columns."""
    shown = ", ".join(map(repr, missing[:10])) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
    similar = nearest(missing[0], frame.columns)
    remedy = (
        did_you_mean(missing[0], frame.columns) if similar and len(missing) == 1 else "Add them, or check that the right file was given."
    )
    return Problem(f"{name} has the columns of the training data", f"a table without {shown}", remedy)
