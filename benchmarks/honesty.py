"""Honesty: searches on shuffled labels must not report a score that is better than chance.

    python benchmarks/honesty.py [--searches 200] [--trials 32]

Rows of four real tables, as many of each class, with their labels shuffled: whatever a network predicts, its error is 50 % in truth. Each
search draws its trials anew; the goal is that the reported test error's 95 % interval holds 50 % in at least 95 % of the searches. The
best dev error of the trials, which a careless report would quote, is shown beside it. Needs the folder of real tables (``SHOAL_DATA``).
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import polars as pl
from real_data import DATA
from scipy.stats import binomtest

from shoal import Choice, Range, Recipe, Space, data
from shoal.ensemble import inputs_of
from shoal.interval import Interval
from shoal.metrics import check_metric, interval
from shoal.plan import Budget
from shoal.planner import Planner
from shoal.progress import Stages, silent
from shoal.trainer import Trainer
from shoal.winner import train_best

TABLES = (("telco_churn", "Churn"), ("spambase", "class"), ("magic_telescope", "Class"), ("hr_job_change", "target"))
ROWS = 1_000
GOAL = 0.95


def shuffled(file: str, target: str, seed: int) -> pl.DataFrame:
    """Rows of a table, half of each class, with shuffled labels."""
    frame = pl.read_csv(DATA / f"{file}.csv.gz", null_values=["", "NA", "?"], infer_schema_length=None).drop("customerID", strict=False)
    halves = [part.sample(ROWS // 2, shuffle=True, seed=seed) for part in frame.partition_by(target)]
    rows = pl.concat(halves).sample(fraction=1.0, shuffle=True, seed=seed)
    labels = np.random.default_rng(seed).permutation(rows[target].to_numpy())
    return rows.with_columns(pl.Series(target, labels))


def searched(frame: pl.DataFrame, target: str, space: Space, trials: int, seed: int) -> tuple[Interval, Interval, float]:
    """The reported error on test and on dev rows, and the lowest dev error that any trial ever had.

    A search as ``shoal.search`` makes it, without the models to compare with and the diagnosis, which do not touch its score.
    """
    dataset = data.load(frame, target=target, seed=seed)
    metric = check_metric("error", dataset.task)
    trainer = Trainer(dataset, seed)
    trained = train_best(Planner(trainer, Budget.parse(f"{trials}trials"), space, Stages(silent)), metric=metric)
    errors = []
    for part in ("test", "dev"):
        members = trained.model.member_outputs(inputs_of(trainer, trained.model, part))
        truth, weight = dataset.truth[part], dataset.weights[part]
        errors.append(interval(metric, truth, members, weight, ensemble=trained.model.combined(members), seed=seed))
    seen = [error for trial in trained.searched.trials for error in trial.trace.dev_error if error is not None]
    return errors[0], errors[1], min(seen)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--trials", type=int, default=32)
    given = parser.parse_args()
    base = Recipe(epochs=20.0, batch_size=64)
    space = Space.of(
        base, [Range("learning_rate", 1e-4, 3e-2, "log"), Range("units", 8, 32, "log_integer"), Choice("hidden_layers", (1, 2))]
    )
    holds, dev_holds, errors, best_dev = 0, 0, [], []
    begun = time.perf_counter()
    for number in range(given.searches):
        file, target = TABLES[number % len(TABLES)]
        frame = shuffled(file, target, number)
        test, dev, lowest = searched(frame, target, space, given.trials, number)
        holds += test.low <= 0.5 <= test.high
        dev_holds += dev.low <= 0.5 <= dev.high
        errors.append(test.value)
        best_dev.append(lowest)
        if number % 20 == 19:
            print(f"{number + 1} searches, {holds} hold, {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    low, high = binomtest(holds, given.searches).proportion_ci()
    share = holds / given.searches
    print(f"{given.searches} searches of {given.trials} trials on shuffled labels of {len(TABLES)} tables, {ROWS:,} rows each")
    print(f"the reported test error's 95 % interval holds chance in {share:.1%} ({low:.1%} to {high:.1%})")
    print(f"mean test error {np.mean(errors):.1%}")
    print(f"the dev error's interval, of rows that chose the winner, in {dev_holds / given.searches:.1%}")
    print(f"the lowest dev error of any trial at any time, which is no honest score: {np.mean(best_dev):.1%} on average")
    print("goal met" if share >= GOAL else "goal NOT met" if high < GOAL else "goal missed, within the interval of so many searches")


if __name__ == "__main__":
    main()
