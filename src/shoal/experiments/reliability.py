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

from shoal.calibration import scaled
from shoal.experiments.repeats import share_of
from shoal.interval import Interval
from shoal.measurements import Bin, Probabilities, Reliability

MOST_BINS = 15
ROWS_A_BIN = 20
FEWEST_ROWS = 100
MOST_ROWS = 20_000
"""More rows are sampled: the error is then known to a fraction of a point."""
HISTOGRAM = 20
"""Classes from 0 to 1."""


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
    rows = _looked_at(len(truth), rng)
    if len(rows) < FEWEST_ROWS:
        return None
    probability, truth = np.asarray(probability, np.float64)[rows], np.asarray(truth)[rows]
    weight = np.ones(len(rows)) if weight is None else np.asarray(weight, np.float64)[rows]
    said, came = _said_and_came(probability, truth)
    two = probability.shape[1] == 2
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


def measure_reliability(
    probability: NDArray, truth: NDArray, weight: NDArray | None = None, *, temperature: float = 1.0, resamples: int = 300, seed: int = 0
) -> Reliability | None:
    """How often the answers come true, bin by bin, at the fitted temperature and without it.

    Args:
        probability: of the classes ``[rows, classes]`` at the temperature.
        truth: class numbers ``[rows]``.
        weight: importance of each row ``[rows]``; all alike by default.
        temperature: that was fitted (see ``shoal.calibration``); 1 where none was.
        resamples: draws behind the intervals of the calibration error.
        seed: of the draws.

    Returns:
        The bins with Wilson's intervals, and the expected calibration error over them; ``None`` for fewer than ``FEWEST_ROWS`` rows.

    Example:
        >>> sure = np.tile([0.01, 0.99], (400, 1))
        >>> found = measure_reliability(sure, (np.arange(400) % 5 > 0).astype(int), temperature=2.0)
        >>> found.after.bins[0].rows, round(found.after.bins[0].said, 2), round(found.before.bins[0].said, 4)
        (27, 0.99, 0.9999)
    """
    if len(truth) < FEWEST_ROWS:
        return None
    rows = np.sort(_looked_at(len(truth), np.random.default_rng(seed)))
    probability, truth = np.asarray(probability, np.float64)[rows], np.asarray(truth)[rows]
    weight = np.ones(len(rows)) if weight is None else np.asarray(weight, np.float64)[rows]
    after = _probabilities(probability, truth, weight, resamples, seed)
    before = None
    if temperature != 1:
        # softmax(log(softmax(z / T)) * T) is softmax(z)
        before = _probabilities(scaled(probability, 1 / temperature), truth, weight, resamples, seed)
    return Reliability(len(rows), 1 if probability.shape[1] == 2 else None, temperature, after, before)


def _probabilities(probability: NDArray, truth: NDArray, weight: NDArray, resamples: int, seed: int) -> Probabilities:
    measured = measure_calibration(probability, truth, weight, resamples=resamples, seed=seed)
    assert measured is not None, "as many rows as it takes were counted before"
    said, came = _said_and_came(probability, truth)
    bins = [_bin(said[own], came[own], weight[own]) for own in _bins(said, np.random.default_rng(seed))]
    histogram = np.bincount(np.minimum((said * HISTOGRAM).astype(int), HISTOGRAM - 1), minlength=HISTOGRAM)
    return Probabilities(tuple(bins), tuple(histogram.tolist()), measured.error, measured.chance)


def _bin(said: NDArray, came: NDArray, weight: NDArray) -> Bin:
    """Rows with weights count as Kish's effective number of them."""
    share, rows = float(np.average(came, weights=weight)), max(1, round(float(weight.sum() ** 2 / np.sum(weight**2))))
    span = share_of(round(share * rows), rows, method="wilson")
    return Bin(len(said), float(np.average(said, weights=weight)), Interval(share, min(span.low, share), max(span.high, share)))


def _looked_at(rows: int, rng: np.random.Generator) -> NDArray:
    return np.arange(rows) if rows <= MOST_ROWS else rng.choice(rows, MOST_ROWS, replace=False)


def _said_and_came(probability: NDArray, truth: NDArray) -> tuple[NDArray, NDArray]:
    """Of two classes the probability of the second, of several that of the predicted one, and whether it came true."""
    if probability.shape[1] == 2:
        return probability[:, 1], (truth == 1).astype(float)
    return probability.max(axis=1), (truth == probability.argmax(axis=1)).astype(float)


def _bins(said: NDArray, rng: np.random.Generator) -> list[NDArray]:
    """The rows in bins of about the same number, equal probabilities in a random order."""
    number = int(min(len(said) // ROWS_A_BIN, MOST_BINS))
    return np.array_split(np.lexsort((rng.random(len(said)), said)), number)
