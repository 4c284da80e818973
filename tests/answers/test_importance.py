"""Shares of variance on formulas whose shares are known, and on noise, where nothing is to be found."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from shoal.answers.comparison import Comparison, compare
from shoal.answers.forest import effects, held_out_effects, pairs_of
from shoal.answers.importance import course_agreement, importances, optuna_shares
from shoal.answers.interactions import interactions
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.records import ShoalPlan

from .searches import one_trial, plan_of, search, space_of

NAMES = ("learning_rate", "units", "weight_decay", "beta1")
FOUR = tuple(Range(name, 0.0, 1.0) for name in NAMES)


def compared(formula, trials=128, noise=0.05, seed=0):
    random = np.random.default_rng(seed)
    points = random.random((trials, len(FOUR)))
    losses = formula(*points.T) + noise * random.standard_normal(trials)
    some = tuple(one_trial(number, Recipe(), [0.0]) for number in range(trials))
    return Comparison(some, losses, FOUR, points, np.ones_like(points, bool), 100)


def additive(a, b, c, d):
    """Variances 4/12 and 1/12: shares of 80 and 20 per cent."""
    return 2 * a + b


def with_a_product(a, b, c, d):
    """Variances 4/12, 1/12 and 36/144: shares of 50, 12.5 and, together only, 37.5 per cent."""
    return 2 * a + b + 6 * (a - 0.5) * (b - 0.5)


def test_an_additive_function_of_two_of_four_has_its_shares_within_the_intervals():
    covered, leading, second = [], [], []
    for seed in range(5):
        here = compared(additive, seed=seed)
        found = importances(here, seed, held_out_effects(here.positions, here.losses, seed))
        assert not isinstance(found, str)
        shares = {each.name: each.share for each in found.parameters}
        assert [each.name for each in found.parameters[:2]] == ["learning_rate", "units"]
        true = dict(zip(NAMES, (0.8, 0.2, 0.0, 0.0), strict=True))
        covered += [shares[name].low <= true[name] <= shares[name].high for name in NAMES]
        leading.append(shares["learning_rate"].value)
        second.append(shares["units"].value)
        assert shares["weight_decay"].low == shares["beta1"].low == 0.0
        assert shares["weight_decay"].high < 0.05 and shares["beta1"].high < 0.05
    assert np.mean(covered) >= 0.9
    assert np.mean(leading) == pytest.approx(0.8, abs=0.08) and np.mean(second) == pytest.approx(0.2, abs=0.05)


def test_optunas_shares_stand_beside_them():
    here = compared(additive)
    shares = optuna_shares(here, 0)
    assert list(shares) == list(NAMES)
    assert shares["learning_rate"] > shares["units"] > max(shares["weight_decay"], shares["beta1"])


def test_noise_has_no_importance_and_says_so():
    for seed in range(3):
        here = compared(lambda a, b, c, d: 0 * a, noise=1.0, seed=seed)
        held_out = held_out_effects(here.positions, here.losses, seed)
        assert "cannot be told to predict others better" in str(importances(here, seed, held_out))
        assert interactions(here, held_out) == ()


def test_two_parameters_that_depend_on_each_other_are_the_only_pair_found():
    here = compared(with_a_product, trials=256)
    found = interactions(here, held_out_effects(here.positions, here.losses, 0))
    assert not isinstance(found, str)
    assert [(each.first, each.second) for each in found] == [("learning_rate", "units")]
    assert found[0].share.low > 0 and found[0].share.value == pytest.approx(0.375, abs=0.15)


def test_an_additive_function_has_no_pair():
    for seed in range(3):
        here = compared(additive, seed=seed)
        assert interactions(here, held_out_effects(here.positions, here.losses, seed)) == ()


def test_the_effects_of_a_forest_are_its_means_over_the_other_parameters():
    """Against means over many points of the unit cube (partial dependence)."""
    random = np.random.default_rng(0)
    points = random.random((200, 3))
    forest = ExtraTreesRegressor(8, max_depth=4, random_state=0).fit(points, points[:, 0] * points[:, 1] + points[:, 2])
    where, many = points[:4], random.random((40_000, 3))
    mean = forest.predict(many).mean()

    def held(columns, point):
        fixed = many.copy()
        fixed[:, columns] = point[columns]
        return forest.predict(fixed).mean() - mean

    found = effects(forest, where)
    for at, point in enumerate(where):
        for column in range(3):
            assert found.mains[at, column] == pytest.approx(held([column], point), abs=0.006)
        for first, second in pairs_of(3):
            alone = held([first], point) + held([second], point)
            assert found.pairs[at, first, second] == pytest.approx(held([first, second], point) - alone, abs=0.01)


def test_all_trials_are_compared_at_the_first_rung_where_later_ones_hold_the_best_only():
    trials, space, plan = search(lambda x: 0.3 + x[:, 0], 32)
    here = compare(trials, space, plan)
    assert here.steps == plan.rungs[0] and len(here.trials) == 32


def test_without_rungs_all_are_compared_after_the_full_training():
    space = space_of()
    recipes = [space.recipe_of({"learning_rate": 0.01, "hidden_layers": 1, "units": units, "weight_decay": 0.1}) for units in range(16, 56)]
    trials = [one_trial(number, recipe, [0.9, 0.5, 0.4]) for number, recipe in enumerate(recipes)]
    assert compare(trials, space, plan_of(40)).steps == 900


def test_a_diverged_trial_is_put_at_the_fence_and_does_not_drown_the_others():
    trials, space, plan = search(lambda x: 0.3 + x[:, 0], 32)
    exploded = [one_trial(40, trials[0].recipe, [1e9], status="diverged"), one_trial(41, trials[1].recipe, [None], status="diverged")]
    here = compare([*trials, *exploded], space, plan)
    quartiles = np.quantile([loss for trial, loss in zip(here.trials, here.losses, strict=True) if trial.number < 40], (0.25, 0.75))
    assert here.losses[-2] == here.losses[-1] < quartiles[1] + 2 * (quartiles[1] - quartiles[0])


def test_a_parameter_that_is_not_used_is_in_the_middle_and_marked():
    parameters = (Choice("optimiser", ("momentum", "rmsprop")), Range("beta1", 0.8, 0.99, "log_one_minus"))
    space = space_of(parameters, Recipe(hidden_units=(8,)))
    recipes = [space.recipe_of({"optimiser": name, "beta1": 0.8}) for name in ("momentum", "rmsprop")]
    here = compare([one_trial(number, recipe, [1.0]) for number, recipe in enumerate(recipes)], space, plan_of(2))
    assert here.positions.tolist() == [[0.25, 0.0], [0.75, 0.5]]
    assert here.used.tolist() == [[True, True], [True, False]]


def test_agreement_with_the_course_is_1_in_its_order_and_minus_1_reversed():
    order = ("learning_rate", "units", "hidden_layers")
    assert course_agreement(dict(zip(order, (0.5, 0.3, 0.1), strict=True))) == 1
    assert course_agreement(dict(zip(order, (0.1, 0.3, 0.5), strict=True))) == -1
    assert course_agreement({"learning_rate": 0.5, "keep_prob": 0.4}) is None


def test_few_trials_have_no_importance():
    here = compared(additive, trials=10)
    assert "at least 16 trials" in str(importances(here, 0, None))
    assert "at least 16 trials" in str(interactions(here, None))


def test_a_shape_with_other_mini_batches_is_compared_after_its_own_steps():
    space = space_of()
    shoals = tuple(
        ShoalPlan(1, 64, "silu", "none", size, 8, 1, None, rungs) for size, rungs in ((64, (100, 300, 900)), (256, (25, 75, 225)))
    )
    small = one_trial(0, Recipe((16,)), [0.5, 0.4, 0.3])
    large = replace(one_trial(1, Recipe((20,), batch_size=256), [0.9, 0.8, 0.7], (25, 75, 225)), shoal=1)
    here = compare([small, replace(large, status="stopped at a rung", rung=1, steps=75)], space, replace(plan_of(2), shoals=shoals))
    assert len(here.trials) == 2 and here.steps == 300
