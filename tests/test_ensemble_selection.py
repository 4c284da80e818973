"""Greedy selection against a plain loop of the algorithm, and its overfitting against fresh rows."""

import time

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, zero_one_loss

from shoal.calibration import fit_temperature, scaled
from shoal.ensemble import report
from shoal.ensemble_selection import Loss, cross_fit, mean_of, select
from shoal.metrics import METRICS, score

BY_HAND = {
    "log_loss": lambda truth, mean, weights: log_loss(truth, mean, sample_weight=weights, labels=range(mean.shape[1])),
    "error": lambda truth, mean, weights: zero_one_loss(truth, mean.argmax(1), sample_weight=weights),
    "squared_error": lambda truth, mean, weights: mean_squared_error(truth, mean, sample_weight=weights),
    "absolute_error": lambda truth, mean, weights: mean_absolute_error(truth, mean, sample_weight=weights),
}


def library(loss, models=9, rows=211, seed=0):
    """Outputs of models that are right to some degree, truth and weights."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 3, rows)
    if loss in ("squared_error", "absolute_error"):
        truth = rng.normal(5, 3, rows)
        return truth + rng.normal(size=(models, rows)) * rng.uniform(0.5, 2, (models, 1)) + rng.normal(size=(models, 1)), truth, weights
    truth = rng.integers(0, 3, rows)
    logits = rng.normal(size=(models, rows, 3)) * rng.uniform(0.5, 2, (models, 1, 1)) + 1.5 * (truth[:, None] == np.arange(3))
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), truth, weights


def plain_selection(outputs, truth, weights, loss, size, start):
    """The algorithm of Caruana et al. (2004) in loops, with scikit-learn's losses."""

    def loss_of(members):
        return BY_HAND[loss](truth, np.mean([outputs[member] for member in members], axis=0), weights)

    order = sorted(range(len(outputs)), key=lambda model: loss_of([model]))
    members = min((order[:count] for count in range(1, start + 1)), key=loss_of)
    best = list(members)
    while len(members) < size:
        members = [*members, min(range(len(outputs)), key=lambda model: loss_of([*members, model]))]
        if loss_of(members) < loss_of(best) - 1e-12:
            best = list(members)
    return np.bincount(best, minlength=len(outputs)) / len(best), loss_of(best)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loss", BY_HAND)
def test_the_shares_are_those_of_a_plain_loop(loss, seed):
    outputs, truth, _ = library(loss, seed=seed)
    # whole weights: rates that are equal then add up to equal numbers in either order
    weights = np.random.default_rng(seed).integers(1, 4, len(truth)).astype(float)
    found = select(outputs, truth, weights, loss, size=12, start=3)
    shares, lowest = plain_selection(outputs, truth, weights, loss, size=12, start=3)
    np.testing.assert_allclose(found.shares, shares, atol=1e-12)
    assert found.loss == pytest.approx(lowest, rel=1e-5)
    np.testing.assert_allclose(found.alone, [BY_HAND[loss](truth, each, weights) for each in outputs], rtol=1e-5)


def test_labels_are_chosen_by_the_mean_log_loss_over_them():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (150, 4))
    outputs = np.clip(truth + rng.normal(size=(5, 150, 4)) * 0.8, 0.05, 0.95)
    pairs: tuple[tuple[Loss, str], ...] = (("log_loss", "label_log_loss"), ("error", "hamming_loss"))
    for loss, metric in pairs:
        found = select(outputs, truth, np.ones(150), loss)
        assert found.loss == pytest.approx(score(METRICS[metric], truth, mean_of(outputs, found.shares)), rel=1e-5)
        assert found.loss <= found.alone.min()


@pytest.mark.parametrize("loss", BY_HAND)
def test_an_ensemble_is_never_worse_on_its_own_rows_than_the_best_model_or_the_mean_of_the_best_few(loss):
    outputs, truth, weights = library(loss, models=20, seed=5)
    found = select(outputs, truth, weights, loss, start=4)
    best_first = outputs[np.argsort(found.alone)]
    for count in range(1, 5):
        assert found.loss <= BY_HAND[loss](truth, best_first[:count].mean(0), weights) + 1e-6
    assert found.shares.sum() == pytest.approx(1) and (found.shares >= 0).all()


