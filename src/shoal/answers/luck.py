"""The winner on fresh seeds, and how much of its lead in the search was luck."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shoal.answers.comparison import full_length
from shoal.interval import Interval
from shoal.measurements.answers import Luck, RunnerUp, Winner
from shoal.metrics import mean_interval
from shoal.recipe import Recipe
from shoal.records import Plan, Trial

Fresh = dict[Recipe, dict[int, float]]
"""``fresh[recipe][seed]`` is the dev loss of a network on a fresh seed; infinite where it diverged."""


def fresh_scores(trials: Sequence[Trial]) -> Fresh:
    """The dev losses on fresh seeds of every recipe that was trained on any."""
    fresh: Fresh = {}
    for trial in trials:
        if trial.purpose == "retrain":
            fresh.setdefault(trial.recipe, {})[trial.seed] = math.inf if trial.score is None else trial.score
    return fresh


def winning_recipe(trials: Sequence[Trial]) -> Recipe | None:
    """The recipe with the lowest mean on fresh seeds; ``None`` where every recipe diverged on some seed, or none was trained again."""
    means = {recipe: float(np.mean(list(scores.values()))) for recipe, scores in fresh_scores(trials).items()}
    best = min(means, key=lambda recipe: means[recipe], default=None)
    return best if best is not None and math.isfinite(means[best]) else None


def winner(trials: Sequence[Trial], plan: Plan, count: Callable[[Recipe], int], recipe: Recipe | None = None) -> Winner | str:
    """The winning recipe on fresh seeds, or in words why it is not known there.

    Args:
        trials: of the search, with those on fresh seeds.
        plan: of the search.
        count: parameters of a recipe's network.
        recipe: the winner, by default the one with the lowest mean on fresh seeds.
    """
    recipe = recipe or winning_recipe(trials)
    fresh = fresh_scores(trials)
    if recipe is None or recipe not in fresh:
        return "no recipe was trained again on fresh seeds, all of them without diverging"
    scores = [score for score in fresh[recipe].values() if math.isfinite(score)]
    if len(scores) < 2:
        return "an interval takes at least 2 fresh seeds that do not diverge"
    ranked = full_length(trials, plan)
    own = next((place for place, trial in enumerate(ranked) if trial.recipe == recipe), None)
    return Winner(
        trial=None if own is None else ranked[own].number,
        place=None if own is None else own + 1,
        searched=None if own is None else float(ranked[own].score or 0.0),
        fresh=mean_interval(scores),
        seeds=len(scores),
        deviation=float(np.std(scores, ddof=1)),
        parameters=count(recipe),
        finalists=len(fresh),
        optimism=choice_optimism(fresh),
    )


def choice_optimism(fresh: Mapping[Any, Mapping[int, float]]) -> float | None:
    """How much too low the mean of the best of several recipes is because it was chosen for being low.

    The recipe is chosen without one of the seeds and judged on that seed, for each seed in turn.

    Example:
        >>> choice_optimism({"a": {0: 1.0, 1: 3.0}, "b": {0: 2.5, 1: 1.9}})  # each does well on the other seed only
        0.75
    """
    seeds = sorted(set.intersection(*(set(scores) for scores in fresh.values()))) if fresh else []
    table = np.array([[scores[seed] for seed in seeds] for scores in fresh.values()])
    table = table[np.isfinite(table).all(1)] if len(seeds) > 1 else table[:0]
    if len(table) < 2:
        return None
    others = (table.sum(1, keepdims=True) - table) / (len(seeds) - 1)
    held_out = table[others.argmin(0), np.arange(len(seeds))]
    return round(float(held_out.mean() - table.mean(1).min()), 12)


def luck(trials: Sequence[Trial], plan: Plan, best: Winner) -> Luck | str:
    """How much of the winner's lead was luck, or in words why that cannot be told."""
    ranked = full_length(trials, plan)
    if best.searched is None:
        return "the winner was not compared with other trials in a full training"
    if len(ranked) < 3:
        return f"only {len(ranked)} trials trained in full, too few for a lead over the rest"
    own = next(trial for trial in ranked if trial.number == best.trial)
    size = Interval(best.fresh.value - best.searched, best.fresh.low - best.searched, best.fresh.high - best.searched)
    median = float(np.median([trial.score for trial in ranked if trial.recipe != own.recipe and trial.score is not None]))
    lead = median - best.searched
    share = Interval(size.value / lead, size.low / lead, size.high / lead) if lead > 0 else None
    other = next((trial for trial in ranked if trial.recipe != own.recipe), None)
    return Luck(size, median, lead, share, None if other is None else _runner_up(other, own, fresh_scores(trials)))


def _runner_up(other: Trial, own: Trial, fresh: Fresh) -> RunnerUp:
    lead = float(other.score or 0.0) - float(own.score or 0.0)
    if other.recipe not in fresh or own.recipe not in fresh:
        return RunnerUp(other.number, lead, None)
    theirs, mine = fresh[other.recipe], fresh[own.recipe]
    paired = [theirs[seed] - mine[seed] for seed in sorted(theirs.keys() & mine.keys())]
    told = len(paired) > 1 and all(map(math.isfinite, paired))
    return RunnerUp(other.number, lead, mean_interval(paired) if told else None)
