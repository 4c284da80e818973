"""What a run is given: options and data are checked together, and a budget that nobody gave is decided by the data."""

import importlib

import numpy as np
import polars as pl
import pytest

import shoal
from shoal.data import load
from shoal.errors import DataError, OptionError, Problem, reported_together
from shoal.experiments.data_faults import may_differ
from shoal.recipe import Recipe

DRAWN = np.random.default_rng(0)
TALL = pl.DataFrame({"x": DRAWN.normal(size=200_000), "y": DRAWN.normal(size=200_000)})
PICTURES = DRAWN.integers(0, 256, (60, 8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        (("example:wine",), "15s"),
        ((PICTURES, {"y": np.arange(60) % 2}), "120s"),
        (("example:wine", {"begin": Recipe()}), "120s"),
        (("example:wine", {"budget": "7trials"}), "7trials"),
        ((TALL, {"target": "y", "task": "regression", "dev_size": 10_000, "test_size": 30_000}), "48s"),
    ],
    ids=["a small table", "pictures", "a recipe to begin with", "given", "160,000 training rows"],
)
def test_a_budget_that_nobody_gave_is_decided_by_the_data(given, budget, monkeypatch):
    seen = []
    monkeypatch.setattr(importlib.import_module("shoal.improve"), "work", lambda dataset, options, *others: seen.append(options["budget"]))
    source, options = given if len(given) == 2 else (*given, {})
    shoal.improve(source, **options)
    assert seen == [budget]


def test_without_a_budget_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(OptionError) as caught:
        shoal.improve("example:wine", metric="rmse", target_error=-1.0, drop=["no such column"])
    assert len(caught.value.problems) == 2


def test_what_is_wrong_is_reported_together_and_once():
    first, second = Problem("a", "b", "c"), Problem("d", "e", "f")
    with pytest.raises(OptionError) as caught, reported_together([first]):
        raise DataError(second)
    assert caught.value.problems == (first, second)
    with pytest.raises(DataError), reported_together([first]):
        raise DataError(first, second)
    with pytest.raises(DataError), reported_together([]):
        raise DataError(first)
    with pytest.raises(OptionError), reported_together([first]):
        pass
    with reported_together([]):
        pass


def alike(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5))
    y = np.where(x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=rows) > 0, "yes", "no")
    return pl.DataFrame({**{f"x{place}": x[:, place] for place in range(5)}, "y": y})


def moved(rows: int, seed: int) -> pl.DataFrame:
    return alike(rows, seed).with_columns(pl.col("x3") + 0.5)


def relabelled(rows: int, seed: int) -> pl.DataFrame:
    """Columns and classes as they were, each by itself; a fifth of the labels are wrong."""
    frame = alike(rows, seed)
    wrong = np.random.default_rng(seed + 1).random(rows) < 0.2
    other = pl.Series(np.where(frame["y"].to_numpy() == "yes", "no", "yes"))
    return frame.with_columns(pl.when(pl.Series(wrong)).then(other).otherwise(pl.col("y")).alias("y"))


@pytest.mark.parametrize(
    ("dev", "parts"),
    [
        (alike(1500, 1), ["train", "dev", "test"]),
        (moved(1500, 1), ["train", "train_dev", "dev", "test"]),
        (relabelled(1500, 1), ["train", "train_dev", "dev", "test"]),
        (alike(45, 1), ["train", "train_dev", "dev"]),  # too few to tell
    ],
    ids=["alike", "a column has moved", "labels mean something else", "few rows"],
)
def test_training_rows_are_held_out_beside_a_dev_table_only_where_it_may_differ(dev, parts, monkeypatch):
    seen = []
    monkeypatch.setattr(importlib.import_module("shoal.improve"), "work", lambda dataset, *others: seen.append(dataset))
    shoal.improve(alike(3000, 0), target="y", dev=dev, test_size=None if "test" in parts else 0)
    (dataset,) = seen
    assert list(dataset.inputs) == list(dataset.split.rows) == parts
    held_out = "train_dev" in parts
    assert dataset.split.rows["train"] == len(dataset.inputs["train"]) == 3000 - dataset.split.rows.get("train_dev", 0)
    assert ("A train-dev part is taken" in dataset.split.reason) == held_out
    assert ("cannot tell the dev rows from training rows" in dataset.split.reason) == (not held_out)


def test_tables_that_are_alike_are_seldom_taken_for_different():
    told = [
        may_differ(load(alike(600, 2 * seed), target="y", dev=alike(300, 2 * seed + 1), test_size=0, train_dev=False), 0)
        for seed in range(30)
    ]
    assert sum(told) <= 5  # 1.8 are expected: 5 % by the classifier, 1 % by the columns


def test_a_split_without_a_table_of_its_own_is_not_looked_at(monkeypatch):
    module = importlib.import_module("shoal.intake")
    monkeypatch.setattr(module, "may_differ", lambda *given: pytest.fail("there is nothing to compare"))
    monkeypatch.setattr(importlib.import_module("shoal.improve"), "work", lambda *given: None)
    shoal.improve(alike(300, 0), target="y")
