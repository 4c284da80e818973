"""Recipes trained side by side: every variant on the same split, from the same first weights, through the same mini-batches."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl

from shoal import data, devices, training
from shoal.data import Dataset, read_table
from shoal.losses import loss_for, target_scaling
from shoal.nets.network import Layout, network_inputs
from shoal.population import Members, Shoal, Tables, Trace, predict, segment_steps, take
from shoal.recipe import Numbers, Recipe, techniques_of
from shoal.training import Batch

SEEDS = 8
"""Each has its own split, first weights and mini-batches, so that intervals cover all three."""

FILES = {
    "spambase": ("spambase.csv.gz", "class", None),
    "letter": ("letter.csv.gz", "class", 4000),
    "california_housing": ("california_housing.csv.gz", "median_house_value", 6000),
    "magic_telescope": ("magic_telescope.csv.gz", "Class", 4000),
}
"""Tables that are files: the file's name, the target, and how many of the rows are taken (all of them if not said)."""


@dataclass(frozen=True)
class Shelf:
    """Where tables come from: those that a package brings along, and a folder with the others."""

    folder: Path | None = None

    def has(self, name: str) -> bool:
        """Whether the table is there."""
        return name.startswith("example:") or (self.folder is not None and (self.folder / FILES[name][0]).is_file())

    def dataset(self, name: str, seed: int) -> Dataset:
        """The table, split with a seed."""
        if name.startswith("example:"):
            return _loaded(name, None, seed)
        return _loaded(name, self.folder, seed)


@functools.cache
def _loaded(name: str, folder: Path | None, seed: int) -> Dataset:
    if folder is None:
        return data.load(name, seed=seed)
    return data.load(_frame(name, folder), target=FILES[name][1], seed=seed)


@functools.cache
def _frame(name: str, folder: Path) -> pl.DataFrame:
    file, _, rows = FILES[name]
    frame = read_table(folder / file)
    return frame if rows is None else frame.sample(rows, seed=0)


@dataclass(frozen=True, eq=False)
class Network:
    """One trained network, as it is after its last step, with what was measured on the way."""

    recipe: Recipe
    seed: int
    dataset: Dataset
    layout: Layout
    tables: Tables
    members: Members
    """This network alone, at its last step."""
    best: Members
    """The same network at its best evaluation."""
    best_step: int
    diverged: bool
    segment: int
    """Steps between two evaluations."""
    trace: Trace
    """Each ``[segments]``."""
    train_loss: float
    dev_loss: float
    dev_error: float

    @property
    def parameters(self) -> tuple[dict[str, Any], ...]:
        """Of each layer, of the network's own units and inputs only."""
        sizes = (self.tables.columns, *self.recipe.hidden_units, self.layout.outputs)
        layers = []
        for layer, arrays in enumerate(self.members.parameters):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            layers.append({name: array[0, :n_in, :n_out] if name == "w" else array[0, :n_out] for name, array in arrays.items()})
        return tuple(layers)

    def outputs(self, part: Any, *, best: bool = False) -> np.ndarray:
        """Predictions for a part: probabilities ``[rows, classes]``, or scaled values ``[rows]``."""
        return predict(self.layout, self.best if best else self.members, self.tables.encoding, self.dataset.inputs[part])[0]

    def steps_until(self, dev_loss: float) -> float:
        """Steps until the dev loss was this low; infinite if it never was."""
        reached = np.flatnonzero(self.trace.dev_loss <= dev_loss)
        return float((reached[0] + 1) * self.segment) if len(reached) else math.inf


Trained = dict[str, list[Network]]
"""The networks of each variant, one per seed."""


