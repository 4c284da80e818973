"""Section 5: samplers, scales, coarse to fine, rungs and retests, on the digits: what each finds with as many trials."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from measuring.comparison import difference, is_clear, machine, percent, significant, table
from measuring.networks import Network, Shelf, train
from measuring.topics import topic

from shoal.halving import HALVING
from shoal.parameters import Range
from shoal.recipe import Recipe
from shoal.samplers import make_sampler
from shoal.samplers.points import POINTS, sobol
from shoal.samplers.sampler import Result
from shoal.space import Space

TABLE = "example:digits"
RATE = Range("learning_rate", 1e-4, 1.0, "log")
EPSILON = Range("epsilon", 1e-10, 1e-6, "log")
KEEP = Range("keep_prob", 0.3, 1.0)
BASE = Recipe(activation="relu", optimiser="adam", batch_size=64, epochs=9)
FOUR = (RATE, KEEP, Range("beta1", 0.5, 0.99, "log_one_minus"), EPSILON)
CHANCE = float(np.log(10))

REPEATS = 16
"""Searches of each kind, each on another split and with other draws."""


def loss_of(network: Network) -> float:
    """The best dev loss of a network; of one that diverged, what is no better than chance."""
    return float(min(np.nanmin(np.nan_to_num(network.trace.dev_loss, nan=np.inf)), CHANCE))


@functools.cache
def trained(recipes: tuple[Recipe, ...], seed: int = 0) -> list[Network]:
    """One network of each recipe on the digits."""
    return [each[0] for each in train(Shelf(), TABLE, {str(number): recipe for number, recipe in enumerate(recipes)}, (seed,)).values()]


def dev_losses(recipes: Sequence[Recipe], seed: int = 0) -> np.ndarray:
    """The best dev loss of each recipe."""
    return np.array([loss_of(network) for network in trained(tuple(recipes), seed)])


def recipes_at(axes: Sequence[Range], points: np.ndarray) -> tuple[Recipe, ...]:
    """The recipes of points of the unit cube."""
    family = Space.of(BASE, axes).families[0]
    return tuple(family.at(point) for point in points.tolist())


def coarse_to_fine(axes: Sequence[Range], trials: int, seed: int, batch: int = 12) -> list[tuple[tuple[Recipe, ...], np.ndarray]]:
    """A search by the sampler of that name: the recipes of each round, and their dev losses."""
    sampler, results, rounds = make_sampler("coarse-to-fine", Space.of(BASE, axes), (trials,), seed), list[Result](), []
    while drawn := sampler.draw(batch, results):
        recipes = tuple(each.recipe for each in drawn)
        losses = dev_losses(recipes, seed)
        results += [Result(0, float(loss), float(loss)) for loss in losses]
        rounds.append((recipes, losses))
    return rounds


def by_rungs(networks: Sequence[Network]) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, list[int]]:
    """Who would have gone on at a ninth and a third of the training.

    Returns:
        Best dev loss so far ``[networks, evaluations]``, who went on from each rung, the epochs of the evaluations, and those of the rungs.
    """
    losses = np.minimum.accumulate(
        np.array([np.minimum(np.nan_to_num(each.trace.dev_loss, nan=CHANCE), CHANCE) for each in networks]), axis=1
    )
    per_epoch = networks[0].tables.steps_per_epoch(64) / networks[0].segment
    epochs = np.arange(1, losses.shape[1] + 1) / per_epoch
    rungs = [round(BASE.epochs / HALVING**power * per_epoch) - 1 for power in (2, 1)]
    going_on, left = [], np.arange(len(networks))
    for rung in rungs:
        left = left[np.argsort(losses[left, rung])[: max(1, len(left) // HALVING)]]
        going_on.append(left)
    return losses, going_on, epochs, rungs


def _found(ways: Mapping[str, Callable[[int], float]], seeds: int, heading: str) -> str:
    """A table of what each way of searching found, against the first way, paired by the seed."""
    values = {name: np.array([search(seed) for seed in range(seeds)]) for name, search in ways.items()}
    base, rows = next(iter(values.values())), []
    for name, found in values.items():
        text = significant(float(found.mean()))
        if found is not base:
            text = f"{text} ({difference(found, base)})"
            text = f"**{text}**" if is_clear(found, base) else text
        rows.append([name, text])
    return table(("", heading), rows)


def _caption(note: str, seeds: int) -> str:
    return f"*`{TABLE}` (1,079 train, 359 dev rows), 2 hidden layers of 64 units, 9 epochs; {note}; {seeds} searches each; {machine()}.*"


@topic("grid-and-random", TABLE)
def _grid_and_random(shelf: Shelf, seeds: int) -> str:
    def search(name: str, axes: Sequence[Range], seed: int) -> float:
        return float(dev_losses(recipes_at(axes, POINTS[name](axes, 25, seed)), seed).min())

    blocks = []
    for axes, what in (((RATE, EPSILON), "learning rate and epsilon"), (FOUR, "learning rate, keep_prob, beta1 and epsilon")):
        ways = {name: functools.partial(search, name, axes) for name in ("grid", "random", "sobol")}
        blocks += [_caption(f"25 trials of {what}", REPEATS), _found(ways, REPEATS, "best dev loss found")]
    return "\n\n".join(blocks)


@topic("scales", TABLE)
def _scales(shelf: Shelf, seeds: int) -> str:
    def search(scale: str, trials: int, seed: int) -> float:
        axes = (Range("learning_rate", 1e-4, 1.0, scale),)  # type: ignore[arg-type]
        return float(dev_losses(recipes_at(axes, POINTS["random"](axes, trials, seed)), seed).min())

    ways = {f"{trials} trials, {scale}": functools.partial(search, scale, trials) for trials in (8,) for scale in ("log", "linear")}
    return "\n\n".join([_caption("8 random learning rates from 0.0001 to 1", REPEATS), _found(ways, REPEATS, "best dev loss found")])


@topic("coarse-to-fine", TABLE)
def _coarse_to_fine(shelf: Shelf, seeds: int) -> str:
    ways = {
        "quasi-random": lambda seed: float(dev_losses(recipes_at(FOUR, sobol(FOUR, 48, seed)), seed).min()),
        "coarse to fine": lambda seed: min(float(losses.min()) for _, losses in coarse_to_fine(FOUR, 48, seed)),
    }
    note = "48 trials of learning rate, keep_prob, beta1 and epsilon"
    return "\n\n".join([_caption(note, REPEATS), _found(ways, REPEATS, "best dev loss found")])


@topic("rungs", TABLE)
def _rungs(shelf: Shelf, seeds: int) -> str:
    recipes = recipes_at(FOUR, sobol(FOUR, 64, 1))[:54]
    kept, at_once, lucky, fresh = [], [], [], []
    for seed in range(REPEATS):
        losses, going_on, _, _ = by_rungs(trained(recipes, seed))
        kept.append(losses[going_on[-1], -1].min())
        at_once.append(losses[:, -1].min())
        winner = recipes[int(losses[:, -1].argmin())]
        lucky.append(losses[:, -1].min())
        fresh.append(float(np.mean([dev_losses((winner,), 100 + 3 * seed + other)[0] for other in range(3)])))
    cost = (54 + 18 * (HALVING - 1) + 6 * (9 - HALVING)) / (54 * 9)
    saved, all_of_it = np.array(kept), np.array(at_once)
    rows = [
        ["all trained to the end", "100 %", significant(float(all_of_it.mean()))],
        ["a third goes on at each rung", percent(cost), f"{significant(float(saved.mean()))} ({difference(saved, all_of_it)})"],
    ]
    retest = [
        ["of the winner in its search", significant(float(np.mean(lucky)))],
        [
            "of the same recipe on three fresh splits and seeds",
            f"{significant(float(np.mean(fresh)))} ({difference(np.array(fresh), np.array(lucky))})",
        ],
    ]
    note = "54 trials of learning rate, keep_prob, beta1 and epsilon"
    return "\n\n".join(
        [
            _caption(note, REPEATS),
            table(("", "training", "dev loss of the best at the end"), rows),
            "And how much of a winner's score is luck:",
            table(("dev loss", ""), retest),
        ]
    )
