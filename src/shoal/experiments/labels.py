"""Several labels per row: what becomes of each, and each label of each row as a forecast of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shoal.data import Dataset
from shoal.data.target import LabelsTarget
from shoal.experiments.repeats import share_of
from shoal.interval import Interval
from shoal.measurements import LabelAnswers


def labels_said(probability: NDArray) -> NDArray[np.bool_]:
    """Whether a row is answered with a label, from probabilities ``[rows, labels]``."""
    return probability > 0.5


def target_cells(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """For each label, by name and in order, what the data hold where it is absent and where it is there."""
    target = dataset.preparation.target
    assert isinstance(target, LabelsTarget), "of another task nothing is asked about labels"
    return target.pairs


def measure_labels(said: NDArray, truth: NDArray, there: Mapping[str, str]) -> tuple[LabelAnswers, ...]:
    """Count what rows with and without each label are answered with.

    Args:
        said: whether each row is answered with each label ``[rows, labels]``.
        truth: whether it has it, 0 or 1 ``[rows, labels]``.
        there: for each label, by name and in order, what the data hold where it is there.

    Example:
        >>> said, truth = np.array([[1, 0], [1, 0], [0, 0]]), np.array([[1, 0], [0, 1], [0, 1]])
        >>> red, blue = measure_labels(said, truth, {"red": "yes", "blue": "yes"})
        >>> (red.hits, red.missed, red.false_alarms, red.left_out), blue.missed, blue.precision
        ((1, 0, 1, 1), 2, None)
    """
    said, truth = np.asarray(said, bool), np.asarray(truth, bool)
    cells = [(said & truth), (~said & truth), (said & ~truth), (~said & ~truth)]
    counts = np.stack([each.sum(axis=0) for each in cells], axis=1).tolist()
    return tuple(
        LabelAnswers(name, value, hits, missed, false, right, _share(hits, hits + missed), _share(hits, hits + false))
        for (name, value), (hits, missed, false, right) in zip(there.items(), counts, strict=True)
    )


def as_forecasts(probability: NDArray, truth: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray, NDArray | None]:
    """Each label of each row as a row of two classes: absent and there.

    Args:
        probability: ``[rows, labels]``.
        truth: 0 or 1 ``[rows, labels]``.
        weight: importance of each row ``[rows]``.

    Returns:
        Probabilities ``[rows * labels, 2]``, class numbers and weights ``[rows * labels]``.

    Example:
        >>> as_forecasts(np.array([[0.25, 0.5]]), np.array([[0, 1]]), np.array([3.0]))
        (array([[0.75, 0.25],
               [0.5 , 0.5 ]]), array([0, 1]), array([3., 3.]))
    """
    there = np.asarray(probability, np.float64).ravel()
    return np.stack([1 - there, there], axis=1), truth.ravel(), None if weight is None else np.repeat(weight, truth.shape[1])


def _share(count: int, rows: int) -> Interval | None:
    return share_of(count, rows, method="wilson") if rows else None
