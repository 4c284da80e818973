"""What the learning curve may spend."""

from __future__ import annotations

from shoal.plan.budget import Budget
from shoal.records import Plan

CURVE_SHARE = 0.1
"""Of a budget in time of at least ``FEWEST_SECONDS_FOR_A_CURVE``, for the learning curve."""
FEWEST_SECONDS_FOR_A_CURVE = 100.0
FEWEST_TRIALS_FOR_A_CURVE = 200
CURVE_NETWORKS = 40


def curve_seconds(budget: Budget, is_picture: bool = False) -> float:
    """What a budget in time sets aside for the learning curve: nothing for pictures, whose networks are too dear.

    Example:
        >>> curve_seconds(Budget.parse("60s")), curve_seconds(Budget.parse("5m"))
        (0.0, 30.0)
    """
    seconds = budget.seconds or 0.0
    return CURVE_SHARE * seconds if seconds >= FEWEST_SECONDS_FOR_A_CURVE and not is_picture else 0.0


def curve_epochs(budget: Budget, plan: Plan, family: int, steps_per_epoch: int, is_picture: bool = False) -> float | None:
    """How long the networks of the learning curve may train: at most as long as the winner, and at least a quarter of that.

    Args:
        budget: as the user gave it.
        plan: of the search.
        family: of the winner.
        steps_per_epoch: of its shoal.
        is_picture: whether the inputs are pictures.

    Returns:
        Epochs; ``None`` where the budget has no room for a curve.
    """
    full = plan.rungs[-1] / steps_per_epoch
    if budget.trials is not None:
        return full / 2 if budget.trials >= FEWEST_TRIALS_FOR_A_CURVE else None
    shoal = plan.shoals[family]
    seconds = curve_seconds(budget, is_picture)
    if not seconds or shoal.step_seconds is None:
        return None
    epochs = seconds / (CURVE_NETWORKS * shoal.step_seconds / shoal.slots * steps_per_epoch)
    return min(epochs, full) if epochs >= full / 4 else None
