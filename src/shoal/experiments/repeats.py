"""Rows of the dev part that the training rows hold as well: exactly, or all but."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from shoal.data import Dataset
from shoal.data.encode import DateEncoder, Encoder, NumberEncoder
from shoal.data.pictures.column import row_hashes
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.sample import drawn_rows
from shoal.data.values import as_numbers, as_text, as_times
from shoal.interval import Interval
from shoal.measurements import Repeats
from shoal.records import Part

NEAR = 0.05
"""A row is next to equal to another where it is so much nearer than training rows commonly are to each other."""
EQUAL = 1e-4
"""Below this, in standard deviations, two rows of inputs are the same but for rounding."""
MOST_DEV_ROWS, MOST_TRAIN_ROWS = 1_000, 10_000
MOST_INPUTS = 256
FEWEST_ROWS = 20
SAME_TARGET = 0.01
"""Numbers closer than this, in standard deviations of the target, agree."""


def exact_repeats(dataset: Dataset, part: Part = "dev") -> Repeats | None:
    """Rows of a part whose inputs are those of a training row.

    What chance makes of it is told by the parts themselves: if a part was drawn at random, its rows are in the training rows as often as
    a training row is among the others; and where it was not, rows of a kind that repeats will at least repeat each other. Rows copied
    from one part into the other are beyond that.

    Args:
        dataset: the rows.
        part: which is compared with the training rows.

    Returns:
        The count, with the share (Clopper and Pearson's interval) and what is expected; ``None`` with fewer than 20 rows.

    Example:
        >>> from shoal.data import load
        >>> exact_repeats(load("example:wine")).repeated
        0
    """
    train, other = _keys(dataset, "train"), _keys(dataset, part)
    if min(len(train), len(other)) < FEWEST_ROWS:
        return None
    found, first, counts = np.unique(train, return_index=True, return_counts=True)
    places = np.minimum(np.searchsorted(found, other), len(found) - 1)
    repeated = found[places] == other
    twins = first[places[repeated]]
    _, own = np.unique(other, return_counts=True)
    chance = ((int(count[count > 1].sum()), int(count.sum())) for count in (counts, own))
    expected = max((share_of(*each) for each in chance), key=lambda share: share.low)
    return _result(dataset, part, len(other), np.flatnonzero(repeated), twins, expected)


def near_repeats(dataset: Dataset, *, seed: int, part: Part = "dev", most_rows: int = MOST_TRAIN_ROWS) -> Repeats | None:
    """Rows of a part that are next to equal to a training row, such as copies with a little noise.

    The nearest training row of each is compared with the distance at which training rows commonly have their nearest neighbour; how
    often training rows are so near to each other tells what is expected. Exact repeats do not count.

    Args:
        dataset: the rows.
        seed: draws rows where there are many.
        part: which is compared with the training rows.
        most_rows: training rows compared with.

    Returns:
        The count, with the share and what is expected; ``None`` with fewer than 20 rows, or where most training rows repeat each other.
    """
    rng = np.random.default_rng(seed)
    train_rows = drawn_rows(len(dataset.inputs["train"]), most_rows, rng)
    other_rows = drawn_rows(len(dataset.inputs[part]), MOST_DEV_ROWS, rng)
    if min(len(train_rows), len(other_rows)) < FEWEST_ROWS:
        return None
    kept = drawn_rows(dataset.inputs["train"].shape[1], MOST_INPUTS, rng)
    train = dataset.inputs["train"][train_rows][:, kept].astype(np.float64)
    other = dataset.inputs[part][other_rows][:, kept].astype(np.float64)
    sample = drawn_rows(len(train), MOST_DEV_ROWS, rng)
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(train)
    among = np.asarray(search.kneighbors(train[sample])[0])[:, 1]
    themselves = np.asarray(NearestNeighbors(n_neighbors=2, algorithm="brute").fit(other).kneighbors(other)[0])[:, 1]
    distance, nearest = (np.asarray(each)[:, 0] for each in search.kneighbors(other))
    common = among[among > EQUAL]
    if len(common) < len(among) / 2:
        return None
    limit = NEAR * float(np.median(common))
    near = (distance > EQUAL) & (distance <= limit)
    chance = (share_of(int(np.sum((each > EQUAL) & (each <= limit))), len(each)) for each in (among, themselves))
    expected = max(chance, key=lambda share: share.low)
    return _result(dataset, part, len(other_rows), other_rows[near], train_rows[nearest[near].astype(int)], expected)


def share_of(count: int, rows: int, outside: float = 0.05, method: Literal["exact", "wilson"] = "exact") -> Interval:
    """A share with its interval, which ``outside`` of the time does not hold the true one.

    Args:
        count: of the rows.
        rows: at least 1.
        outside: 0.05 for an interval of 95 %.
        method: ``exact`` (Clopper and Pearson 1934), never too narrow, or ``wilson`` (1927), right on average.

    Example:
        >>> share_of(0, 10).value, round(share_of(0, 10).high, 3), round(share_of(0, 10, method="wilson").high, 3)
        (0.0, 0.308, 0.278)
    """
    span = stats.binomtest(count, rows).proportion_ci(1 - outside, method)
    return Interval(count / rows, float(span.low), float(span.high))


def targets_differ(dataset: Dataset, part: Part, rows: NDArray, twins: NDArray) -> NDArray[np.bool_]:
    """Whether the targets of a part's rows are others than those of training rows ``twins``; numbers may differ a little."""
    own, theirs = dataset.truth[part][rows], dataset.truth["train"][twins]
    if dataset.task == "regression":
        return np.abs(own - theirs) > SAME_TARGET * np.std(dataset.truth["train"])
    return own != theirs if own.ndim == 1 else (own != theirs).any(axis=1)


def _result(dataset: Dataset, part: Part, rows: int, repeated: NDArray, twins: NDArray, expected: Interval) -> Repeats:
    disagreeing = float(np.mean(targets_differ(dataset, part, repeated, twins))) if len(repeated) else 0.0
    return Repeats(part, rows, len(repeated), share_of(len(repeated), rows), expected, disagreeing)


def _keys(dataset: Dataset, part: Part) -> NDArray:
    """One number per row, alike for rows whose used columns hold the same values."""
    which, rows = dataset.division.places[part]
    frame = dataset.division.tables.frames[which]
    columns: dict[str, pl.Series] = {}
    for encoder in dataset.preparation.encoders:
        if encoder.column not in columns:
            columns[encoder.column] = _values(encoder, frame[encoder.column].gather(rows))
    return pl.DataFrame(list(columns.values())).hash_rows(seed=0).to_numpy()


def _values(encoder: Encoder, column: pl.Series) -> pl.Series:
    if isinstance(encoder, PictureEncoder):
        return pl.Series(row_hashes(encoder.pixels(column)))
    if isinstance(encoder, NumberEncoder):
        return as_numbers(column, encoder.style) + 0.0  # -0.0 becomes 0.0
    if isinstance(encoder, DateEncoder):
        return as_times(column, encoder.format)
    return as_text(column, numbers=encoder.numbers)
