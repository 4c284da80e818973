"""Luck, the smallest network, edges and the map, on trials made by hand."""

import numpy as np
import pytest
from scipy import stats

from shoal.answers.architecture_map import architecture_map, width_classes
from shoal.answers.comparison import compare
from shoal.answers.edges import edges, extended_end
from shoal.answers.luck import choice_optimism, luck, winner
from shoal.answers.smallest import parameter_count, smallest
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe

from .searches import again, one_trial, plan_of, space_of

PLAN = plan_of(6)
BIG, SMALL, OTHER = Recipe((64, 64)), Recipe((8,)), Recipe((64, 32))
FRESH = [0.31, 0.32, 0.33, 0.30]


def count(recipe):
    return parameter_count(recipe, 10, 1)


def by_hand(scores, recipes, fresh):
    found = [one_trial(number, recipe, [2.0, 1.9, score]) for number, (recipe, score) in enumerate(zip(recipes, scores, strict=True))]
    for recipe, values in fresh.items():
        found += again(100 + len(found), recipe, values)
    return found


def others(number):
    return [Recipe((64, 64), learning_rate=1e-3 * (2 + at)) for at in range(number)]


def test_the_winner_has_the_t_interval_of_its_fresh_seeds():
    trials = by_hand([0.28, 0.35, 0.40], [BIG, *others(2)], {BIG: FRESH})
    found = winner(trials, PLAN, count)
    assert not isinstance(found, str)
    low, high = stats.t.interval(0.95, 3, np.mean(FRESH), stats.sem(FRESH))
    assert (found.fresh.value, found.fresh.low, found.fresh.high) == pytest.approx((np.mean(FRESH), low, high))
    assert (found.trial, found.place, found.searched, found.seeds, found.finalists) == (0, 1, 0.28, 4, 1)


def test_luck_is_what_the_lead_over_the_median_trial_loses_on_fresh_seeds():
    trials = by_hand([0.28, 0.35, 0.38, 0.40], [BIG, *others(3)], {BIG: FRESH})
    best = winner(trials, PLAN, count)
    assert not isinstance(best, str)
    found = luck(trials, PLAN, best)
    assert not isinstance(found, str) and found.share is not None
    assert found.size.value == pytest.approx(np.mean(FRESH) - 0.28)
    assert found.lead == pytest.approx(0.38 - 0.28)
    assert found.share.value == pytest.approx(0.35)
    assert found.runner_up is not None and found.runner_up.fresh is None and found.runner_up.lead == pytest.approx(0.07)


def test_the_runner_up_is_compared_on_the_same_seeds():
    second = [0.33, 0.345, 0.35, 0.318]
    trials = by_hand([0.28, 0.29, 0.40, 0.41], [BIG, OTHER, *others(2)], {BIG: FRESH, OTHER: second})
    best = winner(trials, PLAN, count)
    assert not isinstance(best, str) and best.finalists == 2
    found = luck(trials, PLAN, best)
    assert not isinstance(found, str) and found.runner_up is not None and found.runner_up.fresh is not None
    paired = np.subtract(second, FRESH)
    assert found.runner_up.fresh.value == pytest.approx(paired.mean())
    assert found.runner_up.fresh.low == pytest.approx(stats.t.interval(0.95, 3, paired.mean(), stats.sem(paired))[0])


def test_the_winner_may_have_been_second_in_the_search():
    trials = by_hand([0.28, 0.29, 0.40], [OTHER, BIG, *others(1)], {BIG: FRESH, OTHER: [0.5, 0.5, 0.5, 0.6]})
    best = winner(trials, PLAN, count)
    assert not isinstance(best, str) and (best.trial, best.place) == (1, 2)
    found = luck(trials, PLAN, best)
    assert not isinstance(found, str) and found.runner_up is not None
    assert found.runner_up.lead == pytest.approx(-0.01) and found.runner_up.fresh is not None and found.runner_up.fresh.value > 0


