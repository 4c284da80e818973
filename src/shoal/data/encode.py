"""Encoders: fitted on the training rows of one column, they write that column's network inputs.

Every encoder is plain frozen data (it is saved inside the model file) with the same three members: ``column``,
``input_names`` and ``encode(series, out)``. That of pictures is in ``pictures``; it writes bytes, the others float32.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from shoal.data.normalise import (
    FARTHEST,
    KEEPS_INDICATORS,
    NORMALISERS,
    EvenNormaliser,
    Normaliser,
    Standardiser,
    Unchanged,
    fit_even,
    fit_indicator,
)
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.values import NumberStyle, as_numbers, as_text, as_times
from shoal.recipe import InputNormalisation

LARGEST_INPUT = 1e38
"""Inputs are held within this, so that neither they nor the difference of two overflow float32."""

MAX_LEVELS = 128
"""Levels of a categorical column that get an input of their own; the rest share ``other``."""


class NumberEncoder(msgspec.Struct, frozen=True, tag="number", tag_field="encoder"):
    """A number: imputed with the training median and normalised, with an indicator where training rows lacked it."""

    column: str
    style: NumberStyle
    median: float
    normaliser: Normaliser
    missing: Standardiser | Unchanged | None

    def __post_init__(self) -> None:
        if not math.isfinite(self.median):
            raise ValueError("a median must be finite")

    @classmethod
    def fit(cls, series: pl.Series, style: NumberStyle = "plain", normalisation: InputNormalisation = "smooth") -> NumberEncoder:
        """From the column's training rows, of which at least one is a number."""
        numbers = as_numbers(series, style).clip(-FARTHEST, FARTHEST)
        absent = numbers.null_count() / max(numbers.len(), 1)
        median = float(np.quantile(numbers.drop_nulls().to_numpy(), 0.5))
        normaliser = NORMALISERS[normalisation].fit(numbers.fill_null(median).to_numpy(), numbers.is_not_null().to_numpy())
        return cls(series.name, style, median, normaliser, fit_indicator(absent, normalisation) if absent else None)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The column's name, and ``<column> missing``."""
        return (self.column,) if self.missing is None else (self.column, f"{self.column} missing")

    def encode(self, series: pl.Series, out: np.ndarray) -> None:
        """Write the inputs of these rows into ``out`` [rows, inputs]."""
        numbers = as_numbers(series, self.style)
        values = numbers.fill_null(self.median).clip(-FARTHEST, FARTHEST).to_numpy()
        out[:, 0] = np.clip(self.normaliser(values), -LARGEST_INPUT, LARGEST_INPUT)
        if self.missing is not None:
            out[:, 1] = self.missing(numbers.is_null().to_numpy())