@pytest.mark.parametrize("bags", [1, 8])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error", "absolute_error"])
def test_a_useless_model_gets_no_share(loss, bags):
    outputs, truth, weights = library(loss, models=8, rows=2000)
    if loss == "log_loss":
        useless = np.tile([0.98, 0.01, 0.01], (1, 2000, 1))
    else:
        useless = truth.mean() + 20 * np.random.default_rng(1).normal(size=(1, 2000))
    found = select(np.concatenate([outputs[:3], useless, outputs[3:]]), truth, weights, loss, bags=bags)
    assert found.shares[3] == 0
    assert np.count_nonzero(found.shares) > 2


def test_a_model_that_is_right_everywhere_is_taken_alone():
    outputs, truth, weights = library("squared_error")
    outputs[4] = truth
    np.testing.assert_array_equal(select(outputs, truth, weights, "squared_error").shares, np.eye(9)[4])


def test_a_slightly_better_mean_is_taken_and_a_slightly_worse_one_is_not():
    for second, shares in ((1.5, [0.5, 0.5]), (1.8, [1, 0])):  # squares of (1, 0): 1; of the means: 0.81 and 1.06
        outputs = np.array([[1, 0], [0, second]])
        np.testing.assert_array_equal(select(outputs, np.zeros(2), np.ones(2), "squared_error", size=2, start=1).shares, shares)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_models_that_err_in_opposite_ways_are_found_also_from_a_start_with_one(loss):
    truth = np.linspace(0, 1, 50)
    found = select(np.stack([truth + 1.0, truth - 1.1]), truth, np.ones(50), loss, size=6, start=1)
    shares, lowest = plain_selection(np.stack([truth + 1.0, truth - 1.1]), truth, np.ones(50), loss, size=6, start=1)
    np.testing.assert_array_equal(found.shares, shares)
    np.testing.assert_array_equal(found.shares, [0.5, 0.5])
    assert found.loss == pytest.approx(lowest)


def test_rows_without_weight_do_not_count():
    outputs, truth, weights = library("log_loss")
    weights[100:] = 0
    found = select(outputs, truth, weights, "log_loss").shares
    np.testing.assert_array_equal(found, select(outputs[:, :100], truth[:100], weights[:100], "log_loss").shares)
    assert not np.array_equal(found, select(outputs, truth, np.ones(len(truth)), "log_loss").shares)


def test_bags_are_drawn_by_the_seed_and_spread_the_shares():
    outputs, truth, weights = library("squared_error", models=30, rows=60)
    first, again, other = (select(outputs, truth, weights, "squared_error", bags=10, seed=seed).shares for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.count_nonzero(first) > np.count_nonzero(select(outputs, truth, weights, "squared_error").shares)


def test_one_model_is_an_ensemble_of_itself_and_no_finite_model_is_an_error():
    outputs, truth, weights = library("log_loss", models=1)
    for bags in (1, 4):
        assert select(outputs, truth, weights, "log_loss", bags=bags).shares.tolist() == [1.0]
    with pytest.raises(ValueError, match="at least one model"):
        select(outputs[:0], truth, weights, "log_loss")
    with pytest.raises(ValueError, match="finite"):
        select(np.full_like(outputs, np.nan), truth, weights, "log_loss")


def test_blocks_of_rows_change_nothing(monkeypatch):
    outputs, truth, weights = library("absolute_error", rows=500)
    whole = select(outputs, truth, weights, "absolute_error")
    monkeypatch.setattr("shoal.ensemble_selection.BLOCK", 700)
    pieces = select(outputs, truth, weights, "absolute_error")
    np.testing.assert_array_equal(whole.shares, pieces.shares)
    assert whole.loss == pytest.approx(pieces.loss, rel=1e-6)


def test_128_models_and_20_000_rows_take_seconds():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 20_000)
    right = rng.beta(3, 1, (128, 20_000, 1)).astype(np.float32)
    outputs = np.where(truth[:, None] == np.arange(2), right, 1 - right)
    begin = time.process_time()
    assert select(outputs, truth, np.ones(20_000), "log_loss").loss > 0
    assert time.process_time() - begin < 10


