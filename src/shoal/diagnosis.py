"""What limits a model and what to do next: of a run, from its record; of any scikit-learn estimator, by refitting it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from shoal import data
from shoal.data import Dataset
from shoal.data.sample import drawn_rows
from shoal.diagnose import CAUSES, CHECKS, Case, Errors, PartError, PartPrediction, best_first, findings, judge, measure, next_step
from shoal.diagnose.checks.errors import reference_ahead
from shoal.diagnose.checks.rows import more_rows
from shoal.diagnose.verdict import say
from shoal.errors import Problem, reported_together
from shoal.experiments.data_faults import measure_data_faults, sure_error_of_best
from shoal.experiments.left_out import PartAnswers
from shoal.experiments.mistakes import measure_mistakes, row_names
from shoal.experiments.refit_curve import refit_curve
from shoal.experiments.refits import Subject, estimator_problems, raw_columns, shown_columns, taken
from shoal.interval import Interval
from shoal.measurements import Measurements, Mistakes
from shoal.metrics import METRICS, Metric, check_metric, goal_problems
from shoal.progress import Event, Listener
from shoal.records import Diagnosis, Finding, Part, Run
from shoal.references import fit_references
from shoal.saved_run import read_record

FROM_RECORD = ("SH111", "SH112", "SH3", "SH4", "SH5")
"""Codes of the checks that rest on what a run's record holds, not on its predictions."""
OF_NETWORKS = ("SH2", "SH4")
"""Codes of the checks that say nothing about an estimator."""
MOST_TRAIN_ROWS_SCORED = 50_000
MOST_SEEDS = 100
LONGEST_NAME = 200
DRAWS = 1000
NEED_PROBABILITIES = ("log_loss",)

ADVICE = {
    "SH101": "Use a more flexible model, or regularise it less.",
    "SH102": "More training rows, more regularisation, or a simpler model.",
    "SH107": "Use the reference, or tune this model until it is level.",
    "SH110": "Do not read the probabilities as chances: wrap the model in scikit-learn's CalibratedClassifierCV, or use the order only.",
}
"""What to do where it is not what to do about a network."""


def diagnose(run: Any) -> Diagnosis:
    """What limits a finished run's model, from its record alone: nothing is trained, and no data are read.

    Errors and their gaps are as they were judged at the end of the run, with the predictions at hand. What rests on the
    measurements in the record is judged afresh, so that an old run profits from newer checks.

    Args:
        run: a ``shoal.Result``, its record, or the path of a run's folder.

    Returns:
        The verdict, the one next step, and all findings, best first.

    Raises:
        RunFolderError: there is no complete run at the path.

    Example:
        >>> import shoal
        >>> recipe = shoal.Recipe(hidden_units=(16,), epochs=20)
        >>> run = shoal.train("example:wine", recipe=recipe, seeds=3)
        >>> diagnose(run).verdict == run.record.verdict
        True
    """
    record: Run = read_record(Path(run)) if isinstance(run, str | Path) else getattr(run, "record", run)
    metric = METRICS[record.metric]
    case = Case(_recorded_errors(record, metric), record.verdict, trials=record.trials, recipe=record.recipe, measured=record.measured)
    kept = [finding for finding in record.findings if not finding.code.startswith(FROM_RECORD)]
    afresh = [finding for finding in findings(case) if finding.code.startswith(FROM_RECORD)]
    listed = best_first((*kept, *afresh))
    return Diagnosis(
        subject=f"the model of the run {record.name}",
        source=record.source,
        target=record.target,
        task=record.task,
        metric=record.metric,
        greater_is_better=record.greater_is_better,
        rows={part: rows for part, rows in record.split.rows.items() if part in record.scores},
        scores={part: scores[record.metric] for part, scores in record.scores.items() if record.metric in scores},
        references={baseline.name: baseline.dev for baseline in record.baselines},
        verdict=record.verdict,
        next_step=next_step(case, listed) if _causes(listed) - _causes(record.findings) else record.next_step,
        findings=listed,
        healthy=_healthy(listed),
        measured=record.measured,
        notes=record.notes,
    )


