"""Section 4: mini-batches, averages, optimisers on surfaces of two weights, and decays of the learning rate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring.networks import Shelf, train
from measuring.surfaces import SURFACES, Surface, best_paths, paths

from figures.drawing import BLUE, FAINT, MARKERS, ORANGE, PINK, VERMILION, Drawing, contours, is_log, look, panel
from figures.registry import figure
from shoal import averages, optimisers
from shoal.recipe import DECAYS, Recipe, stack, techniques_of
from shoal.schedules import learning_rate


@figure("cost-per-iteration")
def cost_per_iteration() -> Drawing:
    """The cost of what each step saw, for batch, mini-batch and stochastic descent; and the cost of all rows by epochs."""
    base = Recipe(activation="relu", optimiser="gradient_descent", decay="constant", epochs=20)
    ways = {
        "batch descent: all rows a step": (replace(base, batch_size="all", learning_rate=0.5, epochs=160), 1, 1),
        "mini-batches of 64": (replace(base, batch_size=64, learning_rate=0.2), 1, 17),
        "stochastic descent: 1 row a step": (replace(base, batch_size=1, learning_rate=0.01, epochs=1), 1, 1079),
    }
    panels, whole = [], panel("The same, by epochs", "epoch", "cost of the rows seen")
    for number, (name, (recipe, every, per_epoch)) in enumerate(ways.items()):
        losses = train(Shelf(), "example:digits", {name: recipe}, 1, every=every)[name][0].trace.train_loss
        axes = panel(name, "step", "cost of this step's rows")
        shown = losses[:160]
        steps, is_noisy = np.arange(1, len(shown) + 1), recipe.batch_size != "all"
        axes.plot(steps, shown, color=FAINT if is_noisy else BLUE, linewidth=1 if is_noisy else 2)
        if is_noisy:
            axes.plot(steps, averages.of(shown, 0.9), label="averaged over about 10 steps", color=BLUE)
        axes.set_ylim(0, 3.2)
        epochs = np.arange(1, len(losses) + 1) / per_epoch
        whole.plot(epochs, averages.of(losses, 0.9 if per_epoch < 100 else 0.99), label=name, **look(number + 1))
        panels.append(axes)
    whole.set(xlim=(0, 20), ylim=(0, 3.2))
    return Drawing([*panels, whole])


def temperatures(days: int = 365) -> np.ndarray:
    """A made-up year: a wave of 11 degrees either way around 10, and weather that lasts for a day or two."""
    rng, weather = np.random.default_rng(3), 0.0
    found = []
    for day in range(days):
        weather = 0.4 * weather + rng.normal(0, 2.8)
        found.append(10 - 11 * np.cos(2 * np.pi * (day - 15) / 365) + weather)
    return np.array(found)


@figure("averages")
def weighted_averages() -> Drawing:
    """Exponentially weighted averages of a year of temperatures, with and without bias correction, and their weights."""
    theta, day = temperatures(), np.arange(1, 366)
    year = panel("A year, day by day", "day t", "temperature, °C", height=270)
    start = panel("The first 60 days", "day t", "", height=270)
    weights = panel("Weight of a day in the average", "days ago", "(1 − β) βᵏ", height=230)
    correction = panel("What the correction divides by", "day t", "1 − βᵗ", height=230)
    for axes, last in ((year, 365), (start, 60)):
        axes.plot(day[:last], theta[:last], ".", color=FAINT, markersize=3.5, alpha=0.7, label="temperature of the day")
    for beta, colour in ((0.5, PINK), (0.9, BLUE), (0.98, VERMILION)):
        name = f"β = {beta:g}, about {averages.span(beta):.0f} days"
        year.plot(day, averages.of(theta, beta), color=colour, linewidth=1.1 if beta == 0.5 else 2, label=name)
        if beta > 0.5:
            start.plot(day[:60], averages.of(theta, beta)[:60], color=colour)
            start.plot(day[:60], averages.of(theta, beta, corrected=False)[:60], color=colour, linestyle=(0, (3, 2)), linewidth=1.6)
        weights.plot(np.arange(61), (1 - beta) * beta ** np.arange(61), color=colour)
        correction.plot(day[:60], 1 - beta ** day[:60], color=colour)
    start.plot([], [], color=FAINT, linestyle=(0, (3, 2)), linewidth=1.6, label="dashed: not corrected, starts at 0")
    is_log(weights)
    weights.set_ylim(3e-4, 1)
    return Drawing([year, start, weights, correction])


BOWL = Surface("straight bowl", lambda w1, w2: 0.5 * (0.04 * w1**2 + 2 * w2**2), (-9.0, 2.2), 0.001, (-10.0, 3.0, -2.8, 2.8))
"""50 times as steep in w2 as in w1."""


def walked(recipes: dict[str, Recipe], count: int = 40) -> list[np.ndarray]:
    """The paths of some recipes on the straight bowl."""
    return list(paths(BOWL, list(recipes.values()), count))


def side_by_side(recipes: dict[str, Recipe], count: int = 40) -> Drawing:
    """Paths on the straight bowl, a panel for each."""
    panels = []
    for number, (name, path) in enumerate(zip(recipes, walked(recipes, count), strict=True)):
        axes = panel(name, "w₁, flat", "w₂, steep", height=220)
        contours(axes, BOWL.cost, BOWL.view)
        axes.plot(
            *path.T,
            marker="o",
            markersize=2.8,
            linewidth=1.3,
            color=(FAINT, VERMILION, BLUE)[number % 3],
            label=f"{count} steps" if not number else None,
        )
        axes.plot(0, 0, marker="*", markersize=11, color=ORANGE, linestyle="None", label="lowest cost")
        panels.append(axes)
    return Drawing(panels)


@figure("momentum")
def momentum() -> Drawing:
    """Plain descent and momentum on a bowl that is steep one way and flat the other."""
    return side_by_side(
        {
            "Plain descent, alpha 0.95": Recipe(optimiser="gradient_descent", learning_rate=0.95),
            "Momentum, beta 0.7, alpha 3": Recipe(optimiser="momentum", learning_rate=3.0, beta1=0.7),
        }
    )


@figure("rmsprop")
def rmsprop() -> Drawing:
    """Plain descent and RMSprop on the same bowl."""
    return side_by_side(
        {
            "Plain descent, alpha 0.95": Recipe(optimiser="gradient_descent", learning_rate=0.95),
            "RMSprop, beta2 0.9, alpha 0.25": Recipe(optimiser="rmsprop", learning_rate=0.25, beta2=0.9),
        }
    )


def first_steps(corrected: bool, count: int = 60) -> np.ndarray:
    """Sizes of Adam's steps for a gradient that is always 1, as multiples of alpha; without the correction, by the raw averages."""
    recipe = Recipe(optimiser="adam", learning_rate=1.0)
    if not corrected:
        steps = np.arange(1, count + 1)
        return (1 - recipe.beta1**steps) / (np.sqrt(1 - recipe.beta2**steps) + recipe.epsilon)
    numbers, used = recipe.numbers(0), techniques_of([recipe])
    w = {"w": jnp.zeros(1)}
    moments, found = optimisers.start(w, used), [0.0]
    for age in range(count):
        w, moments = optimisers.update(
            w, {"w": jnp.ones(1)}, moments, {"w": False}, {"w": 1.0}, jnp.float32(1), jnp.int32(age), numbers, used
        )
        found.append(float(w["w"][0]))
    return -np.diff(found)


