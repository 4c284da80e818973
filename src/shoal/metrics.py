"""Scores of predictions, and how sure they are.

Every score here is a function of sums over the examples (examples right per class, squared errors, ...). That makes one
bootstrap serve all of them: draw the sums, not the examples.

==============  ========================================================================================
what it counts  how its sums are drawn
==============  ========================================================================================
rates           error, accuracy, balanced accuracy and F1 depend only on how often each (true, predicted) pair occurs.
                The shares of the pairs are drawn from their Dirichlet posterior (the Bayesian bootstrap, Rubin 1981)
                with half an example right and half an example wrong added beforehand. For the error rate this is
                exactly the Jeffreys interval ``Beta(k + 1/2, n - k + 1/2)``, which keeps its coverage where the plain
                bootstrap returns [0, 0]: at no errors at all (Brown, Cai and DasGupta 2001).
means           log loss, wrong labels, squared and absolute errors and r2: Efron's bootstrap of the examples up to 10,000 rows; above,
                the central limit theorem's normal distribution of the same sums, which costs nothing.
ranks           the area under the ROC curve is the mean of the examples' pseudo-values (DeLong, DeLong and
                Clarke-Pearson 1988), drawn as a mean, again with half an example each way.
==============  ========================================================================================

Sample weights enter the rates through Kish's effective number of rows ``(sum w)^2 / sum w^2``, and the other two exactly.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.special import stdtrit

from shoal.errors import OptionError, Problem, did_you_mean
from shoal.records import Interval, Task

Floats = NDArray[np.floating]

ROWS_RESAMPLED = 10_000
"""Above this many rows sums are drawn from their normal limit; the skewness of a mean has then shrunk a hundredfold."""
CHUNK = 1_000_000
"""Example counts held in memory at a time (8 MB)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A score: what it is called, which way is better, and how it follows from sums over the examples."""

    name: str
    title: str
    task: Task
    greater_is_better: bool
    counts: Literal["rate", "class rates", "means", "ranks"]
    combine: Callable[[Floats], Floats]
    """Sums ``[..., K]`` to scores ``[...]``."""
    terms: Callable[[NDArray, NDArray, Floats], Floats] | None = None
    """Truth, prediction and weight to each example's weighted terms ``[rows, K]``; rates count pairs instead."""
    low: float = 0.0
    high: float = np.inf
    unit: Literal["share", "nats", "target", "target squared"] = "share"

    def as_error(self, score):
        """The score as an error: itself where smaller is better, else ``1 - score``. Takes a number or an array.

        Example:
            >>> METRICS["accuracy"].as_error(0.75)
            0.25
        """
        return 1.0 - score if self.greater_is_better else score


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros(np.shape(below)), where=below > 0)


def _accuracy(sums: Floats) -> Floats:
    hits, true, _ = np.split(sums, 3, axis=-1)
    return hits.sum(-1) / true.sum(-1)


def _error(sums: Floats) -> Floats:
    hits, true, _ = np.split(sums, 3, axis=-1)
    # Not 1 - accuracy, which turns 3 wrong of 100 into 0.030000000000000027.
    return (true.sum(-1) - hits.sum(-1)) / true.sum(-1)


def _balanced_accuracy(sums: Floats) -> Floats:
    hits, true, _ = np.split(sums, 3, axis=-1)
    return _ratio(hits, true).sum(-1) / (true > 0).sum(-1)


def _f1(sums: Floats) -> Floats:
    """Macro mean of ``2 TP / (2 TP + FP + FN)`` over the classes that occur in truth or prediction."""
    hits, true, predicted = np.split(sums, 3, axis=-1)
    return _ratio(2 * hits, true + predicted).sum(-1) / (true + predicted > 0).sum(-1)