class LevelsEncoder(msgspec.Struct, frozen=True, tag="levels", tag_field="encoder"):
    """A category: one 0/1 input per level, standardised unless numbers are to lie within 0 and 1 or stay as they are.

    Two levels give one input (1 for the second). Levels too rare for an input of their own share ``other``, where unseen levels go too;
    without ``other`` an unseen level sets no input. Missing cells are a level of their own if training rows lacked the value.
    """

    column: str
    levels: tuple[str, ...]
    numbers: bool
    other: bool
    missing: bool
    standardisers: tuple[Standardiser | Unchanged, ...]
    unknown: float
    """Of a pair, the input of a missing or unseen cell, which says nothing: the training mean, or the more frequent of 0 and 1."""

    def __post_init__(self) -> None:
        if not self.levels or len(self.standardisers) != len(self.input_names) or not math.isfinite(self.unknown):
            raise ValueError("a levels encoder needs a level, one standardiser per input, and a finite input of unknown cells")
        if self.numbers and not all(_number_or_text(level)[0] == 0 for level in self.levels):
            raise ValueError("the levels of a column of numbers are numbers")

    @classmethod
    def fit(
        cls,
        series: pl.Series,
        *,
        numbers: bool = False,
        mark_missing: bool = True,
        normalisation: InputNormalisation = "smooth",
    ) -> LevelsEncoder:
        """From the column's training rows.

        Args:
            series: the training rows.
            numbers: the levels are numbers (codes).
            mark_missing: give missing cells an input; off where the column's number does so already.
            normalisation: that of the numbers beside it.
        """
        cells = as_numbers(series) if numbers else as_text(series)
        counts = cells.drop_nulls().value_counts(name="rows").sort(["rows", cells.name], descending=[True, False])
        smallest = min(10, max(1, cells.len() // 200))
        frequent = counts.filter(pl.col("rows") >= smallest).head(MAX_LEVELS)
        if not frequent.height:
            frequent = counts.head(1)
        rows_of = dict(zip(as_text(frequent[cells.name]).to_list(), frequent["rows"].to_list(), strict=True))
        levels = sorted(rows_of, key=_number_or_text)
        pooled = int(counts["rows"].sum()) - sum(rows_of.values())
        shares = [rows_of[level] / cells.len() for level in levels]
        missing = mark_missing and cells.null_count() > 0
        if len(levels) <= 2 and not pooled:
            shares = shares[1:]
        elif pooled:
            shares.append(pooled / cells.len())
        if missing:
            shares.append(cells.null_count() / cells.len())
        standardisers = tuple(fit_indicator(share, normalisation) for share in shares)
        unknown = float(normalisation in KEEPS_INDICATORS and rows_of[levels[-1]] > rows_of[levels[0]])
        return cls(series.name, tuple(levels), numbers, pooled > 0, missing, standardisers, unknown)

    @property
    def input_names(self) -> tuple[str, ...]:
        """``<column> = <level>`` for each input."""
        named = self.levels[1:] if self._is_pair else (*self.levels, "other") if self.other else self.levels
        return tuple(f"{self.column} = {level}" for level in ((*named, "missing") if self.missing else named))

    @property
    def _is_pair(self) -> bool:
        return len(self.levels) <= 2 and not self.other

    def encode(self, series: pl.Series, out: np.ndarray) -> None:
        """Write the inputs of these rows into ``out`` [rows, inputs]."""
        cells = as_numbers(series) if self.numbers else as_text(series)
        # Positions: levels in order (-1: no input), then other, then missing.
        first = -1 if self._is_pair else 0
        positions = {(float(level) if self.numbers else level): first + index for index, level in enumerate(self.levels)}
        unseen = len(self.levels) if self.other else -1
        index = cells.replace_strict(positions, default=unseen, return_dtype=pl.Int32)
        index = index.set(cells.is_null(), len(self.standardisers) - 1 if self.missing else -1).to_numpy()
        low = np.array([standardiser(0.0) for standardiser in self.standardisers], np.float32)
        high = np.array([standardiser(1.0) for standardiser in self.standardisers], np.float32)
        out[:] = low
        rows = np.flatnonzero(index >= 0)
        out[rows, index[rows]] = high[index[rows]]
        if self._is_pair and len(self.levels) == 2:
            known = cells.is_in(list(positions)).fill_null(False).to_numpy()
            out[~known, 0] = self.unknown


DatePart = Literal["time", "year", "month", "day", "weekday", "hour"]

_CYCLES: dict[str, float] = {"month": 365.0, "day": 31.0, "weekday": 7.0, "hour": 1.0}
"""Days in one cycle of each cyclic part."""


class DateEncoder(msgspec.Struct, frozen=True, tag="date", tag_field="encoder"):
    """A date or time: a linear time stamp in days, the year, and cyclic parts as sine and cosine.

    A cyclic part is used only where the training rows span at least one whole cycle of it: before that it repeats the time stamp, and
    repeats it wrongly for later rows. Rows before the first or after the last training time count as the first or the last: what a
    network makes of a time it has never seen is a straight line into nowhere, which trees, too, cut off.
    """

    column: str
    format: str
    parts: tuple[DatePart, ...]
    median: float
    standardisers: tuple[EvenNormaliser, ...]
    lowest: tuple[float, ...]
    """Of each input over the training rows."""
    highest: tuple[float, ...]
    missing: Standardiser | Unchanged | None

    def __post_init__(self) -> None:
        inputs = len(_part_names(self.parts))
        if not (len(self.standardisers) == len(self.lowest) == len(self.highest) == inputs) or not math.isfinite(self.median):
            raise ValueError("a date encoder needs one standardiser and one range per input and a finite median")

    @classmethod
    def fit(
        cls, series: pl.Series, format: str = "", *, cyclic_only: bool = False, normalisation: InputNormalisation = "smooth"
    ) -> DateEncoder:
        """From the column's training rows, of which at least one is a time; ``cyclic_only`` leaves out the time stamp and the year."""
        times = as_times(series, format)
        known = times.drop_nulls()
        days = _days(known)
        span = float(days.max() - days.min())
        has_hours = bool(((days % 1.0) > 0).any())
        parts: list[DatePart] = [] if cyclic_only else ["time"]
        if not cyclic_only and known.dt.year().n_unique() > 1:
            parts.append("year")
        for part, cycle in _CYCLES.items():
            if span >= cycle and (part != "hour" or has_hours) and getattr(known.dt, part)().n_unique() > 1:
                parts.append(part)  # type: ignore[arg-type]
        median = float(np.median(days))
        matrix = _date_matrix(times, tuple(parts), median)
        absent = times.null_count() / max(times.len(), 1)
        standardisers = tuple(fit_even(column, normalisation) for column in matrix.T)
        inputs = [standardiser(column) for standardiser, column in zip(standardisers, matrix.T, strict=True)]
        lowest, highest = tuple(float(values.min()) for values in inputs), tuple(float(values.max()) for values in inputs)
        missing = fit_indicator(absent, normalisation) if absent else None
        return cls(series.name, format, tuple(parts), median, standardisers, lowest, highest, missing)

    @property
    def input_names(self) -> tuple[str, ...]:
        """``<column> <part>`` for each input."""
        names = _part_names(self.parts)
        return tuple(f"{self.column} {name}" for name in (names if self.missing is None else [*names, "missing"]))

    def encode(self, series: pl.Series, out: np.ndarray) -> None:
        """Write the inputs of these rows into ``out`` [rows, inputs]."""
        times = as_times(series, self.format)
        matrix = _date_matrix(times, self.parts, self.median)
        for index, standardiser in enumerate(self.standardisers):
            out[:, index] = np.clip(standardiser(matrix[:, index]), self.lowest[index], self.highest[index])
        if self.missing is not None:
            out[:, -1] = self.missing(times.is_null().to_numpy())


Encoder = NumberEncoder | LevelsEncoder | DateEncoder | PictureEncoder


def _number_or_text(level: str) -> tuple[int, float, str]:
    try:
        number = float(level)
    except ValueError:
        return 1, 0.0, level
    return (0, number, level) if math.isfinite(number) else (1, 0.0, level)


def _part_names(parts: tuple[DatePart, ...]) -> list[str]:
    return [name for part in parts for name in ((f"{part} sin", f"{part} cos") if part in _CYCLES else (part,))]


def _days(times: pl.Series) -> np.ndarray:
    return times.dt.epoch("us").cast(pl.Float64).to_numpy() / 86_400e6


def _date_matrix(times: pl.Series, parts: tuple[DatePart, ...], median: float) -> np.ndarray:
    """The parts of each time [rows, inputs] in float64, missing times replaced by the median."""
    days = _days(times.fill_null(pl.Series([int(median * 86_400e6)]).cast(pl.Datetime("us"))[0]))
    filled = pl.Series(np.round(days * 86_400e6).astype(np.int64)).cast(pl.Datetime("us"))
    columns: list[np.ndarray] = []
    for part in parts:
        if part == "time":
            columns.append(days)
        elif part == "year":
            columns.append(filled.dt.year().cast(pl.Float64).to_numpy())
        else:
            turns = {
                "month": lambda: (filled.dt.ordinal_day().to_numpy() - 1) / 365.25,
                "day": lambda: (filled.dt.day().to_numpy() - 1) / 31.0,
                "weekday": lambda: (filled.dt.weekday().to_numpy() - 1) / 7.0,
                "hour": lambda: days % 1.0,
            }[part]()
            columns += [np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)]
    return np.stack(columns, axis=1) if columns else np.zeros((times.len(), 0))
