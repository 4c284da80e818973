"""What each setting and technique is worth on real tables, one change at a time: the evidence behind the defaults.

    python benchmarks/defaults.py [--table adult] [--change residual] [--seeds 4] [--save results.json]

Every network is trained on the train rows of the fixed splits and judged on their dev rows; the test rows are not read. A change is
trained on the same seeds as the base recipe: the same first weights where shapes allow, the same mini-batches. Its effect on a table is
the mean over seeds of the change of the dev figure (error rate or 1 - R2) as a share of it, of single networks and of the mean of all
seeds' networks; over the tables the mean effect has a 95 % t interval. Below 0 is better. Cost is the time of a training over the base
recipe's, compilation left out. With ``--save`` what was measured before is kept and not measured again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from real_data import MEASURED_BY_PEERS, OTHERS, Table, fixed_split

from shoal import data
from shoal.default_space import default_space
from shoal.metrics import mean_interval
from shoal.recipe import Recipe
from shoal.records import Task
from shoal.trainer import Network, Trainer, own_seed

TABLES = MEASURED_BY_PEERS | OTHERS

CHANGES: dict[str, dict[str, Any]] = {
    "input_scale_rate 0": {"input_scale_rate": 0.0},
    "input_scale_rate 10": {"input_scale_rate": 10.0},
    "input_scale_rate 100": {"input_scale_rate": 100.0},
    "numeric_encoding standard": {"numeric_encoding": "standard"},
    "numeric_encoding periodic": {"numeric_encoding": "periodic"},
    "numeric_encoding periodic, frequency_scale 1": {"numeric_encoding": "periodic", "frequency_scale": 1.0},
    "input_normalisation standard": {"input_normalisation": "standard"},
    "input_normalisation robust": {"input_normalisation": "robust"},
    "input_normalisation quantile": {"input_normalisation": "quantile"},
    "activation relu": {"activation": "relu"},
    "activation gelu": {"activation": "gelu"},
    "activation_rate 0.1": {"activation_rate": 0.1},
    "activation_rate 1": {"activation_rate": 1.0},
    "batch norm": {"normalisation": "batch"},
    "layer norm": {"normalisation": "layer"},
    "residual": {"residual": True},
    "initialisation xavier": {"initialisation": "xavier"},
    "output_gain 0.1": {"output_gain": 0.1},
    "one layer of 256": {"hidden_units": (256,)},
    "two layers of 128": {"hidden_units": (128, 128)},
    "two layers of 256": {"hidden_units": (256, 256)},
    "four layers of 128": {"hidden_units": (128,) * 4},
    "learning_rate 1e-3": {"learning_rate": 1e-3},
    "learning_rate 5e-3": {"learning_rate": 5e-3},
    "beta2 0.95": {"beta2": 0.95},
    "clip_norm 1": {"clip_norm": 1.0},
    "weight_decay 0": {"weight_decay": 0.0},
    "weight_decay 0.3": {"weight_decay": 0.3},
    "keep_prob 1": {"keep_prob": 1.0},
    "keep_prob 0.7": {"keep_prob": 0.7},
    "input_keep_prob 0.95": {"input_keep_prob": 0.95},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "mixup 0.1": {"mixup": 0.1},
    "decay one_cycle": {"decay": "one_cycle"},
    "decay linear": {"decay": "linear"},
    "weight_average 0.99": {"weight_average": 0.99},
    "half as many epochs": {"epochs": 0.5},
    "twice as many epochs": {"epochs": 2.0},
    "twice the batch size": {"batch_size": 2.0},
}
"""Settings of each change; the epochs and the batch size are factors."""


def base_recipe(task: Task, train_rows: int) -> Recipe:
    """What every change is made to: the first recipe of the default space, which a short budget trains as it is."""
    return default_space(task, train_rows, has_bins=True, selects_by_error=False).families[0].base


def changed(base: Recipe, change: dict[str, Any]) -> Recipe:
    factors = {name: getattr(base, name) * change[name] for name in ("epochs", "batch_size") if name in change}
    if "batch_size" in factors:
        factors["batch_size"] = int(factors["batch_size"])
    return replace(base, **(change | factors))


def _has_no_effect(change: str, task: str) -> bool:
    return task == "regression" and "label_smoothing" in CHANGES.get(change, {})


def figure(outputs: np.ndarray, dataset: data.Dataset, task: str) -> float:
    """Error rate, or 1 - R2, of outputs on the dev rows."""
    if task == "classification":
        return float((outputs.argmax(-1) != dataset.targets["dev"]).mean())
    truth = np.asarray(dataset.truth["dev"], np.float64)
    return float(np.square(outputs - truth).sum() / np.square(truth - truth.mean()).sum())


def log_loss(outputs: np.ndarray, dataset: data.Dataset) -> float:
    of_truth = np.take_along_axis(outputs, dataset.targets["dev"][..., None].astype(int), -1)
    return float(-np.log(np.maximum(of_truth, 1e-7)).mean())


def measured(trainer: Trainer, table: Table, recipe: Recipe, seeds: int) -> dict[str, Any]:
    """The dev figures of one recipe's networks, those of their mean, and the seconds that training took."""

    def trained(recipe: Recipe) -> list[Network]:
        networks = [Network(number, own_seed(0, number), recipe) for number in range(seeds)]
        trainer.train("defaults", networks)
        return networks

    trained(replace(recipe, epochs=0.1))  # compiles, or reads the program
    begun = time.perf_counter()
    networks = trained(recipe)
    seconds = time.perf_counter() - begun
    outputs, dataset = trainer.outputs(networks, "dev"), trainer.dataset
    found: dict[str, Any] = {
        "single": [figure(each, dataset, table.task) for each in outputs],
        "mean": figure(outputs.mean(0), dataset, table.task),
        "seconds": seconds,
    }
    if table.task == "classification":
        found |= {"single loss": [log_loss(each, dataset) for each in outputs], "mean loss": log_loss(outputs.mean(0), dataset)}
    return found


