"""The range test of learning rates: against networks trained one by one, and where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from shoal import data, devices
from shoal.experiments.rate_range import _good, measure_rate_range
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer, own_seed

RECIPE = Recipe(hidden_units=(8,), batch_size=32, learning_rate=1e-3)


def trainer_of(rows=1000, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(rows, 5)).astype(np.float32)
    y = x @ np.array([1.0, -1.0, 2.0, 0.0, 0.5]) / scale + 0.1 * rng.normal(size=rows)
    return Trainer(data.load(x, y=y, task="regression", seed=0), seed=0)


@pytest.fixture(scope="module")
def trainer():
    return trainer_of()


@pytest.fixture(scope="module")
def measured(trainer):
    return measure_rate_range(trainer, RECIPE, seed=0)


def test_sixty_four_rates_are_spaced_evenly_in_their_logarithm(measured):
    assert len(measured.rates) == len(measured.losses) == 64
    assert (measured.rates[0], measured.rates[-1]) == (1e-6, 10.0)
    assert np.ptp(np.diff(np.log(measured.rates))) < 1e-4
    assert (measured.steps, measured.used) == (200, 1e-3)


def test_the_best_rate_lies_between_rates_that_do_nothing_and_rates_that_do_harm(measured):
    losses = np.array(measured.losses, float)
    assert losses[0] == pytest.approx(measured.start, rel=1e-6)
    assert 1e-4 < measured.lowest < measured.best < measured.highest < 10
    inside = (np.array(measured.rates) >= measured.lowest) & (np.array(measured.rates) <= measured.highest)
    assert losses[inside].max() < 0.2 * measured.start
    assert losses[np.array(measured.rates) < measured.lowest / 10].min() > 0.7 * measured.start
    assert losses[np.array(measured.rates) > 3 * measured.highest].min() > 0.4 * measured.start


def test_each_loss_is_that_of_a_network_trained_alone_at_its_rate():
    """On a table whose epoch is 50 steps, so that the last quarter is the last epoch of four."""
    trainer = trainer_of(rows=2640)
    shape = RECIPE.shape
    tables = trainer.prepared(shape)[1]
    assert tables.steps_per_epoch(32) == 50
    measured = measure_rate_range(trainer, replace(RECIPE, warm_up=2.0, decay="linear", patience=1.0), seed=4)
    for number in (10, 30, 40):
        alone = Network(0, own_seed(4, 3_000_000), replace(RECIPE, decay="constant", epochs=4.0, learning_rate=measured.rates[number]))
        Trainer(trainer.dataset, seed=0).train("alone", [alone])
        assert measured.losses[number] == pytest.approx(alone.traces[0].train_loss[-1], rel=1e-3)


@pytest.mark.parametrize("rows", [100, 9000])
def test_the_test_is_as_long_on_every_table(rows):
    """Where an epoch is shorter than the last quarter, and where it is longer than the whole test."""
    measured = measure_rate_range(trainer_of(rows), RECIPE, seed=0, rates=16)
    assert measured.steps == 200
    assert 1e-3 < measured.best < 3.0


def test_rates_that_diverge_are_recorded_as_such_and_not_in_the_range(trainer):
    measured = measure_rate_range(trainer, replace(RECIPE, optimiser="gradient_descent"), seed=0)
    assert measured.rates[-1] == 100.0
    assert measured.losses[-1] is None or measured.losses[-1] > measured.start
    assert measured.highest < 10


def test_plain_descent_diverges_from_two_over_the_largest_curvature_on():
    """Linear regression on whole batches: the cost's second derivative is ``2 X^T X / m`` (Boyd and Vandenberghe 2004, section 9.3)."""
    linear = replace(RECIPE, hidden_units=(), optimiser="gradient_descent", batch_size="all")
    trainer = trainer_of()
    measured = measure_rate_range(trainer, linear, seed=0)
    x = trainer.prepared(linear.shape)[0].inputs["train"]
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    limit = 2 / np.linalg.eigvalsh(2 * x.T @ x / len(x)).max()
    for rate, loss in zip(measured.rates, measured.losses, strict=True):
        if rate < 0.95 * limit:
            assert loss is not None and loss <= measured.start * (1 + 1e-6)
        elif rate > 1.05 * limit:
            assert loss is None or loss > 1e3 * measured.start
    assert measured.highest < limit


def test_another_recipe_of_the_shape_compiles_nothing(trainer, measured):
    before = devices.compilations()
    measure_rate_range(trainer, replace(RECIPE, learning_rate=0.1, hidden_units=(5,)), seed=1)
    assert devices.compilations() == before


def test_the_range_holds_the_rates_around_the_best_that_come_near_it():
    """After smoothing over three rates: 1, 0.83, 0.53, 0.23, 0.1, 0.1, 0.27, and then infinite; a tenth short of the best is 0.19."""
    rates = np.geomspace(1e-4, 1, 9)
    best, lowest, highest = _good(rates, [1.0, 1.0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.6, None], 1.0)
    assert (best, lowest, highest) == (rates[4], rates[4], rates[5])


def test_one_lucky_rate_among_bad_ones_is_not_the_best():
    rates = np.geomspace(1e-4, 1, 9)
    best, _, _ = _good(rates, [1.0, 1.0, 0.3, 0.2, 0.3, 1.0, 0.05, 1.0, 1.0], 1.0)
    assert best == rates[3]
