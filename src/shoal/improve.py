"""The main job, from a table to a good network with its evidence.

Read, split, normalise; train references on the same rows; turn the budget into a plan; search over shoals; train the
winner on fresh seeds; open the test rows once; judge; save.
"""

from __future__ import annotations

import datetime
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shoal import data, devices
from shoal.data import Dataset
from shoal.diagnose import Case, PartPrediction, findings, judge, measure, next_step
from shoal.errors import InputError, OptionError, Problem, RunFolderError
from shoal.losses import target_scaling, unsuited
from shoal.metrics import METRICS, Metric, check_metric, interval
from shoal.model import Model
from shoal.plan import RETRAINS, Budget
from shoal.progress import Event, Listener
from shoal.recipe import Recipe
from shoal.records import Interval, Part, Run
from shoal.references import Reference, baselines, fit_references
from shoal.run_folder import FolderJournal, RunFolder, cannot_create
from shoal.space import Family, Range, Space
from shoal.trainer import Trainer
from shoal.winner import Stages, Trained, silent, train_best

_SHOWN: tuple[Part, Part] = ("dev", "test")

MOST_TRAIN_ROWS_SCORED = 50_000
MOST_SEEDS = 1000
REFERENCES_SHARE = 0.1
"""Of a budget in time, for the models to compare with."""


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

    def predict(self, table: Any, proba: bool = False) -> pl.DataFrame:
        """Predictions for a table, in its row order (see ``Model.predict``)."""
        return self.model.predict(table, proba)

    def save(self, folder: str | Path) -> Path:
        """Save the record and the model as a new run folder; returns its path.

        Raises:
            OptionError: the folder exists or cannot be made.
        """
        saved = RunFolder.create(Path(folder), {"source": None, "fingerprint": self.record.fingerprint})
        saved.finish(self.record, self.model)
        return saved.path

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
    metric: str | None = None,
    target_error: float | None = None,
    budget: Any = "2m",
    seed: int = 0,
    out: str | Path | None = None,
    listener: Listener = silent,
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
        metric: what counts, ``error`` or ``rmse`` by default.
        target_error: the error that is possible, as far as is known: human level or better.
        budget: ``90s``, ``5m``, ``1h`` or ``200trials``. Runs of the same seed and the same budget in trials are identical.
        seed: of the split, the draws, the networks and the mini-batches.
        out: folder to save the run in; it must not exist. Without it nothing is saved.
        listener: is told about progress.
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
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "metric": metric, "target_error": target_error,
        "budget": budget, "seed": seed,
    }  # fmt: skip
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.improve(...)")


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
    metric: str | None = None,
    target_error: float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
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
        >>> result = train("example:wine", recipe=Recipe(hidden_units=(16,), epochs=20, keep_prob=0.8), seeds=3)
        >>> len(result.record.trials)
        3
    """
    options: dict[str, Any] = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time,
        "stratify": stratify, "dev_size": dev_size, "test_size": test_size, "metric": metric, "target_error": target_error,
        "seed": seed, "recipe": recipe.to_dict(), "seeds": seeds,
    }  # fmt: skip
    return _begin(source, y, sample_weight, options, out, listener, command or "shoal.train(...)")


def _begin(
    source: Any, y: Any, sample_weight: Any, options: dict[str, Any], out: str | Path | None, listener: Listener, command: str
) -> Result:
    """Check the options, read the data, make the run's folder, and do the work."""
    options["drop"] = list([options["drop"]] if isinstance(options["drop"], str) else options["drop"])
    stages = Stages(listener)
    stages.enter("reading", data.source_name(source))
    problems = list(_option_problems(options, out))
    dataset = _load(source, y, sample_weight, options, problems)
    folder = None
    if out is not None:
        dev, test = options["dev"], options["test"]
        saved_source = _as_path(source) if y is None and sample_weight is None else None
        kept = {**options, "dev": _as_path(dev), "test": _as_path(test), "source": saved_source, "command": command}
        resumable = saved_source is not None and all(_as_path(given) is not None for given in (dev, test) if given is not None)
        folder = RunFolder.create(Path(out), {**kept, "resumable": resumable, "fingerprint": dataset.fingerprint})
    return _work(dataset, options, stages, folder, command)


