"""What a budget buys: a fixed plan, made by measuring before the search begins, and kept to.

The plan decides everything that time could influence, so that what follows depends on the plan, the data and the seed
only: the same plan gives the same networks, and an interrupted run continues to the same result.
"""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from shoal import devices
from shoal.errors import OptionError, Problem
from shoal.halving import HALVING, Rungs, brackets
from shoal.population import segment_steps, segments_of
from shoal.records import LoopPlan, Plan, ShoalPlan
from shoal.rehearsal import FEWEST_STEPS
from shoal.samplers import MODELS
from shoal.samplers.coarse_to_fine import COARSE_SHARE
from shoal.space import Family, Space

MOST_ROUNDS = 27
"""Most shoals of first trials per family; beyond it the search of a default space gains next to nothing."""

FINER = 1.5
"""How many more shoals go on to the rungs above the first with a sampler that learns, whose later trials are better; from real searches."""

OF_THE_DEAREST = 0.5
"""The share of the trials going on that is taken to be of the dearest shape, by a sampler that does not learn; from real searches."""

MOST_HALVINGS = 3
"""The first rung is at least a 27th of the full training: on less of it ranks say little."""

RETRAINS = 8
"""Fresh seeds on which the winner is trained again; their predictions are averaged in the final model."""
FEWER_RETRAINS = (4, 2)
"""Where networks are so dear that the time for eight would leave too little to train well."""

LOOP_SHARE = 0.3
"""Of a budget in time, for the recipe loop."""

MOST_COMPARED = 3
COMPARED_AT = 1 / 8
"""First recipes of so many families are compared after this share of a full training, or later where there is time. ``docs/defaults.md``
has what that was worth on real tables."""

CURVE_SHARE = 0.1
"""Of a budget in time of at least ``FEWEST_SECONDS_FOR_A_CURVE``, for the learning curve."""
FEWEST_SECONDS_FOR_A_CURVE = 100.0
FEWEST_TRIALS_FOR_A_CURVE = 200
CURVE_NETWORKS = 40

_PICTURE_LOOP_SHARE = 0.5  # of a full training: in less, augmentation only seems to hurt, for it helps where pictures come again
_PICTURE_LOOP_SEEDS, _PICTURE_LOOP_ROUNDS = 4, 2
_FASTEST = 4e11  # multiplications a second that no machine of few cores exceeds: says when there is no use in measuring
_LOOP_STEPS, _FEWEST_LOOP_STEPS = 1000, 200  # of one network: enough for effects to show, few enough to try many changes
_MOST_LOOP_ROUNDS, _WANTED_ROUNDS = 8, 4
_NETWORKS_A_ROUND = 64  # four proposals and their controls, on eight seeds
_TRIALS_A_ROUND = 32
_COMPILATION_SECONDS = 7.0  # of a program to train and one to predict
LEAST_LOOP_SECONDS = 2 * _COMPILATION_SECONDS
"""A recipe loop that may take less than this is not begun."""
LEAST_SECONDS_TO_COMPARE = 8.0
"""With a smaller budget in time one recipe is trained, since it is all that there is time for."""
JOB_SECONDS = 0.035
"""A job besides its steps: its networks begin or are put back, are read, and kept in a checkpoint."""
_LENGTHS_OF_FIRST_RECIPES = ((1.0, 1.0), (1.0, 0.5), (1.0, 0.25), (1.0, COMPARED_AT), (0.85, COMPARED_AT), (0.7, COMPARED_AT))
_TRAINING_SHARE = 0.85  # of the time left after measuring; the rest is for scoring, saving and a machine that slows down


