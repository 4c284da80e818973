"""The parameters of a search: which settings of a recipe it may change, in what range, on what scale, and when they matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from shoal.errors import Problem, did_you_mean
from shoal.recipe import CHOICES, Recipe

Scale = Literal["linear", "integer", "log", "log_integer", "log_one_minus"]
When = tuple[tuple[str, tuple[Any, ...]], ...]

UNITS, LAYERS = "units", "hidden_layers"
"""Parameters beside the settings of a recipe: the units of every hidden layer, and their number."""

CONVOLUTIONS = ("channels", "convolutions_per_block", "kernel_size", "pooling", "residual", "global_pooling")
"""The settings of convolutions, all of which a program is compiled for."""

SHAPE = (
    *(LAYERS, "hidden_units", "activation", "normalisation", "batch_size", "numeric_encoding", "input_normalisation", "loss"),
    *CONVOLUTIONS,
)
"""What a program is compiled for; every combination of such choices is a family."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that one number of a recipe is drawn from.

    Args:
        name: a setting of ``Recipe``, ``units`` for the units of every hidden layer, or ``hidden_layers`` for their number.
        low: the lowest value.
        high: the highest.
        scale: ``linear``; ``integer``; ``log`` (each decade as often as the next); ``log_integer``; or ``log_one_minus``, which is
            ``log`` of ``1 - value``, for averages that span ``1/(1 - value)`` steps.
        reason: why this range.
        when: the parameter is drawn only where each of these others has one of these values, as ``(("optimiser", ("momentum",)),)``.
            Where a setting could not matter, as ``beta1`` without a first moment, it is left out without being asked.

    Example:
        >>> # half the draws span more than 100 steps
        >>> Range("beta1", 0.9, 0.999, "log_one_minus").value(0.5)
        0.99
    """

    name: str
    low: float
    high: float
    scale: Scale = "linear"
    reason: str = ""
    when: When = ()

    def value(self, position: float) -> float | int:
        """The value at a position from 0 to 1 of the range."""
        if self.scale == "log_one_minus":
            return round(1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** position, 12)
        if self.scale in ("log", "log_integer"):
            value = self.low * (self.high / self.low) ** position
        else:
            value = self.low + (self.high - self.low) * position
        return round(value) if self.scale in ("integer", "log_integer") else min(max(float(value), self.low), self.high)

    def position(self, value: float) -> float:
        """Where a value lies in the range, from 0 to 1; beyond an end, that end. The inverse of ``value``.

        Example:
            >>> Range("learning_rate", 1e-4, 1.0, "log").position(1e-2)
            0.5
        """
        value = min(max(value, self.low), self.high)
        if self.scale == "log_one_minus":
            return math.log((1 - value) / (1 - self.low)) / math.log((1 - self.high) / (1 - self.low))
        if self.scale in ("log", "log_integer"):
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def part(self, begin: float, end: float) -> Range:
        """The part of the range between two positions.

        Example:
            >>> Range("learning_rate", 1e-4, 1.0, "log").part(0.5, 1.0).low
            0.01
        """
        low, high = self.value(begin), self.value(end)
        return replace(self, low=low, high=high) if low < high else self


@dataclass(frozen=True, slots=True)
class Choice:
    """The values that a setting of a recipe is chosen from.

    Args:
        name: a setting of ``Recipe``, such as ``optimiser``, ``batch_size`` or ``hidden_layers``; or any other name, where each value is
            a dictionary of settings that go together.
        values: each as likely as the others.
        reason: why these.
        when: as in ``Range``.

    Example:
        >>> Choice("optimiser", ("momentum", "adamw")).value(0.7)
        'adamw'
    """

    name: str
    values: tuple[Any, ...]
    reason: str = ""
    when: When = ()

    def value(self, position: float) -> Any:
        """The value at a position from 0 to 1."""
        return self.values[min(int(position * len(self.values)), len(self.values) - 1)]

    def label(self, value: Any) -> Any:
        """The value as it is shown and recorded: settings that go together become one text.

        Example:
            >>> each = {"hidden_layers": 2, "activation": "relu"}
            >>> Choice("architecture", (each,)).label(each)
            'hidden_layers 2, activation relu'
        """
        return labelled(value)

    @property
    def is_of_shape(self) -> bool:
        """Whether its values need programs of their own."""
        return any(name in SHAPE for value in self.values for name in (value if isinstance(value, Mapping) else (self.name,)))


Parameter = Range | Choice


def labelled(value: Any) -> Any:
    """A value as it is shown and recorded (see ``Choice.label``)."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, tuple | list):
        return " x ".join(map(str, value))
    return "off" if value is None else value


