"""Where a classifier errs: the classes that it confuses, and the rows of which it was sure."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two classes that are taken for each other.

    Args:
        first: the class that is taken for the other more often.
        second: the other one.
        first_as_second: rows of the first that are answered with the second.
        second_as_first: and the other way round.
        rows: of both classes.
        share: of all mistakes, those between the two; the interval (Wilson) is corrected for the number of pairs that could have been
            the most confused (Bonferroni).
        rate: of the rows of both classes, those taken for the other one (Wilson).
    """

    first: str
    second: str
    first_as_second: int
    second_as_first: int
    rows: tuple[int, int]
    share: Interval
    rate: Interval


@dataclass(frozen=True, slots=True)
class SureMistake:
    """One row whose answer is wrong although the model was sure.

    Args:
        name: path or row, in words.
        row: in its part.
        truth: the class in the data.
        answer: the class that the model says.
        probability: of its answer, as the model has it.
        of_truth: of the class in the data.
    """

    name: str
    row: int
    truth: str
    answer: str
    probability: float
    of_truth: float


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Where a classifier errs on one part.

    Args:
        part: whose rows were answered.
        rows: of it.
        wrong: how many were answered wrongly.
        possible_pairs: of classes among its rows and answers.
        pairs: the most confused pairs, the worst first.
        sure: rows of which the model is sure, right or wrong.
        sure_wrong: how many of these are wrong.
        sure_rate: ``sure_wrong / sure`` (Wilson).
        mistakes: wrong ones among them, the surest first.
    """

    part: str
    rows: int
    wrong: int
    possible_pairs: int
    pairs: tuple[ConfusedPair, ...] = ()
    sure: int = 0
    sure_wrong: int = 0
    sure_rate: Interval | None = None
    mistakes: tuple[SureMistake, ...] = ()