@dataclass(frozen=True, slots=True)
class Budget:
    """Either seconds or a number of trials."""

    text: str
    seconds: float | None = None
    trials: int | None = None

    @property
    def is_short(self) -> bool:
        """Whether the search's programs are compiled besides: the time is too short for a recipe loop, and, where nothing is in the cache,
        would mostly be spent on compiling."""
        return self.seconds is not None and LOOP_SHARE * self.seconds <= LEAST_LOOP_SECONDS

    @classmethod
    def parse(cls, given: Any) -> Budget:
        """A budget from ``90s``, ``5m``, ``1h``, ``200trials`` or a number of seconds.

        Raises:
            OptionError: anything else, and amounts of zero or less.

        Example:
            >>> Budget.parse("2m").seconds, Budget.parse("200trials").trials
            (120.0, 200)
        """
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        text = np.format_float_positional(given, trim="-") + "s" if is_number else str(given)
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|trials?)\s*", text)
        if not match or float(match[1]) <= 0 or not math.isfinite(float(match[1])):
            raise OptionError(Problem("the budget is a time or a number of trials", repr(given), "Write, say, 90s, 5m, 1h or 200trials."))
        if match[2].startswith("trial"):
            if "." in match[1]:
                raise OptionError(Problem("a number of trials is a whole number", repr(given), "Write, say, 200trials."))
            return cls(text.strip(), trials=int(match[1]))
        return cls(text.strip(), seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0]])


@dataclass(frozen=True, slots=True)
class Method:
    """How a search goes about it: what draws its trials, and how they are stopped at rungs."""

    sampler: str = "sobol"
    rungs: Rungs = "async"


DEFAULT_METHOD = Method()


