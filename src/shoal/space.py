"""Ranges and scales over recipes, and the draws from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.stats import qmc

from shoal.recipe import Recipe, Shape, techniques_of
from shoal.records import Task

Scale = Literal["linear", "integer", "log", "log_integer", "log_one_minus"]


@dataclass(frozen=True, slots=True)
class Range:
    """The values that one number of a recipe is drawn from.

    Args:
        name: a setting of ``Recipe``, or ``units`` for the units of every hidden layer.
        low: the lowest value.
        high: the highest.
        scale: ``linear``; ``integer``; ``log`` (each decade as often as the next); ``log_integer``; or ``log_one_minus``, which is
            ``log`` of ``1 - value``, for averages that span ``1/(1 - value)`` steps.
        reason: why this range.

    Example:
        >>> Range("beta1", 0.9, 0.999, "log_one_minus", "").value(0.5)  # half the draws span more than 100 steps
        0.99
    """

    name: str
    low: float
    high: float
    scale: Scale
    reason: str

    def value(self, position: float) -> float | int:
        """The value at a position from 0 to 1 of the range."""
        if self.scale == "log_one_minus":
            return round(1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** position, 12)
        if self.scale in ("log", "log_integer"):
            value = self.low * (self.high / self.low) ** position
        else:
            value = self.low + (self.high - self.low) * position
        return round(value) if self.scale in ("integer", "log_integer") else float(value)

    def position(self, value: float) -> float:
        """Where a value lies in the range, from 0 to 1; beyond an end, that end. The inverse of ``value``.

        Example:
            >>> Range("learning_rate", 1e-4, 1.0, "log", "").position(1e-2)
            0.5
        """
        value = min(max(value, self.low), self.high)
        if self.scale == "log_one_minus":
            return math.log((1 - value) / (1 - self.low)) / math.log((1 - self.high) / (1 - self.low))
        if self.scale in ("log", "log_integer"):
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Choice:
    """The values that a setting of a recipe which is no number is drawn from; all must have one shape.

    Args:
        name: a setting of ``Recipe``, such as ``optimiser``, ``initialisation`` or ``decay``.
        values: each as likely as the others.
        reason: why these.

    Example:
        >>> Choice("optimiser", ("momentum", "adamw"), "").value(0.7)
        'adamw'
    """

    name: str
    values: tuple[Any, ...]
    reason: str

    def value(self, position: float) -> Any:
        """The value at a position from 0 to 1."""
        return self.values[min(int(position * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class Family:
    """Recipes of one shape: they may train in one shoal, ``width`` units wide."""

    base: Recipe
    width: int
    ranges: tuple[Range | Choice, ...]
    begins_with_base: bool = False
    """The first draw is the base itself."""

    @property
    def shape(self) -> Shape:
        """The static half that all its recipes share."""
        return self.base.shape

    @property
    def techniques(self) -> tuple[str, ...]:
        """What a program that trains any of its recipes must hold: what is in use at some end of a range, or with some choice."""
        variants = [self.base]
        for each in self.ranges:
            ends = each.values if isinstance(each, Choice) else (each.value(0.0), each.value(1.0))
            variants += [replace(self.base, **_settings(self.base, {each.name: end})) for end in ends]
        return techniques_of(variants)

    def draw(self, count: int, seed: int) -> list[Recipe]:
        """``count`` recipes spread evenly over the ranges (scrambled Sobol points; Owen, 1998)."""
        if not self.ranges:
            return [self.base] * count
        points = qmc.Sobol(len(self.ranges), rng=np.random.default_rng(seed)).random_base2(math.ceil(math.log2(max(count, 1))))
        drawn = [self.at(point) for point in points[:count]]
        return [self.base, *drawn[1:]] if self.begins_with_base else drawn

    def at(self, point: Sequence[float]) -> Recipe:
        """The recipe at a point of the unit cube."""
        drawn = {each.name: each.value(float(at)) for each, at in zip(self.ranges, point, strict=True)}
        return replace(self.base, **_settings(self.base, drawn))


def _settings(base: Recipe, drawn: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe from the names of ranges: ``units`` stands for every hidden layer's."""
    drawn = dict(drawn)
    if "units" in drawn:
        drawn["hidden_units"] = (int(drawn.pop("units")),) * len(base.hidden_units)
    return drawn


@dataclass(frozen=True, slots=True)
class Space:
    """The recipes that a search draws from: one family per shape, the most promising first."""

    families: tuple[Family, ...]


# hidden layers, width, activation, normalisation, numeric encoding: in the order in which a growing budget takes them up
_ARCHITECTURES: tuple[tuple[int, int, str, str, str], ...] = (
    (3, 128, "silu", "none", "piecewise"),
    (3, 128, "silu", "none", "standard"),
    (2, 256, "silu", "none", "piecewise"),
    (2, 128, "relu", "batch", "piecewise"),
)


