"""Convolutional networks: speed against PyTorch, what the command reaches on real pictures, and what each technique brings.

    python benchmarks/images.py speed [--rounds 3] [--steps 60]
    python benchmarks/images.py quality [--set fashion-mnist] [--seeds 1]
    python benchmarks/images.py effects [--set fashion-mnist] [--seeds 4] [--rows 2000] [--epochs 30]

``speed``: the same architecture, batch of 128 and single precision on pictures of 28 x 28: blocks of 16 and 32, or 32 and 64 filters of
3 x 3 with ReLU and max pooling, a dense layer of 64 units, 10 classes, Adam. PyTorch runs in channels_last with two threads. Each round
times every contestant once, one after the other; the table shows medians of the rounds' ratios, in seconds per picture and network.

``quality``: ``shoal improve`` as a user would run it, with the budgets of the goals; its test error with a 95 % interval over the test
pictures, and the wall time that it took.

``effects``: networks of one recipe on paired seeds, with one technique added or taken away, trained on the first pictures of each set; the
change of the dev error in points with its 95 % interval over the seeds. A table of all sets is printed at the end.

Real sets are read from the folder ``SHOAL_DATA``, by default ``shared/data`` beside the project, and Fashion-MNIST from where Debian's
package ``dataset-fashion-mnist`` puts it; a set that is not there is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from real_data import DATA

from shoal import data, population
from shoal.default_space import picture_baseline
from shoal.metrics import mean_interval
from shoal.nets.pixels import Pixels
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer, own_seed
from shoal.training import Batch

SIDE, CLASSES, ROWS, BATCH_SIZE, UNITS, THREADS = 28, 10, 16_384, 128, 64, 2
FILTERS = ((16, 32), (32, 64))
SHOAL = 8
SINGLE_GOAL, SHOAL_GOAL = 1.5, 2.0
FASHION = Path("/usr/share/datasets/fashion-mnist")


class PictureSet(NamedTuple):
    """Where a set is, and the goals: budget and test error."""

    source: Path
    test: Path | None
    goals: tuple[tuple[str, float], ...]


SETS = {
    "fashion-mnist": PictureSet(FASHION, None, (("5m", 0.08), ("20m", 0.065))),
    "mnist": PictureSet(DATA / "mnist_train.npz", DATA / "mnist_test.npz", (("10m", 0.007),)),
    "cifar10": PictureSet(DATA / "cifar10_jpeg_train_1of3.npz", DATA / "cifar10_jpeg_test.npz", (("20m", 0.30),)),
}

EFFECTS: dict[str, dict[str, Any]] = {
    "without batch norm, learning rate 0.001": {"normalisation": "none", "learning_rate": 1e-3},
    "constant learning rate": {"decay": "constant"},
    "without weight decay": {"weight_decay": 0.0},
    "without dropout": {"keep_prob": 1.0},
    "horizontal flips": {"horizontal_flip": 0.5},
    "crops by a tenth": {"crop": 0.1},
    "flips and crops": {"horizontal_flip": 0.5, "crop": 0.1},
    "rotation by 10 degrees": {"rotation": 10.0},
    "cutout of 0.4": {"cutout": 0.4},
}


def present(names: list[str] | None) -> Iterator[tuple[str, PictureSet]]:
    """The sets that are on this machine."""
    for name, each in SETS.items():
        if names and name not in names:
            continue
        if each.source.exists():
            yield name, each
        else:
            print(f"{name}: left out, {each.source} is not there")


# -- speed -----------------------------------------------------------------------------------------------------------------------------
def shoal_seconds(filters: tuple[int, int], networks: int, steps: int) -> float:
    """Seconds per picture and network; the dev pictures are few, so that training is what is timed."""
    rng = np.random.default_rng(0)
    parts = (
        Batch(
            rng.integers(0, 256, (rows, SIDE * SIDE), dtype=np.uint8),
            rng.integers(CLASSES, size=rows).astype(np.int32),
            np.ones(rows, np.float32),
        )
        for rows in (ROWS, BATCH_SIZE)
    )
    pixels = Pixels(np.full(1, 127.5, np.float32), np.full(1, 73.0, np.float32))
    tables = population.Tables.load(*parts, picture=(SIDE, SIDE, 1), pixels=pixels)
    recipe = Recipe(hidden_units=(UNITS,), channels=filters, activation="relu", optimiser="adam", batch_size=BATCH_SIZE)
    shoal = population.Shoal(tables.layout(recipe.shape, UNITS, CLASSES, "softmax", recipe.techniques), networks, tables, seed=0)
    numbers = shoal.numbers([recipe] * networks, range(networks))
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, steps, 1)
    begun = time.perf_counter()
    jax.block_until_ready(shoal.advance(state, numbers, steps, steps, 1)[0])
    return (time.perf_counter() - begun) / (steps * BATCH_SIZE * networks)


def torch_seconds(filters: tuple[int, int], steps: int) -> float:
    """Seconds per picture of one network."""
    torch.set_num_threads(THREADS)
    first, second = filters
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, first, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Conv2d(first, second, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Flatten(), torch.nn.Linear(second * (SIDE // 4) ** 2, UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, CLASSES)),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), fused=True)
    x, y = torch.rand(ROWS, 1, SIDE, SIDE), torch.randint(CLASSES, (ROWS,))
    begun = 0.0
    for step in range(2 * steps):
        if step == steps:
            begun = time.perf_counter()
        rows = torch.arange(BATCH_SIZE) + step * BATCH_SIZE % (ROWS - BATCH_SIZE)
        batch = x[rows].contiguous(memory_format=torch.channels_last)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(batch), y[rows]).backward()
        optimiser.step()
    return (time.perf_counter() - begun) / (steps * BATCH_SIZE)


def speed(rounds: int, steps: int) -> bool:
    """The table of speeds; whether every goal was reached."""
    line = "{:<10} {:>14} {:>22} {:>22} {:>22}"
    print(line.format("filters", "torch", "single network", f"shoal of {SHOAL}", "goals"))
    reached = True
    for filters in FILTERS:
        seconds = [
            (torch_seconds(filters, steps), shoal_seconds(filters, 1, steps), shoal_seconds(filters, SHOAL, steps)) for _ in range(rounds)
        ]
        of_torch, single, shoal = (statistics.median(each) for each in zip(*seconds, strict=True))
        faster = [statistics.median(one[0] / one[contestant] for one in seconds) for contestant in (1, 2)]
        reached &= faster[0] >= SINGLE_GOAL and faster[1] >= SHOAL_GOAL
        cells = [f"{1 / each:,.0f}/s ({ratio:.2f} x)" for each, ratio in zip((single, shoal), faster, strict=True)]
        verdicts = ["ok" if ratio >= goal else "MISSED" for ratio, goal in zip(faster, (SINGLE_GOAL, SHOAL_GOAL), strict=True)]
        goals = f"{SINGLE_GOAL} {verdicts[0]}, {SHOAL_GOAL} {verdicts[1]}"
        print(line.format(" + ".join(map(str, filters)), f"{1 / of_torch:,.0f}/s", *cells, goals), flush=True)
    return reached


# -- quality ---------------------------------------------------------------------------------------------------------------------------
def quality(names: list[str] | None, seeds: int) -> bool:
    """What ``shoal improve`` reaches, on average over seeds of the command; whether every goal was."""
    reached = True
    for name, each in present(names):
        for budget, goal in each.goals:
            errors = mean_interval([_error(name, each, budget, seed) for seed in range(seeds)])
            reached &= errors.value <= goal
            span = f" ({1 - errors.high:.2%} to {1 - errors.low:.2%} over {seeds} seeds)" if seeds > 1 else ""
            verdict = "ok" if errors.value <= goal else "MISSED"
            print(f"{name}, {budget}: accuracy {1 - errors.value:.2%}{span}, goal {1 - goal:.1%} {verdict}", flush=True)
    return reached


def _error(name: str, each: PictureSet, budget: str, seed: int) -> float:
    """On the test pictures, by one run of the command."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [str(Path(sys.executable).with_name("shoal")), "improve", str(each.source), "--budget", budget]
        command += ["--seed", str(seed), "--metric", "error", "--quiet", "--out", str(out)]
        command += ["--test", str(each.test)] if each.test else []
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - begun
        record = json.loads((out / "run.json").read_text())["content"]
    score = record["scores"]["test"]["error"]
    steps = [entry["change"] for entry in (record.get("ledger") or {}).get("entries", ()) if entry["decision"] == "kept"]
    print(
        f"{name}, {budget}, seed {seed}: accuracy {1 - score['value']:.2%} "
        f"({1 - score['high']:.2%} to {1 - score['low']:.2%} over the pictures); "
        f"{seconds:.0f} s, {record['plan']['trials']} trials, {record['plan']['retrains']} networks"
        f"{'; kept ' + '; '.join(steps) if steps else ''}",
        flush=True,
    )
    return score["value"]


