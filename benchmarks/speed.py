"""Speed of a shoal against a PyTorch loop and scikit-learn's MLP, from one interleaved run, and its share of the machine's sgemm.

    python benchmarks/speed.py [--rounds 3] [--epochs 3] [--width 64]

Every contestant trains on the same 16,000 x 20 rows with 5 classes and 2 hidden ReLU layers. A shoal and the PyTorch loop do
the same work: AdamW with decay of the learning rate, dropout, gradient-norm clipping, and each epoch the dev loss on 4,000 rows
with the best weights kept. scikit-learn's MLP does less (Adam and L2 only). Each round times every contestant once, one after
the other, so that a change in the machine's speed touches all of them; the table shows medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import os
import platform
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from shoal import population
from shoal.recipe import Recipe
from shoal.training import Batch

TRAIN_ROWS, DEV_ROWS, COLUMNS, CLASSES, HIDDEN_LAYERS = 16_000, 4_000, 20, 5, 2
LEARNING_RATE, DECAY_RATE, WEIGHT_DECAY, KEEP_PROB, CLIP_NORM = 1e-3, 0.1, 1e-2, 0.9, 1.0
THREADS = 2
MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Setting:
    """One row of the table, with the ratios it is meant to reach."""

    width: int
    batch_size: int
    networks: int
    torch_goal: float
    sklearn_goal: float
    sgemm_goal: float | None = None

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every layer."""
        sizes = [COLUMNS, *[self.width] * HIDDEN_LAYERS, CLASSES]
        return list(itertools.pairwise(sizes))

    @property
    def operations(self) -> float:
        """Floating-point operations of one network and epoch: the usual 6 per weight and training row; the dev rows are not counted."""
        return 6.0 * TRAIN_ROWS * sum(inputs * outputs for inputs, outputs in self.layers)


SETTINGS = (
    Setting(32, 32, 128, torch_goal=60, sklearn_goal=22),
    Setting(64, 128, 64, torch_goal=15, sklearn_goal=9, sgemm_goal=0.40),
    Setting(128, 256, 64, torch_goal=4.5, sklearn_goal=3.5, sgemm_goal=0.50),
    Setting(512, 256, 8, torch_goal=2, sklearn_goal=1.8, sgemm_goal=0.62),
    Setting(64, 128, 1, torch_goal=2.5, sklearn_goal=1.3),
)


class Rows(NamedTuple):
    """``X`` is (rows, columns) float32, ``y`` is (rows,) int32."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_dev: np.ndarray
    y_dev: np.ndarray


def draw_rows(seed: int = 0) -> Rows:
    """Classes from a random tanh network, blurred by Gumbel noise so that no contestant reaches error 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(TRAIN_ROWS + DEV_ROWS, COLUMNS)).astype(np.float32)
    scores = np.tanh(X @ rng.normal(size=(COLUMNS, 64))) @ rng.normal(size=(64, CLASSES))
    y = (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1).astype(np.int32)
    return Rows(X[:TRAIN_ROWS], y[:TRAIN_ROWS], X[TRAIN_ROWS:], y[TRAIN_ROWS:])


