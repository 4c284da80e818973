"""Builds searches whose truth is known: losses are a formula of the settings and noise, so nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import qmc

from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.records import Plan, Trace, Trial, TrialStatus
from shoal.space import Space

RUNGS = (100, 300, 900)
PARAMETERS = (
    Range("learning_rate", 1e-4, 1e-1, "log"),
    Choice("hidden_layers", (1, 2, 3)),
    Range("units", 16, 128, "log_integer"),
    Range("weight_decay", 1e-3, 1.0, "log"),
)


def space_of(parameters: Sequence[Range | Choice] = PARAMETERS, base: Recipe | None = None) -> Space:
    return Space.of(base or Recipe(), parameters)


def plan_of(trials: int, rungs: tuple[int, ...] = RUNGS) -> Plan:
    return Plan(f"{trials}trials", (), rungs, trials, 8, "")


def recipes_of(space: Space, points: np.ndarray) -> list[Recipe]:
    values = [{each.name: each.value(float(at)) for each, at in zip(space.parameters, point, strict=True)} for point in points]
    return [space.recipe_of(one) for one in values]


def one_trial(
    number: int, recipe: Recipe, losses: Sequence[float | None], rungs: tuple[int, ...] = RUNGS, status: TrialStatus | None = None
) -> Trial:
    rung = len(losses) - 1
    known = [loss for loss in losses if loss is not None]
    best = rungs[losses.index(min(known))] if known else 0
    status = status or ("finished" if len(losses) == len(rungs) else "stopped at a rung")
    trace = Trace(rungs[: rung + 1], tuple(map(float, rungs[: rung + 1])), tuple(losses), tuple(losses), tuple(losses), tuple(losses))
    return Trial(number, number, recipe, 0, status, rung, rungs[rung], best, min(known, default=None), "search", trace)


def again(first: int, recipe: Recipe, scores: Sequence[float | None]) -> list[Trial]:
    """A recipe on fresh seeds, the same for all recipes."""
    return [
        Trial(first + at, 10**6 + at, recipe, 0, "finished" if score is not None else "diverged", 2, 900, 900, score, "retrain")
        for at, score in enumerate(scores)
    ]


def search(
    truth: Callable[[np.ndarray], np.ndarray], trials: int, *, noise: float = 0.01, seed: int = 0, space: Space | None = None
) -> tuple[list[Trial], Space, Plan]:
    """A search with halving by thirds whose full dev loss is ``truth`` of the points ``[trials, parameters]``, and its best three again."""
    space = space or space_of()
    random = np.random.default_rng(seed)
    points = qmc.Sobol(len(space.parameters), rng=random).random_base2(math.ceil(math.log2(trials)))[:trials]
    recipes, losses = recipes_of(space, points), truth(points)
    seen: list[list[float]] = [[] for _ in recipes]
    alive = list(range(trials))
    for rung in range(len(RUNGS)):
        for at in alive:
            seen[at].append(float(losses[at] + 0.2 / (rung + 1) - 0.2 / len(RUNGS) + noise * random.standard_normal()))
        alive = sorted(alive, key=lambda at: seen[at][-1])[: math.ceil(len(alive) / 3)]
    found = [one_trial(at, recipe, seen[at]) for at, recipe in enumerate(recipes)]
    finished = sorted((trial for trial in found if trial.rung == 2), key=lambda trial: trial.score or 0.0)[:3]
    for trial in finished:
        scores = losses[trial.number] + noise * random.standard_normal(8)
        found += again(len(found), trial.recipe, [float(score) for score in scores])
    return found, space, plan_of(trials)
