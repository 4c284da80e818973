"""From a source to a data set that networks can train on: read, check, split, type, encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from shoal.data.columns import Choice, choose_date, choose_encoders, choose_pictures
from shoal.data.division import Division, divide
from shoal.data.encode import Encoder
from shoal.data.memory import zeros
from shoal.data.pictures.column import PATH, is_pictures
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.preparation import Preparation
from shoal.data.read import fingerprint, source_name
from shoal.data.request import Request, gather, preparation_problems
from shoal.data.target import LabelsTarget, TargetScaling, labels, rescaled
from shoal.data.values import as_text, count_infinities, time_format
from shoal.errors import DataError, OptionError, Problem
from shoal.progress import Listener
from shoal.recipe import InputNormalisation
from shoal.records import ColumnDecision, Part, SplitDecision, Task


@dataclass(frozen=True)
class Dataset:
    """A table made ready for training. Parts are ``train``, ``train_dev`` (with a dev file of its own), ``dev`` and ``test`` (if any).

    Args:
        inputs: float32 [rows, inputs] of each part, C-contiguous, normalised with statistics of the training rows only; of pictures
            uint8 in the order height, width, channel, which networks normalise themselves.
        targets: class index int32 [rows], 0 and 1 int32 [rows, labels], or the regression target float32 [rows] scaled with training
            statistics.
        truth: the same, with the regression target float64 [rows] in its own unit.
        weights: float32 [rows], ones unless sample weights were given; mean 1 over train.
        preparation: turns new tables into inputs, and outputs into predictions.
        task: classification, regression, or several labels.
        classes: class labels as text, or the names of the labels; ``()`` for regression.
        target: the target's column; several of them as one text.
        columns: what was decided about each column, in the table's order.
        split: how the rows were divided, and why.
        notes: things said plainly about the data that are not errors.
        fingerprint: SHA-256 of the data as read.
        source: what to call the data.
        input_normalisation: what was done to numeric columns (see ``shoal.data.normalise``).
        target_scaling: what was done to a regression target: ``standard`` or ``mean``.
        division: where the rows come from, so that they can be encoded again.
    """

    inputs: dict[Part, np.ndarray]
    targets: dict[Part, np.ndarray]
    truth: dict[Part, np.ndarray]
    weights: dict[Part, np.ndarray]
    preparation: Preparation
    task: Task
    classes: tuple[str, ...]
    target: str
    columns: tuple[ColumnDecision, ...]
    split: SplitDecision
    notes: tuple[str, ...]
    fingerprint: str
    source: str
    input_normalisation: InputNormalisation
    target_scaling: TargetScaling
    division: Division = field(repr=False)

    @property
    def picture(self) -> PictureEncoder | None:
        """The encoder of pictures, where they are the inputs."""
        return self.preparation.picture

    @property
    def picture_shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of pictures, where they are the inputs."""
        return self.picture.shape if self.picture else None

    @property
    def class_shares(self) -> dict[str, float]:
        """Each class's share of the training rows, by their weights; empty for other tasks."""
        if self.task != "classification":
            return {}
        counts = np.bincount(self.truth["train"], weights=self.weights["train"], minlength=len(self.classes))
        return {name: float(count / counts.sum()) for name, count in zip(self.classes, counts, strict=True)}

    def table(self, part: Part) -> pl.DataFrame:
        """The rows of a part as they were read."""
        frame, rows = self.division.places[part]
        return self.division.tables.frames[frame][rows]

    def with_train_dev(self) -> Dataset:
        """The same rows, with a train-dev part taken from the training rows: itself where these are too few."""
        divided = divide(replace(self.division.request, train_dev=True), self.division.tables)
        if "train_dev" not in divided.places:
            return self
        return _made(divided, self.fingerprint, self.source)

    def prepared(self, input_normalisation: InputNormalisation, target_scaling: TargetScaling) -> Dataset:
        """The same rows in the same parts, encoded in another way; the data set itself where nothing changes.

        Args:
            input_normalisation: ``smooth``, ``standard``, ``robust``, ``quantile``, ``min_max`` or ``none``.
            target_scaling: ``standard``, or ``mean`` for counts and rates.

        Raises:
            DataError: the target cannot be divided by its mean.
            OptionError: there is no such choice, or the target is none of numbers.

        Example:
            >>> data = load("example:wine").prepared("min_max", "standard")
            >>> float(data.inputs["train"].min()), float(data.inputs["train"].max())
            (0.0, 1.0)
        """
        if problems := list(preparation_problems(input_normalisation, target_scaling)):
            raise OptionError(*problems)
        changed = self
        if target_scaling != self.target_scaling:
            target = rescaled(self.division.target, self.truth, target_scaling)
            targets = {part: target.scaled(values) for part, values in self.truth.items()}
            preparation = Preparation(self.preparation.encoders, target)
            changed = replace(self, targets=targets, preparation=preparation, target_scaling=target_scaling)
        if self.picture is not None:
            return replace(changed, input_normalisation=input_normalisation) if input_normalisation != self.input_normalisation else changed
        if input_normalisation != self.input_normalisation:
            columns, encoders = _columns(self.division, input_normalisation)
            preparation = Preparation(encoders, changed.preparation.target)
            changed = replace(
                changed,
                inputs=_inputs(self.division, preparation),
                preparation=preparation,
                columns=columns,
                input_normalisation=input_normalisation,
            )
        return changed


