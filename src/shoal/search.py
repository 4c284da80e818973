"""Successive halving over shoals: many recipes trained a little, the best of them longer, the winner again on fresh seeds.

Shoals of one family take turns in one compiled program. At each rung the surviving networks of a family are gathered
into as few shoals as hold them; slots that would stand empty go to the next best, who cost nothing more. So every shoal
is full from the first rung to the last, and all its networks have the same age: they have seen the same mini-batches, and
no network's result depends on when a slot became free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shoal.errors import DataError, Problem
from shoal.measurements import Signals
from shoal.plan import HALVING, rung_seconds
from shoal.population import Members, Shoal
from shoal.progress import Event, Listener
from shoal.recipe import Recipe
from shoal.records import Plan, Trial
from shoal.space import Family
from shoal.trainer import Journal, Network, Purpose, advance, best_of, own_seed


@dataclass(frozen=True)
class Searched:
    """The outcome of a search.

    Args:
        trials: every trial, the retrained winner's included.
        recipe: the winner.
        family: its family's number.
        networks: the winner's networks on fresh seeds, each at its best evaluation.
        shoals_used: share of the slots that trained a network of their own.
        signals: how signals pass through each of the winner's networks.
    """

    trials: tuple[Trial, ...]
    recipe: Recipe
    family: int
    networks: Members
    shoals_used: float
    signals: tuple[Signals, ...] = ()


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
        probed: whether the signals through the winner's layers are measured, for a diagnosis.
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
        probed: bool = False,
    ) -> None:
        self.families, self.shoal_of, self.plan, self.seed = families, shoal_of, plan, seed
        self.journal, self.listener, self.metric, self.probed = journal, listener, metric, probed
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
        networks = best_of(of_winner)
        signals = tuple(runner.signals for runner in of_winner if runner.signals is not None)
        return Searched(tuple(trials), winner.recipe, winner.family, networks, self._slots_filled / self._slots_trained, signals)

    def _compare(self, runners: list[Network]) -> list[Network]:
        """The trials that reached the last rung, best first."""
        for rung in range(len(self.plan.rungs)):
            self._train(runners, rung, "search")
            if rung + 1 < len(self.plan.rungs):
                runners = self._survivors(runners)
        return _ranked(runners)

    def _draw(self) -> list[Network]:
        runners: list[Network] = []
        for number, (family, share) in enumerate(zip(self.families, self.plan.shoals, strict=True)):
            for recipe in family.draw(share.trials, self.seed * 1009 + number):
                runners.append(Network(len(runners), own_seed(self.seed, len(runners)), recipe, number))
        return runners

    def _train(self, runners: Sequence[Network], rung: int, purpose: Purpose) -> None:
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

    def _train_shoal(self, group: Sequence[Network], rung: int, purpose: Purpose) -> None:
        shoal = self.shoal_of(group[0].family)
        begin, end = group[0].steps, self.plan.rungs[rung]
        job = f"{purpose}-{rung}-{group[0].number}-{group[-1].number}"
        advance(job, shoal, group, end, self.journal, probed=self.probed and purpose == "retrain")
        for network in group:
            network.rung = rung
        self._slots_trained += shoal.slots
        self._slots_filled += len(group)
        step_seconds = self.plan.shoals[group[0].family].step_seconds
        self._seconds_left = max(0.0, self._seconds_left - (end - begin) * (step_seconds or 0.0))

    def _survivors(self, runners: Sequence[Network]) -> list[Network]:
        """The best third over all families, and as many next best of each family as fill its last shoal."""
        ranked = _ranked(runners)
        going_on: list[Network] = []
        best = ranked[: math.ceil(len(runners) / HALVING)]
        for family in range(len(self.families)):
            wanted = sum(runner.family == family for runner in best)
            slots = self.plan.shoals[family].slots
            mine = [runner for runner in ranked if runner.family == family]
            going_on += mine[: math.ceil(wanted / slots) * slots]
        for runner in set(runners) - set(going_on):
            runner.state = None  # its record stays
        return sorted(going_on, key=lambda runner: runner.number)

    def _retrain(self, finalists: Sequence[Network]) -> tuple[Network, list[Network]]:
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
            Network(number + i * seeds + j, own_seed(self.seed, 10**6 + j), recipe, first.family)
            for i, recipe in enumerate(recipes)
            for j in range(seeds)
        ]
        self._train(fresh, len(self.plan.rungs) - 1, "retrain")

        def mean_score(recipe: Recipe) -> float:
            return float(np.mean([runner.score for runner in fresh if runner.recipe == recipe]))

        best = min(recipes, key=mean_score)
        return next(runner for runner in finalists if runner.recipe == best), fresh


def _ranked(runners: Sequence[Network]) -> list[Network]:
    """The runners that have a score, best first; ties go to the first drawn.

    Raises:
        DataError: none has.
    """
    ranked = sorted((runner for runner in runners if math.isfinite(runner.score)), key=lambda runner: (runner.score, runner.number))
    if not ranked:
        received = f"{len(runners)} trials, all diverged before their first evaluation"
        raise DataError(
            Problem(
                "some network trains without diverging",
                received,
                "Lower the learning rate or clip the gradient; look for extreme values in the target and the columns.",
            )
        )
    return ranked
