"""Which rows of which table belong to which part, and what is to be predicted of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from shoal.data.request import Request, Tables
from shoal.data.split import Assignment, by_group, by_time, check_rows, part_size, shuffled, stratified, why_these_sizes
from shoal.data.target import (
    ClassTarget,
    LabelsTarget,
    NumberTarget,
    Target,
    check_labels,
    choose_task,
    labels,
    scaling_problem,
    target_style,
    unify_labels,
)
from shoal.data.values import NumberStyle, as_numbers, as_text, as_times, count_infinities, number_style, time_format
from shoal.errors import DataError, OptionError, Problem
from shoal.records import Part, SplitDecision, Task

FEWEST_ROWS_FOR_TRAIN_DEV = 500
FEWEST_ROWS_TO_SHARE_DEV = 100


@dataclass(frozen=True)
class Division:
    """The rows of every part. It refers to the tables and copies nothing of them, so that their rows can be encoded again.

    Args:
        request: the options of ``load``.
        tables: as read.
        places: of each part the name of its table, and its rows' positions there.
        target: fitted on the training rows; a quantity is standardised.
        truth: what the target makes of each part's rows.
        split: the decision in words.
        notes: things said plainly about the data.
    """

    request: Request
    tables: Tables
    places: dict[Part, tuple[str, np.ndarray]]
    target: Target
    truth: dict[Part, np.ndarray]
    split: SplitDecision
    notes: tuple[str, ...]

    def training(self, column: pl.Series) -> pl.Series:
        """The training rows of a column of the main table."""
        return column.gather(self.places["train"][1])

    @property
    def answers(self) -> np.ndarray:
        """What each output is to answer for the training rows [rows, outputs], on a scale that does not depend on a later choice."""
        return self.target.answers(self.truth["train"])

    @property
    def weights(self) -> dict[Part, np.ndarray]:
        """float32 [rows] of each part: the training table's weights over their mean in training, or ones."""
        given = self.tables.weights
        if given is None:
            return {part: np.ones(rows.size, np.float32) for part, (_, rows) in self.places.items()}
        mean = float(np.mean(given[self.places["train"][1]]))
        return {
            part: (given[rows] / mean if which == "train" else np.ones(rows.size)).astype(np.float32)
            for part, (which, rows) in self.places.items()
        }


def divide(request: Request, tables: Tables) -> Division:
    """Leave out rows that cannot be used, and give the others to the parts.

    Raises:
        DataError: the target cannot be used, or rows are too few.
        OptionError: the options do not go with the target.
    """
    return _Divider(request, tables).division()


