"""A search over shoals: many recipes trained a little, the best of them longer, the winner again on fresh seeds.

A sampler draws the trials, brackets say which of them train next and how far, and each of their jobs is one shoal between two rungs.
Shoals of one family take turns in one compiled program. All networks of a shoal have the same age: they have seen the same mini-batches,
and no network's result depends on when a slot became free. The order of the jobs depends on the plan, the seed and the results alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from shoal.halving import HALVING, Bracket, Climber, brackets
from shoal.losses import NOT_LEARNED
from shoal.measurements import Signals
from shoal.plan import end_together
from shoal.population import Members, Shoal
from shoal.progress import Event, Listener, Stop
from shoal.recipe import Recipe
from shoal.recording import Recording
from shoal.records import Plan, Trial
from shoal.samplers import make_sampler, recipes_within
from shoal.space import Space
from shoal.trainer import Journal, Network, Purpose, advance, best_of, own_seed, ranked


@dataclass(frozen=True)
class Searched:
    """The outcome of a search.

    Args:
        trials: every trial, the retrained winner's included.
        recipe: the winner.
        family: its family's number.
        networks: the winner's networks on fresh seeds, each at its best evaluation.
        winners: the same as they were trained, with their scores.
        finished: the trials that were trained as long as they could be, with their weights where these were wanted.
        shoals_used: share of the slots that trained a network of their own.
        signals: how signals pass through each of the winner's networks.
        stopped: whether it was asked to stop before its end; the winner is then the best trial so far, with its own network.
        unfinished: numbers of the trials that a stopped search would have gone on with.
    """

    trials: tuple[Trial, ...]
    recipe: Recipe
    family: int
    networks: Members
    winners: tuple[Network, ...]
    finished: tuple[Network, ...]
    shoals_used: float
    signals: tuple[Signals, ...] = ()
    stopped: bool = False
    unfinished: frozenset[int] = frozenset()


class Search:
    """One search, step by step.

    Args:
        space: what is drawn from; its families are those that the plan numbers.
        shoal_of: the shoal of a family, made (and compiled) when it is first asked for.
        plan: how many trials, slots and steps, and how they are drawn and stopped.
        seed: of the draws and of every network.
        journal: where finished jobs are kept.
        listener: is told how far the search is.
        metric: what the scores are called in its events.
        earlier: recipes that are tried first.
        recording: is given finished trials, and asked what others have found.
        keeps_weights: whether the weights of finished trials are wanted afterwards.
        ends_together: whether first recipes that are compared near the end are all trained to it, and their weights kept.
        probed: whether the signals through the winner's layers are measured, for a diagnosis.
        stop: is looked at after each job; what a stopped search has trained is kept by the journal, so that it can go on later.
    """

    def __init__(
        self,
        space: Space,
        shoal_of: Callable[[int], Shoal],
        plan: Plan,
        seed: int,
        journal: Journal,
        listener: Listener,
        metric: str = "dev loss",
        earlier: Sequence[Recipe] = (),
        recording: Recording | None = None,
        keeps_weights: bool = False,
        ends_together: bool = False,
        probed: bool = False,
        stop: Stop | None = None,
    ) -> None:
        self.space, self.shoal_of, self.plan, self.seed = space, shoal_of, plan, seed
        self.journal, self.listener, self.metric, self.earlier, self.probed = journal, listener, metric, earlier, probed
        self._slots_trained = self._slots_filled = 0
        self._recording, self._published, self._keeps_weights = recording, set[int](), keeps_weights
        self._ends_together = ends_together
        self._seconds_left = sum(plan.rung_seconds)
        self._last = len(plan.rungs) - 1
        self._jobs = 0
        self._stop, self._alive = stop or Stop(), frozenset[int]()

    def run(self) -> Searched:
        """Search, then train the winner again; where it is asked to stop, what is known by then."""
        if self.plan.first_recipes:
            return self._best_of_first_recipes()
        trials = self._compare()
        if self._stop.due:
            return self._so_far(trials)
        # A single trial has nothing to be compared with: its recipe is trained on the fresh seeds at once.
        compared = trials if self.plan.trials > 1 else []
        finalists = ranked([network for network in compared if self._is_final(network)]) if compared else trials
        finalists = sorted([*finalists, *self._of_others(len(trials))], key=lambda each: (each.score, each.number))
        winner, retrained = self._retrain(finalists)
        if winner is None:
            return self._so_far(trials)
        return self._ended(compared, winner, retrained)

    def _best_of_first_recipes(self) -> Searched:
        """Train every family's first recipe on the winner's seeds to the first rung, and the best of them to the end, or near it all."""
        seeds = self.plan.retrains
        groups = [self._fresh(family.base, place, place * seeds) for place, family in enumerate(self.space.families)]
        networks = [network for group in groups for network in group]
        self._alive = frozenset(network.number for network in networks)
        for group in groups:
            self._train_all(group, 0, "search", networks)
            if self._stop.due:
                return self._so_far(networks)
        ranked(networks)  # some network has a score
        best = min(groups, key=lambda group: float(np.mean([network.score for network in group])))
        others = [network for network in networks if network not in best]
        if together := self._ends_together and end_together(self.plan.rungs):
            going_on = [best, *(group for group in groups if group is not best)]
        else:
            going_on = [best]
            for network in others:
                network.state = None  # its record stays
        self._alive = frozenset(network.number for group in going_on for network in group)
        for group in going_on:
            purpose = "retrain" if group is best else "search"
            if not self._train_all(group, self._last, purpose, networks if together else best) or (
                self._stop.due and group is not going_on[-1]
            ):
                return self._so_far(networks)
        return self._ended(others, best[0], best)

    def _train_all(self, group: Sequence[Network], rung: int, purpose: Purpose, among: Sequence[Network]) -> bool:
        """Train networks of one family to a rung, shoal by shoal; false where the search was asked to stop before the last one.

        Args:
            group: the networks.
            rung: where to.
            purpose: of the training.
            among: all networks that the listener is told about.
        """
        slots = self.plan.shoals[group[0].family].slots
        for begin in range(0, len(group), slots):
            shoal = group[begin : begin + slots]
            self._train_shoal(shoal, rung, purpose)
            self._stop.possible |= any(math.isfinite(network.score) for network in shoal)
            self._report(purpose, rung, len(among), among, shoal)
            if self._stop.due and begin + slots < len(group):
                return False
        return True

    def _ended(self, compared: Sequence[Network], winner: Network, retrained: Sequence[Network]) -> Searched:
        """The outcome of a search that came to its end."""
        records = [network.record(self._last, "search") for network in compared]
        records += [network.record(self._last, "retrain") for network in retrained]
        of_winner = [network for network in ranked(retrained) if network.recipe == winner.recipe]
        of_winner.sort(key=lambda network: network.number)  # one without a score is as it was before its first step
        signals = tuple(network.signals for network in of_winner if network.signals is not None)
        finished = tuple(network for network in compared if self._is_final(network) and math.isfinite(network.score))
        used = self._slots_filled / self._slots_trained
        return Searched(tuple(records), winner.recipe, winner.family, best_of(of_winner), tuple(of_winner), finished, used, signals)

    def _so_far(self, networks: Sequence[Network]) -> Searched:
        """The outcome of a search that was asked to stop: the best trial's own network is all there is of a winner."""
        trained = [network for network in networks if network.steps]
        best = next(network for network in ranked(trained) if network.state is not None)
        records = tuple(network.record(self._last, "search") for network in trained)
        finished = tuple(network for network in trained if self._is_final(network) and math.isfinite(network.score))
        used = self._slots_filled / self._slots_trained
        weights, going_on = best_of([best]), self._alive
        return Searched(records, best.recipe, best.family, weights, (best,), finished, used, stopped=True, unfinished=going_on)

    def _compare(self) -> list[Network]:
        """Every trial, trained as far as it came."""
        shares = tuple(shoal.trials for shoal in self.plan.shoals)
        sampler = make_sampler(self.plan.sampler, self.space, shares, self.seed, self.earlier)
        climbers: list[Climber] = []
        networks: list[Network] = []
        slots = [shoal.slots for shoal in self.plan.shoals]
        for count, first in brackets(self.plan.halving, self.plan.trials, len(self.plan.rungs)):
            waits = self.plan.halving != "async"
            bracket = Bracket(sampler, climbers, count, slots, first, self._last, waits)
            while not self._stop.due and (job := bracket.next()):
                for drawn in bracket.drawn[len(networks) - bracket.before :]:
                    number = len(networks)
                    networks.append(Network(number, own_seed(self.seed, number), drawn.recipe, drawn.family, rung=first))
                if self.plan.trials == 1:
                    break
                group = [networks[climber.number] for climber in job.climbers]
                self._train_shoal(group, job.rung, "search")
                ended = [network.stopped or network.diverged for network in group]
                bracket.told(job, [network.score for network in group], ended, NOT_LEARNED * self.shoal_of(job.family).trivial_loss)
                self._note_given_up(climbers, networks)
                self._alive = frozenset(climber.number for climber in bracket.alive())
                self._let_go(networks)
                self._publish(networks, self._alive)
                self._report("search", job.rung, len(self._alive), networks, group)
        self._note_given_up(climbers, networks)
        return networks

    @staticmethod
    def _note_given_up(climbers: Sequence[Climber], networks: Sequence[Network]) -> None:
        for climber, network in zip(climbers, networks, strict=False):
            network.given_up = climber.given_up

    def _let_go(self, networks: Sequence[Network]) -> None:
        """Weights that are not needed any more; those of the best trial so far are what a search that is stopped ends with."""
        best = min((each for each in networks if each.steps), key=lambda each: (each.score, each.number))
        for network in networks:
            if network.number not in self._alive and network is not best and not (self._keeps_weights and self._is_final(network)):
                network.state = None  # its record stays
        self._stop.possible = math.isfinite(best.score)

    def _publish(self, networks: Sequence[Network], alive: Collection[int]) -> None:
        """Tell others of trials that have come to their end."""
        if self._recording is not None:
            ended = [each for each in networks if each.steps and each.number not in alive and each.number not in self._published]
            self._recording.publish([each.record(self._last, "search") for each in ended])
            self._published |= {each.number for each in ended}

    def _of_others(self, number: int) -> list[Network]:
        """The best recipes of processes that search together with this one; they are finalists like its own."""
        found = [] if self._recording is None else self._recording.others()
        fitting = [(drawn, each.score) for each in found for drawn in recipes_within(self.space, [each.recipe])]
        return [
            Network(number + place, 0, drawn.recipe, drawn.family, rung=self._last, score=score)
            for place, (drawn, score) in enumerate(fitting)
        ]

    def _is_final(self, network: Network) -> bool:
        """Whether a trial was trained as long as it could be."""
        return (network.rung == self._last and network.steps > 0) or network.stopped or network.diverged

    def _fresh(self, recipe: Recipe, family: int, number: int) -> list[Network]:
        """A recipe's networks on fresh seeds, numbered from ``number`` on."""
        return [Network(number + seed, own_seed(self.seed, 10**6 + seed), recipe, family) for seed in range(self.plan.retrains)]

    def _report(self, purpose: Purpose, rung: int, alive: int, networks: Sequence[Network], trained: Sequence[Network]) -> None:
        best = min((network.score for network in networks), default=math.inf)
        done = sum(network.rung >= rung and network.steps > 0 for network in networks)
        expected = math.ceil(self.plan.trials / HALVING**rung) if purpose == "search" else len(networks)
        self.listener(
            Event(
                purpose,
                rung=rung,
                rungs=len(self.plan.rungs),
                alive=alive,
                done=done,
                trials=max(done, expected),
                best=best if math.isfinite(best) else None,
                metric=self.metric,
                seconds_left=self._seconds_left or None,
                trained=tuple(network.record(self._last, purpose) for network in trained),
            )
        )

    def _train_shoal(self, group: Sequence[Network], rung: int, purpose: Purpose) -> None:
        shoal, plan = self.shoal_of(group[0].family), self.plan.shoals[group[0].family]
        begin, end = group[0].steps, plan.rungs[rung]
        self._jobs += 1
        advance(f"{purpose}-{self._jobs}", shoal, group, end, self.journal, probed=self.probed and purpose == "retrain")
        for network in group:
            network.rung = rung
        self._slots_trained += shoal.slots
        self._slots_filled += len(group)
        self._seconds_left = max(0.0, self._seconds_left - (end - begin) * (plan.step_seconds or 0.0))

    def _retrain(self, finalists: Sequence[Network]) -> tuple[Network | None, list[Network]]:
        """Train the best recipe on fresh seeds, and as many next best of its family as the shoal has room for.

        Which of them wins is decided by the mean over the fresh seeds: the lowest single score of a search is lucky. None does where the
        search is asked to stop.
        """
        first = finalists[0]
        seeds = self.plan.retrains
        room = max(1, self.plan.shoals[first.family].slots // seeds)
        recipes: list[Recipe] = []
        for runner in finalists:
            if runner.family == first.family and runner.recipe not in recipes and len(recipes) < room:
                recipes.append(runner.recipe)
        number = self.plan.trials
        fresh = [network for i, recipe in enumerate(recipes) for network in self._fresh(recipe, first.family, number + i * seeds)]
        if not self._train_all(fresh, self._last, "retrain", fresh):
            return None, fresh

        def mean_score(recipe: Recipe) -> float:
            return float(np.mean([runner.score for runner in fresh if runner.recipe == recipe]))

        best = min(recipes, key=mean_score)
        return next(runner for runner in finalists if runner.recipe == best), fresh
