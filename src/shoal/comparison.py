"""Runs beside each other: what can be compared, and how far their models are apart on the rows that both were scored on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shoal.data import Dataset
from shoal.errors import InputError, OptionError, Problem
from shoal.intake import load_again
from shoal.measurements.comparison import Difference, Paired
from shoal.metrics import METRICS, paired_difference
from shoal.model import Model
from shoal.records import Part, Run
from shoal.run_folder import RunFolder
from shoal.saved_run import read_record

MOST_RUNS = 10
_OF_THE_DATA = (
    *("source", "target", "task", "dev", "test", "drop", "group", "time", "stratify", "seed"),
    *("dev_size", "test_size", "picture_size"),
)
"""Options that decide what the rows are and which part each goes to."""


def compare(paths: Sequence[str | Path]) -> tuple[tuple[Run, ...], Paired]:
    """The records of runs of one task and metric, and the differences of each further one to the first.

    Args:
        paths: of the runs' folders, two to ten.

    Returns:
        The records in the order of the paths, and what their models differ by.

    Raises:
        InputError: a run has no record, or they are of different tasks, classes or metrics; all problems are named.

    Example:
        >>> runs, paired = compare(["runs/adult", "runs/adult-2"])  # doctest: +SKIP
        >>> paired.differences[0].error  # doctest: +SKIP
        Interval(value=-0.004, low=-0.009, high=0.001)
    """
    folders = [Path(path) for path in paths]
    problems = list(_count_problems(folders))
    runs = []
    for folder in folders:
        try:
            runs.append(read_record(folder))
        except InputError as error:
            problems += error.problems
    problems += _misfits(runs)
    if problems:
        raise OptionError(*problems)
    part: Literal["dev", "test"] = "test" if all("test" in run.scores for run in runs) else "dev"
    return tuple(runs), Paired(part, _differences(folders, runs, part))


def _count_problems(folders: Sequence[Path]):
    if not 2 <= len(folders) <= MOST_RUNS:
        yield Problem(f"two to {MOST_RUNS} runs are compared", f"{len(folders)}", "Name the folders of that many.")
    twice = sorted({str(each) for each in folders if [other.resolve() for other in folders].count(each.resolve()) > 1})
    if twice:
        yield Problem("each run is named once", ", ".join(twice), "Leave one of them out.")


def _misfits(runs: Sequence[Run]):
    facts = {"tasks": [run.task for run in runs], "metrics": [run.metric for run in runs], "targets": [run.target for run in runs]}
    for name, values in facts.items():
        if len(set(values)) > 1:
            remedy = "Compare runs that share it." if name != "metrics" else "Compare runs that were begun with the same --metric."
            yield Problem(f"the {name} of compared runs are the same", ", ".join(dict.fromkeys(values)), remedy)
            return
    if len({run.classes for run in runs}) > 1:
        received = "; ".join(f"{len(run.classes)} in {run.name}" for run in runs)
        yield Problem("compared runs have the same classes", received, "Compare runs on the same classes.")


def _differences(folders: Sequence[Path], runs: Sequence[Run], part: Literal["dev", "test"]) -> tuple[Difference, ...]:
    read: dict[str, Dataset] = {}
    first: tuple[Dataset, np.ndarray] | str = _answers(folders[0], part, read)
    found = []
    for number, (folder, run) in enumerate(zip(folders[1:], runs[1:], strict=True), 1):
        if run.fingerprint != runs[0].fingerprint:
            found.append(Difference(number, None, 0, "the data is not the same"))
            continue
        other = _answers(folder, part, read)
        if isinstance(first, str) or isinstance(other, str):
            found.append(Difference(number, None, 0, first if isinstance(first, str) else str(other)))
        elif not _same_rows(first[0], other[0], part):
            found.append(Difference(number, None, 0, f"other rows are in the {part} part: the runs split the data differently"))
        else:
            found.append(_paired(number, run, part, first, other))
    return tuple(found)


def _answers(folder: Path, part: Literal["dev", "test"], read: dict[str, Dataset]) -> tuple[Dataset, np.ndarray] | str:
    """The data of a run and its model's predictions of the part, or why there are none."""
    run = RunFolder.open(folder)
    options: dict[str, Any] = run.options()
    known = repr([options.get(name) for name in _OF_THE_DATA])
    try:
        dataset = read[known] = read.get(known) or load_again(run)
        model = run.model()
    except (InputError, KeyError) as error:
        problem = error.problems[0] if isinstance(error, InputError) else None
        return f"{problem.requirement}; received {problem.received}" if problem else "the run was saved from memory, without its data"
    return dataset, answers_on(dataset, model, part)


def answers_on(dataset: Dataset, model: Model, part: Part) -> np.ndarray:
    """A model's predictions of a part of the data, as they are scored.

    Args:
        dataset: with the rows.
        model: trained on columns like its own.
        part: of the data.
    """
    return model.decided(model.outputs(model.inputs(dataset.table(part))))


def _same_rows(one: Dataset, other: Dataset, part: Literal["dev", "test"]) -> bool:
    (table, rows), (other_table, other_rows) = (each.division.places[part] for each in (one, other))
    return table == other_table and np.array_equal(rows, other_rows)


def _paired(
    number: int, run: Run, part: Literal["dev", "test"], first: tuple[Dataset, np.ndarray], other: tuple[Dataset, np.ndarray]
) -> Difference:
    truth, weight = first[0].truth[part], first[0].weights[part]
    error = paired_difference(METRICS[run.metric], truth, first[1], other[1], weight, seed=run.seed)
    return Difference(number, error, len(truth), "")
