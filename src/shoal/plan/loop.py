"""What the recipe loop may spend."""

from __future__ import annotations

import math

from shoal.plan.budget import COMPILATION_SECONDS, LEAST_LOOP_SECONDS, TRIALS_A_ROUND, Budget
from shoal.plan.ways import RETRAINS
from shoal.population import segment_steps
from shoal.records import LoopPlan

_PICTURE_LOOP_SHARE = 0.5  # of a full training: in less, augmentation only seems to hurt, for it helps where pictures come again
_PICTURE_LOOP_SEEDS, _PICTURE_LOOP_ROUNDS = 4, 2
_FASTEST = 4e11  # multiplications a second that no machine of few cores exceeds: says when there is no use in measuring
_LOOP_STEPS, _FEWEST_LOOP_STEPS = 1000, 200  # of one network: enough for effects to show, few enough to try many changes
_MOST_LOOP_ROUNDS, _WANTED_ROUNDS = 8, 4
_NETWORKS_A_ROUND = 64  # four proposals and their controls, on eight seeds


def plan_loop(
    budget: Budget,
    seconds: float,
    full_epochs: float,
    steps_per_epoch: int,
    network_step_seconds: float | None,
    is_picture: bool = False,
) -> LoopPlan:
    """What the recipe loop may spend.

    Args:
        budget: as the user gave it.
        seconds: that the loop may take, for a budget in time.
        full_epochs: length of a full training.
        steps_per_epoch: of the first recipe.
        network_step_seconds: measured seconds per step and network of the first recipe, for a budget in time.
        is_picture: pictures are trained on for some epochs, on fewer seeds.
    """
    longest, fewest, wanted, seeds = min(_LOOP_STEPS, full_epochs * steps_per_epoch), float(_FEWEST_LOOP_STEPS), _WANTED_ROUNDS, RETRAINS
    if is_picture:
        longest = fewest = _PICTURE_LOOP_SHARE * full_epochs * steps_per_epoch
        wanted, seeds = 1, _PICTURE_LOOP_SEEDS
    a_round, rounds = _NETWORKS_A_ROUND * seeds // RETRAINS, _PICTURE_LOOP_ROUNDS if is_picture else _MOST_LOOP_ROUNDS
    if budget.trials is not None:
        steps = min(rounds, budget.trials // TRIALS_A_ROUND)
        return _loop_plan(steps, longest, steps_per_epoch, seeds, 4.0 * (steps + 1) * a_round * longest, 0.0)
    assert network_step_seconds is not None
    compilations = 0.0 if is_picture else LEAST_LOOP_SECONDS  # of the first recipe's program and the range test's
    allowance = max(0.0, seconds - compilations) / network_step_seconds
    length = allowance / (wanted * a_round)
    if length < (fewest if is_picture else fewest / 2):
        return _loop_plan(0, longest, steps_per_epoch, seeds, allowance, 0.0)
    length = min(longest, max(length, fewest))
    return _loop_plan(rounds, length, steps_per_epoch, seeds, allowance, COMPILATION_SECONDS / network_step_seconds)


def loop_is_out_of_reach(seconds: float, rows: float, operations: int) -> bool:
    """Whether networks for pictures are too dear for a recipe loop on any machine, so that compiling its program would be time lost.

    Args:
        seconds: that the loop may take.
        rows: examples in a full training of one network.
        operations: multiplications with a weight for one example; the slope takes two more of each.
    """
    networks = _NETWORKS_A_ROUND * _PICTURE_LOOP_SEEDS / RETRAINS
    return 3 * operations * rows * _PICTURE_LOOP_SHARE * networks / _FASTEST > seconds


def _loop_plan(rounds: int, steps: float, steps_per_epoch: int, seeds: int, network_steps: float, compilation: float) -> LoopPlan:
    segment = segment_steps(steps_per_epoch)
    epochs = max(1, math.ceil(steps / segment)) * segment / steps_per_epoch
    return LoopPlan(rounds, epochs, seeds, network_steps, compilation)
