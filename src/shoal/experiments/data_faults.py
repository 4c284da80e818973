"""Everything that may be wrong with the rows and columns themselves, looked for in one go and within a few seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shoal.data import Dataset
from shoal.data.sample import drawn_rows
from shoal.experiments.column_codes import CodedColumn, coded_columns, codes
from shoal.experiments.groups import groups
from shoal.experiments.leakage import derived, leaks, row_numbers
from shoal.experiments.left_out import PartAnswers
from shoal.experiments.picture_faults import picture_faults
from shoal.experiments.repeats import exact_repeats, near_repeats, share_of
from shoal.experiments.two_sample import MOST_ROWS, level_test, two_sample
from shoal.interval import Interval
from shoal.measurements import DataFaults, TargetShift, TwoSample
from shoal.metrics import Metric
from shoal.records import Part

FEWEST_ROWS = 50
IN_ORDER = 0.98
"""Spearman's correlation with the row number, from which a column is said to follow the order of the file."""
MAY_DIFFER = 0.05
"""The p-value below which parts are treated as different: more careful than to say so, for which there is less to lose."""
SECONDS = 2.0
SEPARATE = "separate tables"


def measure_data_faults(
    dataset: Dataset,
    *,
    seed: int,
    seconds: float | None = None,
    sure_error: Interval | None = None,
    answers: Mapping[Part, PartAnswers] | None = None,
    metric: Metric | None = None,
) -> DataFaults:
    """Look for shifts between the parts, drift, repeats, groups, leaks and row numbers.

    Nothing is asked of the network. Where there are many rows or columns, a sample is looked at, so that the time is bounded.

    Args:
        dataset: the data set, as it was split.
        seed: draws the samples and folds.
        seconds: wanted cost on one core, 2 by default; the samples grow and shrink with it.
        sure_error: what ``sure_error`` gave for the model's dev probabilities, to be kept with the rest.
        answers: the model's answers for the parts that may be looked at, to say what odd pictures do to the errors.
        metric: of these errors.

    Returns:
        What was found; fields of tests that do not apply are ``None`` or empty.

    Example:
        >>> from shoal.data import load
        >>> found = measure_data_faults(load("example:wine"), seed=0)
        >>> found.split, found.leaks, found.exact.repeated
        ('shuffled, stratified by class', (), 0)
    """
    most = _most_rows(len(dataset.preparation.columns), SECONDS if seconds is None else seconds)
    split = split_of(dataset)
    chosen = split == SEPARATE or split.startswith("by time")
    drift, ordered, by_target = _drift(dataset, seed, most) if split.startswith("shuffled") else (None, (), False)
    pictures = None if dataset.picture is None else picture_faults(dataset, seed=seed, answers=answers, metric=metric)
    return DataFaults(
        split=split,
        mismatch=_mismatch(dataset, seed, most) if chosen else None,
        target_shift=target_shift(dataset) if chosen else None,
        drift=drift,
        ordered=ordered,
        sorted_by_target=by_target,
        exact=exact_repeats(dataset) if pictures is None else None,
        near=near_repeats(dataset, seed=seed) if pictures is None else None,
        groups=groups(dataset, seed=seed, most_rows=most),
        # no column is there to be a leak: what is seen of pictures is made here, not something that was written down
        leaks=leaks(dataset, seed=seed, most_rows=most) if pictures is None else (),
        derived=derived(dataset, seed=seed) if pictures is None else (),
        ids=row_numbers(dataset),
        label_noise=sure_error,
        pictures=pictures,
    )


def split_of(dataset: Dataset) -> str:
    """How train and dev came about: ``separate tables``, or the method of the split."""
    places = dataset.division.places
    return SEPARATE if places["train"][0] != places["dev"][0] else dataset.split.method


