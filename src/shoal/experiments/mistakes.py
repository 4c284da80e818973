"""Where a classifier errs: the classes that it confuses most, and the rows that it was sure of and wrong about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shoal.data import Dataset
from shoal.data.pictures.column import PATH
from shoal.experiments.confusion import confusion_table
from shoal.experiments.repeats import share_of
from shoal.measurements import ConfusedPair, Mistakes, SureMistake
from shoal.records import Part

SURE = 0.9
"""Probability from which an answer counts as sure."""
PAIRS, EXAMPLES = 5, 10


def measure_mistakes(
    probability: NDArray,
    truth: NDArray,
    classes: tuple[str, ...],
    names,
    *,
    decided: NDArray | None = None,
    part: str = "dev",
    has_probabilities: bool = True,
) -> Mistakes:
    """The most confused pairs of classes, and the surest mistakes.

    Args:
        probability: of each class ``[rows, classes]``.
        truth: class index ``[rows]``.
        classes: what they are called.
        names: gives the names of rows, from their positions ``[n]``.
        decided: class index that is answered ``[rows]``, by default the most probable one.
        part: whose rows these are.
        has_probabilities: whether the numbers are more than decisions; without, nothing is said about what was sure.

    Example:
        >>> sure = np.eye(3)[[0, 1, 2, 1]] * 0.9 + 0.05
        >>> found = measure_mistakes(sure, np.array([0, 1, 2, 2]), ("a", "b", "c"), lambda rows: [f"row {row}" for row in rows])
        >>> found.wrong, found.pairs[0].first, found.pairs[0].second, found.mistakes[0].name
        (1, 'c', 'b', 'row 3')
    """
    said: NDArray = probability.argmax(axis=1) if decided is None else decided
    wrong = np.flatnonzero(said != truth)
    surest = np.take_along_axis(probability, said[:, None], axis=1)[:, 0]
    sure = surest >= SURE if has_probabilities else np.zeros(len(truth), bool)
    shown = [row for row in wrong[np.argsort(-surest[wrong], kind="stable")][:EXAMPLES] if sure[row]]
    mistakes = [
        SureMistake(name, int(row), classes[truth[row]], classes[said[row]], float(surest[row]), float(probability[row, truth[row]]))
        for row, name in zip(shown, names(np.array(shown, np.int64)), strict=True)
    ]
    present = len(np.unique(np.concatenate([truth, said])))
    wrong_of_sure = int(sure[wrong].sum())
    return Mistakes(
        part,
        len(truth),
        len(wrong),
        present * (present - 1) // 2,
        _pairs(truth, said, classes, present * (present - 1) // 2),
        int(sure.sum()),
        wrong_of_sure,
        share_of(wrong_of_sure, int(sure.sum()), method="wilson") if sure.any() else None,
        tuple(mistakes),
    )


def row_names(dataset: Dataset, part: Part, rows: NDArray) -> list[str]:
    """What to call rows of a part: the paths of pictures that have one, else their rows in the table, counted from 0.

    Example:
        >>> from shoal.data import load
        >>> row_names(load("example:wine"), "train", np.array([0]))[0].startswith("row ")
        True
    """
    which, places = dataset.division.places[part]
    frame = dataset.division.tables.frames[which]
    if dataset.picture is not None and PATH in frame.columns:
        return [str(path) for path in frame[PATH].gather(places[rows]).to_list()]
    several = len({id(each) for each in dataset.division.tables.frames.values()}) > 1
    return [f"row {place:,}" + f" of the {which} data" * several for place in places[rows]]


def _pairs(truth: NDArray, said: NDArray, classes: tuple[str, ...], possible: int) -> tuple[ConfusedPair, ...]:
    count = len(classes)
    table = confusion_table(said, truth, count)
    np.fill_diagonal(table, 0)
    both, rows = np.triu(table + table.T), np.bincount(truth, minlength=count)
    found = []
    for place in np.argsort(-both, axis=None, kind="stable")[:PAIRS]:
        one, other = divmod(int(place), count)
        between = int(both[one, other])
        if not between:
            break
        if table[other, one] > table[one, other]:
            one, other = other, one
        found.append(
            ConfusedPair(
                classes[one],
                classes[other],
                int(table[one, other]),
                int(table[other, one]),
                (int(rows[one]), int(rows[other])),
                share_of(between, int(table.sum()), 0.05 / max(possible, 1), "wilson"),
                share_of(between, int(rows[one] + rows[other]), method="wilson"),
            )
        )
    return tuple(found)
