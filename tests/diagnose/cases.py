"""Predictions with known errors: the case says which rows are wrong, so every gap is known beforehand."""

import functools
from typing import Literal

import numpy as np

from shoal.diagnose import Case, PartPrediction, judge, measure
from shoal.metrics import METRICS
from shoal.recipe import Recipe
from shoal.records import Part, Trace, Trial, TrialStatus


def answers(rows, wrong, classes=2):
    """Truth, and probabilities that are wrong in the given number of rows."""
    truth = np.arange(rows) % classes
    answered = truth.copy()
    places = np.linspace(0, rows - 1, wrong).astype(int) if wrong else np.array([], int)
    answered[places] = (answered[places] + 1) % classes
    return truth, np.eye(classes)[answered] * 0.8 + 0.1


def part(rows, error, members=3):
    truth, prediction = answers(rows, round(rows * error))
    return PartPrediction(truth, np.repeat(prediction[None], members, axis=0))


ROWS = 20_000


def errors(references=None, metric="error", **parts):
    """Errors of a network with the given error rates, on parts of 20,000 rows, or ``(rows, error)``."""
    return errors_of(parts, references, metric)


def errors_of(parts, references=None, metric="error"):
    return measured_once(tuple(parts.items()), tuple((references or {}).items()), metric)


@functools.cache
def measured_once(sizes, references, metric):
    """Thousands of resamples are drawn for each: tests that ask for the same errors share them."""
    made: dict[Part, PartPrediction] = {name: part(*(size if isinstance(size, tuple) else (ROWS, size))) for name, size in sizes}
    dev_rows = len(made["dev"].truth)
    others = {name: answers(dev_rows, round(dev_rows * error))[1] for name, error in references}
    return measure(made, METRICS[metric], others)


def case(target=None, trials=(), class_shares=None, at_edge=None, budget="", **given):
    measured = errors(**given)
    return Case(measured, judge(measured, target), tuple(trials), class_shares or {"a": 0.5, "b": 0.5}, at_edge or {}, budget)


def trial(
    dev_loss=(1.0, 0.6, 0.5, 0.5, 0.5, 0.5),
    purpose: Literal["search", "retrain"] = "retrain",
    status: TrialStatus = "finished",
    number=0,
):
    steps = tuple(100 * (i + 1) for i in range(len(dev_loss)))
    trace = Trace(steps=steps, dev_loss=tuple(dev_loss))
    losses = [loss for loss in dev_loss if loss is not None]
    return Trial(number, number, Recipe(), 0, status, 0, steps[-1], 100, min(losses) if losses else None, purpose, trace)
