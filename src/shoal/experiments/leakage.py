"""Columns that know the target beforehand: copies of it, parts of a sum, and numbers of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from shoal.data import Dataset
from shoal.data.encode import NumberEncoder
from shoal.data.sample import drawn_rows
from shoal.experiments.column_codes import CodedColumn, coded_columns, codes, column_codes, first_encoders
from shoal.interval import percent
from shoal.measurements import ColumnClue

FEWEST_ROWS = 200
MOST_ROWS = 3_000
MOST_COLUMNS = 256
MOST_LABELS = 4
FEWEST_OF_A_CLASS = 10

LEFT, LEFT_OF_TWIN = 0.02, 0.25
"""Of the trivial error, what a column may leave to be suspected; the second holds for a column with one level per class."""
TIMES_BETTER, TIMES_BETTER_TWIN = 5.0, 3.0
"""And how many times as much all other columns together must leave."""

EXACT = 1e-6
"""Of the target's variance, what an exact sum leaves by rounding."""


def leaks(dataset: Dataset, *, seed: int, most_rows: int = MOST_ROWS) -> tuple[ColumnClue, ...]:
    """Columns that alone predict the target nearly perfectly, while all others together do not.

    A small tree on each column alone is judged by cross-validation. A strong but honest column (a smell that tells poisonous
    mushrooms) is no leak: the others know much of the same, or it leaves more than a copy would.

    Args:
        dataset: the rows; up to ``most_rows`` training rows are used.
        seed: draws them, and the folds.
        most_rows: of the training part.

    Returns:
        Suspects; their strength is the share of the trivial error that they remove (of the variance of the target's ranks for numbers, of
        the balanced error for classes), ``others`` is that of all the other columns. Source of the idea: Kaufman, Rosset and
        Perlich (2012), "Leakage in data mining".
    """
    found: dict[str, ColumnClue] = {}
    columns = coded_columns(dataset.preparation)
    which, places = dataset.division.places["train"]
    rng = np.random.default_rng(seed)
    for name, truth in _targets(dataset):
        rows = _usable(truth, dataset.task != "regression", most_rows, rng)
        if len(rows) < FEWEST_ROWS:
            continue
        table = codes(dataset.preparation, dataset.division.tables.frames[which], places[rows])
        for clue in _leaks_of(table, truth[rows], columns, dataset.task != "regression", name, seed):
            found.setdefault(clue.name, clue)
    return tuple(found.values())


def derived(dataset: Dataset, *, seed: int) -> tuple[ColumnClue, ...]:
    """Two or more columns from which a number to predict follows exactly, as their weighted sum or as a product of powers.

    Args:
        dataset: the rows; up to 2,000 training rows are used.
        seed: draws them.

    Returns:
        The smallest set found by leaving out columns, if any; its strength is R squared.
    """
    if dataset.task != "regression":
        return ()
    which, places = dataset.division.places["train"]
    rows = drawn_rows(len(places), 2_000, np.random.default_rng(seed))
    table = codes(dataset.preparation, dataset.division.tables.frames[which], places[rows])
    columns, truth = coded_columns(dataset.preparation), dataset.truth["train"][rows]
    numeric = [
        index
        for index, column in enumerate(columns)
        if not column.levels and not column.is_date and not np.isnan(table[:, index]).any() and np.ptp(table[:, index]) > 0
    ]
    if len(rows) < FEWEST_ROWS or not 2 <= len(numeric) <= len(rows) // 5:
        return ()
    if clue := _exact_set(table[:, numeric], truth, [columns[index].name for index in numeric], "sum"):
        return (clue,)
    positive = [index for index in numeric if table[:, index].min() > 0]
    if len(positive) >= 2 and truth.min() > 0:
        clue = _exact_set(np.log(table[:, positive]), np.log(truth), [columns[index].name for index in positive], "product")
        return (clue,) if clue else ()
    return ()


def row_numbers(dataset: Dataset) -> tuple[ColumnClue, ...]:
    """Input columns that only number the rows: whole numbers, all different, that rise or fall all along the file or leave no gaps.

    Args:
        dataset: its training rows are looked at, in the order of the file.

    Returns:
        Such columns; their strength is 1.
    """
    which, places = dataset.division.places["train"]
    frame = dataset.division.tables.frames[which]
    rows = np.sort(places)
    found = []
    for encoder in first_encoders(dataset.preparation) if len(rows) >= FEWEST_ROWS else ():
        if not isinstance(encoder, NumberEncoder):
            continue
        column = frame[encoder.column]
        if _numbering(column_codes(encoder, column.gather(rows[:FEWEST_ROWS])), frame.height):  # most are told by a few rows
            words = _numbering(column_codes(encoder, column.gather(rows)), frame.height)
            found += [ColumnClue(column.name, 1.0, f"{column.name} {words}")] if words else []
    return tuple(found)


def _targets(dataset: Dataset) -> Iterator[tuple[str, NDArray]]:
    truth = dataset.truth["train"]
    if dataset.task == "multi_label":
        yield from ((dataset.classes[index], truth[:, index]) for index in range(min(truth.shape[1], MOST_LABELS)))
    else:
        yield dataset.target, truth


def _usable(truth: NDArray, classification: bool, most: int, rng: np.random.Generator) -> NDArray:
    rows = drawn_rows(len(truth), most, rng)
    if classification:
        counts = np.bincount(truth[rows])
        rows = rows[counts[truth[rows]] >= FEWEST_OF_A_CLASS]
        if len(np.unique(truth[rows])) < 2:
            return rows[:0]
    return rows


