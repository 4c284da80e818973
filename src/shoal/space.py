"""Ranges and scales over recipes, and the draws from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.stats import qmc

from shoal.recipe import Recipe, Shape
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


@dataclass(frozen=True, slots=True)
class Family:
    """Recipes of one shape: they may train in one shoal, ``width`` units wide."""

    base: Recipe
    width: int
    ranges: tuple[Range, ...]

    @property
    def shape(self) -> Shape:
        """The static half that all its recipes share."""
        return self.base.shape

    def draw(self, count: int, seed: int) -> list[Recipe]:
        """``count`` recipes spread evenly over the ranges (scrambled Sobol points; Owen, 1998)."""
        if not self.ranges:
            return [self.base] * count
        points = qmc.Sobol(len(self.ranges), rng=np.random.default_rng(seed)).random_base2(math.ceil(math.log2(max(count, 1))))
        return [self.at(point) for point in points[:count]]

    def at(self, point: Sequence[float]) -> Recipe:
        """The recipe at a point of the unit cube."""
        settings: dict[str, Any] = {bounds.name: bounds.value(float(at)) for bounds, at in zip(self.ranges, point, strict=True)}
        if "units" in settings:
            settings["hidden_units"] = (int(settings.pop("units")),) * len(self.base.hidden_units)
        return replace(self.base, **settings)


@dataclass(frozen=True, slots=True)
class Space:
    """The recipes that a search draws from: one family per shape, the most promising first."""

    families: tuple[Family, ...]


# hidden layers, width, activation, batch norm, numeric encoding: in the order in which a growing budget takes them up
_ARCHITECTURES: tuple[tuple[int, int, str, bool, str], ...] = (
    (3, 128, "silu", False, "piecewise"),
    (3, 128, "silu", False, "standard"),
    (2, 256, "silu", False, "piecewise"),
    (2, 128, "relu", True, "piecewise"),
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
    for layers, width, activation, batch_norm, encoding in _ARCHITECTURES:
        if encoding == "piecewise" and not has_bins:
            continue
        base = Recipe(
            hidden_units=(width,) * layers,
            activation=activation,  # type: ignore[arg-type]
            batch_norm=batch_norm,
            numeric_encoding=encoding,  # type: ignore[arg-type]
            batch_size=batch_size,
            clip_norm=10.0,
            epochs=default_epochs(train_rows, batch_size),
        )
        units = Range("units", width // 4, width, "log_integer", "the widest fits the shoal")
        families.append(Family(base, width, (units, *ranges)))
    return Space(tuple(families))


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
