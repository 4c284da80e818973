"""What a run is given: options and data are checked together, and a budget that nobody gave is decided by the data."""

import importlib

import numpy as np
import polars as pl
import pytest

import shoal
from shoal.errors import DataError, OptionError, Problem, reported_together
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
