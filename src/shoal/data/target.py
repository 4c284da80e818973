"""The target: class labels to class indices, several labels to 0 and 1, or a number scaled with training statistics.

Every target is plain frozen data with the same members: what it is (``column``, ``task``, ``classes``), ``encode(frame)`` to the
truth, ``scaled(truth)`` to what a network is trained on, ``answers(truth)`` to one column per output, and ``predictions``.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, get_args

import msgspec
import numpy as np
import polars as pl

from shoal.data.normalise import FARTHEST, MeanDivisor, Standardiser
from shoal.data.values import NumberStyle, as_numbers, as_text, count_infinities, number_style
from shoal.errors import DataError, OptionError, Problem
from shoal.records import Part, Task

MOST_CLASSES_OF_NUMBERS = 20
"""A column of whole numbers with more distinct values than this is a quantity unless the user says otherwise."""

Label = bool | int | float | str
TargetScaling = Literal["standard", "mean"]
TARGET_SCALINGS: tuple[str, ...] = get_args(TargetScaling)


class ClassTarget(msgspec.Struct, frozen=True, tag="classes", tag_field="target"):
    """Class labels in order; ``values`` keep the type they had in the data."""

    column: str
    values: tuple[Label, ...]
    task: ClassVar[Task] = "classification"

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.classes)) != len(self.values):
            raise ValueError("a classification target needs two or more different classes")

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels as text."""
        return tuple(label_text(value) for value in self.values)

    @classmethod
    def fit(cls, series: pl.Series) -> ClassTarget:
        """From the target's training rows."""
        values = _label_values(series)
        if len(values) < 2:
            received = f"one class only, {values[0]!r}" if values else "no labels at all"
            raise DataError(Problem(f"the target {series.name!r} has at least two classes", received, "Choose another target or add rows."))
        return cls(series.name, values)

    def encode(self, frame: pl.DataFrame) -> np.ndarray:
        """Class indices int32 [rows]; -1 for a missing label and for one that is no class."""
        return _positions(frame[self.column], self.classes)

    def scaled(self, truth: np.ndarray) -> np.ndarray:
        """Class indices serve as they are."""
        return truth

    def answers(self, truth: np.ndarray) -> np.ndarray:
        """One 0/1 column per class [rows, classes]."""
        return truth[:, None] == np.arange(len(self.values))

    def decode(self, indices: np.ndarray) -> pl.Series:
        """The labels, in their own type, of class indices [rows]."""
        return pl.Series("prediction", self.values, strict=False).gather(indices)

    def predictions(self, outputs: np.ndarray, proba: bool) -> pl.DataFrame:
        """The most probable class of each row, and perhaps ``p_<class>``, from probabilities [rows, classes]."""
        columns = [self.decode(np.argmax(outputs, axis=1))]
        return pl.DataFrame(columns + (_probability_columns(outputs, self.classes) if proba else []))


class LabelsTarget(msgspec.Struct, frozen=True, tag="labels", tag_field="target"):
    """Several labels, each there or not there; ``values`` are what the cells of each column hold for 0 and for 1."""

    columns: tuple[str, ...]
    values: tuple[tuple[Label, Label], ...]
    task: ClassVar[Task] = "multi_label"

    def __post_init__(self) -> None:
        distinct = len(set(self.columns)) == len(self.columns) == len(self.values) > 1
        if not distinct or any(no == yes for no, yes in self.pairs.values()):
            raise ValueError("a target of several labels needs two or more columns with two different values each")

    @property
    def column(self) -> str:
        """The columns, as one text."""
        return ", ".join(self.columns)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels: the columns' names."""
        return self.columns

    @property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """Of each column its cells for 0 and for 1, as text."""
        return {name: (label_text(no), label_text(yes)) for name, (no, yes) in zip(self.columns, self.values, strict=True)}

    @classmethod
    def fit(cls, frame: pl.DataFrame) -> LabelsTarget:
        """From the training rows of the target's columns, which hold two values each (see ``check_labels``)."""
        values = {column.name: _label_values(column) for column in frame.iter_columns()}
        if constant := [f"{name!r} ({', '.join(map(label_text, found))})" for name, found in values.items() if len(found) < 2]:
            received = f"one value only in the training rows: {', '.join(constant)}"
            remedy = "Leave those labels out, add rows, or try another seed of the split."
            raise DataError(Problem("every label is there in some training rows and not in others", received, remedy))
        return cls(tuple(values), tuple((found[0], found[1]) for found in values.values()))

    def encode(self, frame: pl.DataFrame) -> np.ndarray:
        """0 or 1, int32 [rows, labels]; -1 for a missing cell and for one that is neither."""
        return np.stack([_positions(frame[name], pair) for name, pair in self.pairs.items()], axis=1)

    def scaled(self, truth: np.ndarray) -> np.ndarray:
        """0 and 1 serve as they are."""
        return truth

    def answers(self, truth: np.ndarray) -> np.ndarray:
        """One 0/1 column per label [rows, labels]."""
        return truth

    def predictions(self, outputs: np.ndarray, proba: bool) -> pl.DataFrame:
        """The likelier value of each label, and perhaps ``p_<label>``, from probabilities [rows, labels]."""
        columns = [
            pl.Series(name, pair, strict=False).gather((outputs[:, k] > 0.5).astype(np.int32))
            for k, (name, pair) in enumerate(zip(self.columns, self.values, strict=True))
        ]
        return pl.DataFrame(columns + (_probability_columns(outputs, self.columns) if proba else []))


