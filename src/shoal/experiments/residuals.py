"""The residuals of a regression against its predictions: a sample of rows, the density of all, and quantiles along the predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shoal.data.sample import drawn_rows
from shoal.measurements import Density, ResidualBin, Residuals

MOST_POINTS = 400
SIDE = 36
"""Cells of the density along either axis."""
MOST_BINS, ROWS_A_BIN = 12, 20
EDGE = 0.002
"""Share of the values that may lie beyond either end of the density's axes: a few extreme ones would flatten all others."""
LOW, HIGH = 0.05, 0.95


def measure_residuals(predicted: NDArray, truth: NDArray, *, seed: int = 0) -> Residuals:
    """What the predictions of a part miss.

    Args:
        predicted: values ``[rows]``.
        truth: likewise.
        seed: draws the rows that are kept one by one.

    Example:
        >>> truth = np.linspace(0.0, 1.0, 1000)
        >>> found = measure_residuals(truth - 0.5, truth)
        >>> len(found.truth), found.bins[0].middle, sum(rows for *_, rows in found.density.cells) + found.density.outside
        (400, 0.5, 1000)
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    drawn = drawn_rows(len(truth), MOST_POINTS, np.random.default_rng(seed))
    return Residuals(
        rows=len(truth),
        truth=_rounded(truth[drawn]),
        predicted=_rounded(predicted[drawn]),
        bins=_bins(predicted, truth),
        density=_density(predicted, truth) if len(truth) > MOST_POINTS else None,
    )


def _bins(predicted: NDArray, truth: NDArray) -> tuple[ResidualBin, ...]:
    number = min(len(truth) // ROWS_A_BIN, MOST_BINS)
    if number < 1:
        return ()
    found = []
    for own in np.array_split(np.argsort(predicted, kind="stable"), number):
        low, middle, high = np.quantile(truth[own] - predicted[own], (LOW, 0.5, HIGH))
        found.append(ResidualBin(len(own), *_rounded(np.array([np.median(predicted[own]), low, middle, high]))))
    return tuple(found)


def _density(predicted: NDArray, truth: NDArray) -> Density | None:
    low, high = np.quantile(np.concatenate([predicted, truth]), (EDGE, 1 - EDGE)).tolist()
    if not low < high:
        return None
    counts, *_ = np.histogram2d(predicted, truth, bins=SIDE, range=[[low, high], [low, high]])
    places = np.argwhere(counts > 0)
    cells = tuple((int(x), int(y), int(counts[x, y])) for x, y in places)
    return Density(low, high, cells, SIDE, len(truth) - int(counts.sum()))


def _rounded(values: NDArray) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)