class _Divider:
    """The steps of ``divide``, and what they have found so far."""

    def __init__(self, request: Request, tables: Tables) -> None:
        self.request, self.tables = request, tables
        self.notes = list(tables.notes)
        self.task: Task = "multi_label"
        self.style: NumberStyle | None = None
        if len(tables.targets) == 1:
            cells = tables.main[tables.targets[0]]
            self.style = target_style(cells)
            task = "classification" if tables.classes and request.task == "auto" else request.task
            self.task = choose_task(cells, self.style, task)
        else:
            check_labels(tables.main.select(tables.targets))
        problems = [scaling_problem(self.task, request.target_scaling)]
        if request.stratify and self.task != "classification":
            received = "a regression target" if self.task == "regression" else "several labels"
            problems.append(Problem("stratify needs classes", received, "Leave it out."))
        if found := [problem for problem in problems if problem is not None]:
            raise OptionError(*found)
        self.places: dict[Part, tuple[str, np.ndarray]] = {}

    def division(self) -> Division:
        kept = {which: self._rows_with_target(which) for which in self.tables.frames}
        decision = self._split(kept)
        target = self._fit_target()
        truth: dict[Part, np.ndarray] = {}
        for part, (which, chosen) in self.places.items():
            truth[part] = target.encode(self._target_cells(which)[chosen])
        if not isinstance(target, NumberTarget):
            truth = self._without_unknown_labels(truth)
        rows = {part: rows.size for part, (_, rows) in self.places.items()}
        split = SplitDecision(decision.method, rows, decision.reason)  # type: ignore[arg-type]
        return Division(self.request, self.tables, self.places, target, truth, split, tuple(self.notes))

    def _target_cells(self, which: str) -> pl.DataFrame:
        return self.tables.frames[which].select(self.tables.targets)

    def _rows_with_target(self, which: str) -> np.ndarray:
        """Positions of the rows of one table that can be used."""
        usable = [self._usable(cells, which) for cells in self._target_cells(which).iter_columns()]
        mask = np.logical_and.reduce([column.to_numpy() for column in usable])
        if without := int(mask.size - mask.sum()):
            of = "" if which == "train" else f" of the {which} data"
            missing = "without a target" if len(usable) == 1 else "with a missing label"
            self.notes.append(f"{without:,} row{'s' * (without > 1)}{of} {missing} left out")
        if which == "train" and self.tables.weights is not None:
            if weightless := int(np.sum(self.tables.weights[mask] == 0)):
                self.notes.append(f"{weightless:,} row{'s' * (weightless > 1)} of weight 0 left out")
            mask = mask & (self.tables.weights > 0)
        return np.flatnonzero(mask)

    def _usable(self, cells: pl.Series, which: str) -> pl.Series:
        if self.task != "regression":
            return labels(cells).is_not_null()
        style: NumberStyle = self.style or "plain"
        if which != "train" and (infinite := count_infinities(cells, style)):
            received = f"{infinite} infinite value{'s' * (infinite > 1)} in the {which} data"
            raise DataError(Problem(f"the target {cells.name!r} is finite", received, "Correct or remove those rows."))
        return as_numbers(cells, style).is_not_null()

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
        if self.task != "classification" or request.stratify is False:
            return shuffled(rows.size, sizes, request.seed)
        cells = labels(frame[self.tables.targets[0]].gather(rows))
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
        cells = self._target_cells("train")[self.places["train"][1]]
        if self.task == "regression":
            series = cells.to_series()
            if as_numbers(series, self.style or "plain").n_unique() < 2:
                received = "one value only in the training rows"
                raise DataError(Problem(f"the target {series.name!r} varies", received, "Add rows, or choose another target."))
            return NumberTarget.fit(series, self.style or "plain")
        if self.task == "multi_label":
            target = LabelsTarget.fit(cells)
            classes = target.pairs
        else:
            target = ClassTarget.fit(cells.to_series())
            classes = {target.column: target.classes}
        for which in ("dev", "test"):
            if which in self.tables.frames:
                self._unify(which, classes)
        return target

    def _unify(self, which: str, classes: dict[str, tuple[str, ...]]) -> None:
        """Write the labels of another table as those of training where only case or a trailing dot differs."""
        renamed: dict[str, str] = {}
        for name, known in classes.items():
            unified, theirs = unify_labels(self.tables.frames[which][name], known)
            if theirs:
                self.tables.frames[which] = self.tables.frames[which].with_columns(unified.alias(name))
                renamed |= theirs
        if renamed:
            pairs = ", ".join(f"{theirs!r} as {mine!r}" for theirs, mine in list(renamed.items())[:5])
            self.notes.append(f"labels of the {which} data read as those of the training data: {pairs}")

    def _without_unknown_labels(self, truth: dict[Part, np.ndarray]) -> dict[Part, np.ndarray]:
        for part, found in truth.items():
            unknown = (found < 0).reshape(len(found), -1)
            rows_with = unknown.any(axis=1)
            if without := int(rows_with.sum()):
                which, rows = self.places[part]
                cells = [labels(column.gather(rows[new])) for column, new in zip(self._target_cells(which), unknown.T, strict=True)]
                names = pl.concat([texts.alias("") for texts in cells]).unique().sort().head(5).to_list()
                listed = ", ".join(map(repr, names))
                if without == len(found):
                    received = f"labels such as {listed}"
                    raise DataError(Problem(f"the {part} rows have classes of the training rows", received, "Check the file's target."))
                self.places[part] = (which, rows[~rows_with])
                self.notes.append(f"{without:,} {part} row{'s' * (without > 1)} left out, of classes without training rows: {listed}")
        return {part: found[(found >= 0).reshape(len(found), -1).all(axis=1)] for part, found in truth.items()}


def check_part_file(which: str, rows: int) -> None:
    """Raise a DataError when a table given for a part has too few rows."""
    if rows < 2:
        received = f"{rows} row{'s' * (rows != 1)} with a target"
        raise DataError(
            Problem(f"the {which} data have at least 2 rows", received, "Add rows, or leave the table out to have a part taken.")
        )
