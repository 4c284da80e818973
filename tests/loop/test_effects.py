"""What a change did, against statistics by hand: the interval, its correction, and how often it holds the truth."""

import numpy as np
import pytest
from scipy import stats

from shoal.loop.effects import Answers, error_effect, paired_effect, relative_effect, row_losses
from shoal.metrics import METRICS


def test_the_loss_of_a_class_is_its_negative_log_probability():
    outputs = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.0, 1.0]]])
    expected = -np.log([[0.9, 0.8], [0.5, 1.0]])
    np.testing.assert_allclose(row_losses("classification", outputs, np.array([0, 1])), expected, atol=1e-12)


def test_a_class_of_probability_0_costs_much_and_not_endlessly():
    assert np.isfinite(row_losses("classification", np.array([[[1.0, 0.0]]]), np.array([1]))).all()


def test_the_loss_of_several_labels_is_their_mean_cross_entropy():
    outputs = np.array([[[0.9, 0.2]]])
    expected = -(np.log(0.9) + np.log(0.8)) / 2
    assert row_losses("multi_label", outputs, np.array([[1, 0]]))[0, 0] == pytest.approx(expected)


def test_with_one_seed_the_interval_is_the_paired_t_interval_over_rows():
    rng = np.random.default_rng(0)
    changed, unchanged = rng.normal(size=(2, 1, 50))
    effect = paired_effect(changed, unchanged)
    low, high = stats.ttest_rel(changed[0], unchanged[0]).confidence_interval()
    assert (effect.low, effect.high) == (pytest.approx(low), pytest.approx(high))


def test_without_scatter_over_rows_the_interval_is_the_paired_t_interval_over_seeds():
    by_seed = np.array([0.1, 0.3, 0.2, 0.15])
    effect = paired_effect(np.tile(by_seed[:, None], (1, 30)), np.zeros((4, 30)))
    low, high = stats.ttest_1samp(by_seed, 0.0).confidence_interval()
    assert (effect.low, effect.high) == (pytest.approx(low), pytest.approx(high))


def test_the_interval_widens_with_the_number_of_comparisons_as_bonferroni_says():
    changed = np.random.default_rng(1).normal(size=(1, 200))
    one, many = (paired_effect(changed, np.zeros((1, 200)), comparisons=count) for count in (1, 20))
    ratio = stats.t.ppf(1 - 0.025 / 20, 199) / stats.t.ppf(0.975, 199)
    assert (many.high - many.low) / (one.high - one.low) == pytest.approx(ratio)


def test_rows_count_as_their_weights_say():
    changed = np.array([[1.0, 3.0]])
    assert paired_effect(changed, np.zeros((1, 2)), np.array([3.0, 1.0])).value == pytest.approx(1.5)


def test_identical_networks_have_no_effect_and_no_doubt():
    losses = np.random.default_rng(2).normal(size=(3, 10))
    effect = paired_effect(losses, losses)
    assert (effect.value, effect.low, effect.high) == (0, 0, 0)


@pytest.mark.parametrize(("spread_rows", "spread_seeds"), [(1.0, 0.0), (0.2, 0.1), (1.0, 0.05)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(spread_rows, spread_seeds):
    rng, held, simulations = np.random.default_rng(3), 0, 600
    for _ in range(simulations):
        rows, seeds = rng.normal(0, spread_rows, 100), rng.normal(0, spread_seeds, 8)
        effect = paired_effect(0.3 + rows[None] + seeds[:, None], np.zeros((8, 100)))
        held += effect.low <= 0.3 <= effect.high
    assert 0.92 <= held / simulations <= 0.99


def test_a_relative_effect_is_the_geometric_mean_of_the_seeds_ratios():
    rng = np.random.default_rng(5)
    changed, unchanged, weight = rng.exponential(size=(4, 30)), rng.exponential(size=(4, 30)), rng.uniform(1, 2, 30)
    ratios = [np.average(one, weights=weight) / np.average(other, weights=weight) for one, other in zip(changed, unchanged, strict=True)]
    assert relative_effect(changed, unchanged, weight).value == pytest.approx(stats.gmean(ratios) - 1)


def test_over_rows_a_relative_effect_is_known_about_as_the_bootstrap_says():
    rng = np.random.default_rng(6)
    unchanged = rng.exponential(size=(1, 400))
    changed = 0.8 * unchanged * rng.uniform(0.5, 1.5, (1, 400))
    effect = relative_effect(changed, unchanged)
    drawn = rng.integers(400, size=(4000, 400))
    low, high = np.quantile(changed[0][drawn].mean(1) / unchanged[0][drawn].mean(1) - 1, [0.025, 0.975])
    assert (effect.low, effect.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_the_mending_of_a_network_whose_losses_scatter_over_decades_is_seen():
    rng = np.random.default_rng(7)
    broken = 10.0 ** rng.uniform(3, 7, (8, 1)) * rng.exponential(size=(8, 200)) ** 3
    effect = relative_effect(rng.exponential(size=(8, 200)), broken, comparisons=32)
    assert effect.high < -0.9


def test_the_effect_on_the_error_is_the_mean_over_seeds_in_the_metrics_unit():
    truth = np.array([0, 0, 1, 1])
    sure = np.eye(2)[[[0, 0, 1, 1], [0, 0, 1, 0]]]  # errors 0 and 1/4
    unsure = np.eye(2)[[[1, 0, 1, 0], [0, 1, 1, 0]]]  # 1/2 and 1/2
    effect = error_effect(METRICS["error"], truth, Answers(sure, sure), Answers(unsure, unsure))
    assert effect.value == pytest.approx(0.125 - 0.5)
    greater_is_better = error_effect(METRICS["accuracy"], truth, Answers(sure, sure), Answers(unsure, unsure))
    assert greater_is_better.value == pytest.approx(effect.value)
