"""What a number is over random seeds: its mean with an interval, and how many seeds would settle a question about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from shoal.interval import Interval


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean with its 95 % interval (Student's t); one value tells nothing about its scatter and is its own interval.

    Example:
        >>> over_seeds([1.0, 1.0, 1.0])
        Interval(value=1.0, low=1.0, high=1.0)
    """
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return Interval(mean, mean - half, mean + half)


def factor_over_seeds(values: Sequence[float]) -> Interval:
    """The geometric mean of positive factors, with its interval.

    Example:
        >>> factor_over_seeds([0.5, 0.5]).value
        0.5
    """
    logs = over_seeds([math.log(max(value, 1e-300)) for value in values])
    return Interval(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high))


def seeds_to_settle(size: Interval, limit: float, seeds: int) -> str:
    """How many more seeds would tell whether a size lies above a limit: an interval shrinks as ``1/sqrt(n)``.

    Example:
        >>> seeds_to_settle(Interval(0.6, 0.4, 0.8), 0.5, 4)
        'About 12 more random seeds would settle it.'
    """
    distance, half = abs(size.value - limit), (size.high - size.low) / 2
    if distance * 10 <= half:
        return "It lies so close to the limit that no reasonable number of seeds would settle it."
    more = max(1, math.ceil(round(seeds * ((half / distance) ** 2 - 1), 6)))
    return f"About {more:,} more random seed{'s' * (more != 1)} would settle it."
