"""What the user asked of ``load``, checked against the tables; every problem of one call is reported together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from shoal.data.pictures.column import LABEL, PATH, is_pictures, picture_column
from shoal.data.pictures.reading import Wanted
from shoal.data.pictures.resize import SMALLEST
from shoal.data.preparation import missing_columns
from shoal.data.read import read_source, read_table, source_name
from shoal.data.split import FEWEST_ROWS, part_size
from shoal.data.target import TARGET_SCALINGS, TargetScaling
from shoal.errors import DataError, InputError, OptionError, Problem, did_you_mean
from shoal.progress import Listener
from shoal.recipe import CHOICES, InputNormalisation

LARGEST_ASKED = 4096
"""Pixels on a side that may be asked for."""

TASKS = ("auto", "classification", "regression", "multi_label")


@dataclass(frozen=True)
class Request:
    """The options of ``load``."""

    target: tuple[str, ...]
    """Names of the columns to predict; ``()`` where they go without saying."""
    task: str
    drop: tuple[str, ...]
    group: str | None
    time: str | None
    stratify: bool | None
    seed: int
    dev_size: float | int | None
    test_size: float | int | None
    train_dev: bool = True
    input_normalisation: InputNormalisation = "smooth"
    target_scaling: TargetScaling = "standard"
    picture_size: tuple[int, int] | None = None

    def size(self, part: str, rows: int) -> int:
        """Rows of the dev or test part, as asked or from the number of rows."""
        asked = self.dev_size if part == "dev" else self.test_size
        if asked is None:
            return part_size(rows)
        return max(FEWEST_ROWS, round(asked * rows)) if isinstance(asked, float) and asked < 1 else int(asked)

    def why(self) -> str:
        """Why the parts have their sizes, where the user set them."""
        asked = [f"{part} {size:g}" for part, size in (("dev", self.dev_size), ("test", self.test_size)) if size]
        return f"The sizes are as asked: {', '.join(asked)}." if asked else ""

    def option_problems(self) -> Iterator[Problem]:
        """What is wrong with the options whatever the table."""
        if self.task not in TASKS:
            yield Problem(f"the task is one of {', '.join(TASKS)}", repr(self.task), did_you_mean(str(self.task), TASKS))
        yield from preparation_problems(self.input_normalisation, self.target_scaling)
        if self.group is not None and self.time is not None:
            received = f"both {self.group!r} and {self.time!r}"
            yield Problem("the rows are split by group or by time", received, "Leave one of them out.")
        if self.stratify and (self.group is not None or self.time is not None):
            yield Problem("stratify goes with a shuffled split", "a split by group or by time", "Leave it out.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int | np.integer) or self.seed < 0:
            yield Problem("the seed is a whole number from 0", repr(self.seed), "Give, say, 0.")
        for part, size in (("dev", self.dev_size), ("test", self.test_size)):
            smallest = 0 if part == "test" else 1e-9
            is_number = isinstance(size, int | float | np.number) and not isinstance(size, bool)
            if size is not None and not (is_number and smallest <= size < float("inf") and (size < 1 or size == int(size))):
                yield Problem(f"the size of the {part} part is a share below 1 or a number of rows", repr(size), "Give, say, 0.2 or 1000.")

        sides = self.picture_size
        are_two = isinstance(sides, tuple | list) and len(sides) == 2
        if sides is not None and not (are_two and all(isinstance(side, int) and SMALLEST <= side <= LARGEST_ASKED for side in sides)):
            requirement = f"the size of pictures is a height and a width from {SMALLEST} to {LARGEST_ASKED}"
            yield Problem(requirement, repr(sides), "Give, say, (32, 32).")

    def target_problems(self, targets: Sequence[str]) -> Iterator[Problem]:
        """Targets that do not go with the task, or are named twice."""
        if len(targets) > 1 and self.task in ("classification", "regression"):
            received = f"task {self.task!r} and {len(targets)} target columns"
            yield Problem("several target columns are labels", received, "Name one target, or leave the task out.")
        if len(targets) == 1 and self.task == "multi_label":
            received = f"{targets[0]!r} alone"
            yield Problem("the task multi_label has several target columns, one per label", received, "Name all labels' columns.")
        if twice := sorted({name for name in targets if targets.count(name) > 1}):
            yield Problem("the target's columns are different ones", f"{', '.join(map(repr, twice))} twice", "Name each once.")

    def column_problems(self, frame: pl.DataFrame, targets: Sequence[str]) -> Iterator[Problem]:
        """Options that name columns the table does not have, or one column twice."""
        for option, names in (("drop", self.drop), ("group", (self.group,)), ("time", (self.time,))):
            for name in names:
                if name is not None and name not in frame.columns:
                    yield Problem(f"--{option} names a column of the table", repr(name), did_you_mean(name, frame.columns))
                elif name is not None and name in targets:
                    yield Problem(f"--{option} names another column than the target", repr(name), "Choose another column.")
        for option, name in (("group", self.group), ("time", self.time)):
            if name is not None and name in self.drop:
                yield Problem(
                    f"a column is used for --{option} or dropped", f"both for {name!r}", "Leave --drop out: it is no plain input anyway."
                )


def preparation_problems(input_normalisation: str, target_scaling: str) -> Iterator[Problem]:
    """What is wrong with these two choices, whatever the table."""
    for name, value, known in (
        ("input_normalisation", input_normalisation, CHOICES["input_normalisation"]),
        ("target_scaling", target_scaling, TARGET_SCALINGS),
    ):
        if value not in known:
            yield Problem(f"{name} is one of {', '.join(known)}", repr(value), did_you_mean(str(value), known))


@dataclass(frozen=True)
class Tables:
    """The tables of one call: ``train`` and perhaps ``dev`` and ``test``, each with the target in it."""

    frames: dict[str, pl.DataFrame]
    targets: tuple[str, ...]
    weights: np.ndarray | None
    is_array: bool
    notes: list[str] = field(default_factory=list)
    picture: str | None = None
    """The column of pictures that is the input."""
    classes: bool = False
    """Whether the target names classes even where it is written as numbers."""

    @property
    def main(self) -> pl.DataFrame:
        """The table that training rows come from."""
        return self.frames["train"]


def gather(
    request: Request,
    source: Any,
    y: Any,
    sample_weight: Any,
    dev: Any,
    test: Any,
    listener: Listener = lambda event: None,
) -> Tables:
    """Read all sources and check the options against them.

    Raises:
        DataError: if any problem lies in the data, listing all problems.
        OptionError: if all problems lie in the options.
    """
    option_problems = list(request.option_problems())
    data_problems: list[Problem] = []
    sources = _Sources(request, option_problems, data_problems, listener, y is None)
    targets = request.target or (("target",) if isinstance(source, str) and source.startswith("example:") else ())
    given = {"train": (source, y)}
    for which, other in (("dev", dev), ("test", test)):
        if other is not None:
            given[which] = other if isinstance(other, tuple) and len(other) == 2 else (other, None)
    for which, (table, answers) in given.items():
        try:
            targets = sources.read(which, table, answers, targets)
        except InputError as error:
            data_problems.extend(error.problems)
    frames, notes, picture = sources.frames, sources.notes, None
    if "train" in frames:
        main = frames["train"]
        picture = next((name for name in main.columns if is_pictures(main.schema[name]) and name not in request.drop), None)
        if not targets and picture is not None:
            targets = _target_of_pictures(main)
        if not targets:
            remedy = f"Name one: {', '.join(main.columns[:12])}{', ...' if main.width > 12 else ''}."
            option_problems.append(Problem("a target column is named", "no target", remedy))
        for target in [name for name in targets if name not in main.columns]:
            received = f"no column {target!r} in {source_name(source)}"
            data_problems.append(Problem("the target is a column of the table", received, did_you_mean(target, main.columns)))
        option_problems.extend([*request.target_problems(targets), *request.column_problems(main, targets)])
        unused = {*request.drop, request.group, request.time}
        used = main.columns if picture is None else [picture, *(name for name in targets if name in main.columns)]
        for which in [name for name in ("dev", "test") if name in frames]:
            needed = [name for name in used if name not in unused]
            missing = [name for name in needed if name not in frames[which].columns]
            if missing:
                data_problems.append(missing_columns(missing, frames[which], f"the {which} table"))
            extra = [name for name in frames[which].columns if name not in main.columns]
            if extra and picture is None:
                notes.append(f"columns of the {which} data that the training data lack are not used: {', '.join(extra[:8])}")
    weights = None
    if sample_weight is not None and "train" in frames:
        weights, problem = _weights(sample_weight, sources.heights["train"])
        if problem:
            data_problems.append(problem)
        elif weights is not None and (kept := sources.kept.get("train")) is not None:
            weights = weights[kept]
    if data_problems:
        raise DataError(*data_problems, *option_problems)
    if option_problems:
        raise OptionError(*option_problems)
    classes = picture is not None and targets == (LABEL,) and frames["train"].schema[LABEL] == pl.String
    return Tables(frames, targets, weights, isinstance(source, np.ndarray | list | tuple), notes, picture, classes)


class _Sources:
    """The sources of one call as they are read, one after the other."""

    def __init__(
        self, request: Request, option_problems: list[Problem], data_problems: list[Problem], listener: Listener, labelled: bool
    ) -> None:
        self.data_problems = data_problems
        self.frames: dict[str, pl.DataFrame] = {}
        self.heights: dict[str, int] = {}
        self.kept: dict[str, np.ndarray | None] = {}
        self.notes: list[str] = []
        size = request.picture_size if not option_problems else None
        self._wanted = Wanted("train" if labelled else "predict", size, listener=listener)

    def read(self, which: str, table: Any, answers: Any, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Read the table of a part; the answer is the target, which may be known only now."""
        wanted = self._wanted
        if which != "train":
            wanted = replace(wanted, purpose="score" if answers is None else "predict")
        reading = read_source(table, wanted)
        frame = reading.frames["train"] if which == "train" else reading.frame
        self.kept[which], self.heights[which] = reading.kept, frame.height + len(reading.skipped)
        if answers is not None:
            answers = _answers(answers)
            targets = targets or tuple(answers.columns)
            if reading.kept is not None and answers.height == self.heights[which]:
                answers = answers[reading.kept]
            frame = _with_answers(frame, answers, targets)
        if which != "train" and which in self.frames:
            self.notes.append(f"the {which} part of the training data's own is not used, since you gave another")
        self.frames[which] = frame
        if which == "train":
            self.frames |= {part: rows for part, rows in reading.frames.items() if part != "train"}
            if (name := picture_column(frame)) is not None:
                height, width, channels = frame.schema[name].shape  # type: ignore[attr-defined]
                self._wanted = replace(wanted, size=(height, width), channels=channels)
        self.notes += [note if which == "train" else f"{which} data: {note}" for note in reading.notes]
        return targets