def resume(path: str | Path, *, listener: Listener = silent) -> Result:
    """Continue an interrupted run to the same result that it would have had.

    Args:
        path: the run's folder.
        listener: is told about progress.

    Raises:
        RunFolderError: there is no run, its data was not a file, or the data changed since.
    """
    folder = RunFolder.open(path)
    if folder.is_complete:
        return Result(folder.run(), folder.model(), folder.path)
    options = folder.options()
    if not options["resumable"]:
        raise RunFolderError(Problem("the data of a run to resume is a file", "data given in memory", "Run shoal.improve again."))
    stages = Stages(listener)
    stages.enter("reading", data.source_name(options["source"]))
    dataset = _load(options["source"], None, None, options, [])
    if dataset.fingerprint != options["fingerprint"]:
        received = f"{options['source']}, whose content has changed"
        raise RunFolderError(Problem("the data is what the run began with", received, "Restore the file, or start a new run."))
    return _work(dataset, options, stages, folder, options["command"])


def _option_problems(options: Mapping[str, Any], out: str | Path | None):
    try:
        _effort(options)
    except OptionError as error:
        yield from error.problems
    if not (isinstance(seeds := options.get("seeds", 1), int) and not isinstance(seeds, bool) and 1 <= seeds <= MOST_SEEDS):
        yield Problem(f"the number of seeds is a whole number from 1 to {MOST_SEEDS}", repr(seeds), "Give, say, 5.")
    if options["metric"] is not None and options["metric"] not in METRICS:
        try:
            check_metric(options["metric"], "classification")
        except OptionError as error:
            yield from error.problems
    stated = options["target_error"]
    if stated is not None and not (isinstance(stated, int | float) and 0 <= stated < float("inf")):
        yield Problem("the target error is a number of at least 0", repr(stated), "Give it in the metric's unit, such as 0.02.")
    if out is not None and (problem := cannot_create(Path(out))) is not None:
        yield problem


def _load(source: Any, y: Any, sample_weight: Any, options: Mapping[str, Any], problems: list[Problem]) -> Dataset:
    """The data set; whatever is wrong with the options and the data is reported together."""
    names = ("target", "task", "dev", "test", "drop", "group", "time", "stratify", "seed", "dev_size", "test_size")
    try:
        dataset = data.load(source, y=y, sample_weight=sample_weight, **{name: options[name] for name in names})
        check_metric(options["metric"], dataset.task)
        if (recipe := _recipe(options)) is not None:
            misfits = list(unsuited(recipe, dataset.task, len(dataset.classes)))
            problems += misfits
            if not misfits:
                dataset.prepared(recipe.input_normalisation, target_scaling(recipe.loss))  # says what it cannot scale
    except InputError as error:
        problems += [problem for problem in error.problems if problem not in problems]
        raise (type(error) if len(problems) == len(error.problems) else OptionError)(*problems) from None
    if problems:
        raise OptionError(*problems)
    return dataset


def _recipe(options: Mapping[str, Any]) -> Recipe | None:
    """The recipe to train; ``None`` where one is searched for."""
    return Recipe.from_dict(options["recipe"]) if options.get("recipe") is not None else None


def _effort(options: Mapping[str, Any]) -> tuple[Budget, Space | None, int]:
    """The budget, the space to search where it is not the default one, and the fresh seeds of the winner."""
    recipe = _recipe(options)
    if recipe is None:
        return Budget.parse(options["budget"]), None, RETRAINS
    return Budget("one recipe", trials=1), Space((Family(recipe, max(recipe.hidden_units, default=1), ()),)), options["seeds"]


def _as_path(source: Any) -> str | None:
    if isinstance(source, str) and source.startswith("example:"):
        return source
    return str(Path(source).resolve()) if isinstance(source, str | Path) else None


def _work(dataset: Dataset, options: Mapping[str, Any], stages: Stages, folder: RunFolder | None, command: str) -> Result:
    """Everything after reading."""
    metric = check_metric(options["metric"], dataset.task)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    compiled_before = devices.compilations()
    budget, space, seeds = _effort(options)
    references = _references(dataset, budget, options["seed"], stages)
    trainer = Trainer(dataset, options["seed"], FolderJournal(folder) if folder else None)
    trained = train_best(
        trainer,
        budget,
        metric=metric,
        stages=stages,
        plan=folder.plan() if folder else None,
        keep_plan=folder.save_plan if folder else lambda plan: None,
        space=space,
        retrains=seeds,
    )
    stages.enter("scoring", "opening the test rows, once" if "test" in dataset.inputs else "")
    judged = _judged(trained.dataset, metric, trained, references, str(options.get("budget", budget.text)), options)
    stages.leave()
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
        notes=dataset.notes,
        plan=trained.plan,
        recipe=trained.searched.recipe,
        temperature=trained.model.temperature,
        trials=trained.searched.trials,
        seconds=stages.total,
        stages=dict(stages.seconds),
        compilations=devices.compilations() - compiled_before,
        **judged,
    )
    if folder is not None:
        folder.finish(record, trained.model)
    return Result(record, trained.model, folder.path if folder else None)


