"""Spaces: the recipes that a search draws from, as families of one shape each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shoal.errors import OptionError, Problem
from shoal.parameters import (
    MISSING,
    UNITS,
    Choice,
    Parameter,
    Range,
    Unchecked,
    active,
    by_dependence,
    enumerated,
    is_active,
    parameter_problems,
    translated,
    unlabelled,
    value_in,
)
from shoal.recipe import Recipe, Shape, techniques_of

MOST_FAMILIES = 64
MOST_COMBINATIONS = 4096
"""Of choices in one family that are looked at one by one; with more, the others are taken to be like these."""
WIDTH_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class Family:
    """Recipes of one shape: they may train in one shoal, ``width`` units wide."""

    base: Recipe
    width: int
    ranges: tuple[Parameter, ...]
    begins_with_base: bool = False
    """The first draw is the base itself."""
    chosen: tuple[tuple[str, Any], ...] = ()
    """The choices of shape that made it: name and value."""

    @property
    def shape(self) -> Shape:
        """The static half that all its recipes share."""
        return self.base.shape

    @property
    def techniques(self) -> tuple[str, ...]:
        """What a program that trains any of its recipes must hold: what is in use at some end of a range, or with some choice."""
        ends = ((each.name, value) for each in self.ranges for value in values_of(each))
        return techniques_of([self.base, *(Unchecked(self.base, translated(self.base, {name: value})) for name, value in ends)])

    def at(self, point: Sequence[float]) -> Recipe:
        """The recipe at a point of the unit cube, whose axes are the ranges."""
        return self.with_settings({each.name: each.value(float(at)) for each, at in zip(self.ranges, point, strict=True)})

    def with_settings(self, drawn: Mapping[str, Any]) -> Recipe:
        """The base with these values of the ranges, as far as they matter beside each other."""
        return replace(self.base, **translated(self.base, active(self.ranges, self.base, drawn, dict(self.chosen))))

    def values_in(self, recipe: Recipe) -> dict[str, Any]:
        """The values of those ranges that matter in a recipe of the family; the inverse of ``with_settings``."""
        values = {each.name: value_in(each, recipe, self.base) for each in self.ranges}
        known = {name: value for name, value in values.items() if value is not MISSING}
        return active(self.ranges, self.base, known, dict(self.chosen))

    def matters(self, parameter: Parameter, drawn: Mapping[str, Any]) -> bool:
        """Whether one of the ranges matters beside these values of those that decide about it."""
        return is_active(parameter, Unchecked(self.base, translated(self.base, drawn)), {**dict(self.chosen), **drawn})


@dataclass(frozen=True, slots=True)
class Space:
    """The recipes that a search draws from.

    Args:
        base: what all of them have in common, unless a parameter says otherwise.
        parameters: what differs, those of shape included.
        families: one for every shape.
        by_promise: whether the first families alone are a sensible search, so that a small budget may do without the others, and their
            bases good recipes, so that it may do without a search.
        growing: whether each family is a larger network than the one before it, and the largest that can be trained well is the best.
        alone: where there is time for one family only, the number of the one to train, and then those that may turn out better early on.

    Example:
        >>> rate = Range("learning_rate", 1e-4, 1e-1, "log")
        >>> layers = Choice("hidden_layers", (1, 2, 3))
        >>> space = Space.of(Recipe(), [rate, layers])
        >>> len(space.families), space.settings_of(space.families[0].at([0.5]))
        (3, {'learning_rate': 0.0031622776601683794, 'hidden_layers': 1})
    """

    base: Recipe
    parameters: tuple[Parameter, ...]
    families: tuple[Family, ...] = field(repr=False)
    by_promise: bool = False
    growing: bool = False
    alone: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, base: Recipe, parameters: Sequence[Parameter], *, by_promise: bool = False) -> Space:
        """The space of some parameters, with one family for every combination of choices of shape.

        Raises:
            OptionError: unknown settings, ranges the wrong way round, values that no recipe may have, alone or together; all at once.
        """
        parameters = tuple(enumerated(each) for each in parameters)
        if problems := list(parameter_problems(parameters)):
            raise OptionError(*problems)
        of_shape = [each for each in parameters if isinstance(each, Choice) and each.is_of_shape]
        count = math.prod(len(each.values) for each in of_shape)
        if count > MOST_FAMILIES:
            received = " x ".join(f"{len(each.values)} of {each.name}" for each in of_shape)
            remedy = "Leave some values out: every combination needs a program of its own."
            raise OptionError(Problem(f"a space has at most {MOST_FAMILIES} shapes of network", f"{count}: {received}", remedy))
        others = tuple(each for each in parameters if each not in of_shape)
        found = dict.fromkeys(_dependence_problems(of_shape, others))
        families: list[Family] = []
        for values in itertools.product(*(each.values for each in of_shape)):
            chosen = {each.name: value for each, value in zip(of_shape, values, strict=True)}
            kept = active(of_shape, base, chosen)
            try:
                family = _family(base, kept, others)
                found |= dict.fromkeys(_recipe_problems(family))
            except OptionError as error:
                found |= dict.fromkeys(error.problems)
                continue
            if family not in families:  # as where one choice makes another not matter
                families.append(family)
        if found:
            raise OptionError(*found)
        return cls(base, parameters, tuple(families), by_promise)

    @classmethod
    def single(cls, recipe: Recipe) -> Space:
        """The space that holds one recipe."""
        return cls(recipe, (), (Family(recipe, max(recipe.hidden_units, default=1), ()),))

    def settings_of(self, recipe: Recipe) -> dict[str, Any]:
        """The value of every parameter that matters in a recipe; of settings that go together, their label."""
        found: dict[str, Any] = {}
        for each in by_dependence(self.parameters):
            value = value_in(each, recipe, self.base)
            if value is not MISSING and is_active(each, recipe, found):
                found[each.name] = each.label(value) if isinstance(each, Choice) else value
        return {each.name: found[each.name] for each in self.parameters if each.name in found}

    def recipe_of(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe of a value for every parameter (those that do not matter may be left out); the inverse of ``settings_of``."""
        named = {each.name: each for each in self.parameters}
        values = {name: unlabelled(named[name], value) for name, value in settings.items()}
        return replace(self.base, **translated(self.base, active(self.parameters, self.base, values)))

    def matters(self, parameter: Parameter, settings: Mapping[str, Any]) -> bool:
        """Whether a parameter matters beside these values (or labels) of those that decide about it."""
        named = {each.name: each for each in self.parameters}
        values = {name: unlabelled(named[name], value) for name, value in settings.items()}
        return is_active(parameter, Unchecked(self.base, translated(self.base, values)), values)

    def family_of(self, recipe: Recipe) -> int:
        """The number of the first family that a recipe fits into.

        Raises:
            ValueError: it fits into none.
        """
        widest = max(recipe.hidden_units, default=0)
        for number, family in enumerate(self.families):
            if family.shape == recipe.shape and widest <= family.width:
                return number
        raise ValueError(f"no family of the space has the shape {recipe.shape}")


