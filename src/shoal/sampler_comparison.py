"""Grid, random and quasi-random trials side by side on a person's own data: as many of each, trained for as long, from the same seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shoal.measurements.answers import Answers, SampledBy, SamplerComparison
from shoal.metrics import mean_interval
from shoal.parameters import Range
from shoal.plan import Budget
from shoal.progress import Stages
from shoal.recipe import Recipe
from shoal.records import ShoalPlan
from shoal.samplers import make_sampler
from shoal.space import Family, Space
from shoal.trainer import Network, Trainer, advance, own_seed
from shoal.winner import Trained

COMPARED = ("grid", "random", "sobol")
REFERENCE = "random"
TRIALS = 32
"""Of each sampler in one repetition: what a search of a minute or two looks at."""
REPETITIONS, FEWEST_REPETITIONS = 5, 3
SHARE = 0.25
"""Of a budget in time, for the comparison."""
_SEED_NUMBER = 5_000_000


def samplers_seconds(budget: Budget) -> float:
    """What a budget in time sets aside for the comparison.

    Example:
        >>> samplers_seconds(Budget.parse("2m")), samplers_seconds(Budget.parse("64trials"))
        (30.0, 0.0)
    """
    return SHARE * (budget.seconds or 0.0)


def samplers_answered(answered: Answers, trainer: Trainer, trained: Trained, budget: Budget, stages: Stages) -> Answers:
    """The answers with a comparison of samplers on the winner's shape, or why there is none.

    Args:
        answered: what the search's own trials say.
        trainer: of the data set.
        trained: what the search brought.
        budget: as the user gave it.
        stages: is told that the comparison begins.
    """
    number = trained.searched.family
    family, planned = trained.space.families[number], trained.plan.shoals[number]
    repetitions = repetitions_within(budget, planned)
    reason = ""
    if not family.ranges:
        reason = "the winner's shape leaves nothing to be drawn"
    elif trained.searched.stopped:
        reason = "the search was stopped before it"
    elif not repetitions:
        reason = "a quarter of the budget is not enough for it; give more time, or a budget in trials"
    if reason:
        return replace(answered, unknown={**answered.unknown, "samplers": reason})
    stages.enter("comparing samplers", ", ".join(COMPARED))
    return replace(answered, samplers=compare_samplers(trainer, family, planned, trainer.seed, repetitions))


def repetitions_within(budget: Budget, planned: ShoalPlan) -> int:
    """How often the comparison is repeated: as its share of a budget in time pays for, and ``REPETITIONS`` times for one in trials.

    Args:
        budget: as the user gave it.
        planned: the shape's part of the plan, with its measured seconds per step for a budget in time.

    Returns:
        At most ``REPETITIONS``; 0 where there is no time for ``FEWEST_REPETITIONS``, of which an interval can be made.
    """
    if budget.seconds is None or not planned.step_seconds:
        return REPETITIONS
    shoal_seconds = planned.rungs[0] * planned.step_seconds
    paid = math.floor(samplers_seconds(budget) / shoal_seconds) * planned.slots // (len(COMPARED) * TRIALS)
    return min(paid, REPETITIONS) if paid >= FEWEST_REPETITIONS else 0


def compare_samplers(trainer: Trainer, family: Family, planned: ShoalPlan, seed: int, repetitions: int = REPETITIONS) -> SamplerComparison:
    """Draw the same number of trials of one shape with each sampler, train all to the first rung, and compare the best of each.

    The ``n``-th trials of all samplers in a repetition begin from the same seed, so that differences are paired. A grid has no draws: its
    repetitions differ by the networks' seeds alone.

    Args:
        trainer: of the data set.
        family: the shape, with the ranges that are drawn from.
        planned: its part of the search's plan: the slots of its shoal and the steps to the first rung.
        seed: of the draws and the networks.
        repetitions: at least 2.

    Returns:
        The lowest dev loss that each sampler found, and how much lower it is than that of random trials, with t intervals over the
        repetitions. Sources: Bergstra and Bengio (2012), "Random search for hyper-parameter optimization"; Bousquet et al. (2017),
        "Critical hyper-parameters: no random, no cry".

    Raises:
        ValueError: there are fewer than 2 repetitions.
    """
    if repetitions < 2:
        raise ValueError(f"an interval takes at least 2 repetitions; received {repetitions}")
    drawn = {name: [_draw(name, family, seed + number) for number in range(repetitions)] for name in COMPARED}
    networks = {name: [_networks(each, seed, number) for number, each in enumerate(drawn[name])] for name in COMPARED}
    _train(trainer, family, planned, [network for name in COMPARED for group in networks[name] for network in group])
    best = {name: np.array([min(network.score for network in group) for group in networks[name]]) for name in COMPARED}
    found = [
        SampledBy(
            name=name,
            trials=len(drawn[name][0]),
            values=_values(family, drawn[name][0]),
            best=mean_interval(best[name].tolist()),
            ahead=None if name == REFERENCE else mean_interval((best[REFERENCE] - best[name]).tolist()),
        )
        for name in COMPARED
    ]
    return SamplerComparison(tuple(found), repetitions, planned.rungs[0])


def _draw(name: str, family: Family, seed: int) -> list[Recipe]:
    alone = Space(family.base, family.ranges, (replace(family, begins_with_base=False),))
    return [each.recipe for each in make_sampler(name, alone, (TRIALS,), seed).draw(TRIALS, [])]


def _networks(recipes: Sequence[Recipe], seed: int, repetition: int) -> list[Network]:
    first = _SEED_NUMBER + repetition * TRIALS
    return [Network(number, own_seed(seed, first + number), recipe) for number, recipe in enumerate(recipes)]


def _train(trainer: Trainer, family: Family, planned: ShoalPlan, networks: Sequence[Network]) -> None:
    """Every network to the first rung, in shoals of the program that the search has compiled."""
    shoal = trainer.shoal(family.shape, family.width, family.techniques, planned.slots)
    for first in range(0, len(networks), shoal.slots):
        some = networks[first : first + shoal.slots]
        advance(f"samplers-{first}", shoal, some, planned.rungs[0], trainer.journal)
        for network in some:
            network.state = None  # the score is all that is compared


def _values(family: Family, recipes: Sequence[Recipe]) -> float:
    """How many different values of a number were tried, on average over the numbers that are drawn."""
    settings = [family.values_in(each) for each in recipes]
    names = [each.name for each in family.ranges if isinstance(each, Range)]
    tried = [len({each[name] for each in settings if name in each}) for name in names]
    return float(np.mean(tried)) if tried else 0.0
