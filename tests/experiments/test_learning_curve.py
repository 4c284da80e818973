"""The learning curve: its subsets, its networks against those of a usual training, and its forecast of real tables' errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics

from shoal import data, devices
from shoal.experiments import learning_curve
from shoal.experiments.learning_curve import measure_learning_curve, nested_order, subset_sizes
from shoal.experiments.power_law import fit_with_draws, spanned
from shoal.metrics import METRICS
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer, own_seed

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
RECIPE = Recipe(hidden_units=(8,), batch_size=32, epochs=6.0, learning_rate=0.01)


def table(rows, task="classification", seed=0):
    """Three classes of unequal size, or a value, that a small network learns better from more rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    score = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=rows)
    y = 50 + 20 * score if task == "regression" else np.array(["a", "b", "c"])[np.searchsorted([0.2, 1.5], score)]
    return data.load(x, y=y, task=task, seed=0)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(table(1500), seed=3)


@pytest.fixture(scope="module")
def curve(trainer):
    return measure_learning_curve(trainer, RECIPE, METRICS["error"], seed=1, seeds=3, sizes=5)


@pytest.mark.parametrize("rows", [20, 150, 800, 6400, 500_000])
def test_sizes_grow_by_one_factor_up_to_all_rows(rows):
    sizes = subset_sizes(rows)
    assert sizes[-1] == rows and sizes == sorted(set(sizes))
    factors = np.array(sizes[1:]) / np.array(sizes[:-1])
    assert (np.abs(factors / factors.mean() - 1) < 1.5 / sizes[0] + 1e-3).all()
    assert 3.3 <= rows / sizes[0] <= 32.1


def test_a_handful_of_rows_has_no_learning_curve():
    with pytest.raises(ValueError, match="at least 16 training rows; there are 5"):
        subset_sizes(5)


def test_a_law_needs_seeds_and_sizes(trainer):
    with pytest.raises(ValueError, match="received 1 and 8"):
        measure_learning_curve(trainer, RECIPE, METRICS["error"], seed=1, seeds=1)


def test_every_beginning_of_the_order_holds_the_classes_in_their_shares(trainer):
    truth = trainer.dataset.truth["train"]
    order = nested_order(trainer.dataset, np.random.default_rng(0))
    assert sorted(order) == list(range(len(truth)))
    expected = np.bincount(truth) / len(truth)
    for count in (40, 100, 377):
        assert np.bincount(truth[order[:count]], minlength=3) == pytest.approx(count * expected, abs=1.01)
    assert not np.array_equal(order, nested_order(trainer.dataset, np.random.default_rng(1)))


def test_networks_of_all_rows_are_those_of_a_usual_training(trainer, curve):
    rows = len(trainer.dataset.truth["train"])
    assert curve.rows[-1] == rows and (len(curve.dev), len(curve.dev[0])) == (5, 3)
    networks = [Network(number, own_seed(1, 4_000_000 + number), RECIPE) for number in range(3)]
    Trainer(trainer.dataset, seed=3).train("usual", networks)
    assert curve.steps == networks[0].steps
    for part, errors in (("train", curve.train), ("dev", curve.dev)):
        outputs = trainer.outputs(networks, part)
        truth = trainer.dataset.truth[part]
        theirs = [sklearn.metrics.zero_one_loss(truth, each.argmax(1)) for each in outputs]
        assert errors[-1] == pytest.approx(theirs, abs=2.5 / len(truth))  # round-off may turn a row over


def test_more_rows_lower_the_dev_error_and_raise_the_train_error(curve):
    dev, train = np.mean(curve.dev, axis=1), np.mean(curve.train, axis=1)
    assert dev[0] > 1.2 * dev[-1] and train[0] < train[-1]
    assert curve.doubled.low >= 0 and curve.doubled.high > 0.002
    assert curve.now.low < dev[-1] < curve.now.high
    assert 0 <= curve.floor.low <= curve.floor.value <= curve.now.high


def test_the_same_seed_gives_the_same_curve_and_another_one_another(trainer, curve):
    assert measure_learning_curve(trainer, RECIPE, METRICS["error"], seed=1, seeds=3, sizes=5) == curve
    assert measure_learning_curve(trainer, RECIPE, METRICS["error"], seed=2, seeds=3, sizes=5).dev != curve.dev


def test_other_seeds_and_numbers_compile_nothing(trainer, curve):
    before = devices.compilations()
    measure_learning_curve(trainer, replace(RECIPE, learning_rate=0.02), METRICS["error"], seed=9, epochs=3.0, seeds=3, sizes=5)
    assert devices.compilations() == before


def test_what_is_divided_by_the_rows_is_divided_by_a_networks_own(trainer, monkeypatch):
    seen, train = [], learning_curve.advance

    def advance(job, shoal, networks, *more):
        seen.extend(zip(networks, np.asarray(shoal._own_rows.count)[: len(networks)], strict=True))
        train(job, shoal, networks, *more)

    monkeypatch.setattr(learning_curve, "advance", advance)
    measure_learning_curve(trainer, replace(RECIPE, l2=3.0, l1=0.3, epochs=1.0), METRICS["error"], seed=0, seeds=2, sizes=4)
    rows = len(trainer.dataset.truth["train"])
    assert len(seen) == 8 and {int(count) for _, count in seen} == set(subset_sizes(rows, 4))
    for network, count in seen:
        assert network.recipe.l2 / rows == pytest.approx(3.0 / int(count), rel=1e-5)
        assert network.recipe.l1 / rows == pytest.approx(0.3 / int(count), rel=1e-5)


def test_errors_of_quantities_are_in_their_own_unit():
    trainer = Trainer(table(900, "regression"), seed=0)
    curve = measure_learning_curve(trainer, replace(RECIPE, epochs=15.0), METRICS["rmse"], seed=0, seeds=2, sizes=4)
    spread = trainer.dataset.truth["dev"].std()
    assert 6 < np.mean(curve.dev[-1]) < 0.8 * spread  # noise of 6, spread of about 28
    assert np.mean(curve.dev[0]) > np.mean(curve.dev[-1])


TABLES = [("telco_churn", "Churn", ["customerID"], "error"), ("abalone", "rings", [], "rmse")]


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real tables are expected in {FOLDER}")
@pytest.mark.parametrize("name, target, drop, metric", TABLES)
def test_on_real_tables_the_law_of_a_third_of_the_rows_forecasts_the_error_with_all(name, target, drop, metric):
    trainer = Trainer(data.load(str(FOLDER / f"{name}.csv.gz"), target=target, drop=drop, seed=0), seed=0)
    recipe = Recipe(hidden_units=(16,), epochs=8.0, learning_rate=5e-3)
    curve = measure_learning_curve(trainer, recipe, METRICS[metric], seed=0)
    law, draws = fit_with_draws(np.array(curve.rows[:6]), np.array(curve.dev[:6]), seed=0)
    forecast = spanned(float(law.at(curve.rows[-1])), draws.at(curve.rows[-1]))
    assert curve.rows[-1] > 2.5 * law.present
    assert forecast.low < np.mean(curve.dev[-1]) < forecast.high
    assert forecast.high - forecast.low < 0.25 * forecast.value