def families_within(budget: Budget, space: Space) -> tuple[Family, ...]:
    """As many families as the budget can pay the compilation of: about 4 s each on a CPU.

    Of a space in which the first families alone are a sensible search, at most four and a fifth to a third of the time, and no fewer than
    are compared where there is no time for a search; of any other space all, or as many evenly chosen ones as a third of the time, or
    eight trials for each, pay for.
    """
    families, amount = space.families, budget.seconds or 0.0
    if space.by_promise:
        least = MOST_COMPARED if amount >= LEAST_SECONDS_TO_COMPARE and not space.growing else 1
        most = budget.trials // _TRIALS_A_ROUND if budget.trials is not None else min(int(amount // (25 if space.growing else 15)), 4)
        return families[: max(least, most)]
    most = budget.trials // 8 if budget.trials is not None else int(amount // 12)
    count = min(len(families), max(1, most))
    return tuple(families[number * len(families) // count] for number in range(count))


def slots_needed(budget: Budget, retrains: int, families: int = 1, sampler: str = "sobol") -> int:
    """Slots beyond which a shoal would stand empty: a family's trials, or the retrained winner's seeds; evenly over all devices.

    A sampler with a model gets no more than a tenth of the trials at a time.
    """
    if budget.trials is None:
        return sys.maxsize
    count = len(devices.start())
    most = math.ceil(budget.trials / families)
    if sampler in MODELS:
        most = min(most, max(1, budget.trials // 10))
    return math.ceil(max(most, retrains) / count) * count


@dataclass(frozen=True, slots=True)
class Speed:
    """What a shoal costs: seconds per step of all its networks, evaluation included, and seconds until its program was there."""

    step: float
    compile: float


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
    rungs = _rungs(rounds, families[0].base.epochs, steps_per_epoch, method.rungs)
    shoals = [_shoal_plan(*each, None) for each in zip(families, slots, shares, rungs, strict=True)]
    reason = "The number of trials was given."
    return Plan(budget.text, tuple(shoals), rungs[0], budget.trials, retrains, reason, method.sampler, method.rungs)


class _Way(NamedTuple):
    """How the time left is spent: so many shoals of first trials a family, of so many epochs, and the winner on so many fresh seeds."""

    retrains: int
    used: range  # of the families
    epochs: float
    rounds: int  # 0: first recipes, trained on fresh seeds at once
    compared_at: float = COMPARED_AT  # share of the training after which several of them are compared

    @property
    def compares_first_recipes(self) -> bool:
        return not self.rounds and len(self.used) > 1


@dataclass(frozen=True, slots=True)
class _Costs:
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

    @property
    def full(self) -> float:
        """Epochs of a full training."""
        return self.families[0].base.epochs

    def shoals(self, way: _Way) -> list[ShoalPlan]:
        steps_per_epoch = [self.steps_per_epoch[at] for at in way.used]
        if way.compares_first_recipes:
            rungs, alone = _two_rungs(way, steps_per_epoch), way.retrains
        else:
            rungs, alone = _rungs(len(way.used) * max(way.rounds, 1), way.epochs, steps_per_epoch, self.method.rungs), 1
        return [
            _shoal_plan(self.families[at], self.slots[at], way.rounds * self.slots[at] or alone, own, self.speeds[at])
            for at, own in zip(way.used, rungs, strict=True)
        ]

    def seconds(self, way: _Way) -> list[float]:
        """Of each rung, and last of the retraining, together with the distillation."""
        shoals = self.shoals(way)
        if way.compares_first_recipes:
            spent = _seconds_of_first_recipes(shoals, way.retrains)
        else:
            spent = rung_seconds(shoals, way.retrains, self.method.rungs, self.method.sampler)
            spent = spent if way.rounds else [0.0] * (len(spent) - 1) + spent[-1:]
        if self.distils:  # by a program of its own, where the targets are of classes
            spent[-1] += _retraining_seconds(shoals, way.retrains) + max(shoal.compile_seconds or 0.0 for shoal in shoals)
        return spent

    def fits(self, way: _Way) -> bool:
        return sum(self.seconds(way)) <= self.available

    def filled(self, retrains: int, used: range, epochs: float) -> _Way:
        """With as many rounds as there is time for; 0 where not even one fits."""
        ways = (_Way(retrains, used, epochs, rounds) for rounds in range(MOST_ROUNDS, 0, -1))
        return next(filter(self.fits, ways), _Way(retrains, used, epochs, 0))

    def with_plenty_of_time(self, retrains: int) -> _Way | None:
        """As much as is of use, over all families and in trainings of twice the length; none where that takes too long."""
        way = self.filled(retrains, range(len(self.families)), (2 if self.lengthens else 1) * self.full)
        return way if way.rounds == MOST_ROUNDS else None

    def searched(self, retrains: int) -> _Way:
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
        return _Way(retrains, range(1), full, 0)

    def in_full_length(self) -> _Way | None:
        """As many families as can be compared in trainings of full length, in three shoals or more; none where there is too little time."""
        if twice := self.with_plenty_of_time(RETRAINS):
            return twice
        ways = (self.filled(RETRAINS, range(used), self.full) for used in range(len(self.families), 0, -1))
        return next((way for way in ways if way.rounds * len(way.used) >= HALVING), None)

    def of_first_recipes(self) -> _Way | None:
        """The first recipes of as many families as there is time for, in trainings that are hardly shortened; none of too little."""
        for count in range(min(MOST_COMPARED, len(self.families)), 1, -1):
            for share, compared_at in _LENGTHS_OF_FIRST_RECIPES:
                way = _Way(RETRAINS, range(count), share * self.full, 0, compared_at)
                if self.fits(way) and all(first > 0 for first, _ in _two_rungs(way, self.steps_per_epoch)):
                    return way
        return None

    def of_one_shape(self, numbers: range) -> _Way:
        """The last of these families that has time for four seeds, or else for two, and how it is trained.

        It is searched only where its trials can be trained in full: half as long a training loses more than the best recipe gains.
        """
        for seeds in ((RETRAINS, FEWER_RETRAINS[0]), FEWER_RETRAINS[1:]):
            for number in reversed(numbers):
                alone = range(number, number + 1)
                for retrains in seeds:
                    if (way := self.filled(retrains, alone, self.full)).rounds >= HALVING:
                        return way
                for retrains, epochs in itertools.product(seeds, (self.full, 0.7 * self.full, 0.5 * self.full)):
                    if self.fits(way := _Way(retrains, alone, epochs, 0)):
                        return way
        fewest, slots = FEWER_RETRAINS[-1], self.slots[0]
        return self.shortened(min(RETRAINS, math.ceil(fewest / slots) * slots), 0)  # more seeds take no longer where slots would stay empty

    def shortened(self, retrains: int, rounds: int) -> _Way:
        """The first family for as many epochs as there is time for, in whole segments: rounded up, one might not fit."""
        segment, per_epoch = segment_steps(self.steps_per_epoch[0]), self.steps_per_epoch[0]
        whole = sum(self.seconds(_Way(retrains, range(1), self.full, rounds)))
        steps = self.full * per_epoch * max(self.available, 0.0) / whole
        return _Way(retrains, range(1), max(FEWEST_STEPS, math.floor(steps / segment) * segment) / per_epoch, rounds)

    def best(self, growing: bool, sound: bool, searches: bool) -> _Way:
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
        return way if way.rounds else self.shortened(way.retrains, 1)


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
    costs = _Costs(families, slots, speeds, steps_per_epoch, method, available, compares_first_recipes, lengthens, distils)
    searches = searches or not budget.is_short
    way = costs.best(growing, sound or growing, searches)
    chosen, spent = tuple(costs.shoals(way)), tuple(costs.seconds(way))
    rungs, trials, expected = chosen[0].rungs, sum(shoal.trials for shoal in chosen), sum(spent)
    length = f"{rungs[-1]:,} steps ({rungs[-1] / steps_per_epoch[way.used[0]]:.3g} epochs)"
    no_time = "there is no time to search in trainings of that length"
    if way.compares_first_recipes:
        reason = (
            f"the first recipes of {len(way.used)} shapes of network on {way.retrains} seeds each, for {rungs[0]:,} steps, and the best of "
        )
        reason += f"them for {length}: {no_time if searches else 'a short budget does without a search'}; it "
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
    return [*seconds, _retraining_seconds(shoals, retrains)]


def _retraining_seconds(shoals: Sequence[ShoalPlan], retrains: int) -> float:
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


def _seconds_of_first_recipes(shoals: Sequence[ShoalPlan], seeds: int) -> list[float]:
    """What comparing first recipes should take, then nothing, and the rest of the training of the dearest."""
    turns = [math.ceil(seeds / shoal.slots) for shoal in shoals]
    first = sum(turn * _job_seconds(shoal, 0, shoal.rungs[0]) for turn, shoal in zip(turns, shoals, strict=True))
    return [first, 0.0, max(turn * _job_seconds(shoal, *shoal.rungs) for turn, shoal in zip(turns, shoals, strict=True))]


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
        steps = min(rounds, budget.trials // _TRIALS_A_ROUND)
        return _loop_plan(steps, longest, steps_per_epoch, seeds, 4.0 * (steps + 1) * a_round * longest, 0.0)
    assert network_step_seconds is not None
    compilations = 0.0 if is_picture else LEAST_LOOP_SECONDS  # of the first recipe's program and the range test's
    allowance = max(0.0, seconds - compilations) / network_step_seconds
    length = allowance / (wanted * a_round)
    if length < (fewest if is_picture else fewest / 2):
        return _loop_plan(0, longest, steps_per_epoch, seeds, allowance, 0.0)
    length = min(longest, max(length, fewest))
    return _loop_plan(rounds, length, steps_per_epoch, seeds, allowance, _COMPILATION_SECONDS / network_step_seconds)


def loop_is_out_of_reach(seconds: float, rows: float, operations: int) -> bool:
    """Whether networks for pictures are too dear for a recipe loop on any machine, so that compiling its program would be time lost.

    Args:
        seconds: that the loop may take.
        rows: examples in a full training of one network.
        operations: multiplications with a weight for one example; the slope takes two more of each.
    """
    networks = _NETWORKS_A_ROUND * _PICTURE_LOOP_SEEDS / RETRAINS
    return 3 * operations * rows * _PICTURE_LOOP_SHARE * networks / _FASTEST > seconds


def curve_seconds(budget: Budget, is_picture: bool = False) -> float:
    """What a budget in time sets aside for the learning curve: nothing for pictures, whose networks are too dear.

    Example:
        >>> curve_seconds(Budget.parse("60s")), curve_seconds(Budget.parse("5m"))
        (0.0, 30.0)
    """
    seconds = budget.seconds or 0.0
    return CURVE_SHARE * seconds if seconds >= FEWEST_SECONDS_FOR_A_CURVE and not is_picture else 0.0


def curve_epochs(budget: Budget, plan: Plan, family: int, steps_per_epoch: int, is_picture: bool = False) -> float | None:
    """How long the networks of the learning curve may train: at most as long as the winner, and at least a quarter of that.

    Args:
        budget: as the user gave it.
        plan: of the search.
        family: of the winner.
        steps_per_epoch: of its shoal.
        is_picture: whether the inputs are pictures.

    Returns:
        Epochs; ``None`` where the budget has no room for a curve.
    """
    full = plan.rungs[-1] / steps_per_epoch
    if budget.trials is not None:
        return full / 2 if budget.trials >= FEWEST_TRIALS_FOR_A_CURVE else None
    shoal = plan.shoals[family]
    seconds = curve_seconds(budget, is_picture)
    if not seconds or shoal.step_seconds is None:
        return None
    epochs = seconds / (CURVE_NETWORKS * shoal.step_seconds / shoal.slots * steps_per_epoch)
    return min(epochs, full) if epochs >= full / 4 else None


def _loop_plan(rounds: int, steps: float, steps_per_epoch: int, seeds: int, network_steps: float, compilation: float) -> LoopPlan:
    segment = segment_steps(steps_per_epoch)
    epochs = max(1, math.ceil(steps / segment)) * segment / steps_per_epoch
    return LoopPlan(rounds, epochs, seeds, network_steps, compilation)


def with_length(family: Family, epochs: float) -> Family:
    """The family with another length of the full training."""
    base = family.base
    return replace(family, base=replace(base, epochs=epochs, warm_up=base.warm_up * epochs / base.epochs))


def _shoal_plan(family: Family, slots: int, trials: int, rungs: tuple[int, ...], speed: Speed | None) -> ShoalPlan:
    shape = family.shape
    return ShoalPlan(
        shape.hidden_layers,
        family.width,
        shape.activation,
        shape.normalisation,
        shape.batch_size,
        slots,
        trials,
        None if speed is None else speed.step,
        rungs,
        None if speed is None else speed.compile,
        shape.convolutions.channels if shape.convolutions else (),
        family.base.numeric_encoding,
    )


def _shares(trials: int, families: int) -> list[int]:
    return [trials // families + (number < trials % families) for number in range(families)]


def _rungs(rounds: int, epochs: float, steps_per_epoch: Sequence[int], halving: Rungs) -> list[tuple[int, ...]]:
    """Each family's steps at which trials are compared: the same shares of the training, each a whole number of its segments.

    There are as many halvings as leave whole shoals, and as every family can tell apart.
    """
    wanted = 0 if halving == "none" else min(MOST_HALVINGS, int(math.log(rounds, HALVING) + 1e-9))
    lengths = _lengths(epochs, steps_per_epoch)
    for halvings in range(wanted, -1, -1):
        counts = [[math.ceil(segments / HALVING**k) for k in range(halvings, -1, -1)] for _, segments in lengths]
        if all(len(set(each)) == len(each) for each in counts):
            return [tuple(count * segment for count in each) for each, (segment, _) in zip(counts, lengths, strict=True)]
    raise AssertionError("one rung always fits")


def _two_rungs(way: _Way, steps_per_epoch: Sequence[int]) -> list[tuple[int, ...]]:
    """Each family's steps at which first recipes are compared, and where the best of them ends; whole segments."""
    lengths = _lengths(way.epochs, steps_per_epoch)
    first = [min(math.ceil(way.compared_at * segments), segments - 1) for _, segments in lengths]
    return [(compared * segment, segments * segment) for compared, (segment, segments) in zip(first, lengths, strict=True)]


def _lengths(epochs: float, steps_per_epoch: Sequence[int]) -> list[tuple[int, int]]:
    """Each family's steps in a segment, and segments in a training."""
    return [(segment_steps(steps), segments_of(epochs, steps)) for steps in steps_per_epoch]
