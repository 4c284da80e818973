"""Samplers with a model of where good recipes lie, by Optuna: TPE, a Gaussian process, and CMA-ES, a few trials at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypeVar

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits

from shoal.errors import OptionError, Problem
from shoal.parameters import Choice, Parameter, Range, by_dependence, labelled
from shoal.samplers.sampler import Drawn, Result
from shoal.samplers.spread import Spread
from shoal.space import Space

Found = TypeVar("Found")

BEGINNING = 0.25
"""Share of the trials that are quasi-random, so that the model has something to learn from."""
FEWEST_AT_FIRST, MOST_AT_FIRST = 8, 64
AT_ONCE = 8
"""Trials asked for together, between two looks at the results."""


def _tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=1)


def _gp(seed: int) -> BaseSampler:
    if find_spec("torch") is None:
        received = "an environment without it"
        raise OptionError(Problem("the Gaussian process needs PyTorch", received, 'Install "shoal[gp]", or choose the sampler tpe.'))
    return GPSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)


def _cma_es(seed: int) -> BaseSampler:
    if find_spec("cmaes") is None:
        received = "an environment without it"
        raise OptionError(Problem("CMA-ES needs the package cmaes", received, 'Install "shoal[cma]", or choose the sampler tpe.'))
    return CmaEsSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)


MODELS: dict[str, Callable[[int], BaseSampler]] = {"tpe": _tpe, "gp": _gp, "cma-es": _cma_es}
"""By the name of the sampler."""


class ModelBased:
    """Optuna's samplers on the unit cube of the space's parameters, shape choices included.

    Trials that are still under way are known to the model as such (constant liar, Kriging believer), so that it does not ask for the
    same again. Trials are compared by their dev loss at the first rung, which all of them reach.

    Args:
        name: one of ``MODELS``.
        space: what is drawn from.
        trials: of each family; their sum counts.
        seed: of the draws.
    """

    def __init__(self, name: str, space: Space, trials: Sequence[int], seed: int) -> None:
        self._space, self._total = space, sum(trials)
        self._shapes = _Shapes(space)
        self._study = _quietly(lambda: optuna.create_study(sampler=MODELS[name](seed % 2**31)))
        first = min(max(FEWEST_AT_FIRST, math.ceil(BEGINNING * self._total)), MOST_AT_FIRST, self._total)
        self._beginning = Spread("sobol", space, _shares(first, trials), seed)
        self._asked: list[optuna.Trial] = []
        self._told = 0

    def draw(self, most: int, results: Sequence[Result]) -> list[Drawn]:
        """The next points (see ``Sampler``)."""
        drawn = self._beginning.draw(most, results)
        if drawn:
            self._asked += _quietly(lambda: [self._as_asked(each) for each in drawn])
            return drawn
        return _quietly(lambda: self._ask(min(most, AT_ONCE, self._total - len(self._asked)), results))

    def _ask(self, count: int, results: Sequence[Result]) -> list[Drawn]:
        self._tell(results)
        drawn = []
        for _ in range(count):
            # A Gaussian process of so few trials is so small that PyTorch's threads would wait for each other most of the time.
            with threadpool_limits(1, "openmp"):
                trial = self._study.ask()
            number = self._shapes.suggested(trial)
            family = self._space.families[number]
            settings: dict[str, Any] = {}
            for each in by_dependence(family.ranges):
                if family.matters(each, settings):
                    settings[each.name] = each.value(_suggested(trial, each))
            self._asked.append(trial)
            drawn.append(Drawn(number, family.with_settings(settings)))
        return drawn

    def _as_asked(self, drawn: Drawn) -> optuna.Trial:
        """A trial of ours, as if Optuna had been asked for it."""
        family = self._space.families[drawn.family]
        values = family.values_in(drawn.recipe)
        known = [each for each in by_dependence(family.ranges) if each.name in values]
        self._study.enqueue_trial({**self._shapes.places(drawn.family), **{each.name: _place(each, values[each.name]) for each in known}})
        trial = self._study.ask()
        self._shapes.suggested(trial)
        for each in known:
            _suggested(trial, each)
        return trial

    def _tell(self, results: Sequence[Result]) -> None:
        """What became of the trials, in the order in which they were drawn, as far as all before them are known too."""
        while self._told < len(results) and results[self._told].rung >= 0:
            score = results[self._told].at_first_rung
            state = None if math.isfinite(score) else TrialState.FAIL
            self._study.tell(self._asked[self._told], score if state is None else None, state=state)
            self._told += 1


class _Shapes:
    """The families of a space as the model sees them: choice by choice, or as one choice where not every combination is a family."""

    def __init__(self, space: Space) -> None:
        chosen = [{name: labelled(value) for name, value in family.chosen} for family in space.families]
        self._choices = [each for each in space.parameters if isinstance(each, Choice) and any(each.name in one for one in chosen)]
        combinations = [tuple(one.get(each.name) for each in self._choices) for one in chosen]
        if len({*combinations}) != math.prod(len(each.values) for each in self._choices) or len({*combinations}) != len(chosen):
            self._choices = [Choice("shape", tuple(f"shape {number}" for number in range(len(chosen))))]
            combinations = [(value,) for value in self._choices[0].values]
        self._numbers = {combination: number for number, combination in enumerate(combinations)}

    def suggested(self, trial: optuna.Trial) -> int:
        """The number of the family that Optuna would have."""
        return self._numbers[tuple(each.label(each.value(_suggested(trial, each))) for each in self._choices)]

    def places(self, family: int) -> dict[str, float | int]:
        """A family as Optuna stores it."""
        combination = next(each for each, number in self._numbers.items() if number == family)
        return {each.name: [*map(each.label, each.values)].index(label) for each, label in zip(self._choices, combination, strict=True)}


def _suggested(trial: optuna.Trial, each: Parameter) -> float:
    """Where Optuna would have a parameter, from 0 to 1: choices without an order by their number, all else as a position."""
    if isinstance(each, Range):
        return trial.suggest_float(each.name, 0.0, 1.0)
    count = len(each.values)
    is_ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in each.values)
    number = trial.suggest_int(each.name, 0, count - 1) if is_ordered else trial.suggest_categorical(each.name, list(range(count)))
    return (number + 0.5) / count


def _place(each: Parameter, value: Any) -> float | int:
    """The inverse of ``_suggested``, as Optuna stores it."""
    return each.position(value) if isinstance(each, Range) else [*map(each.label, each.values)].index(each.label(value))


def _shares(count: int, trials: Sequence[int]) -> list[int]:
    """A number of trials divided over families in proportion to their trials."""
    total = max(1, sum(trials))
    ends = [round(count * sum(trials[: number + 1]) / total) for number in range(len(trials))]
    return [end - begin for begin, end in pairwise([0, *ends])]


def _quietly(work: Callable[[], Found]) -> Found:
    """Do something without Optuna's log and its notes about what is experimental."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    finally:
        optuna.logging.set_verbosity(verbosity)