def _target_of_pictures(frame: pl.DataFrame) -> tuple[str, ...]:
    """The column of labels, or the only one besides the pictures and their paths."""
    if LABEL in frame.columns:
        return (LABEL,)
    others = [name for name in frame.columns if name != PATH and not is_pictures(frame.schema[name])]
    return tuple(others) if len(others) == 1 else ()


def _answers(answers: Any) -> pl.DataFrame:
    """``y`` as a table: its own columns, or ``y`` for one and ``y0``, ``y1``, ... for several that have no names."""
    if hasattr(answers, "columns"):
        frame = read_table(answers)
        return frame if frame.width > 1 else frame.rename({frame.columns[0]: "y"})
    name = answers.name if isinstance(getattr(answers, "name", None), str) else "y"
    array = np.asarray(answers.to_list() if hasattr(answers, "to_list") else answers)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.shape[1]:
        remedy = "Give one target value per row, or one 0/1 column per label."
        raise DataError(Problem("y has 1 dimension, [rows], or 2, [rows, labels]", f"shape {array.shape}", remedy))
    names = [name] if array.shape[1] == 1 else [f"{name}{index}" for index in range(array.shape[1])]
    columns = [column.tolist() if array.dtype.kind in "OUS" else np.ascontiguousarray(column) for column in array.T]
    return pl.DataFrame([pl.Series(name, column, strict=False) for name, column in zip(names, columns, strict=True)])


