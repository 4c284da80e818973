"""A value with the interval that says how well it is known, and numbers in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

NOTHING = "–"  # noqa: RUF001
"""Stands for a number that does not exist."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; large ones with separators, tiny ones with an exponent.

    Example:
        >>> number(0.00123456), number(1234567.0), number(3.2e-7), number(None)
        ('0.001235', '1,234,567', '3.2e-07', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0 or 1e-4 <= abs(value) < 10**digits:
        return f"{value:.{digits}g}"
    return f"{value:,.0f}" if 1 <= abs(value) < 1e12 else f"{value:.{digits}g}"


def percent(share: float | Interval, digits: int = 1) -> str:
    """A share in per cent, with so many digits behind the point, and with its interval where it has one.

    Example:
        >>> percent(0.0312), percent(Interval(0.5, 0.4, 0.625), digits=0)
        ('3.1 %', '50 % (40 % to 62 %)')
    """
    if isinstance(share, Interval):
        value, low, high = (percent(each, digits) for each in (share.value, share.low, share.high))
        return f"{value} ({low} to {high})"
    return f"{100 * share:.{digits}f} %"