# -- effects ---------------------------------------------------------------------------------------------------------------------------
def effects(names: list[str] | None, seeds: int, rows: int, epochs: float) -> None:
    """What each technique changes, on paired seeds: a table with a column for each set."""
    columns: dict[str, list[str]] = {}
    for name, each in present(names):
        dataset = first_rows(data.load(each.source), rows)
        base = replace(picture_baseline(rows), epochs=epochs)
        trainer, truth = Trainer(dataset, 0), dataset.targets["dev"]

        def errors(recipe: Recipe, trainer: Trainer = trainer, truth: np.ndarray = truth) -> np.ndarray:
            networks = [Network(number, own_seed(0, number), recipe) for number in range(seeds)]
            trainer.train("effect", networks)
            return (trainer.outputs(networks, "dev").argmax(-1) != truth).mean(1)

        begin = errors(base)
        column = columns[name] = [f"{begin.mean():.2%}"]
        for words, settings in EFFECTS.items():
            change = mean_interval((100 * (errors(replace(base, **settings)) - begin)).tolist())
            column.append(f"{change.value:+.2f} ({change.low:+.2f} to {change.high:+.2f})")
            print(f"{name}: {words} {column[-1]}", flush=True)
    print(f"Error on dev pictures, and its change in points; {rows:,} training pictures, {epochs:g} passes, {seeds} seeds")
    for cells in zip(["", "dev error", *EFFECTS], *([name, *column] for name, column in columns.items()), strict=True):
        print("| " + " | ".join(cells) + " |")