def diagnose_estimator(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    target: str | None = None,
    task: str = "auto",
    dev: Any = None,
    test: Any = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    stratify: bool | None = None,
    dev_size: float | int | None = None,
    test_size: float | int | None = None,
    open_test: bool = False,
    raw: bool = False,
    metric: str | None = None,
    target_error: float | None = None,
    seed: int = 0,
    seeds: int = 5,
    curve: bool = True,
    listener: Listener = lambda event: None,
) -> Diagnosis:
    """What limits a scikit-learn estimator on a table: bias, variance, mismatch, its rows and columns, or too few of them.

    The rows are split by shoal's rules, and clones are fitted on the training part from several random states. The estimator
    itself stays as it is. Its error is that of one fit, averaged over the random states; intervals are over rows and states.

    Args:
        estimator: a classifier or regressor with ``fit``, ``predict`` and ``get_params``; a ``Pipeline``, too.
        X: a path, ``example:NAME``, a data frame, or an array ``[rows, columns]``.
        y: the target ``[rows]``, where ``X`` does not hold it.
        target: name of the target's column.
        task: ``auto``, ``classification`` or ``regression``.
        dev: a dev set of its own: a path, a data frame, or a pair ``(X, y)``; otherwise one is split off.
        test: the same for the test part; giving one asks for its score.
        drop: columns to leave out.
        group: column whose groups must not be divided between the parts.
        time: column to split by: train on the past, test on the future.
        stratify: whether the split keeps the classes' shares; by default it does for classification.
        dev_size: rows (or share of the rows) of the dev part.
        test_size: the same of the test part; 0 does without one.
        open_test: score the test part; otherwise it is set aside and not looked at.
        raw: give the estimator the columns as they are, for a pipeline that encodes them itself (pictures as bytes ``[rows, height, width,
            channels]``); otherwise it is given the numbers that shoal makes of them.
        metric: what counts, ``error`` or ``rmse`` by default.
        target_error: the error that is possible, as far as is known.
        seed: of the split and the random states.
        seeds: random states to fit from; an estimator that draws nothing is fitted once.
        curve: measure the error against the number of training rows, which takes 24 more fits, most of them on fewer rows.
        listener: is told about progress.

    Returns:
        The verdict, the one next step, and all findings, best first.

    Raises:
        InputError: something given cannot be used; all problems are named.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> tree, data = DecisionTreeClassifier(), "example:breast-cancer"
        >>> found = diagnose_estimator(
        ...     tree, data, target_error=0.02, seeds=3, curve=False
        ... )
        >>> found.scores["train"].value, found.verdict.title
        (0.0, 'high variance')
    """
    problems = list(_option_problems(estimator, metric, target_error, seeds))
    listener(Event("reading", data.source_name(X)))
    asked = {
        "target": target, "task": task, "dev": dev, "test": test, "drop": drop, "group": group, "time": time, "stratify": stratify,
        "seed": seed, "dev_size": dev_size, "test_size": test_size,
    }  # fmt: skip
    dataset = _load(X, y, asked, estimator, metric, problems)
    measure_by = check_metric(metric, dataset.task)
    sources = {"train": X, **{which: given[0] if isinstance(given, tuple) else given for which, given in (("dev", dev), ("test", test))}}
    subject = Subject(estimator, dataset, raw_columns(dataset, sources) if raw else shown_columns(dataset))
    shown: list[Part] = [part for part in dataset.inputs if part != "test" or open_test or test is not None]

    listener(Event("fitting", f"{type(estimator).__name__} from {seeds if subject.draws else 1} random state(s)"))
    parts = _predicted(subject, shown, seed, seeds)
    listener(Event("references", "models to compare with, on the same rows"))
    references = fit_references(
        dataset.inputs["train"],
        dataset.truth["train"],
        task=dataset.task,
        n_classes=len(dataset.classes),
        evaluate={"dev": dataset.inputs["dev"]},
        seed=seed,
        picture=dataset.picture_shape,
    )
    errors = measure(parts, measure_by, {each.name: each.predictions["dev"] for each in references}, seed=seed)
    verdict = judge(errors, target_error)
    others = [each.predictions["dev"] for each in references if each.name != "trivial"]
    answers = [*([parts["dev"].members[0]] if parts["dev"].has_probabilities else []), *others]
    surest = sure_error_of_best(answers, parts["dev"].truth) if dataset.task == "classification" else None
    listener(Event("measuring", "rows and columns" + ", and the error against the number of rows" * curve))
    measured = Measurements(
        learning_curve=refit_curve(subject, measure_by, seed) if curve else None,
        data=measure_data_faults(
            dataset,
            seed=seed,
            sure_error=surest,
            answers={part: as_answers(parts[part]) for part in shown if part != "train"},
            metric=measure_by,
        ),
        mistakes=mistakes_of(dataset, parts["dev"]),
    )
    case = Case(
        errors,
        verdict,
        class_shares=dataset.class_shares,
        searched=False,
        measured=measured,
        noun="model",
        dev_chooses=False,
    )
    listed = best_first(
        replace(finding, advice=ADVICE.get(finding.code, finding.advice) if finding.advice else "")
        for finding in findings(case)
        if not finding.code.startswith(OF_NETWORKS)
    )
    return Diagnosis(
        subject=" ".join(repr(estimator).split())[:LONGEST_NAME],
        source=dataset.source,
        target=dataset.target,
        task=dataset.task,
        metric=measure_by.name,
        greater_is_better=measure_by.greater_is_better,
        rows={part: len(dataset.truth[part]) for part in shown},
        scores={part: _turned(measure_by, error.error) for part, error in errors.parts.items()},
        references={name: _turned(measure_by, error.error) for name, error in errors.references.items()},
        verdict=verdict,
        next_step=_next_step(case, listed),
        findings=listed,
        healthy={code: title for code, title in _healthy(listed).items() if not code.startswith(OF_NETWORKS)},
        measured=measured,
        notes=(*dataset.notes, *(f"the estimator warned: {text}" for text in subject.warned)),
    )


