"""How much each parameter matters, beside the course's ranking."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from scipy import stats

from shoal.answers.comparison import Comparison
from shoal.answers.forest import DEPTH, HeldOut
from shoal.interval import Interval, percent
from shoal.measurements.answers import Importance, Importances
from shoal.parameters import Choice, Parameter

FEWEST_TRIALS = 16
TREES = 32
LARGEST_SAMPLE = 256
"""Trials that Optuna's evaluator is given at most: it takes long over many."""

COURSE = {"learning_rate": 1, "units": 2, "hidden_units": 2, "beta1": 2, "batch_size": 2, "hidden_layers": 3} | dict.fromkeys(
    ("decay", "decay_rate", "decay_factor", "decay_epochs", "warm_up"), 3
)
"""The course's ranking: first the learning rate; then units, momentum and batch size; then layers and the decay of the learning rate."""


def importances(compared: Comparison, seed: int, held_out: HeldOut | None) -> Importances | str:
    """The importance of each parameter, or in words why it cannot be told.

    By functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014): a forest is fitted to the trials and its variance over the space is taken
    apart, so that it does not matter how evenly a sampler drew. The shares are those that trials confirm to which the forest was not
    fitted, because the plain ones have a bias that no bootstrap shows: where a second parameter makes 20 % of the variance of 128 trials,
    they say 15. Optuna's plain ones stand beside them.

    Args:
        compared: trials after the same steps.
        seed: of Optuna's forest.
        held_out: what a forest explains of trials it has not seen; ``None`` where there are too few.
    """
    n = len(compared.trials)
    if not compared.parameters:
        return "the trials do not differ in any parameter"
    if held_out is None:
        return f"importance is told from at least {FEWEST_TRIALS} trials, and {n} were compared"
    explained = held_out.explained_share()
    shares = held_out.main_shares()
    if explained.low <= 0 and all(share.low <= 0 for share in shares):
        text = f"a forest fitted to {n} trials after {compared.steps:,} steps cannot be told to predict others better than their mean does"
        return f"{text}: it explains {percent(explained.value, 0)} of their variance (95 % interval from {percent(explained.low, 0)})"
    plain = optuna_shares(compared, seed)
    found = [
        Importance(
            name=each.name,
            share=Interval(max(share.value, 0.0), max(share.low, 0.0), max(share.high, 0.0)),
            fanova=plain[each.name],
            course=COURSE.get(each.name),
            always_used=bool(compared.used[:, at].all()),
        )
        for at, (each, share) in enumerate(zip(compared.parameters, shares, strict=True))
    ]
    found.sort(key=lambda each: -each.share.value)
    return Importances(tuple(found), n, compared.steps, explained, course_agreement({each.name: each.share.value for each in found}))


def course_agreement(shares: Mapping[str, float]) -> float | None:
    """Kendall's tau-b of measured shares with the course's ranking; ``None`` where it ranks too few of them.

    Example:
        >>> course_agreement({"learning_rate": 0.6, "units": 0.2, "hidden_layers": 0.1, "l2": 0.1})
        1.0
        >>> course_agreement({"learning_rate": 0.6, "l2": 0.1})
    """
    # below a hundredth, what is larger is chance
    ranked = [(round(share, 2), -COURSE[name]) for name, share in shares.items() if name in COURSE]
    if len(ranked) < 2 or any(len(set(each)) < 2 for each in zip(*ranked, strict=True)):
        return None
    return round(float(stats.kendalltau(*zip(*ranked, strict=True)).statistic), 12)  # type: ignore[attr-defined]


def optuna_shares(compared: Comparison, seed: int) -> dict[str, float]:
    """The share of the variance of each parameter by itself, as Optuna's evaluator has it: of a forest fitted to all trials."""
    n = len(compared.trials)
    distributions = {each.name: _distribution(each) for each in compared.parameters}
    rows = range(n) if n <= LARGEST_SAMPLE else np.random.default_rng(seed).choice(n, LARGEST_SAMPLE, replace=False)
    if len(set(compared.losses[rows])) < 2:
        return dict.fromkeys(distributions, 0.0)
    trials = [
        optuna.trial.create_trial(
            params={each.name: _value(each, at) for each, at in zip(compared.parameters, compared.positions[row], strict=True)},
            distributions=distributions,
            value=float(compared.losses[row]),
        )
        for row in rows
    ]
    with _quiet():
        study = optuna.create_study()
        study.add_trials(trials)
        evaluator = FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=seed)
        shares = get_param_importances(study, evaluator=evaluator, normalize=False)
    return {name: float(shares[name]) for name in distributions}


def _distribution(each: Parameter) -> BaseDistribution:
    # positions instead of values: the variance is over the space as it is searched, each range on its own scale
    return CategoricalDistribution(range(len(each.values))) if isinstance(each, Choice) else FloatDistribution(0.0, 1.0)


def _value(each: Parameter, at: float) -> Any:
    return min(int(at * len(each.values)), len(each.values) - 1) if isinstance(each, Choice) else float(at)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of each study that is made, and that shares which do not add up to 1 are new to it; neither is for the user."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
