"""Dev loss by layers and units, or by blocks of convolutions and filters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shoal.answers.comparison import Comparison, full_length
from shoal.measurements.answers import ArchitectureMap, Cell
from shoal.metrics import mean_interval
from shoal.parameters import LAYERS, UNITS, Choice
from shoal.recipe import Recipe
from shoal.records import Plan, Trial
from shoal.space import Space

MOST_WIDTHS = 6
FEWEST = 2


def architecture_map(compared: Comparison, trials: Sequence[Trial], space: Space, plan: Plan) -> ArchitectureMap | str:
    """The map, or in words why there is none.

    Means are of all trials after the same steps, so that a cell of poor trials, which were stopped, is seen as such; the best of a cell
    is of its trials that trained in full.

    Args:
        compared: the trials after the same steps.
        trials: all of them.
        space: that they were drawn from; what it offers and no trial has is a cell without trials.
        plan: of the search.
    """
    shapes = [_shape(trial.recipe) for trial in compared.trials]
    if len(set(shapes)) < FEWEST:
        return "all networks of the trials have the same size" if shapes else "no trials with a loss were compared"
    has_blocks = any(trial.recipe.channels for trial in compared.trials)
    offered = (set[int](), set[int]()) if has_blocks else (_offered_layers(space), _offered_units(space))
    layers = tuple(sorted({depth for depth, _ in shapes} | offered[0]))
    widths = width_classes(sorted({units for _, units in shapes} | offered[1]))
    full = full_length(trials, plan)
    cells = []
    for depth in layers:
        for low, high in widths:
            if (depth == 0) != (high == 0):
                continue  # a network without hidden layers has no units, and the others have some
            mine = [loss for loss, (d, units) in zip(compared.losses, shapes, strict=True) if d == depth and low <= units <= high]
            best = [trial.score for trial in full if _is_in(trial.recipe, depth, low, high) and trial.score is not None]
            cells.append(Cell(depth, low, high, len(mine), mean_interval(mine) if mine else None, min(best, default=None)))
    words = ("blocks", "filters") if has_blocks else ("hidden layers", "units")
    return ArchitectureMap(layers, widths, tuple(cells), compared.steps, *words)


def width_classes(units: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Classes of widths: each width that occurs where these are few, and else classes of equal ratio.

    Example:
        >>> width_classes([16, 32, 64])
        ((16, 16), (32, 32), (64, 64))
        >>> width_classes(list(range(8, 129)))
        ((8, 15), (16, 31), (32, 63), (64, 128))
    """
    none = ((0, 0),) if 0 in units else ()
    some = sorted(set(units) - {0})
    if len(some) <= MOST_WIDTHS:
        return (*none, *((each, each) for each in some))
    count = min(MOST_WIDTHS, max(2, round(math.log2(some[-1] / some[0]))))
    begins = sorted({round(each) for each in np.geomspace(some[0], some[-1], count + 1)[:-1]})
    ends = [*(begin - 1 for begin in begins[1:]), some[-1]]
    return (*none, *zip(begins, ends, strict=True))


def _shape(recipe: Recipe) -> tuple[int, int]:
    """How many layers and the units of the widest; blocks and filters, where there are convolutions."""
    sizes = recipe.channels or recipe.hidden_units
    return len(sizes), max(sizes, default=0)


def _is_in(recipe: Recipe, layers: int, low: int, high: int) -> bool:
    depth, units = _shape(recipe)
    return depth == layers and low <= units <= high


def _offered_layers(space: Space) -> set[int]:
    return {value for each in space.parameters if isinstance(each, Choice) and each.name == LAYERS for value in each.values}


def _offered_units(space: Space) -> set[int]:
    offered: set[int] = set()
    for each in space.parameters:
        if each.name == UNITS:
            offered |= {int(value) for value in (each.values if isinstance(each, Choice) else (each.low, each.high))}
    return offered
