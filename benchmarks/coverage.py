"""How often the 95 % intervals of a diagnosis hold the truth, where the truth is known.

    python benchmarks/coverage.py [--simulations 1000] [--seed 0]

Data come from a distribution of which everything is known: five normal inputs, a class (or a value) that depends on them by a formula,
and noise. Each simulation draws training rows and dev rows of its own, trains five small networks of one recipe on the training rows
from five seeds, and gives their predictions to ``shoal.diagnose.measure``, as the end of a run does. The networks of all simulations
train in a few shoals, each on rows of its own.

The truth is not estimated from the dev rows but computed from the formula, on 10,000 fresh inputs: what a prediction costs on average
over the noise (which tells as much as the outcomes of some 200,000 rows). It is

- for the dev error: the error of *this* ensemble of five networks on the distribution;
- for the variance (dev minus train error): what the recipe has on average over training sets of this size, over seeds and over rows;
- for the avoidable bias (train error minus the noise's own error, given as the target): the recipe's average likewise.

The last two are averages over all simulations: the interval of a gap answers for training rows that might as well have been others.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from shoal import devices
from shoal.data import load
from shoal.diagnose import PartPrediction, judge, measure
from shoal.metrics import METRICS, Metric
from shoal.population import Shoal, take
from shoal.recipe import Recipe
from shoal.records import Interval
from shoal.trainer import Network, Trainer, width_class

COLUMNS, SEEDS, SLOTS = 5, 5, 500
FRESH_ROWS = 10_000
GOAL = (0.93, 0.97)
RECIPE = Recipe((16,), activation="tanh", batch_size=64, learning_rate=0.02, decay="constant", optimiser="adam")


@dataclass(frozen=True)
class World:
    """A distribution: what depends on the inputs, how noisy it is, and what a prediction costs on average over the noise."""

    name: str
    metric: Metric
    draw: Callable[[NDArray, np.random.Generator], NDArray]
    cost: Callable[[NDArray, NDArray], float]
    """Of predictions at inputs, integrated over the noise."""
    best: float
    """The cost of the best prediction there is."""
    train_rows: int
    dev_rows: int
    steps: int


def signal(x: NDArray) -> NDArray:
    return 1.5 * x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3]


FLIPPED = 0.1
NOISE = 1.0


def chance(x: NDArray) -> NDArray:
    """Of class 1."""
    return np.where(signal(x) > 0, 1 - FLIPPED, FLIPPED)


def smooth_chance(x: NDArray) -> NDArray:
    return expit(1.5 * signal(x))


def drawn_from(probability: Callable[[NDArray], NDArray]) -> Callable[[NDArray, np.random.Generator], NDArray]:
    return lambda x, rng: (rng.random(len(x)) < probability(x)).astype(np.int64)


def error_cost(x: NDArray, said: NDArray) -> float:
    return float(np.mean(np.where(said[:, 1] > said[:, 0], 1 - chance(x), chance(x))))


def log_cost(x: NDArray, said: NDArray) -> float:
    p, said = smooth_chance(x), np.clip(said.astype(float), 1e-7, 1.0)
    return float(-np.mean(p * np.log(said[:, 1]) + (1 - p) * np.log(said[:, 0])))


def root_cost(x: NDArray, said: NDArray) -> float:
    return float(np.sqrt(np.mean((signal(x) - said) ** 2) + NOISE**2))


def _entropy() -> float:
    p = smooth_chance(np.random.default_rng(0).normal(size=(1_000_000, COLUMNS)))
    return float(-np.mean(p * np.log(p) + (1 - p) * np.log1p(-p)))


def worlds() -> Iterator[World]:
    yield World("classes", METRICS["error"], drawn_from(chance), error_cost, FLIPPED, 400, 300, 240)
    yield World("chances", METRICS["log_loss"], drawn_from(smooth_chance), log_cost, _entropy(), 800, 300, 120)
    yield World("values", METRICS["rmse"], lambda x, rng: signal(x) + NOISE * rng.normal(size=len(x)), root_cost, NOISE, 400, 300, 240)


@dataclass
class Simulated:
    """One simulation's intervals and its own truths."""

    dev: Interval
    variance: Interval
    bias: Interval
    true_error: float
    """Of this ensemble."""


