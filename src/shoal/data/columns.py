"""What each column is, and so which inputs it becomes. Every decision rests on the training rows alone and is given a reason."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from shoal.data.effect import jumps
from shoal.data.encode import DateEncoder, Encoder, LevelsEncoder, NumberEncoder
from shoal.data.normalise import Smooth
from shoal.data.pictures.column import is_pictures
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.values import NumberStyle, as_numbers, as_text, as_times, number_style, time_format
from shoal.recipe import InputNormalisation
from shoal.records import ColumnDecision

FEW_WHOLE_NUMBERS = 32
"""Whole numbers with 3 to this many different values may become a number and one input per value; see ``LARGE_JUMPS``."""

LARGE_JUMPS = 0.05
"""They do where the mean target of each value explains this much more of its variance than a cubic curve. Measured with a 64-64 network:
the hour of the bicycle-hire table (0.13 more) gains 0.007 of R2; inputs per value for the letter table (0.03 at most) cost 0.03 of
accuracy."""

ROWS_PER_LEVEL = 20
"""Training rows per different value that those inputs need."""

MOST_CODES = 1000
UNIQUE_SHARE = 0.95
TEXT_SHARE = 0.5
FEWEST_ROWS_FOR_ID = 30

_ID_NAME = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|key|index|idx|instant|rowid|rownames?)$|^(unnamed_\d+)$|[a-z]I[Dd]$|^(no|nr|number)$", re.IGNORECASE
)
_CAMEL_ID = re.compile(r"[a-z]I[Dd]$")
_CODE_NAME = re.compile(r"(zip|postal|post)[_\s.-]?(code)?$|(^|[_\s.-])(code|id)$", re.IGNORECASE)
_BOOLEAN_PAIRS = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"}, {"0", "1"}, {"on", "off"})

Choice = tuple[ColumnDecision, tuple[Encoder, ...]]


def choose_encoders(
    series: pl.Series,
    answers: np.ndarray | None = None,
    *,
    drop_ids: bool = True,
    normalisation: InputNormalisation = "smooth",
) -> Choice:
    """The decision about one column and its fitted encoders (none when it is dropped).

    Args:
        series: the column's training rows, as read.
        answers: the target of the same rows [rows, outputs], standardised or one 0/1 column per class.
        drop_ids: leave out columns that only number or name the rows; off for arrays, whose columns somebody chose.
        normalisation: of the inputs; the kind and the number of inputs do not depend on it.

    Example:
        >>> choose_encoders(pl.Series("sex", ["Male", "Female", "Male"]))[0].inputs
        1
    """
    if is_pictures(series.dtype):
        return choose_pictures(series)
    if series.dtype == pl.Boolean:
        return _choose_levels(series, as_text(series), normalisation, numbers=False)
    if series.dtype in (pl.Duration, pl.Time):
        return _choose_number(series, "plain", normalisation, answers, drop_ids=False)
    if series.dtype.is_numeric():
        return _choose_number(series, "plain", normalisation, answers, drop_ids)
    if series.dtype in (pl.Date, pl.Datetime):
        return choose_date(series, "", normalisation)
    if series.dtype.is_nested() or series.dtype == pl.Binary:
        return _dropped(series, "text", series.null_count(), f"dropped: cells of type {series.dtype} are no single values")
    texts = as_text(series)
    distinct = texts.drop_nulls().unique()
    if (style := number_style(distinct)) is not None:
        return _choose_number(series, style, normalisation, answers, drop_ids)
    if (format := time_format(distinct)) is not None:
        return choose_date(series, format, normalisation)
    return _choose_levels(series, texts, normalisation, numbers=False, drop_ids=drop_ids)


def choose_pictures(series: pl.Series, rows: np.ndarray | None = None) -> Choice:
    """The decision about a column of pictures.

    Args:
        series: the column.
        rows: positions of the training rows in it; by default all are.
    """
    encoder = PictureEncoder.fit(series, rows)
    names = ("red", "green", "blue") if encoder.channels == 3 else ("",)
    measured = zip(names, encoder.means, encoder.deviations, strict=True)
    scales = ", ".join(f"{name} {mean:.1f} and {deviation:.1f}".strip() for name, mean, deviation in measured)
    kind = "colour" if encoder.channels == 3 else "grey"
    reason = (
        f"{encoder.height} x {encoder.width} pixels in {kind}, less their mean and divided by their standard deviation ({scales}), "
        "whatever input normalisation a recipe asks for"
    )
    return ColumnDecision(series.name, "picture", encoder.inputs, 0, reason), (encoder,)


def choose_date(series: pl.Series, format: str, normalisation: InputNormalisation, *, cyclic_only: bool = False) -> Choice:
    """The decision about a column of dates; ``cyclic_only`` for the column that orders the rows of a split by time."""
    times = as_times(series, format)
    missing = times.null_count()
    if times.drop_nulls().n_unique() < 2:
        return _constant(series, missing)
    encoder = DateEncoder.fit(series, format, cyclic_only=cyclic_only, normalisation=normalisation)
    written = f" written {format}" if format else ""
    reason = f"dates{written}, used as {', '.join(encoder.parts) or 'nothing'}"
    if format.startswith(("%d/", "%d-")) and time_format(as_text(series).unique().str.replace(r"^(\d+)([/-])(\d+)", "${3}${2}${1}")):
        reason += " (day first: month first would fit too)"
    return ColumnDecision(series.name, "date", len(encoder.input_names), missing, reason), (encoder,)


def _choose_number(
    series: pl.Series, style: NumberStyle, normalisation: InputNormalisation, answers: np.ndarray | None, drop_ids: bool
) -> Choice:
    numbers = as_numbers(series, style)
    missing, known = numbers.null_count(), numbers.drop_nulls()
    distinct = known.n_unique()
    if distinct < 2:
        if distinct == 0 or not missing:
            return _constant(series, missing)
        return _choose_levels(series, as_text(numbers), normalisation, numbers=True)
    whole = bool((known == known.round()).all())
    if distinct == 2 and set(known.unique().to_list()) == {0.0, 1.0}:
        return _choose_levels(series, as_text(numbers), normalisation, numbers=True)
    if whole and drop_ids and (reason := _why_id(series.name, known, distinct)):
        return _dropped(series, "id", missing, reason)
    if whole and (format := _whole_dates(series, known)):
        return choose_date(series, format, normalisation)
    number = NumberEncoder.fit(series, style, normalisation)
    encoders: tuple[Encoder, ...] = (number,)
    kind, reason = "numeric", "numbers"
    if style != "plain":
        reason += f" written with {style.replace('thousands', 'thousands separators')}"
    if isinstance(number.normaliser, Smooth) and number.normaliser.logarithm is not None:
        reason += " with a heavy tail, on a logarithmic scale"
    if whole and _CODE_NAME.search(series.name) and distinct <= min(MOST_CODES, known.len() / ROWS_PER_LEVEL):
        encoders = (number, LevelsEncoder.fit(series, numbers=True, mark_missing=False, normalisation=normalisation))
        kind, reason = "categorical", "codes by the column's name: one input per frequent code, and the number itself"
    elif whole and 3 <= distinct <= min(FEW_WHOLE_NUMBERS, known.len() / ROWS_PER_LEVEL) and _jumps(numbers, answers):
        encoders = (number, LevelsEncoder.fit(series, numbers=True, mark_missing=False, normalisation=normalisation))
        reason = f"{distinct} whole numbers between which the target jumps: the number itself, and one input per value"
    if missing:
        reason += f"; {missing:,} missing, filled with the median {number.median:g} and marked"
    return ColumnDecision(series.name, kind, _width(encoders), missing, reason), encoders


def _choose_levels(
    series: pl.Series, texts: pl.Series, normalisation: InputNormalisation, *, numbers: bool, drop_ids: bool = True
) -> Choice:
    missing, known = texts.null_count(), texts.drop_nulls()
    distinct = known.n_unique()
    if distinct == 0 or (distinct == 1 and not missing):
        return _constant(series, missing)
    if distinct > max(20, TEXT_SHARE * known.len()):
        with_spaces = int(known.str.contains(r"\s").sum())
        if distinct >= UNIQUE_SHARE * known.len() and with_spaces < known.len() / 2:
            if drop_ids:
                return _dropped(series, "id", missing, f"dropped: {distinct:,} different values in {known.len():,} rows name the rows")
        else:
            return _dropped(series, "text", missing, f"dropped: free text, {distinct:,} different values in {known.len():,} rows")
    encoder = LevelsEncoder.fit(series, numbers=numbers, normalisation=normalisation)
    is_boolean = {level.lower() for level in encoder.levels} in _BOOLEAN_PAIRS and not encoder.other
    reason = f"two values, {encoder.levels[0]} and {encoder.levels[1]}" if is_boolean else f"{distinct:,} level{'s' * (distinct != 1)}"
    if encoder.other:
        reason += f"; the {distinct - len(encoder.levels):,} rarest share one input"
    if missing:
        reason += f"; {missing:,} missing, {'marked' if len(encoder.levels) <= 2 else 'a level of their own'}"
    return ColumnDecision(series.name, "boolean" if is_boolean else "categorical", len(encoder.input_names), missing, reason), (encoder,)


def _jumps(numbers: pl.Series, answers: np.ndarray | None) -> bool:
    if answers is None:
        return False
    known = numbers.is_not_null().to_numpy()
    return jumps(numbers.to_numpy()[known], answers[known]) > LARGE_JUMPS


def _why_id(name: str, known: pl.Series, distinct: int) -> str | None:
    """A reason to believe that whole numbers only number the rows; being different is not enough, since a quantity may be."""
    rows = known.len()
    if rows < FEWEST_ROWS_FOR_ID or distinct < UNIQUE_SHARE * rows:
        return None
    if distinct == rows and _is_evenly_numbered(known.to_numpy()):
        return "dropped: it numbers the rows"
    if _ID_NAME.search(name) or _CAMEL_ID.search(name):
        return f"dropped: {distinct:,} different whole numbers in {rows:,} rows, and the name says so: they name the rows"
    return None


def _is_evenly_numbered(known: np.ndarray) -> bool:
    # Training rows are a sample of the table, so a row number has gaps in them; but it starts near 0 and is spread evenly.
    low, high, rows = known.min(), known.max(), known.size
    return -1 < low < 0.02 * high + 2 and high - low < 3 * rows and abs(known.mean() - (low + high) / 2) < 0.05 * (high - low)


def _whole_dates(series: pl.Series, known: pl.Series) -> str | None:
    cells = known.to_numpy()
    if cells.min() < 19000101 or cells.max() > 21001231 or series.dtype.is_float():
        return None
    return time_format(as_text(series, numbers=True).unique())


def _constant(series: pl.Series, missing: int) -> Choice:
    return _dropped(
        series, "constant", missing, "dropped: missing in every training row" if missing == series.len() else "dropped: one value only"
    )


def _dropped(series: pl.Series, kind, missing: int, reason: str) -> Choice:
    return ColumnDecision(series.name, kind, 0, missing, reason), ()


def _width(encoders: tuple[Encoder, ...]) -> int:
    return sum(len(encoder.input_names) for encoder in encoders)
