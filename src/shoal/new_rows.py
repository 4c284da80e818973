"""Are new rows like those that a model was trained on? Its scores hold for rows that are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shoal.diagnose.checks.data import SIGNIFICANCE, TOLD_APART
from shoal.errors import OptionError, Problem
from shoal.experiments.two_sample import compare_tables
from shoal.measurements import TwoSample
from shoal.model import Model
from shoal.records import Answer

CLUES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class NewRows:
    """Whether new rows differ from the training rows.

    Args:
        differ: the answer.
        text: the answer in sentences, with the columns that give it away.
        test: the two-sample test behind it; ``None`` where there were too few rows.
    """

    differ: Answer
    text: str
    test: TwoSample | None


def check_new_rows(model: Model, table: Any, *, seed: int = 0) -> NewRows:
    """Compare a table with the training rows of a model.

    Args:
        model: of a run; it keeps up to 2,000 of its training rows, as numbers.
        table: any source that ``Model.predict`` takes.
        seed: of the test.

    Returns:
        The answer: the rows differ where a classifier tells them apart with a p-value below 1 % and an area under the ROC curve
        clearly above 0.55.

    Raises:
        OptionError: the model keeps no training rows.
        DataError: the table cannot be read or lacks columns.

    Example:
        >>> import shoal
        >>> recipe = shoal.Recipe(hidden_units=(8,), epochs=5)
        >>> run = shoal.train("example:breast-cancer", recipe=recipe, seeds=2)
        >>> check_new_rows(run.model, "example:breast-cancer").differ
        'no'
    """
    if model.reference is None:
        raise OptionError(Problem("the model keeps some of its training rows", "one of an older version", "Train it again."))
    test = compare_tables(model.reference, model.preparation, table, seed=seed)
    if test is None:
        return NewRows("cannot tell", "There are too few rows to compare with the training rows; 50 will do.", None)
    auc = f"{test.auc.value:.2f} ({test.auc.low:.2f} to {test.auc.high:.2f}; 0.5 is guessing)"
    if test.p_value >= SIGNIFICANCE or test.auc.high <= TOLD_APART:
        text = f"The new rows look like the training rows: a classifier tells them apart with an area under the ROC curve of {auc}."
        return NewRows("no", text, test)
    if test.auc.low <= TOLD_APART:
        text = f"The new rows may differ a little from the training rows: the area under the ROC curve is {auc}. More rows would tell."
        return NewRows("cannot tell", text, test)
    clues = "; ".join(clue.text for clue in test.columns[:CLUES_SHOWN])
    text = (
        f"The new rows are not like the training rows: a classifier tells them apart with an area under the ROC curve of {auc}. "
        "The model's scores do not hold for them; score it on some of them to see what that costs."
    )
    return NewRows("yes", text + (f" What gives them away: {clues}." if clues else ""), test)
