"""What each technique adds to a training step, from one interleaved run.

    python benchmarks/techniques.py [--rounds 9] [--only mixup]

A shoal of networks of width 128 trains with batches of 256 rows, 2 hidden ReLU layers, 20 inputs and 5 classes: plain (Adam's update
and nothing else), and with one technique more that every network uses. Each measurement is a pair, the plain shoal and then the other
one, so that a change in the machine's speed touches both; the table shows the median of the pairs' ratios. The dev rows are few, so
that it is the steps that are timed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from shoal import population
from shoal.nets.network import Layout
from shoal.recipe import Recipe
from shoal.training import Batch

ROWS, COLUMNS, CLASSES, WIDTH, BATCH = 16_000, 20, 5, 128, 256
PLAIN = Recipe((WIDTH, WIDTH), activation="relu", batch_size=BATCH, optimiser="adam", decay="constant")

REGULARISERS: dict[str, Any] = {
    "l2": 1.0, "weight_decay": 0.01, "l1": 0.1, "keep_prob": 0.8, "input_keep_prob": 0.9, "max_norm": 3.0, "input_noise": 0.1,
    "mixup": 0.2, "label_smoothing": 0.1, "class_balance": 0.5,
}  # fmt: skip
OTHERS: dict[str, Any] = {"clip_norm": 1.0, "clip_value": 0.1, "weight_average": 0.99}

VARIANTS: dict[str, dict[str, Any]] = {
    "the plain shoal again": {},
    **{f"{name} = {value}": {name: value} for name, value in (REGULARISERS | OTHERS).items()},
    "decay = cosine, warm-up": {"decay": "cosine", "warm_up": 5.0},
    "decay = plateau": {"decay": "plateau"},
    **{f"optimiser = {name}": {"optimiser": name} for name in ("gradient_descent", "momentum", "nadam", "amsgrad", "adagrad", "lion")},
    "initialisation = lsuv": {"initialisation": "lsuv"},
    "normalisation = layer": {"normalisation": "layer"},
    "normalisation = batch": {"normalisation": "batch"},
    "all regularisers but class_balance": {name: value for name, value in REGULARISERS.items() if name != "class_balance"},
    "all regularisers, clipping, averaging": REGULARISERS | OTHERS,
}
GOALS = {"all regularisers, clipping, averaging": 0.35, "normalisation = batch": 0.60}
"""The most that a variant may add to a step."""


def part(rows: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    y = (x @ np.random.default_rng(0).normal(size=(COLUMNS, CLASSES)) + rng.gumbel(size=(rows, CLASSES))).argmax(1)
    return Batch(x, y.astype(np.int32), np.ones(rows, np.float32))


def layout_of(tables: population.Tables, recipe: Recipe) -> Layout:
    return tables.layout(recipe.shape, WIDTH, CLASSES, "softmax", recipe.techniques)


def trainer(tables: population.Tables, settings: dict[str, Any], epochs: int) -> Callable[[], float]:
    """A function that trains a shoal for some epochs more and returns the seconds it took; compiled and warmed up."""
    if "weight_decay" in settings:
        settings = {"optimiser": "adamw"} | settings  # the same update
    recipe = replace(PLAIN, **settings)
    layout = layout_of(tables, recipe)
    shoal = population.Shoal(layout, population.default_slots(layout), tables, seed=0)
    numbers = shoal.numbers([recipe] * shoal.slots, list(range(shoal.slots)))
    state, age = shoal.start(numbers), 0

    def run() -> float:
        nonlocal state, age
        start = time.perf_counter()
        state, _ = shoal.advance(state, numbers, age, shoal.steps_per_epoch, epochs)
        jax.block_until_ready(state)
        age += epochs * shoal.steps_per_epoch
        return time.perf_counter() - start

    run()
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description="What each technique adds to a training step.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=2, help="epochs timed per measurement")
    parser.add_argument("--only", help="only the variants whose name holds this text")
    options = parser.parse_args()

    tables = population.Tables.load(part(ROWS, 1), part(256, 2))
    plain = trainer(tables, {}, options.epochs)
    chosen = {name: settings for name, settings in VARIANTS.items() if not options.only or options.only in name}
    variants = {name: trainer(tables, settings, options.epochs) for name, settings in chosen.items()}
    ratios: dict[str, list[float]] = {name: [] for name in variants}
    base: list[float] = []
    for _ in range(options.rounds):
        for name, run in variants.items():
            base.append(plain())
            ratios[name].append(run() / base[-1])
    steps = options.epochs * tables.steps_per_epoch(BATCH)
    networks = population.default_slots(layout_of(tables, PLAIN))
    device = jax.devices()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {len(jax.devices())} {device.device_kind} device(s), jax {jax.__version__}"
    print(f"{machine}; {networks} networks of width {WIDTH}, batch {BATCH}")
    print(f"plain: {statistics.median(base) / steps / networks * 1e6:.0f} us per network and step")
    print(f"{'technique':<44}{'adds to a step':>15}   (goal)")
    reached = True
    for name, values in ratios.items():
        added = statistics.median(values) - 1
        goal = GOALS.get(name)
        reached &= goal is None or added <= goal
        print(
            f"{name:<44}{added:>+14.0%}" + (f"    ({goal:.0%} {'ok' if added <= goal else 'MISSED'})" if goal is not None else ""),
            flush=True,
        )
    sys.exit(int(not reached))


if __name__ == "__main__":
    main()