def _with_answers(frame: pl.DataFrame, answers: pl.DataFrame, targets: tuple[str, ...]) -> pl.DataFrame:
    """The table with the target's columns in it, found in ``y`` by name, or else by place."""
    if taken := [name for name in targets if name in frame.columns]:
        received = f"a column {taken[0]!r} in X"
        raise DataError(Problem("y is no column of X as well", received, "Leave y out and name the target, or rename it."))
    if set(targets) <= set(answers.columns):
        answers = answers.select(targets)
    if answers.width != len(targets):
        received = f"{answers.width} for {', '.join(map(repr, targets))}"
        raise DataError(Problem("y has one column per target", received, "Name as many targets as y has columns, or none."))
    if answers.height != frame.height:
        received = f"{answers.height} values for {frame.height} rows"
        raise DataError(Problem("y has one value per row of X", received, "Give both the same rows."))
    return frame.with_columns(column.alias(name) for column, name in zip(answers.iter_columns(), targets, strict=True))


def _weights(sample_weight: Any, rows: int) -> tuple[np.ndarray | None, Problem | None]:
    requirement, remedy = "sample weights are one finite number from 0 per row, not all 0", "Correct them, or leave them out."
    try:
        weights = np.asarray(sample_weight, np.float64)
    except (TypeError, ValueError) as error:
        return None, Problem(requirement, str(error), remedy)
    if weights.shape != (rows,):
        return None, Problem(requirement, f"shape {weights.shape} for {rows} rows", remedy)
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or not np.any(weights > 0):
        return None, Problem(requirement, "infinite, missing, negative or only zero weights", remedy)
    return weights, None
