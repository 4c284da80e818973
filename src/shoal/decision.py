"""From probabilities to a class, where the metric counts classes alike: the most probable one is then the wrong answer.

Of unequal classes a model that means what it says hardly ever finds a rare one the most probable. Where an error about class ``c`` costs
``1 / pi_c``, with ``pi_c`` its share of the rows, the best answer is the class of the largest ``p_c / pi_c`` (Elkan 2001, "The
Foundations of Cost-Sensitive Learning"); these are the costs of balanced accuracy. F1 asks for something in between, and a network that
was trained on balanced classes for nothing more. So the answer is

    argmax_c  p_c / pi_c^t,

with one number ``t`` for whatever number of classes: 0 for the most probable class, 1 for Elkan's. Of two classes every threshold has its
``t``. It is fitted on the dev rows, and not to their noise: the median of what is best on many draws of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shoal.measurements.decision import Decision
from shoal.metrics import Metric, paired_bootstrap

EXPONENTS = np.arange(-10, 31) / 20
"""Of the shares, among which the best is found; beyond them the dev rows are few rather than unequal."""
RESAMPLES = 200
MOST_ROWS = 50_000
"""Dev rows that one number is fitted on."""


def weighed(probability: NDArray, decision: Decision | None) -> NDArray:
    """Numbers like probabilities, of which the largest is that of the class to say; the probabilities themselves without a decision.

    Args:
        probability: of the classes ``[..., classes]``.
        decision: what was fitted.

    Example:
        >>> weighed(np.array([0.7, 0.3]), Decision("f1", (0.9, 0.1), 1.0)).round(2)
        array([0.21, 0.79])
    """
    if decision is None:
        return probability
    return _weighed(probability, np.array(decision.shares), decision.exponent)


def fit_decision(
    metric: Metric,
    probability: NDArray,
    truth: NDArray,
    weight: NDArray | None,
    shares: Iterable[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Decision | None:
    """The decision that a metric of classes by their rates is best with; ``None`` for any other metric.

    Args:
        metric: what counts.
        probability: ``[rows, classes]``, of rows that the model was not trained on.
        truth: class index ``[rows]``.
        weight: importance of each row ``[rows]``.
        shares: of the classes in the training rows.
        resamples: draws of the rows, of whose best exponents the median is taken.
        seed: of the draws.

    Returns:
        The decision. On rows where no other answer is better than the most probable class, its exponent is 0.

    Example:
        >>> from shoal.metrics import METRICS
        >>> p = np.linspace(0, 0.3, 400)
        >>> truth = (np.random.default_rng(0).random(400) < p).astype(int)
        >>> fit_decision(METRICS["balanced_accuracy"], np.stack([1 - p, p], 1), truth, None, (0.85, 0.15)).exponent > 0.5
        True
    """
    if metric.counts != "class rates":
        return None
    shares = tuple(float(share) for share in shares)
    if len(truth) > MOST_ROWS:
        rows = np.random.default_rng(seed).choice(len(truth), MOST_ROWS, replace=False)
        probability, truth, weight = probability[rows], truth[rows], None if weight is None else weight[rows]
    answers = [_weighed(probability, np.array(shares), exponent) for exponent in EXPONENTS]
    draws = paired_bootstrap(metric, truth, answers, weight, resamples=resamples, seed=seed, groups=[0] * len(answers))
    is_best = draws >= draws.max(axis=0) - 1e-12
    # the middle of those that answer alike, unless the most probable class is among them
    middle = EXPONENTS @ is_best / is_best.sum(axis=0)
    exponent = float(np.median(np.where(is_best[EXPONENTS == 0][0], 0.0, middle)))
    return Decision(metric.name, shares, round(exponent, 3))


def _weighed(probability: NDArray, shares: NDArray, exponent: float) -> NDArray:
    if exponent == 0:
        return probability
    # a class without training rows has no share to be weighed by
    values = probability / np.where(shares > 0, shares, 1.0) ** exponent
    return values / values.sum(axis=-1, keepdims=True)
