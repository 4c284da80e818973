"""Any scikit-learn estimator, refitted from several random states and on growing parts of the training rows."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import get_tags

from shoal.data import Dataset
from shoal.data.target import ClassTarget
from shoal.errors import OptionError, Problem
from shoal.records import Part, Task

RANDOM = "random_state"
MOST_NUMBERS = 500_000_000
"""Pixels of all parts together that are given as standardised numbers, which take four times their bytes; more stay bytes."""
MOST_WARNINGS = 3


@dataclass(eq=False)
class Subject:
    """An estimator and the rows that it is refitted on.

    Args:
        estimator: unfitted, or fitted (it is cloned, never changed).
        dataset: the rows, split into parts.
        columns: what the estimator is given of each part: rows of numbers, or of a frame.
        warned: what fits have warned of, each once.
    """

    estimator: Any
    dataset: Dataset
    columns: dict[Part, Any]
    warned: list[str] = field(default_factory=list)

    @property
    def draws(self) -> bool:
        """Whether the estimator says that it draws random numbers."""
        return bool(_random_parameters(self.estimator))

    @property
    def has_probabilities(self) -> bool:
        """Whether it gives classes probabilities."""
        return self.dataset.task == "classification" and hasattr(self.estimator, "predict_proba")

    def fitted(self, random_state: int, rows: NDArray | None = None) -> Callable[[Any], NDArray]:
        """A clone fitted on these training rows (all by default), as the function from columns to answers.

        Returns:
            Probabilities ``[rows, classes]``, in the data set's order of classes, or values ``[rows]``. An estimator without
            probabilities is sure of its decisions, or as sure as its decision function.

        Raises:
            OptionError: it could not be fitted or asked, in its own words.
        """
        model: Any = clone(self.estimator)
        model.set_params(**dict.fromkeys(_random_parameters(model), random_state))
        columns, targets = self.columns["train"], _targets(self.dataset)
        if rows is not None:
            columns, targets = taken(columns, rows), targets[rows]
        self._speaking("fitted on these rows", lambda: model.fit(columns, targets))
        return lambda asked: self._speaking("asked about these rows", lambda: self._answers(model, asked))

    def members(self, seed: int, seeds: int, parts: dict[Part, Any]) -> dict[Part, NDArray]:
        """Answers of refits that differ in their random state only, ``[members, rows, ...]`` of each part.

        A second fit that answers exactly as the first shows that the random state has no effect, and ends it.
        """
        answers: list[dict[Part, NDArray]] = []
        for number in range(seeds if self.draws else 1):
            predict = self.fitted(random_state(seed, number))
            answers.append({part: predict(columns) for part, columns in parts.items()})
            if number == 1 and all(np.array_equal(answers[0][part], answers[1][part]) for part in parts):
                answers.pop()
                break
        return {part: np.stack([each[part] for each in answers]) for part in parts}

    def _answers(self, model: Any, columns: Any) -> NDArray:
        target = self.dataset.division.target
        if not isinstance(target, ClassTarget):
            return _finite(np.asarray(model.predict(columns), np.float64).reshape(len(columns)))
        classes = len(self.dataset.classes)
        if hasattr(model, "predict_proba"):
            known, answers = _positions(target, model.classes_), np.asarray(model.predict_proba(columns), np.float64)
        elif hasattr(model, "decision_function"):
            known, margin = _positions(target, model.classes_), np.asarray(model.decision_function(columns), np.float64)
            answers = np.stack([expit(-margin), expit(margin)], axis=1) if margin.ndim == 1 else softmax(margin, axis=1)
        else:
            known, answers = np.arange(classes), np.eye(classes)[_positions(target, np.asarray(model.predict(columns)))]
        complete = np.zeros((len(answers), classes))
        complete[:, known] = answers
        return _finite(complete)

    def _speaking(self, what: str, work: Callable[[], Any]) -> Any:
        """Do the estimator's own work: what it warns of is kept, and why it fails is said as what it is, a bad option."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = work()
            except Exception as error:  # an estimator may raise anything
                first = (str(error).strip().splitlines() or [""])[0]
                received = f"{type(error).__name__}: {first[:300]}"
                remedy = "Correct its parameters, or give it columns that it can take."
                raise OptionError(Problem(f"the estimator can be {what}", received, remedy)) from error
        for each in caught:
            said = f"{each.category.__name__}: {(str(each.message).strip().splitlines() or [''])[0]}"
            if said not in self.warned and len(self.warned) < MOST_WARNINGS:
                self.warned.append(said)
        return result


