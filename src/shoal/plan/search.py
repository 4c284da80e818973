"""What a budget buys: a fixed plan of the search."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace

from shoal.plan.budget import TRIALS_A_ROUND, Budget
from shoal.plan.shoals import Speed, end_together, rungs_of, shoal_plan
from shoal.plan.ways import DEFAULT_METHOD, MOST_COMPARED, RETRAINS, Costs, Method
from shoal.records import Plan
from shoal.samplers import MODELS
from shoal.space import Family, Space

LEAST_SECONDS_TO_COMPARE = 8.0
"""With a smaller budget in time one recipe is trained, since it is all that there is time for."""
_TRAINING_SHARE = 0.85  # of the time left after measuring; the rest is for scoring, saving and a machine that slows down


def families_within(budget: Budget, space: Space) -> tuple[Family, ...]:
    """As many families as the budget can pay the compilation of: about 4 s each on a CPU.

    Of a space in which the first families alone are a sensible search, at most five and a third of the time, and no fewer than
    are compared where there is no time for a search; of any other space all, or as many evenly chosen ones as a third of the time, or
    eight trials for each, pay for.
    """
    families, amount = space.families, budget.seconds or 0.0
    if space.by_promise:
        least = MOST_COMPARED if amount >= LEAST_SECONDS_TO_COMPARE and not space.growing else 1
        most = budget.trials // TRIALS_A_ROUND if budget.trials is not None else min(int(amount // (25 if space.growing else 15)), 5)
        return families[: max(least, most)]
    most = budget.trials // 8 if budget.trials is not None else int(amount // 12)
    count = min(len(families), max(1, most))
    return tuple(families[number * len(families) // count] for number in range(count))


def slots_needed(budget: Budget, retrains: int, families: int = 1, sampler: str = "sobol") -> int:
    """Slots beyond which a shoal would stand empty: a family's trials, or the retrained winner's seeds.

    A sampler with a model gets no more than a tenth of the trials at a time.
    """
    if budget.trials is None:
        return sys.maxsize
    most = math.ceil(budget.trials / families)
    if sampler in MODELS:
        most = min(most, max(1, budget.trials // 10))
    return max(most, retrains)


def plan_trials(
    budget: Budget,
    families: Sequence[Family],
    slots: Sequence[int],
    steps_per_epoch: Sequence[int],
    retrains: int = RETRAINS,
    method: Method = DEFAULT_METHOD,
) -> Plan:
    """The plan for a budget in trials: nothing is measured, so it is the same on every machine."""
    assert budget.trials is not None
    shares = _shares(budget.trials, len(families))
    rounds = sum(math.ceil(share / slot) for share, slot in zip(shares, slots, strict=True))
    rungs = rungs_of(rounds, families[0].base.epochs, steps_per_epoch, method.rungs)
    shoals = [shoal_plan(*each, None) for each in zip(families, slots, shares, rungs, strict=True)]
    reason = "The number of trials was given."
    return Plan(budget.text, tuple(shoals), rungs[0], budget.trials, retrains, reason, method.sampler, method.rungs)


def plan_seconds(
    budget: Budget,
    seconds_left: float,
    families: Sequence[Family],
    slots: Sequence[int],
    speeds: Sequence[Speed],
    steps_per_epoch: Sequence[int],
    method: Method = DEFAULT_METHOD,
    growing: bool = False,
    sound: bool = False,
    compares_first_recipes: bool = True,
    lengthens: bool = True,
    searches: bool = True,
    distils: bool = False,
) -> Plan:
    """The plan that the time left pays for, by the measured cost of a step.

    Halving pays from three shoals a family on. Where full-length training leaves no time for that, training is shortened to no
    less than half; where that is not enough, the last family is given up; the least is one shoal trained as long as time allows.

    Where the families' bases are sound recipes, trials are trained in full length or not at all: the first base, trained as long as it
    should be, is better than the best of many that were cut short; and shapes differ more than recipes of one shape, so that a search is of
    as many of them as there is time for. Where there is no time for a search, or none is wanted, the first recipes of the shapes are
    trained on the winner's seeds, for an eighth of their length or longer, and the best of them goes on. Of families of growing size the
    largest is taken that can be trained for half its length on four seeds, with a search where there is time for one and as it is where
    there is none; all of them where there is time to search all.

    Args:
        budget: as the user gave it.
        seconds_left: for searching and retraining.
        families: in the order of their promise.
        slots: of each family's shoal.
        speeds: of each family's shoal.
        steps_per_epoch: of the training rows, in each family's mini-batches.
        method: what draws the trials and stops them.
        growing: whether each family is larger than the one before it (see ``Space.growing``).
        sound: whether the families' bases are good recipes as they are (see ``Space.by_promise``).
        compares_first_recipes: whether first recipes may be compared where there is no time for a search.
        lengthens: whether trainings of twice the length are of use where there is plenty of time.
        searches: whether a search comes first wherever there is time for one, or only with a budget that is not short.
        distils: whether one network learns the answers of the retrained ones.
    """
    available = seconds_left * _TRAINING_SHARE
    measured = families, slots, speeds, steps_per_epoch, method, available
    costs = Costs(*measured, compares_first_recipes, lengthens, distils, resizes=sound and not growing)
    searches = searches or not budget.is_short
    way = costs.best(growing, sound or growing, searches)
    chosen, spent = tuple(costs.shoals(way)), tuple(costs.seconds(way))
    rungs, trials, expected = chosen[0].rungs, sum(shoal.trials for shoal in chosen), sum(spent)
    length = f"{rungs[-1]:,} steps ({rungs[-1] / steps_per_epoch[way.used[0]]:.3g} epochs)"
    no_time = "there is no time to search in trainings of that length"
    if way.compares_first_recipes:
        reason = f"the first recipes of {len(way.used)} shapes of network on {way.retrains} seeds each, for "
        reason += length if end_together(rungs) else f"{rungs[0]:,} steps, and the best of them for {length}"
        reason += f": {no_time if searches else 'a short budget does without a search'}; it "
    elif way.rounds:
        reason = f"{trials} trials in {len(way.used)} shape{'s' * (len(way.used) > 1)} of network, up to {length} each, "
    else:
        reason = f"one recipe on {way.retrains} seeds, {length} each: {no_time}; it "
    reason += f"should take {expected:.0f} s of the {max(seconds_left, 0):.0f} s left after measuring."
    if distils:
        reason += f" That includes {way.retrains} networks that learn the answers of the final ones; the best of them is the model."
    if expected > seconds_left:
        reason += " Even the smallest search takes longer than that."
    elif way.epochs < costs.full / 2:
        reason += " Training is cut short: a larger budget would train to the end."
    return Plan(
        budget.text,
        chosen,
        rungs,
        trials,
        way.retrains,
        reason,
        method.sampler,
        method.rungs,
        spent,
        way.used[0],
        way.compares_first_recipes,
    )


def with_length(family: Family, epochs: float) -> Family:
    """The family with another length of the full training."""
    base = family.base
    return replace(family, base=replace(base, epochs=epochs, warm_up=base.warm_up * epochs / base.epochs))


def _shares(trials: int, families: int) -> list[int]:
    return [trials // families + (number < trials % families) for number in range(families)]
