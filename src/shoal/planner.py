"""From a budget to a plan: the shoals that may be trained, compiled and measured for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

from shoal import devices
from shoal.default_space import default_space
from shoal.losses import usual_loss
from shoal.metrics import Metric
from shoal.plan import (
    DEFAULT_METHOD,
    RETRAINS,
    Budget,
    Method,
    Speed,
    families_within,
    plan_seconds,
    plan_trials,
    slots_needed,
    with_length,
)
from shoal.population import Shoal, slots_for
from shoal.progress import Stages
from shoal.recipe import Recipe
from shoal.records import Plan
from shoal.rehearsal import enough_epochs, expected_step, measure_speed
from shoal.space import Family, Space
from shoal.trainer import MEMORY, Trainer

MOST_TO_LOOK = 0.2
"""Of the time left, for finding out how long a training is of use."""
COMPILING = 2
"""Programs that are compiled at a time, each by one core."""


class Shoals:
    """The shoal of every family, made when it is first asked for.

    Args:
        trainer: of the data set.
        families: of the search.
        slots: of each family's shoal, or how many are of use: no more are made than memory and speed allow.
    """

    def __init__(self, trainer: Trainer, families: Sequence[Family], slots: Sequence[int]) -> None:
        self.families = families
        self._trainer, self._slots, self._made = trainer, slots, dict[int, Shoal]()
        self._compiling: list[Future[float]] = []

    def __getitem__(self, number: int) -> Shoal:
        if number < len(self._compiling):
            self._compiling[number].result()
        return self._shoal(number)

    def compile_ahead(self, count: int | None = None) -> None:
        """Begin to compile the programs of the first families, by default of all: those needed later while the first ones train already."""
        numbers = range(len(self._compiling), len(self.families) if count is None else count)
        if not numbers:
            return
        shoals = [self._shoal(number) for number in numbers]
        pool = ThreadPoolExecutor(min(COMPILING, devices.cores()), "shoal compiling")
        bases = [self.families[number].base for number in numbers]
        self._compiling += [pool.submit(_seconds_to_compile, *each) for each in zip(shoals, bases, strict=True)]
        pool.shutdown(wait=False)

    def of_plan(self, plan: Plan) -> Shoals:
        """Those of the families that a plan searches, compiled as far as they have the slots that it says."""
        places = [plan.first_family + number for number in range(len(plan.shoals))]
        some = Shoals(self._trainer, [self.families[place] for place in places], [shoal.slots for shoal in plan.shoals])
        some._made = {
            number: self._made[place]
            for number, (place, planned) in enumerate(zip(places, plan.shoals, strict=True))
            if place in self._made and self._made[place].slots == planned.slots
        }
        if len(some._made) == len(places):
            some._compiling = self._compiling[plan.first_family :][: len(places)]
        return some

    @property
    def sizes(self) -> list[int]:
        """Slots of each family's shoal, whether or not its program is there."""
        return [self._shoal(number).slots for number in range(len(self.families))]

    def compile_seconds(self, number: int) -> float:
        """Seconds until the program of a family was there, compiled or read from the cache; waits for it."""
        return self._compiling[number].result()

    def _shoal(self, number: int) -> Shoal:
        if number not in self._made:
            family = self.families[number]
            layout = self._trainer.layout(family.shape, family.width, family.techniques)
            slots = slots_for(layout, self._slots[number], MEMORY)
            self._made[number] = Shoal(layout, slots, self._trainer.prepared(family.shape)[1], self._trainer.seed)
        return self._made[number]


