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
