"""Whether probabilities mean what they say, and what would be seen by chance if they did.

The expected calibration error is the mean distance between how sure a model is and how often it is right, over bins of equally
many rows (Naeini, Cooper and Hauskrecht 2015; Guo, Pleiss, Sun and Weinberger 2017). Of two classes the probability of the second
is looked at, of several that of the predicted one. Few rows make the error of a perfect model look large: how large is measured by
drawing the outcomes from the probabilities themselves (Broecker and Smith 2007; Vaicenavicius et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.interval import Interval

MOST_BINS = 15
ROWS_A_BIN = 20
FEWEST_ROWS = 100
MOST_ROWS = 20_000
"""More rows are sampled: the error is then known to a fraction of a point."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from the truth.

    Args:
        error: expected calibration error, with its bootstrap interval.
        chance: what perfectly calibrated probabilities would show on as many rows: the mean and the central 95 %.
        p_value: how often perfectly calibrated probabilities show so large an error.
        surer: by how much the model is surer than it is right, on average; below 0 where it is not sure enough.
        rows: looked at.
    """

    error: Interval
    chance: Interval
    p_value: float
    surer: float
    rows: int


def measure_calibration(
    probability: NDArray, truth: NDArray, weight: NDArray | None = None, *, resamples: int = 1000, seed: int = 0
) -> Calibration | None:
    """The expected calibration error of a classifier.

    Args:
        probability: of the classes ``[rows, classes]``, of rows that the model was not trained on.
        truth: class numbers ``[rows]``.
        weight: importance of each row ``[rows]``; all alike by default.
        resamples: draws behind the interval and the chance level.
        seed: of the draws.

    Returns:
        The error with its interval and the chance level; ``None`` for fewer than ``FEWEST_ROWS`` rows.

    Example:
        >>> sure = np.tile([0.01, 0.99], (400, 1))
        >>> found = measure_calibration(sure, (np.arange(400) % 5 > 0).astype(int))  # right in 80 of 100 rows
        >>> round(found.error.value, 2), found.chance.high < 0.03
        (0.19, True)
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(truth)) if len(truth) <= MOST_ROWS else rng.choice(len(truth), MOST_ROWS, replace=False)
    if len(rows) < FEWEST_ROWS:
        return None
    probability, truth = np.asarray(probability, np.float64)[rows], np.asarray(truth)[rows]
    weight = np.ones(len(rows)) if weight is None else np.asarray(weight, np.float64)[rows]
    two = probability.shape[1] == 2
    said = probability[:, 1] if two else probability.max(axis=1)
    came = (truth == (1 if two else probability.argmax(axis=1))).astype(float)
    value, seen, perfect = 0.0, np.zeros(resamples), np.zeros(resamples)
    for own in _bins(said, rng):
        share, inside = weight[own].sum() / weight.sum(), weight[own] / weight[own].sum()
        value += share * abs(inside @ (said - came)[own])
        drawn = rng.integers(len(own), size=(resamples, len(own)))
        distance = (inside * (said - came)[own])[drawn].sum(axis=1) / inside[drawn].sum(axis=1)
        seen += share * np.abs(distance)
        perfect += share * np.abs((said[own] - (rng.random((resamples, len(own))) < said[own])) @ inside)
    # A resampled error is larger than the error by what chance adds, as the error is larger than the true one: the basic
    # bootstrap turns its deviations round.
    low, high = 2 * value - np.quantile(seen, [0.975, 0.025])
    error = Interval(float(value), float(np.clip(low, 0.0, value)), float(max(high, value)))
    by_chance = Interval(float(perfect.mean()), *map(float, np.quantile(perfect, [0.025, 0.975])))
    p_value = float((1 + np.sum(perfect >= value)) / (1 + resamples))
    confidence = np.maximum(said, 1 - said) if two else said
    right = truth == probability.argmax(axis=1)
    return Calibration(error, by_chance, p_value, float(np.average(confidence - right, weights=weight)), len(rows))


def _bins(said: NDArray, rng: np.random.Generator) -> list[NDArray]:
    """The rows in bins of about the same number, equal probabilities in a random order."""
    number = int(min(len(said) // ROWS_A_BIN, MOST_BINS))
    return np.array_split(np.lexsort((rng.random(len(said)), said)), number)
