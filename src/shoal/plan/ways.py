"""The ways to spend the time for a search, and which of them is best."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from shoal.halving import HALVING, Rungs
from shoal.plan.costs import retraining_seconds, rung_seconds, seconds_of_first_recipes
from shoal.plan.shoals import Speed, rungs_of, shoal_plan, two_rungs
from shoal.population import segment_steps
from shoal.records import ShoalPlan
from shoal.rehearsal import FEWEST_STEPS
from shoal.space import Family

MOST_ROUNDS = 27
"""Most shoals of first trials per family; beyond it the search of a default space gains next to nothing."""

RETRAINS = 8
"""Fresh seeds on which the winner is trained again; their predictions are averaged in the final model."""
FEWER_RETRAINS = (4, 2)
"""Where networks are so dear that the time for eight would leave too little to train well."""

LEAST_LENGTH = {RETRAINS: 0.85} | dict.fromkeys(FEWER_RETRAINS, 0.7)
"""Shares of a full training for which so many seeds have time, or else there are fewer of them."""

LONGEST = 1.5
"""Of a full training, on so few seeds: what time is left is of more use so than not at all."""

MOST_COMPARED = 3
COMPARED_AT = 1 / 8
"""First recipes of so many families are compared after this share of a full training, or later where there is time. ``docs/defaults.md``
has what that was worth on real tables."""
_LENGTHS_OF_FIRST_RECIPES = ((1.0, 1.0), (1.0, 0.5), (1.0, 0.25), (1.0, COMPARED_AT), (0.85, COMPARED_AT), (0.7, COMPARED_AT))


@dataclass(frozen=True, slots=True)
class Method:
    """How a search goes about it: what draws its trials, and how they are stopped at rungs."""

    sampler: str = "sobol"
    rungs: Rungs = "async"


DEFAULT_METHOD = Method()


class Way(NamedTuple):
    """How the time left is spent: so many shoals of first trials a family, of so many epochs, and the winner on so many fresh seeds."""

    retrains: int
    used: range  # of the families
    epochs: float
    rounds: int  # 0: first recipes, trained on fresh seeds at once
    compared_at: float = COMPARED_AT  # share of the training after which several of them are compared

    @property
    def compares_first_recipes(self) -> bool:
        """Whether first recipes of several families are compared, without a search."""
        return not self.rounds and len(self.used) > 1


@dataclass(frozen=True, slots=True)
class Costs:
    """What searches of some families cost, by the measured time of their steps.

    Args:
        families: in the order of their promise.
        slots: of each family's shoal.
        speeds: of each family's shoal.
        steps_per_epoch: of the training rows, in each family's mini-batches.
        method: what draws the trials and stops them.
        available: seconds that may be spent.
        compares_first_recipes: whether first recipes may be compared where there is no time for a search.
        lengthens: whether a training of twice the length is of use where there is plenty of time.
        distils: whether as many networks as retrained ones learn their answers.
        resizes: whether one recipe on fewer seeds is trained in a shoal of its own, without slots that stay empty.
    """

    families: Sequence[Family]
    slots: Sequence[int]
    speeds: Sequence[Speed]
    steps_per_epoch: Sequence[int]
    method: Method
    available: float
    compares_first_recipes: bool = True
    lengthens: bool = True
    distils: bool = False
    resizes: bool = False

    @property
    def full(self) -> float:
        """Epochs of a full training."""
        return self.families[0].base.epochs

    def shoals(self, way: Way) -> list[ShoalPlan]:
        """What the plan would say of each family."""
        steps_per_epoch = [self.steps_per_epoch[at] for at in way.used]
        if way.compares_first_recipes:
            rungs, alone = two_rungs(way.epochs, way.compared_at, steps_per_epoch), way.retrains
        else:
            rungs, alone = rungs_of(len(way.used) * max(way.rounds, 1), way.epochs, steps_per_epoch, self.method.rungs), 1
        sizes = [self._sized(at, way) for at in way.used]
        return [
            shoal_plan(self.families[at], slots, way.rounds * slots or alone, own, speed)
            for at, own, (slots, speed) in zip(way.used, rungs, sizes, strict=True)
        ]

    def _sized(self, at: int, way: Way) -> tuple[int, Speed]:
        """Slots of a family's shoal, and its speed; of one recipe as few as hold its seeds, since those that stay empty cost as much."""
        slots, speed = self.slots[at], self.speeds[at]
        is_one = not way.rounds and not way.compares_first_recipes
        while self.resizes and is_one and slots % 2 == 0 and slots // 2 >= way.retrains:
            slots, speed = slots // 2, replace(speed, step=speed.step / 2)
        return slots, speed

    def seconds(self, way: Way) -> list[float]:
        """Of each rung, and last of the retraining, together with the distillation."""
        shoals = self.shoals(way)
        if way.compares_first_recipes:
            spent = seconds_of_first_recipes(shoals, way.retrains)
        else:
            spent = rung_seconds(shoals, way.retrains, self.method.rungs, self.method.sampler)
            spent = spent if way.rounds else [0.0] * (len(spent) - 1) + spent[-1:]
        if self.distils:  # by a program of its own, where the targets are of classes
            spent[-1] += retraining_seconds(shoals, way.retrains) + max(shoal.compile_seconds or 0.0 for shoal in shoals)
        return spent

    def fits(self, way: Way) -> bool:
        """Whether there is time for it."""
        return sum(self.seconds(way)) <= self.available

    def filled(self, retrains: int, used: range, epochs: float) -> Way:
        """With as many rounds as there is time for; 0 where not even one fits."""
        ways = (Way(retrains, used, epochs, rounds) for rounds in range(MOST_ROUNDS, 0, -1))
        return next(filter(self.fits, ways), Way(retrains, used, epochs, 0))

    def with_plenty_of_time(self, retrains: int) -> Way | None:
        """As much as is of use, over all families and in trainings of twice the length; none where that takes too long."""
        way = self.filled(retrains, range(len(self.families)), (2 if self.lengthens else 1) * self.full)
        return way if way.rounds == MOST_ROUNDS else None

    def searched(self, retrains: int) -> Way:
        """Over as many families as there is time for; no rounds where not even one shoal can be trained to a quarter of its length."""
        full = self.full
        if twice := self.with_plenty_of_time(retrains):
            return twice
        for used in range(len(self.families), 0, -1):
            for epochs in (full, 0.7 * full, 0.5 * full):
                if (way := self.filled(retrains, range(used), epochs)).rounds >= HALVING:
                    return way
        for epochs in (full, 0.7 * full, 0.5 * full, 0.25 * full):
            if (way := self.filled(retrains, range(1), epochs)).rounds:
                return way
        return Way(retrains, range(1), full, 0)

    def in_full_length(self) -> Way | None:
        """As many families as can be compared in trainings of full length, in three shoals or more; none where there is too little time."""
        if twice := self.with_plenty_of_time(RETRAINS):
            return twice
        ways = (self.filled(RETRAINS, range(used), self.full) for used in range(len(self.families), 0, -1))
        return next((way for way in ways if way.rounds * len(way.used) >= HALVING), None)

    def of_first_recipes(self) -> Way | None:
        """The first recipes of as many families as there is time for, in trainings that are hardly shortened; none of too little.

        Of fewer than could be, the first ones where they are compared at the end, and the last ones earlier on: the ranks of shapes of one
        optimiser are known sooner than those of optimisers.
        """
        most = min(MOST_COMPARED, len(self.families))
        for count in range(most, 1, -1):
            for share, compared_at in _LENGTHS_OF_FIRST_RECIPES:
                begin = 0 if compared_at == 1.0 else most - count
                way = Way(RETRAINS, range(begin, begin + count), share * self.full, 0, compared_at)
                if self.fits(way) and all(first > 0 for first, _ in two_rungs(way.epochs, way.compared_at, self.steps_per_epoch)):
                    return way
        return None

    def of_one_shape(self, numbers: range) -> Way:
        """The last of these families that has time for four seeds, or else for two, and how it is trained.

        It is searched only where its trials can be trained in full: half as long a training loses more than the best recipe gains.
        So does half as many seeds lose less than half as long a training (``docs/defaults.md`` has what on tables).
        A training that has too little time on as many seeds is shortened a little, and no more than need be.
        """
        full, less, half = self.full, 0.7 * self.full, 0.5 * self.full
        for seeds in ((RETRAINS, FEWER_RETRAINS[0]), FEWER_RETRAINS[1:]):
            for number in reversed(numbers):
                alone = range(number, number + 1)
                for retrains in seeds:
                    if (way := self.filled(retrains, alone, full)).rounds >= HALVING:
                        return way
                if self.resizes:  # fewer seeds take less time, even where a shoal has many slots
                    lengths = [(epochs, retrains) for retrains in seeds for epochs in (full, LEAST_LENGTH[retrains] * full)]
                else:
                    lengths = list(itertools.product((full, less, half), seeds))
                for epochs, retrains in lengths:
                    if self.fits(way := Way(retrains, alone, epochs, 0)):
                        longer = self.lengthens and epochs == full and retrains < RETRAINS
                        if self.resizes and (longer or epochs < full):
                            return self.as_long(retrains, 0, LONGEST if longer else 1.0)
                        return way
        fewest, slots = FEWER_RETRAINS[-1], self.slots[0]
        if self.resizes:
            return self.as_long(fewest, 0)
        return self.as_long(min(RETRAINS, math.ceil(fewest / slots) * slots), 0)  # more seeds take no longer where slots would stay empty

    def as_long(self, retrains: int, rounds: int, most: float = 1.0) -> Way:
        """The first family for as many epochs as there is time for, up to ``most`` of a full training.

        They are whole segments: rounded up, one might not fit.
        """
        segment, per_epoch = segment_steps(self.steps_per_epoch[0]), self.steps_per_epoch[0]
        whole = sum(self.seconds(Way(retrains, range(1), self.full, rounds)))
        steps = self.full * per_epoch * min(most, max(self.available, 0.0) / whole)
        return Way(retrains, range(1), max(FEWEST_STEPS, math.floor(steps / segment) * segment) / per_epoch, rounds)

    def best(self, growing: bool, sound: bool, searches: bool) -> Way:
        """The way that the time is spent (see ``plan_seconds``)."""
        if sound:
            compared = self.of_first_recipes() if self.compares_first_recipes and not growing else None
            if compared and not searches:
                return compared
            way, count = self.in_full_length(), len(self.families)
            if growing and way is not None and (len(way.used) < count or way.rounds < HALVING):
                way = None  # larger networks come before a search
            return way or compared or self.of_one_shape(range(count if growing else 1))
        way = self.searched(RETRAINS)
        for fewer in FEWER_RETRAINS:
            if way.rounds and way.epochs >= self.full / 2:
                break
            way = self.searched(fewer)
        return way if way.rounds else self.as_long(way.retrains, 1)
