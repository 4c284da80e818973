"""What the pictures of the report are made of: plain Plotly specifications, with words beside them.

A colour is a name such as ``--accent``: the page puts in the value of that style variable, so that one specification serves
light and dark. No string of the user's reaches Plotly without ``plain``: Plotly reads some HTML in its labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shoal.interval import Interval
from shoal.report.wording import number

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture: what Plotly draws, and the words for those who do not see it."""

    name: str
    alternative: str
    height: int
    data: list[Spec]
    layout: Spec
    key: tuple[Key, ...] = ()
    """The legend, which the page writes itself: Plotly's overlaps the axis on a phone."""
    least_width: int = 0
    """Pixels below which it does not shrink but scrolls sideways; 0 where it always fits."""


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: a line (``"solid"`` or ``"dot"``) or a mark, its colour, and what it stands for."""

    mark: str
    colour: str
    name: str


_DIRECTIONS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def undirected(text: str) -> str:
    r"""Text without the marks that turn the direction of all that follows: a column's name must not reverse the sentence it stands in.

    Example:
        >>> undirected("\u202eprice")
        'price'
    """
    return text.translate(_DIRECTIONS)


def plain(text: str) -> str:
    """A user's string as Plotly must receive it to show it as it is."""
    return undirected(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%&#123;")


def five_digits(value: float | None) -> float | None:
    """The value rounded to five significant digits; ``None``, a hole in the line, for what is not a number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def error_bars(intervals: Iterable[Interval], factor: float = 1.0, **look: Any) -> Spec:
    """Plotly's error bars from the ends of intervals, whose values are multiplied by a factor."""
    ends = [((each.high - each.value) * factor, (each.value - each.low) * factor) for each in intervals]
    above, below = ([five_digits(end[side]) for end in ends] for side in (0, 1))
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, **look}


def log_axis(low: float, high: float, ticks: int = 8) -> Spec:
    """A logarithmic axis with at most so many round ticks, written in full: Plotly's own read 100u, 2, 5, 0.001."""
    if high < 1.2 * low:
        low, high = low / 1.5, high * 1.5
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in (tuple(range(1, 10)), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**decade for decade in decades for digit in digits if 0.93 * low <= digit * 10.0**decade <= 1.07 * high]
        if len(values) <= ticks:
            break
    margin = 0.03 * math.log10(high / low) + 0.01
    return {
        "type": "log",
        "range": [math.log10(low) - margin, math.log10(high) + margin],
        "tickvals": [five_digits(tick) for tick in values],
        "ticktext": [number(tick, 6) for tick in values],
    }


def bulk_axis(losses: list[float]) -> Spec:
    """An axis that shows the bulk: a few exploded losses must not flatten all the others."""
    ordered = sorted(filter(math.isfinite, losses)) or [0.0]
    low, high = ordered[0], ordered[min(len(ordered) - 1, int(0.98 * len(ordered)))]
    high = max(high, low + 1e-3 * abs(low) + 1e-9)
    if low > 0 and high / low > 3:
        return log_axis(low, high)
    margin = 0.06 * (high - low)
    return {"range": [low - margin, high + margin]}


def upright(x: float, colour: str, dash: str) -> Spec:
    """A thin line from the bottom to the top of a picture."""
    return {
        "type": "line",
        "x0": five_digits(x),
        "x1": five_digits(x),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": colour, "width": 1, "dash": dash},
    }
