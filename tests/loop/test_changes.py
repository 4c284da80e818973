"""The changes that the basic recipe lists, and the random ones beside them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.diagnose import CHECKS
from shoal.loop.changes import REMEDIES, Change, Facts, against_bias, against_variance, suitable
from shoal.loop.controls import KNOBS, PICTURE_KNOBS, random_change, size, techniques_of_loop
from shoal.measurements import RateRange
from shoal.recipe import AUGMENTATIONS, Recipe

FACTS = Facts("classification", 3, 5_000, True)
REGRESSION = Facts("regression", 0, 5_000, True)


def settings(changes):
    return [name for change in changes for name in change.settings]


def test_high_bias_asks_for_a_bigger_network_longer_training_and_another_architecture():
    proposed = suitable(against_bias(Recipe(), FACTS), Recipe(), FACTS)
    assert [*proposed[0].settings.values()] == [(128, 128)]
    assert proposed[1].settings == {"epochs": 100.0}
    assert {"numeric_encoding", "input_scale_rate", "learning_rate", "normalisation"} <= set(settings(proposed))
    assert any(len(change.settings.get("hidden_units", ())) == 3 for change in proposed)


def test_a_network_held_back_by_its_regularisers_is_set_free_first():
    recipe = Recipe(keep_prob=0.3, l2=100.0)
    proposed = suitable(against_bias(recipe, FACTS), recipe, FACTS)
    assert settings(proposed[:2]) == ["keep_prob", "l2"]


def test_high_variance_asks_for_regularisation_and_a_smaller_network():
    proposed = suitable(against_variance(Recipe(), FACTS), Recipe(), FACTS)
    assert {"keep_prob", "input_scale_rate", "weight_decay", "mixup", "label_smoothing", "input_noise"} <= set(settings(proposed))
    assert any(change.settings.get("hidden_units") == (32, 32) for change in proposed)


def test_what_does_not_suit_the_task_or_the_optimiser_is_left_out():
    assert "label_smoothing" not in settings(suitable(against_variance(Recipe(), REGRESSION), Recipe(), REGRESSION))
    descent = Recipe(optimiser="gradient_descent")
    proposed = settings(suitable(against_variance(descent, FACTS), descent, FACTS))
    assert "l2" in proposed and "weight_decay" not in proposed
    linear = Recipe(hidden_units=())
    assert all("keep_prob" not in change.settings for change in suitable(against_variance(linear, FACTS), linear, FACTS))


def test_every_disease_that_has_a_remedy_has_a_check():
    assert set(REMEDIES) <= {check.code for check in CHECKS}


@pytest.mark.parametrize(
    ("code", "sick", "mended"),
    [
        ("SH405", Recipe(initialisation="zeros"), {"initialisation": "he"}),
        ("SH401", Recipe(activation="tanh", initialisation="small_random"), {"initialisation": "xavier"}),
        ("SH406", Recipe(initialisation_gain=30.0), {"initialisation_gain": 1.0}),
        ("SH208", Recipe(normalisation="batch", batch_size=2), {"batch_size": 64}),
        ("SH209", Recipe(input_normalisation="none"), {"input_normalisation": "smooth"}),
        ("SH210", Recipe(keep_prob=0.1), {"keep_prob": 0.9}),
        ("SH210", Recipe(l2=1000.0), {"l2": 0.0}),
        ("SH403", Recipe(activation="relu"), {"activation": "leaky_relu"}),
        ("SH402", Recipe(activation="identity", initialisation_gain=2.0), {"initialisation_gain": 1.0}),
    ],
)
def test_each_disease_of_the_training_is_answered_by_its_cure_first(code, sick, mended):
    first = suitable(REMEDIES[code](sick, FACTS), sick, FACTS)[0].applied(sick)
    assert {name: getattr(first, name) for name in mended} == mended


def test_a_learning_rate_that_is_far_off_goes_to_where_the_range_test_found_the_best():
    measured = RateRange((1e-4, 1e-2, 1.0), (1.0, 0.2, None), 1.0, 200, 0.3, 1e-2, 1e-3, 1e-1)
    facts = Facts("classification", 3, 5_000, True, None, measured)
    for code, rate in (("SH203", 0.3), ("SH204", 3e-6)):
        recipe = Recipe(learning_rate=rate)
        assert suitable(REMEDIES[code](recipe, facts), recipe, facts)[0].settings == {"learning_rate": 0.005}


def test_every_change_says_in_two_sentences_why():
    for recipe in (Recipe(), Recipe(keep_prob=0.3, l2=50.0, activation="tanh")):
        listed = [against_bias, against_variance, *REMEDIES.values()]
        for change in (change for changes in listed for change in changes(recipe, FACTS)):
            assert change.explanation.count(". ") == 1 and change.explanation.endswith("."), change


def test_a_change_is_said_in_words():
    assert Change({"keep_prob": 0.8, "clip_norm": 1.0}, "").words(Recipe()) == "keep_prob 1.0 to 0.8, clip_norm off to 1.0"


changes = st.sampled_from([*against_bias(Recipe(), FACTS), *against_variance(Recipe(), FACTS)])


@given(changes, st.integers(0, 10_000))
def test_a_control_is_another_setting_moved_by_the_same_share_of_its_range(change, seed):
    control = random_change(change, Recipe(), FACTS, np.random.default_rng(seed))
    assert not set(control.settings) & set(change.settings)
    assert control.applied(Recipe()) != Recipe()
    assert size(control, Recipe()) == pytest.approx(size(change, Recipe()), abs=0.02)


@given(st.integers(0, 1000), st.sampled_from(["adamw", "adam", "gradient_descent"]), st.sampled_from([FACTS, REGRESSION]))
def test_no_control_needs_another_program(seed, optimiser, facts):
    recipe = Recipe(optimiser=optimiser)
    control = random_change(Change({"epochs": 100.0}, ""), recipe, facts, np.random.default_rng(seed)).applied(recipe)
    assert control.shape == recipe.shape
    assert set(control.techniques) <= set(techniques_of_loop(recipe, facts))


def test_controls_go_up_and_down_and_turn_every_number():
    rng = np.random.default_rng(0)
    turned = [random_change(Change({"epochs": 100.0}, ""), Recipe(), FACTS, rng) for _ in range(300)]
    assert {name for change in turned for name in change.settings} == {knob.name for knob in KNOBS}
    rates = [change.settings["learning_rate"] for change in turned if "learning_rate" in change.settings]
    assert min(rates) < Recipe().learning_rate < max(rates)


PICTURES = replace(FACTS, has_bins=False, picture=(28, 28, 1))


def test_of_pictures_augmentation_is_proposed_first_against_variance_flips_too_and_none_of_a_table():
    recipe = Recipe(channels=(16, 32), hidden_units=(64,), horizontal_flip=0.5)
    proposed = settings(suitable(against_variance(recipe, PICTURES), recipe, PICTURES))
    assert proposed[:3] == ["crop", "rotation", "cutout"] and "horizontal_flip" not in proposed  # which is in use already
    assert settings(suitable(against_variance(Recipe(), PICTURES), Recipe(), PICTURES))[0] == "horizontal_flip"
    assert not set(AUGMENTATIONS) & set(settings(suitable(against_variance(Recipe(), FACTS), Recipe(), FACTS)))


def test_of_pictures_more_convolutions_are_proposed_first_against_bias_as_many_as_fit():
    dense = Recipe(hidden_units=(64,))
    assert suitable(against_bias(dense, PICTURES), dense, PICTURES)[0].settings["channels"] == (16, 32)
    recipe = Recipe(channels=(16, 32), hidden_units=(64,))
    found = [change.settings for change in suitable(against_bias(recipe, PICTURES), recipe, PICTURES)]
    assert found[:3] == [{"channels": (32, 64)}, {"channels": (16, 32, 64)}, {"convolutions_per_block": 2, "residual": True}]
    assert not any("epochs" in each for each in found)
    small = replace(PICTURES, picture=(6, 5, 1))
    assert {"channels": (16, 32, 64)} not in [change.settings for change in suitable(against_bias(recipe, small), recipe, small)]
    assert not any("channels" in change.settings for change in against_bias(dense, FACTS))


def test_beside_changes_of_pictures_a_random_change_may_turn_augmentation_and_the_program_holds_it():
    recipe, change = Recipe(channels=(16, 32), hidden_units=(64,)), Change({"crop": 0.1}, "")
    drawn = {settings([random_change(change, recipe, PICTURES, np.random.default_rng(seed))])[0] for seed in range(150)}
    assert drawn >= {"rotation", "cutout", "learning_rate", "keep_prob"} and "crop" not in drawn
    assert set(AUGMENTATIONS) <= set(techniques_of_loop(recipe, PICTURES))
    assert not set(AUGMENTATIONS) & set(techniques_of_loop(Recipe(), FACTS))
    assert {knob.name for knob in PICTURE_KNOBS} == set(AUGMENTATIONS)
