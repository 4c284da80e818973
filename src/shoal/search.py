"""Successive halving over shoals: many recipes trained a little, the best of them longer, the winner again on fresh seeds.

Shoals of one family take turns in one compiled program. At each rung the surviving networks of a family are gathered
into as few shoals as hold them; slots that would stand empty go to the next best, who cost nothing more. So every shoal
is full from the first rung to the last, and all its networks have the same age: they have seen the same mini-batches, and
no network's result depends on when a slot became free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import msgspec
import numpy as np

from shoal.errors import DataError, Problem
from shoal.plan import HALVING, rung_seconds, segment_steps
from shoal.population import Members, Shoal, join, members, take
from shoal.progress import Event, Listener
from shoal.recipe import Recipe
from shoal.records import Plan, Trace, Trial, TrialStatus
from shoal.space import Family
from shoal.training import State

MOST_TRACE_POINTS = 120
Purpose = Literal["search", "retrain"]


class JobResult(msgspec.Struct):
    """What one shoal measured between two rungs; lists have one entry per network of the job."""

    job: str
    score: list[float | None]
    best_step: list[int]
    diverged: list[bool]
    stopped: list[bool]
    trace: list[Trace]


class Journal(Protocol):
    """Where finished jobs are kept, so that an interrupted run need not train them again."""

    def find(self, job: str, shoal: Shoal) -> tuple[JobResult, State] | None:
        """The result of a finished job and its networks, if it is there."""
        ...

    def add(self, result: JobResult, state: State) -> None:
        """Keep a finished job."""
        ...


class NoJournal:
    """Keeps nothing."""

    def find(self, job: str, shoal: Shoal) -> None:
        """Nothing is ever there."""

    def add(self, result: JobResult, state: State) -> None:
        """Nothing is kept."""


@dataclass(eq=False)
class _Runner:
    """A trial on its way: what ``Trial`` will record, and the network on the host."""

    number: int
    seed: int
    recipe: Recipe
    family: int
    rung: int = 0
    steps: int = 0
    score: float = math.inf
    best_step: int = 0
    diverged: bool = False
    stopped: bool = False
    traces: list[Trace] = field(default_factory=list)
    state: State | None = None

    def record(self, last_rung: int, purpose: Purpose) -> Trial:
        """The trial as it is saved."""
        status: TrialStatus = "finished" if self.rung == last_rung else "stopped at a rung"
        status = "diverged" if self.diverged else "stopped early" if self.stopped else status
        score = self.score if math.isfinite(self.score) else None
        trace = _thinned(_joined(self.traces))
        return Trial(
            self.number,
            self.seed,
            self.recipe,
            self.family,
            status,
            self.rung,
            self.steps,
            self.best_step,
            score,
            purpose,
            trace,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Searched:
    """The outcome of a search.

    Args:
        trials: every trial, the retrained winner's included.
        recipe: the winner.
        family: its family's number.
        networks: the winner's networks on fresh seeds, each at its best evaluation.
        shoals_used: share of the slots that trained a network of their own.
    """

    trials: tuple[Trial, ...]
    recipe: Recipe
    family: int
    networks: Members
    shoals_used: float


class Search:
    """One search, step by step.

    Args:
        families: the shapes, as the plan numbers them.
        shoal_of: the shoal of a family, made (and compiled) when it is first asked for.
        plan: how many trials, slots and steps.
        seed: of the draws and of every network.
        journal: where finished jobs are kept.
        listener: is told how far the search is.
        metric: what the scores are called in its events.
    """

    def __init__(
        self,
        families: Sequence[Family],
        shoal_of: Callable[[int], Shoal],
        plan: Plan,
        seed: int,
        journal: Journal,
        listener: Listener,
        metric: str = "dev loss",
    ) -> None:
        self.families, self.shoal_of, self.plan, self.seed = families, shoal_of, plan, seed
        self.journal, self.listener, self.metric = journal, listener, metric
        self._slots_trained = self._slots_filled = 0
        self._seconds_left = sum(rung_seconds(plan.shoals, plan.rungs, plan.retrains))

    def run(self) -> Searched:
        """Search, then train the winner again."""
        drawn = self._draw()
        # A single trial has nothing to be compared with: its recipe is trained on the fresh seeds at once.
        compared = drawn if len(drawn) > 1 else []
        winner, retrained = self._retrain(self._compare(compared) if compared else drawn)
        last = len(self.plan.rungs) - 1
        trials = [runner.record(last, "search") for runner in compared] + [runner.record(last, "retrain") for runner in retrained]
        trained = sorted(_ranked(retrained), key=lambda runner: runner.number)  # one without a score is as it was before its first step
        of_winner = [runner for runner in trained if runner.recipe == winner.recipe]
        units = np.stack([runner.recipe.numbers(runner.seed).units for runner in of_winner])
        networks = members(join([runner.state for runner in of_winner if runner.state is not None]), units)
        return Searched(tuple(trials), winner.recipe, winner.family, networks, self._slots_filled / self._slots_trained)

    def _compare(self, runners: list[_Runner]) -> list[_Runner]:
        """The trials that reached the last rung, best first."""
        for rung in range(len(self.plan.rungs)):
            self._train(runners, rung, "search")
            if rung + 1 < len(self.plan.rungs):
                runners = self._survivors(runners)
        return _ranked(runners)

    def _draw(self) -> list[_Runner]:
        runners: list[_Runner] = []
        for number, (family, share) in enumerate(zip(self.families, self.plan.shoals, strict=True)):
            for recipe in family.draw(share.trials, self.seed * 1009 + number):
                runners.append(_Runner(len(runners), _seed(self.seed, len(runners)), recipe, number))
        return runners

    def _train(self, runners: Sequence[_Runner], rung: int, purpose: Purpose) -> None:
        """Bring runners from the rung before (or from the start) to this one, shoal by shoal."""
        done = 0
        for family in sorted({runner.family for runner in runners}):
            mine = [runner for runner in runners if runner.family == family]
            slots = self.plan.shoals[family].slots
            for first in range(0, len(mine), slots):
                group = mine[first : first + slots]
                self._train_shoal(group, rung, purpose)
                done += len(group)
                best = min((runner.score for runner in runners), default=math.inf)
                self.listener(
                    Event(
                        purpose,
                        rung=rung,
                        rungs=len(self.plan.rungs),
                        alive=len(runners),
                        done=done,
                        trials=len(runners),
                        best=best if math.isfinite(best) else None,
                        metric=self.metric,
                        seconds_left=self._seconds_left or None,
                    )
                )

    def _train_shoal(self, group: Sequence[_Runner], rung: int, purpose: Purpose) -> None:
        shoal = self.shoal_of(group[0].family)
        begin, end = (0 if rung == 0 or purpose == "retrain" else self.plan.rungs[rung - 1]), self.plan.rungs[rung]
        job = f"{purpose}-{rung}-{group[0].number}-{group[-1].number}"
        found = self.journal.find(job, shoal)
        if found is None:
            numbers = shoal.numbers([runner.recipe for runner in group], [runner.seed for runner in group])
            state = shoal.put(join([runner.state for runner in group if runner.state is not None])) if begin else shoal.start(numbers)
            segment = segment_steps(shoal.steps_per_epoch)
            state, measured = shoal.advance(state, numbers, begin, segment, (end - begin) // segment)
            kept = take(state, range(len(group)))
            result = _result(job, kept, [_trace(measured, slot, begin, segment, shoal.steps_per_epoch) for slot in range(len(group))])
            self.journal.add(result, kept)
        else:
            result, kept = found
        for slot, runner in enumerate(group):
            score = result.score[slot]
            runner.rung, runner.steps, runner.best_step = rung, end, result.best_step[slot]
            runner.score = math.inf if score is None else score
            runner.diverged, runner.stopped = result.diverged[slot], result.stopped[slot]
            runner.traces.append(result.trace[slot])
            runner.state = take(kept, [slot])
        self._slots_trained += shoal.slots
        self._slots_filled += len(group)
        step_seconds = self.plan.shoals[group[0].family].step_seconds
        self._seconds_left = max(0.0, self._seconds_left - (end - begin) * (step_seconds or 0.0))

    def _survivors(self, runners: Sequence[_Runner]) -> list[_Runner]:
        """The best third over all families, and as many next best of each family as fill its last shoal."""
        ranked = _ranked(runners)
        going_on: list[_Runner] = []
        best = ranked[: math.ceil(len(runners) / HALVING)]
        for family in range(len(self.families)):
            wanted = sum(runner.family == family for runner in best)
            slots = self.plan.shoals[family].slots
            mine = [runner for runner in ranked if runner.family == family]
            going_on += mine[: math.ceil(wanted / slots) * slots]
        for runner in set(runners) - set(going_on):
            runner.state = None  # its record stays
        return sorted(going_on, key=lambda runner: runner.number)

    def _retrain(self, finalists: Sequence[_Runner]) -> tuple[_Runner, list[_Runner]]:
        """Train the best recipe on fresh seeds, and as many next best of its family as the shoal has room for.

        Which of them wins is decided by the mean over the fresh seeds: the lowest single score of a search is lucky.
        """
        first = finalists[0]
        seeds = self.plan.retrains
        room = max(1, self.plan.shoals[first.family].slots // seeds)
        recipes: list[Recipe] = []
        for runner in finalists:
            if runner.family == first.family and runner.recipe not in recipes and len(recipes) < room:
                recipes.append(runner.recipe)
        number = self.plan.trials
        fresh = [
            _Runner(number + i * seeds + j, _seed(self.seed, 10**6 + j), recipe, first.family)
            for i, recipe in enumerate(recipes)
            for j in range(seeds)
        ]
        self._train(fresh, len(self.plan.rungs) - 1, "retrain")

        def mean_score(recipe: Recipe) -> float:
            return float(np.mean([runner.score for runner in fresh if runner.recipe == recipe]))

        best = min(recipes, key=mean_score)
        return next(runner for runner in finalists if runner.recipe == best), fresh


def _seed(seed: int, number: int) -> int:
    """A network's own seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _ranked(runners: Sequence[_Runner]) -> list[_Runner]:
    """The runners that have a score, best first; ties go to the first drawn.

    Raises:
        DataError: none has.
    """
    ranked = sorted((runner for runner in runners if math.isfinite(runner.score)), key=lambda runner: (runner.score, runner.number))
    if not ranked:
        received = f"{len(runners)} trials, all diverged before their first evaluation"
        raise DataError(
            Problem("some network trains without diverging", received, "Look for extreme values in the target and the columns.")
        )
    return ranked


