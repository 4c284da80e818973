"""Section 3: normalised inputs, signals and gradients through deep networks, initialisation, and the gradients of shoal itself."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from measuring.comparison import Column, about, at_rates, columns, comparison, machine, percent, significant, steps, table, variants
from measuring.networks import Network, Shelf, train
from measuring.topics import topic

from shoal import training
from shoal.gradcheck import check_gradients
from shoal.nets.layers import ACTIVATIONS
from shoal.nets.network import Draws
from shoal.recipe import CHOICES, INITIALISATIONS, Recipe

DESCENT = Recipe(
    hidden_units=(), optimiser="gradient_descent", decay="constant", batch_size="all", epochs=2000, input_normalisation="standard"
)
"""Logistic regression by batch gradient descent: a cost with one valley, whose shape is all that matters."""

DEEP = 8

ENCODED = (
    {"numeric_encoding": "piecewise"},
    {"numeric_encoding": "periodic", "frequency_scale": 1.0},
    {"input_scale_rate": 30.0},
    {"numeric_encoding": "piecewise", "input_scale_rate": 30.0},
    {"numeric_encoding": "periodic", "frequency_scale": 1.0, "input_scale_rate": 30.0},
)


@topic("input-normalisation", "example:breast-cancer")
def _inputs(shelf: Shelf, seeds: int) -> str:
    rates = [10.0**power for power in range(-7, 2)]
    recipes = {f"`{name}`": replace(DESCENT, input_normalisation=name) for name in ("standard", *CHOICES["input_normalisation"])}

    def until(network: Network) -> float:
        return network.steps_until(0.15)

    trained, _ = at_rates(shelf, "example:breast-cancer", recipes, rates, seeds=seeds, every=10)
    shown = columns(
        "share",
        Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False),
        Column("steps to dev loss 0.15", until, steps, is_compared=False),
    )
    note = "No hidden layer; each way at the best of 9 learning rates from 0.0000001 to 10, by dev loss after 2,000 steps."
    return "\n\n".join([about(shelf, "example:breast-cancer", DESCENT, note, seeds=seeds), comparison(trained, shown)])


@topic("input-normalisation-adam", "california_housing")
def _inputs_adam(shelf: Shelf, seeds: int) -> str:
    base = Recipe(input_normalisation="standard", epochs=30, learning_rate=3e-3)
    others = [{"input_normalisation": name} for name in CHOICES["input_normalisation"] if name != "standard"]
    trained = train(shelf, "california_housing", variants(base, *others, *ENCODED), seeds)
    return "\n\n".join([about(shelf, "california_housing", base, seeds=seeds), comparison(trained, columns("variances"))])


@topic("signals-by-depth", "example:digits")
def _signals(shelf: Shelf, seeds: int) -> str:
    base = Recipe(hidden_units=(64,) * DEEP, activation="relu", batch_size=64, epochs=20)
    changes = (
        {"initialisation_gain": 0.5},
        {"initialisation_gain": 2.0},
        {"initialisation": "small_random"},
        {"activation": "tanh", "initialisation": "xavier"},
        {"activation": "sigmoid", "initialisation": "xavier"},
    )
    recipes = variants(base, *changes)
    trained = train(shelf, "example:digits", recipes, seeds)
    first = train(shelf, "example:digits", {name: replace(recipe, learning_rate=1e-12) for name, recipe in recipes.items()}, 1, every=1)
    lines = []
    for name, networks in trained.items():
        sizes, slopes = norms_by_depth(first[name][0])
        diverged = sum(network.diverged for network in networks)
        error = f"diverged ({diverged})" if diverged else percent(float(np.mean([network.dev_error for network in networks])))
        factor = (sizes[-1] / sizes[0]) ** (1 / (len(sizes) - 1))
        lines.append([name, *map(significant, (sizes[0], sizes[-1], factor, slopes[0], slopes[-2])), error])
    headings = ("", "size of A[1]", "size of A[8]", "factor a layer", "norm of dW[1]", "norm of dW[8]", "dev error")
    note = "Sizes (root mean square) and norms before the first step, on 256 training rows; dev error after the training."
    return "\n\n".join([about(shelf, "example:digits", base, note, seeds=seeds), table(headings, lines)])


def norms_by_depth(network: Network) -> tuple[list[float], list[float]]:
    """Root mean square of the activations of each hidden layer, and the norm of each layer's ``dW``, on some training rows.

    Only for networks without normalisation of Z and as wide as their shoal.
    """
    x, target = network.dataset.inputs["train"][:256], network.dataset.targets["train"][:256]
    a, sizes = x, []
    for layer in network.parameters[:-1]:
        a = np.asarray(ACTIVATIONS[network.recipe.activation](jnp.asarray(a @ layer["w"] + layer["b"])))
        sizes.append(float(np.sqrt(np.square(a).mean())))
    padded = np.zeros((len(x), network.layout.columns), np.float32)
    padded[:, : x.shape[1]] = x
    batch = training.Batch(padded, target, np.ones(len(x), np.float32))
    scale = training.Scale(np.float32(len(x)), np.float32(1), np.ones(network.layout.columns, bool), np.ones(1, np.float32), np.float32(0))
    one = jax.tree.map(lambda leaf: leaf[0], network.members)
    gradient = jax.jit(functools.partial(training.gradient, network.layout))
    slope, _, _ = gradient(network.recipe.numbers(0), scale, one.statistics, one.parameters, batch, Draws())
    return sizes, [float(np.linalg.norm(layer["w"])) for layer in slope]


@topic("clipping", "california_housing")
def _clipping(shelf: Shelf, seeds: int) -> str:
    base = Recipe(optimiser="gradient_descent", learning_rate=0.05, activation="relu", epochs=15)
    clipped = ({"clip_norm": 1.0}, {"clip_norm": 0.1}, {"clip_value": 0.1})
    changes = ({"learning_rate": 1.0}, *({"learning_rate": 1.0} | each for each in clipped), {"clip_norm": 1.0})
    trained = train(shelf, "california_housing", variants(base, *changes), seeds)
    return "\n\n".join([about(shelf, "california_housing", base, seeds=seeds), comparison(trained, columns("variances"))])


def distinct_units(network: Network) -> float:
    """Units of the first hidden layer that differ from each other."""
    weights = network.parameters[0]
    return float(len(np.unique(np.round(np.vstack([weights["w"], weights["b"]]).T, 6), axis=0)))


def dead_units(network: Network) -> float:
    """Share of the units of the last hidden layer that no training row moves: their activation is the same for all of them."""
    a = network.dataset.inputs["train"]
    for layer in network.parameters[:-1]:
        a = np.asarray(ACTIVATIONS[network.recipe.activation](jnp.asarray(a @ layer["w"] + layer["b"])))
    return float((np.ptp(a, axis=0) < 1e-6).mean())


@topic("initialisation", "example:digits")
def _initialisation(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for depth in (2, DEEP):
        base = Recipe(hidden_units=(64,) * depth, activation="relu", optimiser="momentum", batch_size=64, epochs=20)
        recipes = {f"`{name}`": replace(base, initialisation=name) for name in ("he", *INITIALISATIONS)}
        trained, _ = at_rates(shelf, "example:digits", recipes, (0.03, 0.1, 0.3, 1.0), seeds=seeds)
        shown = columns(
            "share",
            Column("different units in layer 1", distinct_units, steps, is_compared=False),
            Column(f"dead units in layer {depth}", dead_units, percent, is_compared=False),
            Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False),
        )
        note = "Each at the best of the learning rates 0.03, 0.1, 0.3 and 1."
        blocks += [about(shelf, "example:digits", base, note, seeds=seeds), comparison(trained, shown)]
    return "\n\n".join(blocks)


@topic("gradient-checks")
def _gradient_checks(shelf: Shelf, seeds: int) -> str:
    recipes = {
        "`hidden_units = []`": Recipe(hidden_units=()),
        "the default recipe": Recipe(),
        "`tanh`, 4 layers, dropout, L2": Recipe(hidden_units=(32,) * 4, activation="tanh", optimiser="adam", keep_prob=0.8, l2=1.0),
        "`relu`, batch norm, mixup": Recipe(activation="relu", normalisation="batch", mixup=0.4),
        "`gelu`, layer norm, class balance": Recipe(activation="gelu", normalisation="layer", class_balance=1.0),
    }
    lines = []
    for name, recipe in recipes.items():
        found = check_gradients(recipe, samples=200)
        lines.append([name, f"{found.checked:,} of {found.total:,}", f"{found.relative_error:.1e}", found.verdict])
    caption = f"*Synthetic rows, every loss that the recipe can have, double precision; {machine()}.*"
    return "\n\n".join([caption, table(("recipe", "coordinates compared", "relative error", "verdict"), lines)])
