"""What the tests of rows and columns found about each column, for the table of columns."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.measurements import ColumnClue, DataFaults
from shoal.records import Run


@dataclass(frozen=True, slots=True)
class ColumnMark:
    """One thing that was found about a column.

    Args:
        words: what it is, such as ``differs between train and dev``.
        strength: from 0 to 1, or ``None`` where it has none.
        text: in a sentence, with the numbers.
        code: of the finding that says more, where it was found.
    """

    words: str
    strength: float | None
    text: str
    code: str = ""


def column_marks(run: Run) -> dict[str, list[ColumnMark]]:
    """What was found, by column; pictures' summaries and other names that are no columns are among them.

    Example:
        >>> column_marks(run)["age"][0].words  # doctest: +SKIP
        'differs between train and dev'
    """
    faults = run.measured.data
    if faults is None:
        return {}
    known, codes = {column.name for column in run.columns}, {each.code for each in run.findings if each.outcome == "found"}
    marks: dict[str, list[ColumnMark]] = {}
    for words, clues, code in _clues(faults):
        for clue in clues:
            # the name stands beside it in the table
            mark = ColumnMark(words, clue.strength, clue.text.removeprefix(f"{clue.name} "), code if code in codes else "")
            for name in _columns_of(clue.name, known):
                marks.setdefault(name, []).append(mark)
    for name in faults.ordered:
        mark = ColumnMark("follows the order of the rows", None, "rises or falls all along the file", "SH302" if "SH302" in codes else "")
        marks.setdefault(name, []).append(mark)
    return marks


def tested_words(run: Run) -> str:
    """Which rows were compared, and how well a classifier tells them apart."""
    faults = run.measured.data
    if faults is None:
        return ""
    for test in (faults.mismatch, faults.drift):
        if test is None:
            continue
        auc = f"{test.auc.value:.2f} (95 % interval {test.auc.low:.2f} to {test.auc.high:.2f})"
        count = len(test.columns)
        columns = f"{count} column{'s' * (count != 1)} differ{'s' * (count == 1)} by {'itself' if count == 1 else 'themselves'}"
        return (
            f"Two-sample test of {test.first} against {test.second}: a classifier tells them apart with an area under the ROC curve of "
            f"{auc}, where guessing gives 0.5; {columns if count else 'no column differs by itself'} (p below 1 % after Holm's correction)."
        )
    return "There were too few rows for a two-sample test, or an order that it could not be made along."


def _clues(faults: DataFaults) -> list[tuple[str, tuple[ColumnClue, ...], str]]:
    shifted = faults.mismatch.columns if faults.mismatch is not None else ()
    drifted = faults.drift.columns if faults.drift is not None else ()
    return [
        ("differs between train and dev", shifted, "SH301"),
        ("drifts along the file", drifted, "SH302"),
        ("its groups are in train and dev", faults.groups, "SH306"),
        ("gives the target away", faults.leaks, "SH307"),
        ("the target follows from it", faults.derived, "SH308"),
        ("numbers the rows", faults.ids, "SH309"),
    ]


def _columns_of(name: str, known: set[str]) -> list[str]:
    """The columns that a clue is about: several are joined by plus signs, which a name may hold as well."""
    parts = name.split(" + ")
    return parts if name not in known and len(parts) > 1 and all(part in known for part in parts) else [name]
