"""The changes that the basic recipe lists, and the random ones beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.diagnose import CHECKS
from shoal.loop.changes import REMEDIES, Change, Facts, against_bias, against_variance, suitable
from shoal.loop.controls import KNOBS, random_change, size, techniques_of_loop
from shoal.measurements import RateRange
from shoal.recipe import Recipe

FACTS = Facts("classification", 3, 5_000, True)
REGRESSION = Facts("regression", 0, 5_000, True)


def settings(changes):
    return [name for change in changes for name in change.settings]


def test_high_bias_asks_for_a_bigger_network_longer_training_and_another_architecture():
    proposed = suitable(against_bias(Recipe(), FACTS), Recipe(), FACTS)
    assert [*proposed[0].settings.values()] == [(128, 128)]
    assert proposed[1].settings == {"epochs": 100.0}
    assert {"numeric_encoding", "learning_rate", "normalisation"} <= set(settings(proposed))
    assert any(len(change.settings.get("hidden_units", ())) == 3 for change in proposed)


def test_a_network_held_back_by_its_regularisers_is_set_free_first():
    recipe = Recipe(keep_prob=0.3, l2=100.0)
    proposed = suitable(against_bias(recipe, FACTS), recipe, FACTS)
    assert settings(proposed[:2]) == ["keep_prob", "l2"]


def test_high_variance_asks_for_regularisation_and_a_smaller_network():
    proposed = suitable(against_variance(Recipe(), FACTS), Recipe(), FACTS)
    assert {"keep_prob", "weight_decay", "mixup", "label_smoothing", "input_noise"} <= set(settings(proposed))
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
