"""A power law through the points of a learning curve, and what it says about more rows.

Source of the law: Hestness et al. (2017), "Deep learning scaling is predictable, empirically"; of the extrapolation to more rows:
Rosenfeld et al. (2020), "A constructive prediction of the generalization error across scales".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXPONENTS = np.geomspace(0.02, 2.0, 201)
"""Tried one by one. Hestness et al. report 0.07 to 0.35 for deep networks and theory gives 0.5 to 1 for simple models."""
MISFIT = 0.005
"""No curve is a power law exactly: each size is taken to lie off the law by at least this share of its error."""
DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class PowerLaw:
    """``floor + scale * (rows / present)^-exponent``; each field a number, or ``[draws]``.

    Args:
        floor: the error with endless rows.
        scale: what the error lies above it at the present number of rows.
        exponent: how fast this falls.
        present: the number of rows that counts as one.
    """

    floor: NDArray
    scale: NDArray
    exponent: NDArray
    present: int

    def at(self, rows: float) -> NDArray:
        """The error with so many rows."""
        return self.floor + self.scale * (rows / self.present) ** -self.exponent

    def rows_to_save(self, share: float) -> NDArray:
        """How many more rows lower the error by a share of itself; infinite where the law never gets there.

        Example:
            >>> law = PowerLaw(np.array(0.0), np.array(0.1), np.array(0.5), 1000)
            >>> round(float(law.rows_to_save(0.5)))  # half the error at an exponent of a half is four times the rows
            3000
        """
        left = 1 - share * self.at(self.present) / np.maximum(self.scale, np.finfo(float).tiny)
        with np.errstate(divide="ignore", over="ignore"):
            return self.present * (np.where(left > 0, left, 0.0) ** (-1 / self.exponent) - 1)


def fit(rows: NDArray, errors: NDArray, weights: NDArray) -> PowerLaw:
    """The law of least weighted squares with floor and scale at least 0.

    Given the exponent the law is linear in the other two, so that only the exponent is searched for: over a grid, for all draws
    at once, which finds the lowest of several minima.

    Args:
        rows: ``[sizes]``, the last the present number.
        errors: ``[sizes]`` or ``[draws, sizes]``.
        weights: ``[sizes]``, one over the variance of each error.

    Returns:
        One law, or as many as draws.

    Example:
        >>> rows = np.array([100, 200, 400, 800])
        >>> law = fit(rows, 0.05 + 2 / np.sqrt(rows), np.ones(4))
        >>> round(float(law.exponent), 2), round(float(law.floor), 3)
        (0.5, 0.05)
    """
    y, w = np.asarray(errors, float), np.asarray(weights, float) / np.sum(weights)
    basis = (np.asarray(rows, float) / rows[-1])[:, None] ** -EXPONENTS  # [sizes, exponents]
    mean_b, mean_y = w @ basis, y @ w
    centred = basis - mean_b
    scale = np.maximum((y * w) @ centred / np.maximum(w @ centred**2, 1e-300), 0.0)
    floor = mean_y[..., None] - scale * mean_b
    without_floor = np.maximum((y * w) @ basis / (w @ basis**2), 0.0)
    scale = np.where(floor < 0, without_floor, scale)
    floor = np.maximum(floor, 0.0)
    # the sum of squares, multiplied out: draws times sizes times exponents would be large
    squares = (y**2 @ w)[..., None] - 2 * (floor * mean_y[..., None] + scale * ((y * w) @ basis))
    squares = squares + floor**2 + 2 * floor * scale * mean_b + scale**2 * (w @ basis**2)
    best = np.argmin(squares, axis=-1)[..., None]
    chosen = (np.take_along_axis(each, best, -1)[..., 0] for each in (floor, scale))
    return PowerLaw(*chosen, EXPONENTS[best[..., 0]], int(rows[-1]))


def fit_with_draws(rows: NDArray, errors: NDArray, seed: int, draws: int = DRAWS) -> tuple[PowerLaw, PowerLaw]:
    """The law through the means over seeds, and laws through means as they might as well have come out.

    Two sources of doubt are drawn: the seeds, whose curves are taken whole, since networks of one seed share their rows; and how far
    each size's mean lies off the law, beyond what seeds explain.

    Args:
        rows: ``[sizes]``, the last the present number.
        errors: ``[sizes, seeds]``, at least two seeds.
        seed: of the draws.
        draws: how many.

    Returns:
        The law, and ``draws`` of them.
    """
    count = errors.shape[1]
    mean, deviations = errors.mean(axis=1), errors - errors.mean(axis=1, keepdims=True)
    own = deviations.var(axis=1) * count / (count - 1)
    relative = np.mean(own / np.maximum(mean, 1e-300) ** 2)
    of_seeds = (own + relative * mean**2) / 2 / count  # five seeds alone know their own variance badly
    misfit = _misfit(rows, mean, of_seeds)
    law = fit(rows, mean, 1 / (of_seeds + (misfit * mean) ** 2 + 1e-300))
    rng = np.random.default_rng(seed)
    by_seed = rng.normal(size=(draws, count)) @ deviations.T / np.sqrt(count * (count - 1))
    degrees = DEGREES * (count - 1)
    by_seed *= np.sqrt(degrees / rng.chisquare(degrees, size=(draws, 1)))
    fitted = np.array([law.at(each) for each in rows])
    left = max(len(rows) - 3, 1)
    by_size = rng.normal(size=(draws, len(rows))) * (misfit * fitted) * np.sqrt(left / rng.chisquare(left, size=(draws, 1)))
    return law, fit(rows, fitted + by_seed + by_size, 1 / (of_seeds + (misfit * mean) ** 2 + 1e-300))


DEGREES = 1.0


def _misfit(rows: NDArray, mean: NDArray, of_seeds: NDArray) -> float:
    """How far the sizes' means lie off the law, as a share of the error, beyond what the seeds explain (as a meta-analysis does it)."""
    freedom = max(len(rows) - 3, 1)
    misfit = MISFIT
    for misfit in MISFIT * 1.25 ** np.arange(24):
        weights = 1 / (of_seeds + (misfit * mean) ** 2 + 1e-300)
        law = fit(rows, mean, weights)
        if np.sum(weights * (mean - np.array([law.at(each) for each in rows])) ** 2) <= freedom:
            break
    return float(misfit)
