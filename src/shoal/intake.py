"""What a run is given: its options and its data, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shoal import data
from shoal.data import Dataset
from shoal.effort import Effort
from shoal.errors import OptionError, Problem, RunFolderError, reported_together
from shoal.experiments.data_faults import SEPARATE, may_differ, split_of
from shoal.loggers import logger_problems
from shoal.losses import target_scaling
from shoal.metrics import check_metric, goal_problems
from shoal.plan import default_budget
from shoal.progress import Event, Listener, Stages, silent
from shoal.run_folder import RunFolder, cannot_create, checkpoint_seconds
from shoal.study import storage_problems
from shoal.suitability import unsuited


def read(source: Any, y: Any, sample_weight: Any, options: dict[str, Any], out: str | Path | None, stages: Stages) -> Dataset:
    """Check the options, and read the data; whatever is wrong is reported together. A budget of ``None`` is decided."""
    options["drop"] = list([options["drop"]] if isinstance(options["drop"], str) else options["drop"])
    if options.get("tensorboard") is not None:
        options["tensorboard"] = str(Path(options["tensorboard"]).absolute())  # a run may be resumed from another folder
    is_open = options.get("budget", "") is None
    if is_open:
        options["budget"] = default_budget(0)  # until the data are known
    stages.enter("reading", data.source_name(source))
    dataset = _load(source, y, sample_weight, options, list(_option_problems(options, out)), stages.listener)
    if is_open:
        options["budget"] = default_budget(len(dataset.truth["train"]), dataset.picture is not None, options.get("begin") is not None)
    return dataset


def load_again(folder: RunFolder, listener: Listener = silent) -> Dataset:
    """The data that a run began with, split and encoded as then.

    Args:
        folder: of the run.
        listener: is told about it.

    Raises:
        RunFolderError: the data was not a file, or has changed since.
        InputError: it cannot be read any more.
    """
    options = folder.options()
    if not options["resumable"]:
        raise RunFolderError(Problem("the data of a run is a file", "data given in memory", "Run shoal.improve again."))
    listener(Event("reading", data.source_name(options["source"])))
    dataset = _load(options["source"], None, None, options, [], listener)
    if dataset.fingerprint != options["fingerprint"]:
        received = f"{options['source']}, whose content has changed"
        raise RunFolderError(Problem("the data is what the run began with", received, "Restore the file, or start a new run."))
    return dataset


def _option_problems(options: Mapping[str, Any], out: str | Path | None):
    try:
        Effort.of(options)
    except OptionError as error:
        yield from error.problems
    try:
        checkpoint_seconds(options.get("checkpoint", "rung"))
    except OptionError as error:
        yield from error.problems
    if options.get("storage"):
        yield from storage_problems(options["storage"])
    yield from logger_problems(options)
    yield from goal_problems(options["metric"], options["target_error"])
    if out is not None and (problem := cannot_create(Path(out))) is not None:
        yield problem


def _load(
    source: Any, y: Any, sample_weight: Any, options: Mapping[str, Any], problems: list[Problem], listener: Listener = silent
) -> Dataset:
    """The data set; whatever is wrong with the options and the data is reported together."""
    names = ("target", "task", "dev", "test", "drop", "group", "time", "stratify", "seed", "dev_size", "test_size")
    known: dict[str, Any] = {name: options[name] for name in names}
    known["picture_size"] = options.get("picture_size")  # which older runs do not name
    with reported_together(problems):
        dataset = data.load(source, y=y, sample_weight=sample_weight, listener=listener, train_dev=False, **known)
        if split_of(dataset) == SEPARATE:
            dataset = _with_train_dev_where_of_use(dataset, options["seed"])
        check_metric(options["metric"], dataset.task)
        recipes = [] if problems else list(Effort.of(options).recipes())
        misfits = dict.fromkeys(
            problem for recipe in recipes for problem in unsuited(recipe, dataset.task, len(dataset.classes), dataset.picture_shape)
        )
        problems += misfits
        distinct = {(recipe.input_normalisation, recipe.loss): recipe for recipe in recipes if not misfits}
        for recipe in distinct.values():
            dataset.prepared(recipe.input_normalisation, target_scaling(recipe.loss))  # says what it cannot scale
    return dataset


def _with_train_dev_where_of_use(dataset: Dataset, seed: int) -> Dataset:
    """Data whose dev rows have a source of their own, with a train-dev part where a mismatch may have to be told from variance.

    It takes a tenth of the training rows, and where the dev rows are like these nothing is to be told apart.
    """
    if may_differ(dataset, seed):
        return dataset.with_train_dev()
    reason = "A classifier cannot tell the dev rows from training rows by their columns and their target, so no train-dev part is needed."
    return replace(dataset, split=replace(dataset.split, reason=f"{reason} {dataset.split.reason}"))


def as_path(source: Any) -> str | None:
    """The absolute path, or the example, that a source names; ``None`` for data in memory."""
    if isinstance(source, str) and source.startswith("example:"):
        return source
    return str(Path(source).resolve()) if isinstance(source, str | Path) else None
