"""Two-sided differences of a cost, coordinate by coordinate, with what limits them: round-off, curvature and kinks.

``dtheta_i = (J(theta + e_i) - J(theta - e_i)) / (2 e_i)`` with ``e_i = epsilon * max(1, |theta_i|)``.

Two errors pull in opposite directions: truncation, ``e^2 J''' / 6``, and round-off, ``noise / e``, where the noise is what arithmetic
does to the last digits of ``J``. The noise is measured (Moré and Wild, 2011, "Estimating computational noise"). Where the difference
does not agree with the gradient, it is measured again at ever smaller steps; the step is chosen by the differences alone, never by
how well it fits the gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shoal.errors import OptionError, Problem
from shoal.gradcheck.point import Subject

EPSILON = 1e-5
"""The relative step, unless the cost is too noisy for it."""

LARGEST_EPSILON = 1e-3
ENOUGH = 1e-8
"""Round-off is small enough where its share of the gradient's norm is this, a tenth of what passes."""

SMALLEST_EPSILON = 1e-14

AGREED = 1e-8
BLOCK = 100
"""Coordinates that are measured again at a time."""

_ORDER = 6  # of the differences that leave nothing of a smooth function but its noise
_PROBES = 13
_PROBED_COORDINATES = 8
_UNIT = 2.0**-53
SINGLE = (1e-9, 1e-6)
"""What the noise of single precision may be, as a share of the cost."""


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """The measured slopes at some coordinates, all ``[coordinates]``."""

    coordinates: np.ndarray
    numeric: np.ndarray
    noise: np.ndarray
    """How far round-off may have moved each of them: one standard deviation."""
    kink: np.ndarray
    """Whether the cost has a kink just there, with the gradient between the slopes on its two sides."""
    refined: np.ndarray
    """Whether a smaller step was needed, because of a kink nearby or of strong curvature."""
    epsilon: float


def measure(subject: Subject, coordinates: np.ndarray, epsilon: float | None, rng: np.random.Generator) -> Differences:
    """The slopes of the cost at these coordinates.

    Args:
        subject: the cost and its gradient.
        coordinates: ``[k]``.
        epsilon: the largest relative step, or ``None`` to fit it to the noise of the cost.
        rng: draws where the noise is measured.

    Raises:
        OptionError: the cost is not finite close to the point, or carries single precision only.
    """
    noise = noise_of_cost(subject, coordinates, epsilon or EPSILON, rng)
    step = epsilon or EPSILON
    steps = step * _scale(subject, coordinates)
    numeric, _ = _slopes(subject, coordinates, steps)
    if epsilon is None:
        change = (numeric * _scale(subject, coordinates))[np.isfinite(numeric)]
        typical = np.linalg.norm(change) / math.sqrt(len(change)) if len(change) else 0.0
        if typical > 0 and noise > ENOUGH * step * typical:
            # where truncation, e^2 J''' / 6 with a J''' as large as J', is half of the round-off
            step = float(np.clip(np.cbrt(3 * noise / typical), EPSILON, LARGEST_EPSILON))
            steps = step * _scale(subject, coordinates)
            numeric, _ = _slopes(subject, coordinates, steps)
    found = Differences(coordinates, numeric, noise / steps, np.zeros(len(steps), bool), np.zeros(len(steps), bool), step)
    _measure_again(subject, found, noise)
    if not np.isfinite(found.numeric).all():
        name, index = subject.point.locate(int(coordinates[np.flatnonzero(~np.isfinite(found.numeric))[0]]))
        received = f"NaN or infinity on one side of {name}{list(index) or ''}"
        raise OptionError(Problem("the cost is finite close to the point", received, "Choose a point inside the cost's domain."))
    return found


def noise_of_cost(subject: Subject, coordinates: np.ndarray, epsilon: float, rng: np.random.Generator) -> float:
    """The standard deviation of the round-off in the cost.

    Differences of high order of values on a fine line vanish for a smooth function, and what is left is noise: its ``k``-th
    differences have ``(2k)!/(k!)^2`` times its variance. The median of several lines is not misled by a kink on one of them.

    Raises:
        OptionError: all values are float32 numbers, so the cost was rounded to single precision.
    """
    lines = rng.choice(coordinates, min(_PROBED_COORDINATES, len(coordinates)), replace=False)
    coarse, values = _noise_along(subject, lines, epsilon)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32) == values
    if single.all() and len(np.unique(values)) > 2:
        raise OptionError(
            Problem(
                "the cost is computed in double precision, or round-off hides what is compared",
                "a cost whose values are all single-precision numbers",
                "Take the conversions to float32 out of the cost, and give its data as float64.",
            )
        )
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    # Single precision in a part of the cost shows on the coarse lines alone. Anything else is safer to read from lines so fine that
    # curvature has no part in it.
    noise = coarse if SINGLE[0] * size <= coarse <= SINGLE[1] * size else min(coarse, _noise_along(subject, lines, epsilon / 1000)[0])
    return max(noise, _UNIT * size, np.finfo(float).tiny)


