"""The main job, from a table to a good network with its evidence.

Read, split, normalise; train references on the same rows; turn the budget into a plan; search over shoals; train the
winner on fresh seeds; open the test rows once; judge; save.
"""

from __future__ import annotations

import datetime
import math
import platform
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from shoal import data, devices
from shoal.answers import answers
from shoal.assessment import assess, train_references
from shoal.data import Dataset
from shoal.default_space import around
from shoal.effort import Effort, saved_space
from shoal.errors import InputError, OptionError, Problem, RunFolderError
from shoal.live_record import LiveRecord
from shoal.live_recording import LiveRecording
from shoal.loggers import log_run, logger_problems
from shoal.loop import RecipeLoop, sound_baseline
from shoal.losses import target_scaling
from shoal.measurements.answers import Answers
from shoal.metrics import Metric, check_metric, goal_problems
from shoal.model import Model
from shoal.plan import LEAST_LOOP_SECONDS, LOOP_SHARE, RETRAINS, curve_seconds, loop_is_out_of_reach, plan_loop
from shoal.progress import Event, Listener, Stop
from shoal.recipe import Recipe
from shoal.recording import Recording, earlier_recipes
from shoal.records import LoopPlan, Plan, Run, Trial
from shoal.references import Reference
from shoal.rehearsal import measure_speed
from shoal.report import run_html, write_report
from shoal.run_folder import FolderJournal, RunFolder, cannot_create, checkpoint_seconds
from shoal.sampler_comparison import samplers_answered, samplers_seconds
from shoal.saved_run import REPORT
from shoal.search import Searched
from shoal.space import Space
from shoal.study import storage_problems
from shoal.suitability import unsuited
from shoal.trainer import Trainer, width_class
from shoal.winner import Stages, Trained, make_plan, silent, space_for, train_best


