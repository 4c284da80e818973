"""A forest over the space, taken apart into what each parameter and each pair of parameters does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesRegressor

from shoal.interval import Interval

SPLITS = 40
TREES = 16
FITTED = 0.7
DEPTH = 6
LEAST_STRETCH = 0.5
LEAST_HALF = 2.0
"""Over the number of trials: the least half width of an interval. Unrelated values have a squared correlation of 1 over it on average."""


@dataclass(frozen=True)
class Effects:
    """Effects at some points, of all parameters ``p`` and all pairs, each with mean 0 over the space.

    Args:
        mains: ``[points, parameters]``.
        pairs: ``[points, parameters, parameters]``, the part of two parameters together beyond that of each; symmetric.
    """

    mains: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True)
class HeldOut:
    """What a forest explains of trials it has not seen, in shares of the variance of all losses: one row per division of the trials.

    Args:
        explained: ``[splits]`` by the whole forest, of the variance of the held-out losses.
        mains: ``[splits, 2, parameters]``: covariance of each parameter's effect with the held-out losses, and variance of the effect.
        pairs: ``[splits, 2, pairs]``: the same of two parameters together only, in the order of ``pairs_of``.
        correction: what the variance between divisions is multiplied with to be that of their mean.
        trials: how many were divided.
    """

    explained: np.ndarray
    mains: np.ndarray
    pairs: np.ndarray
    correction: float
    trials: int

    def main_shares(self) -> list[Interval]:
        """The share of the variance that each parameter makes by itself, with its 95 % interval."""
        return self._shares(self.mains, 0.025)

    def pair_shares(self) -> list[Interval]:
        """The share that each pair makes together only; the intervals hold for all pairs at once (Bonferroni)."""
        return self._shares(self.pairs, 0.025 / max(self.pairs.shape[-1], 1))

    def explained_share(self) -> Interval:
        """The share of the variance that a forest explains in trials it has not seen; below 0 where their mean would be better."""
        mean = float(self.explained.mean())
        half = self._half(self.explained[:, None], 0.025)[0]
        return Interval(mean, float(mean - half), float(min(mean + half, 1.0)))

    def _half(self, values: np.ndarray, chance: float) -> np.ndarray:
        return stats.t.ppf(1 - chance, len(values) - 1) * np.sqrt(self.correction * values.var(0, ddof=1))

    def _shares(self, agreement: np.ndarray, chance: float) -> list[Interval]:
        # A forest flattens what it has learned from few trials, a weak effect more than a strong one. If the true effect is b times the
        # fitted one, f, then b = cov(f, loss) / var(f), and its variance is b * cov(f, loss).
        covariance, variance = agreement.mean(0)
        stretch = np.divide(covariance, variance, out=np.zeros_like(covariance), where=variance > 0)
        value = np.sign(covariance) * stretch * covariance
        # the error of b * cov is 2b that of cov, less b^2 that of var; an effect that seems to be nothing is not known to be exactly that
        each = 2 * np.maximum(stretch, LEAST_STRETCH) * agreement[:, 0] - stretch**2 * agreement[:, 1]
        half = np.maximum(self._half(each, chance), LEAST_HALF / self.trials)
        return [Interval(float(v), float(v - h), float(min(v + h, 1.0))) for v, h in zip(value, half, strict=True)]


def held_out_effects(positions: np.ndarray, losses: np.ndarray, seed: int) -> HeldOut:
    """Fit forests to random parts of the trials and see what their effects explain of the others.

    Noise that a forest has fitted covaries with nothing in other trials, so that the covariance of an effect which does not exist is 0 on
    average, and may be below. Divisions share trials, so that their mean varies by more than a ``splits``-th of their variance
    (Nadeau and Bengio, 2003).

    Args:
        positions: from 0 to 1, ``[trials, parameters]``.
        losses: ``[trials]``.
        seed: of the divisions and the forests.
    """
    random = np.random.default_rng(seed)
    n, parameters = positions.shape
    fitted = round(FITTED * n)
    variance = float(losses.var()) or 1.0
    upper = np.triu_indices(parameters, 1)
    explained, mains, pairs = [], [], []
    for _ in range(SPLITS):
        order = random.permutation(n)
        train, rest = order[:fitted], order[fitted:]
        forest = ExtraTreesRegressor(TREES, max_depth=DEPTH, min_samples_leaf=2, random_state=int(random.integers(2**31)))
        forest.fit(positions[train], losses[train])
        centred = losses[rest] - losses[rest].mean()
        residual = losses[rest] - forest.predict(positions[rest])
        explained.append(1 - float(residual @ residual) / (float(centred @ centred) or 1.0))
        found = effects(forest, positions[rest])
        mains.append(_agreement(found.mains, centred) / variance)
        pairs.append(_agreement(found.pairs[:, *upper], centred) / variance)
    return HeldOut(np.array(explained), np.array(mains), np.array(pairs), 1 / SPLITS + (n - fitted) / fitted, n)


def _agreement(effect: np.ndarray, centred: np.ndarray) -> np.ndarray:
    return np.stack([centred @ effect / len(centred), effect.var(0)])


def effects(forest: ExtraTreesRegressor, points: np.ndarray) -> Effects:
    """The functional ANOVA of a forest on the unit cube (Hutter, Hoos and Leyton-Brown, 2014, algorithm 2), at some points.

    A tree is a sum of boxes. Its mean with some parameters held is the sum of the boxes that hold them, each by its volume in the others.

    Args:
        forest: fitted to positions from 0 to 1.
        points: ``[points, parameters]``.
    """
    parameters = points.shape[1]
    mains = np.zeros((len(points), parameters))
    pairs = np.zeros((len(points), parameters, parameters))
    for each in forest.estimators_:
        low, high, value = _boxes(each.tree_, parameters)
        sides = high - low
        weighted = value * sides.prod(1)
        inside = ((points[:, None] > low) | (low == 0)) & (points[:, None] <= high)  # [points, boxes, parameters]
        alone = inside / sides
        main = np.einsum("b,nbj->nj", weighted, alone)
        mean = weighted.sum()
        both = np.matmul((alone * weighted[:, None]).transpose(0, 2, 1), alone)
        mains += main - mean
        pairs += both - main[:, :, None] - main[:, None, :] + mean
    diagonal = np.arange(parameters)
    pairs[:, diagonal, diagonal] = 0.0
    return Effects(mains / len(forest.estimators_), pairs / len(forest.estimators_))


def _boxes(tree, parameters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower corners, upper corners and values of a tree's leaves."""
    low, high = np.zeros((tree.node_count, parameters)), np.ones((tree.node_count, parameters))
    for node in range(tree.node_count):  # children come after their parent
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            continue
        low[left] = low[right] = low[node]
        high[left] = high[right] = high[node]
        high[left, tree.feature[node]] = low[right, tree.feature[node]] = tree.threshold[node]
    leaves = tree.children_left < 0
    return low[leaves], high[leaves], tree.value[leaves, 0, 0]


def pairs_of(parameters: int) -> list[tuple[int, int]]:
    """The pairs in the order of ``HeldOut.pairs``."""
    return list(itertools.combinations(range(parameters), 2))
