"""Reference models, trained on the same rows: what a network has to beat to be worth having.

*Trivial* always answers with the class frequencies or the mean. *Linear* is scikit-learn's logistic or ridge regression,
*gradient boosting* its histogram gradient boosting, with default settings unless ``detail`` says otherwise. They take part
in the diagnosis as well: an error that any of them reaches on the same rows is one that can be reached.

Of pictures the last two see smaller ones, or they would take minutes: so few numbers that they learn from as many rows as of a table.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from shoal.decision import fit_decision, weighed
from shoal.measurements.decision import Decision
from shoal.metrics import Metric, interval
from shoal.records import Baseline, Part, Task

DEFAULT_SECONDS = 10.0
"""What the references may cost together, about, on two cores."""

# Measured on two cores: a tree costs its rows x inputs, and a fixed part for itself and for the histograms of its 31 leaves.
TREE_CELLS_A_SECOND = 2.5e8
TREE_FIXED_SECONDS = 1.4e-3
TREE_FIXED_SECONDS_AN_INPUT = 31 * 1.5e-6
DEFAULT_BINS, FEWER_BINS = 255, 63
DEFAULT_ROUNDS, DEFAULT_RATE = 100, 0.1
FEWEST_ROUNDS, HIGHEST_RATE = 20, 0.3
"""Fewer rounds learn in larger steps: on letter (26 classes) 30 rounds at 0.25 err by 7.6 %, at 0.1 by 8.2 %, and 72 at 0.1 by 6.9 %."""
LINEAR_CELLS_A_SECOND = 4e7
"""Rows x inputs x classes of a logistic regression of 100 iterations."""
FEWEST_ROWS = 1000
MOST_LINEAR_INPUTS, MOST_BOOSTING_INPUTS = 800, 200
"""Numbers of a picture after shrinking: 28 x 28 in grey and 16 x 16 in colour for the one, half as high and wide for the other."""
BOOSTING_SHARE_OF_PICTURES = 0.35
"""Of the time. Trees of ten classes on 200 inputs took twice as long as the formula says, on MNIST and on CIFAR-10."""
_PIXELS = 16_000_000  # of one block, in bytes as float32
SINGLE_THREAD_CELLS = 2e6
"""Below this many rows x inputs boosting's threads wait for each other more than they work; on a busy machine, ten times more."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference model's answers, and how it came by them."""

    name: str
    detail: str
    predictions: dict[Part, NDArray]
    """Probabilities ``[rows, n_classes]`` or values ``[rows]`` of each part asked for."""
    seconds: float
    decision: Decision | None = None
    """How classes follow from the probabilities, where it is not the most probable one that is said."""

    def decided(self, part: Part) -> NDArray:
        """The answers for a part by which classes are decided: the largest number is that of the class that is said."""
        return weighed(self.predictions[part], self.decision)


def fit_references(
    inputs: NDArray,
    truth: NDArray,
    weight: NDArray | None = None,
    *,
    task: Task,
    n_classes: int = 0,
    evaluate: Mapping[Part, NDArray],
    seed: int = 0,
    seconds: float | None = None,
    listener: Callable[[str], None] | None = None,
    picture: tuple[int, int, int] | None = None,
) -> tuple[Reference, ...]:
    """The trivial, linear and gradient boosting references, trained and asked.

    On large data a model is trained on fewer rows, drawn with the seed, so that all three together take about
    ``seconds``; how many follows from the data's shape alone, never from a clock, and ``detail`` says it.

    Args:
        inputs: normalised training inputs ``[rows, inputs]``.
        truth: class index ``[rows]``, 0 or 1 ``[rows, labels]``, or value ``[rows]``.
        weight: importance of each training row ``[rows]``.
        task: ``"classification"``, ``"multi_label"`` (one model per label) or ``"regression"``.
        n_classes: columns of the probabilities, classes absent from the training rows included.
        evaluate: inputs ``[rows, inputs]`` of each part to predict; parts that are left out cost nothing.
        seed: draws the rows and the models' random choices.
        seconds: wanted cost on two cores, 10 by default.
        listener: called with each model's name before it is trained.
        picture: height, width and channels, where the inputs are bytes of pictures in this order.

    Returns:
        The three references, trivial first.

    Example:
        >>> x = np.linspace(-1, 1, 40)[:, None]
        >>> trivial, linear, boosting = fit_references(x, 2 * x[:, 0] + 1, task="regression", evaluate={"dev": x[:2]})
        >>> trivial.predictions["dev"].round(3), linear.name
        (array([1., 1.]), 'linear')
    """
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    weight = np.ones(len(truth)) if weight is None else np.asarray(weight, dtype=np.float64)
    order = np.random.default_rng(seed).permutation(len(truth))
    classification = task != "regression"
    trees = n_classes if n_classes > 2 or task == "multi_label" else 1
    of_linear, of_boosting = (Shrunk.to(picture, most) for most in (MOST_LINEAR_INPUTS, MOST_BOOSTING_INPUTS))
    columns = inputs.shape[1]
    boosting_seconds = (BOOSTING_SHARE_OF_PICTURES if of_boosting else 0.7) * seconds
    rounds, bins, boosting_rows = _boosting_size(of_boosting.inputs if of_boosting else columns, trees, boosting_seconds)
    linear_rows = _most_rows(0.3 * seconds * LINEAR_CELLS_A_SECOND / ((of_linear.inputs if of_linear else columns) * trees))
    rate = min(DEFAULT_RATE * DEFAULT_ROUNDS / rounds, HIGHEST_RATE)
    boosting_settings: dict[str, Any] = {"max_iter": rounds, "max_bins": bins, "learning_rate": rate, "random_state": seed}
    if trees > 1:
        # Unregularised leaves of a class of few rows explode: 69 % errors on the KDD 99 table, 0.2 % with this.
        boosting_settings["l2_regularization"] = 1.0
    fewer_rounds = "" if bins == DEFAULT_BINS else f", {rounds} rounds at a learning rate of {rate:.2g}, {bins} bins"

    plans: tuple[tuple[str, str, int, Callable[[], Any] | None], ...] = (
        ("trivial", "always the class frequencies" if classification else "always the mean", len(truth), None),
        (
            "linear",
            ("logistic regression" if classification else "ridge regression") + _said(of_linear),
            linear_rows,
            lambda: _seeing(of_linear, (LogisticRegression if classification else Ridge)()),
        ),
        (
            "gradient boosting",
            f"scikit-learn's histogram gradient boosting{', l2 1' * (trees > 1)}{fewer_rounds}{_said(of_boosting)}",
            boosting_rows,
            lambda: _seeing(
                of_boosting, (HistGradientBoostingClassifier if classification else HistGradientBoostingRegressor)(**boosting_settings)
            ),
        ),
    )
    references = []
    for name, model, rows, make in plans:
        if listener is not None:
            listener(name)
        started = time.perf_counter()
        chosen = np.sort(order[:rows])
        predict = _trained(make, inputs, truth, weight, chosen, n_classes if classification else None)
        predictions: dict[Part, NDArray] = {part: predict(rows_of_part) for part, rows_of_part in evaluate.items()}
        detail = f"{model}, trained on {len(chosen):,} of the {len(truth):,} rows" if len(chosen) < len(truth) else model
        references.append(Reference(name, detail, predictions, time.perf_counter() - started))
    return tuple(references)


def decided(
    references: Iterable[Reference], metric: Metric, truth: NDArray, weight: NDArray | None, shares: Iterable[float], *, seed: int = 0
) -> tuple[Reference, ...]:
    """The references, each with the decision between classes that suits the metric on the dev rows, as a network's model has one.

    Args:
        references: from ``fit_references``, asked about dev.
        metric: what counts; for most no decision is made.
        truth: class index of the dev rows ``[rows]``, and ``weight`` is theirs.
        weight: importance of each row ``[rows]``.
        shares: of the classes in the training rows.
        seed: of the draws behind a decision.

    Example:
        >>> from shoal.metrics import METRICS
        >>> one = Reference("trivial", "always the class frequencies", {"dev": np.tile([0.9, 0.1], (10, 1))}, 0.1)
        >>> decided([one], METRICS["log_loss"], np.zeros(10, int), None, (0.9, 0.1))[0].decision is None
        True
    """
    shares = tuple(shares)
    return tuple(
        replace(each, decision=fit_decision(metric, each.predictions["dev"], truth, weight, shares, seed=seed)) for each in references
    )


def baselines(
    references: Iterable[Reference],
    truth: Mapping[Part, NDArray],
    metric: Metric,
    weight: Mapping[Part, NDArray | None] | None = None,
    *,
    seed: int = 0,
) -> tuple[Baseline, ...]:
    """The references' scores with their intervals over examples, on dev and, where there is one, on test.

    Args:
        references: from ``fit_references``, asked about dev and the other parts of ``truth``.
        truth: of dev, and of test where it has been opened.
        metric: the run's metric.
        weight: of the same parts.
        seed: of the intervals.

    Example:
        >>> from shoal.metrics import METRICS
        >>> one = Reference("trivial", "always the mean", {"dev": np.zeros(3)}, 0.1)
        >>> baselines([one], {"dev": np.ones(3)}, METRICS["mae"])[0].dev
        Interval(value=1.0, low=1.0, high=1.0)
    """
    weight = {} if weight is None else weight

    def scored(reference: Reference, part: Part):
        if part not in truth or part not in reference.predictions:
            return None
        return interval(metric, truth[part], reference.decided(part)[None], weight.get(part), seed=seed)

    rows = []
    for reference in references:
        dev = scored(reference, "dev")
        if dev is None:
            raise ValueError("a reference is compared on dev; give truth and predictions of that part")
        rows.append(Baseline(reference.name, reference.detail, dev, scored(reference, "test"), reference.seconds))
    return tuple(rows)


def _most_rows(rows: float) -> int:
    # Two digits: a false precision in a sentence for people.
    rows = max(rows, FEWEST_ROWS)
    digit = 10 ** (len(str(int(rows))) - 2)
    return int(rows // digit * digit)


def _boosting_size(inputs: int, trees: int, seconds: float) -> tuple[int, int, int]:
    """Rounds, bins and rows whose trees, ``trees`` a round, cost about ``seconds``: the defaults, unless many trees are dear."""
    rounds, bins = DEFAULT_ROUNDS, DEFAULT_BINS
    if rounds * _fixed_seconds(trees, inputs, bins) > seconds / 2:
        bins = FEWER_BINS
        rounds = int(np.clip(seconds / 2 / _fixed_seconds(trees, inputs, bins), FEWEST_ROUNDS, DEFAULT_ROUNDS))
    fixed = _fixed_seconds(trees, inputs, bins)
    cells = (seconds / rounds - fixed) * TREE_CELLS_A_SECOND / trees
    return rounds, bins, _most_rows(cells / inputs)


def _fixed_seconds(trees: int, inputs: int, bins: int) -> float:
    """What the trees of a round cost before they have seen a row."""
    return trees * (TREE_FIXED_SECONDS + inputs * TREE_FIXED_SECONDS_AN_INPUT * bins / DEFAULT_BINS)


def _trained(make: Callable[[], Any] | None, inputs: NDArray, truth: NDArray, weight: NDArray, chosen: NDArray, n_classes: int | None):
    """The function from inputs to predictions of a model trained on the chosen rows."""
    if truth.ndim == 2:
        of_label = [_trained(make, inputs, label, weight, chosen, 2) for label in truth.T]
        return lambda rows: np.stack([predict(rows)[:, 1] for predict in of_label], axis=1)
    if n_classes is None:
        if make is None:
            mean = np.average(truth[chosen], weights=weight[chosen])
            return lambda rows: np.full(len(rows), mean)
        return _fitted(make(), inputs, truth, weight, chosen).predict

    frequencies = np.bincount(truth[chosen], weight[chosen], minlength=n_classes) / weight[chosen].sum()
    # Boosting holds rows out to know when to stop, class by class, and fails on a class of one row.
    count = np.bincount(truth[chosen], minlength=n_classes)
    kept = chosen[count[truth[chosen]] > 1]
    if make is None or len(np.unique(truth[kept])) < 2:
        return lambda rows: np.tile(frequencies, (len(rows), 1))
    model = _fitted(make(), inputs, truth, weight, kept)

    def probabilities(rows: NDArray) -> NDArray:
        answer = np.zeros((len(rows), n_classes))
        answer[:, model.classes_] = model.predict_proba(rows)
        return answer

    return probabilities


def _fitted(model: Any, inputs: NDArray, truth: NDArray, weight: NDArray, rows: NDArray) -> Any:
    # Of shrunken pictures little is left to share between threads.
    threads = 1 if len(rows) * inputs.shape[1] <= SINGLE_THREAD_CELLS or isinstance(model, _OfShrunk) else None
    seen = model.shrunk(inputs, rows) if isinstance(model, _OfShrunk) else inputs[rows]
    with warnings.catch_warnings(), threadpool_limits(limits=threads):
        # A reference that has not quite converged is still a reference.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        return model.fit(seen, truth[rows], sample_weight=weight[rows])


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Pictures made smaller by averaging areas.

    Args:
        shape: height, width and channels.
        size: height and width afterwards.
    """

    shape: tuple[int, int, int]
    size: tuple[int, int]

    @classmethod
    def to(cls, shape: tuple[int, int, int] | None, most: int) -> Shrunk | None:
        """The largest size in these proportions with at most so many numbers; ``None`` of a table.

        Example:
            >>> Shrunk.to((28, 28, 1), 800).size, Shrunk.to((32, 32, 3), 200).size
            ((28, 28), (8, 8))
        """
        if shape is None:
            return None
        height, width, channels = shape
        scale = min(1.0, (most / (height * width * channels)) ** 0.5)
        return cls(shape, (max(1, int(height * scale)), max(1, int(width * scale))))

    @property
    def inputs(self) -> int:
        """Numbers of a picture."""
        return self.size[0] * self.size[1] * self.shape[2]

    def __call__(self, pixels: NDArray, rows: NDArray | None = None) -> NDArray[np.float32]:
        """From bytes ``[rows, height * width * channels]`` to float32 ``[rows, inputs]`` around 0, of about the size of 1.

        Args:
            pixels: of the pictures.
            rows: which of them; all by default.
        """
        height, width, channels = self.shape
        down, across = (_areas(*each) for each in zip(self.shape[:2], self.size, strict=True))
        found = np.empty((len(pixels) if rows is None else len(rows), self.inputs), np.float32)
        step = max(1, _PIXELS // (4 * height * width * channels))
        for start in range(0, len(found), step):
            block = pixels[slice(start, start + step) if rows is None else rows[start : start + step]]
            block = block.reshape(-1, height, width, channels).astype(np.float32)
            smaller = np.einsum("ab,nbcd,ec->naed", down, block, across, optimize=True)
            found[start : start + step] = smaller.reshape(len(block), -1) / 64 - 2
        return found


def _areas(length: int, parts: int) -> NDArray[np.float32]:
    """``[parts, pixels]``: means over equal lengths of a line of pixels."""
    edges, pixels = np.arange(parts + 1) * length / parts, np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.clip(overlap, 0, None) * parts / length).astype(np.float32)


@dataclass
class _OfShrunk:
    """A model that is shown smaller pictures."""

    shrunk: Shrunk
    model: Any

    def fit(self, smaller: NDArray, truth: NDArray, sample_weight: NDArray) -> _OfShrunk:
        self.model.fit(smaller, truth, sample_weight=sample_weight)
        return self

    @property
    def classes_(self) -> NDArray:
        return self.model.classes_

    def predict(self, pixels: NDArray) -> NDArray:
        return self.model.predict(self.shrunk(pixels))

    def predict_proba(self, pixels: NDArray) -> NDArray:
        return self.model.predict_proba(self.shrunk(pixels))


def _seeing(shrunk: Shrunk | None, model: Any) -> Any:
    return model if shrunk is None else _OfShrunk(shrunk, model)


def _said(shrunk: Shrunk | None) -> str:
    return "" if shrunk is None or shrunk.size == shrunk.shape[:2] else f" on pictures of {shrunk.size[0]} x {shrunk.size[1]}"
