"""Points of the unit cube: a grid, random ones, and sequences that cover the cube more evenly than chance does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import qmc

from shoal.parameters import Choice, Parameter
from shoal.space import Family


def sobol(axes: Sequence[Parameter], count: int, seed: int) -> np.ndarray:
    """Scrambled Sobol points ``[count, axes]``: each of ``2^k`` equal parts of an axis holds as many of ``2^m`` points (Owen, 1998)."""
    points = qmc.Sobol(len(axes), rng=np.random.default_rng(seed)).random_base2(math.ceil(math.log2(max(count, 1))))
    return points[:count]


def halton(axes: Sequence[Parameter], count: int, seed: int) -> np.ndarray:
    """Scrambled Halton points ``[count, axes]``: even for any count, not only for powers of two (Owen, 2017)."""
    return qmc.Halton(len(axes), rng=np.random.default_rng(seed)).random(count)


def random(axes: Sequence[Parameter], count: int, seed: int) -> np.ndarray:
    """Independent uniform points ``[count, axes]``."""
    return np.random.default_rng(seed).random((count, len(axes)))


def grid(axes: Sequence[Parameter], count: int, seed: int) -> np.ndarray:
    """A grid of at most ``count`` points ``[points, axes]``, from end to end of each axis, in random order.

    Every axis gets as many levels as ``count`` allows, those that stand first one more where not all can have it; a choice has no more
    levels than values. An axis of one level stands in its middle.

    Example:
        >>> from shoal.parameters import Range
        >>> axes = [Range("learning_rate", 1e-4, 1.0, "log"), Range("keep_prob", 0.5, 1.0)]
        >>> len(grid(axes, 25, 0)), len(set(grid(axes, 25, 0)[:, 0].tolist()))  # 25 trials, and 5 values of each
        (25, 5)
    """
    most = [len(each.values) if isinstance(each, Choice) else count for each in axes]
    levels = [1] * len(axes)
    growing = list(range(len(axes)))
    while growing:
        for axis in list(growing):
            if levels[axis] == most[axis] or math.prod(levels) // levels[axis] * (levels[axis] + 1) > count:
                growing.remove(axis)
            else:
                levels[axis] += 1
    values = [
        (np.arange(level) + 0.5) / level if isinstance(each, Choice) or level == 1 else np.linspace(0, 1, level)
        for each, level in zip(axes, levels, strict=True)
    ]
    points = np.array(list(itertools.product(*values)), float).reshape(-1, len(axes))
    return np.random.default_rng(seed).permutation(points)


POINTS: dict[str, Callable[[Sequence[Parameter], int, int], np.ndarray]] = {
    "sobol": sobol,
    "halton": halton,
    "random": random,
    "grid": grid,
}
"""By the name of the sampler."""


def points_of(name: str, family: Family, count: int, seed: int) -> np.ndarray:
    """Points ``[count or fewer, ranges]`` of a family; the first is the base itself, as NaN, where the family begins with that."""
    points = POINTS[name](family.ranges, count, seed) if family.ranges and count else np.empty((count, len(family.ranges)))
    if family.begins_with_base and len(points):
        points = points.copy()
        points[0] = np.nan
    return points
