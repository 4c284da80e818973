"""Section 4: mini-batches, averages, optimisers and the decay of the learning rate."""

from __future__ import annotations

from dataclasses import replace

from measuring.comparison import Column, about, at_rates, columns, comparison, machine, significant, steps, table, variants
from measuring.networks import Network, Shelf, train
from measuring.surfaces import MOST_STEPS, SURFACES, best_paths
from measuring.topics import topic
from shoal.recipe import DECAYS, OPTIMISERS, Recipe

BASE = Recipe(activation="relu", decay="constant", epochs=30)
RATE = Column("best learning rate", lambda network: network.recipe.learning_rate, significant, is_compared=False)
LEVEL = 0.8


def until(network: Network) -> float:
    """Steps until the dev loss was ``LEVEL``."""
    return network.steps_until(LEVEL)


@topic("batch-size", "letter")
def _batch_size(shelf: Shelf, seeds: int) -> str:
    recipes = {f"`batch_size = {size!r}`".replace("'", '"'): replace(BASE, batch_size=size) for size in (128, 16, 32, 512, "all")}
    trained, _ = at_rates(shelf, "letter", recipes, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), seeds=seeds)
    shown = columns(
        "share",
        RATE,
        Column("steps an epoch", lambda network: network.tables.steps_per_epoch(network.layout.shape.batch_size), steps, is_compared=False),
        Column(f"steps to dev loss {LEVEL}", until, steps, is_compared=False),
        Column("epochs to it", lambda network: until(network) / network.tables.steps_per_epoch(network.layout.shape.batch_size), significant, is_compared=False),
    )
    note = "Each at the best of the learning rates 0.0003, 0.001, 0.003, 0.01 and 0.03."
    return "\n\n".join([about(shelf, "letter", BASE, note, seeds=seeds), comparison(trained, shown)])


@topic("weight-average", "letter")
def _weight_average(shelf: Shelf, seeds: int) -> str:
    blocks = []
    for base in (replace(BASE, learning_rate=1e-2), replace(BASE, learning_rate=1e-2, decay="cosine")):
        recipes = variants(base, *({"weight_average": beta} for beta in (0.9, 0.99, 0.999)))
        trained = train(shelf, "letter", recipes, seeds)
        blocks += [about(shelf, "letter", base, seeds=seeds), comparison(trained, columns("share"))]
    return "\n\n".join(blocks)


@topic("optimisers", "letter")
def _optimisers(shelf: Shelf, seeds: int) -> str:
    recipes = {f"`{name}`": replace(BASE, optimiser=name) for name in OPTIMISERS if name != "lion"}
    recipes["`lion`, `beta2 = 0.99`"] = replace(BASE, optimiser="lion", beta2=0.99)  # as published
    names = {recipe.optimiser: name for name, recipe in recipes.items()}
    rates = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)
    trained, working = at_rates(shelf, "letter", recipes, rates, seeds=seeds)
    shown = columns(
        "share",
        RATE,
        Column("rates that work", lambda network: working[names[network.recipe.optimiser]], steps, is_compared=False),
        Column(f"steps to dev loss {LEVEL}", until, steps, is_compared=False),
    )
    note = (
        "Each at the best of 9 learning rates from 0.0003 to 3, by dev loss. A rate works if the dev loss comes within 10 % of that at the best."
    )
    return "\n\n".join([about(shelf, "letter", BASE, note, seeds=seeds), comparison(trained, shown)])


@topic("adam-settings", "letter")
def _adam_settings(shelf: Shelf, seeds: int) -> str:
    base = replace(BASE, learning_rate=3e-3)
    changes = (
        {"beta1": 0.0}, {"beta1": 0.5}, {"beta1": 0.99},
        {"beta2": 0.9}, {"beta2": 0.99}, {"beta2": 0.9999},
        {"epsilon": 1e-4}, {"epsilon": 1e-2}, {"epsilon": 1.0},
    )  # fmt: skip
    trained = train(shelf, "letter", variants(base, *changes), seeds)
    shown = columns("share", Column(f"steps to dev loss {LEVEL}", until, steps, is_compared=False))
    return "\n\n".join([about(shelf, "letter", base, seeds=seeds), comparison(trained, shown)])


@topic("decays", "letter")
def _decays(shelf: Shelf, seeds: int) -> str:
    own = {
        "inverse_time": {"decay_rate": 0.3},
        "exponential": {"decay_factor": 0.9},
        "sqrt_step": {"decay_rate": 5.0},
        "staircase": {"decay_factor": 0.3, "decay_epochs": 10.0},
        "plateau": {"decay_factor": 0.3, "decay_epochs": 2.0},
    }
    recipes = {}
    for name in ("constant", *DECAYS):
        settings = own.get(name, {})
        label = ", ".join([f"`{name}`", *(f"`{key} = {value}`" for key, value in settings.items())])
        recipes[label] = replace(BASE, decay=name, **settings)
    recipes["`cosine`, `warm_up = 3.0`"] = replace(BASE, decay="cosine", warm_up=3.0)
    trained, _ = at_rates(shelf, "letter", recipes, (1e-3, 3e-3, 1e-2, 3e-2), seeds=seeds)
    note = "Each at the best of the learning rates 0.001, 0.003, 0.01 and 0.03."
    return "\n\n".join([about(shelf, "letter", BASE, note, seeds=seeds), comparison(trained, columns("share", RATE))])


@topic("surfaces")
def _surfaces(shelf: Shelf, seeds: int) -> str:
    found = {surface.name: best_paths(surface) for surface in SURFACES}
    lines = [
        [f"`{name}`", *(f"{steps(found[surface][name][1])} ({significant(found[surface][name][0])})" for surface in found)]
        for name in OPTIMISERS
    ]
    caption = (
        f"*Steps to arrive, and the learning rate: the best of 25 from 0.001 to 10 at which the path stays inside the picture; {MOST_STEPS} steps "
        f"were made. Arrived: cost 0.01 on the bowl and beyond the plateau, 99 % of the way down from the saddle. {machine()}.*"
    )
    return "\n\n".join([caption, table(("optimiser", *found), lines)])