def sure_error(probability: NDArray, truth: NDArray, weight: NDArray | None = None, share: float = 0.1) -> Interval:
    """The error among the rows of which a model is surest.

    Where classes merely overlap, a model knows of which rows it cannot be sure, and is right about the others. Where labels are
    noise, it is wrong about those, too. Source: Northcutt, Jiang and Chuang (2021), "Confident learning", whose label issues are
    confident disagreements.

    Args:
        probability: of each class ``[rows, classes]``.
        truth: class index ``[rows]``.
        weight: of each row ``[rows]``.
        share: of the rows; rows as sure as the last of them count, too.

    Returns:
        The error with its interval (Clopper and Pearson), for Kish's effective number of rows where they have weights.

    Raises:
        ValueError: there are no rows.

    Example:
        >>> sure_error(np.array([[0.99, 0.01], [0.6, 0.4]] * 50), np.array([0, 1] * 50)).value
        0.0
    """
    if not len(truth):
        raise ValueError("the error of the surest rows needs rows; received none")
    surest = probability.max(axis=1)
    chosen = surest >= np.sort(surest)[-max(1, round(share * len(surest)))]
    weights = np.ones(int(chosen.sum())) if weight is None else np.asarray(weight, np.float64)[chosen]
    wrong = probability[chosen].argmax(axis=1) != truth[chosen]
    rows = max(1, round(float(weights.sum() ** 2 / np.sum(weights**2))))
    value = float(np.average(wrong, weights=weights))
    span = share_of(round(value * rows), rows)
    return Interval(value, min(span.low, value), max(span.high, value))


def sure_error_of_best(answers: Sequence[NDArray], truth: NDArray, weight: NDArray | None = None) -> Interval | None:
    """``sure_error`` of the model that errs least: the surest rows of a poor one would not tell that labels are wrong.

    Args:
        answers: probabilities ``[rows, classes]`` of each model; ``None`` comes back where there is none.
        truth: class index ``[rows]``.
        weight: of each row ``[rows]``.
    """
    if not answers:
        return None
    best = min(answers, key=lambda answer: np.average(answer.argmax(axis=1) != truth, weights=weight))
    return sure_error(best, truth, weight)


def may_differ(dataset: Dataset, seed: int) -> bool:
    """Whether the dev rows may come from another distribution than the training rows: of the columns, of the target, or of both together.

    A quick classifier tries to tell the rows apart by their columns and their target, and each is compared by itself (see ``two_sample``).

    Args:
        dataset: with dev rows from a source of their own.
        seed: draws the rows.

    Returns:
        False where neither finds anything (p at or above 5 %, and at 1 % after Holm's correction): a difference too small for that is
        too small to make errors differ by much. True, too, with fewer than 50 dev rows, which cannot tell.

    Example:
        >>> from shoal.data import load
        >>> may_differ(load("example:breast-cancer"), seed=0)
        False
    """
    found = _mismatch(dataset, seed, _most_rows(len(dataset.preparation.columns), SECONDS), with_target=True)
    return found is None or found.p_value < MAY_DIFFER or bool(found.columns)


def target_shift(dataset: Dataset) -> TargetShift | None:
    """Whether the target is distributed otherwise in dev than in train.

    Args:
        dataset: with a dev part that was not drawn at random.

    Returns:
        The test; of several labels, that of the label with the lowest p-value, corrected for their number; ``None`` with fewer than 50 rows
        in a part.
    """
    train, dev = dataset.truth["train"], dataset.truth["dev"]
    rows = (len(train), len(dev))
    if min(rows) < FEWEST_ROWS:
        return None
    if dataset.task == "regression":
        result = stats.ks_2samp(train, dev, method="asymp")
        middle = [float(np.median(part)) for part in (train, dev)]
        text = f"{dataset.target} is {middle[0]:.4g} in train and {middle[1]:.4g} in dev (medians)"
        return TargetShift(rows, float(result.pvalue), float(result.statistic), text)  # type: ignore[union-attr]
    if dataset.task == "classification":
        size, p_value = level_test(train, dev)
        shares = np.stack([np.bincount(part, minlength=len(dataset.classes)) / len(part) for part in (train, dev)])
        name = int(np.abs(shares[0] - shares[1]).argmax())
        train_share, dev_share = 100 * shares[:, name]
        text = f"{train_share:.1f} % of the train rows and {dev_share:.1f} % of the dev rows are {dataset.classes[name]!r}"
        return TargetShift(rows, p_value, size, text)
    tests = [level_test(train[:, label], dev[:, label]) for label in range(train.shape[1])]
    label = int(np.argmin([p_value for _, p_value in tests]))
    train_share, dev_share = (100 * part[:, label].mean() for part in (train, dev))
    text = f"{train_share:.1f} % of the train rows and {dev_share:.1f} % of the dev rows have {dataset.classes[label]!r}"
    return TargetShift(rows, min(1.0, len(tests) * tests[label][1]), tests[label][0], text)