def _noise_along(subject: Subject, lines: np.ndarray, epsilon: float) -> tuple[float, np.ndarray]:
    """The noise seen along some coordinates, and the costs there ``[lines, probes]``."""
    # Off the point itself, where a kink is likeliest (a ReLU of 0).
    shifts = epsilon * _scale(subject, lines)[:, None] * np.linspace(0.3, 0.9, _PROBES)
    values = _costs(subject, np.repeat(lines, _PROBES), shifts.ravel()).reshape(shifts.shape)
    factor = math.factorial(_ORDER) ** 2 / math.factorial(2 * _ORDER)
    with np.errstate(invalid="ignore", over="ignore"):
        estimates = np.sqrt(factor * np.mean(np.square(np.diff(values, _ORDER)), axis=1))
    estimates = estimates[np.isfinite(estimates) & (estimates > 0)]
    return float(np.median(estimates)) if len(estimates) else 0.0, values


def _measure_again(subject: Subject, found: Differences, noise: float) -> None:
    """Look again, with smaller steps, at the coordinates that disagree, the worst first, as long as that changes anything."""
    gradient = subject.gradient[found.coordinates]
    misfit = np.abs(found.numeric - gradient)
    size = np.abs(found.numeric) + np.abs(gradient)
    suspects = np.flatnonzero(~(misfit <= AGREED * size + 4 * found.noise))
    suspects = suspects[np.argsort(-np.nan_to_num(misfit[suspects], nan=np.inf), kind="stable")]
    rungs = found.epsilon * 10.0 ** -np.arange(max(2, round(math.log10(found.epsilon / SMALLEST_EPSILON)) + 1))
    for start in range(0, len(suspects), BLOCK):
        block = suspects[start : start + BLOCK]
        ladder = _scale(subject, found.coordinates[block])[:, None] * rungs
        numeric, gap = _slopes(subject, np.repeat(found.coordinates[block], len(rungs)), ladder.ravel())
        numeric, gap = numeric.reshape(ladder.shape), gap.reshape(ladder.shape)
        best = _most_reliable(numeric, noise / ladder)
        rows = np.arange(len(block))
        before = misfit[block]
        found.numeric[block] = numeric[rows, best]
        found.noise[block] = noise / ladder[rows, best]
        found.refined[block] = best > 0
        found.kink[block] = _is_kink(numeric, gap, noise / ladder, gradient[block], best)
        if not (found.kink[block] | ~(np.abs(found.numeric[block] - gradient[block]) > before / 2)).any():
            return


def _most_reliable(numeric: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Which step of the ladder ``[k, steps]`` to believe: its difference is nearest to that of the next step, beyond noise."""
    with np.errstate(invalid="ignore"):
        change = np.maximum(np.abs(np.diff(numeric, axis=1)) - 4 * noise[:, 1:], 0)
    error = change + noise[:, :-1]
    error = np.concatenate([error, np.where(np.isfinite(numeric[:, -1:]), noise[:, -1:] + change[:, -1:], np.inf)], axis=1)
    return np.argmin(np.where(np.isfinite(error) & np.isfinite(numeric), error, np.inf), axis=1)


def _is_kink(numeric: np.ndarray, gap: np.ndarray, noise: np.ndarray, gradient: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Whether the slopes on the two sides stay apart however small the step, with the gradient between them.

    The smallest step that could still tell a gap of twice the misfit from round-off decides. There a smooth function's gap, ``e J''``,
    is a tenth of that at the step before; a kink's is the same, and a jump's is ten times as large.
    """
    rows = np.arange(len(numeric))
    misfit = np.abs(numeric[rows, best] - gradient)
    visible = np.isfinite(gap) & (10 * noise < misfit[:, None])
    finest = np.where(visible.any(1), visible.shape[1] - 1 - np.argmax(visible[:, ::-1], axis=1), 0)
    before = np.maximum(finest - 1, 0)
    stays = (finest > 0) & (gap[rows, finest] > 0.5 * gap[rows, before]) & (gap[rows, finest] < 2 * gap[rows, before])
    between = np.abs(numeric[rows, finest] - gradient) <= (0.5 + 1e-6) * gap[rows, finest] + 4 * noise[rows, finest]
    return stays & between


def _scale(subject: Subject, coordinates: np.ndarray) -> np.ndarray:
    return np.maximum(1.0, np.abs(subject.point.values[coordinates]))


def _slopes(subject: Subject, coordinates: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two-sided difference at each coordinate, and how far apart the slopes on its two sides are."""
    here = subject.point.values[coordinates]
    up, down = (here + steps) - here, here - (here - steps)  # the steps that were really taken
    after, before = np.split(_costs(subject, np.tile(coordinates, 2), np.concatenate([up, -down])), 2)
    with np.errstate(invalid="ignore", over="ignore"):
        return (after - before) / (up + down), np.abs((after - subject.cost) / up - (subject.cost - before) / down)


def _costs(subject: Subject, coordinates: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """The cost with one coordinate moved at a time."""
    costs = np.empty(len(coordinates))
    for start in range(0, len(coordinates), subject.chunk):
        some = slice(start, start + subject.chunk)
        points = np.tile(subject.point.values, (len(coordinates[some]), 1))
        points[np.arange(len(points)), coordinates[some]] += shifts[some]
        costs[some] = subject.costs(points)
    return costs
