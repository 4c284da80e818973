"""The settings that varied in a search, each as an axis on which every trial has a place from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.recipe import Recipe
from shoal.records import Run, Trial
from shoal.report.drawing import bulk_axis, five_digits, log_axis
from shoal.report.wording import SETTINGS, loss, number, setting

MOST_CATEGORIES = 6
"""A number with so few different values is drawn as categories, evenly spaced."""

_BY_FACTORS = ("learning_rate", "weight_decay", "l2", "l1", "epsilon", "clip_norm", "clip_value", "max_norm", "input_noise")
"""What is turned up by factors rather than by amounts, and so drawn on a logarithmic axis where it spans enough of them."""

FEW_TIMES = 3
MANY_TIMES = 1000
"""Whatever else spans this factor is drawn on a logarithmic axis too. Even draws from 0 on span as many times as there are trials."""

FIRST_NUMBER = 0.14
"""Where the numbers begin on an axis that has a value without a place on its scale, such as "off", below them."""

_DERIVED: dict[str, Callable[[Recipe], Any]] = {
    "hidden_layers": lambda recipe: len(recipe.hidden_units),
    "units": lambda recipe: max(recipe.hidden_units, default=0),
    "blocks": lambda recipe: len(recipe.channels),
    "filters": lambda recipe: max(recipe.channels, default=0),
}
"""What stands for the tuples of a recipe: how many there are, and the largest."""

_NEAR_ONE = ("beta1", "beta2", "weight_average")
"""Averages, whose memory is as long as 1 / (1 - value): what counts is the distance to 1."""

_REPLACED = ("hidden_units", "channels")
_OF_ARCHITECTURE = ("hidden_layers", "blocks", "filters", "activation", "optimiser", "normalisation", "numeric_encoding", "global_pooling")
_MATTERING = ("learning_rate", "units", "batch_size", "beta1", "beta2", "hidden_layers")
"""The order of the axes where no importance was measured."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting of all trials.

    Args:
        name: of the setting.
        places: from 0 to 1, one for each trial.
        words: the value of each trial.
        ticks: places and what stands there.
        step: the distance between categories; 0 where the axis is a scale of numbers.
    """

    name: str
    places: tuple[float, ...]
    words: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]
    step: float = 0.0
    start: float = 0.0
    """Where the numbers begin: above the places of the values that have none on the scale."""

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


def varied_axes(run: Run, trials: Sequence[Trial]) -> list[Axis]:
    """An axis for each setting in which the trials differ, the most important first where the importance is known.

    Args:
        run: the record.
        trials: of its search.

    Example:
        >>> [axis.name for axis in varied_axes(run, run.trials)]  # doctest: +SKIP
        ['learning_rate', 'units', 'keep_prob']
    """
    names = [*_DERIVED, *(name for name in SETTINGS if name not in _REPLACED)]
    found = [axis_of(name, trials) for name in names]
    places = {name: place for place, name in enumerate(_by_importance(run))}
    return sorted((axis for axis in found if axis is not None), key=lambda axis: places.get(axis.name, len(places)))


def _by_importance(run: Run) -> list[str]:
    measured = run.answers.importance if run.answers is not None else None
    if measured is None:
        return list(_MATTERING)
    names: list[str] = []
    for each in measured.parameters:
        names += _OF_ARCHITECTURE if each.name == "architecture" else [each.name]
    return names


def axis_of(name: str, trials: Sequence[Trial]) -> Axis | None:
    """The axis of one setting or derived setting, or of ``architecture``; ``None`` where it is unknown or all trials have one value."""
    if name == "architecture":
        parts = [axis for axis in (axis_of(each, trials) for each in _OF_ARCHITECTURE) if axis is not None]
        return _categories(name, [" ".join(words) for words in zip(*(axis.words for axis in parts), strict=True)]) if parts else None
    if name not in _DERIVED and name not in SETTINGS:
        return None
    values = [_DERIVED[name](trial.recipe) if name in _DERIVED else getattr(trial.recipe, name) for trial in trials]
    if len(set(map(repr, values))) < 2:
        return None
    numbers = {value for value in values if _is_number(value)}
    if len(numbers) <= MOST_CATEGORIES or not all(value is None or _is_number(value) for value in values):
        return _categories(name, values)
    return number_axis(name, values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _categories(name: str, values: Sequence[Any]) -> Axis:
    """Values side by side: numbers in their order, what is off before them, texts by the alphabet."""
    words = [setting(value, digits=3) for value in values]
    order = {word: (_is_number(value), value if _is_number(value) else 0.0, word) for value, word in zip(values, words, strict=True)}
    listed = sorted(order, key=lambda word: order[word])
    step = 1 / max(len(listed) - 1, 1)
    places = {word: index * step for index, word in enumerate(listed)}
    return Axis(name, tuple(places[word] for word in words), tuple(words), tuple((place, word) for word, place in places.items()), step)


def number_axis(name: str, values: Sequence[float | None]) -> Axis:
    """Numbers on the scale that suits them: linear, logarithmic, or logarithmic in the distance to 1.

    Args:
        name: of the setting.
        values: of each trial; ``None`` is off, and has its place below the numbers.
    """
    above = [value for value in values if value is not None and value > 0]
    factor = FEW_TIMES if name in _BY_FACTORS else MANY_TIMES
    is_log = len(above) > 1 and min(value for value in values if value is not None) >= 0 and max(above) >= factor * min(above)
    # zero has no place on a logarithmic scale
    scaled = above if is_log else [value for value in values if value is not None]
    low, high = min(scaled), max(scaled)
    to_one = name in _NEAR_ONE and not is_log and low < high < 1
    start = FIRST_NUMBER if len(scaled) < len(values) else 0.0

    def along(value: float) -> float:
        if is_log:
            share = math.log(value / low) / math.log(high / low)
        elif to_one:
            share = math.log((1 - low) / (1 - value)) / math.log((1 - low) / (1 - high))
        else:
            share = (value - low) / (high - low) if high > low else 0.5
        return round(start + (1 - start) * share, 4)

    if is_log:
        ticks = log_axis(low, high, 5)["tickvals"]
    elif to_one:
        ticks = [1 - tick for tick in reversed(log_axis(1 - high, 1 - low, 5)["tickvals"])]
    else:
        ticks = round_numbers(low, high)
    specials = sorted({setting(value) for value in values if value is None or (is_log and value == 0)}, reverse=True)
    marked = [(index * start / max(len(specials), 1), word) for index, word in enumerate(specials)]
    low_places = {word: place for place, word in marked}
    places = [low_places[setting(value)] if value is None or (is_log and value == 0) else along(value) for value in values]
    marked += [(along(tick), number(tick, 6)) for tick in ticks if low <= tick <= high]
    return Axis(name, tuple(places), tuple(setting(value, digits=3) for value in values), tuple(marked), start=start)


def loss_axis(trials: Sequence[Trial]) -> Axis:
    """The best dev loss of each trial; diverged and very poor ones lie at the upper end."""
    scores = [trial.score for trial in trials]
    spec = bulk_axis([score for score in scores if score is not None])
    low, high = spec["range"]
    is_log = spec.get("type") == "log"

    def along(score: float) -> float:
        return round(min(((math.log10(score) if is_log else score) - low) / (high - low), 1.0), 4)

    ticks = spec["tickvals"] if is_log else round_numbers(low, high)
    places = tuple(1.0 if score is None else along(score) for score in scores)
    return Axis("dev_loss", places, tuple(map(loss, scores)), tuple((along(tick), number(tick, 6)) for tick in ticks))


def spread(axis: Axis, trials: Sequence[Trial], share: float) -> list[float]:
    """The places, those in a category moved aside by as much as the trial's number says, so that they do not hide each other.

    Args:
        axis: numbers on a scale stay where they are.
        trials: those of the axis.
        share: of the distance between two categories.
    """
    # multiples of the golden ratio are even for any number of trials, and always the same
    aside = [((trial.number * 0.618034) % 1 - 0.5) * share * axis.step for trial in trials]
    return [round(place + more, 4) for place, more in zip(axis.places, aside, strict=True)]


def best_quarter(trials: Sequence[Trial]) -> set[int]:
    """The numbers of the quarter of the trials with the lowest dev loss; at least one where any has a loss."""
    scored = sorted((trial.score, trial.number) for trial in trials if trial.score is not None)
    return {number for _, number in scored[: math.ceil(len(scored) / 4)]}


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """At most so many round numbers from low to high.

    Example:
        >>> round_numbers(0.61, 0.99)
        [0.7, 0.8, 0.9]
    """
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if (high - low) / step <= most)
    first = math.ceil(low / step - 1e-9)
    ticks = [five_digits(index * step) for index in range(first, math.floor(high / step + 1e-9) + 1)]
    return [tick for tick in ticks if tick is not None]
