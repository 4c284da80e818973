"""The networks of a search that predict best together, as one model, and how far its score can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shoal.calibration import fit_temperature, scaled
from shoal.decision import fit_decision, weighed
from shoal.ensemble_selection import BAGS, SIZE, CrossFitted, Finish, Floats, Loss, Selection, cross_fit, mean_of, select
from shoal.errors import DataError, Problem
from shoal.experiments.two_sample import reference_codes
from shoal.interval import Interval
from shoal.measurements.ensemble import EnsembleReport, ShapesTogether
from shoal.metrics import METRICS, Metric, paired_bootstrap, score, spanned
from shoal.model import Model, Networks
from shoal.recipe import Recipe, Shape
from shoal.records import Part
from shoal.trainer import Network, Trainer, best_of, width_class

RESAMPLES = 400
"""Draws of the rows behind an interval, for each division into halves."""


def ensemble_of(
    trainer: Trainer,
    networks: Sequence[Network],
    metric: Metric,
    seed: int,
    *,
    default: Sequence[Network] = (),
    loss: Loss | None = None,
    size: int = SIZE,
    bags: int = BAGS,
) -> tuple[Model, EnsembleReport]:
    """The networks of a search that predict best together on the dev rows, as a model, and how far its score can be believed.

    Args:
        trainer: of the data set.
        networks: to choose from, of any recipes; those whose weights were let go of are left out.
        metric: what counts; the report is in it.
        seed: of the halves of the dev rows, of the bags and of the intervals.
        default: networks of the usual model, the retrained winner's; they are chosen from, too, and their mean is compared with.
        loss: that chooses; by default the log loss, or the squared (for ``mae`` the absolute) error.
        size: as for ``select``, and so is ``bags``.

    Returns:
        The finished model, and the record.

    Raises:
        DataError: no network has weights and finite predictions.
    """
    dataset = trainer.dataset
    truth, weights = dataset.truth["dev"], dataset.weights["dev"].astype(np.float64)
    loss = loss or ("log_loss" if dataset.task != "regression" else "absolute_error" if metric.name == "mae" else "squared_error")
    candidates = list({id(network): network for network in (*networks, *default)}.values())
    library, outputs = _library(trainer, candidates)
    selection = select(outputs, truth, weights, loss, size=size, bags=bags, seed=seed)
    chosen = np.flatnonzero(selection.shares)
    model = finished(trainer, model_of(trainer, [library[i] for i in chosen], selection.shares[chosen], selection.alone[chosen]), metric)
    record = report(
        outputs,
        truth,
        weights,
        metric,
        loss,
        selection,
        numbers=[network.number for network in library],
        default=[place for place, network in enumerate(library) if any(network is each for each in default)],
        class_shares=dataset.class_shares.values(),
        seed=seed,
        size=size,
        bags=bags,
    )
    return model, record


def of_all_shapes(trainer: Trainer, best: Sequence[Network], others: Sequence[Network]) -> tuple[Model, ShapesTogether | None]:
    """The mean of the networks of all shapes, unless it is worse on the dev rows than that of the best shape by more than a standard error.

    They are compared by log loss, or by the mean squared error; the standard error is that of the difference over the dev rows. Networks
    of several shapes err in different places, so that together they are mostly better (``docs/defaults.md`` has what that was worth),
    and few dev rows cannot tell which shape is the best one anyway.

    Args:
        trainer: of the data set.
        best: networks of the best shape.
        others: of other shapes; those that diverged are left out.

    Returns:
        The model, not yet calibrated, and the comparison; ``None`` where there are no others.
    """
    others = [network for network in others if network.state is not None and math.isfinite(network.score)]
    alone = model_of(trainer, best)
    if not others:
        return alone, None
    dataset, all_shapes = trainer.dataset, model_of(trainer, [*best, *others])
    loss, truth, weights = METRICS["mse" if dataset.task == "regression" else "log_loss"], dataset.truth["dev"], dataset.weights["dev"]
    predictions = [model.outputs(inputs_of(trainer, model, "dev")) for model in (all_shapes, alone)]
    value, of_best = (score(loss, truth, prediction, weights) for prediction in predictions)
    draws = paired_bootstrap(loss, truth, predictions, weights, resamples=RESAMPLES, seed=trainer.seed)
    difference = draws[0] - draws[1]
    taken = bool(value - of_best <= np.std(difference))
    networks, shapes = len(best) + len(others), len(all_shapes.parts)
    record = ShapesTogether(loss.name, shapes, networks, len(best), spanned(value - of_best, difference), taken)
    return (all_shapes if taken else alone), record


def model_of(
    trainer: Trainer,
    networks: Sequence[Network],
    shares: Sequence[float] | Floats | None = None,
    scores: Sequence[float] | Floats | None = None,
) -> Model:
    """The best weights of trained networks of any recipes as one model; it holds them recipe by recipe.

    Args:
        trainer: of the data set.
        networks: one or more.
        shares: of each in the mean; all alike by default.
        scores: of each on dev, lower is better; by default those of the networks.
    """
    groups: dict[tuple[Recipe, int], list[int]] = {}
    for place, network in enumerate(networks):
        groups.setdefault((network.recipe, _width(network)), []).append(place)
    first, *others = (_networks(trainer, [networks[place] for place in group]) for group in groups.values())
    order = [place for group in groups.values() for place in group]
    scores = [network.score for network in networks] if scores is None else scores
    return Model(
        first.preparation,
        first.recipe,
        first.layout,
        first.networks,
        first.encoding,
        others=tuple(others),
        shares=None if shares is None else tuple(float(shares[place]) for place in order),
        scores=tuple(float(scores[place]) for place in order),
    )


def inputs_of(trainer: Trainer, model: Model, part: Part, rows: NDArray[np.intp] | None = None) -> tuple[np.ndarray, ...]:
    """What the networks of each of the model's recipes see of a part of the data, as ``Model.member_outputs`` takes it.

    Args:
        trainer: of the data set.
        model: trained on it.
        part: of the data.
        rows: of the part; all by default.
    """
    seen = (trainer.prepared(each.recipe.shape)[0].inputs[part] for each in model.parts)
    return tuple(inputs if rows is None else inputs[rows] for inputs in seen)


def finished(trainer: Trainer, model: Model, metric: Metric) -> Model:
    """The model with all that a final one has: rows to compare later tables with, its temperature, and its decision between classes.

    Args:
        trainer: of the data set.
        model: trained on it.
        metric: what counts.
    """
    return replace(answering(trainer, model, metric), reference=reference_codes(trainer.prepared(model.recipe.shape)[0], trainer.seed))


def answering(trainer: Trainer, model: Model, metric: Metric) -> Model:
    """The model at its temperature and with its decision: it answers as a final one does.

    Args:
        trainer: of the data set.
        model: trained on it.
        metric: what counts.
    """
    if any(part.recipe.calibration == "temperature" for part in model.parts):
        model = calibrated(trainer, model)
    return decided(trainer, model, metric)


def calibrated(trainer: Trainer, model: Model) -> Model:
    """The model at the temperature that suits the dev rows; a model of a quantity as it is."""
    dataset = trainer.dataset
    if dataset.task == "regression":
        return model
    model = replace(model, temperature=1.0)
    probability = model.outputs(inputs_of(trainer, model, "dev"))
    return replace(model, temperature=_temperature(probability, dataset.truth["dev"], dataset.weights["dev"]))


def decided(trainer: Trainer, model: Model, metric: Metric) -> Model:
    """The model with the decision between classes that suits the metric on the dev rows; for most metrics as it is.

    Args:
        trainer: of the data set.
        model: trained on it, and calibrated if it is going to be.
        metric: what counts.
    """
    if metric.counts != "class rates":
        return replace(model, decision=None)
    dataset = trainer.dataset
    probability, shares = model.outputs(inputs_of(trainer, model, "dev")), dataset.class_shares.values()
    found = fit_decision(metric, probability, dataset.truth["dev"], dataset.weights["dev"], shares, seed=trainer.seed)
    return replace(model, decision=found)


def report(
    outputs: NDArray,
    truth: NDArray,
    weights: NDArray,
    metric: Metric,
    loss: Loss,
    selection: Selection,
    *,
    numbers: Sequence[int],
    default: Sequence[int] = (),
    class_shares: Iterable[float] = (),
    seed: int = 0,
    **options: int,
) -> EnsembleReport:
    """How much of a selection's score is overfitting to the rows it was chosen on, and whether it is better than the usual model.

    Args:
        outputs: as for ``select``, and so are ``truth``, ``weights`` and ``loss``.
        metric: of the scores.
        selection: that was made on these rows.
        numbers: of the library's trials.
        default: the places in the library of the usual model's networks, whose mean is compared with; none by default.
        class_shares: of the classes in the training rows.
        seed: of the halves, the bags and the intervals.
        options: ``size``, ``start`` and ``bags`` of the selection.
    """
    finish = _finish(metric, class_shares)
    chosen = mean_of(outputs, selection.shares)
    if finish is not None:
        chosen = finish(chosen, truth, weights)(chosen)
    alike = np.bincount(default, minlength=len(outputs)) / max(1, len(default))
    scores, draws = [], []
    for number, halves in enumerate(cross_fit(outputs, truth, weights, loss, seed=seed, **options)):
        compared = [halves, CrossFitted(halves.halves, (alike, alike))][: 2 if len(default) else 1]
        predictions = [chosen, *(each.predicted(outputs, truth, weights, finish) for each in compared)]
        scores.append([score(metric, truth, prediction, weights) for prediction in predictions])
        draws.append(paired_bootstrap(metric, truth, predictions, weights, resamples=RESAMPLES, seed=seed + number))
    # Draws of all divisions together: what the rows and what the division into halves leave open.
    value, drawn = np.mean(scores, axis=0), np.concatenate(draws, axis=1)
    error, drawn_error = metric.as_error(value), metric.as_error(drawn)
    spans = [spanned(each, some) for each, some in zip(value, drawn, strict=True)]
    minus = [spanned(error[1] - each, drawn_error[1] - some) for each, some in zip(error, drawn_error, strict=True)]
    gain = minus[2] if len(default) else None
    shares = ((numbers[place], float(selection.shares[place])) for place in np.flatnonzero(selection.shares).tolist())
    record = EnsembleReport(
        metric=metric.name,
        loss=loss,
        rows=len(truth),
        library=len(outputs),
        shares=tuple(sorted(shares, key=lambda pair: -pair[1])),
        divisions=len(scores),
        chosen=spans[0],
        cross_fitted=spans[1],
        default=spans[2] if len(default) else None,
        optimism=minus[0],
        gain=gain,
        better="cannot tell" if gain is None or gain.low <= 0 <= gain.high else "yes" if gain.high < 0 else "no",
        text="",
    )
    return replace(record, text=_text(record, metric))


def _finish(metric: Metric, class_shares: Iterable[float]) -> Finish | None:
    """What the metric asks to be fitted to mean predictions on rows that are chosen by: temperature, or decision between classes."""
    shares = tuple(class_shares)
    if metric.unit == "nats":
        return lambda mean, truth, weights: partial(scaled, temperature=_temperature(mean, truth, weights), is_multi_label=truth.ndim == 2)
    if metric.counts == "class rates":
        return lambda mean, truth, weights: partial(weighed, decision=fit_decision(metric, mean, truth, weights, shares))
    return None


def _text(record: EnsembleReport, metric: Metric) -> str:
    def plain(interval: Interval) -> str:
        return f"{interval.value:.4g} ({interval.low:.4g} to {interval.high:.4g})"

    count, by = len(record.shares), record.loss.replace("_", " ")
    text = (
        f"Of {record.library:,} networks {count} {'were' if count > 1 else 'was'} chosen by {by} on {record.rows:,} dev rows. "
        f"{metric.title}: {record.chosen.value:.4g} on the rows they were chosen on, {plain(record.cross_fitted)} where one half "
        f"of the rows chose and the other scored; the difference, {plain(record.optimism)}, is overfitting to dev."
    )
    if record.default is None or record.gain is None:
        return text
    answer = {"yes": "The ensemble is better", "no": "The ensemble is worse", "cannot tell": "Which is better cannot be told"}
    return (
        f"{text} The mean of the retrained networks has {record.default.value:.4g}. {answer[record.better]}: "
        f"the cross-fitted error of the ensemble minus theirs is {plain(record.gain)}."
    )


def _library(trainer: Trainer, networks: Sequence[Network]) -> tuple[list[Network], NDArray]:
    """The networks that can be used, and their predictions of the dev rows ``[networks, rows, ...]``."""
    groups: dict[tuple[Shape, int], list[Network]] = {}
    for network in networks:
        if network.state is not None and math.isfinite(network.score):
            groups.setdefault((replace(network.recipe.shape, batch_size=1), _width(network)), []).append(network)
    library, outputs = [], []
    for (shape, _), group in groups.items():
        predicted = _networks(trainer, group).outputs(trainer.prepared(shape)[0].inputs["dev"])
        if trainer.dataset.task != "regression":
            predicted = predicted.astype(np.float32)
        finite = np.flatnonzero(np.isfinite(predicted.reshape(len(predicted), -1)).all(1)).tolist()
        library += [group[place] for place in finite]
        outputs.append(predicted[finite])
    if not library:
        received = f"{len(networks)} networks, all diverged or without weights"
        raise DataError(Problem("some network can be part of an ensemble", received, "Lower the learning rate or clip the gradient."))
    return library, np.concatenate(outputs)


def _networks(trainer: Trainer, networks: Sequence[Network]) -> Networks:
    """Networks of one layout; of several recipes they name the first."""
    recipe = networks[0].recipe
    dataset, tables = trainer.prepared(recipe.shape)
    return Networks(dataset.preparation, recipe, trainer.layout(recipe.shape, _width(networks[0]), ()), best_of(networks), tables.encoding)


def _width(network: Network) -> int:
    """Of its dense layers with their padding: in a search that is its family's, not its recipe's."""
    recipe = network.recipe
    if network.state is None or not recipe.hidden_units:
        return width_class(recipe)
    first_dense = len(recipe.units) - len(recipe.hidden_units)
    return network.state.best.parameters[first_dense]["w"].shape[-1]


def _temperature(probability: NDArray, truth: NDArray, weights: NDArray) -> float:
    return fit_temperature(probability, truth, weights, truth.ndim == 2)