@dataclass(frozen=True)
class Result:
    """A finished run: its record, its model and, if it was saved, its folder.

    Args:
        record: everything that was measured, decided and found.
        model: the trained model.
        folder: where it was saved, or ``None``.
    """

    record: Run
    model: Model
    folder: Path | None = None

    def predict(self, table: Any, proba: bool = False, spread: bool = False) -> pl.DataFrame:
        """Predictions for a table, in its row order (see ``Model.predict``)."""
        return self.model.predict(table, proba, spread)

    def save(self, folder: str | Path) -> Path:
        """Save the record and the model as a new run folder; returns its path.

        Raises:
            OptionError: the folder exists or cannot be made.
        """
        saved = RunFolder.create(Path(folder), {"source": None, "fingerprint": self.record.fingerprint})
        saved.finish(self.record, self.model)
        return saved.path

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report; returns where it is.

        Args:
            path: of the file; ``report.html`` in the run's folder unless stated.

        Raises:
            OptionError: there is no folder, and no path was given.
        """
        if path is None:
            if self.folder is None:
                raise OptionError(Problem("a report has a place", "a run without a folder", 'Name a file: run.report("report.html").'))
            path = self.folder / REPORT
        write_report(self.record, path)
        return Path(path)

    def _repr_html_(self) -> str:
        return run_html(self.record)

    def __repr__(self) -> str:
        record = self.record
        part = "test" if "test" in record.scores else "dev"
        score = record.scores[part][record.metric]
        return f"<shoal run: {record.verdict.title}; {part} {record.metric} {score.value:.4g} ({score.low:.4g} to {score.high:.4g})>"


def improve(
    source: Any,
    y: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    sample_weight: Any = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    picture_size: tuple[int, int] | None = None,
    metric: str | None = None,
    target_error: float | None = None,
    begin: Recipe | None = None,
    budget: Any = "2m",
    final: str = "mean",
    seed: int = 0,
    out: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    listener: Listener = silent,
    stop: Stop | None = None,
    command: str | None = None,
) -> Result:
    """Make a network for a table as good as the budget allows, and say what is wrong with it.

    Args:
        source: a path, ``example:NAME``, a data frame, or an array of inputs together with ``y``.
        y: the target, where ``source`` does not hold it.
        target: name of the target's column, or of the columns of several labels.
        task: ``auto``, ``classification``, ``multi_label`` or ``regression``.
        dev: a dev set of its own (path or data frame); otherwise one is split off.
        test: a test set of its own; otherwise one is split off.
        drop: columns to leave out.
        group: column whose groups must not be divided between the parts.
        time: column to split by: train on the past, test on the future.
        stratify: whether the split keeps the classes' shares; by default it does for classification.
        sample_weight: weights of the rows.
        dev_size: rows (or share of the rows) of the dev part.
        test_size: the same of the test part; 0 does without one.
        picture_size: height and width to which pictures are brought; by default the median of the training data, and at most 64 each.
        metric: what counts, ``error`` or ``rmse`` by default.
        target_error: the error that is possible, as far as is known: human level or better.
        begin: the recipe that the recipe loop begins with, instead of a sound small network: what you have so far.
        final: what the model is made of, as for ``search``.
        budget: ``90s``, ``5m``, ``1h`` or ``200trials``. Runs of the same seed and the same budget in trials are identical.
        seed: of the split, the draws, the networks and the mini-batches.
        out: folder to save the run in; it must not exist. Without it nothing is saved.
        tensorboard: folder for TensorBoard's event files, written at the end: each trial with its settings and curves (needs
            ``shoal[tensorboard]``).
        mlflow: address of an MLflow server, database or folder, written to at the end: the same, the scores and the report (needs
            ``shoal[mlflow]``).
        listener: is told about progress.
        stop: asks the search to end after the networks in hand, with the best one so far; ``resume`` continues a saved run.
        command: how the run is recorded.

    Returns:
        The record and the model.

    Raises:
        InputError: something given cannot be used; all problems are named, and nothing is left behind.

    Example:
        >>> result = improve("example:wine", budget="20trials")
        >>> result.record.task
        'classification'
    """
    options: dict[str, Any] = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time,
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "picture_size": picture_size, "metric": metric,
        "target_error": target_error,
        "budget": budget, "seed": seed, "begin": None if begin is None else begin.to_dict(), "final": final,
        "tensorboard": tensorboard, "mlflow": mlflow,
    }  # fmt: skip
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.improve(...)", stop)


def train(
    source: Any,
    y: Any = None,
    *,
    recipe: Recipe,
    seeds: int = 5,
    target: str | Sequence[str] | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    sample_weight: Any = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    picture_size: tuple[int, int] | None = None,
    metric: str | None = None,
    target_error: float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    listener: Listener = silent,
    command: str | None = None,
) -> Result:
    """Train one recipe, without a search, on several seeds as one shoal; the model averages their networks.

    Args:
        source: as for ``improve``, like every argument that is not named here.
        y: the target, where ``source`` does not hold it.
        recipe: what to train.
        seeds: networks to train, each from a seed of its own; their scatter is part of every interval.

    Returns:
        The record and the model, as ``improve`` gives them.

    Raises:
        InputError: something given cannot be used, the recipe for this target included; all problems are named.

    Example:
        >>> recipe = Recipe(hidden_units=(16,), epochs=20, keep_prob=0.8)
        >>> result = train("example:wine", recipe=recipe, seeds=3)
        >>> len(result.record.trials)
        3
    """
    options: dict[str, Any] = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time,
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "picture_size": picture_size, "metric": metric,
        "target_error": target_error,
        "seed": seed, "recipe": recipe.to_dict(), "seeds": seeds, "tensorboard": tensorboard, "mlflow": mlflow,
    }  # fmt: skip
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.train(...)")


def search(
    source: Any,
    y: Any = None,
    *,
    space: Space | str | Path | None = None,
    sampler: str = "coarse-to-fine",
    rungs: str = "async",
    budget: Any = "2m",
    final: str = "mean",
    compare_samplers: bool = False,
    continue_from: str | Path | None = None,
    storage: str | None = None,
    study: str | None = None,
    target: str | Sequence[str] | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    sample_weight: Any = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    picture_size: tuple[int, int] | None = None,
    metric: str | None = None,
    target_error: float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    checkpoint: str = "rung",
    listener: Listener = silent,
    stop: Stop | None = None,
    command: str | None = None,
) -> Result:
    """Search a space of recipes for a table, without the recipe loop before it.

    Args:
        source: as for ``improve``, like every argument that is not named here.
        y: the target, where ``source`` does not hold it.
        space: what to search: a ``Space``, or the path of a TOML file of one; by default what ``improve`` would search.
        sampler: what draws the trials: ``coarse-to-fine``, ``sobol`` (quasi-random), ``halton``, ``random``, ``grid``, or with a model
            of where good recipes lie ``tpe``, ``gp`` (needs PyTorch) and ``cma-es``.
        rungs: how poor trials are stopped: ``async``, ``halving``, ``hyperband`` or ``none`` (see ``shoal.halving``).
        budget: ``90s``, ``5m``, ``1h`` or ``200trials``.
        final: what the model is made of: ``mean`` averages the winner's networks on fresh seeds, ``single`` is the best one of them,
            ``greedy`` averages those networks of the whole search that predict best together on the dev rows, and ``distilled`` is one
            network that has learned the answers of that mean, an eighth of its size.
        compare_samplers: whether as many grid, random and quasi-random trials are compared on the data as well, which takes a quarter of
            a budget in time, and further trials beside a budget in trials.
        continue_from: an earlier run's folder, or an Optuna study (``sqlite:///trials.db#name``, or the path of a ``.db`` file): its best
            recipes are tried first.
        storage: address of a database (SQLite, PostgreSQL or MySQL) in which processes that search together share their trials.
        study: name of the study there, ``shoal`` by default.
        checkpoint: when what is trained is kept in ``out`` for ``resume``: after every ``rung``, ``off``, or at most once in a time such
            as ``30s``, so that less is written, and more has to be trained again.

    Returns:
        The record and the model, as ``improve`` gives them.

    Raises:
        InputError: something given cannot be used, recipes of the space for this target included; all problems are named.

    Example:
        >>> from shoal import Choice, Range, Recipe, Space
        >>> rate = Range("learning_rate", 1e-3, 1e-1, "log")
        >>> kept = Choice("keep_prob", (0.8, 1.0))
        >>> space = Space.of(Recipe((16,), epochs=10), [rate, kept])
        >>> result = search("example:wine", space=space, budget="16trials")
        >>> result.record.plan.trials
        16
    """
    options: dict[str, Any] = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time,
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "picture_size": picture_size, "metric": metric,
        "target_error": target_error,
        "budget": budget, "seed": seed, "space": space, "sampler": sampler, "rungs": rungs, "final": final,
        "compare_samplers": compare_samplers,
        "continue_from": None if continue_from is None else str(continue_from), "storage": storage, "study": study,
        "checkpoint": checkpoint, "tensorboard": tensorboard, "mlflow": mlflow,
    }  # fmt: skip
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.search(...)", stop)


def plan_search(
    source: Any,
    y: Any = None,
    *,
    space: Space | str | Path | None = None,
    sampler: str = "coarse-to-fine",
    rungs: str = "async",
    budget: Any = "2m",
    target: str | Sequence[str] | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    metric: str | None = None,
    seed: int = 0,
    listener: Listener = silent,
) -> Plan:
    """What ``search`` would do with a budget on this machine: how many trials, how long, and what that should take.

    Args:
        source: as for ``search``, like every other argument.

    Returns:
        The plan, with the measured speed and compilation time of every shape where the budget is a time.

    Raises:
        InputError: as ``search``.

    Example:
        >>> plan_search("example:wine", budget="64trials").trials
        64
    """
    options: dict[str, Any] = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time,
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "metric": metric, "target_error": None,
        "budget": budget, "seed": seed, "space": space, "sampler": sampler, "rungs": rungs,
    }  # fmt: skip
    stages = Stages(listener)
    dataset = _read(source, y, None, options, None, stages)
    effort, trainer = Effort.of(options), Trainer(dataset, seed)
    chosen = effort.space or space_for(trainer, check_metric(metric, dataset.task))
    plan, _ = make_plan(trainer, effort.budget, chosen, stages=stages, method=effort.method)
    stages.leave()
    return plan


def default_space_of(source: Any, y: Any = None, *, target: str | Sequence[str] | None = None, task: str = "auto") -> Space:
    """The space that ``search`` would search for a table, unless it was given another.

    Args:
        source: a path, ``example:NAME``, a data frame, or an array of inputs together with ``y``.
        y: the target, where ``source`` does not hold it.
        target: name of the target's column, or of the columns of several labels.
        task: ``auto``, ``classification``, ``multi_label`` or ``regression``.

    Raises:
        InputError: the table cannot be used; all problems are named.

    Example:
        >>> len(default_space_of("example:wine").families)
        4
    """
    dataset = data.load(source, y=y, target=target, task=task)
    return space_for(Trainer(dataset, 0), check_metric(None, dataset.task))


def _begin(
    source: Any,
    y: Any,
    sample_weight: Any,
    options: dict[str, Any],
    out: str | Path | None,
    listener: Listener,
    command: str,
    stop: Stop | None = None,
) -> Result:
    """Check the options, read the data, make the run's folder, and do the work."""
    stages = Stages(listener)
    dataset = _read(source, y, sample_weight, options, out, stages)
    if options.get("continue_from"):
        space = Effort.of(options).space or space_for(Trainer(dataset, options["seed"]), check_metric(options["metric"], dataset.task))
        options["earlier"], options["notes"] = earlier_recipes(options["continue_from"], space, dataset.fingerprint)
    if options.get("storage"):
        options["run"] = uuid.uuid4().hex
    folder = None
    if out is not None:
        dev, test = options["dev"], options["test"]
        saved_source = _as_path(source) if y is None and sample_weight is None else None
        kept = {**options, "dev": _as_path(dev), "test": _as_path(test), "source": saved_source, "command": command}
        resumable = saved_source is not None and all(_as_path(given) is not None for given in (dev, test) if given is not None)
        if "space" in options:
            kept["space"], is_kept = saved_space(options["space"])
            resumable = resumable and is_kept
        folder = RunFolder.create(Path(out), {**kept, "resumable": resumable, "fingerprint": dataset.fingerprint})
    return _work(dataset, options, stages, folder, command, stop or Stop())


