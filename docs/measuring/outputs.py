"""Section 7: softmax with and without hidden layers, calibrated probabilities, classes of unequal size, and losses for quantities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from measuring.comparison import Column, about, columns, comparison, difference, is_clear, percent, significant, table, variants
from measuring.networks import Network, Shelf, train
from measuring.topics import topic
from shoal.calibration import fit_temperature, scaled
from shoal.recipe import Recipe

BASE = Recipe(activation="relu", learning_rate=3e-3, epochs=40)
BINS = 10


@topic("softmax-depth", "example:digits", "letter")
def _softmax(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("example:digits", "letter"):
        base = replace(BASE, hidden_units=(), batch_size=64)
        recipes: Any = {f"`hidden_units = {list(units)}`": replace(base, hidden_units=units) for units in ((), (64,), (64, 64))}
        blocks += [about(shelf, name, base, seeds=seeds), comparison(train(shelf, name, recipes, seeds), columns("share"))]
    return "\n\n".join(blocks)


@topic("two-classes", "example:breast-cancer")
def _two_classes(shelf: Shelf, seeds: int) -> str:
    base = Recipe(
        hidden_units=(), loss="sigmoid", optimiser="gradient_descent", initialisation="zeros", learning_rate=0.1, decay="constant", epochs=40
    )
    changes = ({"loss": "softmax"}, {"loss": "softmax", "learning_rate": 0.05})
    trained = train(shelf, "example:breast-cancer", variants(base, *changes), seeds)
    return "\n\n".join([about(shelf, "example:breast-cancer", base, seeds=seeds), comparison(trained, columns("share"))])


def log_loss(probability: np.ndarray, truth: np.ndarray) -> float:
    """``-log`` of the probability of the right class, on average."""
    return float(-np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-30)).mean())


def calibration_error(probability: np.ndarray, truth: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: how far the confidence in the predicted class is from the share of right answers.

    ``sum over bins of (rows in the bin / rows) |share right - mean confidence|``, in bins of equal width (Guo et al., 2017).

    Example:
        >>> sure = np.array([[0.9, 0.1]] * 10)
        >>> round(calibration_error(sure, np.array([0] * 7 + [1] * 3)), 2)  # 90 % sure, right in 7 of 10 rows
        0.2
    """
    confidence, right = probability.max(1), probability.argmax(1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    chosen = [place == number for number in range(bins)]
    return float(sum(abs(right[each].sum() - confidence[each].sum()) for each in chosen if each.any()) / len(truth))


@topic("calibration", "spambase", "letter", "example:digits")
def _calibration(shelf: Shelf, seeds: int) -> str:
    lines = []
    for name in ("example:digits", "spambase", "letter"):
        networks = train(shelf, name, {"base recipe": BASE}, seeds)["base recipe"]
        temperatures, before, after = zip(*map(_calibrated, networks), strict=True)
        before, after = np.array(before), np.array(after)
        cells = [significant(float(np.mean(temperatures)))]
        for at, write in ((0, significant), (1, percent)):
            change = f"{write(after[:, at].mean())} ({difference(after[:, at], before[:, at], write)})"
            cells += [write(before[:, at].mean()), f"**{change}**" if is_clear(after[:, at], before[:, at]) else change]
        lines.append([f"`{name}`" if ":" in name else name, *cells, percent(before[:, 2].mean())])
    headings = (
        "table", "temperature", "log loss before", "log loss after", "calibration error before", "calibration error after", "error, before and after",
    )  # fmt: skip
    note = "Each network's last weights; the temperature fitted on the dev rows, everything else on the test rows; 10 bins of equal width."
    return "\n\n".join([about(shelf, "letter", BASE, note, seeds=seeds), table(headings, lines)])


def _calibrated(network: Network) -> tuple[float, tuple[float, float, float], tuple[float, float, float]]:
    """The temperature, and log loss, calibration error and error on the test rows before and after."""
    data = network.dataset
    temperature = fit_temperature(network.outputs("dev").astype(float), data.truth["dev"], np.ones(len(data.truth["dev"])))
    plain, truth = network.outputs("test").astype(float), data.truth["test"]
    hot = scaled(plain, temperature)
    of_plain, of_hot = (
        (log_loss(each, truth), calibration_error(each, truth), float((each.argmax(1) != truth).mean())) for each in (plain, hot)
    )
    return temperature, of_plain, of_hot


def balanced_error(network: Network) -> float:
    """The mean over the classes of the share that is predicted wrongly."""
    truth, predicted = network.dataset.truth["dev"], network.outputs("dev").argmax(1)
    return float(np.mean([(predicted[truth == label] != label).mean() for label in np.unique(truth)]))


@topic("class-balance", "magic_telescope")
def _class_balance(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, epochs=20)
    recipes = {f"`class_balance = {value}`": replace(base, class_balance=value) for value in (0.0, 0.5, 1.0)}
    shown = columns("share", Column("mean error of the classes", balanced_error, percent))
    counts = np.bincount(shelf.dataset("magic_telescope", 0).truth["train"])
    note = f"The classes have {counts[0]:,} and {counts[1]:,} training rows."
    return "\n\n".join([about(shelf, "magic_telescope", base, note, seeds=seeds), comparison(train(shelf, "magic_telescope", recipes, seeds), shown)])


def answers(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction of the dev rows in the target's own unit."""
    target = network.dataset.preparation
    return network.dataset.truth["dev"], network.outputs("dev") * target.target_sd + target.target_mean


def root_mean_square(network: Network) -> float:
    """Of the errors on the dev rows."""
    truth, answer = answers(network)
    return float(np.sqrt(np.square(truth - answer).mean()))


def mean_absolute(network: Network) -> float:
    """Mean size of the errors on the dev rows."""
    truth, answer = answers(network)
    return float(np.abs(truth - answer).mean())


@topic("losses-of-quantities", "california_housing")
def _quantities(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, loss="squared_error", epochs=30)
    changes = ({"loss": "huber"}, {"loss": "huber", "huber_delta": 0.3}, {"loss": "quantile"}, {"loss": "poisson"})
    recipes = {"`squared_error`": base} | {
        ", ".join([f"`{each['loss']}`", *(f"`{name} = {value}`" for name, value in each.items() if name != "loss")]): replace(base, **each)
        for each in changes
    }
    recipes |= {f"`quantile`, `quantile = {value}`": replace(base, loss="quantile", quantile=value) for value in (0.1, 0.9)}
    trained = train(shelf, "california_housing", recipes, seeds)
    shown = (
        Column("root mean square error, dollars", root_mean_square, significant),
        Column("mean absolute error, dollars", mean_absolute, significant),
        Column("truths below the prediction", lambda network: float(np.less(*answers(network)).mean()), percent, is_compared=False),
    )
    note = "Errors on the dev rows, in the target's own unit."
    return "\n\n".join([about(shelf, "california_housing", base, note, seeds=seeds), comparison(trained, shown)])
