"""What a wrong gradient looks like: the usual slips of a backward pass leave traces that can be recognised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ALIKE = 1e-4
"""A trace counts where it explains all but this share of an array."""


def causes(name: str, shape: tuple[int, ...], analytic: np.ndarray, numeric: np.ndarray, parameter: np.ndarray) -> Iterator[str]:
    """What could be wrong with the gradient of one array, in sentences.

    Args:
        name: of the array.
        shape: of the array.
        analytic: its gradient at the checked coordinates ``[k]``.
        numeric: the differences there.
        parameter: the values there.

    Example:
        >>> list(causes("w", (3,), np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]), np.ones(3)))
        ['The gradient of w is 2 times the difference throughout: a factor is missing or too many.']
    """
    length, misfit = np.linalg.norm(numeric), analytic - numeric
    if not length or np.linalg.norm(misfit) <= ALIKE * length:
        return
    if not analytic.any():
        yield f"The gradient of {name} is 0, though the cost depends on it: its term is missing."
        return
    ratio = analytic @ numeric / length**2
    opposite = abs(ratio + 1) < ALIKE
    if (len(numeric) > 1 or opposite) and _alike(analytic, ratio * numeric):
        if opposite:
            yield f"The gradient of {name} has the wrong sign throughout."
        else:
            yield f"The gradient of {name} is {ratio:.6g} times the difference throughout: a factor is missing or too many."
        return
    if (
        len(shape) == 2
        and shape[0] == shape[1] > 1
        and len(numeric) == shape[0] ** 2
        and _alike(analytic, numeric.reshape(shape).T.ravel())
    ):
        yield f"The gradient of {name} is transposed."
        return
    pull = misfit @ parameter / (parameter @ parameter) if parameter.any() else 0.0
    if len(numeric) > 2 and pull and _alike(misfit, pull * parameter):
        slip = (
            "a term such as L2's is missing from the gradient" if pull < 0 else "the gradient holds a term such as L2's that the cost lacks"
        )
        yield f"The gradient of {name} differs by {pull:.6g} times the parameter itself: {slip}."
        return
    if len(numeric) > 2 and np.ptp(misfit) <= ALIKE * np.abs(misfit).max():
        yield f"The gradient of {name} differs by {misfit.mean():.6g} everywhere: a constant is missing or too many."


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.linalg.norm(one - other) <= ALIKE * np.linalg.norm(one))
