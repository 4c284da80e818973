"""Recipes in plain words: nothing is left out, and the numbers are the course's."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest
from hypothesis import given

from shoal.explanations import ITEMS, SETTINGS, Explanation, describe_diff, explain, written
from shoal.explanations.choices import CHOICE_WORDS
from shoal.recipe import CHOICES, OPTIONAL_NUMBERS, Recipe

from .test_recipe_file import few, recipes


def of(recipe: Recipe, name: str) -> Explanation:
    return next(each for each in explain(recipe) if each.name == name)


def test_every_setting_of_a_recipe_has_an_entry():
    assert set(SETTINGS) == {field.name for field in fields(Recipe)}


def test_every_choice_of_a_setting_has_words():
    assert {name: set(words) for name, words in CHOICE_WORDS.items()} == {name: set(choices) for name, choices in CHOICES.items()}


def test_every_technique_has_a_number_and_a_name_and_is_that_of_a_setting():
    numbers = {setting.item for setting in SETTINGS.values()}
    numbers |= {choice.item for words in CHOICE_WORDS.values() for choice in words.values() if choice.item}
    assert numbers == set(ITEMS)


def test_headings_stand_in_the_order_of_the_method_each_of_them_once():
    headings = [setting.heading for setting in SETTINGS.values()]
    order = ["Network", "Outputs and loss", "Initialisation", "Optimisation", "Learning rate", "Regularisation", "Stopping", "Calibration"]
    assert headings == sorted(headings, key=order.index)
    assert set(headings) == set(order)


def test_a_setting_that_can_be_off_has_a_value_to_begin_with():
    assert {name for name, setting in SETTINGS.items() if setting.example} == set(OPTIONAL_NUMBERS)
    for name in OPTIONAL_NUMBERS:
        assert of(replace(Recipe(), **{name: float(SETTINGS[name].example)}), name).in_use


@few
@given(recipes)
def test_every_recipe_is_explained_in_full_sentences(recipe: Recipe):
    for each in explain(recipe):
        assert re.fullmatch(r"\d\.\d \w.+", each.item)
        assert each.meaning.endswith(".")
        assert each.effect
        assert not each.effect.endswith(".")
        assert str(each).startswith(f"{each.name} = {each.value}: ")


# the course's own numbers, where there is one
WORDS = {
    "0.9 averages 10 values": (Recipe(beta1=0.9), "beta1", "averages about the last 10 gradients, 1/(1 - 0.9)"),
    "0.98 averages 50": (Recipe(beta1=0.98), "beta1", "averages about the last 50 gradients, 1/(1 - 0.98)"),
    "0.5 averages 2": (Recipe(beta1=0.5), "beta1", "averages about the last 2 gradients, 1/(1 - 0.5)"),
    "0 averages nothing": (Recipe(beta1=0.0), "beta1", "no average, the last gradient alone"),
    "batch norm's average": (Recipe(normalisation="batch"), "batch_norm_beta", "averages about the last 50 mini-batches, 1/(1 - 0.98)"),
    "lion's second beta": (
        Recipe(optimiser="lion", beta2=0.99),
        "beta2",
        "averages about the last 100 gradients, 1/(1 - 0.99)",
    ),
    "50 units at 0.8": (Recipe((50,), keep_prob=0.8), "keep_prob", "of 50 units, 10 are off on average"),
    "layers alike": (Recipe((50, 50), keep_prob=0.8), "keep_prob", "of 50 units in each layer, 10 are off on average"),
    "layer by layer": (
        Recipe((50, 20), keep_prob=(0.8, 0.5)),
        "keep_prob",
        "units off on average: 10 of the 50 in layer 1, 10 of the 20 in layer 2",
    ),
    "inputs": (Recipe(input_keep_prob=0.8), "input_keep_prob", "of 50 inputs, 10 are off on average"),
    "mini-batches": (Recipe(batch_size=1000), "batch_size", "1,000 examples a step; 10,000 training rows are 10 steps an epoch"),
    "a last, smaller mini-batch": (
        Recipe(batch_size=64),
        "batch_size",
        "64 examples a step; 10,000 training rows are 157 steps an epoch",
    ),
    "batch descent": (Recipe(batch_size="all"), "batch_size", "batch gradient descent: one step an epoch, from all training rows"),
    "stochastic descent": (
        Recipe(batch_size=1),
        "batch_size",
        "stochastic gradient descent: 1 example a step; 10,000 training rows are 10,000 steps an epoch",
    ),
    "inverse time": (
        Recipe(learning_rate=0.2, decay="inverse_time", decay_rate=1.0),
        "decay_rate",
        "after 1, 2, 3 and 4 epochs alpha is 0.1, 0.067, 0.05, 0.04",
    ),
    "exponential": (Recipe(decay="exponential", decay_factor=0.95), "decay_factor", "after 10 epochs 59.9 % of alpha is left"),
    "by the root": (
        Recipe(decay="sqrt_epoch", learning_rate=0.2, decay_rate=0.5),
        "decay_rate",
        "alpha is 0.1 in the first epoch, half of that in the fourth",
    ),
    "warm-up": (
        Recipe(warm_up=5.0),
        "warm_up",
        "alpha rises to 0.001 in equal steps over the first 5 epochs, 10 % of the training",
    ),
    "label smoothing": (
        Recipe(label_smoothing=0.1),
        "label_smoothing",
        "of 4 classes the right one is aimed at 0.925, each other at 0.025",
    ),
    "L2": (Recipe(l2=10.0), "l2", "with 10,000 training rows, 0.001 of each weight is added to its gradient, lambda/m"),
    "decoupled decay": (Recipe(weight_decay=0.1), "weight_decay", "a step at the full alpha shrinks each weight by 0.01 %"),
    "rare classes": (Recipe(class_balance=0.5), "class_balance", "an example of a class 10 times as rare weighs 3.16 times as much"),
    "epochs in steps": (Recipe(epochs=1.0, batch_size=1000), "epochs", "1 epoch: 10 steps with 10,000 training rows"),
    "no hidden layer": (
        Recipe(()),
        "hidden_units",
        "no hidden layer: linear, logistic or softmax regression, with linear decision boundaries",
    ),
}


@pytest.mark.parametrize(("recipe", "name", "words"), WORDS.values(), ids=WORDS)
def test_what_a_value_means_is_said_in_numbers(recipe: Recipe, name: str, words: str):
    explanation = of(recipe, name)
    assert (explanation.effect, explanation.in_use) == (words, True)


UNUSED = {
    "huber_delta": (Recipe(), "no effect, because loss is auto"),
    "beta1": (Recipe(optimiser="rmsprop"), "no effect, because optimiser is rmsprop"),
    "beta2": (Recipe(optimiser="adagrad"), "no effect, because optimiser is adagrad"),
    "epsilon": (Recipe(optimiser="lion"), "no effect, because optimiser is lion"),
    "decay_rate": (Recipe(decay="staircase"), "no effect, because decay is staircase"),
    "decay_epochs": (Recipe(decay="cosine"), "no effect, because decay is cosine"),
    "batch_norm_beta": (Recipe(normalisation="layer"), "no effect, because normalisation is layer"),
    "initialisation_gain": (Recipe(initialisation="zeros"), "no effect, because initialisation is zeros"),
    "keep_prob": (Recipe((), keep_prob=0.5), "no effect, because hidden_units is empty"),
    "clip_norm": (Recipe(), "not used"),
    "l2": (Recipe(), "not used"),
}


@pytest.mark.parametrize(("name", "recipe", "words"), [(name, *case) for name, case in UNUSED.items()], ids=UNUSED)
def test_a_setting_without_effect_says_why(name: str, recipe: Recipe, words: str):
    explanation = of(recipe, name)
    assert (explanation.effect, explanation.in_use) == (words, False)


def test_dropout_that_keeps_everything_in_every_layer_is_not_used():
    assert not of(Recipe((8, 8), keep_prob=(1.0, 1.0)), "keep_prob").in_use
    assert of(Recipe((8, 8), keep_prob=(1.0, 0.9)), "keep_prob").in_use


@pytest.mark.parametrize(("optimiser", "item"), [("momentum", "4.3 Momentum"), ("rmsprop", "4.4 RMSprop"), ("adamw", "4.5 Adam")])
def test_an_optimiser_is_explained_by_its_own_technique_and_formula(optimiser, item: str):
    explanation = of(Recipe(optimiser=optimiser), "optimiser")
    assert explanation.item == item
    assert any("sqrt(S" in equation and "+ epsilon" in equation for equation in explanation.formula) == (optimiser != "momentum")


def test_differences_are_named_with_their_technique_in_the_order_of_the_method():
    mine, theirs = Recipe(), Recipe(keep_prob=0.8, clip_norm=1.0, hidden_units=(8,), optimiser="rmsprop")
    assert describe_diff(mine, theirs) == (
        "hidden_units: [64, 64] -> [8] (units of the hidden layers, 5.1)",
        'optimiser: "adamw" -> "rmsprop" (how a gradient becomes a step, 4.4)',
        "clip_norm: off -> 1.0 (clipping of the gradient's norm, 3.2)",
        "keep_prob: 1.0 -> 0.8 (inverted dropout on the hidden layers, 2.4)",
    )
    assert describe_diff(mine, mine) == ()


@few
@given(recipes, recipes)
def test_differences_are_those_of_the_recipes(mine: Recipe, theirs: Recipe):
    named = [line.partition(":")[0] for line in describe_diff(mine, theirs)]
    assert sorted(named) == sorted(mine.diff(theirs))


def test_values_are_written_as_a_file_has_them():
    assert [written(value) for value in (1, 0.1, "all", (1, 2), (), None)] == ["1", "0.1", '"all"', "[1, 2]", "[]", "off"]
