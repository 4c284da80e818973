"""Small tables of two columns, so that what a network does with them can be seen whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from measuring.networks import Network, Shelf, Trained, train
from sklearn.datasets import load_digits, make_moons
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from shoal import data
from shoal.data import Dataset
from shoal.population import predict
from shoal.recipe import Recipe


@dataclass(frozen=True)
class Rows(Shelf):
    """A table that is made, where a shelf is asked for."""

    make: Callable[[], tuple[np.ndarray, np.ndarray]] = lambda: (np.empty((0, 2)), np.empty(0))

    def has(self, name: str) -> bool:
        """It is."""
        return True

    def dataset(self, name: str, seed: int) -> Dataset:
        """The table, split with a seed."""
        return _dataset(self.make, seed)


@functools.cache
def _dataset(make: Callable[[], tuple[np.ndarray, np.ndarray]], seed: int) -> Dataset:
    x, y = make()
    return data.load(pl.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "class": [f"class {each}" for each in y]}), target="class", seed=seed)


def moons() -> tuple[np.ndarray, np.ndarray]:
    """Two half moons of 120 rows, so noisy that they overlap."""
    return make_moons(120, noise=0.3, random_state=1)


@functools.cache
def two_components(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The first so many digits, in the plane in which they differ most: two linear discriminants."""
    digits = load_digits(n_class=classes)
    return LinearDiscriminantAnalysis(n_components=2).fit_transform(digits.data, digits.target), digits.target


def trained_on(make: Callable[[], tuple[np.ndarray, np.ndarray]], recipes: Mapping[str, Recipe], every: int | None = None) -> Trained:
    """One network of each recipe, on a table of two columns."""
    return train(Rows(make=make), "", recipes, 1, every=every)


def plane(network: Network, count: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a network makes of the plane around its rows: both axes, in the network's own units, and probabilities ``[y, x, classes]``."""
    rows = np.concatenate([network.dataset.inputs["train"], network.dataset.inputs["dev"]])
    low, high = rows.min(0) - 0.2, rows.max(0) + 0.2
    x, y = (np.linspace(*ends, count) for ends in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    output = predict(network.layout, network.members, network.tables.encoding, points)[0]
    return x, y, output.reshape(count, count, -1)


def predicted(output: np.ndarray) -> np.ndarray:
    """Classes of probabilities ``[..., classes]``; of two classes there may be one output."""
    return (output[..., 0] > 0.5).astype(int) if output.shape[-1] == 1 else output.argmax(-1)


NEW = 4000
"""New rows of the half moons."""


def error_on_new(network: Network, moved: float = 0.0) -> float:
    """Share of wrong classes among new rows of the half moons, moved along the second axis; of a network that is given them as they are."""
    x, y = make_moons(NEW, noise=0.3, random_state=7)
    rows = (x + np.array([0, moved])).astype(np.float32)
    return float((predicted(predict(network.layout, network.members, network.tables.encoding, rows)[0]) != y).mean())


def error(network: Network, part: str) -> float:
    """Share of wrong classes on a part."""
    output = np.asarray(network.outputs(part))
    return float((predicted(output.reshape(len(output), -1)) != network.dataset.targets[part]).mean())
