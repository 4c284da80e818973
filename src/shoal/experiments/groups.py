"""Groups that train and dev share: rows of one person, device or batch, which a random split puts on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from shoal.data import Dataset
from shoal.data.values import as_text
from shoal.experiments.column_codes import coded_columns, codes
from shoal.interval import Interval, percent
from shoal.measurements import ColumnClue

FEWEST_ROWS = 200
MOST_ROWS = 3_000
MOST_COLUMNS = 256
ROWS_PER_GROUP = (2.0, 50.0)
FEWEST_GROUPS = 20
SHARED = 0.5
"""Of the dev rows, that belong to a group with training rows."""
ALIKE = 0.1
"""Intra-class correlation, its lower limit, from which groups matter: with 10 rows a group, a tenth nearly doubles the variance of a
mean (Kish's design effect, ``1 + 9 * 0.1``)."""

_GROUP_NAME = re.compile(
    r"(^|[_\s.-])(id|ids|uuid|guid|key|subject|patient|person|user|customer|client|device|machine|session|batch|specimen|household|"
    r"family|author|speaker|writer|group)$|[a-z]I[Dd]$",
    re.IGNORECASE,
)
"""The last word of the name: a ``customer_age`` is none."""


def groups(dataset: Dataset, *, seed: int, most_rows: int = MOST_ROWS) -> tuple[ColumnClue, ...]:
    """Columns that name a person, a device, a batch, whose rows are in train and dev alike and resemble each other.

    Only columns are asked that are called like an identifier, or that were left out as one, with 2 to 50 rows a value. A model of
    the other columns, which never sees a group that it is asked about, leaves residuals; in groups that matter they are alike.

    Args:
        dataset: the rows, not split by group.
        seed: draws rows.
        most_rows: of the training part, in whole groups.

    Returns:
        Columns whose intra-class correlation of the residuals (one-way analysis of variance, Fisher 1925) has a lower limit above 0.1.
    """
    if dataset.task == "multi_label" or dataset.division.request.group or dataset.division.request.time:
        return ()
    which, places = dataset.division.places["train"]
    found = []
    for name in _group_candidates(dataset):
        cells = as_text(dataset.division.tables.frames[which][name].gather(places), numbers=False)
        shared = _shared(dataset, name, cells)
        ids = cells.fill_null("(missing)").rank("dense").to_numpy().astype(np.int64) - 1
        rows = _whole_groups(ids, cells.is_null().to_numpy(), most_rows, seed)
        if shared < SHARED or len(rows) < FEWEST_ROWS or len(np.unique(ids[rows])) < FEWEST_GROUPS:
            continue
        alike = intra_class_correlation(_residuals(dataset, places[rows], rows, ids[rows], name), ids[rows])
        if alike.low > ALIKE:
            words = (
                f"{name} has {cells.n_unique():,} values with {len(cells) / cells.n_unique():.1f} training rows each; "
                f"{percent(shared)} of the dev rows share theirs with training rows, and what the other columns leave unexplained is "
                f"alike within a value (intra-class correlation {alike.value:.2f}, {alike.low:.2f} to {alike.high:.2f})"
            )
            found.append(ColumnClue(name, alike.value, words))
    return tuple(found)


def intra_class_correlation(values: NDArray, ids: NDArray) -> Interval:
    """The share of the variance that lies between groups, with its interval.

    ``F = MSB / MSW``; ``ICC = (F - 1) / (F - 1 + k)`` with ``k`` the mean group size, corrected for unequal sizes; limits from
    those of F (Donner and Wells 1986).

    Args:
        values: ``[rows]``.
        ids: group of each row ``[rows]``.

    Example:
        >>> intra_class_correlation(np.repeat([0.0, 1.0, 2.0], 4) + np.tile([0, 0.1], 6), np.repeat([0, 1, 2], 4)).value > 0.95
        True
    """
    _, ids = np.unique(ids, return_inverse=True)
    sizes = np.bincount(ids)
    means = np.bincount(ids, values) / sizes
    between, within = len(sizes) - 1, len(values) - len(sizes)
    if between < 1 or within < 1:
        return Interval(0.0, 0.0, 1.0)
    msb = float(np.sum(sizes * (means - values.mean()) ** 2)) / between
    msw = max(float(np.sum((values - means[ids]) ** 2)) / within, 1e-300)
    k = (len(values) - np.sum(sizes**2) / len(values)) / between
    f = msb / msw
    limits = [f / stats.f.ppf(q, between, within) for q in (0.5, 0.975, 0.025)]
    low, high = ((limit - 1) / (limit - 1 + k) for limit in limits[1:])
    value = (f - 1) / (f - 1 + k)
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def _group_candidates(dataset: Dataset) -> Iterator[str]:
    which, places = dataset.division.places["train"]
    frame = dataset.division.tables.frames[which]
    for decision in dataset.columns:
        if decision.kind not in ("numeric", "categorical", "id", "text", "dropped"):
            continue
        if decision.kind not in ("id", "text") and not _GROUP_NAME.search(decision.name):
            continue
        column = frame[decision.name]
        if column.dtype.is_nested() or column.dtype.is_float() or column.dtype.is_temporal():
            continue
        if ROWS_PER_GROUP[0] <= len(places) / max(column.gather(places).n_unique(), 1) <= ROWS_PER_GROUP[1]:
            yield decision.name


def _shared(dataset: Dataset, name: str, cells: pl.Series) -> float:
    which, places = dataset.division.places["dev"]
    frame = dataset.division.tables.frames[which]
    if name not in frame.columns:
        return 0.0
    known = set(cells.drop_nulls().unique().to_list())
    return float(np.mean([cell in known for cell in as_text(frame[name].gather(places)).to_list()]))


def _whole_groups(ids: NDArray, missing: NDArray, most: int, seed: int) -> NDArray:
    order = np.random.default_rng(seed).permutation(ids.max() + 1)
    counts = np.bincount(ids[~missing], minlength=len(order))
    chosen = order[np.cumsum(counts[order]) <= most]
    return np.flatnonzero(np.isin(ids, chosen) & ~missing)


def _residuals(dataset: Dataset, places: NDArray, rows: NDArray, ids: NDArray, name: str) -> NDArray:
    """Of a quick model without the column, on groups that it has not seen; of the largest class where there are several."""
    which, _ = dataset.division.places["train"]
    table = codes(dataset.preparation, dataset.division.tables.frames[which], places)
    kept = [index for index, column in enumerate(coded_columns(dataset.preparation)) if column.name != name][:MOST_COLUMNS]
    truth = dataset.truth["train"][rows]
    if dataset.task == "classification":
        truth = (truth == np.bincount(truth).argmax()).astype(float)
    if not kept:
        return truth - truth.mean()
    settings: dict[str, Any] = {"max_iter": 50, "max_leaf_nodes": 16, "max_bins": 63, "early_stopping": False, "random_state": 0}
    model = HistGradientBoostingRegressor(**settings)
    with threadpool_limits(1, "openmp"):
        return truth - cross_val_predict(model, table[:, kept], truth, cv=GroupKFold(3), groups=ids)
