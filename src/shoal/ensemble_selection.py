"""Greedy ensemble selection: which networks of a search predict best together, and how much of that is luck.

From a library of trained networks those are added one by one, with replacement, that lower the loss of the mean prediction most
on the dev rows; how often each was added is its share in the mean. Started from the best few and optionally bagged (each bag sees a
random half of the library), which keeps the choice from fitting the dev rows' noise.

Source: Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble Selection from Libraries of Models".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Loss = Literal["log_loss", "error", "squared_error", "absolute_error"]
Finish = Callable[[Floats, NDArray, NDArray], Callable[[Floats], Floats]]
"""From predictions, truth and weights of some rows to what is done to the predictions of any."""

SIZE = 30
"""Networks of an ensemble, each counted as often as it was added."""
START = 5
"""The best so many, or fewer where fewer predict better, are added at once."""
BAGS = 10
"""On six real tables with 40 networks and 400 to 600 dev rows, ten bags chose better than one on the test rows: by about 1 % of the
error rate and 0.2 % of the root mean squared error. Twenty were no better, nor were more additions, nor choosing by the error rate."""
BAG_SHARE = 0.5
DIVISIONS = 5
"""Of the dev rows into halves, for the cross-fitted estimate."""
SMALLEST = float(np.finfo(np.float64).eps)
"""Of a probability: one certain mistake must not make a mean infinite."""
BLOCK = 1 << 18
"""Numbers that are worked on at a time: a block stays in a core's cache."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What greedy selection chose.

    Args:
        shares: of each model in the mean ``[models]``; they add up to 1.
        loss: of the chosen mean on the rows it was chosen on.
        alone: loss of each model by itself ``[models]``.
    """

    shares: Floats
    loss: float
    alone: Floats


def select(
    outputs: NDArray,
    truth: NDArray,
    weights: NDArray,
    loss: Loss,
    *,
    size: int = SIZE,
    start: int = START,
    bags: int = 1,
    seed: int = 0,
) -> Selection:
    """Choose from a library of models those that predict best together.

    Args:
        outputs: probabilities ``[models, rows, classes]`` (of labels ``[models, rows, labels]``), or values ``[models, rows]``.
        truth: class numbers ``[rows]``, 0 or 1 ``[rows, labels]``, or values ``[rows]``.
        weights: importance of each row ``[rows]``.
        loss: of the mean prediction, to be made small: ``log_loss`` or ``error`` of classes or labels, ``squared_error`` or
            ``absolute_error`` of values.
        size: models to add, repetitions counted; where fewer have a lower loss, they are taken.
        start: the selection starts from the best of the first 1 to ``start`` models, in the order of their own losses.
        bags: more than 1 repeats the selection in so many random halves of the library, and averages the shares.
        seed: of the bags.

    Returns:
        The shares and the loss.

    Raises:
        ValueError: there is no model or no row, or an output is not finite.

    Example:
        >>> truth = np.array([1.0, 2.0, 3.0, 4.0])
        >>> above, below, useless = truth + 1, truth - 1, truth * 0
        >>> select(np.stack([above, below, useless]), truth, np.ones(4), "squared_error").shares
        array([0.5, 0.5, 0. ])
    """
    if not outputs.size or not np.isfinite(outputs).all():
        raise ValueError("an ensemble is chosen from finite predictions of at least one model on at least one row")
    models = len(outputs)
    library = _losses_of(outputs, truth, weights, loss)
    alone = library.after_adding(np.zeros(models))
    shares = np.zeros(models)
    if bags <= 1 or models < 2:
        shares += _grown(library, alone, size, start)
    else:
        rng = np.random.default_rng(seed)
        for _ in range(bags):
            bag = np.sort(rng.choice(models, math.ceil(BAG_SHARE * models), replace=False))
            shares[bag] += _grown(_losses_of(outputs[bag], truth, weights, loss), alone[bag], size, start) / bags
    return Selection(shares, float(library.of(shares[None])[0]), alone)


def mean_of(outputs: NDArray, shares: Floats) -> Floats:
    """The mean prediction ``[rows, ...]`` of models ``[models, rows, ...]`` with these shares ``[models]``."""
    used = np.flatnonzero(shares)
    return np.tensordot(shares[used], outputs[used].astype(np.float64), 1)


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Two halves of the rows, and the shares ``[models]`` that were chosen on each."""

    halves: tuple[NDArray[np.intp], NDArray[np.intp]]
    shares: tuple[Floats, Floats]

    def predicted(self, outputs: NDArray, truth: NDArray, weights: NDArray, finish: Finish | None = None) -> Floats:
        """Predictions ``[rows, ...]`` of each half with the shares chosen on the other.

        Args:
            outputs: of the models, as for ``select``; and so are ``truth`` and ``weights``.
            finish: what else is fitted on the half that chose.
        """
        predicted = np.empty(outputs.shape[1:])
        for shares, on, other in zip(self.shares, self.halves, self.halves[::-1], strict=True):
            predicted[other] = mean_of(outputs[:, other], shares)
            if finish is not None:
                predicted[other] = finish(mean_of(outputs[:, on], shares), truth[on], weights[on])(predicted[other])
        return predicted


