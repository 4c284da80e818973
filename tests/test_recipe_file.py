"""Recipes as files: the same recipe comes back, and whatever cannot be used is said at once."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.errors import OptionError, Problem, RunFolderError
from shoal.recipe import CHOICES, NUMBER_RANGES, OPTIONAL_NUMBERS, Recipe
from shoal.recipe_file import ELSEWHERE, from_json, from_settings, from_toml, read_recipe, to_json, to_toml, write_recipe

HIGHEST = 3.4e38
"""Within single precision."""

NAMES = [field.name for field in fields(Recipe)]


def numbers(low: float, high: float, with_low: bool, with_high: bool) -> st.SearchStrategy[float | int]:
    """Every number of a range, whole ones as integers too, as a hand writes them."""
    high = min(high, HIGHEST)
    floats = st.floats(low, high, exclude_min=not with_low, exclude_max=not with_high and high < HIGHEST)
    return floats | st.integers(1, 10**6) if high == HIGHEST else floats


_keep_probs = numbers(*NUMBER_RANGES["input_keep_prob"])
_settings = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
        **{name: numbers(*bounds) for name, bounds in NUMBER_RANGES.items()},
        **{name: numbers(0.0, math.inf, False, False) for name in OPTIONAL_NUMBERS},
        "hidden_units": st.lists(st.integers(1, 5000), max_size=8).map(tuple),
        "keep_prob": _keep_probs | st.lists(_keep_probs, max_size=8).map(tuple),
        "batch_size": st.just("all") | st.integers(2, 10**6),
        "patience_steps": st.integers(1, 10**6),
    },
)


def _put_right(drawn: dict[str, Any]) -> Recipe:
    """A recipe with these settings, but for those that contradict others."""
    if isinstance(drawn.get("keep_prob"), tuple):
        drawn["hidden_units"] = (16,) * len(drawn["keep_prob"])
    if drawn.get("optimiser") == "adam":
        drawn["weight_decay"] = 0.0
    if "patience" in drawn:
        drawn["patience_steps"] = None
    if drawn.get("warm_up", 0.0) >= drawn.get("epochs", 50.0):
        drawn["warm_up"] = 0.0
    return Recipe(**drawn)


recipes = _settings.map(_put_right)
few = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
"""For laws over recipes, which have many settings to draw."""


def exactly(recipe: Recipe) -> dict[str, str]:
    """Every setting to the last bit, an integer apart from a float."""
    return {name: repr(value) for name, value in recipe.to_dict().items()}


def problems(text: str, read: Any = from_toml) -> tuple[Problem, ...]:
    with pytest.raises(OptionError) as raised:
        read(text)
    return raised.value.problems


@few
@given(recipes)
def test_a_recipe_comes_back_from_toml_and_json_to_the_last_bit(recipe: Recipe):
    for again in (from_toml(to_toml(recipe)), from_toml(to_toml(recipe, commented=True)), from_json(to_json(recipe))):
        assert again == recipe
        assert exactly(again) == exactly(recipe)
        assert hash(again) == hash(recipe)


@few
@given(recipes)
def test_what_is_written_is_what_other_readers_read(recipe: Recipe):
    """Python's own parsers are the independent source."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in recipe.to_dict().items()}
    assert json.loads(to_json(recipe)) == plain
    assert tomllib.loads(to_toml(recipe)) == {name: value for name, value in plain.items() if value is not None}


def test_settings_that_are_off_are_left_out_of_toml_and_null_in_json():
    assert "clip_norm" not in to_toml(Recipe())
    assert '"clip_norm": null' in to_json(Recipe())
    assert from_json('{"clip_norm": null}') == Recipe()


def test_settings_that_are_left_out_have_their_defaults():
    assert from_toml("") == from_json("{}") == Recipe()
    assert from_toml("keep_prob = [0.8, 0.5]") == Recipe(keep_prob=(0.8, 0.5))


def test_numbers_of_numpy_are_written_as_plain_ones():
    assert "learning_rate = 0.1\n" in to_toml(Recipe(learning_rate=np.float64(0.1)))


def test_a_file_is_read_by_its_ending_and_written_whole(tmp_path: Path):
    recipe = Recipe((50, 50), keep_prob=0.8, clip_norm=1.0)
    for name in ("a.toml", "a.json", "A.TOML"):
        write_recipe(Recipe(), tmp_path / name)
        write_recipe(recipe, tmp_path / name)
        assert read_recipe(tmp_path / name) == recipe
    assert {each.name for each in tmp_path.iterdir()} == {"a.toml", "a.json", "A.TOML"}
    assert json.loads((tmp_path / "a.json").read_text())["keep_prob"] == 0.8