def has_residual(recipe: Recipe) -> bool:
    """Whether a recipe has layers that a residual connection can lead past."""
    return (bool(recipe.channels) and recipe.convolutions_per_block > 1) or len(recipe.hidden_units) > 1


_USED: dict[str, Callable[[Recipe], bool]] = {
    "beta1": lambda recipe: recipe.blocks.first_moment,
    "beta2": lambda recipe: (recipe.blocks.second_moment and not recipe.blocks.accumulate) or recipe.blocks.sign,
    "epsilon": lambda recipe: recipe.blocks.second_moment,
    "decay_rate": lambda recipe: recipe.decay in ("inverse_time", "sqrt_epoch", "sqrt_step"),
    "decay_factor": lambda recipe: recipe.decay in ("exponential", "staircase", "plateau"),
    "decay_epochs": lambda recipe: recipe.decay in ("staircase", "plateau"),
    "huber_delta": lambda recipe: recipe.loss == "huber",
    "quantile": lambda recipe: recipe.loss == "quantile",
    "batch_norm_beta": lambda recipe: recipe.normalisation == "batch",
    "weight_decay": lambda recipe: recipe.optimiser != "adam",
    "frequency_scale": lambda recipe: recipe.numeric_encoding == "periodic",
    UNITS: lambda recipe: bool(recipe.hidden_units),
    "keep_prob": lambda recipe: bool(recipe.hidden_units or recipe.channels),
    "residual": has_residual,
    **dict.fromkeys(("convolutions_per_block", "kernel_size", "pooling", "global_pooling"), lambda recipe: bool(recipe.channels)),
}
"""Settings that matter in some recipes only."""


def is_active(parameter: Parameter, recipe: Any, settings: Mapping[str, Any]) -> bool:
    """Whether a parameter matters in a recipe, beside these values of the others.

    Example:
        >>> is_active(Range("beta1", 0.8, 0.99), Recipe(optimiser="rmsprop"), {})
        False
    """
    wanted = all(labelled(settings.get(name, _setting(recipe, name))) in map(labelled, values) for name, values in parameter.when)
    return wanted and _USED.get(parameter.name, lambda recipe: True)(recipe)


