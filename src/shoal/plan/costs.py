"""What the shoals of a plan should take, rung by rung."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shoal.halving import HALVING, Rungs, brackets
from shoal.plan.shoals import end_together
from shoal.records import ShoalPlan
from shoal.samplers import MODELS
from shoal.samplers.coarse_to_fine import COARSE_SHARE

FINER = 1.5
"""How many more shoals go on to the rungs above the first with a sampler that learns, whose later trials are better; from real searches."""

OF_THE_DEAREST = 0.5
"""The share of the trials going on that is taken to be of the dearest shape, by a sampler that does not learn; from real searches."""
JOB_SECONDS = 0.035
"""A job besides its steps: its networks begin or are put back, are read, and kept in a checkpoint."""


def rung_seconds(shoals: Sequence[ShoalPlan], retrains: int, halving: Rungs, sampler: str = "sobol") -> list[float]:
    """What each rung should take, and last the retraining of the dearest shape.

    Of which shapes the trials are that go on nobody knows. Half of them are taken to be of the dearest, since large networks mostly win,
    the others of all shapes alike. A sampler that learns draws about half of its trials where the best ones were, and all who go on are
    taken to be of the dearest shape; ``FINER`` times as many where they go on without waiting for the better ones that are drawn later.

    A shape of which no speed was measured counts as free. A shoal of fewer slots than fresh seeds is retrained more than once.
    """
    learns = sampler == "coarse-to-fine" or sampler in MODELS
    more = FINER if halving == "async" and learns else 1.0
    rungs, trials = len(shoals[0].rungs), sum(shoal.trials for shoal in shoals)
    rounds = [math.ceil(shoal.trials / shoal.slots) for shoal in shoals]
    seconds = [0.0] * rungs
    for count, first in brackets(halving, sum(rounds), rungs):
        costs = [_job_seconds(shoal, 0, shoal.rungs[first]) for shoal in shoals]
        evenly = sum(cost * own for cost, own in zip(costs, rounds, strict=True)) / sum(rounds)
        learned = 1 - COARSE_SHARE if learns else 0.0
        seconds[first] += count * (learned * max(costs) + (1 - learned) * evenly)
        drawn = [count / sum(rounds) * (learned * trials + (1 - learned) * shoal.trials) for shoal in shoals]
        for rung in range(first + 1, rungs):
            going_on = count / sum(rounds) * trials / HALVING ** (rung - first) * more
            seconds[rung] += _seconds_to_go_on(shoals, rung, going_on, drawn, 1.0 if learns else OF_THE_DEAREST)
    return [*seconds, retraining_seconds(shoals, retrains)]


def retraining_seconds(shoals: Sequence[ShoalPlan], retrains: int) -> float:
    """What training the dearest shape on so many seeds should take."""
    return max(math.ceil(retrains / shoal.slots) * _job_seconds(shoal, 0, shoal.rungs[-1]) for shoal in shoals)


def _seconds_to_go_on(shoals: Sequence[ShoalPlan], rung: int, trials: float, drawn: Sequence[float], of_the_dearest: float) -> float:
    """What it takes to train so many trials from the rung below, in whole jobs.

    Args:
        shoals: the shapes.
        rung: where they go.
        trials: how many go on.
        drawn: how many of each shape there may be.
        of_the_dearest: the share of them that are of the shape that is dearest per network, and then of the next, as far as there are any.
    """
    costs = [_job_seconds(shoal, shoal.rungs[rung - 1], shoal.rungs[rung]) for shoal in shoals]
    left, evenly = of_the_dearest * trials, (1 - of_the_dearest) * trials / sum(drawn)
    seconds = jobs = 0.0
    for cost, shoal, most in sorted(zip(costs, shoals, drawn, strict=True), key=lambda each: -each[0] / each[1].slots):
        of_it = min(left, (1 - evenly) * most)
        own = (of_it + evenly * most) / shoal.slots
        left, jobs, seconds = left - of_it, jobs + own, seconds + own * cost
    return seconds * math.ceil(jobs - 1e-9) / jobs


def _job_seconds(shoal: ShoalPlan, begin: int, end: int) -> float:
    """What training a shoal's networks from one step to another should take."""
    return 0.0 if shoal.step_seconds is None else JOB_SECONDS + shoal.step_seconds * (end - begin)


def seconds_of_first_recipes(shoals: Sequence[ShoalPlan], seeds: int) -> list[float]:
    """What comparing first recipes should take, then nothing, and the rest of the training: of the dearest, or of all that end together."""
    turns = [math.ceil(seeds / shoal.slots) for shoal in shoals]
    first = sum(turn * _job_seconds(shoal, 0, shoal.rungs[0]) for turn, shoal in zip(turns, shoals, strict=True))
    rest = [turn * _job_seconds(shoal, *shoal.rungs) for turn, shoal in zip(turns, shoals, strict=True)]
    return [first, 0.0, sum(rest) if end_together(shoals[0].rungs) else max(rest)]
