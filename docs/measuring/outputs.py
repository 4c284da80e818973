"""Section 7: softmax regression, class balance, calibrated probabilities, and losses for quantities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measuring.comparison import Column, about, columns, comparison, percent, settings, significant, table, variants
from measuring.networks import Network, Shelf, train
from measuring.topics import topic
from sklearn.metrics import balanced_accuracy_score

from shoal.calibration import fit_temperature, scaled
from shoal.recipe import Recipe

BASE = Recipe(activation="relu", learning_rate=3e-3, epochs=30)


@topic("linear-boundaries", "example:digits", "letter")
def _linear(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("example:digits", "letter"):
        base = replace(BASE, hidden_units=(), learning_rate=0.03)
        trained = train(shelf, name, variants(base, {"hidden_units": (64,)}, {"hidden_units": (64, 64)}), seeds)
        blocks += [about(shelf, name, base, seeds=seeds), comparison(trained, columns("share"))]
    return "\n\n".join(blocks)


def balanced_error(network: Network) -> float:
    """1 minus the mean over the classes of the share of their dev rows that is found."""
    return 1 - float(balanced_accuracy_score(network.dataset.targets["dev"], network.outputs("dev").argmax(1)))


@topic("class-balance", "magic_telescope", "spambase")
def _class_balance(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("magic_telescope", "spambase"):
        trained = train(shelf, name, variants(BASE, {"class_balance": 0.5}, {"class_balance": 1.0}), seeds)
        shares = np.bincount(shelf.dataset(name, 0).targets["train"]) / len(shelf.dataset(name, 0).targets["train"])
        shown = columns("share", Column("balanced dev error", balanced_error, percent))
        note = f"The rarer class has {percent(float(shares.min()))} of the rows."
        blocks += [about(shelf, name, BASE, note, seeds=seeds), comparison(trained, shown)]
    return "\n\n".join(blocks)


def calibration_error(probability: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Mean distance between how sure the predictions are and how often they are right (expected calibration error; Guo et al., 2017)."""
    sure, right = probability.max(1), probability.argmax(1) == truth
    which = np.minimum((sure * bins).astype(int), bins - 1)
    return float(sum(abs(sure[which == each].sum() - right[which == each].sum()) for each in range(bins)) / len(truth))


@topic("calibration", "letter", "spambase")
def _calibration(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("letter", "spambase"):
        changes = ({"mixup": 0.4}, {"label_smoothing": 0.1})
        rows = []
        for variant, networks in train(shelf, name, variants(replace(BASE, decay="constant"), *changes), seeds).items():
            found = np.array([calibrated(network) for network in networks]).mean(0)
            rows.append([variant, *(significant(value) for value in found[:3]), *(percent(value) for value in found[3:])])
        headings = ("", "temperature", "test log loss before", "after", "calibration error before", "after")
        note = "Fitted on the dev rows, judged on the test rows."
        blocks += [about(shelf, name, replace(BASE, decay="constant"), note, seeds=seeds), table(headings, rows)]
    return "\n\n".join(blocks)


def calibrated(network: Network) -> tuple[float, float, float, float, float]:
    """The temperature; log loss and calibration error on the test rows before and after."""
    dev, test = (network.outputs(part).astype(np.float64) for part in ("dev", "test"))
    truth = network.dataset.targets["test"]
    temperature = fit_temperature(dev, network.dataset.targets["dev"], np.ones(len(dev)))
    after = scaled(test, temperature)

    def log_loss(probability: np.ndarray) -> float:
        return -float(np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-15)).mean())

    return temperature, log_loss(test), log_loss(after), calibration_error(test, truth), calibration_error(after, truth)


@topic("regression-losses", "california_housing")
def _regression(shelf: Shelf, seeds: int) -> str:
    recipes = {settings({"loss": name}): replace(BASE, loss=name) for name in ("squared_error", "huber", "poisson")}
    recipes |= {settings({"loss": "quantile", "quantile": q}): replace(BASE, loss="quantile", quantile=q) for q in (0.5, 0.9)}
    rows = []
    for variant, networks in train(shelf, "california_housing", recipes, seeds).items():
        rows.append([variant, *(form(float(np.mean([of(network) for network in networks]))) for of, form in MEASURES)])
    headings = ("", "root mean squared error", "mean absolute error", "dev rows below the prediction")
    return "\n\n".join([about(shelf, "california_housing", BASE, seeds=seeds), table(headings, rows)])


def in_own_unit(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and truth of the dev rows."""
    preparation = network.dataset.preparation
    return network.outputs("dev") * preparation.target_sd + preparation.target_mean, network.dataset.truth["dev"]


def _root_mean_square(network: Network) -> float:
    predicted, truth = in_own_unit(network)
    return float(np.sqrt(np.square(predicted - truth).mean()))


def _mean_absolute(network: Network) -> float:
    predicted, truth = in_own_unit(network)
    return float(np.abs(predicted - truth).mean())


def _below(network: Network) -> float:
    predicted, truth = in_own_unit(network)
    return float((truth < predicted).mean())


MEASURES = ((_root_mean_square, significant), (_mean_absolute, significant), (_below, percent))
