"""Temperature scaling: one number that makes a classifier's probabilities mean what they say.

A network trained long enough is too sure of itself. With ``p`` its probabilities, ``softmax(log(p) / T)`` are as sure as the
examples allow, where ``T`` makes the log loss of held-out rows smallest (Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration
of Modern Neural Networks"). The order of the classes stays, and with it every predicted class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, logit, softmax

COLDEST, HOTTEST = 0.05, 20.0
"""Beyond these a temperature tells of too few rows rather than of the network."""

FEWEST_ROWS = 20
"""Fewer rows than this do not say how sure to be; probabilities then stay as they are."""

SMALLEST = 1e-30  # of a probability, before its logarithm is taken


def _logit(probability: NDArray) -> NDArray:
    # a probability that single precision rounds to 1 is as sure as the surest below it
    return logit(np.clip(probability.astype(np.float64), SMALLEST, 1 - 2.0**-25))


def scaled(probability: NDArray, temperature: float, is_multi_label: bool = False) -> NDArray:
    """Probabilities at a temperature; 1 leaves them as they are.

    Args:
        probability: of classes ``[..., classes]``, or of labels ``[..., labels]``.
        temperature: above 1 for less sure, below 1 for surer.
        is_multi_label: each column is a label of its own.

    Example:
        >>> scaled(np.array([0.9, 0.1]), 2.0).round(2)
        array([0.75, 0.25])
    """
    if temperature == 1:
        return probability
    if is_multi_label:
        return expit(_logit(probability) / temperature)
    return softmax(np.log(np.maximum(probability, SMALLEST)) / temperature, axis=-1)


def fit_temperature(probability: NDArray, truth: NDArray, weight: NDArray, is_multi_label: bool = False) -> float:
    """The temperature of smallest log loss.

    Args:
        probability: ``[rows, classes]`` or ``[rows, labels]``, of rows that the network was not trained on.
        truth: class numbers ``[rows]``, or 0 and 1 ``[rows, labels]``.
        weight: importance of each row ``[rows]``.
        is_multi_label: each column is a label of its own.

    Returns:
        A number from ``COLDEST`` to ``HOTTEST``; 1 where there are fewer than ``FEWEST_ROWS`` rows.

    Example:
        >>> sure = np.tile([0.99, 0.01], (100, 1))
        >>> fit_temperature(sure, (np.arange(100) < 20).astype(int), np.ones(100)).__round__(2)  # right in 80 of 100 rows
        3.31
    """
    if len(truth) < FEWEST_ROWS:
        return 1.0
    if is_multi_label:
        logits = _logit(probability)

        def loss(log_temperature: float) -> float:
            z = np.where(truth == 1, logits, -logits) / np.exp(log_temperature)
            return -float(weight @ log_expit(z).mean(axis=1))
    else:
        logits = np.log(np.maximum(probability, SMALLEST))

        def loss(log_temperature: float) -> float:
            log_probability = log_softmax(logits / np.exp(log_temperature), axis=1)
            return -float(weight @ np.take_along_axis(log_probability, truth[:, None], axis=1)[:, 0])

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-6})
    # Rows that are all predicted rightly would make every probability 0 or 1: that the next row is right, too, they do not say.
    return 1.0 if found.fun >= loss(0.0) else float(max(np.exp(found.x), COLDEST))