def _read(source: Any, y: Any, sample_weight: Any, options: dict[str, Any], out: str | Path | None, stages: Stages) -> Dataset:
    """Check the options, and read the data; whatever is wrong is reported together."""
    options["drop"] = list([options["drop"]] if isinstance(options["drop"], str) else options["drop"])
    if options.get("tensorboard") is not None:
        options["tensorboard"] = str(Path(options["tensorboard"]).absolute())  # a run may be resumed from another folder
    stages.enter("reading", data.source_name(source))
    return _load(source, y, sample_weight, options, list(_option_problems(options, out)), stages.listener)


def resume(path: str | Path, *, listener: Listener = silent, stop: Stop | None = None) -> Result:
    """Continue a run that was interrupted, or stopped early, to the same result that it would have had.

    Args:
        path: the run's folder.
        listener: is told about progress.
        stop: as for ``improve``.

    Returns:
        The record and the model, as ``improve`` gives them.

    Raises:
        RunFolderError: there is no run, its data was not a file, or the data changed since.
    """
    folder = RunFolder.open(path)
    if folder.is_complete:
        folder.tidy()
        record = folder.run()
        write_report(record, folder.path / REPORT)  # in the place of the light one, if the run was killed after its record was written
        return Result(record, folder.model(), folder.path)
    options = folder.options()
    stages = Stages(listener)
    stages.enter("reading", data.source_name(options["source"]))
    return _work(load_again(folder), options, stages, folder, options["command"], stop or Stop())


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
    try:
        dataset = data.load(source, y=y, sample_weight=sample_weight, listener=listener, **known)
        check_metric(options["metric"], dataset.task)
        recipes = [] if problems else list(Effort.of(options).recipes())
        misfits = dict.fromkeys(
            problem for recipe in recipes for problem in unsuited(recipe, dataset.task, len(dataset.classes), dataset.picture_shape)
        )
        problems += misfits
        distinct = {(recipe.input_normalisation, recipe.loss): recipe for recipe in recipes if not misfits}
        for recipe in distinct.values():
            dataset.prepared(recipe.input_normalisation, target_scaling(recipe.loss))  # says what it cannot scale
    except InputError as error:
        problems += [problem for problem in error.problems if problem not in problems]
        raise (type(error) if len(problems) == len(error.problems) else OptionError)(*problems) from None
    if problems:
        raise OptionError(*problems)
    return dataset


