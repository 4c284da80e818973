"""Samplers that do not learn: each family's points are spread evenly over the search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoal.recipe import Recipe
from shoal.samplers.points import points_of
from shoal.samplers.sampler import Drawn, Result
from shoal.space import Family, Space


def recipe_at(family: Family, point: np.ndarray) -> Recipe:
    """The recipe at a point of a family's cube, or its base where the point is NaN."""
    return family.base if np.isnan(point).any() else family.at(point.tolist())


def in_turns(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Family and number of its draws, so that every family advances at its own rate.

    Example:
        >>> in_turns((2, 4))
        [(1, 0), (0, 0), (1, 1), (1, 2), (0, 1), (1, 3)]
    """
    places = [((number + 0.5) / count, family, number) for family, count in enumerate(counts) for number in range(count)]
    return [(family, number) for _, family, number in sorted(places)]


class Spread:
    """Grid, random and quasi-random points, drawn without a look at the results.

    Args:
        name: one of ``POINTS``.
        space: what is drawn from.
        trials: of each family.
        seed: of the draws.
    """

    def __init__(self, name: str, space: Space, trials: Sequence[int], seed: int) -> None:
        families = list(zip(space.families, trials, strict=True))
        points = [points_of(name, family, count, seed * 1009 + number) for number, (family, count) in enumerate(families)]
        order = in_turns([len(each) for each in points])
        self._left = [Drawn(number, recipe_at(space.families[number], points[number][at])) for number, at in order]

    def draw(self, most: int, results: Sequence[Result]) -> list[Drawn]:
        """The next points (see ``Sampler``)."""
        now, self._left = self._left[:most], self._left[most:]
        return now
