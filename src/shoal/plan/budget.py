"""What a user gives: an amount of time, or a number of trials."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.errors import OptionError, Problem

LOOP_SHARE = 0.3
"""Of a budget in time, for the recipe loop."""
COMPILATION_SECONDS = 7.0  # of a program to train and one to predict
TRIALS_A_ROUND = 32
"""Of a search whose budget is a number of trials: so many for each round of the recipe loop, and for each family."""
LEAST_LOOP_SECONDS = 2 * COMPILATION_SECONDS
"""A recipe loop that may take less than this is not begun."""

LEAST_BY_DEFAULT, MOST_BY_DEFAULT = 15.0, 120.0
"""Seconds: in the fewer a table's network is nearly as good as it will be, in the more it is also shown what made it so."""
ROWS_OF_THE_LEAST = 50_000


@dataclass(frozen=True, slots=True)
class Budget:
    """Either seconds or a number of trials."""

    text: str
    seconds: float | None = None
    trials: int | None = None

    @property
    def is_short(self) -> bool:
        """Whether the search's programs are compiled besides, where they cannot be read from the cache: the time is too short for a recipe
        loop, and would mostly be spent on compiling."""
        return self.seconds is not None and LOOP_SHARE * self.seconds <= LEAST_LOOP_SECONDS

    @classmethod
    def parse(cls, given: Any) -> Budget:
        """A budget from ``90s``, ``5m``, ``1h``, ``200trials`` or a number of seconds.

        Raises:
            OptionError: anything else, and amounts of zero or less.

        Example:
            >>> Budget.parse("2m").seconds, Budget.parse("200trials").trials
            (120.0, 200)
        """
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        text = np.format_float_positional(given, trim="-") + "s" if is_number else str(given)
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|trials?)\s*", text)
        if not match or float(match[1]) <= 0 or not math.isfinite(float(match[1])):
            raise OptionError(Problem("the budget is a time or a number of trials", repr(given), "Write, say, 90s, 5m, 1h or 200trials."))
        if match[2].startswith("trial"):
            if "." in match[1]:
                raise OptionError(Problem("a number of trials is a whole number", repr(given), "Write, say, 200trials."))
            return cls(text.strip(), trials=int(match[1]))
        return cls(text.strip(), seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0]])


def default_budget(train_rows: int, is_picture: bool = False, has_recipe: bool = False) -> str:
    """What ``improve`` may take where it was not told, as a user would write it.

    15 s are enough to compare the first recipes of three shapes on a table of up to 50,000 training rows; more rows get more, in
    proportion, up to 2 minutes. Pictures get these at once, and so does a recipe to begin with, which asks for the recipe loop.

    Args:
        train_rows: of the data.
        is_picture: whether the inputs are pictures.
        has_recipe: whether there is a recipe to begin with.

    Example:
        >>> [default_budget(rows) for rows in (1_000, 100_000, 1_000_000)], default_budget(1_000, is_picture=True)
        (['15s', '30s', '120s'], '120s')
    """
    if is_picture or has_recipe:
        return f"{MOST_BY_DEFAULT:.0f}s"
    seconds = LEAST_BY_DEFAULT * max(1.0, train_rows / ROWS_OF_THE_LEAST)
    return f"{min(seconds, MOST_BY_DEFAULT):.0f}s"
