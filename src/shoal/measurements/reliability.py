"""How often a classifier is right where it is so and so sure."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of next to the same probability.

    Args:
        rows: how many.
        said: their mean probability.
        came: share of them that came true (Wilson).
    """

    rows: int
    said: float
    came: Interval


@dataclass(frozen=True, slots=True)
class Probabilities:
    """How probabilities lie, and what came of them.

    Args:
        bins: of equally many rows, the lowest probability first.
        histogram: rows by their probability, in equally wide steps from 0 to 1.
        error: expected calibration error.
        chance: what perfectly calibrated probabilities would show on as many rows.
    """

    bins: tuple[Bin, ...]
    histogram: tuple[int, ...]
    error: Interval
    chance: Interval


@dataclass(frozen=True, slots=True)
class Reliability:
    """The probabilities of one part.

    Args:
        rows: looked at; of several labels, each label of each row.
        shown: the class whose probability it is, by position; ``None`` for that of the predicted class, whichever it is. Of several
            labels 1, that one is there.
        temperature: that was fitted on the dev rows.
        after: at that temperature, as the model gives them.
        before: as they came; ``None`` where no temperature was fitted.
    """

    rows: int
    shown: int | None
    temperature: float
    after: Probabilities
    before: Probabilities | None = None
