"""What is odd about the rows and columns themselves: shifts, repeats, leaks."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval
from shoal.measurements.pictures import PictureFaults


@dataclass(frozen=True, slots=True)
class ColumnClue:
    """One column (or a few) that gives something away, and how well it does so alone.

    Args:
        name: of the column; several are joined by ``" + "``.
        strength: from 0, nothing, to 1, everything; what exactly says the record that holds it.
        text: in words, with the numbers.
        others: the same strength for the columns that give nothing away together, where it was measured.
    """

    name: str
    strength: float
    text: str
    others: float | None = None


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A classifier two-sample test: how well a model tells rows of one set from rows of another.

    Args:
        first: name of the one set, such as ``train``.
        second: name of the other.
        rows: how many rows of each were used.
        auc: area under the ROC curve on rows that the classifier did not see; 0.5 is guessing.
        p_value: of "both sets come from one distribution".
        columns: those that differ, the clearest first; their strength is the largest difference of the two distribution functions
            (of the shares of the levels, for categories).
    """

    first: str
    second: str
    rows: tuple[int, int]
    auc: Interval
    p_value: float
    columns: tuple[ColumnClue, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetShift:
    """The target in train and in dev.

    Args:
        rows: how many of each.
        p_value: of "the target is distributed alike in both" (chi-square of the classes, Kolmogorov-Smirnov of numbers).
        size: the largest difference of the two distribution functions; of classes, the share of rows that would have to change class.
        text: in words, with the numbers.
    """

    rows: tuple[int, int]
    p_value: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows of one part that occur in the training rows as well.

    Args:
        part: where they are.
        rows: of that part.
        repeated: how many of them are in the training rows, too.
        share: ``repeated / rows`` with its interval.
        expected: the share to be expected by chance, with its interval: as often as rows of one part repeat each other.
        disagreeing: share of the repeated rows whose target differs from their twin's.
    """

    part: str
    rows: int
    repeated: int
    share: Interval
    expected: Interval
    disagreeing: float


@dataclass(frozen=True, slots=True)
class DataFaults:
    """What was found in the rows and columns; ``None`` where a test does not apply.

    Args:
        split: how train and dev came about: ``separate tables``, or the split's method.
        mismatch: train against dev, inputs only.
        target_shift: the target in train and dev.
        drift: the earlier training rows against the later ones, in the order of the file, without columns that follow that order.
        ordered: input columns that rise or fall all along the file.
        sorted_by_target: whether the training rows are sorted by the target, in the order of the file.
        exact: rows of dev repeated in train.
        near: rows of dev that are next to equal to one in train.
        groups: columns whose values look like groups (a person, a batch) that are in train and dev alike; their strength is the
            intra-class correlation of what a model without the column leaves unexplained.
        leaks: columns that alone predict the target too well; their strength is the share of the trivial error that they remove.
        derived: sets of columns from which the target follows exactly; their strength is R squared.
        ids: columns that number the rows and are used as inputs.
        label_noise: error among the dev rows of which a model is surest.
        pictures: where pictures are the input: repeated, blank and overexposed ones. ``exact`` and ``near`` are then ``None``, and no
            column can give anything away.
    """

    split: str = ""
    mismatch: TwoSample | None = None
    target_shift: TargetShift | None = None
    drift: TwoSample | None = None
    ordered: tuple[str, ...] = ()
    sorted_by_target: bool = False
    exact: Repeats | None = None
    near: Repeats | None = None
    groups: tuple[ColumnClue, ...] = ()
    leaks: tuple[ColumnClue, ...] = ()
    derived: tuple[ColumnClue, ...] = ()
    ids: tuple[ColumnClue, ...] = ()
    label_noise: Interval | None = None
    pictures: PictureFaults | None = None
