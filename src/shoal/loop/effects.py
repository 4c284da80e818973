"""What a change did: paired over seeds and over rows, with an interval that is as wide as the number of changes tried asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shoal.interval import Interval
from shoal.metrics import Metric, paired_bootstrap, score
from shoal.records import Task

SMALLEST_PROBABILITY = 1e-12


def row_losses(task: Task, outputs: NDArray, truth: NDArray, scale: float = 1.0) -> NDArray:
    """The loss of each network on each row ``[networks, rows]``: what the networks are compared by.

    Args:
        task: cross-entropy for classes and labels (their mean), the squared error in units of ``scale`` for quantities.
        outputs: probabilities ``[networks, rows, C]``, or values ``[networks, rows]``.
        truth: class index or value ``[rows]``, or 0 and 1 ``[rows, labels]``.
        scale: standard deviation of the target.

    Example:
        >>> row_losses("regression", np.array([[1.0, 3.0]]), np.array([1.0, 1.0]), scale=2.0)
        array([[0., 1.]])
    """
    if task == "regression":
        return ((outputs - truth) / scale) ** 2
    if task == "classification":
        right = outputs[:, np.arange(len(truth)), truth]
        return -np.log(np.maximum(right, SMALLEST_PROBABILITY))
    right = np.where(truth == 1, outputs, 1 - outputs)
    return -np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean(axis=2)


def paired_effect(changed: NDArray, unchanged: NDArray, weight: NDArray | None = None, comparisons: int = 1) -> Interval:
    """The mean difference of two sets of losses ``[seeds, rows]`` whose seeds and rows are the same, with its interval.

    Both the rows and the seeds are a sample: the variance is that of the rows' mean differences over the rows, plus that of the
    seeds' mean differences over the seeds. Each part has its own degrees of freedom, joined as Satterthwaite (1946) does.

    Args:
        changed: losses with the change.
        unchanged: losses without it.
        weight: of the rows.
        comparisons: the interval holds with 95 % for so many of them together (Bonferroni).

    Returns:
        Changed minus unchanged: below 0 is better.

    Example:
        >>> paired_effect(np.full((8, 100), 0.5), np.full((8, 100), 0.6)).high < 0
        True
    """
    difference = changed - unchanged
    seeds, rows = difference.shape
    weight = np.ones(rows) if weight is None else weight / weight.mean()
    by_row, by_seed = (difference * weight).mean(axis=0), (difference * weight).mean(axis=1)
    parts = [(by_row.var(ddof=1) / rows, rows - 1)] if rows > 1 else []
    parts += [(by_seed.var(ddof=1) / seeds, seeds - 1)] if seeds > 1 else []
    variance = sum(part for part, _ in parts)
    mean = float(by_seed.mean())
    if variance <= 0:
        return Interval(mean, mean, mean)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    half = float(stats.t.ppf(1 - 0.025 / comparisons, freedom) * np.sqrt(variance))
    return Interval(mean, mean - half, mean + half)


def relative_effect(changed: NDArray, unchanged: NDArray, weight: NDArray | None = None, comparisons: int = 1) -> Interval:
    """The change of the mean loss as a share of it, from losses ``[seeds, rows]`` whose seeds and rows are the same.

    Each seed's effect is the logarithm of the ratio of its two mean losses, so that a loss of a million and one of ten count alike:
    a change that mends a broken network is as easily seen as a small one. To first order a row moves the logarithm by
    ``l'/L' - l/L`` (the delta method), which is what the interval over rows rests on.

    Args:
        changed: losses with the change, not negative.
        unchanged: losses without it.
        weight: of the rows.
        comparisons: as for ``paired_effect``.

    Returns:
        The geometric mean of the ratios, less 1: below 0 is better.

    Example:
        >>> round(relative_effect(np.full((8, 100), 0.5), np.full((8, 100), 1.0)).value, 6)
        -0.5
    """
    means = [np.maximum(np.average(losses, axis=1, weights=weight, keepdims=True), SMALLEST_PROBABILITY) for losses in (changed, unchanged)]
    logs = np.log(means[0] / means[1]) + changed / means[0] - unchanged / means[1]
    effect = paired_effect(logs, np.zeros_like(logs), weight, comparisons)
    return Interval(*(float(np.expm1(min(value, 700.0))) for value in (effect.value, effect.low, effect.high)))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the networks of one recipe (one per seed) say about the rows of one part.

    Args:
        outputs: ``[seeds, rows, C]`` or ``[seeds, rows]``; of classes those by which they are decided.
        losses: ``[seeds, rows]``.
    """

    outputs: NDArray
    losses: NDArray


def error_effect(metric: Metric, truth: NDArray, changed: Answers, unchanged: Answers, weight: NDArray | None = None) -> Interval:
    """How much a change raised the error (``1 - score`` where greater is better), with its 95 % interval over rows and seeds.

    The value is the mean over seeds of one network's change; rows are drawn again together for both (paired bootstrap).
    """
    scores = [
        np.array([metric.as_error(np.asarray(score(metric, truth, output, weight))) for output in answers.outputs], float)
        for answers in (changed, unchanged)
    ]
    by_seed = scores[0] - scores[1]
    pair = paired_bootstrap(metric, truth, (changed.outputs.mean(0), unchanged.outputs.mean(0)), weight, resamples=400)
    draws = metric.as_error(pair[0]) - metric.as_error(pair[1])
    seeds = by_seed.var(ddof=1) / len(by_seed) if len(by_seed) > 1 else 0.0
    mean, half = float(by_seed.mean()), float(1.96 * np.sqrt(draws.var() + seeds))
    return Interval(mean, mean - half, mean + half)
