"""Encoders: fitted on the training rows of one column, they write that column's network inputs.

Every encoder is plain frozen data (it is saved inside the model file) with the same three members: ``column``,
``input_names`` and ``encode(series, out)``.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from shoal.data.values import NumberStyle, as_numbers, as_text, as_times

SMALLEST_INDICATOR_SD = 0.25
"""Floor of the divisor of 0/1 inputs. Divided by its own standard deviation, a level seen in 1 of 100,000 rows would become an input of 316
and rule every step in which it occurs; with this floor no 0/1 input exceeds 4, and rare levels weigh less than frequent ones."""

CLIP = 8.0
"""Where the smooth clip of numbers levels off, in standard deviations."""

FARTHEST = 1e100
"""Numbers beyond this are taken as this, so that no square or quotient overflows float64."""

SMALLEST_CLIPPED_SD = 0.5
"""Floor of the divisor after clipping; columns of ordinary shape stay well above it."""

HEAVY_TAIL = 10.0
"""A number whose farthest training value lies more standard deviations than this from the mean is taken on a logarithmic scale."""

MAX_LEVELS = 128
"""Levels of a categorical column that get an input of their own; the rest share ``other``."""


class Standardiser(msgspec.Struct, frozen=True):
    """Subtract the training mean, divide by the training standard deviation."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise ValueError("a mean must be finite and a standard deviation finite and positive")

    @classmethod
    def fit(cls, values: np.ndarray, smallest_sd: float = 0.0) -> Standardiser:
        """From training values [rows]; a constant gets a divisor of 1, so that it stays finite."""
        mean, sd = float(np.mean(values)), float(np.std(values))
        sd = max(sd, smallest_sd)
        return cls(mean, sd if sd > max(1e-12 * abs(mean), 1.0 / FARTHEST) else 1.0)

    @classmethod
    def fit_share(cls, share: float) -> Standardiser:
        """For a 0/1 input that is 1 in this share of the training rows."""
        return cls(share, max(math.sqrt(max(share * (1 - share), 0.0)), SMALLEST_INDICATOR_SD))

    def __call__(self, values):
        """The standardised values."""
        return (values - self.mean) / self.sd


class NumberEncoder(msgspec.Struct, frozen=True, tag="number", tag_field="encoder"):
    """A number: imputed with the training median, scaled, squashed and standardised, with an indicator where training rows lacked it.

    The input is ``u / sqrt(1 + (u/8)^2)`` of the standardised value ``u``: the identity near 0, never beyond 8. This is the smooth clipping
    of RealMLP (Holzmueller, Grinsztajn and Steinwart, "Better by Default", 2024), which clips at 3; we clip later so that light tails keep
    their shape. For heavy tails (``logarithm``) ``x`` is first replaced by ``asinh((x - median) / s)`` with ``s`` the interquartile
    range / 1.35: linear near the median and logarithmic beyond. The clipped values are standardised again, so training inputs have mean 0
    and standard deviation 1; a column that is one value but for a few rows has less, since ``SMALLEST_CLIPPED_SD`` keeps it within 16.
    """

    column: str
    style: NumberStyle
    median: float
    logarithm: Standardiser | None
    scaling: Standardiser
    standardiser: Standardiser
    missing: Standardiser | None

    def __post_init__(self) -> None:
        if not math.isfinite(self.median):
            raise ValueError("a median must be finite")

    @classmethod
    def fit(cls, series: pl.Series, style: NumberStyle = "plain") -> NumberEncoder:
        """From the column's training rows, of which at least one is a number."""
        numbers = as_numbers(series, style).clip(-FARTHEST, FARTHEST)
        absent = numbers.null_count() / max(numbers.len(), 1)
        lower, median, upper = np.quantile(numbers.drop_nulls().to_numpy(), [0.25, 0.5, 0.75])
        values = numbers.fill_null(float(median)).to_numpy()
        logarithm, scaling = None, Standardiser.fit(values)
        if np.max(np.abs(scaling(values))) > HEAVY_TAIL:
            spread = (upper - lower) / 1.35 or np.mean(np.abs(values - median))
            logarithm = Standardiser(float(median), float(spread))
            values = np.arcsinh(logarithm(values))
            scaling = Standardiser.fit(values)
        standardiser = Standardiser.fit(_clip(scaling(values)), SMALLEST_CLIPPED_SD)
        indicator = Standardiser.fit_share(absent) if absent else None
        return cls(series.name, style, float(median), logarithm, scaling, standardiser, indicator)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The column's name, and ``<column> missing``."""
        return (self.column,) if self.missing is None else (self.column, f"{self.column} missing")

    def encode(self, series: pl.Series, out: np.ndarray) -> None:
        """Write the inputs of these rows into ``out`` [rows, inputs]."""
        numbers = as_numbers(series, self.style)
        values = numbers.fill_null(self.median).clip(-FARTHEST, FARTHEST).to_numpy()
        if self.logarithm is not None:
            values = np.arcsinh(self.logarithm(values))
        out[:, 0] = self.standardiser(_clip(self.scaling(values)))
        if self.missing is not None:
            out[:, 1] = self.missing(numbers.is_null().to_numpy())


