"""The columns behind a network's inputs as plain numbers, one per column: what tests of rows and columns look at.

Not the inputs themselves: a column with a hundred levels would be a hundred columns, and its values could not be said in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shoal.data import Preparation
from shoal.data.encode import DateEncoder, Encoder, LevelsEncoder, NumberEncoder
from shoal.data.normalise import FARTHEST
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.values import as_numbers, as_text, as_times
from shoal.experiments.picture_summaries import Summary, summaries_of, summarised

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """How one column's codes are to be read: as numbers, as positions among ``levels``, or as days since 1970."""

    name: str
    levels: tuple[str, ...] = ()
    is_date: bool = False
    summary: Summary | None = None
    """Of pictures, the number that the codes are."""

    def say(self, code: float) -> str:
        """A code in the column's own words.

        Example:
            >>> CodedColumn("sex", ("F", "M")).say(1.0), CodedColumn("day", is_date=True).say(365.0), CodedColumn("size").say(2.5)
            ('M', '1971-01-01', '2.5')
        """
        if np.isnan(code):
            return "missing"
        if self.levels:
            return self.levels[int(code)] if code < len(self.levels) else "other"
        if self.is_date:
            moment = datetime(1970, 1, 1) + timedelta(days=float(code))
            return f"{moment:%Y-%m-%d}"
        return f"{code:.4g}"


def coded_columns(preparation: Preparation) -> tuple[CodedColumn, ...]:
    """The columns behind the inputs, in their order; of pictures, the numbers that tests look at in their place."""
    if preparation.picture is not None:
        return tuple(CodedColumn(summary.name, summary=summary) for summary in summaries_of(preparation.picture))
    return tuple(_column(encoder) for encoder in first_encoders(preparation))


def codes(preparation: Preparation, frame: pl.DataFrame, rows: NDArray | None = None) -> NDArray[np.float64]:
    """One number per row and column; NaN where missing.

    Codes depend on what was learned from the training rows alone, so those of two tables can be compared.

    Args:
        preparation: of the training rows.
        frame: a table with their columns.
        rows: positions of the rows wanted ``[rows]``; all by default.

    Returns:
        float64 ``[rows, columns]``.

    Example:
        >>> from shoal.data import load
        >>> data = load("example:wine")
        >>> codes(data.preparation, data.division.tables.main, np.array([0, 5])).shape
        (2, 13)
    """
    picture = preparation.picture
    if picture is not None:
        column = frame[picture.column]
        return summarised(picture, picture.pixels(column if rows is None else column.gather(rows)))
    encoders = first_encoders(preparation)
    height = frame.height if rows is None else len(rows)
    coded = np.empty((height, len(encoders)))
    for index, encoder in enumerate(encoders):
        column = frame[encoder.column]
        coded[:, index] = column_codes(encoder, column if rows is None else column.gather(rows))
    return coded


def first_encoders(preparation: Preparation) -> tuple[Encoder, ...]:
    """One encoder per column, in the order of the columns: that of its number, where there are two."""
    first: dict[str, Encoder] = {}
    for encoder in preparation.encoders:
        first.setdefault(encoder.column, encoder)
    return tuple(first.values())


def _column(encoder: Encoder) -> CodedColumn:
    if isinstance(encoder, LevelsEncoder):
        return CodedColumn(encoder.column, encoder.levels)
    return CodedColumn(encoder.column, is_date=isinstance(encoder, DateEncoder))


def column_codes(encoder: Encoder, column: pl.Series) -> NDArray[np.float64]:
    """One column's codes ``[rows]``."""
    if isinstance(encoder, NumberEncoder):
        return as_numbers(column, encoder.style).clip(-FARTHEST, FARTHEST).fill_null(np.nan).to_numpy()
    if isinstance(encoder, DateEncoder):
        days = as_times(column, encoder.format).dt.epoch("s").cast(pl.Float64) / _SECONDS_A_DAY
        return days.fill_null(np.nan).to_numpy()
    assert not isinstance(encoder, PictureEncoder), "a picture is many numbers: see codes"
    texts = as_text(column, numbers=encoder.numbers)
    places = {level: float(index) for index, level in enumerate(encoder.levels)}
    known = texts.replace_strict(places, default=float(len(encoder.levels)), return_dtype=pl.Float64)
    return np.where(texts.is_null().to_numpy(), np.nan, known.to_numpy())