def simulate(world: World, simulations: int, seed: int) -> Iterator[Simulated]:
    rng = np.random.default_rng(seed)
    rows = simulations * world.train_rows
    x = rng.normal(size=(rows, COLUMNS))
    y = world.draw(x, rng)
    other = rng.normal(size=(500, COLUMNS))
    task = world.metric.task
    dataset = load(x, y=y, dev=(other, world.draw(other, rng)), task=task, test_size=0, train_dev=False, input_normalisation="none")
    trainer = Trainer(dataset, seed)
    layout = trainer.layout(RECIPE.shape, width_class(RECIPE), RECIPE.techniques)
    own = np.arange(rows).reshape(simulations, world.train_rows)
    networks = [Network(number, seed * 1_000_003 + number, RECIPE) for number in range(simulations * SEEDS)]
    fresh = rng.normal(size=(FRESH_ROWS, COLUMNS))
    encoded = dataset.preparation.transform(fresh)
    for first in range(0, len(networks), SLOTS):
        some = networks[first : first + SLOTS]
        shoal = Shoal(layout, SLOTS, trainer.prepared(RECIPE.shape)[1], seed, own_rows=[own[each.number // SEEDS] for each in some])
        bring_up(shoal, some, world.steps)
        for start in range(0, len(some), SEEDS):
            trained = some[start : start + SEEDS]
            mine = own[trained[0].number // SEEDS]
            dev_x = rng.normal(size=(world.dev_rows, COLUMNS))
            asked = np.concatenate([dataset.preparation.transform(dev_x), dataset.preparation.transform(x[mine]), encoded])
            said = np.asarray(trainer.model(trained).member_outputs(asked))
            dev, train, new = np.split(said, [world.dev_rows, world.dev_rows + world.train_rows], axis=1)
            parts = {"train": PartPrediction(y[mine], train), "dev": PartPrediction(world.draw(dev_x, rng), dev)}
            errors = measure(parts, world.metric, seed=trained[0].number)  # type: ignore[arg-type]
            bias, variance = judge(errors, world.best).gaps
            yield Simulated(errors.parts["dev"].error, variance.size, bias.size, world.cost(fresh, new.mean(axis=0)))
        for network in some:
            network.state = None  # five thousand networks would fill the memory


def bring_up(shoal: Shoal, networks: Sequence[Network], steps: int) -> None:
    """Train the networks of a shoal for some steps, evaluated half-way and at the end."""
    numbers = shoal.numbers([network.recipe for network in networks], [network.seed for network in networks])
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, steps // 2, 2)
    for slot, network in enumerate(networks):
        network.state = take(state, [slot])


def wilson(hits: int, of: int) -> tuple[float, float]:
    interval = stats.binomtest(hits, of).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the 95 % intervals of a diagnosis hold the truth.")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.perf_counter()
    print(f"{len(devices.start())} {devices.start()[0].platform} device(s), {platform.machine()}; {given.simulations} simulations each\n")
    print("| data, metric | interval of | mean truth | mean width | held the truth | share | 95 % interval of the share | below, above |")
    print("|---|---|---|---|---|---|---|---|")
    failed = False
    for world in worlds():
        seen = list(simulate(world, given.simulations, given.seed))
        gap = np.mean([each.true_error for each in seen]) - (np.mean([each.bias.value for each in seen]) + world.best)
        bias = np.mean([each.bias.value for each in seen])
        asked: dict[str, list[tuple[Interval, float]]] = {
            "dev error": [(each.dev, each.true_error) for each in seen],
            "variance": [(each.variance, float(gap)) for each in seen],
            "avoidable bias": [(each.bias, float(bias)) for each in seen],
        }
        for name, pairs in asked.items():
            below, above = sum(truth < size.low for size, truth in pairs), sum(truth > size.high for size, truth in pairs)
            hits = len(pairs) - below - above
            low, high = wilson(hits, len(pairs))
            width = np.mean([size.high - size.low for size, _ in pairs])
            failed |= high < GOAL[0] or low > GOAL[1]
            print(
                f"| {world.name}, {world.metric.name} | {name} | {np.mean([truth for _, truth in pairs]):.4f} | {width:.4f} "
                f"| {hits} of {len(pairs)} | {hits / len(pairs):.1%} | {low:.1%} to {high:.1%} | {below}, {above} |",
                flush=True,
            )
    print(f"\n{time.perf_counter() - begun:.0f} s; the goal is {GOAL[0]:.0%} to {GOAL[1]:.0%}" + (": NOT met" if failed else ""))


if __name__ == "__main__":
    main()
