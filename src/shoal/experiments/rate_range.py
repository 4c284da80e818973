"""The range test: one shoal of networks that differ in nothing but their learning rate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from shoal.measurements import RateRange
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer, own_seed

RATES = 64
LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 200
NEAR = 0.9
"""Rates count as good that reach at least this share of the best rate's improvement in that time."""
_SEED_NUMBER = 3_000_000


def measure_rate_range(trainer: Trainer, recipe: Recipe, seed: int, rates: int = RATES) -> RateRange:
    """Train a recipe for a short while at many constant learning rates, side by side.

    Args:
        trainer: of the data set.
        recipe: everything but its learning rate and schedule stays.
        seed: of the networks, which all start alike.
        rates: how many, spaced evenly in their logarithm.

    Returns:
        The losses, and the range of rates that do well. Source: Smith (2017), "Cyclical learning rates for training neural networks",
        section 3.3; there one network passes through all rates, here each rate has its own.
    """
    values = np.geomspace(LOWEST, HIGHEST, rates)
    _, tables = trainer.prepared(recipe.shape)
    epochs = max(1e-9, STEPS / tables.steps_per_epoch(tables.batch_size(recipe.shape)))
    still = replace(recipe, decay="constant", warm_up=0.0, epochs=epochs, patience=None, patience_steps=None, weight_average=0.0)
    networks = [
        Network(number, own_seed(seed, _SEED_NUMBER), replace(still, learning_rate=float(f"{rate:.6g}")))
        for number, rate in enumerate(values)
    ]
    trainer.train("rate-range", networks)
    losses = [_last_loss(network) for network in networks]
    start = next((loss for loss in losses if loss is not None), math.nan)
    best, lowest, highest = _good(values, losses, start)
    return RateRange(tuple(map(float, values)), tuple(losses), start, networks[0].steps, recipe.learning_rate, best, lowest, highest)


def _last_loss(network: Network) -> float | None:
    """Mean of the last quarter of the mini-batches' losses; ``None`` where the network diverged."""
    losses = [loss for trace in network.traces for loss in trace.train_loss]
    last = losses[-max(1, len(losses) // 4) :]
    return None if network.diverged or any(loss is None for loss in last) else float(np.mean(np.array(last, float)))


def _good(rates: np.ndarray, losses: list[float | None], start: float) -> tuple[float, float, float]:
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