def _judged(
    dataset: Dataset, metric: Metric, trained: Trained, references: tuple[Reference, ...], budget: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """What the run's record says about the final model: scores, baselines, verdict, next step and findings."""
    seed = options["seed"]
    parts: dict[Part, PartPrediction] = {part: _predicted(dataset, part, trained.model, seed) for part in dataset.inputs}
    dev_predictions = {reference.name: reference.predictions["dev"] for reference in references}
    errors = measure(parts, metric, dev_predictions, seed=seed)
    verdict = judge(errors, options["target_error"])
    case = Case(
        errors, verdict, trained.searched.trials, _class_shares(dataset), _at_edge(trained), budget, searched=options.get("recipe") is None
    )
    truth: dict[Part, np.ndarray] = {part: dataset.truth[part] for part in _SHOWN if part in dataset.truth}
    weights: dict[Part, np.ndarray] = {part: dataset.weights[part] for part in truth}
    return {
        "scores": _scores(parts, metric, dataset, seed),
        "baselines": baselines(references, truth, metric, weights, seed=seed),
        "verdict": verdict,
        "next_step": next_step(case),
        "findings": findings(case),
    }


def _references(dataset: Dataset, budget: Budget, seed: int, stages: Stages) -> tuple[Reference, ...]:
    stages.enter("references", "models to compare with, on the same rows")
    return fit_references(
        dataset.inputs["train"],
        dataset.truth["train"],
        dataset.weights["train"],
        task=dataset.task,
        n_classes=len(dataset.classes),
        evaluate={part: dataset.inputs[part] for part in _SHOWN if part in dataset.inputs},
        seed=seed,
        seconds=None if budget.seconds is None else min(max(REFERENCES_SHARE * budget.seconds, 2.0), 10.0),
        listener=lambda name: stages.listener(Event("references", name)),
    )


def _predicted(dataset: Dataset, part: Part, model: Model, seed: int) -> PartPrediction:
    """The model's predictions of a part; of very many training rows a sample, whose error is as good as known."""
    rows = np.arange(len(dataset.truth[part]))
    if part == "train" and len(rows) > MOST_TRAIN_ROWS_SCORED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_TRAIN_ROWS_SCORED, replace=False))
    members = model.member_outputs(dataset.inputs[part][rows])
    return PartPrediction(dataset.truth[part][rows], members, model.combined(members), dataset.weights[part][rows])


def _scores(parts: Mapping[Any, PartPrediction], metric: Metric, dataset: Dataset, seed: int) -> dict[str, dict[str, Interval]]:
    """The run's metric on every part, and the task's other metrics on dev and test."""
    scores: dict[str, dict[str, Interval]] = {}
    for part, prediction in parts.items():
        others = (other for other in METRICS.values() if other.task == dataset.task and other != metric and part in ("dev", "test"))
        spans = {
            each.name: interval(each, prediction.truth, prediction.members, prediction.weight, ensemble=prediction.answer, seed=seed)
            for each in (metric, *others)
        }
        scores[part] = {name: span for name, span in spans.items() if math.isfinite(span.value)}
    return scores


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("shoal", "jax", "numpy", "scikit-learn", "polars")}


def _class_shares(dataset: Dataset) -> dict[str, float]:
    if dataset.task != "classification":
        return {}
    counts = np.bincount(dataset.truth["train"], weights=dataset.weights["train"], minlength=len(dataset.classes))
    return {name: float(count / counts.sum()) for name, count in zip(dataset.classes, counts, strict=True)}


def _at_edge(trained: Trained) -> dict[str, Any]:
    """Settings of the winner within 5 % of an end of their range."""
    recipe, edges = trained.searched.recipe, {}
    for bounds in (each for each in trained.families[trained.searched.family].ranges if isinstance(each, Range)):
        value = recipe.hidden_units[0] if bounds.name == "units" and recipe.hidden_units else getattr(recipe, bounds.name, None)
        if value is None:
            continue
        low, high = bounds.value(0.05), bounds.value(0.95)
        if value <= low:
            edges["hidden_units" if bounds.name == "units" else bounds.name] = "lowest"
        elif value >= high:
            edges["hidden_units" if bounds.name == "units" else bounds.name] = "highest"
    return edges
