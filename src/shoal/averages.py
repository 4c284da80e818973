"""Exponentially weighted averages, ``V_t = beta V_(t-1) + (1 - beta) theta_t``, in constant memory.

``of`` averages a series that is there as a whole, ``Average`` values that come one at a time; ``update`` and ``corrected`` are
the two formulas, which also work inside compiled programs. A value that is NaN or infinite is not hidden: its average and every
later one are no finite numbers either. Drop or fill missing values before averaging.

Source: the course "Improving Deep Neural Networks", Exponentially Weighted Averages and Bias Correction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shoal.errors import DataError, OptionError, Problem


def update(average: Any, value: Any, beta: Any) -> Any:
    """The next average. It starts from 0, so the first values are too small until ``corrected``.

    Example:
        >>> update(0.0, 10.0, 0.5)
        5.0
    """
    return beta * average + (1 - beta) * value


def corrected(average: Any, beta: Any, steps: Any) -> Any:
    """The average without the bias of its start at 0: ``V_t / (1 - beta^t)``; for reading only, never fed back.

    Example:
        >>> corrected(update(0.0, 10.0, 0.5), 0.5, 1)
        10.0
    """
    return average / (1 - beta**steps)


def span(beta: float) -> float:
    """About how many of the latest values the average covers: ``1 / (1 - beta)``.

    Args:
        beta: weight of the past, at least 0 and below 1.

    Raises:
        OptionError: ``beta`` is out of range.

    Example:
        >>> round(span(0.98))
        50
    """
    return 1 / (1 - _weight(beta))


class Average:
    """One running average of numbers, or of arrays of one shape; it remembers the latest average and a count, and no values.

    Args:
        beta: weight of the past, at least 0 and below 1; the average covers about ``1 / (1 - beta)`` values.

    Raises:
        OptionError: ``beta`` is out of range.

    Example:
        >>> temperature = Average(0.9)
        >>> for degrees in (4.0, 9.0, 6.0):
        ...     temperature.add(degrees)
        >>> round(temperature.value, 3), round(temperature.corrected, 3)
        (1.734, 6.399)

    Source:
        ``V_t = beta V_(t-1) + (1 - beta) theta_t`` from ``V_0 = 0``; the average is read as ``V_t / (1 - beta^t)``.
    """

    __slots__ = ("beta", "steps", "value")

    def __init__(self, beta: float) -> None:
        self.beta = _weight(beta)
        self.steps = 0
        """How many values were added."""
        self.value: Any = 0.0
        """``V_t``, which starts from 0 and is too small at first."""

    def add(self, value: Any) -> None:
        """Take in the next value: a number, or an array of any library, each time of the same shape."""
        self.value = update(self.value, value, self.beta)
        self.steps += 1

    @property
    def corrected(self) -> Any:
        """``V_t / (1 - beta^t)``, the weighted mean of the values so far; NaN before the first one."""
        return corrected(self.value, self.beta, self.steps) if self.steps else np.nan


def of(series: ArrayLike, beta: float, corrected: bool = True) -> NDArray[np.float64]:
    """The running average at each time of a series.

    Args:
        series: ``[time]`` or ``[time, ...]``: anything that NumPy can turn into an array of real numbers.
        beta: weight of the past, at least 0 and below 1; an average covers about ``1 / (1 - beta)`` values.
        corrected: without the bias of the start at 0, which makes the first averages too small.

    Returns:
        Averages of the same shape, in double precision. From a NaN on they are NaN.

    Raises:
        OptionError: ``beta`` is out of range.
        DataError: the series has no time axis.

    Example:
        >>> of([10.0, 10.0, 10.0], 0.9).tolist()
        [10.0, 10.0, 10.0]
        >>> of([10.0, 10.0, 10.0], 0.9, corrected=False).round(2).tolist()
        [1.0, 1.9, 2.71]
    """
    values = np.asarray(series, np.float64)
    if values.ndim == 0:
        raise DataError(Problem("a series has a time axis", f"the single number {values}", "Give a list or an array of values."))
    average, averages = Average(beta), np.empty_like(values)
    for time, value in enumerate(values):
        average.add(value)
        averages[time] = average.corrected if corrected else average.value
    return averages


def _weight(beta: Any) -> float:
    """``beta``, if it can be the weight of the past."""
    is_number = isinstance(beta, int | float | np.number) and not isinstance(beta, bool)
    if not (is_number and 0 <= beta < 1):
        raise OptionError(Problem("beta is a number at least 0 and below 1", repr(beta), "Write, say, 0.9, which spans about 10 values."))
    return float(beta)