def active(
    parameters: Sequence[Parameter], base: Recipe, settings: Mapping[str, Any], chosen: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Those of the settings that matter.

    Args:
        parameters: of the settings.
        base: what they change.
        settings: value of each.
        chosen: parameters that have been decided before and are part of the base.
    """
    kept: dict[str, Any] = {}
    for each in by_dependence(parameters):
        if each.name in settings and is_active(each, Unchecked(base, translated(base, kept)), {**(chosen or {}), **kept}):
            kept[each.name] = settings[each.name]
    return {each.name: kept[each.name] for each in parameters if each.name in kept}


def by_dependence(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters in an order in which those come first that decide whether others matter.

    Example:
        >>> [each.name for each in by_dependence([Range("beta1", 0.8, 0.99), Choice("optimiser", ("momentum", "rmsprop"))])]
        ['optimiser', 'beta1']
    """
    left = sorted(parameters, key=lambda each: (isinstance(each, Range), each.name in _USED))  # choices say which numbers are used
    ordered: list[Parameter] = []
    while left:
        waiting = {each.name for each in left}
        free = (each for each in left if not waiting & {name for name, _ in each.when})
        ordered.append(next(free, left[0]))
        left.remove(ordered[-1])
    return ordered


class Unchecked:
    """Reads like a recipe with other settings, which may contradict each other while not all of them are known."""

    def __init__(self, base: Recipe, settings: Mapping[str, Any]) -> None:
        self._base, self._settings = base, settings

    def __getattr__(self, name: str) -> Any:
        if isinstance(computed := getattr(Recipe, name, None), property):
            return computed.__get__(self)
        return self._settings[name] if name in self._settings else getattr(self._base, name)


def translated(base: Recipe, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a recipe from the names of parameters.

    Example:
        >>> translated(Recipe(), {"units": 20, "hidden_layers": 3, "keep_prob": 0.8})
        {'keep_prob': 0.8, 'hidden_units': (20, 20, 20)}
    """
    settings: dict[str, Any] = {}
    for name, value in drawn.items():
        settings |= value if isinstance(value, Mapping) else {name: value}
    layers, units = settings.pop(LAYERS, None), settings.pop(UNITS, None)
    if layers is not None or units is not None:
        now = settings.get("hidden_units", base.hidden_units)
        count = len(now) if layers is None else int(layers)
        widest = max(now, default=64) if units is None else int(units)
        settings["hidden_units"] = (widest,) * count
    return settings


def enumerated(each: Parameter) -> Parameter:
    """A range of layers is a choice between their numbers."""
    if isinstance(each, Range) and each.name == LAYERS and float(each.low).is_integer() and float(each.high).is_integer():
        return Choice(LAYERS, tuple(range(int(each.low), int(each.high) + 1)), each.reason, each.when)
    return each


MISSING = object()
"""In place of a value that a recipe does not have, where ``None`` is one."""


def value_in(each: Parameter, recipe: Recipe, base: Recipe) -> Any:
    """The value of a parameter in a recipe, or ``MISSING`` where the recipe has none that the parameter could have.

    Args:
        each: of the space.
        recipe: with the value.
        base: what it has where settings that go together leave one of them out.
    """
    if isinstance(each, Choice) and isinstance(each.values[0], Mapping):
        common = {name: _setting(base, name) for name in set_by(each)}
        has = (value for value in each.values if all(_same(recipe, name, wanted) for name, wanted in {**common, **value}.items()))
        return next(has, MISSING)
    return _setting(recipe, each.name)


def _setting(recipe: Any, name: str) -> Any:
    """A setting by the name that parameters have for it; ``MISSING`` where the recipe has none."""
    if name == LAYERS:
        return len(recipe.hidden_units)
    if name == UNITS:
        return recipe.hidden_units[0] if len(set(recipe.hidden_units)) == 1 else MISSING
    return getattr(recipe, name, MISSING)


def _same(recipe: Recipe, name: str, wanted: Any) -> bool:
    if name == LAYERS:
        return len(recipe.hidden_units) == wanted
    if name == UNITS:
        return set(recipe.hidden_units) == {wanted}
    return getattr(recipe, name) == (tuple(wanted) if isinstance(wanted, list) else wanted)


def unlabelled(each: Parameter, value: Any) -> Any:
    """The value that a label stands for; the inverse of ``Choice.label``."""
    if isinstance(each, Choice):
        return next((one for one in each.values if each.label(one) == value), value)
    return value


def set_by(each: Parameter) -> dict[str, None]:
    """The names of what a parameter sets: its own, or those of its settings that go together; in order."""
    bundles = [value for value in each.values if isinstance(value, Mapping)] if isinstance(each, Choice) else []
    return dict.fromkeys(name for value in bundles for name in value) or {each.name: None}


def parameter_problems(parameters: Sequence[Parameter]) -> Iterator[Problem]:
    """What is wrong with parameters that recipes need not be looked at for."""
    known = [UNITS, LAYERS, *(each.name for each in fields(Recipe))]
    names = [each.name for each in parameters]
    if not parameters:
        yield Problem("a space has parameters", "none", 'Write, say, Range("learning_rate", 1e-4, 1e-2, "log").')
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem("a parameter is given once", f"{name!r} twice", "Leave one of them out.")
    own = [set_by(each) for each in parameters]
    for name in sorted({name for each in own for name in each if sum(name in other for other in own) > 1 and names.count(name) < 2}):
        where = " and ".join(each.name for each in parameters if name in set_by(each))
        yield Problem("a setting is set by one parameter", f"{name!r} set by {where}", "Leave it out of all but one.")
    if any("hidden_units" in one and {UNITS, LAYERS} & other.keys() for one in own for other in own if one is not other):
        yield Problem("layers are chosen in one way", "hidden_units beside units or hidden_layers", "Leave one of the two out.")
    if "epochs" in names:
        remedy = "Set epochs in the base; recipes of different lengths cannot be compared at one rung."
        yield Problem("all trials train equally long", "a parameter 'epochs'", remedy)
    for each in parameters:
        yield from _range_problems(each, known) if isinstance(each, Range) else _choice_problems(each, known)
        yield from _when_problems(each, parameters, known)


def _when_problems(each: Parameter, parameters: Sequence[Parameter], known: list[str]) -> Iterator[Problem]:
    """What is wrong with the conditions of a parameter."""
    others = {other.name: other for other in parameters if other.name != each.name}
    for name, values in each.when:
        if name == each.name or (name not in others and name not in known):
            yield Problem(
                f"{each.name} depends on another parameter of the space or setting of the base", repr(name), did_you_mean(name, others)
            )
        elif not values:
            yield Problem(f"when says which values of {name} {each.name} needs", "none", "Name some.")
        else:
            other = others.get(name)
            possible = CHOICES.get(name, ()) if other is None else other.values if isinstance(other, Choice) else ()
            labels = [*map(labelled, possible)]
            for value in map(labelled, values):
                if labels and value not in labels:
                    remedy = did_you_mean(str(value), [*map(str, labels)])
                    yield Problem(f"when of {each.name} names values that {name} can have", repr(value), remedy)


def _range_problems(each: Range, known: list[str]) -> Iterator[Problem]:
    if each.name not in known:
        yield Problem("a range is of a known setting", repr(each.name), did_you_mean(each.name, known))
        return
    if each.name in CHOICES or each.name in ("batch_size", "hidden_units"):
        example = (32, 64, 128) if each.name == "batch_size" else CHOICES.get(each.name, ((32, 32), (64, 64)))[:2]
        yield Problem(
            f"{each.name} is chosen from values", f"a range from {each.low!r} to {each.high!r}", f"Write values = {list(example)}."
        )
        return
    if each.scale not in get_args(Scale):
        yield Problem(f"the scale of {each.name} is known", repr(each.scale), did_you_mean(str(each.scale), get_args(Scale)))
        return
    if not all(isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in (each.low, each.high)):
        yield Problem(f"the ends of {each.name} are numbers", f"{each.low!r} and {each.high!r}", "Give two numbers.")
    elif each.low >= each.high:
        yield Problem(f"the range of {each.name} runs from low to high", f"{each.low!r} to {each.high!r}", "Give a lower low.")
    elif each.scale in ("log", "log_integer") and each.low <= 0:
        yield Problem(f"a log scale of {each.name} begins above 0", repr(each.low), "Begin above 0, or choose the linear scale.")
    elif each.scale == "log_one_minus" and each.high >= 1:
        yield Problem(f"a log scale of 1 - {each.name} ends below 1", repr(each.high), "End below 1, say at 0.999.")
    elif each.name in (UNITS, LAYERS, "patience_steps") and each.scale not in ("integer", "log_integer"):
        yield Problem(f"{each.name} is a whole number", f"the scale {each.scale!r}", "Choose integer or log_integer.")


def _choice_problems(each: Choice, known: list[str]) -> Iterator[Problem]:
    if not each.values:
        yield Problem(f"{each.name} has values to choose from", "none", "Name some.")
        return
    bundles = [value for value in each.values if isinstance(value, Mapping)]
    if bundles and len(bundles) < len(each.values):
        yield Problem(
            f"the values of {each.name} are all of one kind", "tables of settings beside single values", "Make all of them tables."
        )
    elif bundles:
        for name in dict.fromkeys(name for value in bundles for name in value if name not in known):
            yield Problem(f"the values of {each.name} hold known settings", repr(name), did_you_mean(name, known))
    elif each.name not in known:
        yield Problem("a choice is of a known setting", repr(each.name), did_you_mean(each.name, known))
    for value in each.values:
        if each.values.count(value) > 1:
            yield Problem(f"the values of {each.name} differ", f"{value!r} twice", "Leave one of them out.")
            return
