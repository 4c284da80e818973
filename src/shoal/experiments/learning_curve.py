"""The learning curve: networks of one recipe on growing subsets of the training rows, as one shoal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shoal.data import Dataset
from shoal.data.sample import drawn_rows
from shoal.decision import fit_decision, weighed
from shoal.experiments.power_law import fit_with_draws, spanned
from shoal.measurements import LawPoint, LearningCurve
from shoal.metrics import Metric, score
from shoal.population import Shoal, slots_for
from shoal.recipe import Recipe
from shoal.records import Part
from shoal.trainer import Network, Trainer, advance, own_seed, whole_segments, width_class

SIZES, SEEDS = 8, 5
FEWEST_SIZES = 4
"""A law of three parameters needs a point more."""
SPAN = 32
"""The largest subset is so many times the smallest ..."""
FEWEST_ROWS = 50
"""... unless the smallest would have fewer rows than this."""
MOST_ROWS_SCORED = 20_000
FURTHEST, LAW_POINTS = 4, 24
"""The law is drawn up to so many times the rows, at so many sizes."""
_SEED_NUMBER = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One network and the training rows that are its own."""

    network: Network
    rows: NDArray


def measure_learning_curve(
    trainer: Trainer,
    recipe: Recipe,
    metric: Metric,
    seed: int,
    epochs: float | None = None,
    seeds: int = SEEDS,
    sizes: int = SIZES,
) -> LearningCurve:
    """Train a recipe on growing subsets of the training rows, and fit a power law through the dev errors.

    All networks take as many steps, and each is measured as it was at its best evaluation. The subsets of a seed lie one within
    the other and keep the classes' shares. Columns are normalised as all training rows ask for.

    Args:
        trainer: of the data set.
        recipe: of every network; L2's and L1's ``lambda/m`` are those of a network's own rows.
        metric: in which the errors are measured, by single networks.
        seed: of the networks and the subsets.
        epochs: passes over all training rows; those of the recipe by default.
        seeds: networks of each size, at least 2.
        sizes: how many, at least 4.

    Returns:
        The errors and the law. Source: Hestness et al. (2017), "Deep learning scaling is predictable, empirically".

    Raises:
        ValueError: there are too few training rows, seeds or sizes for a law.
    """
    if seeds < 2 or sizes < FEWEST_SIZES:
        raise ValueError(f"a learning curve takes at least 2 seeds and {FEWEST_SIZES} sizes; received {seeds} and {sizes}")
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs, warm_up=min(recipe.warm_up, epochs / 2))
    dataset, tables = trainer.prepared(recipe.shape)
    rows = subset_sizes(tables.train_rows, sizes)
    runs = [_runs(dataset, recipe, rows, number, seed) for number in range(seeds)]
    steps = whole_segments(recipe, tables)
    _train(trainer, [run for of_seed in runs for run in of_seed], steps)
    errors = [[_errors(trainer, of_seed[size], metric, seed) for of_seed in runs] for size in range(len(rows))]
    train, dev = ([[each[part] for each in of_size] for of_size in errors] for part in (0, 1))
    return fitted(rows, train, dev, steps, seed)


def fitted(rows: Sequence[int], train: Sequence[Sequence[float]], dev: Sequence[Sequence[float]], steps: int, seed: int) -> LearningCurve:
    """A learning curve with its law, from its errors.

    Args:
        rows: of each size, ascending.
        train: ``[sizes][seeds]`` errors.
        dev: likewise.
        steps: how long each network trained.
        seed: of the draws behind the intervals.
    """
    law, draws = fit_with_draws(np.array(rows), np.array(dev), seed)
    level = float(law.at(law.present))
    now = spanned(level, draws.at(law.present))
    twice = 2 * law.present
    drawn_at = sorted({*np.geomspace(rows[0], FURTHEST * law.present, LAW_POINTS).round().astype(int).tolist(), law.present, twice})
    return LearningCurve(
        rows=tuple(int(each) for each in rows),
        train=tuple(tuple(map(float, errors)) for errors in train),
        dev=tuple(tuple(map(float, errors)) for errors in dev),
        steps=steps,
        exponent=spanned(float(law.exponent), draws.exponent),
        floor=spanned(float(law.floor), draws.floor, now.high),
        now=now,
        doubled=spanned(level - float(law.at(twice)), draws.at(law.present) - draws.at(twice)),
        rows_for_one_percent=_rows_to_save(float(law.rows_to_save(0.01)), draws.rows_to_save(0.01)),
        law=tuple(LawPoint(each, spanned(float(law.at(each)), draws.at(each))) for each in drawn_at),
    )