# --- overfitting to dev -------------------------------------------------------------------------------------------------------------


def test_cross_fitted_predictions_are_those_of_the_other_halfs_shares():
    outputs, truth, weights = library("squared_error", rows=101)
    divisions = list(cross_fit(outputs, truth, weights, "squared_error", divisions=3, seed=2))
    assert len(divisions) == 3
    assert not np.array_equal(divisions[0].halves[0], divisions[1].halves[0])
    for division in divisions:
        one, other = division.halves
        assert sorted([*one, *other]) == list(range(101)) and abs(len(one) - len(other)) <= 1
        predicted = division.predicted(outputs, truth, weights)
        for on, scored in ((one, other), (other, one)):
            shares = select(outputs[:, on], truth[on], weights[on], "squared_error").shares
            np.testing.assert_allclose(predicted[scored], shares @ outputs[:, scored])


def test_the_temperature_of_a_half_is_that_of_the_half_that_chose():
    outputs, truth, weights = library("log_loss", rows=400)
    sure = outputs**6 / (outputs**6).sum(-1, keepdims=True)
    division = next(iter(cross_fit(sure, truth, weights, "log_loss")))
    plain = division.predicted(sure, truth, weights)
    cooled = division.predicted(sure, truth, weights, lambda *on: lambda of: scaled(of, fit_temperature(*on)))
    one, other = division.halves
    on = np.tensordot(division.shares[0], sure[:, one], 1)
    temperature = fit_temperature(on, truth[one], weights[one])
    assert abs(np.log(temperature)) > 0.2
    np.testing.assert_allclose(cooled[other], scaled(plain[other], temperature))


def noise_models(rng, models, rows):
    """Values around a mean of 0 that know nothing of the truth."""
    return rng.normal(size=(models, rows)), rng.normal(size=rows)


def test_on_models_of_pure_noise_the_cross_fitted_interval_covers_the_truth_and_the_chosen_score_does_not():
    rows, models, covered, fooled, optimistic = 150, 40, 0, 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        outputs, truth = noise_models(rng, models, rows)
        selection = select(outputs, truth, np.ones(rows), "squared_error")
        record = report(outputs, truth, np.ones(rows), METRICS["mse"], "squared_error", selection, numbers=range(models), seed=seed)
        true_error = 1 + np.square(selection.shares).sum()  # of unit noise about unit noise, on rows without end
        covered += record.cross_fitted.low <= true_error <= record.cross_fitted.high
        fooled += record.chosen.low <= true_error <= record.chosen.high
        optimistic += record.optimism.low > 0
    assert covered >= 36  # of 40; 95 % leave 36 or more in 95 of 100 cases
    assert fooled <= 20
    assert optimistic >= 35


def test_on_one_model_there_is_nothing_to_overfit():
    outputs, truth, weights = library("log_loss", models=1)
    selection = select(outputs, truth, weights, "log_loss")
    record = report(outputs, truth, weights, METRICS["error"], "log_loss", selection, numbers=[7], default=[0])
    assert record.shares == ((7, 1.0),)
    assert record.chosen.value == record.cross_fitted.value == score(METRICS["error"], truth, outputs[0], weights)
    assert record.optimism.value == 0 and record.gain is not None and record.gain.value == 0
    assert record.better == "cannot tell"


@pytest.mark.parametrize(("metric", "loss"), [(name, "log_loss") for name in ("error", "auc", "log_loss")] + [("r2", "squared_error")])
def test_an_ensemble_far_better_than_the_default_is_said_to_be(metric: str, loss: Loss):
    outputs, truth, weights = library(loss, models=12, rows=1500)
    selection = select(outputs, truth, weights, loss)
    worst = int(selection.alone.argmax())
    record = report(outputs, truth, weights, METRICS[metric], loss, selection, numbers=range(12), default=[worst])
    assert record.better == "yes" and record.gain is not None and record.gain.high < 0 and record.default is not None
    assert "The ensemble is better" in record.text and "1,500 dev rows" in record.text
    if metric != "log_loss":
        assert record.default.value == pytest.approx(score(METRICS[metric], truth, outputs[worst], weights))
        assert record.chosen.value == pytest.approx(score(METRICS[metric], truth, mean_of(outputs, selection.shares), weights))
