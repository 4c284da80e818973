"""What is odd about the rows and columns themselves: shifts, repeats, leaks."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class ColumnClue:
    """One column that gives something away, and how well it does so alone."""

    name: str
    strength: float
    """From 0, nothing, to 1, everything; what exactly says the record that holds it."""
    text: str
    """In words, with the numbers."""


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A classifier two-sample test: how well a model tells rows of one set from rows of another.

    Args:
        first: name of the one set, such as ``train``.
        second: name of the other.
        rows: how many rows of each were used.
        auc: area under the ROC curve on rows that the classifier did not see; 0.5 is guessing.
        p_value: of "both sets come from one distribution", by permutation.
        columns: those that give it away, the clearest first.
    """

    first: str
    second: str
    rows: tuple[int, int]
    auc: Interval
    p_value: float
    columns: tuple[ColumnClue, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows of one part that occur in the training rows as well.

    Args:
        part: where they are.
        rows: of that part.
        repeated: how many of them are in the training rows, too.
        share: ``repeated / rows`` with its interval.
        expected: the share to be expected by chance, from how often training rows repeat each other.
        disagreeing: share of the repeated rows whose target differs from their twin's.
    """

    part: str
    rows: int
    repeated: int
    share: Interval
    expected: float
    disagreeing: float


@dataclass(frozen=True, slots=True)
class DataFaults:
    """What was found in the rows and columns; ``None`` where a test does not apply.

    Args:
        mismatch: train against dev, inputs only.
        target_shift: p-value of "the target is distributed alike in train and dev".
        drift: the earlier training rows against the later ones, in the order of the file.
        exact: rows of dev repeated in train.
        near: rows of dev that are next to equal to one in train.
        groups: columns whose values look like groups (a person, a batch) that are in train and dev alike.
        leaks: columns that alone predict the target too well.
        derived: sets of columns from which the target follows exactly.
        ids: columns that number the rows and are used as inputs.
        label_noise: error among the dev rows of which a model is surest.
    """

    mismatch: TwoSample | None = None
    target_shift: float | None = None
    drift: TwoSample | None = None
    exact: Repeats | None = None
    near: Repeats | None = None
    groups: tuple[ColumnClue, ...] = ()
    leaks: tuple[ColumnClue, ...] = ()
    derived: tuple[ColumnClue, ...] = ()
    ids: tuple[ColumnClue, ...] = ()
    label_noise: Interval | None = None
