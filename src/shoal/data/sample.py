"""Some of many rows, drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drawn_rows(count: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of all of ``count`` rows, or of ``most`` of them drawn at random, in order.

    Example:
        >>> drawn_rows(3, 5, np.random.default_rng(0)), len(drawn_rows(100, 5, np.random.default_rng(0)))
        (array([0, 1, 2]), 5)
    """
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))
