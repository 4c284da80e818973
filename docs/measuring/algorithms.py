"""Section 4: batch sizes, weight averaging, optimisers, schedules, and where optimisers go on simple surfaces."""

from __future__ import annotations

from dataclasses import replace

from measuring.comparison import Column, about, at_rates, columns, comparison, machine, settings, significant, steps, table, variants
from measuring.networks import Shelf, train
from measuring.surfaces import MOST_STEPS, OF_VECTORS, SURFACES, best_paths
from measuring.topics import topic

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


@topic("adam-settings", "letter")
def _adam_settings(shelf: Shelf, seeds: int) -> str:
    changes = (
        {"beta1": 0.0}, {"beta1": 0.5}, {"beta1": 0.99},
        {"beta2": 0.9}, {"beta2": 0.99}, {"beta2": 0.9999},
        {"epsilon": 1e-4}, {"epsilon": 1e-2}, {"epsilon": 1.0},
    )  # fmt: skip
    trained = train(shelf, "letter", variants(BASE, *changes), seeds)
    until = Column("steps to dev loss 0.8", lambda network: network.steps_until(0.8), steps, is_compared=False)
    return "\n\n".join([about(shelf, "letter", BASE, seeds=seeds), comparison(trained, columns("share", until))])


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


@topic("surfaces")
def _surfaces(shelf: Shelf, seeds: int) -> str:
    found = {surface.name: best_paths(surface) for surface in SURFACES}
    lines = []
    for name in OF_VECTORS:
        cells = [f"{steps(taken)} (alpha {significant(rate, 2)})" for rate, taken, _ in (each[name] for each in found.values())]
        lines.append([f"`{name}`", *(cell if cell[0].isdigit() else "never" for cell in cells)])
    caption = (
        "*Steps to arrive for good, at the best of 25 learning rates from 0.001 to 10 whose path stays inside the picture; "
        f"{MOST_STEPS} steps were made. {machine()}.*"
    )
    return "\n\n".join([caption, table(("optimiser", *found), lines)])