def test_a_search_of_pure_noise_is_all_luck():
    """All recipes are alike: the best of 30 looks good, and its lead is gone on fresh seeds."""
    random = np.random.default_rng(0)
    shares = []
    for _ in range(40):
        recipes, scores = others(30), random.normal(1.0, 0.1, 30)
        trials = by_hand(map(float, scores), recipes, {recipes[int(scores.argmin())]: [float(each) for each in random.normal(1.0, 0.1, 8)]})
        best = winner(trials, PLAN, count)
        assert not isinstance(best, str)
        found = luck(trials, PLAN, best)
        assert not isinstance(found, str) and found.share is not None
        shares.append(found.share)
    assert np.mean([share.value for share in shares]) == pytest.approx(1.0, abs=0.1)
    assert np.mean([share.low <= 1 <= share.high for share in shares]) >= 0.85


def test_choosing_among_like_recipes_is_optimistic_by_what_the_choice_gains():
    random = np.random.default_rng(1)
    table = random.normal(0.0, 1.0, (2000, 4, 8))
    found = [choice_optimism({str(at): dict(enumerate(row)) for at, row in enumerate(each)}) for each in table[:300]]
    assert np.mean([value for value in found if value is not None]) == pytest.approx(-table.mean(2).min(1).mean(), abs=0.06)


def test_without_fresh_seeds_there_is_a_reason():
    trials = by_hand([0.28, 0.3], [BIG, OTHER], {})
    assert "fresh seeds" in str(winner(trials, PLAN, count))


@pytest.mark.parametrize(("layers", "normalisation"), [((5, 4), "none"), ((), "none"), ((6,), "batch")])
def test_parameters_are_counted_as_scikit_learn_has_them(layers, normalisation):
    shapes = list(zip((10, *layers), (*layers, 3), strict=True))
    by_hand = sum(np.zeros(shape).size + shape[1] for shape in shapes) + (2 * sum(layers) if normalisation == "batch" else 0)
    assert parameter_count(Recipe(layers, normalisation=normalisation), 10, 3) == by_hand


def test_a_small_network_within_one_standard_error_is_found_and_its_one_seed_said():
    limit = np.mean(FRESH) + stats.sem(FRESH)
    trials = by_hand([0.28, limit - 1e-4, 0.40], [BIG, SMALL, *others(1)], {BIG: FRESH})
    best = winner(trials, PLAN, count)
    assert not isinstance(best, str)
    found = smallest(trials, PLAN, best, count)
    assert not isinstance(found, str)
    assert (found.trial, found.hidden_units, found.parameters, found.seeds) == (1, (8,), 97, 0)
    assert found.limit == pytest.approx(limit)
    assert found.score.high - found.score.value == pytest.approx(stats.t.ppf(0.975, 3) * np.std(FRESH, ddof=1))
    beyond = by_hand([0.28, limit + 1e-4, 0.40], [BIG, SMALL, *others(1)], {BIG: FRESH})
    assert "no trial with a smaller network" in str(smallest(beyond, PLAN, best, count))


def test_fresh_seeds_of_a_small_network_count_instead_of_its_lucky_score():
    trials = by_hand([0.28, 0.27, 0.40], [BIG, SMALL, *others(1)], {BIG: FRESH, SMALL: [0.36, 0.37, 0.35, 0.36]})
    best = winner(trials, PLAN, count)
    assert not isinstance(best, str)
    assert "no trial with a smaller network" in str(smallest(trials, PLAN, best, count))


RATE = Range("learning_rate", 1e-4, 1e-2, "log")


def edge_search(rates, layers=(1, 2)):
    space = space_of((RATE, Choice("hidden_layers", (1, 2, 3))))
    recipes = [space.recipe_of({"learning_rate": rate, "hidden_layers": layers[at % len(layers)]}) for at, rate in enumerate(rates)]
    trials = [one_trial(number, recipe, [0.5, 0.4, 0.3 + 0.001 * number]) for number, recipe in enumerate(recipes)]
    found = edges(trials, space, PLAN)
    assert not isinstance(found, str)
    return found


