"""From a source to a data set that networks can train on: read, check, split, type, encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from shoal.data.columns import Choice, choose_date, choose_encoders
from shoal.data.encode import Encoder
from shoal.data.preparation import Preparation
from shoal.data.read import fingerprint, source_name
from shoal.data.request import Request, Tables, gather
from shoal.data.split import Assignment, by_group, by_time, check_rows, part_size, shuffled, stratified, why_these_sizes
from shoal.data.target import ClassTarget, NumberTarget, Target, choose_task, labels, target_style, unify_labels
from shoal.data.values import NumberStyle, as_numbers, as_text, as_times, count_infinities, number_style, time_format
from shoal.errors import DataError, OptionError, Problem
from shoal.records import ColumnDecision, Part, SplitDecision, Task

FEWEST_ROWS_FOR_TRAIN_DEV = 500
FEWEST_ROWS_TO_SHARE_DEV = 100


@dataclass(frozen=True)
class Dataset:
    """A table made ready for training. Parts are ``train``, ``train_dev`` (with a dev file of its own), ``dev`` and ``test`` (if any).

    Args:
        inputs: float32 [rows, inputs] of each part, C-contiguous, normalised with statistics of the training rows only.
        targets: class index int32 [rows], or the regression target float32 [rows] standardised with training statistics.
        truth: class index int32 [rows], or the regression target float64 [rows] in its own unit.
        weights: float32 [rows], ones unless sample weights were given; mean 1 over train.
        preparation: turns new tables into inputs, and outputs into predictions.
        task: classification or regression.
        classes: class labels as text; ``()`` for regression.
        target: the target's column.
        columns: what was decided about each column, in the table's order.
        split: how the rows were divided, and why.
        notes: things said plainly about the data that are not errors.
        fingerprint: SHA-256 of the data as read.
        source: what to call the data.
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


def load(
    source: Any,
    *,
    target: str | None = None,
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
) -> Dataset:
    """Read a table, split its rows, decide what its columns are, and encode them.

    Args:
        source: any source that ``read_table`` takes; the training data.
        target: the column to predict (``target`` for the named examples, the column of ``y`` where that is given).
        task: ``auto``, ``classification`` or ``regression``.
        dev: a source of its own for the dev part, or a pair ``(X, y)``.
        test: the same for the test part.
        drop: columns to leave out.
        group: column whose groups stay within one part.
        time: column that orders the rows; the latest are tested on.
        stratify: give every part the classes' shares; by default for classification.
        seed: of the shuffle.
        y: the target, where ``source`` holds inputs only.
        sample_weight: weight of each row of ``source``; rows of weight 0 are left out.
        dev_size: rows of the dev part, or a share below 1; by default from the number of rows.
        test_size: the same for the test part; 0 for no test part.
        train_dev: take a train-dev part from the training data where the dev part has a source of its own.

    Raises:
        DataError: the data cannot be used.
        OptionError: the options cannot be used. Either lists everything that is wrong.

    Example:
        >>> data = load("example:breast-cancer")
        >>> data.inputs["train"].shape, data.classes, data.split.rows
        ((341, 30), ('benign', 'malignant'), {'train': 341, 'dev': 114, 'test': 114})
    """
    request = Request(
        target, task, tuple([drop] if isinstance(drop, str) else drop), group, time, stratify, seed, dev_size, test_size, train_dev
    )
    tables = gather(request, source, y, sample_weight, dev, test)
    return _Assembly(request, tables, source_name(source)).dataset()


