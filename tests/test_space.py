"""Draws: even on each range's own scale, whatever the seed; the course's examples of appropriate scales."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shoal.default_space import around, augmented_as, default_batch_size, default_epochs, default_space, large_batch_size
from shoal.parameters import Choice, Range
from shoal.recipe import AUGMENTATIONS, CHOICES, TECHNIQUES, Recipe, techniques_of
from shoal.samplers.points import sobol
from shoal.space import Family

BASE = Recipe((100, 100), batch_size=64)
RANGES = (
    Range("units", 25, 100, "log_integer", ""),
    Range("learning_rate", 1e-4, 1.0, "log", ""),
    Range("beta1", 0.9, 0.999, "log_one_minus", ""),
    Range("keep_prob", 0.5, 1.0, "linear", ""),
)
FAMILY = Family(BASE, 100, RANGES)
SEEDS = range(5)


def draw(family, count, seed):
    """As a search does by default."""
    return [family.at(point.tolist()) for point in sobol(family.ranges, count, seed)]


def drawn(name, seed, count=64, family=FAMILY):
    return np.array([recipe.hidden_units[0] if name == "units" else getattr(recipe, name) for recipe in draw(family, count, seed)])


@pytest.mark.parametrize("seed", SEEDS)
def test_half_the_draws_of_beta_from_0_9_to_0_999_exceed_0_99(seed):
    assert (drawn("beta1", seed) > 0.99).sum() == 32


def test_a_uniform_scale_or_a_reversed_log_scale_would_exceed_0_99_in_about_a_tenth_of_the_draws():
    for scale in ("linear", "log"):
        family = Family(BASE, 100, (Range("beta1", 0.9, 0.999, scale, ""),))
        assert 0.07 < (drawn("beta1", 0, family=family) > 0.99).mean() < 0.11


@pytest.mark.parametrize("seed", SEEDS)
def test_learning_rates_fall_evenly_on_the_decades(seed):
    decades = np.floor(np.log10(drawn("learning_rate", seed)))
    assert [int((decades == decade).sum()) for decade in (-4, -3, -2, -1)] == [16, 16, 16, 16]


def test_a_uniform_scale_would_spend_nine_tenths_of_its_draws_on_the_last_decade():
    family = Family(BASE, 100, (Range("learning_rate", 1e-4, 1.0, "linear", ""),))
    assert (drawn("learning_rate", 0, family=family) > 0.1).mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bounds", RANGES, ids=lambda bounds: bounds.name)
def test_every_range_is_covered_evenly_on_its_own_scale(bounds, seed):
    """Each of 64 equal stretches of the scale gets one draw."""
    values = np.sort(drawn(bounds.name, seed))
    edges = np.array([bounds.value(at) for at in np.arange(65) / 64])
    assert ((values >= edges[:-1] - 1e-9) & (values <= edges[1:] + 1e-9)).all()


def test_draws_of_different_ranges_are_not_correlated():
    points = np.array([[r.hidden_units[0], math.log(r.learning_rate), math.log(1 - r.beta1), r.keep_prob] for r in draw(FAMILY, 256, 1)])
    assert np.abs(stats.spearmanr(points).statistic - np.eye(4)).max() < 0.12  # type: ignore[attr-defined]


@given(st.integers(1, 200), st.integers(0, 2**31))
def test_as_many_recipes_as_asked_for_are_drawn_each_valid_and_of_the_familys_shape_and_width(count, seed):
    recipes = draw(FAMILY, count, seed)
    assert len(recipes) == len(set(recipes)) == count
    assert {recipe.shape for recipe in recipes} == {FAMILY.shape}
    assert max(max(recipe.hidden_units) for recipe in recipes) <= FAMILY.width
    assert recipes == draw(FAMILY, count, seed)


def test_another_seed_draws_other_recipes():
    assert not set(draw(FAMILY, 32, 0)) & set(draw(FAMILY, 32, 1))


def test_25_draws_try_25_values_of_each_number_where_a_grid_would_try_5():
    recipes = draw(FAMILY, 25, 0)
    assert len({recipe.learning_rate for recipe in recipes}) == len({recipe.beta1 for recipe in recipes}) == 25


def test_a_family_without_ranges_is_its_base():
    assert Family(BASE, 100, ()).at(()) == BASE


@pytest.mark.parametrize("scale", ["linear", "integer", "log", "log_integer", "log_one_minus"])
@given(st.floats(0, 1), st.floats(0, 1))
def test_every_scale_runs_from_low_to_high_without_turning_back(scale, one, other):
    low, high = (0.9, 0.999) if scale == "log_one_minus" else (50, 100)
    bounds = Range("x", low, high, scale, "")
    assert bounds.value(0) == pytest.approx(low) and bounds.value(1) == pytest.approx(high)
    lower, upper = sorted((one, other))
    assert low - 1e-9 <= bounds.value(lower) <= bounds.value(upper) <= high + 1e-9
    assert isinstance(bounds.value(one), int) == scale.endswith("integer")


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("rows", [40, 2_000, 500_000])
@pytest.mark.parametrize("by_error", [True, False])
@pytest.mark.parametrize("has_bins", [True, False])
def test_the_default_space_draws_valid_recipes_that_fit_their_width_for_any_table(task, rows, has_bins, by_error):
    for family in default_space(task, rows, has_bins, by_error).families:
        recipes = draw(family, 16, 0)
        assert {recipe.shape for recipe in recipes} == {family.shape}
        assert max(max(recipe.hidden_units) for recipe in recipes) <= family.width
        smoothed = any(recipe.label_smoothing for recipe in recipes)
        assert smoothed == (task == "classification" and by_error)
        assert len({bounds.name for bounds in family.ranges}) == len(family.ranges)
        assert has_bins or family.shape.numeric_encoding == "standard"
        assert all(bounds.reason for bounds in family.ranges)


def test_families_of_the_default_space_have_different_shapes_and_one_length_of_training():
    families = default_space("classification", 5_000, True, True).families
    assert len({(family.shape, family.width) for family in families}) == len(families)
    assert len({family.base.epochs for family in families}) == 1
    sizes = {(family.base.optimiser, family.base.batch_size) for family in families}
    assert sizes == {("adamw", default_batch_size(5_000)), ("muon", large_batch_size(5_000))}
    assert large_batch_size(5_000) == 4 * default_batch_size(5_000)


def test_the_only_shape_is_by_muon_for_a_quantity_of_many_rows_and_for_classes_with_bins_or_without():
    quantity, classes = (default_space(task, 8_000, has_bins=True, selects_by_error=False) for task in ("regression", "classification"))

    def settings(space, numbers):
        return [(space.families[number].base.optimiser, space.families[number].base.numeric_encoding) for number in numbers]

    assert settings(quantity, quantity.alone) == [("muon", "piecewise")]
    assert settings(classes, classes.alone) == [("adamw", "piecewise"), ("adamw", "standard")]
    begin = Recipe((64, 64), epochs=50.0)
    for space in (quantity, classes):  # the same families once the loop's result has one of its own among them
        later = around(space, begin, replace(begin, hidden_units=(16,)), 16)
        assert settings(later, later.alone) == settings(space, space.alone)
    few = default_space("regression", 7_999, has_bins=True, selects_by_error=False)
    assert settings(few, few.alone) == [("adamw", "piecewise")]
    without = default_space("classification", 5_000, has_bins=False, selects_by_error=False)
    assert without.alone == (0,) and len(without.families) == 1


def test_after_the_loop_the_families_keep_what_their_optimiser_goes_with_and_the_result_has_a_family_of_its_own():
    space = default_space("classification", 5_000, True, True)
    begin = Recipe((16,), batch_size=48, optimiser="momentum")
    result = replace(begin, optimiser="adam", keep_prob=0.8)
    first, own, *others = around(space, begin, result, 16).families
    kept = [(family.base.optimiser, family.base.batch_size) for family in (first, *others)]
    assert kept == [(family.base.optimiser, family.base.batch_size) for family in space.families]
    assert (own.base.optimiser, own.base.batch_size, own.base.keep_prob) == ("adam", 48, 0.8)


@pytest.mark.parametrize("units", [(16,), ()], ids=["an own family", "no family of its own"])
def test_after_the_loop_every_family_has_the_loss_of_its_result_since_trials_are_compared_by_it(units):
    space = default_space("regression", 5_000, True, False, loss="poisson")
    assert {family.base.loss for family in space.families} == {space.base.loss} == {"poisson"}
    begin = Recipe(units, loss="quantile", quantile=0.9)
    result = replace(begin, keep_prob=0.8)
    found = around(space, begin, result, 16)
    recipes = [found.base, *(recipe for family in found.families for recipe in draw(family, 4, 0))]
    assert {(recipe.loss, recipe.quantile) for recipe in recipes} == {("quantile", 0.9)}


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_more_rows_never_mean_smaller_batches_or_more_epochs(one, other):
    fewer, more = sorted((one, other))
    assert default_batch_size(fewer) <= default_batch_size(more)
    size = default_batch_size(more)
    assert default_epochs(fewer, size) >= default_epochs(more, size) > 0


def test_a_recipe_at_a_point_of_the_cube_keeps_what_no_range_names():
    recipe = FAMILY.at((0.0, 0.5, 0.5, 1.0))
    expected = replace(BASE, hidden_units=(25, 25), learning_rate=0.01, beta1=0.99, keep_prob=1.0)
    assert recipe.learning_rate == pytest.approx(0.01)
    assert replace(recipe, learning_rate=0.01) == expected


OPTIMISERS = ("momentum", "adamw", "lion", "adagrad")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_value_of_a_choice_is_drawn_equally_often_and_whatever_the_ranges_beside_it(seed):
    recipes = draw(Family(BASE, 100, (*RANGES, Choice("optimiser", OPTIMISERS, ""))), 64, seed)
    assert sorted(recipe.optimiser for recipe in recipes) == sorted(OPTIMISERS * 16)
    rates = [np.log([recipe.learning_rate for recipe in recipes if recipe.optimiser == name]) for name in OPTIMISERS]
    assert np.ptp([one.mean() for one in rates]) < 1.2  # of a range 9.2 long
    assert len(set(recipes)) == 64


@given(st.lists(st.integers(), min_size=1, max_size=7, unique=True), st.floats(0, 1))
def test_a_choice_takes_its_values_in_turn_and_the_last_one_at_the_end(values, position):
    choice = Choice("x", tuple(values), "")
    assert choice.value(0.0) == values[0] and choice.value(1.0) == values[-1]
    assert values.index(choice.value(position)) in (math.floor(position * len(values)), len(values) - 1)


def test_a_choice_may_turn_a_technique_off():
    family = Family(BASE, 100, (Choice("clip_norm", (None, 1.0), ""), Choice("keep_prob", (1.0, (1.0, 0.5)), "")))
    recipes = draw(family, 64, 0)
    assert {(recipe.clip_norm, recipe.keep_prob) for recipe in recipes} == {(n, k) for n in (None, 1.0) for k in (1.0, (1.0, 0.5))}


OF_EVERYTHING = (
    Choice("optimiser", tuple(name for name in CHOICES["optimiser"] if name != "adam"), ""),
    Choice("initialisation", CHOICES["initialisation"], ""),
    Choice("decay", CHOICES["decay"], ""),
    *(Choice(name, (None, 1.0), "") for name in ("clip_value", "clip_norm", "max_norm")),
    *(Range(name, 0.0, 0.5, "linear", "") for name in ("weight_average", "l2", "weight_decay", "l1", "input_noise", "mixup")),
    *(Range(name, 0.0, 0.5, "linear", "") for name in ("label_smoothing", "class_balance", "input_scale_rate", "activation_rate")),
    *(Range(name, 0.5, 1.0, "linear", "") for name in ("keep_prob", "input_keep_prob")),
    *(Range(name, 0.0, 0.5, "linear", "") for name in AUGMENTATIONS),
)


@pytest.mark.parametrize("searched", OF_EVERYTHING, ids=lambda searched: searched.name)
def test_a_family_holds_the_techniques_of_its_draws_and_no_others(searched):
    """What is off at one end of a range is in the program if it is on at the other."""
    family = Family(BASE, 100, (RANGES[1], searched))
    assert family.techniques == techniques_of([BASE, *draw(family, 64, 0)])
    assert set(family.techniques) > set(BASE.techniques)


@given(st.integers(0, 2**31), st.integers(0, 2 ** len(OF_EVERYTHING) - 1))
def test_no_recipe_of_a_family_uses_what_the_familys_program_leaves_out(seed, chosen):
    searched = tuple(each for place, each in enumerate(OF_EVERYTHING) if chosen >> place & 1)
    family = Family(BASE, 100, searched)
    assert set(techniques_of(draw(family, 8, seed))) <= set(family.techniques)


def test_a_family_may_search_every_technique_at_once():
    assert set(Family(BASE, 100, OF_EVERYTHING).techniques) == set(TECHNIQUES)


def test_a_family_without_ranges_holds_what_its_base_uses():
    base = replace(BASE, mixup=0.2, keep_prob=0.5)
    assert Family(base, 100, ()).techniques == base.techniques


def test_first_recipes_for_colour_pictures_are_augmented_until_it_was_measured():
    colour, grey = (default_space("classification", 5_000, False, True, (32, 32, channels)) for channels in (3, 1))
    assert {(family.base.horizontal_flip, family.base.crop) for family in colour.families} == {(0.5, 0.1)}
    assert {(family.base.horizontal_flip, family.base.crop) for family in grey.families} == {(0.0, 0.0)}
    measured = replace(grey.base, crop=0.05, rotation=10.0)
    after = augmented_as(colour, measured)
    for base in (after.base, *(family.base for family in after.families)):
        assert [getattr(base, name) for name in AUGMENTATIONS] == [getattr(measured, name) for name in AUGMENTATIONS]
    assert [family.ranges for family in after.families] == [family.ranges for family in colour.families]