def _surprise(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    probability = np.take_along_axis(prediction, truth[:, None], axis=1)[:, 0]
    # The clip of scikit-learn: one certain mistake must not make the mean infinite.
    smallest = np.finfo(prediction.dtype).eps
    return np.stack([weight, -weight * np.log(np.clip(probability, smallest, 1.0).astype(np.float64))], axis=1)


def _absolute(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    return np.stack([weight, weight * np.abs(truth - prediction)], axis=1)


def _square(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    return np.stack([weight, weight * (truth - prediction) ** 2], axis=1)


def _square_and_spread(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    # Centred first: sum y^2 - (sum y)^2 / n loses all digits where the mean is far from zero.
    centred = truth - np.average(truth, weights=weight)
    return np.stack([weight, weight * (truth - prediction) ** 2, weight * centred, weight * centred**2], axis=1)


def _wrong_labels(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    return np.stack([weight, weight * ((prediction > 0.5) != (truth > 0.5)).mean(axis=1)], axis=1)


def _any_wrong_label(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    return np.stack([weight, weight * ((prediction > 0.5) != (truth > 0.5)).any(axis=1)], axis=1)


def _label_surprise(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    right = np.clip(np.where(truth > 0.5, prediction, 1 - prediction), np.finfo(np.float64).eps, 1.0)
    return np.stack([weight, -weight * np.log(right).mean(axis=1)], axis=1)


def _mean(sums: Floats) -> Floats:
    return sums[..., 1] / sums[..., 0]


def _root_mean(sums: Floats) -> Floats:
    return np.sqrt(np.maximum(_mean(sums), 0.0))


def _r2(sums: Floats) -> Floats:
    """``1 - sum (y - f)^2 / sum (y - mean y)^2``; of a constant truth 1 if predicted exactly and else 0, as scikit-learn has it."""
    total, residual, first, second = np.moveaxis(sums, -1, 0)
    spread = second - first**2 / total
    flat = spread <= 1e-12 * second
    return np.where(flat, np.where(residual > 0, 0.0, 1.0), 1.0 - residual / np.where(flat, 1.0, spread))


def _problems_of_one_class(truth: NDArray, classes: int) -> list[int]:
    """The classes to set against the rest: both present and absent in some rows; only the second of two."""
    count = np.bincount(truth, minlength=classes)
    return [label for label in ([1] if classes == 2 else range(classes)) if 0 < count[label] < len(truth)]


def _pseudo_values(truth: NDArray, prediction: NDArray, weight: Floats) -> Floats:
    """Terms whose weighted mean is the area under the ROC curve, and whose spread is its sampling error.

    With ``V`` the share of the other class that an example is ranked right against (ties count half) and ``p`` the share
    of its own class, the pseudo-value is ``A + (V - A) / p``. Several classes: the macro mean of each against the rest.
    Where only one class occurs the area is 0.5, for no ranking can be right or wrong.
    """
    pseudo = []
    for label in _problems_of_one_class(truth, prediction.shape[1]):
        own, rest = truth == label, truth != label
        values = np.empty(len(truth))
        values[own] = _share_below(prediction[rest, label], weight[rest], prediction[own, label])
        values[rest] = 1.0 - _share_below(prediction[own, label], weight[own], prediction[rest, label])
        area = np.average(values[own], weights=weight[own])
        share = np.where(own, weight[own].sum(), weight[rest].sum()) / weight.sum()
        pseudo.append(area + (values - area) / share)
    mean = np.mean(pseudo, axis=0) if pseudo else np.full(len(truth), 0.5)
    return np.stack([weight, weight * mean], axis=1)


def _share_below(ranked: NDArray, weight: Floats, value: NDArray) -> Floats:
    """Weighted share of ``ranked`` below each ``value``, ties counting half."""
    order = np.argsort(ranked)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    ranked = ranked[order]
    return (below[np.searchsorted(ranked, value, "left")] + below[np.searchsorted(ranked, value, "right")]) / (2 * below[-1])


_TABLE = (
    Metric("error", "Error rate", "classification", False, "rate", _error, high=1.0),
    Metric("accuracy", "Accuracy", "classification", True, "rate", _accuracy, high=1.0),
    Metric("log_loss", "Log loss", "classification", False, "means", _mean, _surprise, unit="nats"),
    Metric("balanced_accuracy", "Balanced accuracy", "classification", True, "class rates", _balanced_accuracy, high=1.0),
    Metric("f1", "F1 (macro)", "classification", True, "class rates", _f1, high=1.0),
    Metric("auc", "Area under the ROC curve", "classification", True, "ranks", _mean, _pseudo_values, high=1.0),
    Metric("hamming_loss", "Hamming loss (share of wrong labels)", "multi_label", False, "means", _mean, _wrong_labels, high=1.0),
    Metric("subset_error", "Rows with a wrong label", "multi_label", False, "means", _mean, _any_wrong_label, high=1.0),
    Metric("label_log_loss", "Log loss (mean over the labels)", "multi_label", False, "means", _mean, _label_surprise, unit="nats"),
    Metric("rmse", "Root mean squared error", "regression", False, "means", _root_mean, _square, unit="target"),
    Metric("mae", "Mean absolute error", "regression", False, "means", _mean, _absolute, unit="target"),
    Metric("mse", "Mean squared error", "regression", False, "means", _mean, _square, unit="target squared"),
    Metric("r2", "R squared", "regression", True, "means", _r2, _square_and_spread, low=-np.inf, high=1.0),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
DEFAULT_METRIC: dict[Task, str] = {"classification": "error", "multi_label": "hamming_loss", "regression": "rmse"}


def check_metric(name: str | None, task: Task) -> Metric:
    """The metric of that name, or the task's default for ``None``.

    Raises:
        OptionError: if there is no such metric for the task; with the likeliest correction.

    Example:
        >>> check_metric(None, "regression").title
        'Root mean squared error'
        >>> check_metric("acuracy", "classification")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        shoal.errors.OptionError: the metric of a classification is one of error, ...; received 'acuracy'. Did you mean 'accuracy'?
    """
    name = DEFAULT_METRIC[task] if name is None else name
    suited = [metric.name for metric in METRICS.values() if metric.task == task]
    if name in suited:
        return METRICS[name]
    received = f"{name!r}, a metric of {METRICS[name].task}" if name in METRICS else repr(name)
    raise OptionError(Problem(f"the metric of a {task} is one of {', '.join(suited)}", received, did_you_mean(name, suited)))


def goal_problems(metric: str | None, target_error: Any) -> Iterator[Problem]:
    """What is wrong with a metric's name and a target error, as far as can be said before the task is known."""
    if metric is not None and metric not in METRICS:
        try:
            check_metric(metric, "classification")
        except OptionError as error:
            yield from error.problems
    if target_error is not None and not (isinstance(target_error, int | float) and 0 <= target_error < np.inf):
        yield Problem("the target error is a number of at least 0", repr(target_error), "Give it in the metric's unit, such as 0.02.")


def score(metric: Metric, truth: NDArray, prediction: NDArray, weight: NDArray | None = None) -> float:
    """The score of predictions.

    Args:
        metric: from ``METRICS``.
        truth: class index ``[rows]``, 0 or 1 ``[rows, labels]``, or value ``[rows]``.
        prediction: probabilities ``[rows, C]`` (of labels ``[rows, labels]``), or values ``[rows]``.
        weight: non-negative importance of each example ``[rows]``; all alike by default.

    Raises:
        ValueError: if there is no row, the lengths differ, or a prediction is not finite.

    Example:
        >>> score(METRICS["error"], np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
        0.25
    """
    truth, prediction, weight = _checked(metric, truth, prediction, weight)
    if metric.terms is not None:
        return float(metric.combine(metric.terms(truth, prediction, weight).sum(axis=0)))
    sums = _class_sums(truth, prediction.argmax(axis=1), prediction.shape[1])
    return float(metric.combine(weight @ sums))


def bootstrap(
    metric: Metric, truth: NDArray, prediction: NDArray, weight: NDArray | None = None, *, resamples: int = 1000, seed: int = 0
) -> Floats:
    """Scores of resampled examples ``[resamples]``; how each kind is drawn stands at the top of this module.

    Args and errors as for ``score``; the same seed gives the same draws.

    Example:
        >>> always_right = np.tile([1.0, 0.0], (100, 1))
        >>> bool(0.02 < np.quantile(bootstrap(METRICS["error"], np.zeros(100, int), always_right), 0.975) < 0.03)
        True
    """
    return paired_bootstrap(metric, truth, (prediction,), weight, resamples=resamples, seed=seed)[0]


def paired_bootstrap(
    metric: Metric,
    truth: NDArray,
    predictions: Sequence[NDArray],
    weight: NDArray | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> Floats:
    """Scores of several models ``[models, resamples]`` on the same resampled examples, so that differences are paired.

    ``groups`` numbers the models from 0, alike for those that differ in their seeds only: the half examples that are added for
    rates are then right or wrong for a whole group, so that many refits of one model do not add many examples.

    Example:
        >>> truth, same = np.arange(10.0), np.ones(10)
        >>> first, second = paired_bootstrap(METRICS["mae"], truth, (same, same), resamples=5)
        >>> bool(np.all(first == second))
        True
    """
    checked = [_checked(metric, truth, prediction, weight) for prediction in predictions]
    truth, _, weight = checked[0]
    predictions = [prediction for _, prediction, _ in checked]
    if metric.terms is None:
        alike, rng = range(len(predictions)) if groups is None else groups, np.random.default_rng(seed)
        return _rate_draws(metric, truth, predictions, weight, resamples, rng, alike)
    terms = [metric.terms(truth, prediction, weight) for prediction in predictions]
    sums = _mean_draws(np.concatenate(terms, axis=1), resamples, seed)
    draws = np.stack([metric.combine(each) for each in np.split(sums, len(predictions), axis=1)])
    if metric.counts == "ranks":
        areas = np.array([metric.combine(each.sum(axis=0)) for each in terms])
        draws += _half_a_rank(truth, predictions[0].shape[1], areas, resamples, np.random.default_rng((seed, 2)))
    return np.clip(draws, metric.low, metric.high)


def paired_difference(
    metric: Metric, truth: NDArray, before: NDArray, after: NDArray, weight: NDArray | None = None, *, seed: int = 0
) -> Interval:
    """What one model's error is minus another's on the same examples, with its 95 % interval over them: below 0 ``after`` is better.

    Example:
        >>> truth, wrong = np.zeros(4), np.ones(4)
        >>> paired_difference(METRICS["mae"], truth, wrong, truth)
        Interval(value=-1.0, low=-1.0, high=-1.0)
    """
    errors = [metric.as_error(np.asarray(score(metric, truth, prediction, weight))) for prediction in (before, after)]
    draws = metric.as_error(paired_bootstrap(metric, truth, (before, after), weight, seed=seed))
    return spanned(float(errors[1] - errors[0]), draws[1] - draws[0])


def seed_scatter(member_scores: NDArray, *, resamples: int = 1000, seed: int = 0) -> Floats:
    """What the choice of random seeds adds to an ensemble's score: draws ``[resamples]`` from ``N(0, s^2 / members)``.

    The members differ in nothing but their seeds, so ``s``, the standard deviation of their own scores on the same rows,
    is the spread over seeds of one network. To first order the ensemble's score moves as the mean of its members' scores
    does, whose variance is ``s^2 / members``. One member tells nothing about seeds and adds nothing.

    Example:
        >>> seed_scatter(np.array([0.1]), resamples=3)
        array([0., 0., 0.])
    """
    member_scores = np.asarray(member_scores, dtype=np.float64)
    if len(member_scores) < 2:
        return np.zeros(resamples)
    spread = member_scores.std(ddof=1) / np.sqrt(len(member_scores))
    # Its own stream: the same seed also draws the examples, and the two must not move together.
    return np.random.default_rng((seed, 1)).normal(0.0, spread, resamples)


def interval(
    metric: Metric,
    truth: NDArray,
    members: NDArray,
    weight: NDArray | None = None,
    *,
    ensemble: NDArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The ensemble's score with its 95 % interval over examples and random seeds.

    Args:
        metric: from ``METRICS``.
        truth: ``[rows]``.
        members: the members' predictions ``[members, rows]`` or ``[members, rows, C]``.
        weight: ``[rows]``.
        ensemble: the ensemble's prediction, by default the mean of the members'.
        resamples: draws behind the interval.
        seed: of the draws.

    Returns:
        The score, with the 2.5 and 97.5 percentiles of ``bootstrap`` plus ``seed_scatter``.

    Example:
        >>> interval(METRICS["mae"], np.zeros(3), np.ones((2, 3)))
        Interval(value=1.0, low=1.0, high=1.0)
    """
    if ensemble is None:
        ensemble = np.asarray(members.mean(axis=0))
    draws = bootstrap(metric, truth, ensemble, weight, resamples=resamples, seed=seed)
    draws = draws + seed_scatter(np.array([score(metric, truth, member, weight) for member in members]), resamples=resamples, seed=seed)
    return spanned(score(metric, truth, ensemble, weight), np.clip(draws, metric.low, metric.high))


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean with its 95 % interval (Student's t); one value tells nothing about its scatter and is its own interval.

    Args:
        values: of independent seeds, trials or replays.

    Example:
        >>> mean_interval([1.0, 2.0, 3.0]).high.__round__(3)
        4.484
        >>> mean_interval([1.0])
        Interval(value=1.0, low=1.0, high=1.0)
    """
    mean = float(np.mean(values))
    half = float(stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return Interval(mean, mean - half, mean + half)


def spanned(value: float, draws: NDArray) -> Interval:
    """The value with the 2.5 and 97.5 percentiles of its draws, widened where need be to hold the value itself.

    Example:
        >>> spanned(0.0, np.linspace(1.0, 2.0, 41))
        Interval(value=0.0, low=0.0, high=1.975)
    """
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def _checked(metric: Metric, truth: NDArray, prediction: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray, Floats]:
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if metric.task == "classification":
        truth = truth.astype(np.intp, copy=False)
    else:
        truth, prediction = truth.astype(np.float64), prediction.astype(np.float64)
    weight = np.ones(len(truth)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not len(truth) or len(prediction) != len(truth) or len(weight) != len(truth):
        raise ValueError(f"a score needs rows of one length; received {len(truth)}, {len(prediction)} and {len(weight)}")
    if prediction.ndim != (1 if metric.task == "regression" else 2):
        raise ValueError(f"{metric.name} takes {'[rows]' if metric.task == 'regression' else '[rows, C]'}; received {prediction.shape}")
    if not np.isfinite(prediction).all():
        raise ValueError("a score needs finite predictions; a network that diverged has no score")
    return truth, prediction, weight


def _class_sums(truth: NDArray, predicted: NDArray, classes: int) -> scipy.sparse.csr_array:
    """Hits, true and predicted examples of each class, ``[rows, 3 * classes]``."""
    rows = np.arange(len(truth))
    hit = truth == predicted
    row = np.concatenate([rows[hit], rows, rows])
    column = np.concatenate([truth[hit], classes + truth, 2 * classes + predicted])
    return scipy.sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(truth), 3 * classes))


def _rate_draws(
    metric: Metric,
    truth: NDArray,
    predictions: Sequence[NDArray],
    weight: Floats,
    resamples: int,
    rng: np.random.Generator,
    groups: Sequence[int],
) -> Floats:
    """Posterior draws of the shares of (truth, prediction of each model), ``[models, resamples]``.

    Half an example is added for each pattern of right and wrong answers of the groups, spread evenly over the classes that occur;
    the wrong answer is the next of those classes.
    """
    classes = predictions[0].shape[1]
    cells = np.stack([truth, *(prediction.argmax(axis=1) for prediction in predictions)])
    if metric.counts == "rate":
        cells, classes = np.where(cells == truth, 1, 0), 2
    index = cells[0]
    for said in cells[1:]:  # one after the other: a code for all models at once would overflow
        index = np.unique(index * classes + said, return_inverse=True)[1]
    first = np.unique(index, return_index=True)[1]
    effective = weight.sum() ** 2 / (weight**2).sum()
    counts = np.bincount(index, weight) * effective / weight.sum()

    present = np.unique(cells[0])
    wrong = np.roll(present, -1) if len(present) > 1 else (present + 1) % classes
    patterns = list(product((True, False), repeat=max(groups) + 1))
    added = np.concatenate(
        [np.stack([present, *(present if pattern[group] else wrong for group in groups)]) for pattern in patterns], axis=1
    )
    seen = np.concatenate([cells[:, first], added], axis=1)
    shares = rng.dirichlet(np.concatenate([counts, np.full(added.shape[1], 0.5 / len(present))]), size=resamples)
    return np.stack([metric.combine(shares @ _class_sums(seen[0], predicted, classes)) for predicted in seen[1:]])


def _mean_draws(terms: Floats, resamples: int, seed: int) -> Floats:
    """Means ``[resamples, K]`` of the terms ``[rows, K]`` of resampled examples."""
    rows, width = terms.shape
    if rows <= ROWS_RESAMPLED:
        counts, chunk = _counts(rows, resamples, seed), max(1, CHUNK // rows)
        return np.concatenate([counts[start : start + chunk].astype(float) @ terms for start in range(0, resamples, chunk)]) / rows
    rng = np.random.default_rng(seed)
    mean, spread = terms.mean(axis=0), terms.std(axis=0)
    # In units of each term's own spread: squared errors and weights can differ by many orders of magnitude.
    scaled = (terms - mean) / np.where(spread > 0, spread, 1.0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / rows)
    standard = rng.standard_normal((resamples, width)) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return mean + standard * spread / np.sqrt(rows)


@functools.lru_cache(maxsize=4)
def _counts(rows: int, resamples: int, seed: int) -> NDArray[np.uint16]:
    """How often each example is in each resample ``[resamples, rows]``; kept, since a run scores many models on the same rows."""
    rng, chunk = np.random.default_rng(seed), max(1, CHUNK // rows)
    counts = np.empty((resamples, rows), np.uint16)
    for start in range(0, resamples, chunk):
        some = counts[start : start + chunk]
        drawn = rng.integers(rows, size=some.shape) + np.arange(len(some))[:, None] * rows
        some[:] = np.bincount(drawn.ravel(), minlength=some.size).reshape(some.shape)
    return counts


def _half_a_rank(truth: NDArray, classes: int, areas: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Half an example of the rarest class ranked wholly right and half a one ranked wholly wrong, ``[models, resamples]``.

    Without them a perfect ranking of a handful of rows would be certain to be perfect for ever.
    """
    problems = _problems_of_one_class(truth, classes)
    if not problems:
        return np.zeros((len(areas), resamples))
    count = np.bincount(truth, minlength=classes)[problems]
    rarest = np.minimum(count, len(truth) - count).min() * len(problems)
    right, wrong = rng.gamma(0.5, size=(2, resamples)) / rarest
    return right * (1.0 - areas[:, None]) - wrong * areas[:, None]
