"""What a network that learned the answers of eight keeps of their gain on real tables, by the weight of these answers in its targets.

    python benchmarks/distillation.py [--table adult] [--share 0.75] [--save results.json]

Eight networks of the first recipe of the default space are trained on the train rows of the fixed splits, and are the teacher; four
students for each weight. All are judged on the dev rows, by which each is stopped early too; the test rows are not read. With ``mixed
rows`` as many are added to learn from, each a mixture of two with the teacher's answer to it; students then pass half as often over twice
the rows. Effects are changes of the error (or 1 - R2), and of the log loss at the temperature that suits the dev rows, as shares of them:
the mean over the students against the mean over the teacher's networks alone (*single*), and against their average (*ensemble*); over the
tables with 95 % t intervals. Below 0 is better. Time is that of predicting the dev rows, the student's over the ensemble's, the median of
five.
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
from defaults import TABLES, base_recipe, figure, log_loss
from real_data import fixed_split

from shoal import data
from shoal.calibration import fit_temperature, scaled
from shoal.data import Dataset
from shoal.distillation import soft_targets
from shoal.metrics import mean_interval
from shoal.population import Shoal, padded, padded_columns
from shoal.recipe import Recipe, techniques_of
from shoal.trainer import Network, NoJournal, Trainer, advance, own_seed, whole_segments, width_class
from shoal.training import Batch

STUDENTS = 4
MIXED = "mixed rows"


def trained(shoal: Shoal, recipe: Recipe, first: int) -> list[Network]:
    networks = [Network(number, own_seed(0, first + number), recipe) for number in range(shoal.slots)]
    advance("networks", shoal, networks, whole_segments(recipe, shoal.tables), NoJournal())
    return networks


def figures(outputs: np.ndarray, dataset: Dataset) -> dict[str, list[float]]:
    """Of each of some models' outputs."""
    found = {"error": [figure(each, dataset, dataset.task) for each in outputs]}
    if dataset.task == "classification":
        truth, weights = dataset.truth["dev"], dataset.weights["dev"]
        calibrated = [scaled(each, fit_temperature(each, truth, weights, False), False) for each in outputs]
        found["log loss"] = [log_loss(each, dataset) for each in calibrated]
    return found


def measured(name: str, shares: list[float]) -> dict[str, Any]:
    table, parts = TABLES[name], fixed_split(TABLES[name])
    trainer = Trainer(data.load(parts["train"], target=table.target, task=table.task, dev=parts["dev"], test_size=0, train_dev=False), 0)
    recipe = base_recipe(table.task, len(parts["train"]))
    dataset, tables = trainer.prepared(recipe.shape)
    layout = trainer.layout(recipe.shape, width_class(recipe), techniques_of([recipe]))
    teachers = trained(Shoal(layout, 8, tables, 0), recipe, 10**6)
    teacher, alone = trainer.model(teachers), trainer.outputs(teachers, "dev")
    found: dict[str, Any] = {"single": figures(alone, dataset), "ensemble": figures(alone.mean(0)[None], dataset)}
    learning, students = Shoal(layout, STUDENTS, tables, 0), []
    for share in shares:
        students = trained(learning.with_targets(soft_targets(trainer, teacher, share)), recipe, 2 * 10**6)
        found[f"{share:g}"] = figures(trainer.outputs(students, "dev"), dataset)
    x, weights = dataset.inputs["train"], dataset.weights["train"]
    draws = np.random.default_rng(0)
    kept = draws.uniform(0.5, 1, (len(x), 1)).astype(np.float32)
    mixed = kept * x + (1 - kept) * x[draws.permutation(len(x))]
    answers = teacher.outputs(mixed)
    if dataset.task == "regression":
        answers = dataset.preparation.target.scaled(answers)
    targets = np.concatenate([soft_targets(trainer, teacher, 1.0), answers.astype(np.float32)])
    both = padded(Batch(np.concatenate([x, mixed]), targets, np.concatenate([weights, weights])), padded_columns(x.shape[1]))
    wider = Shoal(layout, STUDENTS, replace(tables, train=jax.device_put(both), train_rows=2 * len(x)), 0)
    found[MIXED] = figures(trainer.outputs(trained(wider, replace(recipe, epochs=recipe.epochs / 2), 2 * 10**6), "dev"), dataset)
    found["time"] = prediction_time(trainer, teachers, students or teachers)
    return found


def prediction_time(trainer: Trainer, teachers: list[Network], students: list[Network]) -> float:
    """Of one network over that of the ensemble."""
    models, seconds = (trainer.model(students[:1]), trainer.model(teachers)), np.zeros((6, 2))
    x = trainer.prepared(teachers[0].recipe.shape)[0].inputs["dev"]
    for turn in seconds:  # the first compiles
        for place, model in enumerate(models):
            begun = time.perf_counter()
            model.outputs(x)
            turn[place] = time.perf_counter() - begun
    one, eight = np.median(seconds[1:], axis=0)
    return float(one / eight)


def over_tables(results: dict[str, Any], way: str, against: str, name: str) -> str:
    found = [
        float(np.log(np.mean(each[way][name]) / np.mean(each[against][name])))
        for each in results.values()
        if way in each and name in each[way]
    ]
    if len(found) < 2:
        return "-"
    span = mean_interval(found)
    return "{:+.1f} % ({:+.1f} to {:+.1f})".format(*(100 * math.expm1(each) for each in (span.value, span.low, span.high)))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a distilled network keeps of the gain of eight.")
    parser.add_argument("--table", action="append", choices=tuple(TABLES), help="may be repeated")
    parser.add_argument("--share", action="append", type=float, help="weight of the teacher's answers; may be repeated")
    parser.add_argument("--save", type=Path, help="what was measured, kept and gone on from")
    options = parser.parse_args()
    shares = options.share or [0.5, 0.75, 1.0]
    results: dict[str, Any] = json.loads(options.save.read_text()) if options.save and options.save.exists() else {}
    for name in options.table or TABLES:
        if name not in results:
            results[name] = measured(name, shares)
            if options.save:
                options.save.write_text(json.dumps(results, indent=1) + "\n")
        told = {way: " ".join(f"{np.mean(values):.4f}" for values in each.values()) for way, each in results[name].items() if way != "time"}
        print(name, told, f"time {results[name]['time']:.2f}", flush=True)
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, jax {jax.__version__}; {len(results)} tables")
    print(
        "| targets | error against single | against the ensemble | log loss against single | against the ensemble |\n|---|---|---|---|---|"
    )
    for way in ("ensemble", *(f"{share:g}" for share in shares), MIXED):
        cells = [over_tables(results, way, against, name) for name in ("error", "log loss") for against in ("single", "ensemble")]
        print("| " + " | ".join([way, *cells]) + " |")


if __name__ == "__main__":
    main()