def test_best_trials_that_crowd_at_an_end_are_a_warning_with_the_next_decade():
    found = edge_search([0.0099, 0.0095, 0.003, 0.0098, 0.001, 0.0002, 0.0003])
    assert [(each.name, each.end, each.near, each.of, each.value, each.extended) for each in found] == [
        ("learning_rate", "high", 3, 5, 0.01, 0.1)
    ]


def test_one_best_trial_at_an_end_is_chance():
    assert edge_search([0.0099, 0.001, 0.003, 0.0005, 0.002, 0.0099, 0.0099]) == ()


def test_depth_has_ends_too():
    found = edge_search([0.001, 0.002, 0.003, 0.0005, 0.0007], layers=(3,))
    assert [(each.name, each.end, each.value, each.extended) for each in found] == [("hidden_layers", "high", 3, 4)]


@pytest.mark.parametrize(
    ("bounds", "end", "extended"),
    [
        (Range("learning_rate", 1e-4, 1e-2, "log"), "low", 1e-5),
        (Range("beta1", 0.9, 0.999, "log_one_minus"), "high", 0.9999),
        (Range("beta1", 0.9, 0.999, "log_one_minus"), "low", 0.0),
        (Range("keep_prob", 0.5, 1.0), "high", None),
        (Range("keep_prob", 0.5, 0.9), "high", 1.0),
        (Range("keep_prob", 0.5, 0.9), "low", 0.1),
        (Range("units", 50, 100, "integer"), "high", 150),
        (Range("units", 16, 128, "log_integer"), "high", 1280),
        (Range("label_smoothing", 0.0, 0.15), "low", None),
    ],
)
def test_ends_are_moved_on_their_own_scale_as_far_as_a_recipe_may_go(bounds, end, extended):
    found = extended_end(bounds, end)
    assert found == (None if extended is None else pytest.approx(extended))
    if found is not None:
        Recipe.from_dict({"hidden_units": (int(found),)} if bounds.name == "units" else {bounds.name: found})


def test_by_chance_a_warning_comes_in_few_searches():
    random = np.random.default_rng(0)
    warned = [len(edge_search(RATE.value(float(at)) for at in random.random(20))) > 0 for _ in range(300)]
    assert np.mean(warned) < 0.02


def test_the_map_has_the_mean_of_all_and_the_best_of_the_full_and_says_where_nothing_is():
    space = space_of((Choice("hidden_layers", (1, 2, 3)), Choice("units", (16, 32))))
    cells = [((16,), [0.9, 0.8, 0.5]), ((16,), [0.7]), ((32,), [0.6]), ((16, 16), [0.8, 0.7, 0.4])]
    trials = [one_trial(number, Recipe(units), losses) for number, (units, losses) in enumerate(cells)]
    found = architecture_map(compare(trials, space, PLAN), trials, space, PLAN)
    assert not isinstance(found, str)
    assert found.layers == (1, 2, 3) and found.widths == ((16, 16), (32, 32)) and found.steps == 100
    seen = {(cell.layers, cell.low): cell for cell in found.cells}
    first = seen[1, 16]
    assert first.mean is not None and first.mean.value == pytest.approx(0.8) and first.mean.low < 0.7 and first.best == 0.5
    assert seen[1, 32].best is None and seen[1, 32].trials == 1
    assert seen[2, 16].best == 0.4
    assert seen[3, 16].trials == seen[2, 32].trials == 0 and seen[3, 16].mean is None


def test_width_classes_cover_every_width_once():
    for units in ([16, 32], list(range(16, 129, 3)), [0, *range(5, 600, 7)]):
        classes = width_classes(units)
        assert all(sum(low <= unit <= high for low, high in classes) == 1 for unit in units)