def _as_path(source: Any) -> str | None:
    if isinstance(source, str) and source.startswith("example:"):
        return source
    return str(Path(source).resolve()) if isinstance(source, str | Path) else None


def _work(dataset: Dataset, options: Mapping[str, Any], stages: Stages, folder: RunFolder | None, command: str, stop: Stop) -> Result:
    """Everything after reading; a run with a folder shows there how far it is, and at the end what came of it."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if folder is None:
        record, model = _trained(dataset, options, stages, None, None, command, created, stop)
        log_run(record, options, stages.listener)
        return Result(record, model)
    journal = FolderJournal(folder, checkpoint_seconds(options.get("checkpoint", "rung")))  # who has it works on the run alone
    metric, budget = check_metric(options["metric"], dataset.task), Effort.of(options).budget
    begun = LiveRecord(
        name=folder.path.name,
        command=command,
        created=created,
        source=dataset.source,
        target=dataset.target,
        task=dataset.task,
        metric=metric.name,
        columns=dataset.columns,
        split=dataset.split,
        notes=(*dataset.notes, *options.get("notes", ())),
        budget=budget.text,
        budget_seconds=budget.seconds,
    )
    with LiveRecording(folder.path, begun, stages.listener, stages.total) as live:
        stages.listener = live
        record, model = _trained(dataset, options, stages, folder, journal, command, created, stop)
    folder.finish(record, model)
    write_report(record, folder.path / REPORT)
    log_run(record, options, live.listener)
    return Result(record, model, folder.path)


def _trained(
    dataset: Dataset,
    options: Mapping[str, Any],
    stages: Stages,
    folder: RunFolder | None,
    journal: FolderJournal | None,
    command: str,
    created: str,
    stop: Stop,
) -> tuple[Run, Model]:
    """From the data to the record of a run, and its model."""
    metric = check_metric(options["metric"], dataset.task)
    compiled_before = devices.compilations()
    effort = Effort.of(options)
    budget, space = effort.budget, effort.space
    references = train_references(dataset, metric, budget, options["seed"], stages)
    trainer = Trainer(dataset, options["seed"], journal)
    ledger = None
    if effort.job == "improve":
        loop = _recipe_loop(trainer, effort, metric, options, references, stages, folder)
        ledger = loop.run()
        space = space_for(trainer, metric)
        if effort.begin is not None or ledger.result != ledger.begin:
            space = around(space, ledger.begin, ledger.result, width_class(ledger.result))
    recording = None
    if effort.job != "train":
        space = space or space_for(trainer, metric)
        recording = Recording(folder, options, space, dataset.fingerprint)
    trained = train_best(
        trainer,
        budget,
        metric=metric,
        stages=stages,
        plan=folder.plan() if folder else None,
        keep_plan=folder.save_plan if folder else lambda plan: None,
        space=space,
        method=effort.method,
        reserve=_reserve(effort, dataset.picture is not None),
        retrains=effort.retrains,
        final=effort.final,
        earlier=effort.earlier,
        recording=recording,
        probed=True,
        searches=effort.job == "search" or effort.final == "greedy",
        stop=stop,
    )
    early = _stopped(trained, effort, "test" in dataset.inputs) if stop.due else ""
    answered = None
    if effort.job != "train":
        stages.enter("answers", "what the trials say")
        answered = _answers(trainer, trained, options["seed"])
        if effort.compares_samplers and not early:
            answered = samplers_answered(answered, trainer, trained, budget, stages)
    stages.enter("scoring", "opening the test rows, once" if "test" in dataset.inputs and not early else "")
    judged = assess(trainer, metric, trained, references, effort, options, bool(early))
    stages.leave()
    notes = (*dataset.notes, *options.get("notes", ()), *(recording.close(_ended(trained.searched)) if recording else ()))
    record = Run(
        name=folder.path.name if folder else dataset.source,
        command=command,
        created=created,
        versions=_versions(),
        machine=f"{platform.machine()}, {devices.cores()} cores, {len(devices.start())} {devices.start()[0].platform} device(s)",
        seed=options["seed"],
        fingerprint=dataset.fingerprint,
        source=dataset.source,
        target=dataset.target,
        task=dataset.task,
        classes=dataset.classes,
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        columns=dataset.columns,
        split=dataset.split,
        notes=notes,
        plan=trained.plan,
        recipe=trained.searched.recipe,
        temperature=trained.model.temperature,
        decision=trained.model.decision,
        trials=trained.searched.trials,
        seconds=stages.total,
        stages=dict(stages.seconds),
        compilations=devices.compilations() - compiled_before,
        ledger=ledger,
        answers=answered,
        chosen=trained.chosen,
        distilled=trained.distilled,
        stopped=early,
        **judged,
    )
    return record, trained.model


def _stopped(trained: Trained, effort: Effort, tested: bool) -> str:
    """How far a run came that was asked to stop, and what its model is."""
    searched, planned = trained.searched, trained.plan.trials
    unopened = " The test rows were not opened." if tested else ""
    if effort.final == "distilled" and trained.distilled is None and not searched.stopped:
        return f"Stopped before the distillation; the model is the mean of the winner's networks.{unopened}"
    if not searched.stopped:
        return f"Stopped before the last measurements; the model is that of the whole search.{unopened}"
    return (
        f"Stopped after {len(searched.trials)} of {planned} trials were begun. The model is the network of the best of them, which was not "
        "trained again: its dev score is of one seed, and chosen, so it is optimistic."
        f"{unopened}"
    )


def _ended(searched: Searched) -> list[Trial]:
    """Trials that have come to their end; the others are written when a stopped search goes on."""
    return [trial for trial in searched.trials if trial.number not in searched.unfinished]


def _answers(trainer: Trainer, trained: Trained, seed: int) -> Answers:
    """What the trials of the search say."""
    layout = trainer.layout(trained.searched.recipe.shape, 1, ())

    def inputs(recipe: Recipe) -> int:
        return trainer.layout(recipe.shape, 1, ()).inputs

    searched = trained.searched
    facts = {"inputs": inputs, "outputs": layout.outputs, "picture": layout.picture}
    return answers(searched.trials, trained.space, trained.plan, **facts, recipe=searched.recipe, seed=seed)


def _reserve(effort: Effort, is_picture: bool) -> float:
    """Seconds of a budget in time that are left for what comes after the search."""
    if effort.compares_samplers:
        return samplers_seconds(effort.budget)
    return curve_seconds(effort.budget, is_picture) if effort.job == "improve" else 0.0


def _recipe_loop(
    trainer: Trainer,
    effort: Effort,
    metric: Metric,
    options: Mapping[str, Any],
    references: tuple[Reference, ...],
    stages: Stages,
    folder: RunFolder | None,
) -> RecipeLoop:
    """The recipe loop with its plan: the one that the folder keeps, or one that is made here and kept."""
    budget = effort.budget
    stages.enter("recipe loop", "compiling and measuring")
    begun = stages.total
    _, tables = trainer.prepared(Recipe().shape)
    sound = sound_baseline(tables.train_rows, tables.picture is not None)
    begin, full = effort.begin or sound, sound.epochs
    steps_per_epoch = tables.steps_per_epoch(tables.batch_size(begin.shape))
    plan = folder.loop_plan() if folder else None
    if plan is None:
        speed = None
        if budget.seconds is not None and _is_out_of_reach(trainer, begin, full, LOOP_SHARE * budget.seconds):
            speed = math.inf  # a step that takes for ever leaves no room for a change
        elif budget.seconds is not None:
            shoal = RecipeLoop(trainer, metric, LoopPlan(0, full, RETRAINS, 0.0, 0.0), begin).shoal()
            speed = measure_speed(shoal, begin) / shoal.slots
        plan = plan_loop(
            budget, LOOP_SHARE * (budget.seconds or 0.0) - (stages.total - begun), full, steps_per_epoch, speed, tables.picture is not None
        )
        if folder:
            folder.save_loop_plan(plan)
    begin = replace(begin, epochs=plan.epochs, warm_up=min(begin.warm_up, plan.epochs / 2))
    others = {reference.name: reference.decided("dev") for reference in references}
    return RecipeLoop(trainer, metric, plan, begin, options["target_error"], others, stages.listener)


def _is_out_of_reach(trainer: Trainer, recipe: Recipe, epochs: float, seconds: float) -> bool:
    _, tables = trainer.prepared(recipe.shape)
    if tables.picture is None:
        return seconds <= LEAST_LOOP_SECONDS
    layout = trainer.layout(recipe.shape, width_class(recipe), ())
    return loop_is_out_of_reach(seconds, epochs * tables.train_rows, layout.operations)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("shoal", "jax", "numpy", "scikit-learn", "polars")}
