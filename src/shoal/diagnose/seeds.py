"""What a number is over random seeds: a factor with its interval, and how many seeds would settle a question about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shoal.interval import Interval
from shoal.metrics import mean_interval


def factor_over_seeds(values: Sequence[float]) -> Interval:
    """The geometric mean of positive factors, with its interval.

    Example:
        >>> factor_over_seeds([0.5, 0.5]).value
        0.5
    """
    logs = mean_interval([math.log(max(value, 1e-300)) for value in values])
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