@dataclass(eq=False)
class Planner:
    """What a budget buys, found out by measuring, and the shoals that were measured for it.

    Args:
        trainer: of the data set.
        budget: what may be spent; time counts from the beginning of ``stages``.
        space: what is to be searched.
        stages: is told what is going on.
        method: what draws the trials and how they are stopped.
        reserve: seconds of a budget in time that are left for what comes after.
        retrains: fresh seeds on which the winner is trained.
        first_recipes: whether those of the families may be compared where there is no time for a search.
        searches: whether a search comes first with a short budget, too, where there is time for one.
        distils: whether one network is to learn the answers of the final ones.
    """

    trainer: Trainer
    budget: Budget
    space: Space
    stages: Stages
    method: Method = DEFAULT_METHOD
    reserve: float = 0.0
    retrains: int = RETRAINS
    first_recipes: bool = True
    searches: bool = True
    distils: bool = False
    _compilations: int = field(default_factory=devices.compilations)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Those of the space that the budget can pay the compilation of."""
        return families_within(self.budget, self.space)

    def compile_ahead(self) -> None:
        """Begin to compile what will be measured first, in threads, while other work is done."""
        shoals, count = self._first
        shoals.compile_ahead(count)

    def plan(self) -> tuple[Plan, Shoals]:
        """The plan, and its shoals."""
        if self.budget.seconds is not None:
            return self._measured(self.budget.seconds - self.reserve)
        return plan_trials(self.budget, self.families, self._all.sizes, self._steps_per_epoch, self.retrains, self.method), self._all

    def shoals_of(self, plan: Plan) -> Shoals:
        """Those of a plan that was made earlier."""
        families = self.space.families if self.space.by_promise else self.families
        families = families[plan.first_family : plan.first_family + len(plan.shoals)]
        return Shoals(self.trainer, families, [shoal.slots for shoal in plan.shoals])

    @cached_property
    def _all(self) -> Shoals:
        """The shoal of every family, with as many slots as are of use."""
        needed = slots_needed(self.budget, self.retrains, len(self.families), self.method.sampler)
        return Shoals(self.trainer, self.families, [needed] * len(self.families))

    @cached_property
    def _steps_per_epoch(self) -> list[int]:
        return [self._all[number].steps_per_epoch for number in range(len(self.families))]

    @property
    def _is_sound(self) -> bool:
        return self.space.by_promise and not self.space.growing

    @cached_property
    def _first(self) -> tuple[Shoals, int]:
        """The shoals to measure, and how many of them at once: where one recipe is expected to be all that there is time for, as many slots
        as it needs, and the other shapes only if it turns out that there is time."""
        shoals, slots, count = self._all, self._all.sizes, len(self.families)
        if self.budget.seconds is not None and self._is_sound and devices.start()[0].platform == "cpu":
            speeds = [Speed(expected_step(shoals[number]), 0.0) for number in range(count)]
            expected = self._of_speeds(slots, speeds, self.families[0].base.epochs, self.budget.seconds - self.reserve)
            if len(expected.shoals) == 1 and expected.shoals[0].slots < slots[0]:
                return Shoals(self.trainer, self.families, [expected.shoals[0].slots] * count), 1
        return shoals, count

    def _of_speeds(self, slots: Sequence[int], speeds: Sequence[Speed], epochs: float, until: float) -> Plan:
        """The plan for the time that is left, where a training is of use for so many epochs."""
        full = self.families[0].base.epochs
        of_length = [with_length(family, epochs) for family in self.families] if epochs < full else self.families
        return plan_seconds(
            self.budget,
            until - self.stages.total,
            of_length,
            slots,
            speeds,
            self._steps_per_epoch,
            self.method,
            self.space.growing,
            self.space.by_promise,
            self.first_recipes,
            lengthens=epochs == full,
            searches=self.searches,
            distils=self.distils,
        )

    def _measured(self, until: float) -> tuple[Plan, Shoals]:
        """The plan by the speeds of as many shapes as there is time for. A short budget is longer by the wait for programs, unless all
        came from the cache."""
        shoals, count = self._first
        families, full = self.families, self.families[0].base.epochs
        enough = None if self._is_sound and self.trainer.dataset.picture is None else full
        speeds: list[Speed] = []
        while True:
            self.stages.enter("compiling and measuring", f"{count} shape{'s' * (count > 1)} of network")
            begun = self.stages.total
            shoals.compile_ahead(count)
            compiling = [shoals.compile_seconds(number) for number in range(len(speeds), count)]
            if self.budget.is_short and devices.compilations() > self._compilations:
                until += self.stages.total - begun
            for number, seconds in enumerate(compiling, len(speeds)):
                speeds.append(Speed(measure_speed(shoals[number], families[number].base), seconds))
            if enough is None:
                most = MOST_TO_LOOK * (until - self.stages.total) / max(speeds[0].step, 1e-9)
                enough = enough_epochs(shoals[0], families[0].base, most)
            unmeasured = [_as_expected(speeds[0], shoals[0], shoals[number]) for number in range(count, len(families))]
            plan = self._of_speeds(shoals.sizes, [*speeds, *unmeasured], enough, until)
            if len(plan.shoals) == 1 or count == len(families):
                break
            count = len(families)
        if enough < full:
            plan = replace(plan, reason=f"{plan.reason} A training has {enough:.3g} instead of {full:.3g} epochs: the dev loss rose early.")
        return plan, shoals.of_plan(plan)


def space_for(trainer: Trainer, metric: Metric) -> Space:
    """The default space of a data set."""
    _, tables = trainer.prepared(Recipe().shape)
    facts = (trainer.dataset.task, tables.train_rows, tables.encoded > 0, metric.unit == "share")
    return default_space(*facts, trainer.dataset.picture_shape, usual_loss(trainer.dataset.task, trainer.dataset.truth["train"]))


def _seconds_to_compile(shoal: Shoal, recipe: Recipe) -> float:
    begun = time.perf_counter()
    shoal.compile(recipe)
    return time.perf_counter() - begun


def _as_expected(speed: Speed, measured: Shoal, other: Shoal) -> Speed:
    """The speed of another shoal, by its expected share of that of one that was measured."""
    return replace(speed, step=speed.step * expected_step(other) / expected_step(measured))
