"""What the learning rate alone does: a range test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateRange:
    """Networks that differ in nothing but a constant learning rate, trained side by side for a short while.

    Args:
        rates: ascending.
        losses: mean cost of each network's last mini-batches; ``None`` where it diverged.
        start: the cost before the first step.
        steps: how long they trained.
        used: the learning rate of the recipe.
        best: the rate of the lowest loss, smoothed over its neighbours.
        lowest: the lowest rate that comes near to what the best rate reaches in that time.
        highest: the highest such rate.
    """

    rates: tuple[float, ...]
    losses: tuple[float | None, ...]
    start: float
    steps: int
    used: float
    best: float
    lowest: float
    highest: float
