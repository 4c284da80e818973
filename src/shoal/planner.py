"""From a budget to a plan: the shoals that may be trained, compiled and measured for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from shoal import devices
from shoal.default_space import default_space
from shoal.losses import usual_loss
from shoal.metrics import Metric
from shoal.plan import (
    DEFAULT_METHOD,
    FEWER_RETRAINS,
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
from shoal.rehearsal import Look, expected_step, is_ahead, look_at, measure_speed
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
        self._compiling: dict[int, Future[float]] = {}

    def __getitem__(self, number: int) -> Shoal:
        if number in self._compiling:
            self._compiling[number].result()
        return self._shoal(number)

    def compile_ahead(self, numbers: Iterable[int] | None = None) -> None:
        """Begin to compile the programs of some families, by default of all: those needed later while the first ones train already."""
        wanted = range(len(self.families)) if numbers is None else numbers
        if not (missing := [number for number in wanted if number not in self._compiling]):
            return
        shoals = [self._shoal(number) for number in missing]
        pool = ThreadPoolExecutor(min(COMPILING, devices.cores()), "shoal compiling")
        for number, shoal in zip(missing, shoals, strict=True):
            self._compiling[number] = pool.submit(_seconds_to_compile, shoal, self.families[number].base)
        pool.shutdown(wait=False)

    def of_plan(self, plan: Plan) -> Shoals:
        """Those of the families that a plan searches, compiled as far as they have the slots that it says."""
        places = [plan.first_family + number for number in range(len(plan.shoals))]
        some = Shoals(self._trainer, [self.families[place] for place in places], [shoal.slots for shoal in plan.shoals])
        for number, (place, planned) in enumerate(zip(places, plan.shoals, strict=True)):
            if place in self._made and self._made[place].slots == planned.slots:
                some._made[number] = self._made[place]
                if place in self._compiling:
                    some._compiling[number] = self._compiling[place]
        return some

    def size(self, number: int) -> int:
        """Slots of a family's shoal, whether or not its program is there."""
        return self._shoal(number).slots

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
    _speeds: dict[int, Speed] = field(default_factory=dict)
    _until: float = field(init=False)  # seconds of the stages until which training may last

    def __post_init__(self) -> None:
        self._until = (self.budget.seconds or 0.0) - self.reserve

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Those of the space that the budget can pay the compilation of."""
        return families_within(self.budget, self.space)

    def compile_ahead(self) -> None:
        """Begin to compile what will be measured first, in threads, while other work is done."""
        shoals, numbers = self._first
        shoals.compile_ahead(numbers)

    def plan(self) -> tuple[Plan, Shoals]:
        """The plan, and its shoals."""
        if self.budget.seconds is not None:
            return self._measured()
        shoals, slots = self._all, [self._all.size(number) for number in self._numbers]
        return plan_trials(self.budget, self.families, slots, self._steps_per_epoch(self._numbers), self.retrains, self.method), shoals

    def shoals_of(self, plan: Plan) -> Shoals:
        """Those of a plan that was made earlier."""
        families = self._candidates[plan.first_family : plan.first_family + len(plan.shoals)]
        return Shoals(self.trainer, families, [shoal.slots for shoal in plan.shoals])

    @property
    def _candidates(self) -> tuple[Family, ...]:
        """What a plan may number: ``families``, and in a space where these are the first ones all others."""
        return self.space.families if self.space.by_promise else self.families

    @property
    def _numbers(self) -> range:
        """Of ``families`` among the candidates."""
        return range(len(self.families))

    @cached_property
    def _all(self) -> Shoals:
        """The shoal of every candidate, with as many slots as are of use."""
        needed = slots_needed(self.budget, self.retrains, len(self.families), self.method.sampler)
        return Shoals(self.trainer, self._candidates, [needed] * len(self._candidates))

    def _steps_per_epoch(self, numbers: Iterable[int]) -> list[int]:
        return [self._all[number].steps_per_epoch for number in numbers]

    @property
    def _is_sound(self) -> bool:
        return self.space.by_promise and not self.space.growing

    @cached_property
    def _first(self) -> tuple[Shoals, Sequence[int]]:
        """The shoals to measure, and which of them at once: where one recipe on few seeds is expected to be all that there is time for, its
        own, with a slot for each device, and the other shapes only if it turns out that there is time. More slots would save next to
        nothing, and whether four seeds are expected or two would decide which programs are found in the cache."""
        shoals = self._all
        if self.budget.seconds is not None and self._is_sound and devices.start()[0].platform == "cpu":
            alone = self.space.alone[0]
            speeds = {number: Speed(expected_step(shoals[number]), 0.0) for number in {*self._numbers, alone}}
            length = self.families[0].base.epochs
            if len(self._planned(self._numbers, shoals, speeds, length).shoals) == 1:
                slots = self._planned([alone], shoals, speeds, length).shoals[0].slots
                if slots < shoals.size(alone):
                    slots = min(slots, max(FEWER_RETRAINS[-1], len(devices.start())))
                    shoals = Shoals(self.trainer, self._candidates, [slots] * len(self._candidates))
                if shoals is not self._all or len(self.families) == 1:
                    return shoals, [alone]
        return shoals, self._numbers

    def _planned(self, numbers: Sequence[int], shoals: Shoals, speeds: Mapping[int, Speed], epochs: float) -> Plan:
        """The plan over families that follow each other, for the time that is left, where a training is of use for so many epochs."""
        full = self.families[0].base.epochs
        families = [self._candidates[number] for number in numbers]
        plan = plan_seconds(
            self.budget,
            self._until - self.stages.total,
            [with_length(family, epochs) for family in families] if epochs < full else families,
            [shoals.size(number) for number in numbers],
            [speeds[number] for number in numbers],
            self._steps_per_epoch(numbers),
            self.method,
            self.space.growing,
            self.space.by_promise,
            self.first_recipes,
            lengthens=epochs == full,
            searches=self.searches,
            distils=self.distils,
        )
        return replace(plan, first_family=plan.first_family + numbers[0])

    def _measured(self) -> tuple[Plan, Shoals]:
        """The plan by the speeds of as many shapes as there is time for."""
        shoals, numbers = self._first
        usual, *others = self.space.alone
        looked, full = numbers[0], self.families[0].base.epochs
        look = None if self._is_sound and self.trainer.dataset.picture is None else Look(full, 0, np.empty(0))
        while True:
            self._measure(shoals, numbers)
            if look is None:
                most = MOST_TO_LOOK * (self._until - self.stages.total) / max(self._speeds[looked].step, 1e-9)
                is_compared = len(numbers) == 1 and bool(others)  # with another shape that may be the only one
                look = look_at(shoals[looked], self._candidates[looked].base, most, 2 if is_compared else 1)
            unmeasured = [number for number in self._numbers if number not in self._speeds]
            expected = {number: _as_expected(self._speeds[looked], shoals[looked], shoals[number]) for number in unmeasured}
            plan = self._planned(self._numbers, shoals, self._speeds | expected, look.epochs)
            if len(plan.shoals) == 1 or not unmeasured:
                break
            numbers = self._numbers
        if len(plan.shoals) == 1 and self._is_sound:
            number = self._best_alone(shoals, look if looked == usual else None)
            plan = self._planned([number], shoals, self._speeds, look.epochs)
            if number != usual:
                plan = replace(plan, reason=f"{plan.reason} Its shape was ahead of the usual one after as much time for both.")
        if look.epochs < full:
            shorter = f"A training has {look.epochs:.3g} instead of {full:.3g} epochs: the dev loss rose early."
            plan = replace(plan, reason=f"{plan.reason} {shorter}")
        return plan, shoals.of_plan(plan)

    def _measure(self, shoals: Shoals, numbers: Iterable[int]) -> None:
        """Find out what a step of some families takes. A short budget is longer by the wait for programs, unless all were in the cache."""
        numbers = [number for number in numbers if number not in self._speeds]
        if not numbers:
            return
        self.stages.enter("compiling and measuring", f"{len(numbers)} shape{'s' * (len(numbers) > 1)} of network")
        begun = self.stages.total
        shoals.compile_ahead(numbers)
        seconds = [shoals.compile_seconds(number) for number in numbers]
        if self.budget.is_short and devices.compilations() > self._compilations:
            self._until += self.stages.total - begun
        for number, compiling in zip(numbers, seconds, strict=True):
            self._speeds[number] = Speed(measure_speed(shoals[number], self._candidates[number].base), compiling)

    def _best_alone(self, shoals: Shoals, look: Look | None) -> int:
        """The number of the family to train where there is time for one only: the first, unless after as much time as the look at it took
        another one is ahead."""
        first, *others = self.space.alone
        self._measure(shoals, [first])
        if look is None or not look.steps or look.epochs < self.families[0].base.epochs:
            return first
        for other in others:
            self._measure(shoals, [other])
            steps = int(look.steps * self._speeds[first].step / self._speeds[other].step)
            if is_ahead(shoals[other], self._candidates[other].base, steps, look):
                return other
        return first


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
