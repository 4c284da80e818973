"""What a sampler is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shoal.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trial to be trained: the number of its family, and its recipe."""

    family: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of a drawn trial by now.

    Args:
        rung: the last that it reached, from 0; -1 before its first.
        score: its best dev loss so far; infinite where it has none.
        at_first_rung: its best dev loss at the first rung, at which all trials can be compared.
    """

    rung: int = -1
    score: float = float("inf")
    at_first_rung: float = float("inf")


class Sampler(Protocol):
    """Draws the trials of one search, a few at a time or all at once.

    A sampler must depend on nothing but its arguments and the results it is given, so that an interrupted search draws the same again.
    """

    def draw(self, most: int, results: Sequence[Result]) -> list[Drawn]:
        """The next trials.

        Args:
            most: how many at most.
            results: of all trials drawn so far, in the order in which they were drawn.

        Returns:
            At least one, or none when all are drawn.
        """
        ...