def estimator_problems(estimator: Any, task: Task | None, needs_probabilities: bool = False) -> Iterator[Problem]:
    """What is wrong with an estimator, before anything is fitted.

    Args:
        estimator: as given.
        task: what the target asks for; ``None`` where that is not known yet.
        needs_probabilities: whether the metric does.
    """
    name = type(estimator).__name__
    if inspect.isclass(estimator):
        yield Problem("the estimator is an object", f"the class {estimator.__name__}", f"Write {estimator.__name__}(...).")
        return
    missing = [each for each in ("fit", "predict", "get_params", "set_params") if not callable(getattr(estimator, each, None))]
    if missing:
        remedy = "Give a classifier or regressor with scikit-learn's methods."
        yield Problem("an estimator can be fitted, asked and copied", f"{name} without {' and '.join(missing)}", remedy)
        return
    if task is None:
        return
    if task == "multi_label":
        yield Problem("an estimator is diagnosed on one target", "several labels", "Name one --target.")
    elif (kind := _kind(estimator)) is not None and kind != task:
        wanted, given = ("classifier", "regressor") if task == "classification" else ("regressor", "classifier")
        remedy = f"Choose a {wanted}, or state the --task."
        yield Problem(f"the target asks for a {wanted}", f"{name}, a {given}", remedy)
    elif needs_probabilities and not hasattr(estimator, "predict_proba"):
        yield Problem("this metric needs predict_proba", f"{name}, which has none", "Choose another metric, such as error.")


def random_state(seed: int, number: int) -> int:
    """The random state of one refit."""
    return int(np.random.default_rng((seed, number)).integers(2**31 - 1))


def taken(columns: Any, rows: NDArray) -> Any:
    """These rows of an array or of a frame."""
    of_pandas = getattr(columns, "iloc", None)
    return columns[rows] if of_pandas is None else of_pandas[rows]


def shown_columns(dataset: Dataset) -> dict[Part, Any]:
    """What an estimator is given of each part: the inputs of a network; of pictures, their pixels standardised channel by channel.

    Networks standardise pictures themselves; an estimator that does not would see bytes from 0 to 255. Where the numbers would take more
    than 2 GB, pictures stay bytes.
    """
    picture = dataset.picture
    if picture is None or sum(inputs.size for inputs in dataset.inputs.values()) > MOST_NUMBERS:
        return dict(dataset.inputs)
    mean, deviation = (np.tile(np.array(each, np.float32), picture.height * picture.width) for each in (picture.means, picture.deviations))
    numbers: dict[Part, Any] = {}
    for part, inputs in dataset.inputs.items():
        numbers[part] = inputs.astype(np.float32)
        numbers[part] -= mean
        numbers[part] /= deviation
    return numbers


def raw_columns(dataset: Dataset, sources: dict[str, Any]) -> dict[Part, Any]:
    """The columns of each part as they were given, those of the target, the groups and the time and dropped ones left out.

    Of pictures their bytes ``[rows, height, width, channels]``, in the one size that they were brought to.

    Args:
        dataset: that was loaded from them.
        sources: the tables as given, by the names that ``Division.places`` knows; what is no frame of pandas or array is given
            as the polars frame that it was read into.
    """
    if dataset.picture is not None:
        shape = dataset.picture.shape
        return {part: pixels.reshape(-1, *shape) for part, pixels in dataset.inputs.items()}
    inputs = [decision.name for decision in dataset.columns if decision.kind not in ("target", "group", "time", "dropped")]
    parts: dict[Part, Any] = {}
    for part, (which, rows) in dataset.division.places.items():
        source = sources.get(which)
        if isinstance(source, np.ndarray):
            parts[part] = source[rows]
        elif source is not None and hasattr(source, "iloc"):
            parts[part] = taken(source[[name for name in inputs if name in source.columns]], rows)
        else:
            parts[part] = dataset.division.tables.frames[which].select(inputs)[rows]
    return parts


def _random_parameters(estimator: Any) -> list[str]:
    """Every parameter that seeds an estimator, those of the steps of a pipeline among them."""
    return [name for name in estimator.get_params(deep=True) if name.split("__")[-1] == RANDOM]


def _kind(estimator: Any) -> Task | None:
    try:
        get_tags(estimator)
    except (AttributeError, TypeError):  # of a class that does not know scikit-learn's tags
        return None
    return "classification" if is_classifier(estimator) else "regression" if is_regressor(estimator) else None


def _targets(dataset: Dataset) -> NDArray:
    """What the estimator is to answer for the training rows: labels in their own type, or values."""
    target, truth = dataset.division.target, dataset.truth["train"]
    return np.asarray(target.values)[truth] if isinstance(target, ClassTarget) else truth


def _positions(target: ClassTarget, labels: Any) -> NDArray:
    """Class numbers of labels."""
    return target.encode(pl.DataFrame({target.column: pl.Series(np.asarray(labels).tolist(), strict=False)}))


def _finite(answers: NDArray) -> NDArray:
    if not np.isfinite(answers).all():
        raise ValueError("its answers are not finite numbers")
    return answers
