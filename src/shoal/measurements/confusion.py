"""Which classes a classifier answers rows of each class with."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix of one part, without its zeros; classes are their positions among the run's classes.

    Args:
        rows: rows of each class, by the data.
        answered: rows answered with each class.
        right: share of the rows of each class that are answered rightly (Wilson); ``None`` for a class without rows.
        mistakes: class in the data, class answered, and in how many rows, the most frequent first.
        left_out: mistakes in pairs that are too rare to be among these.
    """

    rows: tuple[int, ...]
    answered: tuple[int, ...]
    right: tuple[Interval | None, ...]
    mistakes: tuple[tuple[int, int, int], ...]
    left_out: int = 0
