"""How the target depends on one column of whole numbers: along a smooth curve, or in jumps from value to value."""

from __future__ import annotations

import numpy as np

ROWS_LOOKED_AT = 20_000


def jumps(values: np.ndarray, answers: np.ndarray) -> float:
    """Share of the target's variance that the mean of each value explains beyond a cubic curve, both adjusted for their parameters.

    Args:
        values: the column, float64 [rows], with few different values.
        answers: the target of the same training rows [rows, outputs]: standardised, or one 0/1 column per class.

    Example:
        >>> hours = np.arange(2400) % 24.0
        >>> rush = np.isin(hours, [8, 17])[:, None]
        >>> jumps(hours, rush) > 0.9, jumps(hours, hours[:, None] ** 2) < 0.01
        (True, True)
    """
    every = max(1, len(values) // ROWS_LOOKED_AT)
    values, answers = values[::every], answers[::every].astype(np.float64)
    answers = answers - answers.mean(axis=0)
    total = float(np.sum(answers**2))
    levels, index = np.unique(values, return_inverse=True)
    if total == 0 or len(values) <= len(levels) + 4:
        return 0.0
    counts = np.bincount(index)
    sums = np.stack([np.bincount(index, weights=column) for column in answers.T], axis=1)
    by_value = float(np.sum(sums**2 / counts[:, None])) / total
    curve = np.vander((values - values.mean()) / (values.std() or 1.0), 4)
    residual = answers - curve @ np.linalg.lstsq(curve, answers, rcond=None)[0]
    smooth = 1.0 - float(np.sum(residual**2)) / total
    return _adjusted(by_value, len(values), len(levels)) - _adjusted(smooth, len(values), 4)


def _adjusted(explained: float, rows: int, parameters: int) -> float:
    return 1.0 - (1.0 - explained) * (rows - 1) / (rows - parameters)
