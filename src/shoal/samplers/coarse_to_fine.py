"""Coarse to fine: a first look at the whole space, then again and again a closer look at its best region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoal.samplers.points import points_of, sobol
from shoal.samplers.sampler import Drawn, Result
from shoal.samplers.spread import in_turns, recipe_at
from shoal.space import Space

COARSE_SHARE = 0.5
"""Of the trials, for the first look."""
ROUNDS = 2
"""Closer looks, each at a region half as wide as the one before."""
FEWEST_A_ROUND = 8
BEST = 0.15
"""Share of the trials so far whose region is looked at more closely."""


class CoarseToFine:
    """Quasi-random points, first over the whole space, then in boxes around the best trials that become half as wide every time.

    The best trial so far lies in every box, and stays a candidate whatever comes after it.

    Args:
        space: what is drawn from.
        trials: of each family.
        seed: of the draws.
    """

    def __init__(self, space: Space, trials: Sequence[int], seed: int) -> None:
        self._space, self._seed, self._total = space, seed, sum(trials)
        self._points: list[tuple[int, np.ndarray]] = []
        self._waiting: list[tuple[int, np.ndarray]] = []
        self._round = 0
        share = COARSE_SHARE if self._total >= 2 * FEWEST_A_ROUND else 1.0
        coarse = [round(count * share) or min(count, 1) for count in trials]
        drawn = [
            points_of("sobol", family, count, seed * 1009 + n) for n, (family, count) in enumerate(zip(space.families, coarse, strict=True))
        ]
        self._waiting = [(family, drawn[family][at]) for family, at in in_turns(coarse)]

    def draw(self, most: int, results: Sequence[Result]) -> list[Drawn]:
        """The next points (see ``Sampler``)."""
        if not self._waiting and len(self._points) < self._total:
            self._waiting = self._closer(results)
        now, self._waiting = self._waiting[:most], self._waiting[most:]
        self._points += now
        return [Drawn(family, recipe_at(self._space.families[family], point)) for family, point in now]

    def _closer(self, results: Sequence[Result]) -> list[tuple[int, np.ndarray]]:
        """The points of the next, closer look."""
        self._round += 1
        left = self._total - len(self._points)
        count = left if self._round >= ROUNDS else max(min(FEWEST_A_ROUND, left), left // (ROUNDS - self._round + 1))
        ranked = sorted(range(len(results)), key=lambda number: (-results[number].rung, results[number].score, number))
        best = ranked[: max(3, round(BEST * len(ranked)))]
        families = [self._points[number][0] for number in best]
        shares = [families.count(family) / len(families) for family in range(len(self._space.families))]
        counts = [int(count * share) for share in shares]
        counts[families[0]] += count - sum(counts)
        drawn = [
            self._in_box(family, [self._at(n) for n in best if self._points[n][0] == family], size) for family, size in enumerate(counts)
        ]
        return [(family, drawn[family][at]) for family, at in in_turns(counts)]

    def _at(self, number: int) -> np.ndarray:
        """A drawn point, in the middle where it was a family's base."""
        return np.nan_to_num(self._points[number][1], nan=0.5)

    def _in_box(self, family: int, best: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Points of the box around the best one, as wide as the best few reach, but at most half as wide as the last box."""
        axes = self._space.families[family].ranges
        if not count or not axes:
            return np.empty((count, len(axes)))
        width = 0.5**self._round
        reach = np.ptp(best, axis=0) if len(best) > 2 else np.full(len(axes), width)
        half = np.clip(reach, width / 2, width) / 2
        low = np.clip(best[0] - half, 0, 1 - 2 * half)
        return low + 2 * half * sobol(axes, count, self._seed * 1009 + 101 * self._round + family)
