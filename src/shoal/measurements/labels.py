"""What becomes of each of several labels."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class LabelAnswers:
    """The confusion of one label with its absence.

    Args:
        name: of the label.
        there: what the data hold where it is there.
        hits: rows that have it and are answered with it.
        missed: rows that have it and are answered without.
        false_alarms: rows that lack it and are answered with it.
        left_out: rows that lack it and are answered without.
        recall: ``hits / (hits + missed)`` (Wilson); ``None`` where no row has it.
        precision: ``hits / (hits + false_alarms)`` (Wilson); ``None`` where no row is answered with it.
    """

    name: str
    there: str
    hits: int
    missed: int
    false_alarms: int
    left_out: int
    recall: Interval | None
    precision: Interval | None
