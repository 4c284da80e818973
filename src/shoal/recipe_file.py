"""A recipe as a file: TOML to read and to write by hand, JSON for programs; what comes back is the same to the last bit.

Settings that a file leaves out have their defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

from shoal.errors import OptionError, Problem, did_you_mean
from shoal.explanations import LETTERS, SETTINGS, Explanation, explain, written
from shoal.recipe import CHOICES, MAX_BLOCKS, MAX_HIDDEN_LAYERS, OPTIONAL_NUMBERS, Recipe
from shoal.settings_file import ENDLESS, SUFFIXES, at_line, named, parse_toml, read_text, shortened
from shoal.storage import write_atomically

COMMENT_WIDTH = 100

ELSEWHERE: dict[str, str] = {
    "alpha": "learning_rate", "lr": "learning_rate", "learning_rate_init": "learning_rate",
    "batch_norm": 'normalisation = "batch"', "layer_norm": 'normalisation = "layer"', "normalization": "normalisation",
    "dropout": "keep_prob, the share that is kept: 1 - dropout", "early_stopping": "patience", "eps": "epsilon",
    "hidden_layer_sizes": "hidden_units", "hidden_layers": "hidden_units, the units of each layer", "lambda": "l2",
    "filters": "channels, the filters of each block", "kernel": "kernel_size", "pool": "pooling",
    "max_iter": "epochs", "momentum": "beta1", "n_epochs": "epochs", "nesterov": 'optimiser = "nesterov"',
    "optim": "optimiser", "solver": "optimiser", "wd": "weight_decay",
}  # fmt: skip
"""What settings are called in the course's formulas and in other libraries."""


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a file.

    Args:
        path: ends in ``.toml`` or ``.json``.

    Raises:
        OptionError: the file cannot be read, its syntax is broken (with the line), or settings are unknown, of a wrong type or
            out of range; all of these together.
    """
    path = Path(path)
    text = read_text(path, "recipe")
    try:
        return from_json(text) if path.suffix.lower() == ".json" else from_toml(text)
    except OptionError as error:
        # a command may read two recipes, and has options of its own
        raise OptionError(*(replace(each, received=f"{each.received} in {path}") for each in error.problems)) from None


def write_recipe(recipe: Recipe, path: str | Path, *, commented: bool = False) -> None:
    """Write a recipe as a file that ``read_recipe`` reads; a file of that name is replaced.

    Args:
        recipe: any recipe.
        path: ends in ``.toml`` or ``.json``.
        commented: explain every setting beside it; JSON has no comments.

    Raises:
        OptionError: the name ends in something else.
        RunFolderError: the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(Problem(named("recipe"), repr(str(path)), "Write, say, recipe.toml."))
    text = to_json(recipe) if path.suffix.lower() == ".json" else to_toml(recipe, commented=commented)
    write_atomically(path, text.encode())


def to_toml(recipe: Recipe, *, commented: bool = False) -> str:
    """A recipe as TOML, which has no null: settings that are off are left out.

    Args:
        recipe: any recipe.
        commented: under headings, with an explanation above each setting.

    Example:
        >>> print(to_toml(Recipe()).splitlines()[0])
        hidden_units = [64, 64]
    """
    if not commented:
        return "".join(f"{name} = {written(value)}\n" for name, value in recipe.to_dict().items() if value is not None)
    lines = [
        "# A recipe: one network and its training. A setting that is left out has its default.",
        *wrap(LETTERS, COMMENT_WIDTH, initial_indent="# ", subsequent_indent="# "),
    ]
    heading = ""
    for each in explain(recipe):
        if each.heading != heading:
            heading = each.heading
            lines += ["", "", f"# {heading}", f"# {'=' * len(heading)}"]
        lines += ["", *_comments(each)]
        lines.append(f"# {each.name} = {SETTINGS[each.name].example}" if each.value == "off" else f"{each.name} = {each.value}")
    return "\n".join(lines) + "\n"


def to_json(recipe: Recipe) -> str:
    """A recipe as a JSON object; settings that are off are null.

    Example:
        >>> from_json(to_json(Recipe(keep_prob=0.8))).keep_prob
        0.8
    """
    settings = (f"  {json.dumps(name)}: {'null' if value is None else written(value)}" for name, value in recipe.to_dict().items())
    return "{\n" + ",\n".join(settings) + "\n}\n"


def from_toml(text: str) -> Recipe:
    """The recipe that TOML describes.

    Raises:
        OptionError: as ``read_recipe``.

    Example:
        >>> from_toml('optimiser = "rmsprop"\\nkeep_prob = [0.8, 0.5]').keep_prob
        (0.8, 0.5)
    """
    return from_settings(parse_toml(text, "recipe"))


def from_json(text: str) -> Recipe:
    """The recipe that a JSON object describes.

    Raises:
        OptionError: as ``read_recipe``.

    Example:
        >>> from_json('{"optimiser": "rmsprop", "clip_norm": null}').optimiser
        'rmsprop'
    """
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        return dict(pairs)

    try:
        settings = json.loads(text, object_pairs_hook=collect)
    except json.JSONDecodeError as error:
        received = at_line(text, error.lineno, f"{error.msg}, column {error.colno}")
        raise OptionError(Problem("a recipe is JSON", received, 'Write {"name": value, ...}.')) from None
    except (ValueError, RecursionError):
        raise OptionError(Problem("a recipe is JSON", ENDLESS, 'Write {"name": value, ...}.')) from None
    if not isinstance(settings, dict):
        raise OptionError(Problem("a recipe is a JSON object", _received(settings), 'Write {"name": value, ...}.'))
    return from_settings(settings, [Problem("a setting is given once", f"{name!r} twice", "Leave one out.") for name in twice])


