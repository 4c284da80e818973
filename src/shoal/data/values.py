"""Raw cells as numbers, as text or as times. Missing and infinite cells become null; the columns' kinds are decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

NumberStyle = Literal["plain", "thousands", "decimal comma"]

MISSING_MARKERS = ("", "na", "n/a", "#n/a", "?", "nan", "null", "none")
"""Cells that mean "no value", compared in lower case after stripping white space."""

# A share of unreadable cells that is more likely dirt than meaning, asked only of columns with many distinct values.
_READABLE_SHARE = 0.98
_MANY_VALUES = 100

_TIME_FORMATS: Sequence[tuple[str, Sequence[str]]] = (
    (r"^\d{4}-\d{1,2}-\d{1,2}$", ("%Y-%m-%d",)),
    (r"^\d{4}/\d{1,2}/\d{1,2}$", ("%Y/%m/%d",)),
    (r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}$", ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")),
    (r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}:\d{2}(\.\d+)?$", ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")),
    (r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$", ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")),
    (r"^\d{8}T\d{6}$", ("%Y%m%dT%H%M%S",)),
    (r"^\d{8}$", ("%Y%m%d",)),
    (r"^\d{1,2}/\d{1,2}/\d{4}$", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"^\d{1,2}-\d{1,2}-\d{4}$", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}$", ("%d.%m.%Y",)),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}$", ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")),
    (r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2}$", ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S")),
)


def as_text(series: pl.Series, *, numbers: bool = False, keep_none: bool = False) -> pl.Series:
    """The cells as stripped strings, missing markers as null; whole numbers lose their ``.0`` so that 3 and 3.0 are one label.

    Args:
        series: any column.
        numbers: read the cells as numbers first, so that ``"03"``, ``3`` and ``3.0`` agree.
        keep_none: ``"None"`` is a value (a class label), not a missing cell.

    Example:
        >>> as_text(pl.Series([" a", "?", "b "])).to_list()
        ['a', None, 'b']
    """
    if numbers:
        series = as_numbers(series)
    if series.dtype == pl.Boolean:
        return series.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    if series.dtype.is_float():
        series = series.fill_nan(None)
        whole = series.cast(pl.Int64, strict=False)
        frame = pl.DataFrame({"value": series, "whole": whole})
        is_whole = pl.col("whole").cast(pl.Float64) == pl.col("value")
        text = pl.when(is_whole).then(pl.col("whole").cast(pl.String)).otherwise(pl.col("value").cast(pl.String))
        return frame.select(text.alias(series.name)).to_series()
    if series.dtype != pl.String:
        return _cast_to_text(series)
    text = series.str.strip_chars()
    markers = [marker for marker in MISSING_MARKERS if not (keep_none and marker == "none")]
    missing = text.str.to_lowercase().is_in(markers)
    return text.set(missing, None) if missing.any() else text


def as_numbers(series: pl.Series, style: NumberStyle = "plain") -> pl.Series:
    """The cells as float64; what is missing, unreadable or infinite is null.

    Args:
        series: any column; durations become seconds, times of day seconds since midnight.
        style: how text writes numbers (see ``number_style``).

    Example:
        >>> as_numbers(pl.Series(["1.5", " 2", "?", "inf"])).to_list()
        [1.5, 2.0, None, None]
    """
    numbers = _numbers_with_infinities(series, style)
    return numbers.set(~numbers.is_finite().fill_null(False), None) if numbers.len() else numbers


def count_infinities(series: pl.Series, style: NumberStyle = "plain") -> int:
    """How many cells are infinite."""
    return int(_numbers_with_infinities(series, style).is_infinite().sum())


def number_style(texts: pl.Series) -> NumberStyle | None:
    """How these distinct texts write numbers, or ``None`` when they are not numbers.

    Example:
        >>> number_style(pl.Series(["1,200", "35"])), number_style(pl.Series(["0,5", "12,25"])), number_style(pl.Series(["low"]))
        ('thousands', 'decimal comma', None)
    """
    texts = texts.drop_nulls()
    if not texts.len():
        return None
    styles: tuple[NumberStyle, ...] = ("plain",)
    if texts.str.contains(",", literal=True).any():
        thousands = texts.str.contains(r"^[+-]?\d{1,3}(,\d{3})*(\.\d+)?$").all()
        styles = ("thousands",) if thousands else ("decimal comma",) if not texts.str.contains(".", literal=True).any() else ()
    for style in styles:
        unreadable = _numbers_with_infinities(texts, style).null_count()
        if unreadable == 0 or (texts.len() > _MANY_VALUES and unreadable <= (1 - _READABLE_SHARE) * texts.len()):
            return style
    return None


def as_times(series: pl.Series, format: str) -> pl.Series:
    """The cells as date-times without a zone; unreadable cells are null.

    Args:
        series: a temporal column, text, or whole numbers such as 20141013.
        format: what ``time_format`` found; ``""`` for columns that are temporal already.

    Example:
        >>> as_times(pl.Series(["20141013T000000"]), "%Y%m%dT%H%M%S").dt.year().to_list()
        [2014]
    """
    if series.dtype == pl.Date:
        return series.cast(pl.Datetime("us"))
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    texts = as_text(series)
    format = format or time_format(texts.unique()) or "%Y-%m-%d"
    times = texts.str.to_datetime(format, strict=False, time_unit="us", time_zone="UTC" if format.endswith("z") else None)
    return times.dt.replace_time_zone(None)


def time_format(texts: pl.Series) -> str | None:
    """The format in which these distinct texts write times, or ``None``; 3/4/2016 is read as 3 April unless that fails somewhere.

    Example:
        >>> time_format(pl.Series(["1/13/2011", "1/2/2011"]))
        '%m/%d/%Y'
    """
    texts = texts.drop_nulls()
    if not texts.len():
        return None
    first = texts.head(1)
    for pattern, formats in _TIME_FORMATS:
        if first.str.contains(pattern).all() and texts.str.contains(pattern).all():
            for format in formats:
                if as_times(texts, format).null_count() == 0 and _plausible(as_times(texts, format)):
                    return format
    return None


def _plausible(times: pl.Series) -> bool:
    years = times.dt.year()
    return bool(((years >= 1800) & (years <= 2200)).all())


def _numbers_with_infinities(series: pl.Series, style: NumberStyle) -> pl.Series:
    if isinstance(series.dtype, pl.Duration):
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if series.dtype == pl.Time:
        return series.cast(pl.Int64).cast(pl.Float64) / 1e9
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    if series.dtype != pl.String:
        series = _cast_to_text(series)
    text = series.str.strip_chars()
    if style == "thousands":
        text = text.str.replace_all(",", "", literal=True)
    elif style == "decimal comma":
        text = text.str.replace(",", ".", literal=True)
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def _cast_to_text(series: pl.Series) -> pl.Series:
    try:
        text = series.cast(pl.String)
    except (pl.exceptions.PolarsError, TypeError):
        text = pl.Series(series.name, [None if cell is None else str(cell) for cell in series.to_list()], dtype=pl.String)
    return as_text(text) if series.dtype in (pl.Categorical, pl.Enum, pl.Object) else text
