"""Section 6: batch norm and layer norm, the running averages at test time, and what they keep from moving."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from measuring.comparison import Column, about, at_rates, columns, comparison, percent, settings, significant, table
from measuring.networks import Network, Shelf, train
from measuring.topics import topic

from shoal.nets import layers
from shoal.recipe import Recipe

BASE = Recipe(hidden_units=(64,) * 4, activation="relu", optimiser="momentum", decay="constant", epochs=15, batch_size=64)
RATES = (0.03, 0.1, 0.3, 1.0)
NORMS = ("none", "batch", "layer")
RATE = Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False)


@topic("batch-norm", "example:digits", "letter")
def _batch_norm(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in ("example:digits", "letter"):
        recipes = {settings({"normalisation": norm}): replace(BASE, normalisation=norm) for norm in NORMS}
        trained, _ = at_rates(shelf, name, recipes, RATES, seeds=seeds)
        note = "Four hidden layers; each at the best of four learning rates."
        blocks += [about(shelf, name, BASE, note, seeds=seeds), comparison(trained, columns("share", RATE))]
    return "\n\n".join(blocks)


def with_statistics(network: Network, rows: np.ndarray) -> np.ndarray:
    """The network's outputs for the dev rows, normalised by the mean and variance of some rows instead of the running averages."""
    a, dev = jnp.asarray(rows), jnp.asarray(network.dataset.inputs["dev"])
    for layer in network.parameters[:-1]:
        z, present = a @ layer["w"], jnp.ones(len(a))
        statistics = layers.batch_statistics(z, present)
        a, dev = (
            layers.ACTIVATIONS["relu"](layers.normalise(x @ layer["w"], *statistics, layer["gamma"], layer["beta"])) for x in (a, dev)
        )
    last = network.parameters[-1]
    return np.asarray(dev @ last["w"] + last["b"])


@topic("running-averages", "example:digits")
def _running_averages(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, normalisation="batch", learning_rate=0.1)
    networks = train(shelf, "example:digits", {"base": base}, seeds)["base"]

    def error(network: Network, rows: np.ndarray) -> float:
        return float((with_statistics(network, rows).argmax(1) != network.dataset.targets["dev"]).mean())

    def mean(count: int) -> str:
        return percent(float(np.mean([error(network, network.dataset.inputs["train"][:count]) for network in networks])))

    rows = [["running averages of the training", percent(float(np.mean([network.dev_error for network in networks])))]]
    rows += [[f"of {count:,} training rows", mean(count)] for count in (4, 16, 64)]
    return "\n\n".join(
        [about(shelf, "example:digits", base, seeds=seeds), table(("mean and variance used for the dev rows", "dev error"), rows)]
    )


@topic("shift", "example:digits")
def _shift(shelf: Shelf, seeds: int) -> str:
    blocks = []
    rows = []
    for norm in NORMS:
        base = replace(BASE, normalisation=norm, learning_rate=0.1)
        early, late = (train(shelf, "example:digits", {"": replace(base, epochs=epochs)}, seeds)[""] for epochs in (2.0, 15.0))
        moved = [float(np.abs(last_sums(b).mean(0) - last_sums(a).mean(0)).mean()) for a, b in zip(early, late, strict=True)]
        spread = [float(last_sums(b).std(0).mean() / last_sums(a).std(0).mean()) for a, b in zip(early, late, strict=True)]
        rows.append([settings({"normalisation": norm}), significant(float(np.mean(moved))), significant(float(np.mean(spread)))])
    note = "What the last hidden layer's activation is applied to, over the training rows, after 2 and after 15 epochs."
    headings = ("", "mean movement of a unit's mean", "its standard deviation, times that of before")
    blocks += [about(shelf, "example:digits", replace(BASE, learning_rate=0.1), note, seeds=seeds), table(headings, rows)]
    sizes = {
        settings({"batch_size": size}): replace(BASE, normalisation="batch", learning_rate=0.1, batch_size=size) for size in (8, 64, 512)
    }
    trained = train(shelf, "example:digits", sizes, seeds)
    gap = Column("dev loss minus train loss", lambda network: network.dev_loss - network.train_loss, significant)
    blocks += ["Batch norm's noise, by batch size:", comparison(trained, columns("share", gap))]
    return "\n\n".join(blocks)


def last_sums(network: Network) -> np.ndarray:
    """What the last hidden layer's activation is applied to, of the training rows ``[rows, units]``."""
    a = z = jnp.asarray(network.dataset.inputs["train"])
    for number, layer in enumerate(network.parameters[:-1]):
        z = a @ layer["w"] + layer.get("b", 0.0)
        norm = network.recipe.normalisation
        if norm == "batch":
            seen = network.members.statistics[number]
            z = layers.normalise(z, seen["mean"][0, : z.shape[1]], seen["variance"][0, : z.shape[1]], layer["gamma"], layer["beta"])
        elif norm == "layer":
            z = layers.layer_norm(z, jnp.asarray(z.shape[1]), layer["gamma"], layer["beta"])
        a = layers.ACTIVATIONS["relu"](z)
    return np.asarray(z)