def _leaks_of(
    table: NDArray, truth: NDArray, columns: Sequence[CodedColumn], classification: bool, target: str, seed: int
) -> Iterator[ColumnClue]:
    """Suspects among the columns of one target."""
    if not classification:
        truth = stats.rankdata(truth) / len(truth)  # an outlier or a heavy tail must not hide a copy
    suspects = {}
    for index in range(min(len(columns), MOST_COLUMNS)):
        left, most_left, times = _left_alone(table[:, [index]], truth, classification, seed)
        if left <= most_left:
            suspects[index] = left, times
    if not suspects or len(suspects) == len(columns):
        return  # of an only column nobody can say that it knows too much
    # A second copy of the target must not pass for an honest column that knows as much.
    others = _left_by_others(np.delete(table, list(suspects), axis=1), truth, classification, seed)
    for index, (left, times) in suspects.items():
        if others >= max(times * left, LEFT):
            name = columns[index].name
            words = (
                f"{name} alone leaves {percent(left, digits=2)} of the trivial error in {target}, "
                f"all columns not under suspicion leave {percent(others)}"
            )
            yield ColumnClue(name, 1 - left, words, 1 - others)


def _left_alone(column: NDArray, truth: NDArray, classification: bool, seed: int) -> tuple[float, float, float]:
    """What a tree on one column leaves of the trivial error, what it may leave, and how many times as much the others must leave."""
    # A tree sees the order of values only, and in single precision, which ranks survive and values may not.
    column = stats.rankdata(column, method="dense", axis=0, nan_policy="omit")
    if not classification:
        return left_by(DecisionTreeRegressor(min_samples_leaf=3, random_state=0), column, truth, False, seed), LEFT, TIMES_BETTER
    tree = DecisionTreeClassifier(min_samples_leaf=3, class_weight="balanced", random_state=0)
    is_twin = len(np.unique(column[~np.isnan(column)])) == len(np.unique(truth))
    limits = (LEFT_OF_TWIN, TIMES_BETTER_TWIN) if is_twin else (LEFT, TIMES_BETTER)
    return left_by(tree, column, truth, True, seed), *limits


def left_by(model, table: NDArray, truth: NDArray, classification: bool, seed: int) -> float:
    """The share of the trivial error that a model leaves on rows that it has not seen (two folds)."""
    folds = (StratifiedKFold if classification else KFold)(2, shuffle=True, random_state=seed)
    predicted = cross_val_predict(model, table, truth, cv=folds)
    if classification:
        right = float(balanced_accuracy_score(truth, predicted, adjusted=True))  # 0 for guessing, 1 for all right
        return 1 - max(right, 0.0)
    return 1 - max(float(r2_score(truth, predicted)), 0.0)


def _left_by_others(table: NDArray, truth: NDArray, classification: bool, seed: int) -> float:
    table = table[:, drawn_rows(table.shape[1], MOST_COLUMNS, np.random.default_rng(seed))]
    settings = {"max_iter": 50, "max_leaf_nodes": 16, "max_bins": 63, "early_stopping": False, "random_state": 0}
    model = (
        HistGradientBoostingClassifier(class_weight="balanced", **settings) if classification else HistGradientBoostingRegressor(**settings)
    )
    with threadpool_limits(1, "openmp"):
        return left_by(model, table, truth, classification, seed)


def _exact_set(table: NDArray, truth: NDArray, names: list[str], kind: str) -> ColumnClue | None:
    """The columns that an exact linear relation needs, from half of the rows, confirmed on the other half."""
    spread = table.std(axis=0)
    kept = np.flatnonzero(spread > 0)
    half = len(table) // 2
    while True:
        coefficients, unexplained = _linear(table[:half, kept], truth[:half], table[half:, kept], truth[half:])
        if unexplained > EXACT:
            return None
        matter = np.abs(coefficients) * spread[kept] > 1e-4 * np.std(truth)
        if matter.all():
            break
        kept = kept[matter]
        if len(kept) < 2:
            return None  # one column alone is a copy, which is a leak
    chosen = [names[index] for index in kept]
    how = "as a weighted sum" if kind == "sum" else "as a product of powers"
    shown = ", ".join(chosen[:6]) + (f" and {len(chosen) - 6} more" if len(chosen) > 6 else "")
    words = f"the target follows from {shown} exactly, {how} (R squared above {1 - EXACT:.6f} on rows not used for the fit)"
    return ColumnClue(" + ".join(chosen), 1 - unexplained, words)


def _linear(table: NDArray, truth: NDArray, new: NDArray, new_truth: NDArray) -> tuple[NDArray, float]:
    """Least-squares coefficients, and the share of the variance that they leave on other rows."""
    centre, scale = table.mean(axis=0), np.where(table.std(axis=0) > 0, table.std(axis=0), 1.0)
    fitted = np.linalg.lstsq((table - centre) / scale, truth - truth.mean(), rcond=None)[0]
    left = new_truth - truth.mean() - (new - centre) / scale @ fitted
    return fitted / scale, float(np.mean(left**2) / max(np.var(new_truth), 1e-300))


def _numbering(values: NDArray, height: int) -> str:
    if np.isnan(values).any() or np.any(values != np.round(values)) or len(np.unique(values)) < len(values):
        return ""
    steps = np.diff(values)
    if np.all(steps > 0) or np.all(steps < 0):
        return f"is a whole number that {'rises' if steps[0] > 0 else 'falls'} with every row of the file"
    if np.ptp(values) < 1.2 * height:
        return "is a different whole number in every row, and leaves hardly any out"
    return ""
