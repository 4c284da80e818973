"""The best score against the number of trials, and what further trials would bring."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from shoal.answers.comparison import searched
from shoal.interval import Interval
from shoal.measurements.answers import BestSoFar, FurtherGain, TopShare
from shoal.records import Trial

POINTS = 48
DRAWS = 1000
FEWEST_FOR_GAIN = 16
TOP_SHARES = (0.05, 0.01)


def expected_best(scores: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The expected lowest of so many of the scores, drawn without replacement.

    The ``i``-th lowest of ``n`` is the lowest of ``k`` drawn in ``C(n-i, k-1)`` of ``C(n, k)`` ways, so that no order has to be drawn: the
    average over all orders (Dodge et al., "Show your work", 2019, draw with replacement, which Tang et al., 2020, show to be biased).

    Args:
        scores: ``[..., n]``.
        counts: each from 1 to ``n``.

    Returns:
        ``[..., counts]``.

    Example:
        >>> expected_best(np.array([3.0, 1.0, 2.0]), [1, 2, 3]).round(4).tolist()
        [2.0, 1.3333, 1.0]
    """
    ordered = np.sort(scores, axis=-1)
    return ordered @ _weights(scores.shape[-1], np.asarray(counts)).T


def _weights(n: int, counts: np.ndarray) -> np.ndarray:
    place = np.arange(1, n + 1)
    k = counts[:, None]
    possible = place <= n - k + 1
    left = np.where(possible, n - place, k - 1)
    ways = gammaln(left + 1) - gammaln(k) - gammaln(left - k + 2)
    return np.where(possible, np.exp(ways - (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))), 0.0)


def known_scores(trials: Sequence[Trial]) -> np.ndarray:
    """The scores of the search's trials; those without one count as the worst that has one."""
    scores = [trial.score for trial in searched(trials)]
    known = [score for score in scores if score is not None and math.isfinite(score)]
    return np.array([max(known) if score is None or not math.isfinite(score) else score for score in scores]) if known else np.array([])


def best_so_far(trials: Sequence[Trial], seed: int = 0) -> BestSoFar | str:
    """The expected best score against the number of trials, or in words why there is none.

    Intervals are percentiles over bootstrap samples of the trials.
    """
    scores = known_scores(trials)
    n = len(scores)
    if n < 2:
        return f"a curve takes at least 2 trials with a score, and there {'is' if n == 1 else 'are'} {n}"
    counts = sorted({round(count) for count in np.geomspace(1, n, min(n, POINTS))})
    value = expected_best(scores, counts)
    draws = np.random.default_rng(seed).integers(n, size=(DRAWS, n))
    low, high = np.quantile(expected_best(scores[draws], counts), (0.025, 0.975), axis=0)
    best = tuple(Interval(float(v), float(min(v, lo)), float(max(v, hi))) for v, lo, hi in zip(value, low, high, strict=True))
    unscored = sum(trial.score is None for trial in searched(trials))
    return BestSoFar(tuple(counts), best, unscored)


def further_gain(trials: Sequence[Trial], seed: int = 0) -> FurtherGain | str:
    """What twice the trials would bring, or in words why that cannot be told.

    The lowest of ``n`` draws from a distribution with a lower end approaches that end as ``n^-c``, so that each doubling brings the same
    share ``r`` of what the one before brought, and from one without an end about as much (de Haan and Ferreira, 2006, chapter 1). So
    the next doubling is taken to bring ``r`` times the last one, with ``r`` the ratio of the last two, at most 1. The interval is from
    bootstrap samples of the trials; its upper end is for scores without a lower end, as noise has none (``r = 1``).
    """
    scores = known_scores(trials)
    n = len(scores)
    if n < FEWEST_FOR_GAIN:
        return f"what more trials bring is seen from at least {FEWEST_FOR_GAIN} of them, and there are {n}"
    size, last = _next_gain(scores)
    draws = np.random.default_rng(seed).integers(n, size=(DRAWS, n))
    extrapolated, repeated = _next_gain(scores[draws])
    low, high = np.quantile(extrapolated, 0.025), np.quantile(repeated, 0.975)
    best = float(scores.min())
    interval = Interval(float(size), float(min(low, size)), float(max(high, size)))
    return FurtherGain(n, interval, float(last), float(size) / abs(best) if best else 0.0)


def _next_gain(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = scores.shape[-1]
    quarter, half, whole = np.moveaxis(expected_best(scores, (n // 4, n // 2, n)), -1, 0)
    last, before = half - whole, quarter - half
    ratio = np.where(before > 0, last / np.where(before > 0, before, 1.0), 1.0)
    return last * np.minimum(ratio, 1.0), last


def top_shares(trials: int) -> tuple[TopShare, ...]:
    """How sure it is that so many random trials hold one of the best of the space.

    Example:
        >>> [(each.share, each.needed) for each in top_shares(60)]
        [(0.05, 59), (0.01, 299)]
    """
    return tuple(TopShare(q, 1 - (1 - q) ** trials, math.ceil(math.log(0.05) / math.log(1 - q))) for q in TOP_SHARES)
