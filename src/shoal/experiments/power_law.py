"""A power law through the points of a learning curve, and what it says about more rows.

Source of the law: Hestness et al. (2017), "Deep learning scaling is predictable, empirically"; of the extrapolation to more rows:
Rosenfeld et al. (2020), "A constructive prediction of the generalization error across scales".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.interval import Interval

EXPONENTS = np.geomspace(0.02, 2.0, 61)
"""Tried first, then more around the best of them. Hestness et al. report 0.07 to 0.35 for deep networks, and theory gives 0.5 to 1 for
simple models."""
FINER, REFINEMENTS = 9, 3
"""Exponents tried around the best, and how many times: it is then known to a tenth of a per cent."""
MISFIT = 0.003
"""No curve is a power law exactly: each size is taken to lie off the law by at least this share of its error."""
DRAWS = 2000
POOLED = 4
"""The scatter over seeds is known as well as from this many sizes whose networks were independent; calibrated by simulation."""


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
    at once, which finds the lowest of several minima, and then over finer ones around it.

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
    y, w, n = np.asarray(errors, float), np.asarray(weights, float) / np.sum(weights), np.asarray(rows, float) / rows[-1]
    exponents = np.broadcast_to(EXPONENTS, (*y.shape[:-1], len(EXPONENTS)))
    ratio = EXPONENTS[1] / EXPONENTS[0]
    floor, scale, exponent = _lowest(y, w, n, exponents)
    for _ in range(REFINEMENTS):
        around = exponent[..., None] * ratio ** np.linspace(-1, 1, FINER)
        floor, scale, exponent = _lowest(y, w, n, np.clip(around, EXPONENTS[0], EXPONENTS[-1]))
        ratio **= 2 / (FINER - 1)
    return PowerLaw(floor, scale, exponent, int(rows[-1]))


def _lowest(y: NDArray, w: NDArray, n: NDArray, exponents: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Floor, scale and exponent ``[...]`` of the least squares among exponents ``[..., candidates]``, of errors ``[..., sizes]``."""
    basis = n[:, None] ** -exponents[..., None, :]  # [..., sizes, candidates]
    along, mean_b, mean_y = np.einsum("...s,...sc->...c", y * w, basis), w @ basis, (y @ w)[..., None]
    length = w @ basis**2
    # the slope of a line with an intercept, or of one through 0 where the intercept would lie below; basis is never constant
    scale = np.maximum((along - mean_y * mean_b) / (length - mean_b**2), 0.0)
    scale = np.where(mean_y < scale * mean_b, np.maximum(along / length, 0.0), scale)
    floor = np.maximum(mean_y - scale * mean_b, 0.0)
    off = y[..., None] - floor[..., None, :] - scale[..., None, :] * basis
    best = np.argmin(w @ off**2, axis=-1)[..., None]
    floor, scale, exponent = (np.take_along_axis(each, best, -1)[..., 0] for each in (floor, scale, exponents))
    return floor, scale, exponent


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
    relative = np.mean(np.divide(own, mean**2, out=np.zeros_like(own), where=mean > 0))
    of_seeds = (own + relative * mean**2) / 2 / count  # five seeds alone know their own variance badly
    misfit = _misfit(rows, mean, of_seeds)
    law = fit(rows, mean, 1 / (of_seeds + (misfit * mean) ** 2 + 1e-300))
    rng = np.random.default_rng(seed)
    by_seed = rng.normal(size=(draws, count)) @ deviations.T / np.sqrt(count * (count - 1))
    degrees = POOLED * (count - 1)
    by_seed *= np.sqrt(degrees / rng.chisquare(degrees, size=(draws, 1)))
    fitted = np.array([law.at(each) for each in rows])
    left = max(len(rows) - 3, 1)
    by_size = rng.normal(size=(draws, len(rows))) * (misfit * fitted) * np.sqrt(left / rng.chisquare(left, size=(draws, 1)))
    return law, fit(rows, fitted + by_seed + by_size, 1 / (of_seeds + (misfit * mean) ** 2 + 1e-300))


def spanned(value: float, draws: NDArray, highest: float = np.inf) -> Interval:
    """The interval of a quantity of the law, which is at least 0.

    Percentile and basic bootstrap (Davison and Hinkley 1997, chapter 5) put the estimate's bias on opposite sides, and where the
    floor is held at 0 it has one. The interval covers both: on simulated curves it then holds the truth in 92 to 100 of 100 cases.

    Args:
        value: of the law itself.
        draws: of the laws that might as well have come out.
        highest: what it cannot exceed.
    """
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    return Interval(value, max(0.0, min(low, 2 * value - high)), min(highest, max(high, 2 * value - low)))


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