def test_the_comments_explain_every_setting_under_its_heading():
    text = to_toml(Recipe(), commented=True)
    assert text.index("# Network\n") < text.index("hidden_units = [64, 64]") < text.index("# Optimisation\n") < text.index("beta1 = 0.9")
    assert "# 2.4 Inverted dropout. Probability that a hidden unit is kept" in text
    assert "#   0.9: averages about the last 10 gradients, 1/(1 - 0.9)." in text
    assert "#   One of identity, sigmoid, tanh," in text
    assert max(map(len, text.splitlines())) <= 100
    assert all(len(re.findall(rf"(?m)^(# )?{name} = ", text)) == 1 for name in NAMES)


@pytest.mark.parametrize("name", OPTIONAL_NUMBERS)
def test_a_setting_that_is_off_is_turned_on_by_removing_its_comment_sign(name: str):
    text = to_toml(Recipe(), commented=True).replace(f"# {name} = ", f"{name} = ")
    assert getattr(from_toml(text), name) > 0


# what is wrong, the text, and what the one problem says: the requirement, the value received, the remedy
BROKEN = {
    "parentheses": ("hidden_units = (50, 50)", r"TOML; received line 1, 'hidden_units = \(50, 50\)' .*Write hidden_units = \[50, 50\]\."),
    "no quotes": ("l2 = 1\n\nactivation = relu # fast", r"line 3, 'activation = relu # fast' .*Write activation = \"relu\", in quotes\."),
    "None": ("clip_norm = None", r"line 1, .*Leave clip_norm out to turn it off\."),
    "colon": ("# mine\r\nlearning_rate: 0.1", r"line 2, 'learning_rate: 0\.1' .*Write learning_rate = 0\.1\."),
    "no zero before the point": ("l2 = .5", r"line 1, .*Write l2 = 0\.5\."),
    "no zero after the point": ("l2 = 1.", r"line 1, .*Write l2 = 1\.0\."),
    "a setting twice": ("l2 = 1\nl1 = 0\nl2 = 2", r"a setting is given once; received line 3, 'l2 = 2' .*Leave one of the two out\."),
    "a name alone": ("l2 = 1\nrelu\n\n", r"TOML; received line 2, 'relu' .*Write one name = value a line\."),
    "an open list": ("hidden_units = [50,\n50", r"TOML; received line 2, '50' \(Unclosed array"),
    "JSON in TOML": ('{"l2": 1}', r"TOML; received line 1, .*Write one name = value a line\."),
    "control characters": ("l2 = \x1b[31m1", r"TOML; received line 1, 'l2 = +\[31m1'"),
    "thousands of digits": ("l2 = " + "9" * 5000, r"TOML; received a number of thousands of digits"),
    "lists in lists": ("l2 = " + "[" * 5000, r"TOML; received .*lists in lists"),
    "unknown": ("lerning_rate = 0.1", r"known settings only; received 'lerning_rate'\. Did you mean 'learning_rate'\?"),
    "unknown, nothing near": ("qqq = 0.1", r"known settings only; received 'qqq'\. Choose from: hidden_units, activation"),
    "another library's name": ("lr = 0.1", r"known settings only; received 'lr'\. Write learning_rate\."),
    "a switch of another library": ("batch_norm = 1", r"received 'batch_norm'\. Write normalisation = \"batch\"\."),
    "a table": ("[network]\nhidden_units = [50]", r"at the top of a recipe; received the table 'network'\. Make its heading a comment\."),
    "a table for a setting": ('[optimiser]\nname = "adam"', r"optimiser is one of gradient_descent.*; received a table\."),
    "text for a list": ('hidden_units = "64"', r"is a list of 0 to 8 .*; received the text \"64\"\. Write hidden_units = \[64\]\."),
    "text with commas": ('hidden_units = "(64, 32)"', r"Write hidden_units = \[64, 32\]\."),
    "a number for a list": ("hidden_units = 64", r"received 64\. Write hidden_units = \[64\]\."),
    "fractions of units": ("hidden_units = [64.5]", r"received the list \[64\.5\]\. Write, say, hidden_units = \[64, 64\]\."),
    "no units": ("hidden_units = [0]", r"positive whole numbers; received the list \[0\]\."),
    "true for units": ("hidden_units = [true]", r"positive whole numbers; received the list \[true\]\."),
    "too many layers": ("hidden_units = [1,1,1,1,1,1,1,1,1]", r"0 to 8 positive whole numbers; received the list"),
    "text for a number": ('learning_rate = "0.1"', r"learning_rate is a number; received the text \"0\.1\"\. Write learning_rate = 0\.1\."),
    "words for a number": ('learning_rate = "fast"', r"is a number; received the text \"fast\"\. Write, say, learning_rate = 0\.001\."),
    "true for a number": ("l2 = true", r"l2 is a number; received true\."),
    "a list for a number": ("l2 = [1]", r"l2 is a number; received the list \[1\]\. Write l2 = 1\."),
    "a date for a number": ("epochs = 2020-01-01", r"epochs is a number; received the date or time 2020-01-01\."),
    "a huge number": ("l2 = 1" + "0" * 400, r"l2 is a number; received 1000*\.\.\.\."),
    "a number for a choice": ("activation = 3", r"activation is one of identity.*; received 3\. Write, say, activation = \"silu\"\."),
    "a list for a choice": ('activation = ["relu"]', r"received the list \[\"relu\"\]\. Write activation = \"relu\"\."),
    "an unknown choice": ('activation = "rleu"', r"activation is one of identity, .*; received 'rleu'\. Did you mean 'relu'\?"),
    "a fraction of examples": ("batch_size = 32.0", r"batch_size is a whole number or \"all\"; received 32\.0\. Write batch_size = 32\."),
    "a word for a batch": ('batch_size = "full"', r"batch_size is a whole number or \"all\"; received the text \"full\"\."),
    "a list of texts": ('keep_prob = ["0.8"]', r"keep_prob is a number, or a list of .*; received the list \[\"0\.8\"\]"),
    "nested lists": ("keep_prob = [[0.8]]", r"keep_prob is a number, or a list of .*; received a list of lists or tables\."),
    "out of range": ("learning_rate = -1", r"learning_rate is a number above 0 .*; received -1\. Give a value inside the range\."),
    "not a number": ("learning_rate = nan", r"learning_rate is a number above 0 .*; received nan\."),
    "one value too many": ("hidden_units = [8]\nkeep_prob = [0.8, 0.8]", r"one per hidden layer; received 2 values for 1 hidden layer"),
    "contradictory": ('optimiser = "adam"\nweight_decay = 0.1', r"adam has no decoupled weight decay; received weight_decay 0\.1\. Write"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_said_with_the_likeliest_correction(text: str, message: str):
    (problem,) = problems(text)
    assert re.search(message, str(problem)), problem
    assert str(problem).isprintable()
    assert len(str(problem)) < 400


BROKEN_JSON = {
    "cut short": ('{\n"l2": 1', r"JSON; received line 2, '\"l2\": 1' \(Expecting ',' delimiter, column \d+\)\. Write"),
    "empty": ("", r"JSON; received line 1, '' \("),
    "a list": ("[1]", r"a recipe is a JSON object; received the list \[1\]\."),
    "null": ("null", r"a recipe is a JSON object; received null\."),
    "a setting twice": ('{"l2": 1, "l2": 2}', r"a setting is given once; received 'l2' twice\. Leave one out\."),
    "null for a number": ('{"l2": null}', r"l2 has a value; received null\. Leave it out for its default\."),
    "not a number": ('{"l2": NaN}', r"l2 is a number .*; received nan\."),
    "text for a list": ('{"hidden_units": "64"}', r"received the text \"64\"\. Write hidden_units = \[64\]\."),
    "thousands of digits": ('{"l2": ' + "9" * 5000 + "}", r"JSON; received a number of thousands of digits"),
    "lists in lists": ("[" * 100_000, r"JSON; received .*lists in lists"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN_JSON.values(), ids=BROKEN_JSON)
def test_what_is_wrong_in_json_is_said_too(text: str, message: str):
    (problem,) = problems(text, from_json)
    assert re.search(message, str(problem)), problem


def test_all_problems_are_reported_at_once():
    text = (
        'lr = 1\nhidden_units = "64"\nkeep_prob = [1, 1, 1]\nepochs = "90"\nwarm_up = 60\nl2 = -1\nactivation = "rleu"\n[network]\nl1 = 1'
    )
    received = [problem.received for problem in problems(text)]
    # neither the layers of keep_prob nor the warm-up contradict a setting that is not known
    assert received == ["'lr'", "the table 'network'", 'the text "64"', 'the text "90"', "'rleu'", "-1"]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_type_is_one_problem_that_names_the_setting(name: str):
    for wrong in ({}, "maybe" if name == "residual" else True, [[1]], [None]):
        with pytest.raises(OptionError) as raised:
            from_settings({name: wrong})
        (problem,) = raised.value.problems
        assert problem.requirement.startswith(f"{name} is ")


def test_names_of_other_libraries_lead_to_settings_that_exist():
    assert {re.split(r"\W", hint)[0] for hint in ELSEWHERE.values()} < set(NAMES)
    assert not set(ELSEWHERE) & set(NAMES)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["relu", "all", "0.5", "[8]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "lr", "", "\x00"]), anything, max_size=4))
def test_any_settings_whatever_are_a_recipe_or_an_option_error(given_settings: dict[str, Any]):
    try:
        again = from_json(to_json(from_settings(given_settings)))
    except OptionError as error:
        assert all(str(problem).isprintable() for problem in error.problems)
    else:
        assert {name: getattr(again, name) for name in given_settings} == {
            name: tuple(value) if isinstance(value, list) else value for name, value in given_settings.items()
        }


@given(st.text())
def test_any_text_whatever_is_a_recipe_or_an_option_error(text: str):
    for read in (from_toml, from_json):
        try:
            read(text)
        except OptionError as error:
            assert all(str(problem).isprintable() for problem in error.problems)


UNREADABLE = {
    "missing": ("recpie.toml", r"the recipe file exists; received '.*recpie\.toml'\. Did you mean '.*recipe\.toml'\?$"),
    "missing, nothing near": ("xyz.json", r"the recipe file exists; received '.*xyz\.json'\. Make one: shoal recipe new recipe\.toml\.$"),
    "in a folder that is missing": ("no/recipe.toml", r"the recipe file exists; .*Make one"),
    "a folder": ("", r"a recipe is a file; received the folder '.*'\. Name a file in it, such as binary\.toml\.$"),
    "an empty folder": ("folder", r"a recipe is a file; received the folder '.*folder'\. Name a file\.$"),
    "another ending": ("table.csv", r"ends in \.toml or \.json; received '.*table\.csv'\. Rename it, or choose another file\.$"),
    "no ending": ("recipe", r"ends in \.toml or \.json; received '.*recipe'\. Did you mean '.*recipe\.toml'\?$"),
    "binary": ("binary.toml", r"text in UTF-8; received '.*binary\.toml', in which byte 2 is none\. Save it as UTF-8"),
    "very large": ("large.json", r"a recipe is a short text; received '.*large\.json', which is larger than 1,000,000 bytes\."),
    "below a file": ("table.csv/recipe.toml", r"can be read; received '.*recipe\.toml': Not a directory\. Check its name"),
    "a wrong setting": ("wrong.toml", r"l2 is a number .*; received -1 in .*wrong\.toml\. Give a value"),
}


@pytest.mark.parametrize(("name", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(name: str, message: str, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "binary.toml").write_bytes(b"\x00\xff\x00")
    (tmp_path / "large.json").write_bytes(b" " * 1_000_001)
    (tmp_path / "wrong.toml").write_text("l2 = -1")
    with pytest.raises(OptionError) as raised:
        read_recipe(tmp_path / name)
    (problem,) = raised.value.problems
    assert re.search(message, str(problem)), problem


def test_a_file_without_permission_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "recipe.toml").write_text("")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OptionError, match=r"can be read; received '.*recipe\.toml': Permission denied\. Check"):
        read_recipe(tmp_path / "recipe.toml")


def test_the_mark_that_some_editors_put_before_a_text_does_no_harm(tmp_path: Path):
    (tmp_path / "recipe.toml").write_text("l2 = 1\n", encoding="utf-8-sig")
    (tmp_path / "recipe.json").write_text('{"l2": 1}', encoding="utf-8-sig")
    assert read_recipe(tmp_path / "recipe.toml") == read_recipe(tmp_path / "recipe.json") == Recipe(l2=1)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(OptionError, match=r"ends in \.toml or \.json; received '.*recipe\.yaml'\. Write, say, recipe\.toml\."):
        write_recipe(Recipe(), tmp_path / "recipe.yaml")
    with pytest.raises(RunFolderError, match="can be written; received No such file or directory"):
        write_recipe(Recipe(), tmp_path / "no" / "recipe.toml")
    assert list(tmp_path.iterdir()) == []