def effect(mine: dict[str, Any], base: dict[str, Any], name: str) -> float:
    """The change of a figure as a share of it, on the scale of logarithms so that halving and doubling weigh alike."""
    one, other = np.atleast_1d(mine[name]), np.atleast_1d(base[name])
    return float(np.mean(np.log(np.maximum(one, 1e-6) / np.maximum(other, 1e-6))))


def rows_of_page(results: dict[str, dict[str, Any]], changes: list[str]) -> list[str]:
    """One line per change: effects over the tables, and where it helped and hurt most."""
    lines = []
    for change in changes:
        tables = [name for name, found in results.items() if change in found]
        cells = [change]
        for name in ("single", "mean", "mean loss"):
            effects = [effect(results[t][change], results[t]["base"], name) for t in tables if name in results[t]["base"]]
            if len(effects) < 2:
                cells.append("-")
                continue
            interval = mean_interval(effects)
            middle, low, high = (100 * math.expm1(each) for each in (interval.value, interval.low, interval.high))
            text = f"{middle:+.1f} % ({low:+.1f} to {high:+.1f})"
            cells.append(f"**{text}**" if interval.low > 0 or interval.high < 0 else text)
        singles = {t: effect(results[t][change], results[t]["base"], "single") for t in tables}
        best, worst = min(singles, key=lambda t: singles[t]), max(singles, key=lambda t: singles[t])
        cells += [f"{each} {100 * math.expm1(singles[each]):+.0f} %" for each in (best, worst)]
        cost = np.exp(np.mean([math.log(results[t][change]["seconds"] / results[t]["base"]["seconds"]) for t in tables]))
        lines.append("| " + " | ".join([*cells, f"{cost:.2f}", str(len(tables))]) + " |")
    return lines


HEAD = "| change | error of one network | error of the mean of all seeds | log loss of that mean | best on | worst on | time | tables |"


def main() -> None:
    parser = argparse.ArgumentParser(description="What each setting and technique is worth on real tables.")
    parser.add_argument("--table", action="append", choices=tuple(TABLES), help="may be repeated")
    parser.add_argument("--change", action="append", choices=tuple(CHANGES), help="may be repeated")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--save", type=Path, help="what was measured, kept and gone on from")
    options = parser.parse_args()

    results: dict[str, dict[str, Any]] = json.loads(options.save.read_text()) if options.save and options.save.exists() else {}
    changes = options.change or list(CHANGES)
    for name in options.table or TABLES:
        found = results.setdefault(name, {})
        wanted = [change for change in ("base", *changes) if change not in found and not _has_no_effect(change, TABLES[name].task)]
        if not wanted:
            continue
        table, parts = TABLES[name], fixed_split(TABLES[name])
        dataset = data.load(parts["train"], target=table.target, task=table.task, dev=parts["dev"], test_size=0, train_dev=False)
        trainer, base = Trainer(dataset, 0), base_recipe(table.task, len(parts["train"]))
        for change in wanted:
            found[change] = measured(trainer, table, changed(base, CHANGES.get(change, {})), options.seeds)
            told = found[change]
            print(f"{name:<20} {change:<34} {np.mean(told['single']):.4f} {told['mean']:.4f} {told['seconds']:6.1f} s", flush=True)
            if options.save:
                options.save.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, jax {jax.__version__}; {options.seeds} seeds")
    print("\n".join([HEAD, "|---" * HEAD.count(" | ") + "|---|", *rows_of_page(results, changes)]))


if __name__ == "__main__":
    main()