def first_rows(dataset: data.Dataset, rows: int) -> data.Dataset:
    """The data set with so many of its training pictures, and a quarter more of its dev pictures, where there are as many."""
    most = {"train": rows, "dev": rows + rows // 4}
    arrays = ("inputs", "targets", "truth", "weights")
    return replace(dataset, **{name: {part: getattr(dataset, name)[part][:count] for part, count in most.items()} for name in arrays})


def main() -> None:
    parser = argparse.ArgumentParser(description="Convolutional networks: speed, quality and effects.")
    parser.add_argument("what", nargs="?", choices=("speed", "quality", "effects"), help="all of them by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="timed steps of each contestant and round")
    parser.add_argument("--set", action="append", choices=tuple(SETS), help="may be repeated")
    parser.add_argument("--seeds", type=int, default=None, help="1 for quality, 4 for effects")
    parser.add_argument("--rows", type=int, default=2_000, help="training pictures for effects")
    parser.add_argument("--epochs", type=float, default=30.0, help="of each training for effects")
    options = parser.parse_args()

    versions = f"Python {platform.python_version()}, torch {torch.__version__}, jax {jax.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores; {versions}")
    reached = True
    if options.what in (None, "speed"):
        reached &= speed(options.rounds, options.steps)
    if options.what in (None, "quality"):
        reached &= quality(options.set, options.seeds or 1)
    if options.what in (None, "effects"):
        effects(options.set, options.seeds or 4, options.rows, options.epochs)
    sys.exit(int(not reached))


if __name__ == "__main__":
    main()
