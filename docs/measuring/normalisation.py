"""Section 6: batch and layer norm, the averages that serve at test time, and what moves between the layers in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from measuring.comparison import Column, about, at_rates, columns, comparison, significant, steps, table
from measuring.networks import Network, Shelf, stages, train
from measuring.topics import topic
from shoal.nets.layers import ACTIVATIONS, NORMALISATION_EPSILON
from shoal.population import predict
from shoal.recipe import Recipe

BASE = Recipe(activation="relu", epochs=20)
DEEP = (64,) * 6
RATES = (1e-3, 3e-3, 1e-2, 3e-2)


@topic("batch-norm", "letter")
def _batch_norm(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for units in ((64, 64), DEEP):
        base = replace(BASE, hidden_units=units)
        recipes = {f"`{kind}`": replace(base, normalisation=kind) for kind in ("none", "batch", "layer")}
        trained, working = at_rates(shelf, "letter", recipes, RATES, seeds=seeds)

        def rates_that_work(network: Network, working: dict[str, int] = working) -> float:
            return working[f"`{network.recipe.normalisation}`"]

        shown = columns(
            "share",
            Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False),
            Column("rates that work", rates_that_work, steps, is_compared=False),
            Column("steps to dev loss 0.8", lambda network: network.steps_until(0.8), steps, is_compared=False),
        )
        note = "Each at the best of the learning rates 0.001, 0.003, 0.01 and 0.03; one works if the dev loss comes within 10 % of the best's."
        blocks += [about(shelf, "letter", base, note, seeds=seeds), comparison(trained, shown)]
    return "\n\n".join(blocks)


@topic("running-averages", "letter")
def _running_averages(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, normalisation="batch", learning_rate=3e-3, epochs=3)
    recipes = {f"`{beta}`": replace(base, batch_norm_beta=beta) for beta in (0.98, 0.5, 0.9, 0.99, 0.999)}
    trained = train(shelf, "letter", recipes, seeds)
    shown = columns("share", Column("dev loss without the correction", uncorrected_dev_loss, significant, is_compared=False))
    note = "After 57 steps; the first column is `batch_norm_beta`."
    return "\n\n".join([about(shelf, "letter", base, note, seeds=seeds), comparison(trained, shown)])


def uncorrected_dev_loss(network: Network) -> float:
    """The dev loss if batch norm's running averages were read as they stand, with the bias of their start at 0."""
    steps_taken = len(network.trace.dev_loss) * network.segment
    share = 1 - network.recipe.batch_norm_beta**steps_taken
    statistics = tuple({name: values * share for name, values in layer.items()} for layer in network.members.statistics)
    members = network.members._replace(statistics=statistics)
    probability = predict(network.layout, members, network.tables.encoding, network.dataset.inputs["dev"])[0]
    target = network.dataset.targets["dev"]
    return float(-np.log(np.maximum(probability[np.arange(len(target)), target], 1e-30)).mean())


def sums(network: Network, rows: int = 512) -> list[np.ndarray]:
    """What the activation of each hidden layer is given ``[rows, units]``, normalised over these training rows under batch norm."""
    a, found = network.dataset.inputs["train"][:rows], []
    for layer in network.parameters[:-1]:
        z = a @ layer["w"] + layer.get("b", 0.0)
        if network.recipe.normalisation == "batch":
            z = layer["gamma"] * (z - z.mean(0)) / np.sqrt(z.var(0) + NORMALISATION_EPSILON) + layer["beta"]
        found.append(z)
        a = np.asarray(ACTIVATIONS[network.recipe.activation](z))
    return found


def shift_per_stage(networks: list[Network], layer: int) -> float:
    """How far the units' means move from one stage to the next, in standard deviations of the unit, on average."""
    distributions = [sums(network)[layer] for network in networks]
    pairs = zip(distributions[:-1], distributions[1:], strict=True)
    return float(np.mean([np.abs(after.mean(0) - before.mean(0)) / (before.std(0) + 1e-6) for before, after in pairs]))


@topic("hidden-shift", "letter")
def _hidden_shift(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, hidden_units=DEEP, learning_rate=3e-3, decay="constant", epochs=5)
    lines = []
    for kind in ("none", "batch"):
        recipe: Any = replace(base, normalisation=kind)
        found = [stages(shelf, "letter", recipe, seed, every=19) for seed in range(seeds)]
        lines.append([f"`{kind}`", *(significant(float(np.mean([shift_per_stage(each, layer) for each in found]))) for layer in (0, 2, 5))])
    note = "How far the mean of a unit's Z moves in an epoch, in standard deviations of that unit: mean over units and the first 5 epochs."
    headings = ("normalisation", "layer 1", "layer 3", "layer 6")
    return "\n\n".join([about(shelf, "letter", base, note, seeds=seeds), table(headings, lines)])


@topic("batch-norm-noise", "spambase")
def _batch_norm_noise(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for kind in ("batch", "none"):
        base: Any = replace(BASE, normalisation=kind, learning_rate=3e-3, epochs=30)
        recipes = {f"`batch_size = {size}`": replace(base, batch_size=size) for size in (512, 16, 64)}
        trained = train(shelf, "spambase", recipes, seeds)
        gap = Column("dev loss − train loss", lambda network: network.dev_loss - network.train_loss, significant)
        blocks += [about(shelf, "spambase", replace(base, batch_size=512), seeds=seeds), comparison(trained, columns("share", gap))]
    return "\n\n".join(blocks)
