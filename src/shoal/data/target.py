"""The target: class labels to class indices, or a number standardised with training statistics."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl

from shoal.data.encode import FARTHEST, Standardiser
from shoal.data.values import NumberStyle, as_numbers, as_text, count_infinities, number_style
from shoal.errors import DataError, Problem
from shoal.records import Task

MOST_CLASSES_OF_NUMBERS = 20
"""A column of whole numbers with more distinct values than this is a quantity unless the user says otherwise."""

Label = bool | int | float | str


class ClassTarget(msgspec.Struct, frozen=True, tag="classes", tag_field="target"):
    """Class labels in order; ``values`` keep the type they had in the data."""

    column: str
    values: tuple[Label, ...]

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

    def encode(self, series: pl.Series) -> np.ndarray:
        """Class indices int32 [rows]; -1 for a missing label and for one that is no class."""
        texts = labels(series)
        positions = {name: index for index, name in enumerate(self.classes)}
        return texts.replace_strict(positions, default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy().copy()

    def decode(self, indices: np.ndarray) -> pl.Series:
        """The labels, in their own type, of class indices [rows]."""
        return pl.Series("prediction", self.values, strict=False).gather(indices)


class NumberTarget(msgspec.Struct, frozen=True, tag="number", tag_field="target"):
    """A quantity."""

    column: str
    style: NumberStyle
    standardiser: Standardiser

    @classmethod
    def fit(cls, series: pl.Series, style: NumberStyle) -> NumberTarget:
        """From the target's training rows."""
        return cls(series.name, style, Standardiser.fit(as_numbers(series, style).to_numpy()))

    def encode(self, series: pl.Series) -> np.ndarray:
        """The numbers in their own unit, float64 [rows]; NaN where missing."""
        return as_numbers(series, self.style).fill_null(math.nan).to_numpy()


Target = ClassTarget | NumberTarget


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


def _label_values(series: pl.Series) -> tuple[Label, ...]:
    if series.dtype == pl.Boolean:
        return tuple(series.drop_nulls().unique().sort().to_list())
    if series.dtype.is_numeric():
        values = as_numbers(series).drop_nulls().unique().sort().to_list()
        return tuple(values) if series.dtype.is_float() else tuple(int(value) for value in values)
    return tuple(sorted(labels(series).drop_nulls().unique().to_list()))
