"""Do two sets of rows come from one distribution? A classifier two-sample test, and the columns that give the answer away.

A quick classifier learns on half of the rows to tell the two sets apart. On the other half, which it has not seen, its scores
rank rows of the one set above those of the other no better than by chance if both come from one distribution. Sources: Lopez-Paz
and Oquab (2017), "Revisiting classifier two-sample tests"; Rabanser, Günnemann and Lipton (2019), "Failing loudly".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from shoal.data import Dataset, Preparation, read_table, source_name
from shoal.data.preparation import missing_columns
from shoal.data.sample import drawn_rows
from shoal.errors import DataError, Problem
from shoal.experiments.column_codes import CodedColumn, coded_columns, codes
from shoal.experiments.picture_summaries import said_of_pictures
from shoal.interval import Interval, percent
from shoal.measurements import ColumnClue, TwoSample
from shoal.metrics import METRICS, interval

FEWEST_ROWS = 50
"""Of either set: half of them train the classifier."""
MOST_ROWS = 4_000
MOST_COLUMNS = 256
SIGNIFICANCE = 0.01
REFERENCE_ROWS = 2_000
QUICK: dict[str, Any] = {
    "max_iter": 40, "max_leaf_nodes": 8, "learning_rate": 0.2, "max_bins": 63, "early_stopping": False, "class_weight": "balanced",
    "random_state": 0,
}  # fmt: skip
EXPECTED_COUNT = 5
"""Rows that a level is expected to have in the smaller set; rarer ones are pooled (Cochran 1954)."""


def two_sample(
    first: NDArray,
    second: NDArray,
    columns: Sequence[CodedColumn],
    *,
    seed: int,
    names: tuple[str, str] = ("train", "dev"),
    most_rows: int = MOST_ROWS,
) -> TwoSample | None:
    """Test whether two sets of rows come from one distribution.

    The classifier trains on half of the rows of either set and is judged on the other half alone. Given the classifier, the
    labels of the rows that it has not seen are exchangeable if the sets are alike, so that the Mann-Whitney test of its scores has the
    false-alarm rate that it says. (Scores of several folds taken together would not: what is learned on one fold and judged on
    the other, and the other way round, errs in the same direction.)

    Args:
        first: codes ``[rows, columns]`` of the one set, NaN where missing (see ``codes``).
        second: of the other, with the same columns.
        columns: how the codes are to be read.
        seed: draws rows where there are more than ``most_rows``, and the halves.
        names: of the two sets, for words.
        most_rows: of either set.

    Returns:
        The area under the ROC curve with its interval (DeLong, DeLong and Clarke-Pearson 1988), its p-value, and the columns that
        differ by themselves (Kolmogorov-Smirnov or chi-square, corrected by Holm's method at 1 %); ``None`` with fewer than 50 rows
        in a set.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> early, late = rng.normal(size=(400, 2)), rng.normal(size=(400, 2)) + [0.0, 2.0]
        >>> found = two_sample(early, late, (CodedColumn("a"), CodedColumn("b")), seed=0)
        >>> found.auc.value > 0.85, [clue.name for clue in found.columns]
        (True, ['b'])
    """
    if min(len(first), len(second)) < FEWEST_ROWS or not columns:
        return None
    rng = np.random.default_rng(seed)
    sets = [table[drawn_rows(len(table), most_rows, rng)] for table in (first, second)]
    kept = drawn_rows(len(columns), MOST_COLUMNS, rng)
    sets, columns = [table[:, kept] for table in sets], [columns[index] for index in kept]
    auc, p_value = _told_apart(sets[0], sets[1], rng)
    return TwoSample(*names, (len(sets[0]), len(sets[1])), auc, p_value, differing_columns(sets[0], sets[1], columns, names))


def differing_columns(
    first: NDArray, second: NDArray, columns: Sequence[CodedColumn], names: tuple[str, str] = ("train", "dev")
) -> tuple[ColumnClue, ...]:
    """The columns whose values are distributed otherwise in the one set than in the other, the clearest first.

    Args:
        first: codes ``[rows, columns]``.
        second: the same of the other set.
        columns: how the codes are to be read.
        names: of the sets, for words.

    Returns:
        Those with a p-value below 1 % after Holm's correction for the number of columns. Details of pictures only where nothing else
        of them differs.
    """
    tested = [_test_of(column, first[:, index], second[:, index]) for index, column in enumerate(columns)]
    order = sorted(range(len(tested)), key=lambda index: tested[index][1])
    differing = []
    for place, index in enumerate(order):
        if tested[index][1] * (len(order) - place) >= SIGNIFICANCE:
            break
        words = _in_words(columns[index], first[:, index], second[:, index], tested[index][0], names)
        differing.append(ColumnClue(columns[index].name, tested[index][0], words))
    details = {column.name for column in columns if column.summary is not None and column.summary.detail}
    plain = [clue for clue in differing if clue.name not in details]
    return tuple(sorted(plain or differing, key=lambda clue: -clue.strength))


def reference_codes(dataset: Dataset, seed: int = 0) -> NDArray[np.float32]:
    """What to keep of the training rows, so that later tables can be compared with them.

    Args:
        dataset: with the training rows.
        seed: draws the rows.

    Returns:
        float32 ``[at most 2,000 rows, columns]``: codes as numbers, not one cell of text.

    Example:
        >>> from shoal.data import load
        >>> reference_codes(load("example:wine")).shape
        (106, 13)
    """
    which, rows = dataset.division.places["train"]
    drawn = rows[drawn_rows(len(rows), REFERENCE_ROWS, np.random.default_rng(seed))]
    return _single(codes(dataset.preparation, dataset.division.tables.frames[which], drawn))


def compare_tables(reference: NDArray, preparation: Preparation, table: Any, *, seed: int = 0) -> TwoSample | None:
    """Test whether the rows of a new table are like those that a model was trained on.

    Args:
        reference: what ``reference_codes`` kept.
        preparation: of the model.
        table: any source that ``read_table`` takes.
        seed: of the test.

    Returns:
        The test, ``training`` against ``new``; ``None`` with fewer than 50 rows in either.

    Raises:
        DataError: the table cannot be read or lacks columns, or the reference is none of this preparation.

    Example:
        >>> from shoal.data import load
        >>> data = load("example:wine")
        >>> compare_tables(reference_codes(data), data.preparation, "example:wine").p_value > 0.01
        True
    """
    frame, columns = read_table(table, like=preparation.picture), coded_columns(preparation)
    if missing := [name for name in preparation.columns if name not in frame.columns]:
        raise DataError(missing_columns(missing, frame, source_name(table)))
    if reference.ndim != 2 or reference.shape[1] != len(columns):
        received = f"shape {reference.shape} for {len(columns)} columns"
        raise DataError(Problem("a model's reference rows have the model's columns", received, "Take both from one run."))
    rows = np.sort(np.random.default_rng(seed).permutation(frame.height)[:MOST_ROWS])
    return two_sample(reference, _single(codes(preparation, frame, rows)), columns, seed=seed, names=("training", "new"))


def _single(table: NDArray) -> NDArray[np.float32]:
    """Both tables are rounded to single precision, or equal values would differ."""
    largest = np.finfo(np.float32).max
    return np.clip(table, -largest, largest).astype(np.float32)


def _told_apart(first: NDArray, second: NDArray, rng: np.random.Generator) -> tuple[Interval, float]:
    """AUC on the held-out half with its interval, and the p-value of guessing."""
    rows, label = np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])
    learning = np.zeros(len(rows), bool)
    for which in (0, 1):
        members = rng.permutation(np.flatnonzero(label == which))
        learning[members[: len(members) // 2]] = True
    # Shallow and few: the test only has to see that there is a difference, in a fraction of a second.
    classifier = HistGradientBoostingClassifier(**QUICK)
    # Threads cost more than they give on so few rows, and several times as much on a busy machine.
    with threadpool_limits(1, "openmp"):
        classifier.fit(rows[learning], label[learning])
        probability, truth = classifier.predict_proba(rows[~learning]), label[~learning]
    scores = probability[:, 1]
    p_value = stats.mannwhitneyu(scores[truth == 1], scores[truth == 0], alternative="greater", method="asymptotic").pvalue
    return interval(METRICS["auc"], truth, probability[None]), float(p_value)


def _test_of(column: CodedColumn, first: NDArray, second: NDArray) -> tuple[float, float]:
    """How far one column's two distributions lie apart, from 0 to 1, and the p-value of none at all."""
    if not column.levels:
        # A missing value is a value below all others.
        result = stats.ks_2samp(_known(first), _known(second), method="asymp")
        return float(result.statistic), float(result.pvalue)  # type: ignore[union-attr]
    return level_test(_known(first), _known(second))


def level_test(first: NDArray, second: NDArray) -> tuple[float, float]:
    """Total variation distance of two samples of categories, and the p-value of none (chi-square; rare categories are pooled).

    Args:
        first: codes ``[rows]``, none NaN.
        second: likewise.

    Example:
        >>> distance, p = level_test(np.repeat([0, 1], 50), np.repeat([0, 1], [80, 20]))
        >>> round(distance, 3), p < 0.001
        (0.3, True)
    """
    found, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = np.stack([np.bincount(part, minlength=len(found)) for part in np.split(places, [len(first)])])
    smaller = min(len(first), len(second)) / (len(first) + len(second))
    rare = counts.sum(axis=0) * smaller < EXPECTED_COUNT
    if rare.any():
        pooled = counts[:, rare].sum(axis=1, keepdims=True)
        counts = np.concatenate([counts[:, ~rare], pooled], axis=1)
    if counts.shape[1] < 2:
        return 0.0, 1.0
    shares = counts / counts.sum(axis=1, keepdims=True)
    p_value: Any = stats.chi2_contingency(counts, correction=False)[1]
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(p_value)


def _known(values: NDArray) -> NDArray:
    return np.where(np.isnan(values), -np.inf, values)


def _in_words(column: CodedColumn, first: NDArray, second: NDArray, distance: float, names: tuple[str, str]) -> str:
    one, other = names
    missing = [float(np.isnan(values).mean()) for values in (first, second)]
    if abs(missing[0] - missing[1]) > distance / 2:
        return f"{column.name} is missing in {percent(missing[0])} of {one} and {percent(missing[1])} of {other}"
    known = [values[~np.isnan(values)] for values in (first, second)]
    if column.levels:
        level = _clearest_level(known[0], known[1])
        shares = [np.mean(values == level) for values in known]
        return f"{column.name} is {column.say(level)} in {percent(shares[0])} of {one} and {percent(shares[1])} of {other}"
    middle = [float(np.median(values)) for values in known]
    low, high = np.quantile(np.concatenate(known), (0.25, 0.75))
    said = [column.say(value) for value in middle]
    if abs(middle[0] - middle[1]) > 0.1 * (high - low) and said[0] != said[1]:
        if column.summary is not None and column.summary.more:
            return said_of_pictures(column.summary, middle, names, column.say)
        return f"{column.name} is {said[0]} in {one} and {said[1]} in {other} (medians)"
    point = stats.ks_2samp(*known, method="asymp").statistic_location  # type: ignore[union-attr]
    shares = [np.mean(values <= point) for values in known]
    return f"{column.name} is at most {column.say(float(point))} in {percent(shares[0])} of {one} and {percent(shares[1])} of {other}"


def _clearest_level(first: NDArray, second: NDArray) -> float:
    levels = np.unique(np.concatenate([first, second]))
    return float(max(levels, key=lambda level: abs(np.mean(first == level) - np.mean(second == level))))
