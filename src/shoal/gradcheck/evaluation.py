"""What a cost must give back: one finite number in double precision, the same one every time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from shoal.errors import OptionError, Problem

REPEATABLE = 1e-9
"""Two evaluations that differ by a larger share than this are not the same function; a sum in another order makes far less."""


def examine(cost: Any) -> None:
    """Whether a cost, or its shape and type, is one number in double precision.

    Raises:
        OptionError: it is not.
    """
    if not hasattr(cost, "shape") and not isinstance(cost, int | float | np.number):
        raise OptionError(Problem("the cost is one number", f"a {type(cost).__name__}", "Return the cost alone."))
    shape, dtype = tuple(getattr(cost, "shape", ())), str(getattr(cost, "dtype", "float64")).removeprefix("torch.")
    problems = []
    if shape:
        problems.append(Problem("the cost is one number", f"an array of shape {shape}", "Take its sum or its mean."))
    if dtype.startswith("complex"):
        problems.append(Problem("the cost is a real number", dtype, "Return its real part or its absolute value."))
    elif dtype in ("float32", "float16", "bfloat16") or dtype.startswith("float8"):
        remedy = (
            "The parameters are given in float64: take the conversions to a smaller type out of the cost, and give its data as float64."
        )
        problems.append(Problem("the cost is computed in double precision, or round-off hides what is compared", dtype, remedy))
    if problems:
        raise OptionError(*problems)


def scalar(cost: Any) -> float:
    """The cost as a number.

    Raises:
        OptionError: it is no scalar, not in double precision, or not finite.
    """
    examine(cost)
    if not math.isfinite(cost):
        raise OptionError(Problem("the cost is finite at the point", str(float(cost)), "Choose a point inside the cost's domain."))
    return float(cost)


def repeatable(evaluate: Callable[[], float], first: float) -> None:
    """Whether a second evaluation gives what the first one gave.

    Raises:
        OptionError: it does not, as with dropout switched on.
    """
    if not close(first, second := evaluate()):
        remedy = "Switch dropout and other noise off, or draw it from a seed that is set anew in every evaluation."
        raise OptionError(Problem("the cost is the same in every evaluation", f"{first!r}, then {second!r}", remedy))


def close(one: float, other: float) -> bool:
    """Whether two costs are equal but for the order of their sums."""
    return abs(one - other) <= REPEATABLE * max(abs(one), abs(other))