class LevelsEncoder(msgspec.Struct, frozen=True, tag="levels", tag_field="encoder"):
    """A category: one 0/1 input per level, standardised with ``SMALLEST_INDICATOR_SD`` as floor.

    Two levels give one input (1 for the second). Levels too rare for an input of their own share ``other``, where unseen levels go too;
    without ``other`` an unseen level sets no input. Missing cells are a level of their own if training rows lacked the value.
    """

    column: str
    levels: tuple[str, ...]
    numbers: bool
    other: bool
    missing: bool
    standardisers: tuple[Standardiser, ...]

    def __post_init__(self) -> None:
        if not self.levels or len(self.standardisers) != len(self.input_names):
            raise ValueError("a levels encoder needs a level, and one standardiser per input")
        if self.numbers and not all(_number_or_text(level)[0] == 0 for level in self.levels):
            raise ValueError("the levels of a column of numbers are numbers")

    @classmethod
    def fit(cls, series: pl.Series, *, numbers: bool = False, mark_missing: bool = True) -> LevelsEncoder:
        """From the column's training rows.

        Args:
            series: the training rows.
            numbers: the levels are numbers (codes).
            mark_missing: give missing cells an input; off where the column's number does so already.
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
        return cls(series.name, tuple(levels), numbers, pooled > 0, missing, tuple(map(Standardiser.fit_share, shares)))

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
            # In a pair a missing or unseen cell says nothing: its input is the training mean, which is 0.
            known = cells.is_in(list(positions)).fill_null(False).to_numpy()
            out[~known, 0] = 0.0


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
    standardisers: tuple[Standardiser, ...]
    lowest: tuple[float, ...]
    """Of each input over the training rows."""
    highest: tuple[float, ...]
    missing: Standardiser | None

    def __post_init__(self) -> None:
        inputs = len(_part_names(self.parts))
        if not (len(self.standardisers) == len(self.lowest) == len(self.highest) == inputs) or not math.isfinite(self.median):
            raise ValueError("a date encoder needs one standardiser and one range per input and a finite median")

    @classmethod
    def fit(cls, series: pl.Series, format: str = "", *, cyclic_only: bool = False) -> DateEncoder:
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
        standardisers = tuple(Standardiser.fit(column) for column in matrix.T)
        inputs = [standardiser(column) for standardiser, column in zip(standardisers, matrix.T, strict=True)]
        lowest, highest = tuple(float(values.min()) for values in inputs), tuple(float(values.max()) for values in inputs)
        missing = Standardiser.fit_share(absent) if absent else None
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


Encoder = NumberEncoder | LevelsEncoder | DateEncoder


def _clip(values: np.ndarray) -> np.ndarray:
    return values / np.hypot(1.0, values / CLIP)


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
