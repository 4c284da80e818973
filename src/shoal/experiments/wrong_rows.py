"""The rows that a model gets most wrong: their values in the columns that tell most, or their pictures."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from shoal.data import Dataset
from shoal.data.pictures.column import pixels_of
from shoal.data.sample import drawn_rows
from shoal.experiments.column_codes import coded_columns, codes
from shoal.experiments.labels import labels_said, target_cells
from shoal.experiments.mistakes import row_names
from shoal.measurements import WrongRow
from shoal.records import Part

ROWS, COLUMNS = 12, 5
MOST_ROWS, MOST_COLUMNS = 1_000, 64
"""Looked at to find the columns that tell most."""
LARGEST_SIDE = 64
LONGEST_VALUE = 40


def wrong_rows(
    dataset: Dataset, answer: NDArray, *, decided: NDArray | None = None, part: Part = "dev", seed: int = 0
) -> tuple[WrongRow, ...]:
    """The wrong answers of which a classifier is surest; of a regression the predictions furthest off.

    Args:
        dataset: the rows.
        answer: probabilities ``[rows, classes]``, or values ``[rows]``, of all rows of the part.
        decided: class index that is answered ``[rows]``, by default the most probable one.
        part: whose rows to look at.
        seed: draws the rows by which the columns are chosen.

    Returns:
        At most 12, the worst first; of several labels each is one label of a row.
    """
    truth = dataset.truth[part]
    labels = np.zeros(0, np.int64)
    if dataset.task == "multi_label":
        chosen, labels, judged = _wrong_labels(dataset, answer, truth)
    elif dataset.task == "classification":
        said: NDArray = answer.argmax(axis=1) if decided is None else decided
        sure = np.take_along_axis(answer, said[:, None], axis=1)[:, 0]
        wrong = np.flatnonzero(said != truth)
        chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:ROWS]
        judged = [
            (dataset.classes[truth[row]], dataset.classes[said[row]], float(sure[row]), float(answer[row, truth[row]])) for row in chosen
        ]
    else:
        off = np.abs(truth - answer)
        chosen = np.argsort(-off, kind="stable")[:ROWS]
        judged = [(float(truth[row]), float(answer[row]), None, None) for row in chosen if off[row] > 0]
        chosen = chosen[: len(judged)]
    if not len(chosen):
        return ()
    names = row_names(dataset, part, chosen)
    pictures = _pictures(dataset, part, chosen) if dataset.picture is not None else [""] * len(chosen)
    values = _values(dataset, part, chosen, seed, np.unique(labels)) if dataset.picture is None else [()] * len(chosen)
    named = [dataset.classes[label] for label in labels] or [""] * len(chosen)
    return tuple(
        WrongRow(name, *answers, values=seen, picture=picture, label=label)
        for name, answers, seen, picture, label in zip(names, judged, values, pictures, named, strict=True)
    )


def _wrong_labels(dataset: Dataset, answer: NDArray, truth: NDArray) -> tuple[NDArray, NDArray, list[tuple[Any, ...]]]:
    """Of the surest wrong answers for one label of a row: the rows, the labels, and what is said of them."""
    said = labels_said(answer).astype(np.int64)
    wrong = np.argwhere(said != truth)
    of_answer = np.where(said == 1, answer, 1 - answer)
    surest = np.argsort(-of_answer[*wrong.T], kind="stable")[:ROWS]
    cells = [target_cells(dataset)[name] for name in dataset.classes]
    judged = [
        (cells[label][truth[row, label]], cells[label][said[row, label]], float(sure := of_answer[row, label]), 1 - float(sure))
        for row, label in wrong[surest]
    ]
    return *wrong[surest].T, judged


def telling_columns(dataset: Dataset, seed: int = 0, labels: NDArray | None = None) -> list[int]:
    """The columns that share most information with the target, the first the most, as positions among ``coded_columns``.

    Of several labels the information about each of them is added up; ``labels`` are those that count, all by default.

    Mutual information with each column alone, by nearest neighbours (Kraskov, Stögbauer and Grassberger 2004; Ross 2014), on a sample of
    the training rows.
    """
    which, places = dataset.division.places["train"]
    rng = np.random.default_rng(seed)
    rows = drawn_rows(len(places), MOST_ROWS, rng)
    columns = coded_columns(dataset.preparation)
    kept = drawn_rows(len(columns), MOST_COLUMNS, rng)
    table = codes(dataset.preparation, dataset.division.tables.frames[which], places[rows])[:, kept]
    categories = np.array([bool(columns[index].levels) for index in kept])
    for index in range(table.shape[1]):
        known = table[~np.isnan(table[:, index]), index]
        # a category of its own; of numbers the middle, which tells nothing
        lacking = -1.0 if categories[index] else float(np.median(known)) if len(known) else 0.0
        table[np.isnan(table[:, index]), index] = lacking
    measure: Any = mutual_info_regression if dataset.task == "regression" else mutual_info_classif
    truth = dataset.truth["train"][rows]
    targets = [truth] if truth.ndim == 1 else list((truth if labels is None else truth[:, labels]).T)
    neighbours = min(3, len(rows) - 1)
    shared = sum(measure(table, each, discrete_features=categories, n_neighbors=neighbours, random_state=seed) for each in targets)
    return [int(kept[index]) for index in np.argsort(-shared, kind="stable")]


def _values(dataset: Dataset, part: Part, rows: NDArray, seed: int, labels: NDArray) -> list[tuple[tuple[str, str], ...]]:
    which, places = dataset.division.places[part]
    columns = coded_columns(dataset.preparation)
    shown = telling_columns(dataset, seed, labels)[:COLUMNS]
    frame = dataset.division.tables.frames[which]
    cells = {columns[index].name: frame[columns[index].name].gather(places[rows]).to_list() for index in shown}
    return [tuple((name, _in_words(cells[name][place])) for name in cells) for place in range(len(rows))]


def _in_words(value: object) -> str:
    if value is None:
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value).strip()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _pictures(dataset: Dataset, part: Part, rows: NDArray) -> list[str]:
    """Small PNGs in base64, as the file had the pictures."""
    which, places = dataset.division.places[part]
    assert dataset.picture is not None
    pixels = pixels_of(dataset.division.tables.frames[which][dataset.picture.column].gather(places[rows]))
    return [_png(each) for each in pixels]


def _png(pixels: NDArray) -> str:
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()