def _most_rows(columns: int, seconds: float) -> int:
    """Rows that the models of the tests are given: as many as twenty columns and two seconds allow, fewer for more columns."""
    return int(np.clip(MOST_ROWS * seconds / SECONDS * (20 / max(columns, 20)) ** 0.5, 500, 5 * MOST_ROWS))


def _mismatch(dataset: Dataset, seed: int, most: int, with_target: bool = False) -> TwoSample | None:
    tables, columns = [], list(coded_columns(dataset.preparation))
    # The column that the rows were ordered by differs because it was made to.
    kept = [index for index, column in enumerate(columns) if column.name != dataset.division.request.time]
    columns = [columns[index] for index in kept]
    if with_target:
        names = dataset.classes if dataset.task == "multi_label" else (dataset.target,)
        columns += [CodedColumn(name, dataset.classes if dataset.task == "classification" else ()) for name in names]
    for part in ("train", "dev"):
        which, places = dataset.division.places[part]
        drawn = drawn_rows(len(places), most, np.random.default_rng(seed))
        table = codes(dataset.preparation, dataset.division.tables.frames[which], places[drawn])[:, kept]
        tables.append(np.column_stack([table, dataset.truth[part][drawn]]) if with_target else table)
    return two_sample(tables[0], tables[1], columns, seed=seed, most_rows=most)


def _drift(dataset: Dataset, seed: int, most: int) -> tuple[TwoSample | None, tuple[str, ...], bool]:
    """Earlier against later training rows, the columns that follow the order of the file, and whether the target does."""
    which, places = dataset.division.places["train"]
    order = np.argsort(places)
    chosen = order[drawn_rows(len(order), 2 * most, np.random.default_rng(seed))]
    if len(chosen) < 2 * FEWEST_ROWS:
        return None, (), False
    table = codes(dataset.preparation, dataset.division.tables.frames[which], places[chosen])
    columns, truth = coded_columns(dataset.preparation), dataset.truth["train"][chosen]
    follows = [not column.levels and _in_order(table[:, index]) for index, column in enumerate(columns)]
    ordered = tuple(column.name for column, does in zip(columns, follows, strict=True) if does)
    by_target = dataset.task != "multi_label" and (_in_order(truth) if dataset.task == "regression" else _in_runs(truth))
    kept = [index for index, does in enumerate(follows) if not does]
    middle = len(chosen) // 2
    early, late = table[:middle, kept], table[middle:, kept]
    names = ("the earlier rows", "the later rows")
    found = two_sample(early, late, [columns[index] for index in kept], seed=seed, names=names, most_rows=most)
    return found, ordered, by_target


def _in_order(values: NDArray) -> bool:
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < FEWEST_ROWS or np.ptp(values[known]) == 0:
        return False
    return bool(abs(stats.spearmanr(known, values[known]).statistic) > IN_ORDER)  # type: ignore[union-attr]


def _in_runs(classes: NDArray) -> bool:
    """Whether the rows come class by class."""
    changes = np.count_nonzero(np.diff(classes))
    return bool(changes < 2 * len(np.unique(classes)) and changes < len(classes) / 10)
