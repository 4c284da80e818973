"""The error against the number of training rows."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class LawPoint:
    """What the law says of one number of training rows.

    Args:
        rows: so many, the present number and more among them.
        error: the law's, with its interval.
    """

    rows: int
    error: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Networks of one recipe trained on growing subsets of the training rows, and the power law through their dev errors.

    The law is ``error(n) = floor + scale * n^-exponent`` with all three at least 0.

    Args:
        rows: training rows of each size, ascending; the last are all of them.
        train: ``[sizes][seeds]`` error on the rows trained on, in the run's metric as an error.
        dev: ``[sizes][seeds]`` error on the dev rows.
        steps: how long each network trained.
        exponent: of the law.
        floor: what the law says is left with endless rows.
        now: the law at the present number of rows.
        doubled: how much lower the law says the dev error is with twice the rows.
        rows_for_one_percent: further rows that lower the dev error by one per cent of itself, by the law; infinite ends are ``None``.
        law: from the smallest size to four times all rows.
    """

    rows: tuple[int, ...]
    train: tuple[tuple[float, ...], ...]
    dev: tuple[tuple[float, ...], ...]
    steps: int
    exponent: Interval
    floor: Interval
    now: Interval
    doubled: Interval
    rows_for_one_percent: tuple[float | None, float | None, float | None]
    law: tuple[LawPoint, ...] = ()
