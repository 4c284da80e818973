"""The main job as scikit-learn estimators: ``fit`` searches and trains, ``predict`` averages the winner's networks.

What ``fit`` sees is a *set* of weighted rows. Rows are put into an order of their own, so that the order in which they are
given does not matter, and small whole-number weights are counts: a row of weight 3 is three rows, one of weight 0 is none.
That is scikit-learn's contract for ``sample_weight``, and it holds here to the last bit. All other weights multiply the loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import msgspec
import narwhals as nw
import numpy as np
import polars as pl
import polars.selectors as cs
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, check_random_state, column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from shoal import data
from shoal.data import Preparation, read_table
from shoal.data.pictures.arrays import is_picture_array
from shoal.data.pictures.column import picture_column, pixels_of, row_hashes
from shoal.data.pictures.decode import listed
from shoal.data.pictures.reading import Wanted
from shoal.data.read import read_source, wanted_like
from shoal.data.split import check_rows, part_size, shuffled, stratified
from shoal.data.target import ClassTarget
from shoal.effort import checked_final
from shoal.errors import DataError, OptionError, Problem
from shoal.metrics import check_metric
from shoal.plan import Budget
from shoal.planner import Planner, space_for
from shoal.progress import Stages, silent
from shoal.recipe import Recipe
from shoal.records import Part, Task
from shoal.space import Space
from shoal.suitability import unsuited
from shoal.trainer import Trainer
from shoal.winner import Trained, train_best

MOST_COPIES = 10
"""The largest weight that is taken as a count; larger ones (of a survey, say) would make many rows that tell nothing new."""

FEWEST_DISTINCT_ROWS, FEWEST_DISTINCT_SHARE = 10, 0.25
"""Equal rows stay within one part unless the table consists of few different rows: below either number a dev part of other
rows than those trained on would measure something else than future rows of the same kind."""


ANY = Wanted()
"""Pictures of whatever size."""


class _ShoalEstimator(BaseEstimator):
    """What both estimators share; a subclass says what its targets are."""

    _task: ClassVar[Task]

    budget: Any
    recipe: Recipe | None
    metric: str | None
    final: str
    random_state: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_dev: Any = None, y_dev: Any = None) -> Self:
        """Search for a good network and train it on fresh seeds.

        Args:
            X: inputs ``[rows, columns]``: a pandas, polars or Arrow frame with columns of any kind, or an array. Missing values are fine.
                Pictures are an array ``[rows, height, width]`` or ``[rows, height, width, channels]``, or a frame with a column of paths.
            y: the target ``[rows]``.
            sample_weight: ``[rows]``, from 0; whole numbers up to 10 count as so many equal rows.
            X_dev: inputs of a dev set of your own; by default a part of the rows is set aside.
            y_dev: its target.

        Returns:
            The estimator itself.

        Raises:
            ValueError: the data or a parameter cannot be used; the message says what to do.
        """
        budget, recipe, metric = Budget.parse(self.budget), self._checked_recipe(), check_metric(self.metric, self._task)
        final = checked_final(self.final)
        if (X_dev is None) != (y_dev is None):
            given = "X_dev" if y_dev is None else "y_dev"
            raise OptionError(Problem("a dev set is X_dev and y_dev", f"{given} only", "Give both, or leave both out."))
        stages = Stages(silent)
        table = self._table(X, y, reset=True)
        answers = self._checked_targets(y)
        check_consistent_length(table, answers)
        rows, weight = _counted(sample_weight, table)
        values = self._learn_targets(answers[rows])
        weight = weight * self._importance(values)

        frame = read_table(table)
        keys = _row_keys(frame, answers)[rows]
        order = np.argsort(keys, kind="stable")
        rows, keys, values, weight = rows[order], keys[order], values[order], weight[order]
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        name = "y"
        while name in frame.columns:
            name += "_"
        if X_dev is None:
            train, dev = self._split(keys, values, seed)
            dev_table, dev_values, dev_weight = table[rows[dev]], values[dev], weight[dev]
        else:
            train = np.arange(len(rows))
            dev_table = self._table(X_dev, y_dev, reset=False, wanted=_wanted_like(frame))
            dev_table = dev_table if picture_column(frame) else _renamed(dev_table, frame.columns)
            dev_values = self._encode(self._checked_targets(y_dev))
            check_consistent_length(dev_table, dev_values)
            dev_weight = self._importance(dev_values)
        dataset = data.load(
            table[rows[train]],
            y=pl.Series(name, values[train]),
            sample_weight=weight[train],
            dev=(dev_table, pl.Series(name, dev_values)),
            task=self._task,
            test_size=0,
            train_dev=False,
            seed=seed,
        )
        weights: dict[Part, np.ndarray] = {**dataset.weights, "dev": (dev_weight / weight[train].mean()).astype(np.float32)}
        space = None
        if recipe is not None:
            if problems := list(unsuited(recipe, self._task, len(dataset.classes), dataset.picture_shape)):
                raise OptionError(*problems)
            budget, space = Budget("one recipe", trials=1), Space.single(recipe)
        trainer = Trainer(replace(dataset, weights=weights), seed)
        planner = Planner(trainer, budget, space or space_for(trainer, metric), stages, distils=final == "distilled")
        trained = train_best(planner, metric=metric, final=final)
        self._keep(trained, frame.columns)
        return self

    def _keep(self, trained: Trained, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self.recipe_ = trained.searched.recipe
        self.model_ = replace(trained.model, preparation=self._labelled(trained.model.preparation))
        final = [trial for trial in trained.searched.trials if trial.purpose == "retrain" and trial.recipe == self.recipe_]
        self.history_ = {
            "epoch": list(final[0].trace.epochs),
            **{
                name: [[math.nan if value is None else value for value in getattr(trial.trace, name)] for trial in final]
                for name in ("train_loss", "dev_loss", "dev_error")
            },
        }
        self.n_iter_ = max(1, round(final[0].trace.epochs[-1]))

    def _checked_recipe(self) -> Recipe | None:
        if self.recipe is not None and not isinstance(self.recipe, Recipe):
            remedy = "Write recipe=shoal.Recipe(hidden_units=(64, 64))."
            raise OptionError(Problem("recipe is a shoal.Recipe, or None to search for one", repr(self.recipe), remedy))
        return self.recipe

    def _table(self, X: Any, y: Any = "no_validation", *, reset: bool, wanted: Wanted = ANY) -> np.ndarray | pl.DataFrame:
        """A data frame or pictures as polars, others as an array, after scikit-learn's checks of names, shape and number of columns."""
        is_frame = isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)
        fewest = 2 if reset else 1
        if not is_frame and is_picture_array(X):
            flat: Any = X.reshape(len(X), math.prod(X.shape[1:]))
            check_array(flat, dtype=None, ensure_all_finite=False, ensure_min_samples=fewest, estimator=self)  # pyright: ignore
            if wanted.size is None:  # pictures of another size are brought to that of the training rows
                validate_data(self, flat, y, reset=reset, skip_check_array=True)
            return read_source(X, wanted).frame
        if not is_frame:
            X = check_array(X, dtype=None, ensure_all_finite=False, ensure_min_samples=fewest, estimator=self, input_name="X")  # pyright: ignore
        validate_data(self, X, y, reset=reset, skip_check_array=True)
        if not is_frame:
            return X
        reading = read_source(X, wanted)
        if reading.skipped:
            received = f"{len(reading.skipped):,} that cannot: {listed(reading.skipped)}"
            raise DataError(Problem("every picture that X names can be read", received, "Remove those rows from X and y."))
        return reading.frame

    def _outputs(self, X: Any) -> np.ndarray:
        """The mean of the networks' outputs for the rows of ``X``."""
        check_is_fitted(self)
        picture = self.model_.preparation.picture
        table = read_table(self._table(X, reset=False, wanted=wanted_like(picture)))
        if picture is None:
            table = _renamed(table, self._columns)
        return self.model_.outputs(self.model_.inputs(table))

    def _split(self, keys: np.ndarray, values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the training and the dev rows."""
        _, first, unit = np.unique(keys, return_index=True, return_inverse=True)
        if len(first) < max(FEWEST_DISTINCT_ROWS, FEWEST_DISTINCT_SHARE * len(keys)):
            first = unit = np.arange(len(keys))
        sizes: dict[Part, int] = {"dev": part_size(len(first))}
        check_rows(len(first), sizes)
        by_class = self._task == "classification"
        assignment = stratified(values[first], sizes, seed) if by_class else shuffled(len(first), sizes, seed)
        in_dev = np.isin(unit, assignment.rows["dev"])
        return np.flatnonzero(~in_dev), np.flatnonzero(in_dev)

    def _checked_targets(self, y: Any) -> np.ndarray:
        """``y`` as a complete array ``[rows]``."""
        answers = column_or_1d(y, warn=True)
        assert_all_finite(answers, estimator_name=type(self).__name__, input_name="y")
        return answers

    def _learn_targets(self, answers: np.ndarray) -> np.ndarray:
        """What the networks are to answer ``[rows]``."""
        return self._encode(answers)

    def _encode(self, answers: np.ndarray) -> np.ndarray:
        return answers

    def _importance(self, values: np.ndarray) -> np.ndarray:
        """A factor on the weight of each row ``[rows]``."""
        return np.ones(len(values))

    def _labelled(self, preparation: Preparation) -> Preparation:
        """The preparation with the user's own labels."""
        return preparation

    def _html_repr(self) -> str:
        """scikit-learn's picture of an estimator and, once fitted, the loss curves."""
        drawn = BaseEstimator._html_repr(self)
        return f"<div>{drawn}{_curves(self.history_)}</div>" if hasattr(self, "history_") else drawn

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class ShoalClassifier(ClassifierMixin, _ShoalEstimator):
    """A neural network classifier that searches for its own architecture and hyperparameters.

    Args:
        budget: what the search may spend: a time such as ``"60s"`` or ``"5m"``, or a number of trials such as ``"32trials"``.
            Only the latter makes two fits with the same ``random_state`` the same to the last bit.
        recipe: train exactly this recipe, without a search; the budget then does not matter.
        metric: ``"error"`` (default), ``"accuracy"``, ``"log_loss"``, ``"balanced_accuracy"``, ``"f1"`` or ``"auc"``: what counts in the
            end; it decides what the search tries.
        final: what the model is made of: ``"mean"`` (default), ``"single"``, ``"greedy"`` or ``"distilled"``, as for ``shoal.search``.
        class_weight: ``{label: factor}`` or ``"balanced"``; a factor on the weight of each class's rows.
        random_state: a whole number, a ``RandomState`` or ``None``.

    Attributes:
        classes_: labels ``[classes]``, sorted.
        model_: the trained ``shoal.Model``; ``model_.save(folder)`` writes it without pickle.
        recipe_: the recipe that won.
        history_: loss curves of the final networks: ``epoch`` ``[points]``, and ``train_loss``, ``dev_loss`` and ``dev_error``
            ``[networks][points]``.
        n_iter_: passes through the training rows.
        n_features_in_: columns seen in ``fit``.
        feature_names_in_: their names, where ``X`` was a data frame.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> recipe = Recipe(hidden_units=(16,), epochs=80, learning_rate=0.03)
        >>> classifier = ShoalClassifier(recipe=recipe, random_state=0).fit(X, y)
        >>> classifier.predict_proba(X[:5]).shape, classifier.score(X, y) > 0.9
        ((5, 3), True)
    """

    _task = "classification"

    def __init__(
        self,
        budget: Any = "60s",
        *,
        recipe: Recipe | None = None,
        metric: str | None = None,
        final: str = "mean",
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        self.budget = budget
        self.recipe = recipe
        self.metric = metric
        self.final = final
        self.class_weight = class_weight
        self.random_state = random_state

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row ``[rows]``: the most probable one, or for balanced accuracy and F1 the one that was found best on dev.

        Args:
            X: ``[rows, columns]``, as in ``fit``.

        Raises:
            NotFittedError: before ``fit``.
            ValueError: the columns are not those of ``fit``.
        """
        outputs = self._outputs(X)
        return self.classes_[self.model_.decided(outputs).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class ``[rows, classes]``, in the order of ``classes_``; arguments and errors as for ``predict``."""
        return self._outputs(X)

    def _checked_targets(self, y: Any) -> np.ndarray:
        answers = super()._checked_targets(y)
        check_classification_targets(answers)
        return answers

    def _learn_targets(self, answers: np.ndarray) -> np.ndarray:
        self.classes_ = np.unique(answers)
        if len(self.classes_) < 2:
            remedy = "Add rows of another class."
            raise DataError(Problem("a classification has at least two classes", f"one class only, {answers[0]!r}", remedy))
        self._class_weights = compute_class_weight(self.class_weight, classes=self.classes_, y=answers)
        if not np.all((self._class_weights > 0) & np.isfinite(self._class_weights)):
            raise OptionError(Problem("class weights are above 0", repr(self.class_weight), "Leave out the rows of classes not wanted."))
        return self._encode(answers)

    def _encode(self, answers: np.ndarray) -> np.ndarray:
        """Positions of the labels in ``classes_``."""
        unknown = np.setdiff1d(answers, self.classes_)
        if len(unknown):
            received = ", ".join(map(repr, unknown[:5].tolist()))
            raise DataError(Problem("the dev rows have classes of the training rows", received, "Leave those rows out of the dev set."))
        return np.searchsorted(self.classes_, answers)

    def _importance(self, values: np.ndarray) -> np.ndarray:
        return self._class_weights[values]

    def _labelled(self, preparation: Preparation) -> Preparation:
        labels = tuple(label if isinstance(label, bool | int | float | str) else str(label) for label in self.classes_.tolist())
        return msgspec.structs.replace(preparation, target=ClassTarget(preparation.target.column, labels))


class ShoalRegressor(RegressorMixin, _ShoalEstimator):
    """A neural network for a quantity that searches for its own architecture and hyperparameters.

    Args:
        budget: what the search may spend: a time such as ``"60s"`` or ``"5m"``, or a number of trials such as ``"32trials"``.
            Only the latter makes two fits with the same ``random_state`` the same to the last bit.
        recipe: train exactly this recipe, without a search; the budget then does not matter.
        metric: ``"rmse"`` (default), ``"mae"``, ``"mse"`` or ``"r2"``: what counts in the end.
        final: what the model is made of: ``"mean"`` (default), ``"single"``, ``"greedy"`` or ``"distilled"``, as for ``shoal.search``.
        random_state: a whole number, a ``RandomState`` or ``None``.

    Attributes:
        model_: the trained ``shoal.Model``; ``model_.save(folder)`` writes it without pickle.
        recipe_: the recipe that won.
        history_: loss curves of the final networks, as for ``ShoalClassifier``.
        n_iter_: passes through the training rows.
        n_features_in_: columns seen in ``fit``.
        feature_names_in_: their names, where ``X`` was a data frame.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> recipe = Recipe(hidden_units=(16,), epochs=20, learning_rate=0.01)
        >>> regressor = ShoalRegressor(recipe=recipe, random_state=0).fit(X, y)
        >>> regressor.predict(X[:5]).shape, regressor.score(X, y) > 0.4
        ((5,), True)
    """

    _task = "regression"

    def __init__(
        self,
        budget: Any = "60s",
        *,
        recipe: Recipe | None = None,
        metric: str | None = None,
        final: str = "mean",
        random_state: Any = None,
    ) -> None:
        self.budget = budget
        self.recipe = recipe
        self.metric = metric
        self.final = final
        self.random_state = random_state

    def predict(self, X: Any) -> np.ndarray:
        """The predicted quantity of each row ``[rows]``, in the target's unit.

        Args:
            X: ``[rows, columns]``, as in ``fit``.

        Raises:
            NotFittedError: before ``fit``.
            ValueError: the columns are not those of ``fit``.
        """
        return self._outputs(X)

    def _checked_targets(self, y: Any) -> np.ndarray:
        return super()._checked_targets(y).astype(np.float64)


def _counted(sample_weight: Any, table: np.ndarray | pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows that count, repeated where the weights are counts, and the weight of each."""
    if sample_weight is None:
        return np.arange(len(table)), np.ones(len(table))
    weight = _check_sample_weight(sample_weight, table, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise DataError(Problem("some sample weight is above 0", "weights that are all zero", "Correct them, or leave them out."))
    if np.all(weight == np.round(weight)) and weight.max() <= MOST_COPIES:
        rows = np.repeat(np.arange(len(weight)), weight.astype(int))
        return rows, np.ones(len(rows))
    rows = np.flatnonzero(weight)
    return rows, weight[rows]


def _row_keys(frame: pl.DataFrame, answers: np.ndarray) -> np.ndarray:
    """A number for each row that equal rows have in common, wherever they stand; cells of other kinds (lists, say) do not count."""
    numbers, texts = cs.numeric() | cs.boolean(), cs.string(include_categorical=True) | cs.enum()
    cells = frame.select(numbers.cast(pl.Float64), texts.cast(pl.String), cs.temporal().to_physical())
    picture = picture_column(frame)
    if picture is not None:  # whatever it is called
        cells = pl.DataFrame({"picture": row_hashes(pixels_of(frame[picture]))})
    cells.columns = [str(number) for number in range(cells.width)]
    return cells.with_columns(pl.Series("y", answers)).hash_rows().to_numpy()


def _wanted_like(frame: pl.DataFrame) -> Wanted:
    """Pictures as those of a frame, which may hold none."""
    picture = picture_column(frame)
    if picture is None:
        return ANY
    height, width, channels = pixels_of(frame[picture]).shape[1:]
    return Wanted(size=(height, width), channels=channels)


def _renamed(table: Any, columns: Sequence[str]) -> Any:
    """A frame with the names of ``fit``; scikit-learn's checks have compared them where both have names."""
    return table.rename(dict(zip(table.columns, columns, strict=True))) if isinstance(table, pl.DataFrame) else table


_WIDTH, _HEIGHT, _MARGIN = 360, 170, 36
_COLOURS = {"train_loss": "#7a7a7a", "dev_loss": "#0b6fb8"}


def _curves(history: dict[str, Any]) -> str:
    """The loss of every final network over the epochs, as inline SVG; it holds numbers only, no word of the user's data."""
    epochs = np.asarray(history["epoch"], float)
    losses = {name: np.asarray(history[name], float) for name in _COLOURS}
    everything = np.concatenate([loss.ravel() for loss in losses.values()])
    if not np.isfinite(everything).any():
        return ""
    low, high = np.nanmin(everything), np.nanmax(everything)
    across = _MARGIN + (epochs / epochs[-1]) * (_WIDTH - 2 * _MARGIN)
    lines = []
    for name, loss in losses.items():
        down = _HEIGHT - _MARGIN - (loss - low) / (high - low or 1.0) * (_HEIGHT - 2 * _MARGIN)
        for curve in down:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, curve, strict=True) if math.isfinite(y))
            lines.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[name]}" stroke-opacity="0.6"/>')
    key = "".join(
        f'<text x="{_MARGIN + 110 * number}" y="18" fill="{colour}">{name.replace("_", " ")}</text>'
        for number, (name, colour) in enumerate(_COLOURS.items())
    )
    ticks = (
        f'<text x="2" y="{_MARGIN + 4}">{high:.2g}</text><text x="2" y="{_HEIGHT - _MARGIN}">{low:.2g}</text>'
        f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 12}" text-anchor="end">epoch {epochs[-1]:.3g}</text>'
    )
    return (
        f'<svg role="img" aria-label="loss curves" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12" '
        f'fill="currentColor">{key}{ticks}{"".join(lines)}</svg>'
    )
