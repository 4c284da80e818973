"""Exponentially weighted averages, ``V_t = beta V_(t-1) + (1 - beta) theta_t``, in constant memory.

Source: METHOD of the course "Improving Deep Neural Networks", Exponentially Weighted Averages and Bias Correction.
"""

from __future__ import annotations

from typing import Any


def update(average: Any, value: Any, beta: Any) -> Any:
    """The next average. It starts from 0, so the first values are too small until ``corrected``.

    Example:
        >>> update(0.0, 10.0, 0.5)
        5.0
    """
    return beta * average + (1 - beta) * value


def corrected(average: Any, beta: Any, steps: Any) -> Any:
    """The average without the bias of its start at 0: ``V_t / (1 - beta^t)``; for reading only, never fed back.

    Example:
        >>> corrected(update(0.0, 10.0, 0.5), 0.5, 1)
        10.0
    """
    return average / (1 - beta**steps)


def span(beta: float) -> float:
    """About how many of the latest values the average covers: ``1 / (1 - beta)``.

    Example:
        >>> round(span(0.98))
        50
    """
    return 1 / (1 - beta)
