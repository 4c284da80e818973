"""The best score against trials: against all orders one by one, closed forms of uniform draws, and simulated searches."""

import itertools

import numpy as np
import pytest

from shoal.answers.best_so_far import best_so_far, expected_best, further_gain, top_shares
from shoal.recipe import Recipe

from .searches import one_trial


def trials_of(scores):
    return [one_trial(number, Recipe(), [score] * 3) for number, score in enumerate(scores)]


def test_the_expected_best_is_the_average_over_every_order_of_the_trials():
    scores = [0.7, 0.2, 0.9, 0.4, 0.4]
    orders = np.array(list(itertools.permutations(scores)))
    by_hand = np.minimum.accumulate(orders, axis=1).mean(0)
    assert expected_best(np.array(scores), [1, 2, 3, 4, 5]) == pytest.approx(by_hand)


def test_the_lowest_of_k_uniform_draws_is_one_over_k_plus_one_on_average():
    scores = np.random.default_rng(0).random((400, 64))
    counts = [1, 3, 15, 63]
    assert expected_best(scores, counts).mean(0) == pytest.approx([1 / (k + 1) for k in counts], rel=0.06)


def test_a_thousand_trials_do_not_overflow():
    scores = np.random.default_rng(0).random(1024)
    values = expected_best(scores, [1, 512, 1024])
    assert values[0] == pytest.approx(scores.mean())
    assert values[2] == scores.min()


def test_the_curve_falls_from_the_mean_to_the_best_within_its_band():
    scores = np.random.default_rng(3).normal(1.0, 0.1, 200)
    curve = best_so_far(trials_of(map(float, scores)))
    assert not isinstance(curve, str)
    values = [each.value for each in curve.best]
    assert curve.trials[0] == 1 and curve.trials[-1] == 200
    assert values[0] == pytest.approx(scores.mean()) and values[-1] == scores.min()
    assert values == sorted(values, reverse=True)
    assert all(each.low <= each.value <= each.high for each in curve.best)


def test_a_trial_without_a_score_counts_as_the_worst():
    curve = best_so_far(trials_of([0.5, None, 0.7]))
    assert not isinstance(curve, str)
    assert curve.unscored == 1
    assert curve.best[0].value == pytest.approx((0.5 + 0.7 + 0.7) / 3)


@pytest.mark.parametrize("power", [1, 2])
def test_the_gain_of_doubling_is_right_on_average_and_its_interval_covers_it(power):
    """The lowest of n uniform draws is 1/(n+1) on average, that of their roots Gamma(3/2) n^-1/2 or so: simulated here."""
    random = np.random.default_rng(0)
    many = random.random((4000, 128)) ** (1 / power)
    true = float((many[:, :64].min(1) - many.min(1)).mean())
    gains = [further_gain(trials_of(map(float, row[:64])), seed) for seed, row in enumerate(many[:60])]
    assert not any(isinstance(gain, str) for gain in gains)
    sizes = [gain.size for gain in gains if not isinstance(gain, str)]
    assert np.mean([size.value for size in sizes]) == pytest.approx(true, rel=0.3)
    assert np.mean([size.low <= true <= size.high for size in sizes]) >= 0.9


def test_the_gain_cannot_be_told_from_a_few_trials():
    assert "at least 16" in str(further_gain(trials_of([0.1] * 15)))
    assert not isinstance(further_gain(trials_of([0.1] * 16)), str)


def test_random_trials_hold_one_of_the_top_with_the_probability_of_the_course():
    found = top_shares(59)
    assert [each.share for each in found] == [0.05, 0.01]
    assert [each.needed for each in found] == [59, 299]
    assert found[0].probability == pytest.approx(1 - 0.95**59)
    assert found[0].probability >= 0.95 > top_shares(58)[0].probability
    draws = np.random.default_rng(0).random((20_000, 20)).min(1)
    assert top_shares(20)[0].probability == pytest.approx((draws < 0.05).mean(), abs=0.01)
