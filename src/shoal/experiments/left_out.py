"""What some rows of a part do to its error: the error with and without them, on the same resampled rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.interval import Interval
from shoal.measurements import ErrorWithout
from shoal.metrics import Metric, paired_bootstrap, score, seed_scatter, spanned

RESAMPLES = 1000
RESAMPLES_OF_SCORES = 200
"""Where a metric is no mean over rows, and each score is computed anew."""
FEWEST_LEFT = 20


@dataclass(frozen=True, slots=True, eq=False)
class PartAnswers:
    """A model's answers for one part.

    Args:
        truth: class index or value ``[rows]``.
        judged: the answers whose mean error counts, each ``[rows, C]`` or ``[rows]``.
        members: of the networks that differ in their seeds only.
        weight: importance of each row ``[rows]``; all alike by default.
        probable: the probabilities behind the first answer, where classes are not decided by the largest of them (see ``shoal.decision``).
    """

    truth: NDArray
    judged: Sequence[NDArray]
    members: Sequence[NDArray] = ()
    weight: NDArray | None = None
    probable: NDArray | None = None

    @property
    def probability(self) -> NDArray:
        """Of the classes by the first answer ``[rows, C]``."""
        return self.judged[0] if self.probable is None else self.probable


def error_without(metric: Metric, answers: PartAnswers, left_out: NDArray[np.bool_], *, seed: int) -> ErrorWithout | None:
    """The error of a part, and what it is without some rows.

    Args:
        metric: of the errors.
        answers: for all rows of the part.
        left_out: which rows ``[rows]``.
        seed: of the draws.

    Returns:
        The errors and their difference with intervals over rows (bootstrap, paired) and seeds; ``None`` where no row is left out, or
        fewer than 20 stay.

    Example:
        >>> from shoal.metrics import METRICS
        >>> truth, right = np.zeros(100, int), np.tile([0.9, 0.1], (100, 1))
        >>> wrong_at_the_end = np.where(np.arange(100)[:, None] < 80, right, 1 - right)
        >>> found = error_without(METRICS["error"], PartAnswers(truth, [wrong_at_the_end]), np.arange(100) < 60, seed=0)
        >>> found.whole.value, found.without.value
        (0.2, 0.5)
    """
    left_out = np.asarray(left_out, bool)
    kept = np.flatnonzero(~left_out)
    if not left_out.any() or len(kept) < FEWEST_LEFT:
        return None
    rows = np.arange(len(left_out))
    whole, without = (_known(metric, answers, chosen, seed) for chosen in (rows, kept))
    by_seed = [_error(metric, answers, [each], kept) - _error(metric, answers, [each], rows) for each in answers.members]
    draws = _changes(metric, answers, left_out, np.random.default_rng(seed))
    draws = draws + seed_scatter(np.array(by_seed), resamples=len(draws), seed=seed)
    return ErrorWithout(int(left_out.sum()), whole, without, spanned(without.value - whole.value, draws))


def _known(metric: Metric, answers: PartAnswers, rows: NDArray, seed: int) -> Interval:
    """The error on some rows with its interval over rows and seeds."""
    weight = None if answers.weight is None else answers.weight[rows]
    judged, groups = [each[rows] for each in answers.judged], [0] * len(answers.judged)
    draws = paired_bootstrap(metric, answers.truth[rows], judged, weight, resamples=RESAMPLES, seed=seed, groups=groups).mean(axis=0)
    by_seed = np.array([_error(metric, answers, [each], rows) for each in answers.members])
    scattered = metric.as_error(draws) + seed_scatter(by_seed, resamples=RESAMPLES, seed=seed)
    low, high = (metric.low, metric.high) if not metric.greater_is_better else (1 - metric.high, 1 - metric.low)
    return spanned(_error(metric, answers, answers.judged, rows), np.clip(scattered, low, high))


def _error(metric: Metric, answers: PartAnswers, judged: Sequence[NDArray], rows: NDArray) -> float:
    weight = None if answers.weight is None else answers.weight[rows]
    return float(metric.as_error(np.mean([score(metric, answers.truth[rows], each[rows], weight) for each in judged])))


def _changes(metric: Metric, answers: PartAnswers, left_out: NDArray, rng: np.random.Generator) -> NDArray:
    """How much higher the error is without the rows, on resampled rows ``[resamples]``."""
    count = len(left_out)
    if metric.name not in ("error", "accuracy"):
        found = []
        for _ in range(RESAMPLES_OF_SCORES):
            drawn = rng.integers(count, size=count)
            kept = drawn[~left_out[drawn]]
            if len(kept):
                found.append(_error(metric, answers, answers.judged, kept) - _error(metric, answers, answers.judged, drawn))
        found = np.array(found)
        return found[np.isfinite(found)]
    weight = np.ones(count) if answers.weight is None else np.asarray(answers.weight, np.float64)
    wrong = np.mean([each.argmax(axis=1) != answers.truth for each in answers.judged], axis=0)
    found = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        drawn = np.bincount(rng.integers(count, size=count), minlength=count) * weight
        kept = np.where(left_out, 0.0, drawn)
        found[place] = kept @ wrong / max(kept.sum(), 1e-300) - drawn @ wrong / drawn.sum()
    return found
