"""What a run's record says about its final model: scores, the models it is compared with, verdict, findings, next step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from shoal.data import Dataset
from shoal.diagnose import Case, PartPrediction, findings, judge, measure, next_step
from shoal.diagnosis import as_answers, mistakes_of, scored_rows
from shoal.effort import Effort
from shoal.ensemble import inputs_of
from shoal.experiments.data_faults import measure_data_faults, sure_error_of_best
from shoal.experiments.evidence import measure_evidence
from shoal.experiments.learning_curve import measure_learning_curve
from shoal.experiments.left_out import PartAnswers
from shoal.experiments.rate_range import measure_rate_range
from shoal.measurements import Measurements
from shoal.metrics import METRICS, Metric, interval
from shoal.model import Model
from shoal.parameters import Range
from shoal.plan import Budget, curve_epochs
from shoal.progress import Event, Stages
from shoal.records import Interval, Part
from shoal.references import Reference, baselines, decided, fit_references
from shoal.trainer import Trainer
from shoal.winner import Trained

_SHOWN: tuple[Part, Part] = ("dev", "test")

FEWEST_ROWS_FOR_A_CURVE = 200
REFERENCES_SHARE = 0.1
"""Of a budget in time, for the models to compare with."""


def assess(
    trainer: Trainer,
    metric: Metric,
    trained: Trained,
    references: tuple[Reference, ...],
    effort: Effort,
    options: Mapping[str, Any],
    early: bool = False,
) -> dict[str, Any]:
    """Scores, baselines, verdict, next step and findings of the final model, and what they rest on, as fields of a ``Run``.

    Args:
        trainer: of the data set.
        metric: what counts.
        trained: the model, and how it was found.
        references: models to compare with.
        effort: what was asked for.
        options: of the command.
        early: whether the run was stopped early: nothing more is trained, and the test rows are left for its end.
    """
    dataset, seed, searched = trained.dataset, options["seed"], effort.job != "train"
    opened: list[Part] = [part for part in dataset.inputs if not (early and part == "test")]
    parts: dict[Part, PartPrediction] = {part: _predicted(trainer, dataset, part, trained.model, seed) for part in opened}
    errors = measure(parts, metric, {reference.name: reference.decided("dev") for reference in references}, seed=seed)
    verdict = judge(errors, options["target_error"])
    recipe, dev = trained.searched.recipe, parts["dev"]
    answers = [dev.answer, *(reference.predictions["dev"] for reference in references)] if dataset.task == "classification" else []
    surest = sure_error_of_best(answers, dev.truth, dev.weight)
    measured = _experiments(trainer, metric, trained, surest, parts, effort.budget if effort.job == "improve" else None, seed, early)
    case = Case(
        errors,
        verdict,
        trained.searched.trials,
        dataset.class_shares,
        _at_edge(trained),
        effort.budget.text if searched else "",
        searched=searched,
        recipe=recipe,
        measured=measured,
    )
    found = findings(case)
    truth: dict[Part, np.ndarray] = {part: dataset.truth[part] for part in _SHOWN if part in parts}
    weights: dict[Part, np.ndarray] = {part: dataset.weights[part] for part in truth}
    return {
        "scores": _scores(parts, metric, dataset, seed),
        "baselines": baselines(references, truth, metric, weights, seed=seed),
        "verdict": verdict,
        "next_step": next_step(case, found),
        "findings": found,
        "measured": measured,
    }


def _experiments(
    trainer: Trainer,
    metric: Metric,
    trained: Trained,
    surest: Interval | None,
    parts: Mapping[Part, PartPrediction],
    budget: Budget | None,
    seed: int,
    early: bool,
) -> Measurements:
    """What the findings rest on beyond the errors; ``budget`` is that of a search, which has tried learning rates already.

    Where the run was stopped early nothing is trained for it.
    """
    dataset, recipe = trained.dataset, trained.searched.recipe
    _, tables = trainer.prepared(recipe.shape)
    epochs = None
    if budget is not None and not early and tables.train_rows >= FEWEST_ROWS_FOR_A_CURVE:
        steps_per_epoch, is_picture = tables.steps_per_epoch(tables.batch_size(recipe.shape)), dataset.picture is not None
        epochs = curve_epochs(budget, trained.plan, trained.searched.family, steps_per_epoch, is_picture)
    answers: dict[Part, PartAnswers] = {part: as_answers(prediction) for part, prediction in parts.items() if part != "train"}
    return replace(
        measure_evidence(dataset, answers, temperature=trained.model.temperature, seed=seed),
        signals=trained.searched.signals,
        rate_range=measure_rate_range(trainer, recipe, seed) if budget is None and not early else None,
        learning_curve=None if epochs is None else measure_learning_curve(trainer, recipe, metric, seed, epochs),
        data=measure_data_faults(
            dataset,
            seed=seed,
            sure_error=surest,
            answers=answers,
            metric=metric,
        ),
        mistakes=mistakes_of(dataset, parts["dev"]),
        most_probable={part: _scored(metric, parts[part], seed) for part in _SHOWN if part in parts and parts[part].decision is not None},
        input_scales=trainer.input_scales(recipe.shape),
    )


def train_references(dataset: Dataset, metric: Metric, budget: Budget, seed: int, stages: Stages) -> tuple[Reference, ...]:
    """The models to compare with, trained on the same rows in a tenth of the budget."""
    stages.enter("references", "models to compare with, on the same rows")
    references = fit_references(
        dataset.inputs["train"],
        dataset.truth["train"],
        dataset.weights["train"],
        task=dataset.task,
        n_classes=len(dataset.classes),
        evaluate={part: dataset.inputs[part] for part in _SHOWN if part in dataset.inputs},
        seed=seed,
        seconds=None if budget.seconds is None else min(max(REFERENCES_SHARE * budget.seconds, 1.0), 10.0),
        listener=lambda name: stages.listener(Event("references", name)),
        picture=dataset.picture_shape,
    )
    return decided(references, metric, dataset.truth["dev"], dataset.weights["dev"], dataset.class_shares.values(), seed=seed)


def _predicted(trainer: Trainer, dataset: Dataset, part: Part, model: Model, seed: int) -> PartPrediction:
    """The model's predictions of a part; of very many training rows a sample, whose error is as good as known."""
    rows = scored_rows(dataset, part, seed)
    members = model.member_outputs(inputs_of(trainer, model, part, rows))
    combined, weight = model.combined(members), dataset.weights[part][rows]
    return PartPrediction(dataset.truth[part][rows], members, combined, weight, decision=model.decision)