class _Assembly:
    """The steps of ``load`` after reading, and what they have found so far."""

    def __init__(self, request: Request, tables: Tables, source: str) -> None:
        self.request, self.tables, self.source = request, tables, source
        self.notes = list(tables.notes)
        self.fingerprint = fingerprint(*tables.frames.values())
        self.style: NumberStyle | None = target_style(tables.main[tables.target])
        self.task: Task = choose_task(tables.main[tables.target], self.style, request.task)
        if request.stratify and self.task == "regression":
            raise OptionError(Problem("stratify needs classes", "a regression target", "Leave it out."))
        self.places: dict[Part, tuple[str, np.ndarray]] = {}

    def dataset(self) -> Dataset:
        kept = {which: self._rows_with_target(which) for which in self.tables.frames}
        decision = self._split(kept)
        target = self._fit_target()
        truth: dict[Part, np.ndarray] = {
            part: target.encode(self._target_cells(which).gather(rows)) for part, (which, rows) in self.places.items()
        }
        if isinstance(target, ClassTarget):
            truth = self._without_unknown_classes(truth)
        targets: dict[Part, np.ndarray] = truth
        if isinstance(target, NumberTarget):
            targets = {part: target.standardiser(values).astype(np.float32) for part, values in truth.items()}
        columns, encoders = self._columns(_as_outputs(targets["train"], target))
        preparation = Preparation(encoders, target)
        rows = {part: rows.size for part, (_, rows) in self.places.items()}
        return Dataset(
            inputs=self._inputs(preparation),
            targets=targets,
            truth=truth,
            weights=self._weights(),
            preparation=preparation,
            task=self.task,
            classes=preparation.classes,
            target=self.tables.target,
            columns=columns,
            split=replace(decision, rows=rows),  # type: ignore[arg-type]
            notes=tuple(self.notes),
            fingerprint=self.fingerprint,
            source=self.source,
        )

    def _target_cells(self, which: str) -> pl.Series:
        return self.tables.frames[which][self.tables.target]

    def _rows_with_target(self, which: str) -> np.ndarray:
        """Positions of the rows of one table that can be used."""
        cells = self._target_cells(which)
        if self.task == "classification":
            usable = labels(cells).is_not_null()
        else:
            style: NumberStyle = self.style or "plain"
            if which != "train" and (infinite := count_infinities(cells, style)):
                received = f"{infinite} infinite value{'s' * (infinite > 1)} in the {which} data"
                raise DataError(Problem(f"the target {self.tables.target!r} is finite", received, "Correct or remove those rows."))
            usable = as_numbers(cells, style).is_not_null()
        mask = usable.to_numpy()
        if without := int(mask.size - mask.sum()):
            of = "" if which == "train" else f" of the {which} data"
            self.notes.append(f"{without:,} row{'s' * (without > 1)}{of} without a target left out")
        if which == "train" and self.tables.weights is not None:
            if weightless := int(np.sum(self.tables.weights[mask] == 0)):
                self.notes.append(f"{weightless:,} row{'s' * (weightless > 1)} of weight 0 left out")
            mask = mask & (self.tables.weights > 0)
        return np.flatnonzero(mask)

    def _split(self, kept: dict[str, np.ndarray]) -> SplitDecision:
        request, rows = self.request, kept["train"]
        if request.time is not None:
            rows = self._rows_with_time(rows)
        wants_test = request.test_size != 0
        sizes: dict[Part, int] = {}
        reasons: list[str] = []
        if "dev" not in kept:
            sizes["dev"] = request.size("dev", rows.size)
            if "test" not in kept and wants_test:
                sizes["test"] = request.size("test", rows.size)
            reasons.append(request.why() or why_these_sizes(rows.size))
        elif request.train_dev and rows.size >= FEWEST_ROWS_FOR_TRAIN_DEV:
            sizes["train_dev"] = part_size(rows.size) // 2
            reasons.append(
                "A train-dev part is taken from the training data, so that a mismatch of the dev data can be told from variance."
            )
        check_rows(rows.size, sizes)
        assignment = self._assign(rows, sizes)
        self.places = {part: ("train", rows[chosen]) for part, chosen in assignment.rows.items()}
        for which in ("dev", "test"):
            if which in kept:
                check_part_file(which, kept[which].size)
                self.places[which] = (which, kept[which])
                reasons.append(f"The {which} part is a table of its own.")
        if "dev" in kept and "test" not in kept and wants_test and kept["dev"].size >= FEWEST_ROWS_TO_SHARE_DEV:
            halves = self._assign(kept["dev"], {"test": kept["dev"].size // 2}, "dev", plain=True)
            self.places["dev"] = ("dev", kept["dev"][halves.rows["train"]])
            self.places["test"] = ("dev", kept["dev"][halves.rows["test"]])
            reasons.append("Half of the dev data is kept as the test part, since dev and test must come from the same distribution.")
        if "test" not in self.places:
            reasons.append("There is no test part, so the best figure is a dev score: chosen, and so optimistic.")
        order: tuple[Part, ...] = ("train", "train_dev", "dev", "test")
        self.places = {part: self.places[part] for part in order if part in self.places}
        return SplitDecision(assignment.method if sizes else "as given", {}, " ".join(reasons))

    def _assign(self, rows: np.ndarray, sizes: dict[Part, int], which: str = "train", plain: bool = False) -> Assignment:
        request, frame = self.request, self.tables.frames[which]
        if not sizes:
            return Assignment({"train": np.arange(rows.size)}, "as given")
        if request.time is not None and not plain:
            return by_time(self._times()[rows], sizes, request.time)
        if request.group is not None and not plain:
            groups = as_text(frame[request.group].gather(rows)).fill_null("(missing)")
            return by_group(groups.rank("dense").to_numpy().astype(np.int64) - 1, sizes, request.seed, request.group)
        if self.task == "regression" or request.stratify is False:
            return shuffled(rows.size, sizes, request.seed)
        cells = labels(frame[self.tables.target].gather(rows))
        assignment = stratified(cells.rank("dense").to_numpy().astype(np.int64) - 1, sizes, request.seed)
        if assignment.rare and which == "train":
            names = cells.unique().sort().gather(list(assignment.rare)).to_list()
            counts = {name: int((cells == name).sum()) for name in names}
            listed = ", ".join(f"{name} ({count} row{'s' * (count > 1)})" for name, count in counts.items())
            self.notes.append(f"classes too rare to appear in every part are kept in training: {listed}")
        return assignment

    def _times(self) -> np.ndarray:
        """The ordering column as numbers, NaN where missing."""
        column = self.tables.main[str(self.request.time)]
        if column.dtype.is_numeric() or number_style(as_text(column).unique()) is not None:
            return as_numbers(column).fill_null(np.nan).to_numpy()
        format = "" if column.dtype.is_temporal() else time_format(as_text(column).unique())
        if format is None:
            example = as_text(column).drop_nulls().head(1).to_list()
            remedy = "Write it like 2024-05-31 or 2024-05-31 14:00:00."
            raise DataError(Problem(f"the time column {column.name!r} holds dates or numbers", f"cells such as {example}", remedy))
        return as_times(column, format).dt.epoch("us").cast(pl.Float64).fill_null(np.nan).to_numpy()

    def _rows_with_time(self, rows: np.ndarray) -> np.ndarray:
        known = ~np.isnan(self._times()[rows])
        if without := int(known.size - known.sum()):
            self.notes.append(f"{without:,} row{'s' * (without > 1)} without {self.request.time} left out: they have no place in time")
        return rows[known]

    def _fit_target(self) -> Target:
        cells = self._target_cells("train").gather(self.places["train"][1])
        if self.task == "regression":
            if as_numbers(cells, self.style or "plain").n_unique() < 2:
                received = "one value only in the training rows"
                raise DataError(Problem(f"the target {cells.name!r} varies", received, "Add rows, or choose another target."))
            return NumberTarget.fit(cells, self.style or "plain")
        target = ClassTarget.fit(cells)
        for which in ("dev", "test"):
            if which in self.tables.frames:
                unified, renamed = unify_labels(self._target_cells(which), target.classes)
                if renamed:
                    self.tables.frames[which] = self.tables.frames[which].with_columns(unified.alias(self.tables.target))
                    pairs = ", ".join(f"{theirs!r} as {mine!r}" for theirs, mine in list(renamed.items())[:5])
                    self.notes.append(f"labels of the {which} data read as those of the training data: {pairs}")
        return target

    def _without_unknown_classes(self, truth: dict[Part, np.ndarray]) -> dict[Part, np.ndarray]:
        for part, classes in truth.items():
            if unknown := int(np.sum(classes < 0)):
                which, rows = self.places[part]
                names = labels(self._target_cells(which).gather(rows[classes < 0])).unique().sort().head(5).to_list()
                listed = ", ".join(map(repr, names))
                if unknown == classes.size:
                    received = f"labels such as {listed}"
                    raise DataError(Problem(f"the {part} rows have classes of the training rows", received, "Check the file's target."))
                self.places[part] = (which, rows[classes >= 0])
                self.notes.append(f"{unknown:,} {part} row{'s' * (unknown > 1)} left out, of classes without training rows: {listed}")
        return {part: classes[classes >= 0] for part, classes in truth.items()}

    def _columns(self, answers: np.ndarray) -> tuple[tuple[ColumnDecision, ...], tuple[Encoder, ...]]:
        rows = self.places["train"][1]
        decisions: list[ColumnDecision] = []
        encoders: list[Encoder] = []
        for column in self.tables.main.iter_columns():
            decision, fitted = self._choice(column, rows, answers)
            decisions.append(decision)
            encoders.extend(fitted)
            if fitted and (infinite := count_infinities(column)):
                self.notes.append(f"{infinite:,} infinite value{'s' * (infinite > 1)} in {column.name!r} treated as missing")
        if not encoders:
            reasons = "; ".join(f"{decision.name}: {decision.reason}" for decision in decisions[:5] if decision.kind != "target")
            raise DataError(Problem("at least one column can be used as input", reasons or "no other columns", "Add a column that varies."))
        return tuple(decisions), tuple(encoders)

    def _choice(self, column: pl.Series, rows: np.ndarray, answers: np.ndarray) -> Choice:
        name = column.name
        if name == self.tables.target:
            reason = f"{len(set(labels(column).drop_nulls()))} classes" if self.task == "classification" else "a quantity"
            return ColumnDecision(name, "target", 0, 0, f"the target: {reason}"), ()
        training = column.gather(rows)
        if name in self.request.drop:
            return ColumnDecision(name, "dropped", 0, training.null_count(), "dropped: you asked for it"), ()
        if name == self.request.group:
            return ColumnDecision(
                name, "group", 0, training.null_count(), "keeps its rows within one part; no input, new groups are unknown"
            ), ()
        if name == self.request.time:
            return self._time_choice(training)
        return choose_encoders(training, answers, drop_ids=not self.tables.is_array)

    def _time_choice(self, training: pl.Series) -> Choice:
        orders = "orders the rows"
        format = "" if training.dtype.is_temporal() else time_format(as_text(training).unique())
        if format is None:
            return ColumnDecision(training.name, "time", 0, training.null_count(), f"{orders}; no input, later values are unknown"), ()
        decision, encoders = choose_date(training, format, cyclic_only=True)
        if not decision.inputs:
            return replace(decision, kind="time", reason=f"{orders}; no input, later values are unknown"), ()
        return replace(decision, kind="time", reason=f"{orders}; {decision.reason}, which come again"), encoders

    def _inputs(self, preparation: Preparation) -> dict[Part, np.ndarray]:
        inputs: dict[Part, np.ndarray] = {}
        for part, (which, rows) in self.places.items():
            inputs[part] = np.empty((rows.size, len(preparation.input_names)), np.float32)
            preparation.encode(self.tables.frames[which], inputs[part], rows)
        return inputs

    def _weights(self) -> dict[Part, np.ndarray]:
        given = self.tables.weights
        if given is None:
            return {part: np.ones(rows.size, np.float32) for part, (_, rows) in self.places.items()}
        mean = float(np.mean(given[self.places["train"][1]]))
        return {
            part: (given[rows] / mean if which == "train" else np.ones(rows.size)).astype(np.float32)
            for part, (which, rows) in self.places.items()
        }


def _as_outputs(targets: np.ndarray, target: Target) -> np.ndarray:
    """One 0/1 column per class, or the standardised target as one column."""
    if isinstance(target, ClassTarget):
        return targets[:, None] == np.arange(len(target.classes))
    return targets[:, None]


def check_part_file(which: str, rows: int) -> None:
    """Raise a DataError when a table given for a part has too few rows."""
    if rows < 2:
        received = f"{rows} row{'s' * (rows != 1)} with a target"
        raise DataError(
            Problem(f"the {which} data have at least 2 rows", received, "Add rows, or leave the table out to have a part taken.")
        )
