"""The main jobs: improve, train and search; what a search would do; and a run that goes on where it was interrupted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal import data
from shoal.effort import Effort, saved_space
from shoal.intake import as_path, load_again, read
from shoal.job import work
from shoal.metrics import check_metric
from shoal.planner import Planner, space_for
from shoal.progress import Listener, Stages, Stop, silent
from shoal.recipe import Recipe
from shoal.recording import earlier_recipes
from shoal.records import Plan
from shoal.report import write_report
from shoal.result import Result
from shoal.run_folder import RunFolder
from shoal.saved_run import REPORT
from shoal.space import Space
from shoal.trainer import Trainer


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
    budget: Any = None,
    final: str = "mean",
    seed: int = 0,
    out: str | Path | None = None,
    tensorboard: str | Path | None = None,
    mlflow: str | None = None,
    listener: Listener = silent,
    stop: Stop | None = None,
    started: float | None = None,
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
        budget: ``90s``, ``5m``, ``1h`` or ``200trials``. Runs of the same seed and the same budget in trials are identical. By default 15 s
            for tables of up to 50,000 training rows, more in proportion, and at most 2 minutes, which pictures and a recipe to begin with
            get at once (see ``shoal.plan.default_budget``).
        seed: of the split, the draws, the networks and the mini-batches.
        out: folder to save the run in; it must not exist. Without it nothing is saved.
        tensorboard: folder for TensorBoard's event files, written at the end: each trial with its settings and curves (needs
            ``shoal[tensorboard]``).
        mlflow: address of an MLflow server, database or folder, written to at the end: the same, the scores and the report (needs
            ``shoal[mlflow]``).
        listener: is told about progress.
        stop: asks the search to end after the networks in hand, with the best one so far; ``resume`` continues a saved run.
        started: the moment of ``time.perf_counter`` from which a budget in time counts, at most three seconds ago; by default now.
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
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.improve(...)", stop, started)


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
    started: float | None = None,
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
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.search(...)", stop, started)


def plan_search(
    source: Any,
    y: Any = None,
    *,
    space: Space | str | Path | None = None,
    sampler: str = "coarse-to-fine",
    rungs: str = "async",
    final: str = "mean",
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
        "budget": budget, "seed": seed, "space": space, "sampler": sampler, "rungs": rungs, "final": final,
    }  # fmt: skip
    stages = Stages(listener)
    dataset = read(source, y, None, options, None, stages)
    effort, trainer = Effort.of(options), Trainer(dataset, seed)
    chosen = effort.space or space_for(trainer, check_metric(metric, dataset.task))
    plan, _ = Planner(trainer, effort.budget, chosen, stages, effort.method, distils=effort.final == "distilled").plan()
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
        6
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
    started: float | None = None,
) -> Result:
    """Check the options, read the data, make the run's folder, and do the work."""
    stages = Stages.since(started, listener)
    dataset = read(source, y, sample_weight, options, out, stages)
    if options.get("continue_from"):
        space = Effort.of(options).space or space_for(Trainer(dataset, options["seed"]), check_metric(options["metric"], dataset.task))
        options["earlier"], options["notes"] = earlier_recipes(options["continue_from"], space, dataset.fingerprint)
    if options.get("storage"):
        options["run"] = uuid.uuid4().hex
    folder = None
    if out is not None:
        dev, test = options["dev"], options["test"]
        saved_source = as_path(source) if y is None and sample_weight is None else None
        kept = {**options, "dev": as_path(dev), "test": as_path(test), "source": saved_source, "command": command}
        resumable = saved_source is not None and all(as_path(given) is not None for given in (dev, test) if given is not None)
        if "space" in options:
            kept["space"], is_kept = saved_space(options["space"])
            resumable = resumable and is_kept
        folder = RunFolder.create(Path(out), {**kept, "resumable": resumable, "fingerprint": dataset.fingerprint})
    return work(dataset, options, stages, folder, command, stop or Stop())


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
    return work(load_again(folder), options, stages, folder, options["command"], stop or Stop())
