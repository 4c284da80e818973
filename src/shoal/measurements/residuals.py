"""What a regression's predictions miss, against what they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Density:
    """How many rows have about such a prediction and such a true value.

    Args:
        low: of both axes.
        high: of both.
        cells: position along the prediction, position along the true value, and rows, without the empty ones.
        side: cells along either axis.
        outside: rows beyond the axes.
    """

    low: float
    high: float
    cells: tuple[tuple[int, int, int], ...]
    side: int
    outside: int


@dataclass(frozen=True, slots=True)
class ResidualBin:
    """Rows of about the same prediction, and the quantiles of their residuals, true minus predicted.

    Args:
        rows: how many.
        predicted: their median prediction.
        low: 5 % of the residuals lie below.
        middle: the median.
        high: 5 % lie above.
    """

    rows: int
    predicted: float
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Residuals:
    """Of one part, in the target's own unit.

    Args:
        rows: of the part.
        truth: true values of some rows, drawn at random where there are many.
        predicted: of the same rows.
        bins: by prediction, of equally many rows, the lowest first.
        density: of all rows, where they are more than those drawn.
    """

    rows: int
    truth: tuple[float, ...]
    predicted: tuple[float, ...]
    bins: tuple[ResidualBin, ...]
    density: Density | None = None