def load(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    seed: int = 0,
    y: Any = None,
    sample_weight: Any = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    train_dev: bool = True,
    input_normalisation: InputNormalisation = "smooth",
    target_scaling: TargetScaling = "standard",
    picture_size: tuple[int, int] | None = None,
    listener: Listener = lambda event: None,
) -> Dataset:
    """Read a table, split its rows, decide what its columns are, and encode them.

    Args:
        source: any source that ``read_table`` takes; the training data. A folder of pictures, an NPZ file or a folder of IDX files may
            have parts of its own.
        target: the column to predict (``target`` for the named examples, the column of ``y`` where that is given, ``label`` of
            pictures), or several columns of two values each, which are labels.
        task: ``auto``, ``classification``, ``regression`` or ``multi_label``.
        dev: a source of its own for the dev part, or a pair ``(X, y)``.
        test: the same for the test part.
        drop: columns to leave out.
        group: column whose groups stay within one part.
        time: column that orders the rows; the latest are tested on.
        stratify: give every part the classes' shares; by default for classification.
        seed: of the shuffle.
        y: the target, where ``source`` holds inputs only: [rows], or [rows, labels] of two values each.
        sample_weight: weight of each row of ``source``; rows of weight 0 are left out.
        dev_size: rows of the dev part, or a share below 1; by default from the number of rows.
        test_size: the same for the test part; 0 for no test part.
        train_dev: take a train-dev part from the training data where the dev part has a source of its own.
        input_normalisation: of numeric columns, fitted on the training rows: ``smooth``, ``standard``, ``robust``, ``quantile``,
            ``min_max`` or ``none`` (see ``shoal.data.normalise``).
        target_scaling: of a regression target: ``standard``, or ``mean``, which divides by the training mean only and so keeps counts
            and rates from 0 up, as the Poisson loss needs them.
        picture_size: height and width to which pictures are brought; by default the median of the training data, and at most 64 each.
        listener: is told how far the reading of pictures is.

    Raises:
        DataError: the data cannot be used.
        OptionError: the options cannot be used. Either lists everything that is wrong.

    Example:
        >>> data = load("example:breast-cancer")
        >>> data.inputs["train"].shape, data.classes, data.split.rows
        ((341, 30), ('benign', 'malignant'), {'train': 341, 'dev': 114, 'test': 114})
    """
    request = Request(
        target=(target,) if isinstance(target, str) else tuple(target or ()),
        task=task,
        drop=tuple([drop] if isinstance(drop, str) else drop),
        group=group,
        time=time,
        stratify=stratify,
        seed=seed,
        dev_size=dev_size,
        test_size=test_size,
        train_dev=train_dev,
        input_normalisation=input_normalisation,
        target_scaling=target_scaling,
        picture_size=picture_size,
    )
    tables = gather(request, source, y, sample_weight, dev, test, listener)
    # Before the division, which may write labels of another file as those of the training data.
    read = fingerprint(*tables.frames.values())
    return _made(divide(request, tables), read, source_name(source))


