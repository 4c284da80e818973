"""Real results for the comparison of samplers: thousands of recipes trained to the end on three tables, kept as one compressed file.

    python benchmarks/sampler_results.py [--trials 2048] [--tables california,letter,adult]

Each row is a recipe drawn at random from one space, with its best dev loss after a ninth, a third and all of its training. Needs the folder
of real tables (``SHOAL_DATA``); takes about a quarter of an hour on two cores. ``benchmarks/samplers.py`` reads what it writes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl
from real_data import DATA

import shoal
from shoal import Choice, Range, Recipe, Space, data
from shoal.records import Trial
from shoal.trainer import Trainer

RESULTS = Path(__file__).with_name("sampler_results.npz")
EPOCHS = (3, 9, 27)
ROWS = 8_000
TABLES = {
    "california": ("california_housing.csv.gz", "median_house_value"),
    "letter": ("letter.csv.gz", "class"),
    "adult": ("adult_train.csv.gz", "income"),
}


def space() -> Space:
    """Six numbers and three depths, much as people search them."""
    base = Recipe(epochs=float(EPOCHS[-1]), batch_size=128, clip_norm=10.0)
    return Space.of(
        base,
        [
            Range("learning_rate", 1e-4, 1e-1, "log", "from too low to too high for most"),
            Range("units", 8, 64, "log_integer"),
            Choice("hidden_layers", (1, 2, 3)),
            Range("keep_prob", 0.5, 1.0, "linear"),
            Range("weight_decay", 1e-3, 3.0, "log"),
            Range("beta1", 0.5, 0.99, "log_one_minus"),
        ],
    )


def losses_of(trial: Trial) -> list[float]:
    """The best dev loss up to each rung; infinite where there was none."""
    seen = list(zip(trial.trace.epochs, trial.trace.dev_loss, strict=True))
    return [min((loss for epoch, loss in seen if loss is not None and epoch <= last + 1e-6), default=np.inf) for last in EPOCHS]


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2048)
    parser.add_argument("--tables", default=",".join(TABLES))
    given = parser.parse_args()
    kept = dict(np.load(RESULTS)) if RESULTS.exists() else {}
    searched = space()
    for name in given.tables.split(","):
        file, target = TABLES[name]
        frame = pl.read_csv(DATA / file, null_values=["", "NA", "?"], infer_schema_length=None)
        frame = frame.sample(min(ROWS, frame.height), shuffle=True, seed=0)
        shape = searched.families[0].shape
        kept[f"{name}/trivial"] = np.float32(Trainer(data.load(frame, target=target), 0).shoal(shape, 8, (), 1).trivial_loss)
        result = shoal.search(frame, target=target, space=searched, sampler="random", rungs="none", budget=f"{given.trials}trials")
        trials = [trial for trial in result.record.trials if trial.purpose == "search"]
        settings = [searched.settings_of(trial.recipe) for trial in trials]
        for parameter in searched.parameters:
            values = np.array([each[parameter.name] for each in settings])
            kept[f"{name}/{parameter.name}"] = values if values.dtype.kind == "i" else values.astype(np.float32)
        kept[f"{name}/loss"] = np.array([losses_of(trial) for trial in trials], np.float32)
        print(f"{name}: {len(trials)} trials in {result.record.stages['search']:.0f} s", file=sys.stderr, flush=True)
        np.savez_compressed(RESULTS, **kept)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