@figure("adam")
def adam() -> Drawing:
    """Adam's path on the bowl, and the sizes of its first steps with and without bias correction."""
    path = walked({"": Recipe(optimiser="adam", learning_rate=0.5)}, 60)[0]
    on_bowl = panel("Adam, alpha 0.5", "w₁, flat", "w₂, steep")
    contours(on_bowl, BOWL.cost, BOWL.view)
    on_bowl.plot(*path.T, marker="o", markersize=2.8, linewidth=1.3, color=BLUE, label="60 steps")
    sizes = panel("Steps for a gradient that stays the same", "step t", "size of the step / alpha")
    for number, corrected in enumerate((True, False)):
        sizes.plot(np.arange(1, 61), first_steps(corrected), label=("not bias-corrected", "bias-corrected")[corrected], **look(number))
    sizes.set_ylim(0, 7)
    return Drawing([on_bowl, sizes])


FAMILIES = {
    "averages of dW": ("gradient_descent", "momentum", "classical_momentum", "nesterov"),
    "averages of dW², or signs": ("rmsprop", "adagrad", "lion"),
    "both, bias-corrected": ("adam", "nadam", "amsgrad"),
}


def optimiser_paths(surface: Surface) -> Drawing:
    """The path of every optimiser on one surface, each at its best learning rate, and its cost by the step."""
    panels, costs, number = [], panel("Cost by the step", "step", "cost above the lowest"), 0
    low1, high1, low2, high2 = surface.view
    lowest = float(np.min(surface.cost(*np.meshgrid(np.linspace(low1, high1, 300), np.linspace(low2, high2, 300)))))
    for family, names in FAMILIES.items():
        axes = panel(family, "w₁", "w₂")
        contours(axes, surface.cost, surface.view)
        for name in names:
            _, steps, path = best_paths(surface)[name]
            label = f"{name}: {steps:.0f} steps" if np.isfinite(steps) else f"{name}: did not stay at the minimum"
            own = {"color": PALETTE[number][0], "linestyle": PALETTE[number][1]}
            axes.plot(
                *path.T, marker=MARKERS[number % 7], markersize=3, markevery=max(1, len(path) // 40), linewidth=1.3, label=label, **own
            )
            above = np.maximum(np.asarray(surface.cost(path[:, 0], path[:, 1])) - lowest, 1e-4)
            costs.plot(above[:121], linewidth=1.5, **own)
            number += 1
        panels.append(axes)
    is_log(costs)
    return Drawing([*panels, costs])


PALETTE = [(look(n)["color"], dash) for dash in ("solid", (0, (3, 1.5))) for n in range(5)]


@figure("paths-bowl")
def paths_on_the_bowl() -> Drawing:
    """All optimisers on the elongated bowl."""
    return optimiser_paths(SURFACES[0])


@figure("paths-saddle")
def paths_on_the_saddle() -> Drawing:
    """All optimisers on the saddle."""
    return optimiser_paths(SURFACES[1])


@figure("paths-plateau")
def paths_on_the_plateau() -> Drawing:
    """All optimisers on the plateau."""
    return optimiser_paths(SURFACES[2])


OWN: dict[str, dict[str, Any]] = {"sqrt_step": {"decay_rate": 4.0}, "staircase": {"decay_factor": 0.5}, "inverse_time": {"decay_rate": 0.2}}
BY_EPOCHS = ("inverse_time", "exponential", "sqrt_epoch", "sqrt_step", "staircase")
STEPS_PER_EPOCH = 20


def rates(recipes: dict[str, Recipe], ages: np.ndarray) -> np.ndarray:
    """Learning rates ``[recipes, ages]`` at a time in steps."""
    at = jax.vmap(jax.vmap(learning_rate, (None, 0, None)), (0, None, None))
    return np.asarray(at(stack([recipe.numbers(0) for recipe in recipes.values()]), jnp.asarray(ages), jnp.float32(STEPS_PER_EPOCH)))


@figure("decays")
def decays() -> Drawing:
    """Every decay of the learning rate over 50 epochs."""
    kinds = [name for name in DECAYS if name not in ("constant", "plateau")]
    recipes = {name: Recipe(decay=name, learning_rate=1.0, epochs=50, **OWN.get(name, {})) for name in kinds}  # type: ignore[arg-type]
    recipes["cosine, warm_up = 5"] = Recipe(decay="cosine", learning_rate=1.0, epochs=50, warm_up=5.0)
    ages = np.arange(0, 1000, 5)
    by_epochs = panel("By the epochs so far", "epoch", "learning rate / alpha", height=270)
    by_share = panel("By the share of the training", "epoch", "", height=270)
    number = {by_epochs: 0, by_share: 0}
    for name, values in zip(recipes, rates(recipes, ages), strict=True):
        changed = "".join(f", {key} = {value:g}" for key, value in OWN.get(name, {}).items())
        axes = by_epochs if name in BY_EPOCHS else by_share
        style = look(number[axes] if axes is by_epochs else (5, 6, 3, 1)[number[axes]])
        axes.plot(ages / STEPS_PER_EPOCH, np.minimum(values, 1.3), label=name + changed, **style)
        number[axes] += 1
    for axes in number:
        axes.set_ylim(0, 1.3)
    return Drawing([by_epochs, by_share])