class _Losses(Protocol):
    """The losses of mean predictions of a library's models."""

    def of(self, shares: Floats) -> Floats:
        """Of each of several means ``[means]``, with shares ``[means, models]``."""
        ...

    def after_adding(self, counts: Floats) -> Floats:
        """Of the mean after each model in turn was added ``[models]`` to those that were added so often ``[models]``."""
        ...


class _SquaredLosses:
    """Squared error: with the models' errors multiplied with each other beforehand, the rows are needed no more."""

    def __init__(self, values: NDArray, truth: NDArray, weights: Floats) -> None:
        errors = values.astype(np.float64) - truth
        self.products = (errors * weights) @ errors.T / weights.sum()

    def of(self, shares: Floats) -> Floats:
        return np.einsum("km,mn,kn->k", shares, self.products, shares)

    def after_adding(self, counts: Floats) -> Floats:
        with_counts = self.products @ counts
        return (counts @ with_counts + 2 * with_counts + np.diag(self.products)) / (counts.sum() + 1) ** 2


class _RowLosses:
    """Every other loss: that of each row, for each model in turn.

    Args:
        terms: what is averaged over models, ``[models, rows, ...]``: the probability of what is true, errors, or all probabilities.
        truth: ``[rows]`` or ``[rows, labels]``, for ``error``.
        weights: ``[rows]``.
        loss: ``log_loss``, ``error`` or ``absolute_error``.
    """

    def __init__(self, terms: NDArray, truth: NDArray, weights: Floats, loss: Loss) -> None:
        self.terms, self.truth, self.weights, self.loss = terms.astype(np.float32), truth, weights.astype(np.float32), loss
        self.total_weight = weights.sum()

    def of(self, shares: Floats) -> Floats:
        return self._over_rows(lambda block: np.tensordot(shares.astype(np.float32), block, 1))

    def after_adding(self, counts: Floats) -> Floats:
        used, size = np.flatnonzero(counts), np.float32(counts.sum() + 1)
        times = counts[used].astype(np.float32)
        return self._over_rows(lambda block: (np.tensordot(times, block[used], 1) + block) / size)

    def _over_rows(self, means_of: Callable[[NDArray], NDArray]) -> Floats:
        rows = max(1, BLOCK * self.terms.shape[1] // self.terms.size)
        blocks = (slice(first, first + rows) for first in range(0, self.terms.shape[1], rows))
        sums = [self._each_row(means_of(self.terms[:, block]), self.truth[block]) @ self.weights[block] for block in blocks]
        return np.sum(sums, axis=0, dtype=np.float64) / self.total_weight

    def _each_row(self, means: NDArray, truth: NDArray) -> NDArray:
        if self.loss == "absolute_error":
            return np.abs(means)
        if self.loss == "log_loss":
            surprise = -np.log(means)
            return surprise if surprise.ndim == 2 else surprise.mean(-1)
        if truth.ndim == 2:
            return ((means > 0.5) != truth).mean(-1, dtype=np.float32)
        return (means.argmax(-1) != truth).astype(np.float32)


def _losses_of(outputs: NDArray, truth: NDArray, weights: NDArray, loss: Loss) -> _Losses:
    weights = np.asarray(weights, np.float64)
    if loss == "squared_error":
        return _SquaredLosses(outputs, truth, weights)
    if loss == "absolute_error":
        return _RowLosses(outputs - truth, truth, weights, loss)
    if loss == "error":
        return _RowLosses(outputs, truth, weights, loss)
    if truth.ndim == 2:
        right = np.where(truth == 1, outputs, 1 - outputs)
    else:
        right = np.take_along_axis(outputs, truth.astype(np.intp)[None, :, None], axis=2)[..., 0]
    return _RowLosses(np.maximum(right, SMALLEST), truth, weights, loss)


def _grown(library: _Losses, alone: Floats, size: int, start: int) -> Floats:
    """The shares of the best ensemble that is met while models are added one by one."""
    order = np.argsort(alone, kind="stable")[: min(start, size)]
    first = np.cumsum(np.eye(len(alone))[order], axis=0)
    starts = library.of(first / first.sum(1, keepdims=True))
    counts = first[starts.argmin()]
    best, lowest = counts.copy(), starts.min()
    for _ in range(size - int(counts.sum())):
        after = library.after_adding(counts)
        added = int(after.argmin())
        counts[added] += 1
        if after[added] < lowest:
            best, lowest = counts.copy(), after[added]
    return best / best.sum()


def cross_fit(
    outputs: NDArray, truth: NDArray, weights: NDArray, loss: Loss, *, divisions: int = DIVISIONS, seed: int = 0, **options: int
) -> Iterator[CrossFitted]:
    """Choose on one half of the rows and predict the other, both ways, for several divisions of the rows into halves.

    Args:
        outputs: as for ``select``, and so are ``truth``, ``weights`` and ``loss``.
        divisions: how many.
        seed: of the halves and the bags.
        options: ``size``, ``start`` and ``bags`` of ``select``.

    Yields:
        Of each division the halves, and the shares chosen on each.
    """
    rng = np.random.default_rng((seed, 1))
    for _ in range(divisions):
        one, other = np.array_split(rng.permutation(len(truth)), 2)
        chosen = [select(outputs[:, half], truth[half], weights[half], loss, seed=seed, **options).shares for half in (one, other)]
        yield CrossFitted((one, other), (chosen[0], chosen[1]))
