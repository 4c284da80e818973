"""The confusion matrix of a classifier, small enough to be kept: also that of several hundred classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shoal.experiments.repeats import share_of
from shoal.measurements import Confusion

MOST_PAIRS = 1_500
"""Of a class and an answer that are kept, the most frequent: all there are of 39 classes."""


def measure_confusion(said: NDArray, truth: NDArray, classes: int) -> Confusion:
    """Count what rows of each class are answered with.

    Args:
        said: class index that the model answers ``[rows]``.
        truth: class index in the data ``[rows]``.
        classes: how many there are.

    Example:
        >>> found = measure_confusion(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 0]), 2)
        >>> found.rows, found.answered, found.mistakes
        ((3, 1), (1, 3), ((0, 1, 2),))
    """
    table = confusion_table(said, truth, classes)
    rows, right = table.sum(axis=1), np.diag(table)
    off = table - np.diag(right)
    frequent = np.argsort(-off, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(*divmod(int(place), classes), int(off.flat[place])) for place in frequent if off.flat[place]]
    return Confusion(
        rows=tuple(rows.tolist()),
        answered=tuple(table.sum(axis=0).tolist()),
        right=tuple(share_of(int(hit), int(count), method="wilson") if count else None for hit, count in zip(right, rows, strict=True)),
        mistakes=tuple(pairs),
        left_out=int(off.sum()) - sum(count for *_, count in pairs),
    )


def confusion_table(said: NDArray, truth: NDArray, classes: int) -> NDArray:
    """Rows of each class by what they are answered with ``[classes, classes]``, from class indices ``[rows]``."""
    return np.bincount(truth.astype(np.int64) * classes + said, minlength=classes**2).reshape(classes, classes)
