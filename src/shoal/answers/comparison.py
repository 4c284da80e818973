"""Trials that can be compared: as many as possible, after the same number of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal.parameters import Choice, Parameter
from shoal.records import Plan, Trial
from shoal.space import Space

NEARLY_ALL = 0.9
MIDDLE = 0.5
ENDED_BY_ITSELF = ("finished", "stopped early", "diverged")


@dataclass(frozen=True)
class Comparison:
    """Trials after the same number of steps, with the places of their settings in the space.

    Args:
        trials: those compared.
        losses: dev loss of each, float64 ``[trials]``, cut at Tukey's upper fence.
        parameters: those that differ between the trials.
        positions: from 0 to 1 on each parameter's own scale, float64 ``[trials, parameters]``; a parameter that does not matter in a
            trial is in the middle (the default value of Hutter, Hoos and Leyton-Brown, 2014).
        used: whether it matters, bool ``[trials, parameters]``.
        steps: of the first shape after which they are compared; others have mini-batches of another size, and their own steps.
    """

    trials: tuple[Trial, ...]
    losses: np.ndarray
    parameters: tuple[Parameter, ...]
    positions: np.ndarray
    used: np.ndarray
    steps: int


def searched(trials: Sequence[Trial]) -> list[Trial]:
    """The trials of the search, in the order of their numbers."""
    return sorted((trial for trial in trials if trial.purpose == "search"), key=lambda trial: trial.number)


def full_length(trials: Sequence[Trial], plan: Plan) -> list[Trial]:
    """The trials of the search that trained in full and have a score, best first."""
    last = len(plan.rungs) - 1
    full = [trial for trial in searched(trials) if trial.rung == last and trial.score is not None]
    return sorted(full, key=lambda trial: (trial.score, trial.number))


def loss_at(trial: Trial, plan: Plan, rung: int) -> float | None:
    """The lowest dev loss of a trial up to a rung: infinite where it has none, ``None`` where it was stopped before.

    A trial that stopped by itself, early or by diverging, has the loss it stopped with from then on.
    """
    of_shape = plan.shoals[trial.shoal].rungs if trial.shoal < len(plan.shoals) else ()
    steps = (of_shape or plan.rungs)[rung]
    if trial.status not in ENDED_BY_ITSELF and trial.steps < steps:
        return None
    if trial.score is not None and trial.best_step <= steps:
        return trial.score
    seen = zip(trial.trace.steps, trial.trace.dev_loss, strict=True)
    return min((loss for step, loss in seen if loss is not None and step <= steps), default=math.inf)


def compare(trials: Sequence[Trial], space: Space, plan: Plan) -> Comparison:
    """The trials of the search at the last rung that nearly all of them reached.

    With halving that is the first rung: later ones hold only those that did well before, which hides what made the others fail. Losses
    above the upper fence (third quartile and 1.5 times the interquartile range; Tukey, 1977) are cut there, and trials without any loss
    are put there: how badly a training explodes says nothing about the others.
    """
    every = searched(trials)
    rung, kept = 0, [(trial, loss_at(trial, plan, 0)) for trial in every]
    for number in range(1, len(plan.rungs)):
        later = [(trial, loss_at(trial, plan, number)) for trial in every]
        if sum(loss is not None for _, loss in later) < NEARLY_ALL * len(every):
            break
        rung, kept = number, later
    compared = [(trial, loss) for trial, loss in kept if loss is not None]
    if not any(math.isfinite(loss) for _, loss in compared):
        compared = []
    found = [space.settings_of(trial.recipe) for trial, _ in compared]
    varied = tuple(each for each in space.parameters if len({repr(settings.get(each.name)) for settings in found}) > 1)
    places = [[_position(each, settings.get(each.name)) for each in varied] for settings in found]
    positions = np.array(places, dtype=float).reshape(len(compared), len(varied))
    used = np.isfinite(positions)
    losses = fenced(np.array([loss for _, loss in compared], dtype=float))
    return Comparison(tuple(trial for trial, _ in compared), losses, varied, np.where(used, positions, MIDDLE), used, plan.rungs[rung])


def fenced(losses: np.ndarray) -> np.ndarray:
    """Losses cut at Tukey's upper fence.

    Example:
        >>> fenced(np.array([1.0, 2.0, 3.0, 4.0, np.inf])).tolist()
        [1.0, 2.0, 3.0, 4.0, 5.5]
    """
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return losses
    quartiles = np.quantile(finite, (0.25, 0.75))
    return np.minimum(losses, quartiles[1] + 1.5 * (quartiles[1] - quartiles[0]))


def _position(each: Parameter, value: object) -> float:
    """Where a value lies in its parameter; not a number where it does not matter."""
    if value is None:
        return math.nan
    if isinstance(each, Choice):
        labels = [each.label(one) for one in each.values]
        return (labels.index(value) + 0.5) / len(labels) if value in labels else math.nan
    return each.position(float(value))  # type: ignore[arg-type]