def _result(job: str, state: State, traces: list[Trace]) -> JobResult:
    scores = [float(score) if math.isfinite(score) else None for score in np.asarray(state.best.score)]
    best_steps = [int(step) for step in np.asarray(state.best.age)]
    return JobResult(job, scores, best_steps, np.asarray(state.diverged).tolist(), np.asarray(state.stopped).tolist(), traces)


def _trace(measured, slot: int, begin: int, segment: int, steps_per_epoch: int) -> Trace:
    def numbers(series) -> tuple[float | None, ...]:
        return tuple(float(f"{value:.6g}") if math.isfinite(value) else None for value in series[:, slot].tolist())

    steps = tuple(begin + (number + 1) * segment for number in range(len(measured.score)))
    return Trace(
        steps=steps,
        epochs=tuple(round(step / steps_per_epoch, 4) for step in steps),
        train_loss=numbers(measured.train_loss),
        dev_loss=numbers(measured.dev_loss),
        dev_error=numbers(measured.dev_error),
        gradient_norm=numbers(measured.gradient_norm),
    )


def _joined(traces: Sequence[Trace]) -> Trace:
    names = Trace.__dataclass_fields__
    return Trace(**{name: tuple(value for trace in traces for value in getattr(trace, name)) for name in names})


def _thinned(trace: Trace) -> Trace:
    """At most ``MOST_TRACE_POINTS`` points, evenly spaced, the last one included."""
    count = len(trace.steps)
    if count <= MOST_TRACE_POINTS:
        return trace
    chosen = np.unique(np.linspace(0, count - 1, MOST_TRACE_POINTS).round().astype(int))
    return replace(trace, **{name: tuple(getattr(trace, name)[i] for i in chosen) for name in Trace.__dataclass_fields__})
