"""Measuring: the errors of each part and of the references, with everything needed to compare two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from shoal.decision import weighed
from shoal.experiments.reliability import Calibration, measure_calibration
from shoal.measurements.decision import Decision
from shoal.metrics import Metric, paired_bootstrap, score, seed_scatter, spanned
from shoal.records import Interval, Part

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True, eq=False)
class PartPrediction:
    """The final model's answers for one part of the data.

    ``truth`` is a class index or value ``[rows]``; ``members`` the predictions of the networks that differ in their seeds
    only, ``[members, rows, C]`` or ``[members, rows]``; ``ensemble`` their mean unless given; ``weight`` is ``[rows]``.
    """

    truth: NDArray
    members: NDArray
    ensemble: NDArray | None = None
    weight: NDArray | None = None
    one_by_one: bool = False
    """Whether the members are used alone: the error is then the mean of theirs, not that of their common answer."""
    has_probabilities: bool = True
    """Whether answers about classes are probabilities, not bare decisions."""
    decision: Decision | None = None
    """How classes follow from the answers, where it is not the most probable one that is said."""

    @property
    def answer(self) -> NDArray:
        """The common answer of the members."""
        return np.asarray(self.members.mean(axis=0)) if self.ensemble is None else self.ensemble

    @property
    def decided(self) -> PartPrediction:
        """The answers by which classes are decided: the largest number is that of the class that is said."""
        if self.decision is None:
            return self
        members, answer = (weighed(each, self.decision) for each in (self.members, self.answer))
        return replace(self, members=members, ensemble=answer, decision=None)

    @property
    def judged(self) -> tuple[NDArray, ...]:
        """The answers whose mean error is judged."""
        return tuple(self.members) if self.one_by_one else (self.answer,)


@dataclass(frozen=True, slots=True, eq=False)
class PartError:
    """The error on one part: smaller is better, whatever the metric."""

    error: Interval
    """Over examples and seeds."""
    rows: int
    draws: NDArray
    """The error on resampled examples ``[resamples]``."""
    members: NDArray
    """Each member's own error ``[members]``; empty for a model without seeds."""


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """How much larger one error is than another, and where the doubt comes from."""

    size: Interval
    variances: dict[str, float]
    """Of the estimate: from the rows of either part, and from the ``seeds``."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """All errors of a model and of its references. Measured only; ``judge`` says what they mean."""

    metric: Metric
    parts: dict[Part, PartError]
    references: dict[str, PartError] = field(default_factory=dict)
    """Of each reference on the dev rows."""
    behind: dict[str, Interval] = field(default_factory=dict)
    """How much larger the model's dev error is than each reference's, on the same resampled rows."""
    scale: float = 1.0
    """What an error can be compared with: 1 for shares and nats, the standard deviation of the truth for values."""
    seed: int = 0
    calibration: Calibration | None = None
    """Of the probabilities on dev; ``None`` where there are none."""

    def difference(self, later: Part, earlier: Part) -> Difference:
        """The error on one part minus that on another.

        The two parts' rows are independent, the networks are the same: so examples are drawn apart, and seeds are
        compared pairwise, each member's gap with the other members' gaps.
        """
        return difference(self.parts[later], self.parts[earlier], later, earlier, self.seed)


def difference(later: PartError, earlier: PartError, later_name: str, earlier_name: str, seed: int = 0) -> Difference:
    """The difference of two errors measured on different rows, the earlier one of the same networks or of none."""
    members = later.members - earlier.members if len(earlier.members) else later.members
    scatter = seed_scatter(members, resamples=len(later.draws), seed=seed)
    size = spanned(later.error.value - earlier.error.value, later.draws - earlier.draws + scatter)
    seeds = float(members.var(ddof=1) / len(members)) if len(members) > 1 else 0.0
    return Difference(size, {later_name: float(later.draws.var()), earlier_name: float(earlier.draws.var()), "seeds": seeds})


def measure(
    parts: Mapping[Part, PartPrediction],
    metric: Metric,
    references: Mapping[str, NDArray] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Errors:
    """The errors of the model on every part, and of the references on dev.

    Args:
        parts: the model's predictions; train and dev at least.
        metric: the score; where greater is better the error is ``1 - score``.
        references: other models' predictions of the dev rows, by name; where they have a decision of their own, by which they decide.
        resamples: draws behind each interval.
        seed: of the draws.

    Returns:
        The errors with their intervals over examples (bootstrap) and seeds.

    Raises:
        ValueError: if train or dev is missing.

    Example:
        >>> from shoal.metrics import METRICS
        >>> train = PartPrediction(truth=np.zeros(4), members=np.full((2, 4), 1.0))
        >>> dev = PartPrediction(truth=np.zeros(4), members=np.full((2, 4), 3.0))
        >>> measure({"train": train, "dev": dev}, METRICS["mae"]).difference("dev", "train").size
        Interval(value=2.0, low=2.0, high=2.0)
    """
    missing = [part for part in ("train", "dev") if part not in parts]
    if missing:
        raise ValueError(f"a diagnosis compares train with dev; received no {' and no '.join(missing)}")
    probable = parts["dev"]
    parts = {part: prediction.decided for part, prediction in parts.items()}
    # Parts hold different rows and are drawn independently.
    seeds = {part: len(PARTS) * seed + PARTS.index(part) for part in parts}
    draws = {part: _draws(metric, prediction, None, resamples, seeds[part])[0] for part, prediction in parts.items()}
    draws["train"] = _as_other_rows(draws["train"], len(parts["train"].truth), draws["dev"], len(parts["dev"].truth))
    measured: dict[Part, PartError] = {}
    for part, prediction in parts.items():
        members = [score(metric, prediction.truth, member, prediction.weight) for member in prediction.members]
        value = float(np.mean([score(metric, prediction.truth, answer, prediction.weight) for answer in prediction.judged]))
        measured[part] = _part_error(metric, value, draws[part], np.array(members), len(prediction.truth), seeds[part])

    dev = parts["dev"]
    calibration = None
    if metric.task == "classification" and dev.has_probabilities:
        calibration = measure_calibration(probable.judged[0], dev.truth, dev.weight, resamples=resamples, seed=seed)
    others: dict[str, PartError] = {}
    behind: dict[str, Interval] = {}
    scatter = seed_scatter(measured["dev"].members, resamples=resamples, seed=seed)
    for name, prediction in (references or {}).items():
        own_draws, reference = _draws(metric, dev, prediction, resamples, seed)
        own, other = metric.as_error(own_draws), metric.as_error(reference)
        value = score(metric, dev.truth, prediction, dev.weight)
        others[name] = _part_error(metric, value, reference, np.array([]), len(dev.truth), seed)
        behind[name] = spanned(measured["dev"].error.value - others[name].error.value, own - other + scatter)
    return Errors(metric, measured, others, behind, _scale(metric, dev.truth), seed, calibration)


def _as_other_rows(train: NDArray, train_rows: int, dev: NDArray, dev_rows: int) -> NDArray:
    """Draws of the train score, as wide as that of other training rows and a model fitted to them would scatter.

    Rows that a model was fitted to differ less in their errors than rows do: in least squares with p of n parameters their
    variance is (1 - p/n)^2 of the noise's, while the mean error over training sets has (1 - p/n) of it, which lies half-way (in
    the logarithm) to the noise, and so to the rows that the model was not fitted to. ``make coverage`` measures what it does.
    """
    own, new = train.std() * np.sqrt(train_rows), dev.std() * np.sqrt(dev_rows)
    if not 0 < own < new:
        return train
    return train.mean() + (train - train.mean()) * np.sqrt(new / own)


def _draws(metric: Metric, prediction: PartPrediction, other: NDArray | None, resamples: int, seed: int) -> tuple[NDArray, NDArray]:
    """The model's score, and another model's, on the same resampled examples, ``[resamples]`` each."""
    own = prediction.judged
    models, groups = (own, [0] * len(own)) if other is None else ((*own, other), [0] * len(own) + [1])
    draws = paired_bootstrap(metric, prediction.truth, models, prediction.weight, resamples=resamples, seed=seed, groups=groups)
    return draws[: len(own)].mean(axis=0), draws[-1]


def _part_error(metric: Metric, value: float, draws: NDArray, members: NDArray, rows: int, seed: int) -> PartError:
    lowest = metric.low if not metric.greater_is_better else metric.as_error(metric.high)
    highest = metric.high if not metric.greater_is_better else metric.as_error(metric.low)
    draws, members = metric.as_error(draws), metric.as_error(members)
    scattered = np.clip(draws + seed_scatter(members, resamples=len(draws), seed=seed), lowest, highest)
    return PartError(spanned(metric.as_error(value), scattered), rows, draws, members)


def _scale(metric: Metric, truth: NDArray) -> float:
    if metric.unit in ("share", "nats"):
        return 1.0
    spread = float(np.std(truth))
    return spread if metric.unit == "target" else spread**2