def train(shelf: Shelf, table: str, recipes: Mapping[str, Recipe], seeds: int | Sequence[int] = SEEDS, every: int | None = None) -> Trained:
    """Train each recipe once per seed; all recipes of a shape are one shoal, and shapes share a program where they can.

    Args:
        shelf: where the table is.
        table: its name.
        recipes: by the name of the variant.
        seeds: how many, from 0; or which.
        every: steps between two evaluations; about an epoch by default.
    """
    groups: dict[Any, list[str]] = {}
    for name, recipe in recipes.items():
        groups.setdefault(recipe.shape, []).append(name)
    count = len(devices.start())
    slots = -(-max(map(len, groups.values())) // count) * count
    width = max((max(recipe.hidden_units, default=1) for recipe in recipes.values()), default=1)
    techniques = techniques_of(recipes.values())
    trained: Trained = {name: [] for name in recipes}
    for names in groups.values():
        group = [recipes[name] for name in names]
        for seed in range(seeds) if isinstance(seeds, int) else seeds:
            networks = _train_shoal(shelf.dataset(table, seed), group, slots, width, techniques, seed, every)
            for name, network in zip(names, networks, strict=True):
                trained[name].append(network)
    return trained


def at_start(shelf: Shelf, table: str, recipes: Mapping[str, Recipe], seed: int = 0) -> dict[str, Network]:
    """The networks of recipes of one shape before their first step; nothing is trained."""
    dataset, group, count = shelf.dataset(table, seed), list(recipes.values()), len(devices.start())
    width = max(max(recipe.hidden_units) for recipe in group)
    shoal, dataset = _shoal(dataset, group, -(-len(group) // count) * count, width, techniques_of(group), seed)
    numbers = shoal.numbers(group, [seed] * len(group))
    return dict(zip(recipes, _measured(shoal, dataset, group, seed, numbers, shoal.start(numbers), None, 1), strict=True))


def stages(shelf: Shelf, table: str, recipe: Recipe, seed: int, every: int) -> list[Network]:
    """One recipe's network before the first step and after each ``every`` steps of its training."""
    dataset = shelf.dataset(table, seed)
    count = len(devices.start())
    shoal, dataset = _shoal(dataset, [recipe], count, max(recipe.hidden_units), recipe.techniques, seed)
    numbers = shoal.numbers([recipe], [seed])
    state = shoal.start(numbers)
    found = [_measured(shoal, dataset, [recipe], seed, numbers, state, None, every)[0]]
    for first in range(0, int(recipe.epochs * shoal.steps_per_epoch), every):
        state, trace = shoal.advance(state, numbers, first, every, 1)
        found += _measured(shoal, dataset, [recipe], seed, numbers, state, trace, every)
    return found


def _train_shoal(
    dataset: Dataset, recipes: Sequence[Recipe], slots: int, width: int, techniques: Sequence[str], seed: int, every: int | None
) -> list[Network]:
    shoal, dataset = _shoal(dataset, recipes, slots, width, techniques, seed)
    numbers = shoal.numbers(recipes, [seed] * len(recipes))
    segment = every or segment_steps(shoal.steps_per_epoch)
    segments = math.ceil(max(recipe.epochs for recipe in recipes) * shoal.steps_per_epoch / segment)
    state, trace = shoal.advance(shoal.start(numbers), numbers, 0, segment, segments)
    return _measured(shoal, dataset, recipes, seed, numbers, state, trace, segment)


def _shoal(
    dataset: Dataset, recipes: Sequence[Recipe], slots: int, width: int, techniques: Sequence[str], seed: int
) -> tuple[Shoal, Dataset]:
    """A shoal for recipes of one shape, and the data set as they see it."""
    shape = recipes[0].shape
    dataset, tables = _on_devices(dataset, shape.input_normalisation, target_scaling(shape.loss))
    loss, outputs = loss_for(dataset.task, len(dataset.classes), shape.loss)
    # A program does not depend on how its inputs were normalised, nor on how its loss was asked for.
    layout = tables.layout(replace(shape, input_normalisation="smooth", loss="auto"), width, outputs, loss, techniques)
    return Shoal(layout, slots, tables, seed), dataset


def _measured(
    shoal: Shoal, dataset: Dataset, recipes: Sequence[Recipe], seed: int, numbers: Numbers, state: Any, trace: Trace | None, segment: int
) -> list[Network]:
    """The networks of a shoal as they are now."""
    train_loss, dev_loss, dev_error, (parameters, statistics) = _evaluated(shoal.layout, state, numbers, shoal.tables)
    state = take(state, range(len(recipes)))
    trace = trace or Trace(*(np.empty((0, len(recipes))) for _ in Trace._fields))

    def member(of: Any, slot: int) -> Members:
        alone = jax.tree.map(lambda leaf: np.asarray(leaf)[slot : slot + 1], of)
        parameters, statistics = alone
        return Members(parameters, statistics, np.asarray(recipes[slot].hidden_units, np.int32)[None])

    return [
        Network(
            recipe=recipe,
            seed=seed,
            dataset=dataset,
            layout=shoal.layout,
            tables=shoal.tables,
            members=member((parameters, statistics), slot),
            best=member((state.best.parameters, state.best.statistics), slot),
            best_step=int(state.best.age[slot]),
            diverged=bool(state.diverged[slot]),
            segment=segment,
            trace=Trace(*(series[:, slot] for series in trace)),
            train_loss=float(train_loss[slot]),
            dev_loss=float(dev_loss[slot]),
            dev_error=float(dev_error[slot]),
        )
        for slot, recipe in enumerate(recipes)
    ]


_TABLES: dict[Any, tuple[Dataset, Tables]] = {}


def _on_devices(dataset: Dataset, normalisation: Any, scaling: Any) -> tuple[Dataset, Tables]:
    """The data set prepared in one way, and its rows; kept for the other topics that want them."""
    key = (id(dataset), normalisation, scaling)
    if key not in _TABLES:
        prepared = dataset.prepared(normalisation, scaling)
        parts = (Batch(prepared.inputs[part], prepared.targets[part], prepared.weights[part]) for part in ("train", "dev"))
        _TABLES[key] = prepared, Tables.load(*parts)
    return _TABLES[key]


def _evaluated(layout: Layout, state: training.State, numbers: Numbers, tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """Mean loss over the training rows (no dropout, no noise), loss and error over the dev rows, and what was evaluated."""
    sums = _evaluation(layout)
    train_loss, _ = sums(state, numbers, tables.train, tables.encoding)
    dev_loss, dev_error = sums(state, numbers, tables.dev, tables.encoding)
    in_use = jax.vmap(training.as_evaluated)(state, numbers)
    dev_weight = np.asarray(tables.dev.weight).sum()
    of_train, *of_dev = (np.asarray(each) for each in (train_loss, dev_loss, dev_error))
    return of_train / np.asarray(tables.train.weight).sum(), of_dev[0] / dev_weight, of_dev[1] / dev_weight, in_use


@functools.cache
def _evaluation(layout: Layout) -> Any:
    def sums(state: training.State, numbers: Numbers, rows: Batch, encoding: Any) -> Any:
        batch = rows._replace(x=network_inputs(layout, rows.x, encoding))
        return jax.vmap(functools.partial(training.evaluate, layout), (0, 0, None))(state, numbers, batch)

    return jax.jit(sums)
