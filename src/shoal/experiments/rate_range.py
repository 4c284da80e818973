"""The range test: one shoal of networks that differ in nothing but their learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shoal.measurements import RateRange
from shoal.population import take
from shoal.recipe import Recipe
from shoal.trainer import Trainer, own_seed, width_class

RATES, PICTURE_RATES = 64, 16
"""Networks side by side; of those with convolutions, which are dear, fewer."""
LOWEST, HIGHEST = 1e-6, 10.0
HIGHEST_PLAIN = 100.0
"""Without a second moment, which divides the gradient by its own size, sound rates lie higher."""
STEPS, LAST_STEPS = 200, 50
NEAR = 0.9
"""Rates count as good that reach at least this share of the best rate's improvement in that time."""
_SEED_NUMBER = 3_000_000


def measure_rate_range(trainer: Trainer, recipe: Recipe, seed: int, rates: int | None = None) -> RateRange:
    """Train a recipe for a short while at many constant learning rates, side by side.

    Args:
        trainer: of the data set.
        recipe: everything but its learning rate and schedule stays.
        seed: of the networks, which all start alike.
        rates: how many, spaced evenly in their logarithm; by default 64, of networks with convolutions 16.

    Returns:
        The mean loss over the last 50 of 200 steps at each rate, and the range of rates that do well. Source: Smith (2017), "Cyclical
        learning rates for training neural networks", section 3.3; there one network passes through all rates, here each rate has its own.
    """
    rates = rates or (PICTURE_RATES if recipe.channels else RATES)
    highest_rate = HIGHEST if recipe.blocks.second_moment or recipe.blocks.sign else HIGHEST_PLAIN
    values = [float(f"{rate:.6g}") for rate in np.geomspace(LOWEST, highest_rate, rates)]
    still = replace(recipe, decay="constant", warm_up=0.0, patience=None, patience_steps=None, weight_average=0.0)
    losses = _last_losses(trainer, [replace(still, learning_rate=rate) for rate in values], own_seed(seed, _SEED_NUMBER))
    start = next((loss for loss in losses if loss is not None), 0.0)  # at the lowest rate, which hardly moves; records hold no NaN
    best, lowest, highest = _good(np.array(values), losses, start)
    return RateRange(tuple(values), tuple(losses), start, STEPS, recipe.learning_rate, best, lowest, highest)


def _last_losses(trainer: Trainer, recipes: Sequence[Recipe], seed: int) -> list[float | None]:
    """Each network's mean loss over the last steps; ``None`` where it diverged."""
    shoal = trainer.shoal(recipes[0].shape, width_class(recipes[0]), recipes[0].techniques, len(recipes))
    losses: list[float | None] = []
    for first in range(0, len(recipes), shoal.slots):
        some = recipes[first : first + shoal.slots]
        numbers = shoal.numbers(some, [seed] * len(some))
        # not in whole segments of an epoch, which may be longer than the test: two calls give the last steps' mean on any table
        state, _ = shoal.advance(shoal.start(numbers), numbers, 0, STEPS - LAST_STEPS, 1)
        state, trace = shoal.advance(state, numbers, STEPS - LAST_STEPS, LAST_STEPS, 1)
        last, diverged = trace.train_loss[0], take(state, range(len(some))).diverged
        losses += [None if gone or not math.isfinite(loss) else float(loss) for loss, gone in zip(last, diverged, strict=False)]
    return losses


def _good(rates: np.ndarray, losses: Sequence[float | None], start: float) -> tuple[float, float, float]:
    """The best rate, and the ends of the range around it that does nearly as well; losses are smoothed over three rates."""
    known = np.array([math.inf if loss is None else loss for loss in losses])
    padded = np.concatenate([known[:1], known, known[-1:]])
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    best = int(np.argmin(smooth))
    good = smooth <= start - NEAR * (start - smooth[best])
    low = high = best
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(rates) - 1 and good[high + 1]:
        high += 1
    return float(rates[best]), float(rates[low]), float(rates[high])
