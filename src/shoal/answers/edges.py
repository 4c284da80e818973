"""Ends of ranges at which the best trials crowd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from shoal.answers.comparison import loss_at, searched
from shoal.measurements.answers import Edge
from shoal.parameters import LAYERS, UNITS, Choice, Parameter, Range
from shoal.recipe import MAX_BATCH_SIZE, MAX_HIDDEN_LAYERS, MAX_UNITS, NUMBER_RANGES
from shoal.records import Plan, Trial
from shoal.space import Space

HANDFUL = 5
ENOUGH = 3
"""Of a handful of trials spread evenly, three lie within 5 % of one end of a range in one case of 900."""
NEAR = 0.05
FEWEST_VALUES = 4
"""Of a choice between numbers; all of a handful then share one end by chance in one case of 1,000."""

End = Literal["low", "high"]


def best_trials(trials: Sequence[Trial], plan: Plan) -> list[Trial]:
    """A handful of the best trials, at the last rung that so many reached."""
    every = searched(trials)
    for rung in reversed(range(len(plan.rungs))):
        seen = [
            (loss, trial.number, trial) for trial in every if (loss := loss_at(trial, plan, rung)) is not None and trial.score is not None
        ]
        if len(seen) >= HANDFUL:
            return [trial for _, _, trial in sorted(seen, key=lambda each: each[:2])[:HANDFUL]]
    return []


def edges(trials: Sequence[Trial], space: Space, plan: Plan) -> tuple[Edge, ...] | str:
    """The ends at which the best trials crowd, or in words why that cannot be told.

    An end beyond which no recipe can go is left out: there is nothing to try.
    """
    handful = best_trials(trials, plan)
    if len(handful) < HANDFUL:
        return f"it takes {HANDFUL} trials that were compared at one rung"
    settings = [space.settings_of(trial.recipe) for trial in handful]
    found: list[Edge] = []
    for each in space.parameters:
        values = [one[each.name] for one in settings if each.name in one]
        for end in ("low", "high"):
            edge = _of_range(each, values, end) if isinstance(each, Range) else _of_choice(each, values, end)
            if edge is not None:
                found.append(edge)
    return tuple(found)


def _of_range(each: Range, values: list[float], end: End) -> Edge | None:
    places = [each.position(value) for value in values]
    near = sum(place <= NEAR if end == "low" else place >= 1 - NEAR for place in places)
    extended = extended_end(each, end)
    if near < ENOUGH or extended is None:
        return None
    return Edge(each.name, end, near, len(values), each.low if end == "low" else each.high, extended)


def _of_choice(each: Parameter, values: list, end: End) -> Edge | None:
    """Numbers to choose from have ends as well: all of the best are at one."""
    if not isinstance(each, Choice) or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in each.values):
        return None
    ordered = sorted(each.values)
    last = ordered[0] if end == "low" else ordered[-1]
    if len(values) < HANDFUL or set(values) != {last} or len(ordered) < (3 if each.name == LAYERS else FEWEST_VALUES):
        return None
    beyond = last + (-1 if end == "low" else 1) if each.name == LAYERS else last / 2 if end == "low" else last * 2
    extended = type(last)(beyond)
    return Edge(each.name, end, len(values), len(values), last, extended) if _is_allowed(each.name, extended) else None


def extended_end(each: Range, end: End) -> float | None:
    """The end to try instead: a decade further on a log scale, and on a linear one a range twice as long; as far as a recipe may go.

    Returns:
        ``None`` where the end is already as far as a recipe may go.

    Example:
        >>> extended_end(Range("learning_rate", 1e-4, 1e-2, "log"), "high"), extended_end(Range("keep_prob", 0.6, 1.0), "high")
        (0.1, None)
        >>> extended_end(Range("beta1", 0.9, 0.999, "log_one_minus"), "high")
        0.9999
    """
    sign = -1 if end == "low" else 1
    now = each.low if end == "low" else each.high
    if each.scale == "log_one_minus":
        wanted = 1 - (1 - now) * 10.0**-sign
    elif each.scale in ("log", "log_integer"):
        wanted = now * 10.0**sign
    else:
        wanted = now + sign * (each.high - each.low)
    low, high, with_low, with_high = limits(each.name)
    wanted = round(min(max(wanted, low), high), 12)
    if (wanted == low and not with_low) or (wanted == high and not with_high):
        wanted = (now + wanted) / 2  # the end itself is not allowed
    if each.scale in ("log", "log_integer") and wanted <= 0:
        return None
    wanted = round(wanted) if each.scale in ("integer", "log_integer") else wanted
    return None if wanted == now else wanted


def limits(name: str) -> tuple[float, float, bool, bool]:
    """What a recipe allows of a parameter: lowest, highest, and whether these ends themselves are allowed."""
    if name == UNITS:
        return 1, MAX_UNITS, True, True
    if name == LAYERS:
        return 0, MAX_HIDDEN_LAYERS, True, True
    if name == "batch_size":
        return 1, MAX_BATCH_SIZE, True, True
    if name == "keep_prob":
        return 0.0, 1.0, False, True
    return NUMBER_RANGES.get(name, (0.0, float("inf"), False, False))


def _is_allowed(name: str, value: float) -> bool:
    low, high, with_low, with_high = limits(name)
    return low <= value <= high and (value != low or with_low) and (value != high or with_high)