def _dependence_problems(of_shape: Sequence[Choice], others: Sequence[Parameter]) -> Iterator[Problem]:
    """Families are made before anything else is drawn."""
    drawn = {each.name for each in others}
    for each in of_shape:
        for name in (name for name, _ in each.when if name in drawn):
            remedy = "Let it depend on a choice of shape, or leave when out."
            yield Problem("a choice of shape depends on no other kind of parameter", f"{each.name} depending on {name}", remedy)


def corners(parameters: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """The settings at the lower and at the upper ends of all ranges, with every combination of choices."""
    choices = [each for each in parameters if isinstance(each, Choice)]
    ranges = [each for each in parameters if isinstance(each, Range)]
    for values in itertools.islice(itertools.product(*(each.values for each in choices)), MOST_COMBINATIONS):
        drawn = {each.name: value for each, value in zip(choices, values, strict=True)}
        for end in (0.0, 1.0):
            yield drawn | {each.name: each.value(end) for each in ranges}


def values_of(parameter: Parameter) -> tuple[Any, ...]:
    """The values of a choice, or the ends of a range."""
    return parameter.values if isinstance(parameter, Choice) else (parameter.value(0.0), parameter.value(1.0))


def _family(base: Recipe, chosen: Mapping[str, Any], others: tuple[Parameter, ...]) -> Family:
    """The family of some choices of shape; parameters that never matter in it are left out."""
    base = replace(base, **translated(base, chosen))
    used: set[str] = set()
    for drawn in corners(others):
        used |= active(others, base, drawn, chosen).keys()
        if len(used) == len(others):
            break
    ranges = tuple(each for each in others if each.name in used)
    widest = [max(values_of(each)) for each in ranges if each.name == UNITS] or [max(base.hidden_units, default=1)]
    return Family(base, padded_width(int(widest[0])), ranges, chosen=tuple(chosen.items()))


def padded_width(units: int) -> int:
    """The width of a shoal for layers of so many units.

    Example:
        >>> padded_width(50)
        56
    """
    return -(-units // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def _recipe_problems(family: Family) -> Iterator[Problem]:
    """What is wrong with recipes at the ends of the ranges, with every combination of choices."""
    for drawn in corners(family.ranges):
        try:
            family.with_settings(drawn)
        except OptionError as error:
            yield from error.problems
