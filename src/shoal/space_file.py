"""A space as a file: TOML to read and to write by hand; what comes back draws the same recipes.

A table for each parameter, and one named ``base`` for what all recipes have in common::

    [base]
    optimiser = "momentum"

    [learning_rate]
    low = 1e-4
    high = 1e-1
    scale = "log"

    [hidden_layers]
    values = [1, 2, 3]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from textwrap import wrap
from typing import Any

from shoal.errors import OptionError, Problem, did_you_mean
from shoal.explanations import SETTINGS, written
from shoal.parameters import LAYERS, UNITS, Choice, Parameter, Range, Scale
from shoal.recipe import OPTIONAL_NUMBERS, Recipe
from shoal.recipe_file import ELSEWHERE, from_settings
from shoal.settings_file import parse_toml, read_text
from shoal.space import Space
from shoal.storage import write_atomically

BASE = "base"
OFF = "off"
"""What a number that a recipe can do without is called in a list of values, since TOML has no null."""

USUAL_SCALES: dict[str, Scale] = {
    **dict.fromkeys(("learning_rate", "weight_decay", "l2", "l1", "clip_norm", "clip_value", "max_norm", "epsilon", "epochs"), "log"),
    **dict.fromkeys(("initialisation_gain", "mixup", "input_noise", "decay_rate", "decay_epochs", "huber_delta"), "log"),
    **dict.fromkeys(("beta1", "beta2", "weight_average", "batch_norm_beta"), "log_one_minus"),
    UNITS: "log_integer",
    LAYERS: "integer",
    "patience_steps": "log_integer",
}
"""The scale of a range that does not name one, where it is not linear: what is compared by ratios has a log scale."""

_KEYS = ("low", "high", "scale", "values", "reason", "when")
COMMENT_WIDTH = 100


def read_space(path: str | Path) -> Space:
    """The space in a TOML file.

    Args:
        path: ends in ``.toml``.

    Raises:
        OptionError: the file cannot be read, its syntax is broken (with the line), or the space has faults; all of them together.
    """
    return from_toml(read_text(Path(path), "space", (".toml",)))


def from_toml(text: str) -> Space:
    """The space that TOML describes.

    Raises:
        OptionError: as ``read_space``.

    Example:
        >>> space = from_toml("[learning_rate]\\nlow = 1e-4\\nhigh = 1e-1\\n\\n[hidden_layers]\\nvalues = [1, 2]")
        >>> [parameter.name for parameter in space.parameters], space.parameters[0].scale
        (['learning_rate', 'hidden_layers'], 'log')
    """
    return from_tables(parse_toml(text, "space"))


def from_tables(tables: Mapping[str, Any]) -> Space:
    """The space of tables as a file has them; the inverse of ``to_tables``.

    Raises:
        OptionError: as ``read_space``.
    """
    problems: list[Problem] = []
    parameters: list[Parameter] = []
    base = Recipe()
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            problems.append(_not_a_table(name, table))
        elif name == BASE:
            try:
                base = from_settings(table)
            except OptionError as error:
                problems += error.problems
        else:
            found = list(_table_problems(name, table))
            problems += found
            if not found:
                parameters.append(_parameter(name, table))
    try:
        space = Space.of(base, parameters)
    except OptionError as error:
        raise OptionError(*problems, *(each for each in error.problems if parameters or not problems)) from None
    if problems:
        raise OptionError(*problems)
    return space


def to_tables(space: Space) -> dict[str, dict[str, Any]]:
    """A space as plain tables, for a file of one's own.

    A space whose families are more than the combinations of its choices, as after the recipe loop, comes back with all combinations.
    """
    usual = Recipe().to_dict()
    base = {name: value for name, value in space.base.to_dict().items() if value != usual[name] and value is not None}
    tables: dict[str, dict[str, Any]] = {BASE: base} if base else {}
    for each in space.parameters:
        if isinstance(each, Range):
            table: dict[str, Any] = {"low": each.low, "high": each.high, "scale": each.scale}
        else:
            table = {"values": [OFF if value is None else value for value in each.values]}
        table |= {"reason": each.reason} if each.reason else {}
        table |= {"when": {name: [OFF if value is None else value for value in values] for name, values in each.when}} if each.when else {}
        tables[each.name] = table
    return tables


def to_toml(space: Space, *, commented: bool = False) -> str:
    """A space as TOML.

    Args:
        space: any space.
        commented: say what each parameter is above it.

    Example:
        >>> print(to_toml(Space.of(Recipe(), [Range("keep_prob", 0.5, 1.0)])))
        [keep_prob]
        low = 0.5
        high = 1.0
        scale = "linear"
        <BLANKLINE>
    """
    blocks = []
    for name, table in to_tables(space).items():
        lines = [f"# {line}" for line in wrap(_about(name), COMMENT_WIDTH)] if commented and _about(name) else []
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def write_space(space: Space, path: str | Path, *, commented: bool = False) -> None:
    """Write a space as a TOML file that ``read_space`` reads; a file of that name is replaced.

    Args:
        space: any space.
        path: should end in ``.toml``, which ``read_space`` asks for.
        commented: say what each parameter is above it.

    Raises:
        RunFolderError: the file cannot be written; nothing is left behind.
    """
    write_atomically(Path(path), to_toml(space, commented=commented).encode())


def _about(name: str) -> str:
    own = {
        BASE: "What all recipes have in common; a setting that is left out has its default.",
        UNITS: "Units of every hidden layer.",
        LAYERS: "How many hidden layers; each number needs a program of its own.",
    }
    return own.get(name) or (SETTINGS[name].meaning if name in SETTINGS else "Settings that go together.")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return "[\n" + "".join(f"  {_toml(each)},\n" for each in value) + "]"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return "true" if value is True else "false" if value is False else written(value)


def _parameter(name: str, table: Mapping[str, Any]) -> Parameter:
    when = tuple(
        (other, _values(other, values if isinstance(values, list) else [values])) for other, values in table.get("when", {}).items()
    )
    reason = table.get("reason", "")
    if "values" in table:
        return Choice(name, _values(name, table["values"]), reason, when)
    return Range(name, table["low"], table["high"], table.get("scale", USUAL_SCALES.get(name, "linear")), reason, when)


def _values(name: str, values: list[Any]) -> tuple[Any, ...]:
    """Values of a parameter as a recipe has them."""
    of_recipe = (tuple(value) if isinstance(value, list) else value for value in values)
    return tuple(None if value == OFF and name in OPTIONAL_NUMBERS else value for value in of_recipe)


def _not_a_table(name: str, value: Any) -> Problem:
    remedy = f"Write it under [{BASE}] to keep it fixed, or [{name}] with low and high, or with values."
    return Problem("a space has a table for each parameter", f"{name} = {value!r}"[:80], remedy)


def _table_problems(name: str, table: Mapping[str, Any]) -> Iterator[Problem]:
    known = [UNITS, LAYERS, *(each.name for each in fields(Recipe))]
    bundles = isinstance(table.get("values"), list) and any(isinstance(value, Mapping) for value in table["values"])
    if name not in known and not bundles:
        meant = ELSEWHERE.get(name.lower())
        yield Problem("a parameter is a known setting", repr(name), f"Write {meant}." if meant else did_you_mean(name, known))
        return
    for key in table:
        if key not in _KEYS:
            yield Problem(f"[{name}] has known keys only", repr(key), did_you_mean(key, _KEYS))
    has_range, has_values = "low" in table or "high" in table, "values" in table
    if has_range == has_values or (has_range and not {"low", "high"} <= table.keys()):
        received = "all three" if has_values else "one of the two" if has_range else "neither"
        yield Problem(f"[{name}] has low and high, or values", received, "Write low = ... and high = ..., or values = [...].")
    if has_values and not isinstance(table["values"], list):
        yield Problem(f"the values of [{name}] are a list", repr(table["values"]), "Write values = [...].")
    if not isinstance(table.get("reason", ""), str):
        yield Problem(f"the reason of [{name}] is a text", repr(table["reason"]), 'Write reason = "...".')
    if not isinstance(table.get("when", {}), Mapping):
        yield Problem(f"when of [{name}] is a table", repr(table["when"]), 'Write, say, when = { optimiser = ["momentum"] }.')