def _made(division: Division, read: str, source: str) -> Dataset:
    """The data set of divided rows: columns decided about, inputs and targets encoded."""
    request = division.request
    fitted = rescaled(division.target, division.truth, request.target_scaling)
    columns, encoders = _columns(division, request.input_normalisation)
    preparation = Preparation(encoders, fitted)
    return Dataset(
        inputs=_inputs(division, preparation),
        targets={part: fitted.scaled(values) for part, values in division.truth.items()},
        truth=division.truth,
        weights=division.weights,
        preparation=preparation,
        task=preparation.task,
        classes=preparation.classes,
        target=fitted.column,
        columns=columns,
        split=division.split,
        notes=(*division.notes, *_infinities(division.tables.main, columns)),
        fingerprint=read,
        source=source,
        input_normalisation=request.input_normalisation,
        target_scaling=request.target_scaling,
        division=division,
    )


def _columns(division: Division, normalisation: InputNormalisation) -> tuple[tuple[ColumnDecision, ...], tuple[Encoder, ...]]:
    answers = division.answers
    picture = division.tables.picture
    choices = [_choice(division, column, answers, normalisation, picture) for column in division.tables.main.iter_columns()]
    encoders = tuple(encoder for _, fitted in choices for encoder in fitted)
    if not encoders:
        reasons = "; ".join(f"{decision.name}: {decision.reason}" for decision, _ in choices[:5] if decision.kind != "target")
        raise DataError(Problem("at least one column can be used as input", reasons or "no other columns", "Add a column that varies."))
    return tuple(decision for decision, _ in choices), encoders


def _choice(division: Division, column: pl.Series, answers: np.ndarray, normalisation: InputNormalisation, picture: str | None) -> Choice:
    name, request = column.name, division.request
    if name == picture:
        return choose_pictures(column, division.places["train"][1])
    if name in division.tables.targets:
        return ColumnDecision(name, "target", 0, 0, f"the target: {_target_in_words(division, column)}"), ()
    if is_pictures(column.dtype):
        return ColumnDecision(name, "dropped", 0, 0, "dropped: one column of pictures is used, the first"), ()
    training = division.training(column)
    if name in request.drop:
        return ColumnDecision(name, "dropped", 0, training.null_count(), "dropped: you asked for it"), ()
    if name == request.group:
        reason = "keeps its rows within one part; no input, new groups are unknown"
        return ColumnDecision(name, "group", 0, training.null_count(), reason), ()
    if picture is not None and name != request.time:
        reason = "dropped: it names the picture" if name == PATH else "dropped: networks on pictures see nothing else"
        return ColumnDecision(name, "dropped", 0, training.null_count(), reason), ()
    if picture is not None:
        return ColumnDecision(
            name, "time", 0, training.null_count(), "orders the rows; no input, networks on pictures see nothing else"
        ), ()
    if name == request.time:
        return _time_choice(training, normalisation)
    return choose_encoders(training, answers, drop_ids=not division.tables.is_array, normalisation=normalisation)


def _target_in_words(division: Division, column: pl.Series) -> str:
    target = division.target
    if isinstance(target, LabelsTarget):
        no, yes = target.pairs[column.name]
        return f"a label, {yes} or {no}"
    return f"{len(set(labels(column).drop_nulls()))} classes" if target.task == "classification" else "a quantity"


def _time_choice(training: pl.Series, normalisation: InputNormalisation) -> Choice:
    orders = "orders the rows"
    format = "" if training.dtype.is_temporal() else time_format(as_text(training).unique())
    if format is None:
        return ColumnDecision(training.name, "time", 0, training.null_count(), f"{orders}; no input, later values are unknown"), ()
    decision, encoders = choose_date(training, format, normalisation, cyclic_only=True)
    if not decision.inputs:
        return replace(decision, kind="time", reason=f"{orders}; no input, later values are unknown"), ()
    return replace(decision, kind="time", reason=f"{orders}; {decision.reason}, which come again"), encoders


def _infinities(table: pl.DataFrame, columns: Sequence[ColumnDecision]) -> list[str]:
    numbers = [decision.name for decision in columns if decision.inputs and decision.kind != "picture"]
    counts = {name: count_infinities(table[name]) for name in numbers}
    return [f"{count:,} infinite value{'s' * (count > 1)} in {name!r} treated as missing" for name, count in counts.items() if count]


def _inputs(division: Division, preparation: Preparation) -> dict[Part, np.ndarray]:
    inputs: dict[Part, np.ndarray] = {}
    picture = preparation.picture
    width = len(preparation.input_names) if picture is None else picture.inputs
    for part, (which, rows) in division.places.items():
        inputs[part] = zeros((rows.size, width), np.float32 if picture is None else np.uint8)
        preparation.encode(division.tables.frames[which], inputs[part], rows)
    return inputs
