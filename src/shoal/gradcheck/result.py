"""What a gradient check found, and how it is told."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

CORRECT = 1e-7
"""A relative error up to this is what round-off leaves of a correct gradient."""

PROBABLY_CORRECT = 1e-5
WRONG = 1e-3

Verdict = Literal["correct", "look again", "wrong"]


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One parameter, and its two slopes."""

    parameter: str
    """The array's name: its path in the point, such as ``layers.0.w``."""
    index: tuple[int, ...]
    """Its place in the array."""
    analytic: float
    """What the gradient says."""
    numeric: float
    """What the two-sided difference says."""

    @property
    def relative_error(self) -> float:
        """``|d - dtheta| / (|d| + |dtheta|)``, between 0 and 1."""
        size = abs(self.analytic) + abs(self.numeric)
        return abs(self.analytic - self.numeric) / size if size else 0.0

    def __str__(self) -> str:
        return f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """How well a gradient agrees with the two-sided differences of its cost; printing it tells the whole story."""

    verdict: Verdict
    """``correct``, ``look again`` or ``wrong``."""
    relative_error: float
    """``||d - dtheta|| / (||d|| + ||dtheta||)`` over the checked coordinates."""
    explanation: str
    """What the verdict means here, and what to do."""
    worst: tuple[Coordinate, ...]
    """The coordinates that disagree most, the worst first."""
    arrays: dict[str, float]
    """The relative error of each array by itself."""
    causes: tuple[str, ...]
    """What the disagreement looks like, where it looks like something known."""
    checked: int
    """Coordinates that were compared, those at kinks included."""
    total: int
    """Coordinates in all."""
    epsilon: float
    """The step: ``e_i = epsilon * max(1, |theta_i|)``."""
    round_off: float
    """The relative error that the cost's round-off alone would make: less than this cannot be seen."""
    kinks: tuple[Coordinate, ...]
    """Coordinates at a kink of the cost, where any slope between those of the two sides is right; they are left out."""
    refined: int
    """Coordinates that needed a smaller step, because of a kink nearby or of strong curvature."""
    confidence: str
    """What checking no more than these coordinates leaves open."""

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``correct``."""
        return self.verdict == "correct"

    def __str__(self) -> str:
        lines = [f"Gradient check: {self.verdict}, relative error {self.relative_error:.1e}", *_wrapped(self.explanation)]
        for cause in self.causes:
            lines += _wrapped(cause)
        if self.worst and not self.ok:
            lines += ["", *_table(self.worst)]
        lines.append("")
        lines += _wrapped(self.confidence)
        if self.refined:
            lines += _wrapped(f"{_count(self.refined, 'coordinate')} needed a smaller step: a kink nearby, or strong curvature.")
        if self.kinks:
            shown = ", ".join(str(each) for each in self.kinks[:3])
            more = f" and {len(self.kinks) - 3:,} more" if len(self.kinks) > 3 else ""
            lines += _wrapped(
                f"Warning: the cost has a kink (a ReLU or an absolute value at 0, a tie of a maximum) at {shown}{more}. Any slope between "
                "those of its two sides is right there, so nothing was compared. Check at another point as well."
            )
        return "\n".join(lines)


def _wrapped(text: str, width: int = 100) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")


def _table(coordinates: tuple[Coordinate, ...]) -> list[str]:
    width = max(len("parameter"), *(len(str(each)) for each in coordinates))
    head = f"  {'parameter':<{width}}  {'gradient':>14}  {'difference':>14}  {'relative error':>14}"
    rows = [f"  {each!s:<{width}}  {each.analytic:>14.7g}  {each.numeric:>14.7g}  {each.relative_error:>14.1e}" for each in coordinates]
    return [head, *rows]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
