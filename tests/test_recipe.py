"""Recipes: what they accept, how they say what is wrong, and what becomes of them."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import OptionError
from shoal.recipe import CHOICES, NUMBER_RANGES, Numbers, Recipe, stack, techniques_of

recipes = st.builds(
    Recipe,
    hidden_units=st.lists(st.integers(1, 300), max_size=8).map(tuple),
    channels=st.lists(st.integers(1, 300), max_size=3).map(tuple),
    convolutions_per_block=st.integers(2, 3),
    kernel_size=st.sampled_from((1, 3, 5)),
    pooling=st.sampled_from(CHOICES["pooling"]),
    residual=st.booleans(),
    global_pooling=st.sampled_from(CHOICES["global_pooling"]),
    activation=st.sampled_from(CHOICES["activation"]),
    normalisation=st.sampled_from(CHOICES["normalisation"]),
    batch_size=st.integers(2, 512),
    initialisation=st.sampled_from(CHOICES["initialisation"]),
    optimiser=st.sampled_from(CHOICES["optimiser"]),
    learning_rate=st.floats(1e-6, 10),
    keep_prob=st.floats(0.1, 1),
    input_keep_prob=st.floats(0.1, 1),
    clip_norm=st.none() | st.floats(0.1, 10),
    decay=st.sampled_from(CHOICES["decay"]),
    patience=st.none() | st.floats(1, 10),
)


def problems(**settings):
    with pytest.raises(OptionError) as raised:
        Recipe.from_dict(settings)
    return raised.value.problems


@pytest.mark.parametrize(
    ("settings", "requirement", "remedy"),
    [
        ({"activation": "rleu"}, "activation is one of identity, sigmoid, tanh, relu", "'relu'"),
        ({"optimiser": "adamm"}, "optimiser is one of", "'adam'"),
        ({"optimiser": "RMSProp"}, "optimiser is one of", "'rmsprop'"),
        ({"decay": "cosin"}, "decay is one of", "'cosine'"),
        ({"initialisation": "xaviér"}, "initialisation is one of", "'xavier'"),
        ({"learning_rate": 0.0}, "learning_rate is a number above 0", "inside"),
        ({"learning_rate": -1}, "learning_rate is a number above 0", "inside"),
        ({"learning_rate": math.nan}, "learning_rate is a number", "Give a number"),
        ({"learning_rate": math.inf}, "learning_rate is a number", "inside"),
        ({"learning_rate": "0.1"}, "learning_rate is a number", "Give a number"),
        ({"learning_rate": True}, "learning_rate is a number", "Give a number"),
        ({"beta1": 1.0}, "beta1 is a number at least 0 and below 1", "inside"),
        ({"beta2": -0.1}, "beta2", "inside"),
        ({"epsilon": 0.0}, "epsilon is a number above 0", "inside"),
        ({"l2": -1.0}, "l2 is a number at least 0", "inside"),
        ({"weight_decay": -1.0}, "weight_decay", "inside"),
        ({"keep_prob": 0.0}, "keep_prob is a number above 0 and at most 1", "inside"),
        ({"keep_prob": 1.1}, "keep_prob", "inside"),
        ({"keep_prob": (0.8, 0.8, 0.8)}, "keep_prob is one number, or one per hidden layer", "Give one number"),
        ({"keep_prob": (0.8, 0.0)}, "keep_prob", "inside"),
        ({"input_keep_prob": 0.0}, "input_keep_prob", "inside"),
        ({"label_smoothing": 1.0}, "label_smoothing is a number at least 0 and below 1", "inside"),
        ({"clip_norm": 0.0}, "clip_norm is a number above 0", "inside"),
        ({"patience": -1.0}, "patience", "inside"),
        ({"epochs": 0}, "epochs", "inside"),
        ({"batch_size": 0}, "batch_size is a positive whole number up to", "128"),
        ({"batch_size": 10**9}, "batch_size is a positive whole number up to", "128"),
        ({"hidden_units": (10**30,)}, "hidden_units lists 0 to 8 positive whole numbers up to 65536", "(64, 64)"),
        ({"learning_rate": 10**400}, "learning_rate is a number above 0", "inside"),
        ({"patience_steps": 2.5}, "patience_steps is a whole number", "1000"),
        ({"batch_size": 32.0}, "batch_size", "128"),
        ({"batch_size": 1, "normalisation": "batch"}, "batch norm needs at least 2 examples", "Raise batch_size"),
        ({"normalisation": "bach"}, "normalisation is one of none, batch, layer", "'batch'"),
        ({"batch_size": "every"}, "batch_size is a positive whole number up to", "128"),
        ({"weight_decay": 0.1, "optimiser": "adam"}, "adam has no decoupled weight decay", "'adamw'"),
        ({"patience": 2.0, "patience_steps": 30}, "patience is given in epochs or in steps", "Leave one"),
        ({"warm_up": 50.0}, "warm_up is shorter than the training", "Lower warm_up"),
        ({"decay_factor": 0.0}, "decay_factor is a number above 0 and at most 1", "inside"),
        ({"mixup": -0.1}, "mixup is a number at least 0", "inside"),
        ({"quantile": 1.0}, "quantile is a number above 0 and below 1", "inside"),
        ({"hidden_units": (0,)}, "hidden_units lists 0 to 8 positive whole numbers", "(64, 64)"),
        ({"hidden_units": (4,) * 9}, "hidden_units lists 0 to 8", "(64, 64)"),
        ({"hidden_units": 64}, "hidden_units", "(64, 64)"),
        ({"hidden_units": (2.5,)}, "hidden_units", "(64, 64)"),
        ({"lerning_rate": 0.1}, "a recipe has known settings only", "'learning_rate'"),
        ({"channels": (0,)}, "channels lists 0 to 8 positive whole numbers up to 4096, one per block", "(16, 32)"),
        ({"channels": (8,) * 9}, "channels lists 0 to 8", "(16, 32)"),
        ({"convolutions_per_block": 0}, "convolutions_per_block is a whole number from 1 to 8", "2"),
        ({"kernel_size": 4}, "kernel_size is an odd whole number up to 15", "3"),
        ({"residual": 1}, "residual is true or false", "true or false"),
        ({"channels": (8,), "residual": True}, "residual connections lead past the convolutions", "Raise convolutions_per_block"),
        (
            {"channels": (8,), "hidden_units": (4,), "keep_prob": (0.5,)},
            "keep_prob is one number, or one per hidden layer, and one before them",
            "Give one number",
        ),
        ({"pooling": "mean"}, "pooling is one of max, average, none", "max"),
        ({"hidden_unit": (4,)}, "a recipe has known settings only", "'hidden_units'"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_requirement_the_value_and_the_likeliest_correction(settings, requirement, remedy):
    (problem,) = problems(**settings)
    assert problem.requirement.startswith(requirement) and remedy in problem.remedy
    name, value = next(iter(settings.items()))
    shown = {
        repr(name),
        repr(value),
        *(map(repr, value) if isinstance(value, tuple) else ()),
        f"{name} {value}",
        "3 values for 2 hidden layers",
        "1 value for 1 hidden layer",
        "one convolution per block",
    }
    assert any(text in problem.received for text in shown)


def test_all_problems_are_reported_at_once():
    found = problems(activation="rleu", optimiser="adamm", learning_rate=-1.0, beta1=2.0, keep_prob=0.0, hidden_units=(8,), epochs=-1.0)
    assert len(found) == 6
    assert len(problems(lerning_rate=1.0, learning_rate=-1.0)) == 2
    with pytest.raises(OptionError, match=r"6 problems:\n  - activation is one of"):
        Recipe(activation="rleu", optimiser="adamm", learning_rate=-1.0, beta1=2.0, keep_prob=0.0, epochs=-1.0)  # type: ignore[arg-type]


def test_all_unknown_settings_are_reported_at_once():
    assert len(problems(lerning_rate=0.1, hidden_unit=(4,), learning_rate=0.1)) == 2


@pytest.mark.parametrize(
    "settings",
    [{"hidden_units": ()}, {"hidden_units": (1,) * 8}, {"beta1": 0.0}, {"keep_prob": 1}, {"epochs": 1}, {"batch_size": 1}, {"l2": 0}],
)
def test_the_ends_of_ranges_that_belong_to_them_are_accepted(settings):
    assert Recipe(**settings)


@given(recipes)
def test_a_recipe_survives_json_and_stays_hashable(recipe):
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe and hash(again) == hash(recipe) and len({again, recipe}) == 1


@given(recipes)
def test_the_numbers_hold_everything_but_the_shape_and_their_types_and_sizes_depend_on_the_depth_only(recipe):
    bare = Recipe(
        (1,) * len(recipe.hidden_units), channels=(1,) * len(recipe.channels), convolutions_per_block=recipe.convolutions_per_block
    )
    numbers, reference = recipe.numbers(2**40 + 3), bare.numbers(0)
    for value, other in zip(leaves(numbers), leaves(reference), strict=True):
        assert (value.dtype, value.shape) == (other.dtype, other.shape)
    shape = recipe.shape
    assert (shape.hidden_layers, shape.activation) == (len(recipe.hidden_units), recipe.activation)
    assert (shape.batch_size, shape.normalisation) == (recipe.batch_size, recipe.normalisation)
    assert isinstance(hash(shape), int)


def leaves(numbers):
    return [*numbers._replace(blocks=np.zeros(()))[:], *numbers.blocks]


def test_every_setting_is_shape_or_number_or_what_becomes_of_the_final_model():
    """A changed setting changes the shape or the numbers: none is forgotten on the way to the program."""
    base = Recipe(hidden_units=(4, 4), channels=(8,), convolutions_per_block=2)
    changed = {
        **{name: next(choice for choice in choices if choice != getattr(base, name)) for name, choices in CHOICES.items()},
        "hidden_units": (4, 5), "batch_size": 64, "keep_prob": (1.0, 1.0, 0.5), "input_keep_prob": 0.5,
        "clip_norm": 1.0, "clip_value": 1.0, "max_norm": 2.0, "patience": 3.0, "patience_steps": 9,
        "channels": (9,), "convolutions_per_block": 3, "kernel_size": 5, "residual": True,
    }  # fmt: skip
    for setting in fields(Recipe):
        value = changed.get(setting.name, getattr(base, setting.name))
        other = replace(base, **{setting.name: value / 2 + 0.1 if setting.name not in changed else value})
        same_numbers = all(np.array_equal(a, b) for a, b in zip(leaves(base.numbers(0)), leaves(other.numbers(0)), strict=True))
        assert other.shape != base.shape or not same_numbers or setting.name == "calibration", setting.name
        assert base.diff(other) == {setting.name: (getattr(base, setting.name), getattr(other, setting.name))}


def test_a_program_holds_what_any_of_its_recipes_uses_and_a_plain_recipe_uses_nothing_beyond_its_optimiser():
    assert Recipe(optimiser="gradient_descent").techniques == ()
    assert Recipe().techniques == ("first_moment", "second_moment")
    both = [Recipe(optimiser="gradient_descent", mixup=0.2), Recipe(optimiser="nesterov", keep_prob=(1.0, 0.5))]
    assert techniques_of(both) == ("dropout", "first_moment", "mixup", "nesterov")


def test_no_clipping_and_no_patience_are_infinities():
    numbers = Recipe().numbers(0)
    assert np.isinf(numbers.clip_norm) and np.isinf(numbers.patience)


def test_stacked_numbers_have_a_leading_axis_of_networks():
    stacked = stack([Recipe((4, 5)).numbers(1), Recipe((6, 7)).numbers(2), Recipe((8, 9)).numbers(3)])
    assert stacked.units.tolist() == [[4, 5], [6, 7], [8, 9]] and stacked.seed.tolist() == [1, 2, 3]
    assert all(len(value) == 3 for value in leaves(stacked)[1:] if value.ndim) and isinstance(stacked, Numbers)
    assert all(len(value) == 3 for value in stacked.blocks)


def test_ranges_are_stated_for_settings_that_exist():
    names = {setting.name for setting in fields(Recipe)}
    assert set(NUMBER_RANGES) | set(CHOICES) < names


def test_a_number_beyond_single_precision_is_a_setting_out_of_range():
    with pytest.raises(OptionError, match="learning_rate is a number above 0"):
        Recipe(learning_rate=1e200)
