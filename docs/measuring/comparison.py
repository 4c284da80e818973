"""From trained networks to a table of a page: means, paired differences with their 95 % intervals, and what was trained on what."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from measuring.networks import SEEDS, Network, Shelf, Trained, train
from scipy import stats

from shoal.explanations import written
from shoal.recipe import Recipe

Measure = Callable[[Network], float]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Column:
    """One figure of every network: its heading, how it is taken, and how it is written."""

    heading: str
    of: Measure
    write: Callable[[float], str]
    is_compared: bool = True
    """Whether the difference to the base recipe is shown."""


def significant(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent where that is short.

    Example:
        >>> significant(0.012345), significant(1234.5), significant(3.2e-9)
        ('0.0123', '1,230', '3.2e-09')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "not finite"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def percent(value: float) -> str:
    """A share in percent.

    Example:
        >>> percent(0.0312), percent(0.5), percent(0.002)
        ('3.1 %', '50.0 %', '0.2 %')
    """
    return f"{100 * value:.1f} %" if math.isfinite(value) else "not finite"


def steps(value: float) -> str:
    """A number of steps, or ``never``."""
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def half_width(values: np.ndarray) -> float:
    """Half of the 95 % t interval of the mean of independent values."""
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stats.sem(values))


def columns(error: str, *more: Column) -> tuple[Column, ...]:
    """What every comparison shows, and what is particular to this one.

    Args:
        error: ``share`` of wrong classes, or ``variances``: the mean squared error in variances of the target.
        more: further columns.
    """
    losses = (
        Column("train loss", lambda network: network.train_loss, significant),
        Column("dev loss", lambda network: network.dev_loss, significant),
    )
    if error == "variances":  # of a quantity, the loss is the error
        return (*(replace(each, heading=f"{each.heading} = error") for each in losses), *more)
    return (*losses, Column("dev error", lambda network: network.dev_error, percent), *more)


def comparison(trained: Trained, shown: Sequence[Column], base: str | None = None, heading: str = "") -> str:
    """A Markdown table: the base recipe's means, and of each variant the mean, its difference to the base and the interval.

    Args:
        trained: networks by variant, paired by their seed.
        shown: the columns.
        base: which variant the others are compared with; the first by default.
        heading: of the first column.
    """
    base = base or next(iter(trained))
    lines = [_row([heading, *(column.heading for column in shown)]), _row(["---"] * (len(shown) + 1))]
    for name, networks in trained.items():
        against = None if name == base else trained[base]
        lines.append(_row([name, *(_cell(column, networks, against) for column in shown)]))
    return "\n".join(lines)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Any other Markdown table."""
    return "\n".join([_row(headings), _row(["---"] * len(headings)), *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: Column, networks: Sequence[Network], base: Sequence[Network] | None) -> str:
    if diverged := sum(network.diverged for network in networks):
        return f"diverged ({diverged} of {len(networks)})"
    values = np.array([column.of(network) for network in networks])
    if not np.isfinite(values).all():
        reached = np.isfinite(values)
        return (
            column.write(math.inf)
            if not reached.any()
            else f"{column.write(float(values[reached].mean()))} ({reached.sum()} of {len(values)})"
        )
    text = column.write(float(values.mean()))
    if base is None or not column.is_compared:
        return text
    others = np.array([column.of(network) for network in base])
    if not np.isfinite(others).all():
        return text
    change = f"{text} ({difference(values, others, column.write)})"
    return f"**{change}**" if is_clear(values, others) else change


def difference(values: np.ndarray, others: np.ndarray, write: Callable[[float], str] = significant) -> str:
    """The mean paired difference and half of its interval, to two digits, or to a tenth of a percent.

    Example:
        >>> difference(np.array([2.0, 3.0, 4.0]), np.array([1.0, 1.0, 4.0]))
        '+1.0 ± 2.5'
    """
    change, half = float((values - others).mean()), half_width(values - others)
    size, margin = (f"{100 * each:.1f}" if write is percent else significant(each, 2) for each in (abs(change), half))
    return f"{'−' if change < 0 else '+'}{size} ± {margin}"


def is_clear(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether 0 lies outside the interval of the difference."""
    return bool(abs((values - others).mean()) > half_width(values - others))


def settings(changes: Mapping[str, Any]) -> str:
    """Settings as a recipe file has them.

    Example:
        >>> settings({"l2": 1.0, "optimiser": "adam"})
        '`l2 = 1.0`, `optimiser = "adam"`'
    """
    return ", ".join(f"`{name} = {written(value)}`" for name, value in changes.items())


def variants(base: Recipe, *changes: Mapping[str, Any], name: str = "base recipe") -> dict[str, Recipe]:
    """The base recipe, then one recipe for each set of changes, by what it changes."""
    return {name: base, **{settings(each): replace(base, **each) for each in changes}}


def about(shelf: Shelf, table: str, base: Recipe, *notes: str, seeds: int = SEEDS) -> str:
    """The line above a table: which rows, which base recipe, how many seeds, which machine."""
    dataset = shelf.dataset(table, 0)
    rows = ", ".join(f"{len(dataset.inputs[part]):,} {part}" for part in ("train", "dev", "test"))
    name = f"`{table}`" if table.startswith("example:") else table
    changes = {field: value for field, (_, value) in Recipe().diff(base).items()}
    parts = [f"*{name} ({rows} rows)", f"base recipe {settings(changes)}", f"{seeds} paired seeds", machine()]
    return " ".join(["; ".join(parts) + ".", *notes]) + "*"


def machine() -> str:
    """The machine that measured, in a few words."""
    device = jax.devices()[0]
    return f"{platform.machine()}, {os.cpu_count()} cores, {device.platform.upper()}, jax {jax.__version__}"


NEARLY = 1.1
"""A learning rate works if the dev loss comes within this factor of that at the best one."""


def at_rates(
    shelf: Shelf, table: str, recipes: Mapping[str, Recipe], rates: Sequence[float], **options: Any
) -> tuple[Trained, dict[str, int]]:
    """Each recipe at its best learning rate, and at how many of the rates it works (see ``NEARLY``).

    Args:
        shelf: where the table is.
        table: its name.
        recipes: by variant.
        rates: tried with every recipe; the best has the lowest mean dev loss, and one at which a network diverged is out.
        options: of ``train``.
    """
    tried = {f"{name} {rate}": replace(recipe, learning_rate=rate) for name, recipe in recipes.items() for rate in rates}
    trained = train(shelf, table, tried, **options)
    best, working = {}, {}
    for name in recipes:
        of_rate = [trained[f"{name} {rate}"] for rate in rates]
        losses = [np.mean([math.inf if network.diverged else network.dev_loss for network in networks]) for networks in of_rate]
        losses = np.nan_to_num(losses, nan=math.inf, posinf=math.inf)
        best[name] = of_rate[int(np.argmin(losses))]
        working[name] = int(np.sum(losses <= NEARLY * np.min(losses)))
    return best, working