def _scores(parts: Mapping[Any, PartPrediction], metric: Metric, dataset: Dataset, seed: int) -> dict[str, dict[str, Interval]]:
    """The run's metric on every part, and the task's other metrics on dev and test."""
    scores: dict[str, dict[str, Interval]] = {}
    for part, prediction in parts.items():
        others = (other for other in METRICS.values() if other.task == dataset.task and other != metric and part in ("dev", "test"))
        spoken = prediction.decided
        # a metric of rates looks at the class that is said, any other at the probabilities
        spans = {each.name: _scored(each, spoken if each.terms is None else prediction, seed) for each in (metric, *others)}
        scores[part] = {name: span for name, span in spans.items() if math.isfinite(span.value)}
    return scores


def _scored(metric: Metric, prediction: PartPrediction, seed: int) -> Interval:
    return interval(metric, prediction.truth, prediction.members, prediction.weight, ensemble=prediction.answer, seed=seed)


def _at_edge(trained: Trained) -> dict[str, Any]:
    """Settings of the winner within 5 % of an end of their range."""
    recipe, edges = trained.searched.recipe, {}
    for bounds in (each for each in trained.space.families[trained.searched.family].ranges if isinstance(each, Range)):
        value = recipe.hidden_units[0] if bounds.name == "units" and recipe.hidden_units else getattr(recipe, bounds.name, None)
        if value is None:
            continue
        low, high = bounds.value(0.05), bounds.value(0.95)
        if value <= low:
            edges["hidden_units" if bounds.name == "units" else bounds.name] = "lowest"
        elif value >= high:
            edges["hidden_units" if bounds.name == "units" else bounds.name] = "highest"
    return edges
