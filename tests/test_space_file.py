"""Spaces as text, and everything that can be wrong with one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.default_space import default_space
from shoal.errors import OptionError
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.space import Space
from shoal.space_file import from_toml, read_space, to_toml, write_space

SPACE = Space.of(
    Recipe(optimiser="adamw", clip_norm=2.0),
    [
        Range("learning_rate", 1e-4, 0.1, "log", "around the usual"),
        Range("units", 8, 64, "log_integer"),
        Choice("hidden_layers", (0, 1, 3)),
        Choice("optimiser", ("momentum", "adamw", "rmsprop")),
        Range("beta1", 0.5, 0.99, "log_one_minus"),
        Range("weight_decay", 1e-3, 1.0, "log", "decoupled only", when=(("optimiser", ("adamw",)),)),
        Choice("max_norm", (None, 2.0)),
        Choice("together", ({"mixup": 0.2, "label_smoothing": 0.0}, {"mixup": 0.0, "label_smoothing": 0.1})),
    ],
)


def test_a_space_comes_back_from_its_file_as_it_was(tmp_path):
    for number, space in enumerate((SPACE, Space.of(Recipe(), [Range("keep_prob", 0.5, 1.0)]))):
        path = tmp_path / f"{number}.toml"
        write_space(space, path, commented=True)
        back = read_space(path)
        assert (back.parameters, back.base, back.families) == (space.parameters, space.base, space.families)


def test_the_default_space_comes_back_with_the_same_shapes_and_parameters():
    space = default_space("classification", 5_000, True, True)
    back = from_toml(to_toml(space, commented=True))
    assert back.parameters == space.parameters
    assert [family.shape for family in back.families] == [family.shape for family in space.families]


@given(st.integers(0, len(SPACE.families) - 1), st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_the_settings_of_a_draw_are_those_that_matter_and_give_the_recipe_back(number, point):
    family = SPACE.families[number]
    recipe = family.at(point[: len(family.ranges)])
    settings = SPACE.settings_of(recipe)
    assert SPACE.recipe_of(settings) == recipe and SPACE.family_of(recipe) == number
    assert ("weight_decay" in settings) == (recipe.optimiser == "adamw")
    assert ("beta1" in settings) == (recipe.optimiser != "rmsprop")
    assert ("units" in settings) == bool(recipe.hidden_units)
    assert settings["max_norm"] in ("off", 2.0) and settings["together"].startswith("mixup")
    for each in SPACE.parameters:
        assert SPACE.matters(each, {name: value for name, value in settings.items() if name != each.name}) == (each.name in settings)


def test_there_is_a_family_for_every_combination_of_shape_with_what_matters_in_it():
    assert [len(family.base.hidden_units) for family in SPACE.families] == [0, 1, 3]
    assert "units" not in {each.name for each in SPACE.families[0].ranges}
    both = Space.of(
        Recipe(), [Choice("batch_size", (32, 64)), Choice("activation", ("relu", "tanh")), Range("learning_rate", 1e-3, 1e-1, "log")]
    )
    assert len({family.shape for family in both.families}) == 4


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("[lr]\nlow = 1e-3\nhigh = 1e-1", ["Write learning_rate"]),
        ("[keep_prop]\nlow = 0.5\nhigh = 1.0", ["keep_prob"]),
        ("learning_rate = 0.1", ["[base]"]),
        ("[units]\nlow = 8", ["low and high"]),
        ("[units]\nlow = 8\nhigh = 64\nvalues = [8]", ["all three"]),
        ("[batch_size]\nlow = 8\nhigh = 64", ["values = [32, 64, 128]"]),
        ("[learning_rate]\nlow = 0\nhigh = 1", ["log scale"]),
        ("[beta1]\nlow = 0.5\nhigh = 1.0", ["0.999"]),
        ("[beta1]\nlow = 0.9\nhigh = 0.5", ["from low to high"]),
        ("[epochs]\nvalues = [1, 2]", ["equally long"]),
        ("[keep_prob]\nlow = 0.0\nhigh = 1.0", ["keep_prob is a number above 0"]),
        ("[optimiser]\nvalues = ['adamw', 'rmsprp']", ["Did you mean 'rmsprop'?"]),
        ("[optimiser]\nvalues = []", ["Name some"]),
        ("[hidden_layers]\nvalues = [1, 1]", ["twice"]),
        ("[hidden_units]\nvalues = [[8], [8, 8]]\n[units]\nlow = 8\nhigh = 64", ["hidden_units beside"]),
        ("[beta1]\nlow = 0.5\nhigh = 0.9\nwhen = { optimizer = ['momentum'] }", ["depends on"]),
        ("[learning_rate]\nlow = 1e-4\nhigh = 1e-1\nscale = 'logarithmic'", ["scale of learning_rate"]),
        ("[learning_rate]\nlow = 1e-4\nhih = 1e-1", ["low and high", "'hih'"]),
        ("", ["a space has parameters"]),
        ("[learning_rate\nlow = 1", ["line 1"]),
        ("[base]\nepoch = 3\n[lr]\nlow = 1\nhigh = 2\n[keep_prob]\nvalues = 3", ["'epochs'", "learning_rate", "are a list"]),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write_all_of_it_at_once(text, complaints):
    with pytest.raises(OptionError) as error:
        from_toml(text)
    assert all(complaint in str(error.value) for complaint in complaints), str(error.value)


def test_settings_that_contradict_each_other_are_found_before_anything_is_drawn():
    with pytest.raises(OptionError, match="patience is given in epochs or in steps"):
        Space.of(Recipe(patience=5), [Choice("patience_steps", (100, 200)), Range("learning_rate", 1e-3, 1e-1, "log")])


def test_too_many_shapes_are_refused_with_their_number():
    wide = [
        Choice("batch_size", tuple(2**k for k in range(3, 12))),
        Choice("hidden_layers", (1, 2, 3, 4)),
        Choice("activation", ("relu", "tanh")),
    ]
    with pytest.raises(OptionError, match="72"):
        Space.of(Recipe(), wide)


def test_a_file_that_is_not_there_names_its_neighbour(tmp_path):
    write_space(SPACE, tmp_path / "space.toml")
    with pytest.raises(OptionError, match=r"space\.toml"):
        read_space(tmp_path / "spac.toml")
    with pytest.raises(OptionError, match=r"ends in \.toml"):
        read_space(tmp_path / "space.json")