def from_settings(settings: Mapping[str, Any], problems: Iterable[Problem] = ()) -> Recipe:
    """The recipe of settings that were read from text, whose types are therefore uncertain.

    Args:
        settings: name and value, lists in place of tuples.
        problems: what is known to be wrong already.

    Raises:
        OptionError: these and all that is wrong with the settings.

    Example:
        >>> from_settings({"lr": 0.1})
        Traceback (most recent call last):
        ...
        shoal.errors.OptionError: a recipe has known settings only; received 'lr'. Write learning_rate.
    """
    known = [field.name for field in fields(Recipe)]
    found = [*problems, *(_unknown(name, value, known) for name, value in settings.items() if name not in known)]
    mistyped = {name: problem for name in known if name in settings and (problem := _mistyped(name, settings[name]))}
    usable = {name: value for name, value in settings.items() if name in known and name not in mistyped}
    found += mistyped.values()
    recipe = None
    try:
        recipe = Recipe(**usable | _stand_ins(settings, mistyped))
    except OptionError as error:
        found += (replace(each, received=shortened(each.received)) for each in error.problems)
    if recipe is None or found:
        raise OptionError(*found)
    return recipe


def _comments(each: Explanation) -> Iterator[str]:
    """What stands above one setting. The value is named, so that a comment older than the value is seen to be."""

    def wrapped(text: str, indent: str = "#   ") -> list[str]:
        return wrap(text, COMMENT_WIDTH, initial_indent=indent, subsequent_indent=indent)

    yield from wrapped(f"{each.item}. {each.meaning}", "# ")
    for equation in each.formula:
        yield from wrapped(equation)
    if each.value != "off":
        yield from wrapped(f"{each.value}: {each.effect}.")
    if each.name in CHOICES:
        yield from wrapped(f"One of {', '.join(CHOICES[each.name])}.")


def _unknown(name: str, value: Any, known: Iterable[str]) -> Problem:
    shown = repr(shortened(name))
    if isinstance(value, dict) and any(inside in known for inside in value):
        return Problem("settings stand at the top of a recipe", f"the table {shown}", "Make its heading a comment.")
    known_as = ELSEWHERE.get(name.lower())
    return Problem("a recipe has known settings only", shown, f"Write {known_as}." if known_as else did_you_mean(name, known))


def _stand_ins(settings: Mapping[str, Any], mistyped: Mapping[str, Problem]) -> dict[str, Any]:
    """Values for settings of a wrong type with which the others are still judged, but contradict nothing."""
    per_layer = settings.get("keep_prob")
    layers = len(per_layer) if isinstance(per_layer, list | tuple) else 1
    return {
        name: value for name, value in {"hidden_units": (1,) * min(layers, MAX_HIDDEN_LAYERS), "epochs": 1e30}.items() if name in mistyped
    }


def _mistyped(name: str, value: Any) -> Problem | None:
    """What is wrong with the type of a value, in the file's words; whether it is in its range is the recipe's to say."""
    kind, fits = _kind(name)
    if fits(value):
        return None
    if value is None:
        return Problem(f"{name} has a value", "null", "Leave it out for its default.")
    meant = next(filter(fits, _near_misses(value)), None)
    example = written(getattr(Recipe(), name)) if meant is None else written(meant)
    return Problem(f"{name} is {kind}", _received(value), f"Write{'' if meant is not None else ', say,'} {name} = {example}.")


def _kind(name: str) -> tuple[str, Callable[[Any], bool]]:
    """What type a setting has, in words and as a test."""
    if name in ("hidden_units", "channels"):
        most = MAX_HIDDEN_LAYERS if name == "hidden_units" else MAX_BLOCKS
        return f"a list of 0 to {most} positive whole numbers", lambda value: _is_list(value, _is_whole) and len(value) <= most
    if name in ("convolutions_per_block", "kernel_size"):
        return "a whole number", _is_whole
    if name == "residual":
        return "true or false", lambda value: isinstance(value, bool)
    if name == "keep_prob":
        return "a number, or a list of a number for each hidden layer", lambda value: _is_number(value) or _is_list(value, _is_number)
    if name == "batch_size":
        return 'a whole number or "all"', lambda value: _is_whole(value) or value == "all"
    if name in CHOICES:
        return f"one of {', '.join(CHOICES[name])}", lambda value: isinstance(value, str)
    return "a number", lambda value: _is_number(value) or (value is None and name in OPTIONAL_NUMBERS)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_number(value: Any) -> bool:
    # an integer beyond every float would overflow where the recipe compares it
    return isinstance(value, int | float) and not isinstance(value, bool) and (isinstance(value, float) or abs(value) < 1e300)


def _is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(map(fits, value))


def _near_misses(value: Any) -> Iterator[Any]:
    """What may have been meant by a value of a wrong type: the same without quotes, as a list, without a list, or as a whole number."""
    if isinstance(value, str):
        for text in (value, f"[{value.strip('()[] ,')}]"):
            with suppress(ValueError, RecursionError):
                yield json.loads(text)
        with suppress(ValueError):
            yield float(value)  # .5, which is none in JSON
    yield [value]
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    if isinstance(value, float) and value.is_integer():
        yield int(value)


def _received(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        simple = all(isinstance(each, int | float | str) for each in value)
        return f"the list {shortened(json.dumps(value))}" if simple else "a list of lists or tables"
    if isinstance(value, bool | int | float | str):
        return f"{'the text ' * isinstance(value, str)}{shortened(json.dumps(value))}"
    return "null" if value is None else f"the date or time {value}"
