"""Which trials are trained next, and how far: rungs, and who climbs them.

No training happens here. ``Bracket`` is told what became of the trials it sent to be trained, and answers with the next shoal's worth,
so that the same rules serve a search and a replay of recorded results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from shoal.samplers import Drawn, Result, Sampler

HALVING = 3
"""At each rung about one trial in three goes on (the eta of successive halving; Jamieson and Talwalkar, 2016)."""

HOPE = 1.0
"""A trial is given up before the last rung if its loss would stay above the best finished one even though every further rung brought as
much as the last one did, this many times. ``benchmarks/samplers.py`` measures how often that is wrong."""

Rungs = Literal["async", "halving", "hyperband", "none"]
RUNGS: tuple[str, ...] = get_args(Rungs)
"""``none`` trains every trial to its end. ``halving`` decides at a rung when all trials have reached it (successive halving). ``async``
sends a full shoal on as soon as one has earned it among those that have got that far (Li et al., 2020). ``hyperband`` runs several
halvings that begin at different rungs (Li et al., 2018)."""


@dataclass(eq=False, slots=True)
class Climber:
    """A trial on its way up.

    Args:
        number: of the trial, from 0 in the order in which they were drawn.
        family: of its recipe.
        first: the rung that it is trained to at first.
        scores: its best dev loss at each rung that it has reached; infinite where it has none.
        ended: whether it cannot be trained further: diverged, stopped early, or given up.
        flat: whether its loss is no better than that of a constant answer.
        given_up: whether it was ended because nothing more was to be hoped of it.
        sent: whether it is in a job that has been handed out and not been told about.
    """

    number: int
    family: int
    first: int
    scores: list[float] = field(default_factory=list)
    ended: bool = False
    flat: bool = False
    given_up: bool = False
    sent: bool = False

    @property
    def rung(self) -> int:
        """The last rung that it has reached; one below its first before that."""
        return self.first + len(self.scores) - 1

    def at(self, rung: int) -> float:
        """Its score at a rung that it has reached."""
        return self.scores[rung - self.first]


@dataclass(frozen=True, slots=True)
class Job:
    """Trials of one family to be trained to a rung, together."""

    family: int
    rung: int
    climbers: tuple[Climber, ...]


class Bracket:
    """Trials that begin at one rung and compete for the rungs above it.

    Args:
        sampler: draws the trials.
        known: all trials of the search, to which the bracket adds its own.
        trials: how many to draw.
        slots: of each family's shoal.
        first: the rung they begin with.
        last: the last rung.
        waits: whether a rung decides only when all trials of the bracket have reached it.
    """

    def __init__(
        self, sampler: Sampler, known: list[Climber], trials: int, slots: Sequence[int], first: int, last: int, waits: bool = False
    ) -> None:
        self._sampler, self._known, self._left, self._slots = sampler, known, trials, slots
        self._total, self._first, self._last, self._waits = trials, first, last, waits
        self._mine: list[Climber] = []
        self._queue: list[Climber] = []
        self._chosen: list[Climber] = []  # at the end: those who go on from the rung that is being cleared
        self._cleared = first - 1
        self.before = len(known)
        """Trials drawn before its own."""
        self.drawn: list[Drawn] = []
        """What the sampler drew for it, in the order of the trials."""

    def next(self) -> Job | None:
        """The next shoal's worth of trials, or ``None`` when the bracket is over."""
        return self._climbing() or self._beginning() or self._clearing()

    def told(self, job: Job, scores: Sequence[float], ended: Sequence[bool], flat_from: float = math.inf) -> None:
        """What became of a job's trials.

        Args:
            job: as ``next`` gave it.
            scores: their best dev loss so far.
            ended: whether they cannot be trained further.
            flat_from: a score of a network that has learned next to nothing.
        """
        for climber, score, has_ended in zip(job.climbers, scores, ended, strict=True):
            climber.scores.append(score)
            climber.flat = score >= flat_from
            climber.ended, climber.sent = has_ended, False

    def _job(self, family: int, rung: int, climbers: Sequence[Climber]) -> Job:
        for climber in climbers:
            climber.sent = True
        return Job(family, rung, tuple(climbers))

    def _climbing(self) -> Job | None:
        """A full shoal of trials that have earned the next rung before all trials have begun; from the highest rung."""
        if self._waits or (self._is_drawn and not self._queue):
            return None
        for rung in range(self._last - 1, self._first - 1, -1):
            reached = self._ranked(rung)
            earned = [each for each in reached[: len(reached) // HALVING] if self._can_go_on(each, rung)]
            self._give_up(earned, rung)
            earned = [each for each in earned if not each.ended]
            for family, slots in enumerate(self._slots):
                mine = [each for each in earned if each.family == family]
                if len(mine) >= slots:
                    return self._job(family, rung + 1, mine[:slots])
        return None

    def _beginning(self) -> Job | None:
        """New trials: a full shoal, or what is left when no more are to be drawn."""
        while (family := self._fullest(whole=True)) is None and not self._is_drawn:
            drawn = self._sampler.draw(self._left, results(self._known))
            if not drawn:
                self._left = 0
            for each in drawn:
                climber = Climber(len(self._known), each.family, self._first)
                self._known.append(climber)
                self._mine.append(climber)
                self._queue.append(climber)
                self.drawn.append(each)
            self._left -= len(drawn)
        if family is None and (family := self._fullest(whole=False)) is None:
            return None
        mine = [each for each in self._queue if each.family == family][: self._slots[family]]
        self._queue = [each for each in self._queue if each not in mine]
        return self._job(family, self._first, mine)

    @property
    def _is_drawn(self) -> bool:
        return self._left <= 0

    def _fullest(self, whole: bool) -> int | None:
        """The family with the most waiting trials; of those with a whole shoal, the one whose turn it is."""
        waiting = [sum(each.family == family for each in self._queue) for family in range(len(self._slots))]
        able = [family for family, count in enumerate(waiting) if count >= (self._slots[family] if whole else 1)]
        first = {family: next(each.number for each in self._queue if each.family == family) for family in able}
        return min(able, key=lambda family: first[family], default=None)

    def _clearing(self) -> Job | None:
        """When all are drawn: rung after rung the best third, in whole shoals."""
        while not self._chosen:
            if self._cleared + 1 >= self._last or any(each.sent for each in self._mine):
                return None
            self._cleared += 1
            self._chosen = self._survivors(self._cleared)
        self._give_up(self._chosen, self._cleared)
        self._chosen = [each for each in self._chosen if not each.ended]
        if not self._chosen:
            return self._clearing()
        family = self._chosen[0].family
        mine = [each for each in self._chosen if each.family == family][: self._slots[family]]
        self._chosen = [each for each in self._chosen if each not in mine]
        return self._job(family, self._cleared + 1, mine)

    def _give_up(self, climbers: Sequence[Climber], rung: int) -> None:
        """End those of whom nothing more is to be hoped: by their own learning curves, or because they have learned nothing."""
        best = min((each.scores[-1] for each in self._mine if each.rung == self._last), default=math.inf)
        for each in climbers:
            each.given_up = each.ended = max(hoped_for(each.scores, self._last - rung), each.scores[-1] if each.flat else -math.inf) > best

    def _survivors(self, rung: int) -> list[Climber]:
        """As many shoals as the best third would fill, each given to the family that has most of it left; next best fill them."""
        reached = self._ranked(rung)
        ready = [each for each in reached if self._can_go_on(each, rung)]
        able = {family: [each for each in ready if each.family == family] for family in range(len(self._slots))}
        best = {*reached[: math.ceil(self._reached(rung) / HALVING)]}
        going_on: list[Climber] = []
        left = [each for each in ready if each in best]
        shoals = math.ceil(sum(1 / self._slots[each.family] for each in left) - 1e-9)
        for _ in range(shoals):
            # the best trial's family comes first, whatever the others have
            first = left[0].family if left and not going_on else None
            counts = {family: sum(each.family == family for each in left) for family in able}
            family = first if first is not None else max(counts, key=lambda each: min(counts[each], self._slots[each]), default=0)
            shoal, able[family] = able[family][: self._slots[family]], able[family][self._slots[family] :]
            going_on += shoal
            left = [each for each in left if each not in shoal]
        return sorted(going_on, key=lambda each: (each.at(rung), each.number))

    def _ranked(self, rung: int) -> list[Climber]:
        """The trials that have a score at a rung, best first; ties go to the first drawn."""
        reached = (each for each in self._mine if each.rung >= rung and math.isfinite(each.at(rung)))
        return sorted(reached, key=lambda each: (each.at(rung), each.number))

    def _reached(self, rung: int) -> int:
        return sum(each.rung >= rung for each in self._mine)

    @staticmethod
    def _can_go_on(climber: Climber, rung: int) -> bool:
        return climber.rung == rung and not climber.ended and not climber.sent

    def alive(self) -> list[Climber]:
        """Its trials that may still be sent on, or wait to be; the others' weights may be let go."""
        chosen = set(self._chosen)
        alive = dict.fromkeys([*self._queue, *self._chosen, *(each for each in self._mine if each.sent)])
        may_reach = self._total
        for rung in range(self._first, self._last):
            here = [each for each in self._mine if each.rung == rung and each.scores]
            staying = [each for each in here if each.sent or each in chosen]
            if rung > self._cleared:
                staying += self._may_go_on(rung, may_reach)
            alive |= dict.fromkeys(staying)
            may_reach -= len(here) - len(staying)  # who stays behind reaches no rung above
        return list(alive)

    def _may_go_on(self, rung: int, may_reach: int) -> list[Climber]:
        """Who may be chosen at a rung that is not cleared: the best third of all who may reach it, and those who fill their shoals.

        Later trials only push a rank down, so that whoever is out now stays out.
        """
        reached = self._ranked(rung)
        best = {*reached[: math.ceil(may_reach / HALVING)]}
        going_on: list[Climber] = []
        for family, slots in enumerate(self._slots):
            ready = [each for each in reached if each.family == family and self._can_go_on(each, rung)]
            going_on += ready[: sum(each in best for each in ready) + slots - 1]
        return going_on


def hoped_for(scores: Sequence[float], rungs_left: int) -> float:
    """The loss that a trial may still come to: as if every further rung brought as much as the last one did.

    Rungs lie a factor apart, so this is the straight line against the logarithm of the steps; curves mostly flatten.

    Example:
        >>> round(hoped_for([0.5, 0.4], 2), 6), hoped_for([0.5], 2)
        (0.2, -inf)
    """
    return scores[-1] - HOPE * rungs_left * (scores[-2] - scores[-1]) if len(scores) > 1 else -math.inf


def results(climbers: Sequence[Climber]) -> list[Result]:
    """What a sampler may know of trials."""
    return [Result(each.rung, each.scores[-1], each.scores[0]) if each.scores else Result() for each in climbers]


def brackets(kind: Rungs, trials: int, rungs: int) -> list[tuple[int, int]]:
    """Trials and first rung of each bracket.

    Hyperband's brackets have about one cost each: with ``s`` rungs above the first, ``(S + 1) / (s + 1) * eta^s`` trials in proportion.

    Example:
        >>> brackets("async", 100, 4), brackets("hyperband", 100, 4)
        ([(100, 0)], [(56, 0), (24, 1), (12, 2), (8, 3)])
    """
    if kind != "hyperband" or trials < rungs:
        return [(trials, rungs - 1 if kind == "none" else 0)]
    weights = [HALVING ** (rungs - 1 - first) / (rungs - first) for first in range(rungs)]
    counts = [max(1, round(trials * weight / sum(weights))) for weight in weights]
    counts[0] += trials - sum(counts)
    return [(count, first) for first, count in enumerate(counts)]
