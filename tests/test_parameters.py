"""Parameters and the spaces made of them: scales invert, what does not matter is left out, and what is wrong is said at once."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import OptionError
from shoal.parameters import Choice, Range, by_dependence, translated
from shoal.recipe import CHOICES, Recipe, techniques_of
from shoal.samplers.points import random
from shoal.space import Space, padded_width

POSITIONS = st.floats(0, 1)
LOW_AND_HIGH = {
    "linear": (st.floats(-10, 10), st.floats(0.1, 100)),
    "log": (st.floats(1e-8, 1e-3), st.floats(0.01, 1e3)),
    "log_one_minus": (st.floats(0.0, 0.9), st.floats(0.01, 0.09)),
}


@pytest.mark.parametrize("scale", LOW_AND_HIGH)
@given(st.data(), POSITIONS)
def test_a_position_comes_back_from_its_value_and_a_value_from_its_position(scale, data, position):
    low, further = (data.draw(each) for each in LOW_AND_HIGH[scale])
    bounds = Range("x", low, low + further, scale)
    value = bounds.value(position)
    assert bounds.position(value) == pytest.approx(position, abs=1e-6)
    assert bounds.value(bounds.position(value)) == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("scale", ["integer", "log_integer"])
@given(st.integers(1, 1000), st.integers(1, 1000))
def test_every_whole_number_of_a_range_comes_back_from_its_position(scale, low, further):
    bounds = Range("units", low, low + further, scale)
    for value in {low, low + 1, low + further // 2, low + further}:
        assert bounds.value(bounds.position(value)) == value


@pytest.mark.parametrize(("scale", "middle"), [("linear", 0.5 * (0.5 + 0.98)), ("log", math.sqrt(0.5 * 0.98)), ("log_one_minus", 0.9)])
def test_the_middle_of_a_scale_is_the_mean_of_its_ends_on_that_scale(scale, middle):
    """For an average, of ``log(1 - value)``: half the draws span more than ten steps."""
    assert Range("x", 0.5, 0.98, scale).value(0.5) == pytest.approx(middle)


@pytest.mark.parametrize("scale", ["linear", "integer", "log", "log_integer"])
def test_a_value_beyond_an_end_lies_at_that_end(scale):
    bounds = Range("units", 8, 64, scale)
    assert [bounds.position(value) for value in (1, 8, 64, 1000)] == [0, 0, 1, 1]


@given(st.tuples(POSITIONS, POSITIONS).map(sorted), POSITIONS)
def test_a_part_of_a_range_holds_what_lies_between_its_positions_on_the_same_scale(ends, position):
    whole = Range("learning_rate", 1e-4, 1.0, "log", "why", (("optimiser", ("adamw",)),))
    part = whole.part(*ends)
    assert (part.name, part.scale, part.reason, part.when) == (whole.name, whole.scale, whole.reason, whole.when)
    if part is not whole:
        between = ends[0] + (ends[1] - ends[0]) * position
        assert math.log(part.value(position)) == pytest.approx(math.log(whole.value(between)), abs=1e-6)


def test_a_part_without_room_is_the_whole():
    whole = Range("units", 8, 9, "integer")
    assert whole.part(0.1, 0.2) == whole


# a parameter, a recipe in which it matters, and one in which it does not
MATTERS = [
    (Range("beta1", 0.5, 0.9), {"optimiser": "momentum"}, {"optimiser": "rmsprop"}),
    (Choice("beta1", (0.5, 0.8)), {"optimiser": "adamw"}, {"optimiser": "gradient_descent"}),
    (Range("beta2", 0.9, 0.99), {"optimiser": "lion"}, {"optimiser": "adagrad"}),
    (Range("epsilon", 1e-9, 1e-5, "log"), {"optimiser": "rmsprop"}, {"optimiser": "momentum"}),
    (Range("decay_rate", 0.1, 1.0), {"decay": "inverse_time"}, {"decay": "constant"}),
    (Range("decay_factor", 0.5, 0.9), {"decay": "exponential"}, {"decay": "inverse_time"}),
    (Range("weight_decay", 0.1, 0.5), {"optimiser": "adamw"}, {"optimiser": "adam"}),
    (Range("batch_norm_beta", 0.5, 0.9), {"normalisation": "batch"}, {"normalisation": "none"}),
    (Range("units", 8, 16, "integer"), {"hidden_layers": 2}, {"hidden_layers": 0}),
    (Range("keep_prob", 0.5, 0.9), {"hidden_units": (8, 8)}, {"hidden_units": ()}),
    (Range("l2", 0.1, 0.5, when=(("decay", ("cosine", "linear")),)), {"decay": "cosine"}, {"decay": "constant"}),
    (Range("l2", 0.1, 0.5, when=(("hidden_layers", (2,)),)), {"hidden_units": (8, 8)}, {"hidden_units": (8,)}),
    (Range("l2", 0.1, 0.5, when=(("clip_norm", (None,)),)), {"clip_norm": None}, {"clip_norm": 1.0}),
]


@pytest.mark.parametrize(("parameter", "used", "unused"), MATTERS, ids=lambda each: getattr(each, "name", ""))
def test_a_parameter_that_does_not_matter_keeps_the_value_of_the_base_and_is_no_setting(parameter, used, unused):
    """Whether the base decides that, or a choice beside it that is listed first or last."""
    for beside in ([], [Choice("together", (used, unused))]):
        for parameters in ([parameter, *beside], [*beside, parameter]):
            for own, matters in ((used, True), (unused, False)):
                space = Space.of(
                    Recipe(**{} if beside else translated(Recipe(), own)), [*parameters, Range("learning_rate", 1e-3, 1e-2, "log")]
                )
                drawn = {"learning_rate": 5e-3, parameter.name: parameter.value(1.0)} | ({"together": own} if beside else {})
                recipe = space.recipe_of(drawn)
                settings_ = space.settings_of(recipe)
                assert (
                    (parameter.name in settings_) == matters == (recipe != space.recipe_of({**drawn, parameter.name: parameter.value(0.0)}))
                )
                assert space.recipe_of(settings_) == recipe


@pytest.mark.parametrize(
    ("decides", "wanted"),
    [
        (Choice("clip_norm", (None, 1.0)), None),
        (Choice("clip_norm", (None, 1.0)), "off"),
        (Choice("keep_prob", (1.0, (1.0, 0.5))), (1.0, 0.5)),
        (Choice("together", ({"mixup": 0.2}, {"mixup": 0.0})), {"mixup": 0.2}),
        (Choice("together", ({"mixup": 0.2}, {"mixup": 0.0})), "mixup 0.2"),
    ],
)
def test_a_condition_may_name_any_value_of_a_choice_or_its_label(decides, wanted):
    space = Space.of(Recipe(), [Range("l2", 0.1, 0.5, when=((decides.name, (wanted,)),)), decides])
    for value in decides.values:
        recipe = space.recipe_of({decides.name: value, "l2": 0.3})
        assert (recipe.l2 == 0.3) == (decides.label(value) == decides.label(wanted)) == ("l2" in space.settings_of(recipe))


def test_a_condition_on_a_parameter_that_does_not_matter_looks_at_the_base():
    chain = [
        Range("l1", 0.1, 0.5, when=(("decay", ("cosine",)),)),
        Choice("decay", ("constant", "cosine"), when=(("optimiser", ("momentum",)),)),
        Choice("optimiser", ("momentum", "rmsprop")),
    ]
    assert [each.name for each in by_dependence(chain)] == ["optimiser", "decay", "l1"]
    space = Space.of(Recipe(decay="constant"), chain)
    assert space.settings_of(space.recipe_of({"optimiser": "momentum", "decay": "cosine", "l1": 0.2})).keys() == {
        "optimiser",
        "decay",
        "l1",
    }
    assert space.settings_of(space.recipe_of({"optimiser": "rmsprop", "decay": "cosine", "l1": 0.2})) == {"optimiser": "rmsprop"}


def test_settings_that_go_together_may_leave_some_to_the_base():
    values = ({"mixup": 0.3}, {"mixup": 0.3, "l2": 0.1}, {"l2": 0.2}, {"mixup": 0.0})
    space = Space.of(Recipe(mixup=0.3), [Choice("way", values)])
    for value in values:
        recipe = space.recipe_of({"way": value})
        assert (recipe.mixup, recipe.l2) == (value.get("mixup", 0.3), value.get("l2", 0.0))
        assert space.settings_of(recipe) == {"way": Choice("way", values).label(value)}


POOL = (
    Range("learning_rate", 1e-4, 1e-1, "log"),
    Range("units", 4, 32, "log_integer"),
    Choice("hidden_layers", (0, 1, 3)),
    Choice("optimiser", tuple(name for name in CHOICES["optimiser"] if name != "adam")),
    Range("beta1", 0.5, 0.99, "log_one_minus"),
    Choice("beta2", (0.9, 0.99)),
    Range("epsilon", 1e-9, 1e-3, "log"),
    Choice("activation", ("relu", "tanh")),
    Choice("normalisation", ("none", "batch")),
    Range("batch_norm_beta", 0.5, 0.99, "log_one_minus"),
    Choice("batch_size", (16, 64)),
    Choice("decay", ("constant", "exponential", "inverse_time")),
    Range("decay_rate", 0.01, 1.0, "log"),
    Range("decay_factor", 0.5, 0.99),
    Choice("clip_norm", (None, 1.0)),
    Range("weight_decay", 1e-3, 1.0, "log", when=(("clip_norm", (None,)),)),
    Choice("keep_prob", (1.0, 0.8)),
    Choice("noise", ({"mixup": 0.2}, {"input_noise": 0.1}, {"mixup": 0.2, "label_smoothing": 0.1})),
    Range("l2", 1e-4, 1e-1, "log", when=(("noise", ({"mixup": 0.2},)), ("activation", ("tanh",)))),
)
OF_SHAPE = ("hidden_layers", "activation", "normalisation", "batch_size")


@st.composite
def spaces(draw):
    """Any parameters of the pool, in any order, on one of several bases."""
    parameters = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=7, unique_by=lambda each: each.name))
    names = {each.name for each in parameters}
    parameters = [each for each in parameters if all(name in names or name in Recipe().to_dict() for name, _ in each.when)]
    base = Recipe(hidden_units=draw(st.sampled_from([(), (8,), (16, 16)])), optimiser=draw(st.sampled_from(["momentum", "rmsprop"])))
    return Space.of(base, parameters or POOL[:1])


@settings(max_examples=40)
@given(spaces(), st.integers(0, 2**31))
def test_a_draw_of_any_space_comes_back_from_its_settings_in_its_family_and_its_techniques_are_in_the_program(space, seed):
    for number, family in enumerate(space.families):
        points = random(family.ranges, 4, seed) if family.ranges else [[]]
        recipes = [family.at(list(point)) for point in points]
        for recipe in recipes:
            found = space.settings_of(recipe)
            assert space.recipe_of(found) == recipe
            assert space.family_of(recipe) == number
            assert found.keys() <= {each.name for each in space.parameters}
            assert max(recipe.hidden_units, default=0) <= family.width
        assert set(techniques_of(recipes)) <= set(family.techniques)


@settings(max_examples=40)
@given(spaces())
def test_families_are_the_combinations_of_the_choices_of_shape(space):
    choices = [each.values for each in space.parameters if isinstance(each, Choice) and each.name in OF_SHAPE]
    combinations = list(itertools.product(*choices))
    assert len(space.families) == len(combinations) == len({family.shape for family in space.families})
    names = [each.name for each in space.parameters if each.name in OF_SHAPE]
    for family, values in zip(space.families, combinations, strict=True):
        assert dict(family.chosen) == dict(zip(names, values, strict=True))
        assert not {each.name for each in family.ranges} & set(OF_SHAPE)


def test_a_familys_width_is_that_of_its_widest_draw_in_eights():
    space = Space.of(Recipe(hidden_units=(5,)), [Range("units", 4, 50, "log_integer"), Choice("hidden_layers", (0, 2))])
    assert [family.width for family in space.families] == [8, 56]
    assert [padded_width(units) for units in (1, 8, 9, 64)] == [8, 8, 16, 64]


def test_layers_are_a_choice_however_they_are_given():
    assert Space.of(Recipe(), [Range("hidden_layers", 1, 3, "integer")]).parameters == (Choice("hidden_layers", (1, 2, 3)),)


RATE = Range("learning_rate", 1e-3, 1e-1, "log")

# what is wrong, and what the message says about it and what to write instead
WRONG = [
    ([], ["has parameters; received none", "Write, say"]),
    ([RATE, RATE], ["'learning_rate' twice", "Leave one of them out"]),
    ([Range("learning_rat", 1, 2)], ["Did you mean 'learning_rate'?"]),
    ([Range("learning_rate", 1e-3, math.inf, "log")], ["ends of learning_rate are numbers", "Give two numbers"]),
    ([Range("learning_rate", True, 2.0)], ["ends of learning_rate are numbers"]),
    ([Range("learning_rate", 0.1, 0.1)], ["from low to high", "0.1 to 0.1"]),
    ([Range("units", 8, 16)], ["units is a whole number", "integer or log_integer"]),
    ([Range("hidden_layers", 1.5, 3.5, "log")], ["hidden_layers is a whole number"]),
    ([Range("learning_rate", 1e-3, 1e-1, "lgo")], ["Did you mean 'log'?"]),  # type: ignore[arg-type]
    ([Range("optimiser", 0, 1)], ["optimiser is chosen from values", "values = ["]),
    ([Choice("optimizer", ("momentum",))], ["Did you mean 'optimiser'?"]),
    ([Choice("beta1", ())], ["beta1 has values to choose from", "Name some"]),
    ([Choice("beta1", (0.8, 0.9, 0.8))], ["values of beta1 differ", "0.8 twice"]),
    ([Choice("way", ({"l2": 0.1}, 3))], ["all of one kind", "Make all of them tables"]),
    ([Choice("way", ({"l2": 0.1}, {"learning_rte": 0.1}))], ["Did you mean 'learning_rate'?"]),
    ([Choice("way", ({"l2": 0.1}, {"l2": 0.2})), Range("l2", 0.1, 0.2)], ["'l2' set by way and l2", "Leave it out of all but one"]),
    ([Choice("way", ({"units": 8}, {"units": 9})), Choice("hidden_units", ((8,), (9,)))], ["hidden_units beside units"]),
    ([Range("epochs", 1, 2)], ["equally long", "Set epochs in the base"]),
    ([Range("l2", 0.1, 0.2, when=(("optimser", ("adamw",)),)), Choice("optimiser", ("adamw", "lion"))], ["Did you mean 'optimiser'?"]),
    ([Range("l2", 0.1, 0.2, when=(("l2", (0.1,)),))], ["depends on another parameter"]),
    ([Range("l2", 0.1, 0.2, when=(("decay", ()),))], ["which values of decay l2 needs", "Name some"]),
    ([Range("l2", 0.1, 0.2, when=(("decay", ("cosin",)),))], ["Did you mean 'cosine'?"]),
    ([Range("l2", 0.1, 0.2, when=(("optimiser", ("loin",)),)), Choice("optimiser", ("adamw", "lion"))], ["Did you mean 'lion'?"]),
    (
        [Choice("normalisation", ("none", "batch"), when=(("optimiser", ("lion",)),)), Choice("optimiser", ("adamw", "lion"))],
        ["normalisation depending on optimiser", "a choice of shape"],
    ),
    ([Range("keep_prob", 0.0, 1.0)], ["keep_prob is a number above 0"]),
    ([Choice("activation", ("relu", "relo"))], ["Did you mean 'relu'?"]),
]


@pytest.mark.parametrize(("parameters", "complaints"), WRONG)
def test_what_is_wrong_with_parameters_is_said_with_what_to_write(parameters, complaints):
    with pytest.raises(OptionError) as error:
        Space.of(Recipe(), parameters)
    assert all(complaint in str(error.value) for complaint in complaints), str(error.value)


def test_everything_wrong_with_parameters_is_said_at_once():
    alone = [parameters for parameters, _ in WRONG[2:14] if parameters[0].name not in ("learning_rate", "beta1")]
    with pytest.raises(OptionError) as error:
        Space.of(Recipe(), [each for parameters in alone for each in parameters])
    assert len(error.value.problems) == len(alone)


def test_every_value_that_no_recipe_may_have_is_said_once_whatever_is_beside_it():
    with pytest.raises(OptionError) as error:
        Space.of(Recipe(), [Choice("activation", ("relo", "tanh")), Range("keep_prob", 0.0, 1.0), Range("l2", -1.0, 1.0), RATE])
    assert sorted(problem.received for problem in error.value.problems) == ["'relo'", "-1.0", "0.0"]