def subset_sizes(rows: int, sizes: int = SIZES) -> list[int]:
    """Numbers of training rows, each the same multiple of the one before, up to all.

    Raises:
        ValueError: there are too few rows.

    Example:
        >>> subset_sizes(6400)
        [200, 328, 538, 883, 1449, 2378, 3901, 6400]
    """
    lowest = min(max(rows / SPAN, FEWEST_ROWS), rows / 4)
    chosen = np.unique(np.geomspace(lowest, rows, sizes).round().astype(int)).tolist()
    if len(chosen) < FEWEST_SIZES or chosen[0] < 2:
        raise ValueError(f"a learning curve takes at least {2 * SIZES} training rows; there are {rows}")
    return chosen


def nested_order(dataset: Dataset, rng: np.random.Generator) -> NDArray:
    """All training rows in an order of which every beginning is a random subset with about the shares of the classes."""
    truth = dataset.truth["train"]
    if dataset.task != "classification":
        return rng.permutation(len(truth))
    shuffled = rng.permutation(len(truth))
    place = np.empty(len(truth))
    for label in np.unique(truth):
        of_label = shuffled[truth[shuffled] == label]
        place[of_label] = (np.arange(len(of_label)) + rng.random()) / len(of_label)
    return np.argsort(place, kind="stable")


def _runs(dataset: Dataset, recipe: Recipe, rows: Sequence[int], number: int, seed: int) -> list[_Run]:
    """One network of each size, all of one seed, on nested subsets."""
    own = own_seed(seed, _SEED_NUMBER + number)
    order = nested_order(dataset, np.random.default_rng(own))
    every = len(order)
    # the program divides lambda by all rows
    recipes = [replace(recipe, l2=recipe.l2 * every / count, l1=recipe.l1 * every / count) for count in rows]
    return [
        _Run(Network(number * len(rows) + size, own, recipes[size]), order[:count] if count < every else np.arange(every))
        for size, count in enumerate(rows)
    ]


def _train(trainer: Trainer, runs: Sequence[_Run], steps: int) -> None:
    recipe = runs[0].network.recipe
    layout = trainer.layout(recipe.shape, width_class(recipe), recipe.techniques)
    slots = slots_for(layout, len(runs), trainer.memory)
    tables = trainer.prepared(recipe.shape)[1]
    for first in range(0, len(runs), slots):
        some = runs[first : first + slots]
        shoal = Shoal(layout, slots, tables, trainer.seed, own_rows=[run.rows for run in some])
        advance(f"learning-curve-{first}", shoal, [run.network for run in some], steps, trainer.journal)


def _errors(trainer: Trainer, run: _Run, metric: Metric, seed: int) -> tuple[float, float]:
    """Of a single network at its best, on its own training rows and on the dev rows; of very many rows on a sample."""
    dataset = trainer.dataset

    def answered(part: Part) -> tuple[NDArray, NDArray, NDArray]:
        rows = run.rows if part == "train" else np.arange(len(dataset.truth[part]))
        rows = rows[drawn_rows(len(rows), MOST_ROWS_SCORED, np.random.default_rng(seed))]
        return trainer.outputs([run.network], part, rows)[0], dataset.truth[part][rows], dataset.weights[part][rows]

    train, dev = answered("train"), answered("dev")
    decision = fit_decision(metric, *dev, dataset.class_shares.values(), seed=seed)
    scores = (score(metric, truth, weighed(outputs, decision), weight) for outputs, truth, weight in (train, dev))
    on_train, on_dev = (float(metric.as_error(each)) for each in scores)
    return on_train, on_dev


def _rows_to_save(value: float, draws: NDArray) -> tuple[float | None, float | None, float | None]:
    """Value, low and high; the quantiles are draws themselves, since nothing lies half-way to infinity."""
    low, high = np.quantile(draws, (0.025, 0.975), method="nearest").tolist()
    finite = [each if math.isfinite(each) else None for each in (value, min(low, value), max(high, value))]
    return finite[0], finite[1], finite[2]