def default_space(task: Task, train_rows: int, has_bins: bool, selects_by_error: bool) -> Space:
    """The space that ``improve`` searches.

    Args:
        task: classification or regression.
        train_rows: sets the batch size and the length of the full training.
        has_bins: whether any numeric column has a piecewise-linear encoding.
        selects_by_error: label smoothing, which spoils the log loss, is only tried where the error rate counts.
    """
    batch_size = default_batch_size(train_rows)
    ranges = (
        Range("learning_rate", 3e-4, 1e-2, "log", "Adam's default 1e-3 lies in the middle"),
        Range("weight_decay", 1e-3, 1.0, "log", "decoupled; from nothing to as much as the learning rate itself allows"),
        Range("keep_prob", 0.6, 1.0, "linear", "from strong dropout to none"),
        Range("beta2", 0.95, 0.999, "log_one_minus", "short memories help where gradients change quickly"),
    )
    if task == "classification" and selects_by_error:
        ranges += (Range("label_smoothing", 0.0, 0.15, "linear", "keeps probabilities away from 0 and 1"),)
    families = []
    for layers, width, activation, normalisation, encoding in _ARCHITECTURES:
        if encoding == "piecewise" and not has_bins:
            continue
        base = Recipe(
            hidden_units=(width,) * layers,
            activation=activation,  # type: ignore[arg-type]
            normalisation=normalisation,  # type: ignore[arg-type]
            numeric_encoding=encoding,  # type: ignore[arg-type]
            batch_size=batch_size,
            clip_norm=10.0,
            epochs=default_epochs(train_rows, batch_size),
        )
        units = Range("units", width // 4, width, "log_integer", "the widest fits the shoal")
        families.append(Family(base, width, (units, *ranges)))
    return Space(tuple(families))


FEWEST_FOR_A_BATCH = 16


def around(space: Space, begin: Recipe, result: Recipe, width: int) -> Space:
    """The space that is left to search once the recipe loop has come to a result.

    What the loop kept holds for every family: a number that a family draws is drawn from a range that holds the kept value, any other
    setting is taken over. A family of the result's own shape comes second, drawn from close around the result, which is its first trial.

    Args:
        space: what would be searched without the loop.
        begin: the loop's first recipe.
        result: its last.
        width: units that the layers of the result's shoal have room for.
    """
    kept = {name: value for name, (_, value) in begin.diff(result).items() if name not in ("hidden_units", "epochs", *_OF_SHAPE)}
    families = [_with_kept(family, kept) for family in space.families]
    base = families[0].base
    if result.batch_size == "all" or result.batch_size < FEWEST_FOR_A_BATCH or not result.hidden_units:
        return Space(tuple(families))
    families = [replace(family, base=replace(family.base, batch_size=result.batch_size)) for family in families]
    centre = replace(result, epochs=base.epochs, warm_up=0.0)
    ranges = tuple(each for each in (_close_to(range_, getattr(centre, range_.name, None)) for range_ in families[0].ranges) if each)
    own = Family(centre, width, ranges, begins_with_base=True)
    return Space((families[0], own, *families[1:]))


_OF_SHAPE = ("activation", "normalisation", "numeric_encoding", "input_normalisation", "loss", "batch_size")


def _with_kept(family: Family, kept: dict[str, Any]) -> Family:
    """A family that takes over what the loop kept."""
    drawn = {each.name for each in family.ranges}
    base = replace(family.base, **{name: value for name, value in kept.items() if name not in drawn})
    ranges = tuple(_holding(each, kept[each.name]) if each.name in kept else each for each in family.ranges)
    return replace(family, base=base, ranges=ranges)


def _holding(each: Range | Choice, value: Any) -> Range | Choice:
    if isinstance(each, Choice) or not isinstance(value, int | float):
        return each
    return replace(each, low=min(each.low, value), high=max(each.high, value))


def _close_to(each: Range | Choice, value: Any) -> Range | None:
    """The half of a range around a value."""
    if isinstance(each, Choice) or not isinstance(value, int | float):
        return None
    at = each.position(value)
    low, high = (each.value(min(max(at + way, 0.0), 1.0)) for way in (-0.25, 0.25))
    return replace(each, low=low, high=high, reason="close to what the recipe loop kept")


def default_batch_size(train_rows: int) -> int:
    """Examples a mini-batch: small tables need many steps an epoch, large ones need fewer, cheaper steps.

    Example:
        >>> [default_batch_size(rows) for rows in (300, 8_000, 400_000)]
        [32, 128, 512]
    """
    return next((size for limit, size in ((1_000, 32), (4_000, 64), (16_000, 128), (100_000, 256)) if train_rows < limit), 512)


def default_epochs(train_rows: int, batch_size: int) -> float:
    """Length of the full training: about 4,000 steps, in 2 to 200 passes over the rows.

    Example:
        >>> [default_epochs(rows, default_batch_size(rows)) for rows in (300, 8_000, 400_000)]
        [200.0, 64.0, 5.0]
    """
    return float(min(max(round(4_000 * batch_size / train_rows), 2), 200))