def time_shoal(setting: Setting, rows: Rows, epochs: int) -> float:
    """Seconds per network and epoch of ``setting.networks`` networks, in as many shoals as the engine would make; compilation left out."""
    recipe = Recipe(
        hidden_units=(setting.width,) * HIDDEN_LAYERS,
        activation="relu",
        batch_size=setting.batch_size,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        keep_prob=KEEP_PROB,
        clip_norm=CLIP_NORM,
        decay="inverse_time",
        decay_rate=DECAY_RATE,
    )
    train_part, dev_part = (Batch(X, y, np.ones(len(y), np.float32)) for X, y in (rows[:2], rows[2:]))
    tables = population.Tables.load(train_part, dev_part)
    layout = tables.layout(recipe.shape, setting.width, CLASSES, "softmax")
    slots = min(setting.networks, population.slots_within(layout, MEMORY))
    segments_per_epoch = -(-tables.steps_per_epoch(setting.batch_size) // population.BUFFER_STEPS)
    segment_steps = -(-tables.steps_per_epoch(setting.batch_size) // segments_per_epoch)

    shoal = population.Shoal(layout, slots, tables, seed=0)
    groups = [range(first, min(first + slots, setting.networks)) for first in range(0, setting.networks, slots)]
    numbers = [shoal.numbers([recipe] * len(group), list(group)) for group in groups]
    states = [shoal.advance(shoal.start(each), each, 0, segment_steps, segments_per_epoch)[0] for each in numbers]
    jax.block_until_ready(states)
    start = time.perf_counter()
    for number, each in enumerate(numbers):
        first_step = segment_steps * segments_per_epoch
        states[number], _ = shoal.advance(states[number], each, first_step, segment_steps, segments_per_epoch * epochs)
    jax.block_until_ready(states)
    return (time.perf_counter() - start) / (setting.networks * epochs)


def time_torch(setting: Setting, rows: Rows, epochs: int) -> float:
    """Seconds per epoch of one network: whole data as tensors, no DataLoader, the fused optimiser."""
    X, y, X_dev, y_dev = (torch.as_tensor(part) for part in rows)
    y, y_dev = y.long(), y_dev.long()
    modules: list[torch.nn.Module] = []
    for inputs, outputs in setting.layers:
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(1 - KEEP_PROB)]
    network = torch.nn.Sequential(*modules[:-2])
    cost = torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    steps = -(-TRAIN_ROWS // setting.batch_size)
    decay = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 / (1 + DECAY_RATE * step / steps))
    best_loss, best_weights = float("inf"), copy.deepcopy(network.state_dict())
    start = time.perf_counter()
    for epoch in range(epochs + 1):
        if epoch == 1:  # the first one warms up
            start = time.perf_counter()
        network.train()
        for batch in torch.randperm(TRAIN_ROWS).split(setting.batch_size):
            optimiser.zero_grad()
            cost(network(X[batch]), y[batch]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimiser.step()
            decay.step()
        network.eval()
        with torch.inference_mode():
            loss = cost(network(X_dev), y_dev).item()
        if loss < best_loss:
            best_loss, best_weights = loss, copy.deepcopy(network.state_dict())
    seconds = time.perf_counter() - start
    network.load_state_dict(best_weights)
    return seconds / epochs


def time_sklearn(setting: Setting, rows: Rows, epochs: int) -> float:
    """Seconds per epoch of one network; no dev rows are scored."""
    network = MLPClassifier((setting.width,) * HIDDEN_LAYERS, max_iter=epochs, n_iter_no_change=10**6, random_state=0)
    network.set_params(batch_size=setting.batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        network.fit(rows.X_train, rows.y_train)
        return (time.perf_counter() - start) / epochs


def measure_sgemm(size: int = 1024, repeats: int = 20) -> float:
    """Operations per second of NumPy's float32 matrix product."""
    a, b = np.random.default_rng(0).random((2, size, size), dtype=np.float32)
    out = a @ b
    start = time.perf_counter()
    for _ in range(repeats):
        np.matmul(a, b, out=out)
    return repeats * 2 * size**3 / (time.perf_counter() - start)


class Round(NamedTuple):
    """Seconds per network and epoch of each contestant, and the share of sgemm that the shoal reached."""

    shoal: float
    torch: float
    sklearn: float
    sgemm_share: float


def run_round(setting: Setting, rows: Rows, epochs: int) -> Round:
    sgemm = [measure_sgemm()]
    shoal = time_shoal(setting, rows, epochs)
    sgemm.append(measure_sgemm())
    return Round(
        shoal, time_torch(setting, rows, epochs), time_sklearn(setting, rows, epochs), setting.operations / shoal / statistics.mean(sgemm)
    )


def with_goal(value: float, goal: float | None, form: str) -> str:
    if goal is None:
        return format(value, form)
    return f"{value:{form}} ({goal:{form}} {'ok' if value >= goal else 'MISSED'})"


def summary(setting: Setting, rounds: list[Round]) -> tuple[list[str], bool]:
    """The cells of one row, and whether every goal was reached."""
    against_torch = statistics.median(one.torch / one.shoal for one in rounds)
    against_sklearn = statistics.median(one.sklearn / one.shoal for one in rounds)
    share = statistics.median(one.sgemm_share for one in rounds)
    cells = [
        f"{setting.width}, {setting.batch_size}, {setting.networks}",
        f"{statistics.median(one.shoal for one in rounds) * 1e3:.1f} ms",
        with_goal(against_torch, setting.torch_goal, ".1f"),
        with_goal(against_sklearn, setting.sklearn_goal, ".1f"),
        with_goal(share, setting.sgemm_goal, ".0%"),
    ]
    reached = against_torch >= setting.torch_goal and against_sklearn >= setting.sklearn_goal and share >= (setting.sgemm_goal or 0)
    return cells, reached


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of a shoal against PyTorch and scikit-learn.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="epochs timed per contestant and round")
    parser.add_argument("--width", type=int, action="append", help="only the settings of this width; may be repeated")
    options = parser.parse_args()

    torch.set_num_threads(THREADS)
    rows = draw_rows()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores; {versions}, jax {jax.__version__}")
    line = "{:<18} {:>12} {:>22} {:>22} {:>22}"
    print(line.format("width, batch, nets", "shoal", "x faster than torch", "than scikit-learn", "share of sgemm"))
    all_reached = True
    for setting in SETTINGS:
        if options.width and setting.width not in options.width:
            continue
        cells, reached = summary(setting, [run_round(setting, rows, options.epochs) for _ in range(options.rounds)])
        all_reached &= reached
        print(line.format(*cells), flush=True)
    print("shoal: per network and epoch. In brackets: the goal, and whether it was reached.")
    sys.exit(int(not all_reached))


if __name__ == "__main__":
    main()