def _healthy(listed: Sequence[Finding]) -> dict[str, str]:
    spoken = {finding.code for finding in listed}
    return {check.code: check.title for check in CHECKS if check.code not in spoken}


def _option_problems(estimator: Any, metric: str | None, target_error: Any, seeds: Any) -> Iterator[Problem]:
    yield from estimator_problems(estimator, None)
    yield from goal_problems(metric, target_error)
    if not (isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= MOST_SEEDS):
        yield Problem(f"the number of seeds is a whole number from 1 to {MOST_SEEDS}", repr(seeds), "Give, say, 5.")


def _load(X: Any, y: Any, asked: dict[str, Any], estimator: Any, metric: str | None, problems: list[Problem]) -> Dataset:
    """The data set; whatever is wrong with the options, the data and the estimator is reported together."""
    with reported_together(problems):
        dataset = data.load(X, y=y, **asked)
        if not list(estimator_problems(estimator, None)):
            problems += estimator_problems(estimator, dataset.task, metric in NEED_PROBABILITIES)
        check_metric(metric, dataset.task)
    return dataset


def scored_rows(dataset: Dataset, part: Part, seed: int) -> NDArray:
    """The rows of a part that a model is judged by: all, or of very many training rows a sample, whose error is as good as known."""
    count = len(dataset.truth[part])
    return drawn_rows(count, MOST_TRAIN_ROWS_SCORED if part == "train" else count, np.random.default_rng(seed))


def as_answers(prediction: PartPrediction) -> PartAnswers:
    """A model's answers, as the experiments take them."""
    decided, probable = prediction.decided, None if prediction.decision is None else prediction.judged[0]
    return PartAnswers(prediction.truth, decided.judged, tuple(decided.members), prediction.weight, probable)


def mistakes_of(dataset: Dataset, dev: PartPrediction) -> Mistakes | None:
    """Where a classifier errs on the dev rows; ``None`` for other tasks."""
    if dataset.task != "classification":
        return None

    def names(rows: NDArray) -> list[str]:
        return row_names(dataset, "dev", rows)

    said = dev.decided.judged[0].argmax(axis=1)
    return measure_mistakes(dev.judged[0], dev.truth, dataset.classes, names, decided=said, has_probabilities=dev.has_probabilities)


