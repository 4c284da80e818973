"""Section 4: batch sizes, weight averaging, optimisers, schedules, and where optimisers go on simple surfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from measuring.comparison import Column, about, at_rates, columns, comparison, settings, significant, steps, table, variants
from measuring.networks import Shelf, train
from measuring.topics import topic

from shoal import optimisers
from shoal.recipe import DECAYS, OPTIMISERS, Recipe

TABLES = ("letter", "california_housing")
BASE = Recipe(activation="relu", learning_rate=3e-3, epochs=30, input_normalisation="standard")
RATE = Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False)


def kind(table: str) -> str:
    """How the error of a table is shown."""
    return "variances" if table == "california_housing" else "share"


@topic("batch-size", "magic_telescope")
def _batch_size(shelf: Shelf, seeds: int) -> str:
    recipes = {settings({"batch_size": size}): replace(BASE, batch_size=size) for size in (128, 16, 32, 512, "all")}
    trained, _ = at_rates(shelf, "magic_telescope", recipes, (1e-3, 3e-3, 1e-2, 3e-2), seeds=seeds)
    per_epoch = Column(
        "steps an epoch", lambda network: network.tables.steps_per_epoch(network.layout.shape.batch_size), steps, is_compared=False
    )
    note = "The same epochs, so small batches take more steps; each at the best of four learning rates."
    return "\n\n".join([about(shelf, "magic_telescope", BASE, note, seeds=seeds), comparison(trained, columns("share", RATE, per_epoch))])


@topic("weight-average", *TABLES)
def _weight_average(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in TABLES:
        base = replace(BASE, decay="constant")
        changes = ({"weight_average": 0.9}, {"weight_average": 0.99}, {"weight_average": 0.999}, {"decay": "cosine"})
        trained = train(shelf, name, variants(base, *changes), seeds)
        blocks += [about(shelf, name, base, seeds=seeds), comparison(trained, columns(kind(name)))]
    return "\n\n".join(blocks)


@topic("optimisers", *TABLES)
def _optimisers(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in TABLES:
        recipes = {f"`{optimiser}`": replace(BASE, optimiser=optimiser) for optimiser in ("adamw", *OPTIMISERS) if optimiser != "adam"}
        trained, _ = at_rates(shelf, name, recipes, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0), seeds=seeds)
        blocks += [about(shelf, name, BASE, seeds=seeds), comparison(trained, columns(kind(name), RATE))]
    return "\n\n".join(blocks)


@topic("schedules", *TABLES)
def _schedules(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for name in TABLES:
        base = replace(BASE, decay="constant", decay_factor=0.9, decay_epochs=5.0, decay_rate=1.0)
        recipes = {settings({"decay": decay}): replace(base, decay=decay) for decay in ("constant", *DECAYS)}
        recipes[settings({"decay": "cosine", "warm_up": 3.0})] = replace(base, decay="cosine", warm_up=3.0)
        trained, _ = at_rates(shelf, name, recipes, (1e-3, 3e-3, 1e-2, 3e-2), seeds=seeds)
        blocks += [
            about(shelf, name, base, "Each at the best of four learning rates.", seeds=seeds),
            comparison(trained, columns(kind(name), RATE)),
        ]
    return "\n\n".join(blocks)


def bowl(w: jax.Array) -> jax.Array:
    """20 times as steep one way as the other; lowest, 0, at the origin."""
    return 0.5 * (w[0] ** 2 / 20 + w[1] ** 2)


def saddle(w: jax.Array) -> jax.Array:
    """Level at the origin, falling to either side without end."""
    return 0.5 * (w[0] ** 2 - w[1] ** 2)


def plateau(w: jax.Array) -> jax.Array:
    """Nearly level away from the origin, where it is 0."""
    return 1 - jnp.exp(-0.5 * jnp.sum(w**2))


SURFACES: dict[str, tuple[Callable[[jax.Array], jax.Array], tuple[float, float], float]] = {
    "bowl": (bowl, (-9.0, 1.0), 1e-4 * 0.5 * (81 / 20 + 1)),
    "saddle": (saddle, (-1.0, 0.001), -1.0),
    "plateau": (plateau, (-2.0, 2.0), 0.01),
}
"""A cost, where the paths begin, and how low is low enough."""

MOST_STEPS = 2000
RATES = np.geomspace(1e-3, 100, 26)


def paths(cost: Callable[[jax.Array], jax.Array], start: tuple[float, float], optimiser: str, rates: np.ndarray, count: int) -> np.ndarray:
    """Where the product's update goes from a point, ``[rates, count + 1, 2]``.

    Args:
        cost: of a point ``[2]``.
        start: the point.
        optimiser: its name in a recipe.
        rates: learning rates.
        count: steps.
    """
    recipe = Recipe((1,), optimiser=optimiser)
    numbers, used = recipe.numbers(0), recipe.techniques

    def path(alpha: jax.Array) -> jax.Array:
        def one(carry: tuple, age: jax.Array) -> tuple:
            w, moments = carry
            w, moments = optimisers.update(w, jax.grad(cost)(w), moments, False, alpha, age, numbers, used)
            return (w, moments), w

        w = jnp.asarray(start)
        _, visited = jax.lax.scan(one, (w, optimisers.start(w, used)), jnp.arange(count))
        return jnp.concatenate([w[None], visited])

    return np.asarray(jax.jit(jax.vmap(path))(jnp.asarray(rates, jnp.float32)))


@topic("surfaces")
def _surfaces(shelf: Shelf, seeds: int) -> str:
    rows = []
    for optimiser in OPTIMISERS:
        if optimiser == "adamw":
            continue
        cells = []
        for cost, start, low in SURFACES.values():
            costs = jax.vmap(jax.vmap(cost))(paths(cost, start, optimiser, RATES, MOST_STEPS))
            reached = np.asarray(costs) <= low
            first = np.where(reached.any(1), reached.argmax(1), MOST_STEPS + 1)
            best = int(first.argmin())
            cells.append(f"{first[best]} (alpha {significant(float(RATES[best]), 2)})" if first[best] <= MOST_STEPS else "never")
        rows.append([f"`{optimiser}`", *cells])
    caption = (
        f"*Through the product's own update, without noise; at most {MOST_STEPS:,} steps, {len(RATES)} learning rates from 0.001 to 100.*"
    )
    return "\n\n".join([caption, table(("optimiser", *SURFACES), rows)])