class NumberTarget(msgspec.Struct, frozen=True, tag="number", tag_field="target"):
    """A quantity."""

    column: str
    style: NumberStyle
    scaling: Standardiser | MeanDivisor
    task: ClassVar[Task] = "regression"

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def shift(self) -> float:
        """What is subtracted before the division, in the target's own unit."""
        return self.scaling.mean if isinstance(self.scaling, Standardiser) else 0.0

    @property
    def divisor(self) -> float:
        """What is divided by, in the target's own unit."""
        return self.scaling.sd if isinstance(self.scaling, Standardiser) else self.scaling.mean

    @classmethod
    def fit(cls, series: pl.Series, style: NumberStyle) -> NumberTarget:
        """From the target's training rows, standardised."""
        return cls(series.name, style, Standardiser.fit(as_numbers(series, style).to_numpy()))

    def encode(self, frame: pl.DataFrame) -> np.ndarray:
        """The numbers in their own unit, float64 [rows]; NaN where missing."""
        return as_numbers(frame[self.column], self.style).fill_null(math.nan).to_numpy()

    def scaled(self, truth: np.ndarray) -> np.ndarray:
        """The numbers on the scale that networks are trained on, float32 [rows]."""
        return self.scaling(truth).astype(np.float32)

    def answers(self, truth: np.ndarray) -> np.ndarray:
        """The scaled numbers as one column [rows, 1]."""
        return self.scaled(truth)[:, None]

    def predictions(self, outputs: np.ndarray, proba: bool) -> pl.DataFrame:
        """The values, in their own unit; there are no probabilities to add."""
        return pl.DataFrame({"prediction": outputs.reshape(-1).astype(np.float64)})


Target = ClassTarget | LabelsTarget | NumberTarget


def rescaled(target: Target, truth: dict[Part, np.ndarray], scaling: TargetScaling) -> Target:
    """The target with another scaling, fitted on the training rows.

    Args:
        target: a quantity, unless the scaling is ``standard``.
        truth: of each part [rows].
        scaling: ``standard`` (mean and standard deviation) or ``mean`` (divided by the mean, for counts and rates).

    Raises:
        DataError: with ``mean``, negative values in any part, or nothing but zeros in training.
        OptionError: with ``mean``, a target of classes.
    """
    if problem := scaling_problem(target.task, scaling):
        raise OptionError(problem)
    if not isinstance(target, NumberTarget):
        return target
    if scaling == "standard":
        return msgspec.structs.replace(target, scaling=Standardiser.fit(truth["train"]))
    requirement = f"a target divided by its mean ({target.column!r}) holds counts or rates: numbers from 0, not all 0"
    remedy = "Choose another loss than Poisson's, or correct those rows."
    if negative := sum(int(np.sum(values < 0)) for values in truth.values()):
        rows = sum(values.size for values in truth.values())
        raise DataError(Problem(requirement, f"{negative:,} of {rows:,} rows below 0", remedy))
    if not truth["train"].any():
        raise DataError(Problem(requirement, f"0 in all {truth['train'].size:,} training rows", remedy))
    return msgspec.structs.replace(target, scaling=MeanDivisor.fit(truth["train"]))


def scaling_problem(task: Task, scaling: str) -> Problem | None:
    """What is wrong with scaling the target of this task in this way, if anything is."""
    if scaling == "standard" or task == "regression":
        return None
    return Problem(f"target_scaling={scaling!r} needs a target of numbers", f"the task {task}", "Leave it out.")


def labels(series: pl.Series) -> pl.Series:
    """The cells as label texts, null where missing."""
    return as_text(series, keep_none=True)