def _predicted(subject: Subject, shown: Sequence[Part], seed: int, seeds: int) -> dict[Part, PartPrediction]:
    """The refits' answers; of very many training rows those of a sample, whose error is as good as known."""
    dataset, asked = subject.dataset, dict(subject.columns)
    rows: dict[Part, NDArray] = {}
    for part in shown:
        rows[part] = scored_rows(dataset, part, seed)
        if len(rows[part]) < len(dataset.truth[part]):
            asked[part] = taken(asked[part], rows[part])
    members = subject.members(seed, seeds, {part: asked[part] for part in shown})
    return {
        part: PartPrediction(dataset.truth[part][rows[part]], members[part], one_by_one=True, has_probabilities=subject.has_probabilities)
        for part in shown
    }


def _turned(metric: Metric, span: Interval) -> Interval:
    """An error as the score that it came from, or the other way round."""
    return Interval(1 - span.value, 1 - span.high, 1 - span.low) if metric.greater_is_better else span


def _next_step(case: Case, listed: Sequence[Finding]) -> str:
    """The one next step: data that deceive first, then bias, then variance."""
    if _causes(listed):
        return next_step(case, listed)
    ahead, title = reference_ahead(case), case.verdict.title
    if title == "mismatch" or (ahead is None and title in ("neither", "cannot tell")):
        return next_step(case)
    if ahead is not None:
        errors = case.errors
        theirs, ours = (say(part.error.value, errors.metric) for part in (errors.references[ahead], errors.parts["dev"]))
        lead = f"on the same dev rows {ahead} makes an error of {theirs}, this model {ours}"
        return f"Use {ahead} instead, or tune this model until it is level: {lead}."
    if title == "high variance":
        return _against_variance(case)
    return (
        "Use a more flexible model, regularise it less, or add columns that tell more: it does not fit its own training rows well enough."
    )


def _causes(listed: Sequence[Finding]) -> set[str]:
    """What was found that explains other findings, and so is mended first."""
    return {each.code for each in listed if each.outcome == "found" and each.severity in ("high", "medium")} & set(CAUSES)


def _against_variance(case: Case) -> str:
    curve, rows = case.measured.learning_curve, case.errors.parts["train"].rows
    words = "Regularise more, or use a simpler model: it fits its training rows much better than new ones."
    if curve is not None and curve.doubled.low > 0:
        return f"{words} {more_rows(curve, case.errors.metric)}"
    return f"{words} More training rows (now {rows:,}) would narrow the gap as well."


def _recorded_errors(record: Run, metric: Metric) -> Errors:
    """The errors of a run's record, with draws that are as wide as its intervals."""
    parts: dict[Any, PartError] = {
        part: _recorded(scores[metric.name], metric, record.split.rows[part], number)
        for number, (part, scores) in enumerate(record.scores.items())
    }
    rows = record.split.rows["dev"]
    references = {each.name: _recorded(each.dev, metric, rows, 10 + number) for number, each in enumerate(record.baselines)}
    scale = 1.0
    if metric.unit not in ("share", "nats") and "trivial" in references:
        scale = references["trivial"].error.value  # of the best constant answer: the standard deviation, or its square
    behind = {name: _behind(parts["dev"], reference) for name, reference in references.items()}
    return Errors(metric, parts, references, behind, scale)


def _recorded(score: Interval, metric: Metric, rows: int, seed: int) -> PartError:
    error = _turned(metric, score)
    spread = (error.high - error.low) / (2 * stats.norm.ppf(0.975))
    draws = np.random.default_rng(seed).normal(error.value, spread, DRAWS)
    return PartError(error, rows, draws, np.array([]))


def _behind(own: PartError, other: PartError) -> Interval:
    """How much larger the one error is; as wide as if their rows were different ones, which the record does not tell."""
    size = own.error.value - other.error.value
    half = math.hypot(own.error.high - own.error.low, other.error.high - other.error.low) / 2
    return Interval(size, size - half, size + half)
