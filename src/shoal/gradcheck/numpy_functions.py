"""Checking a pair of NumPy functions, a cost and its gradient: the perturbed points are evaluated one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shoal.errors import OptionError
from shoal.gradcheck.evaluation import repeatable, scalar
from shoal.gradcheck.point import Subject, Tree


def subject(cost: Callable[[Any], Any], tree: Tree, gradient: Callable[[Any], Any]) -> Subject:
    """A cost and its gradient, both functions of any nested dictionaries, lists or tuples of arrays, or of one array.

    Each call gets arrays of its own, in float64, so the caller's are never changed.

    Raises:
        OptionError: the cost is no finite number in double precision or changes from call to call, or the gradient is not like the point.
    """

    def at(vector: np.ndarray) -> Any:
        return tree.rebuild([array.copy()[()] for array in tree.point.split(vector)])

    theta = tree.point.values
    problems = []
    here, slope = np.nan, theta
    try:
        here = scalar(cost(at(theta)))
        repeatable(lambda: float(cost(at(theta))), here)
    except OptionError as error:
        problems += error.problems
    try:
        slope = tree.gradient(gradient(at(theta)))
    except OptionError as error:
        problems += error.problems
    if problems:
        raise OptionError(*problems)
    return Subject(tree.point, here, slope, lambda points: np.array([float(cost(at(vector))) for vector in points]), chunk=1)