def label_text(value: Label) -> str:
    """One label as text: 1 and 1.0 are the same label.

    Example:
        >>> label_text(1.0), label_text(True), label_text("yes")
        ('1', 'true', 'yes')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def target_style(series: pl.Series) -> NumberStyle | None:
    """How the target writes numbers, or ``None`` where it is not a number."""
    if series.dtype.is_numeric():
        return "plain"
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return number_style(labels(series).drop_nulls().unique())
    return None


def choose_task(series: pl.Series, style: NumberStyle | None, task: str) -> Task:
    """Classification or regression, by itself or as asked.

    Raises:
        DataError: the target cannot be used for the task, has no values, or holds infinite values.
    """
    name = series.name
    if labels(series).null_count() == series.len():
        raise DataError(Problem(f"the target {name!r} has values", "missing values only", "Choose another target."))
    if style is None or series.dtype == pl.Boolean:
        if series.dtype.is_temporal() or series.dtype.is_nested():
            received = f"values of type {series.dtype}"
            raise DataError(Problem(f"the target {name!r} holds classes or numbers", received, "Turn it into a number, such as days."))
        if task == "regression":
            example = labels(series).drop_nulls()[0]
            remedy = "Use --task classification, or choose a target of numbers."
            raise DataError(Problem(f"a regression target ({name!r}) holds numbers", f"labels such as {example!r}", remedy))
        _check_few_classes(series, labels(series).n_unique())
        return "classification"
    if infinite := count_infinities(series, style):
        remedy = "Correct or remove those rows."
        raise DataError(Problem(f"the target {name!r} is finite", f"{infinite} infinite value{'s' * (infinite > 1)}", remedy))
    values = as_numbers(series, style).drop_nulls()
    if bool((values.abs() > FARTHEST).any()):
        raise DataError(
            Problem(f"the target {name!r} stays below {FARTHEST:g}", f"{values.abs().max():g}", "Correct those rows, or change the unit.")
        )
    if task == "auto":
        whole = bool((values == values.round()).all())
        few = values.n_unique() <= max(2, min(MOST_CLASSES_OF_NUMBERS, values.len() // 10))
        task = "classification" if whole and few else "regression"
    if task == "regression":
        if values.n_unique() < 2:
            received = f"the value {values[0]:g} only"
            raise DataError(Problem(f"a regression target ({name!r}) varies", received, "Choose another target or add rows."))
        return "regression"
    if values.n_unique() > MOST_CLASSES_OF_NUMBERS and bool((values != values.round()).any()):
        received = f"{values.n_unique()} different numbers with decimals"
        raise DataError(Problem(f"a classification target ({name!r}) holds classes", received, "Use --task regression."))
    _check_few_classes(series, values.n_unique())
    return "classification"


def check_labels(frame: pl.DataFrame) -> None:
    """Check that every column of the target is a label: two different values, perhaps missing ones.

    Raises:
        DataError: naming every column that is not.
    """
    problems = []
    for column in frame.iter_columns():
        values = labels(column).drop_nulls().unique().sort()
        if len(values) == 2:
            continue
        received = f"{len(values)} different values: {', '.join(values.head(4).to_list())}" + ", ..." * (len(values) > 4)
        if len(values) < 2:
            received = f"the value {values[0]} only" if len(values) else "missing values only"
        requirement = f"a label ({column.name!r}, one of {frame.width} targets) has two values"
        problems.append(Problem(requirement, received, "Leave that label out, or make it a column of 0 and 1."))
    if problems:
        raise DataError(*problems)


def unify_labels(series: pl.Series, classes: tuple[str, ...]) -> tuple[pl.Series, dict[str, str]]:
    """Labels of another file, matched to the classes where only case or a trailing dot differs; with the renamings made.

    Example:
        >>> unify_labels(pl.Series(["<=50K.", ">50K."]), ("<=50K", ">50K"))[1]
        {'<=50K.': '<=50K', '>50K.': '>50K'}
    """
    texts = labels(series)
    by_plain = {name.rstrip(".").lower(): name for name in classes}
    unknown = [text for text in texts.drop_nulls().unique().sort().to_list() if text not in classes]
    renamed = (
        {text: by_plain[plain] for text in unknown if (plain := text.rstrip(".").lower()) in by_plain}
        if len(by_plain) == len(classes)
        else {}
    )
    return (texts.replace(renamed) if renamed else texts), renamed


def _check_few_classes(series: pl.Series, distinct: int) -> None:
    rows = series.len() - labels(series).null_count()
    if distinct > MOST_CLASSES_OF_NUMBERS and distinct > rows / 2:
        received = f"{distinct} different values in {rows} rows"
        raise DataError(
            Problem(f"a classification target ({series.name!r}) has several rows per class", received, "Choose another target.")
        )


def _positions(series: pl.Series, classes: tuple[str, ...]) -> np.ndarray:
    positions = {name: index for index, name in enumerate(classes)}
    return labels(series).replace_strict(positions, default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy().copy()


def _probability_columns(outputs: np.ndarray, names: tuple[str, ...]) -> list[pl.Series]:
    return [pl.Series(f"p_{name}", np.ascontiguousarray(outputs[:, k])) for k, name in enumerate(names)]


def _label_values(series: pl.Series) -> tuple[Label, ...]:
    if series.dtype == pl.Boolean:
        return tuple(series.drop_nulls().unique().sort().to_list())
    if series.dtype.is_numeric():
        values = as_numbers(series).drop_nulls().unique().sort().to_list()
        return tuple(values) if series.dtype.is_float() else tuple(int(value) for value in values)
    return tuple(sorted(labels(series).drop_nulls().unique().to_list()))
