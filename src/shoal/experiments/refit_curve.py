"""The error of any estimator against the number of training rows, by refitting it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shoal.errors import OptionError
from shoal.experiments.learning_curve import SIZES, fitted, nested_order, subset_sizes
from shoal.experiments.refits import Subject, random_state, taken
from shoal.measurements import LearningCurve
from shoal.metrics import Metric, score

SEEDS = 3
FEWEST_SIZES = 5
"""A law of three numbers goes through any three sizes."""
MOST_ROWS_SCORED = 5_000


def refit_curve(subject: Subject, metric: Metric, seed: int, *, sizes: int = SIZES, seeds: int = SEEDS) -> LearningCurve | None:
    """Fit clones on growing parts of the training rows, nested within each seed.

    Args:
        subject: the estimator and its rows.
        metric: as its error.
        seed: of the subsets and the random states.
        sizes: numbers of rows, in equal ratios up to all.
        seeds: subsets of each size.

    Returns:
        The curve with its power law; ``None`` where the rows are too few, or the estimator cannot be fitted on parts of them.
    """
    try:
        counts = subset_sizes(len(subject.dataset.truth["train"]), sizes)
    except ValueError:
        return None
    train, dev = np.full((len(counts), seeds), np.nan), np.full((len(counts), seeds), np.nan)
    for number in range(seeds):
        order = nested_order(subject.dataset, np.random.default_rng((seed, number)))
        for size, count in enumerate(counts):
            try:
                train[size, number], dev[size, number] = _errors(subject, metric, order[:count], random_state(seed, number))
            except OptionError:  # too few rows for it, as for seven neighbours among six
                continue
    usable = np.flatnonzero(np.isfinite(train + dev).all(axis=1))
    if len(usable) < FEWEST_SIZES or usable[-1] != len(counts) - 1:
        return None
    return fitted([counts[size] for size in usable], train[usable].tolist(), dev[usable].tolist(), 0, seed)


def _errors(subject: Subject, metric: Metric, rows: NDArray, state: int) -> tuple[float, float]:
    """The errors of one fit, on (some of) its own rows and on dev."""
    truth, columns = subject.dataset.truth, subject.columns
    predict, own = subject.fitted(state, rows), rows[:MOST_ROWS_SCORED]
    on_own = score(metric, truth["train"][own], predict(taken(columns["train"], own)))
    return metric.as_error(on_own), metric.as_error(score(metric, truth["dev"], predict(columns["dev"])))
