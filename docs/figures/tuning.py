"""Section 5: where draws fall, what they find on real data, and how poor trials end early."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from measuring.tuning import EPSILON, FOUR, KEEP, RATE, by_rungs, coarse_to_fine, dev_losses, recipes_at, trained

from figures.drawing import BLUE, COLOURS, FAINT, GREEN, INK, ORANGE, SKY, VERMILION, Drawing, is_log, look, panel
from figures.registry import figure
from shoal.answers.best_so_far import expected_best
from shoal.answers.importance import COURSE
from shoal.interval import percent
from shoal.parameters import Range
from shoal.recipe import Recipe
from shoal.samplers.points import grid, random, sobol


@functools.cache
def drawn(count: int = 96) -> tuple[np.ndarray, tuple[Recipe, ...]]:
    """Quasi-random points of four numbers ``[trials, 4]``, and their recipes."""
    points = sobol(FOUR, count, seed=1)
    return points, recipes_at(FOUR, points)


@figure("what-matters")
def what_matters() -> Drawing:
    """The dev loss of 96 recipes against each of four numbers that were drawn together; those of a good learning rate stand out."""
    points, recipes = drawn()
    losses, panels = dev_losses(recipes), []
    good = np.array([0.002 <= recipe.learning_rate <= 0.05 for recipe in recipes])
    for at, each in enumerate(FOUR):
        rank = COURSE.get(each.name)
        axes = panel(f"{each.name} ({'course: rank ' + str(rank) if rank else 'not ranked'})", each.name, "dev loss", height=215)
        values = np.array([each.value(float(point)) for point in points[:, at]])
        shown = 1 - values if each.scale == "log_one_minus" else values
        axes.plot(shown[~good], losses[~good], ".", color=FAINT, alpha=0.7, label="one recipe, 9 epochs on the digits")
        axes.plot(shown[good], losses[good], "D", color=BLUE, markersize=4, label="with a learning rate from 0.002 to 0.05")
        is_log(axes, "xy" if each.scale.startswith("log") else "y")
        if each.scale == "log_one_minus":
            axes.set_xlabel("1 − beta1")
        panels.append(axes)
    return Drawing(panels)


@figure("grid-and-random")
def grid_and_random() -> Drawing:
    """25 trials of a number that matters and one that does not: by a grid, at random, quasi-random, and what each of them found."""
    axes_of, panels = (RATE, EPSILON), []
    by_rate = panel("Dev loss by the learning rate", "learning_rate", "dev loss", height=255)
    for number, (name, draw) in enumerate((("Grid", grid), ("Random", random), ("Quasi-random (Sobol)", sobol))):
        points = draw(axes_of, 25, 3)
        losses = dev_losses(recipes_at(axes_of, points))
        axes = panel(f"{name}: {len(np.unique(points[:, 0].round(9)))} learning rates", "learning_rate", "epsilon", height=255)
        _margins(axes, points)
        values = np.array([[each.value(float(at)) for each, at in zip(axes_of, point, strict=True)] for point in points])
        good = losses <= np.quantile(losses, 0.2)
        axes.scatter(*values[~good].T, s=26, color=FAINT, label="trial")
        axes.scatter(*values[good].T, s=34, color=ORANGE, marker="D", label="best fifth by dev loss")
        axes.plot(*values[losses.argmin()], marker="*", markersize=15, color=VERMILION, linestyle="None", label="best")
        is_log(axes, "xy")
        panels.append(axes)
        by_rate.scatter(values[:, 0], losses, s=18, color=(BLUE, ORANGE, GREEN)[number], marker="so^"[number], label=name)
    is_log(by_rate, "xy")
    return Drawing([*panels, by_rate])


def _margins(axes: Axes, points: np.ndarray) -> None:
    """Which values of each number were tried, as ticks on both sides."""
    axes.plot(points[:, 0], np.full(len(points), -0.01), "|", color=INK, markersize=9, transform=axes.transAxes, clip_on=False)
    axes.plot(np.full(len(points), -0.01), points[:, 1], "_", color=INK, markersize=9, transform=axes.transAxes, clip_on=False)


def share_per_decade(scale: str, draws: int = 10_000) -> np.ndarray:
    """Of learning rates from 0.0001 to 1, the share drawn in each of the four decades."""
    each = Range("learning_rate", 1e-4, 1.0, scale)  # type: ignore[arg-type]
    values = [each.value(at) for at in np.random.default_rng(0).random(draws)]
    return np.histogram(values, [1e-4, 1e-3, 1e-2, 1e-1, 1])[0] / draws


def betas(scale: str, draws: int = 10_000) -> np.ndarray:
    """Values of beta from 0.9 to 0.999, drawn on one of these scales."""
    each = Range("beta1", 0.9, 0.999, scale)  # type: ignore[arg-type]
    return np.array([each.value(at) for at in np.random.default_rng(0).random(draws)])


BETAS = {"linear": "uniform", "log": "log of beta", "log_one_minus": "log of 1 − beta"}


@figure("scales")
def scales() -> Drawing:
    """Where draws of a learning rate and of beta fall, on each scale."""
    rate = panel("Learning rate from 0.0001 to 1", "decade", "share of the draws, %")
    for number, scale in enumerate(("linear", "log")):
        shares = 100 * share_per_decade(scale)
        places = np.arange(4) + 0.2 * (2 * number - 1)
        rate.bar(places, shares, width=0.38, color=(FAINT, BLUE)[number], label=("uniform scale", "log scale")[number])
        for place, share in zip(places, shares, strict=True):
            rate.annotate(
                f"{share:.1f}" if share < 1 else f"{share:.0f}", (place, share), (0, 2), textcoords="offset points", ha="center", fontsize=9
            )
    rate.set_xticks(range(4), ["to 0.001", "to 0.01", "to 0.1", "to 1"])
    beta = panel("beta from 0.9 to 0.999", "steps that the average spans, 1/(1 − beta)", "share of the draws, %")
    edges = np.geomspace(10, 1000, 13)
    for number, (scale, way) in enumerate(BETAS.items()):
        values = betas(scale)
        heights, _ = np.histogram(1 / (1 - values), edges)
        name = f"{way}: {percent((values > 0.99).mean(), 0)} above 0.99"
        beta.stairs(
            100 * heights / len(values),
            edges,
            color=(FAINT, COLOURS[1], BLUE)[number],
            linewidth=2,
            linestyle=look(number)["linestyle"],
            label=name,
        )
    is_log(beta, "x")
    return Drawing([rate, beta])


@figure("coarse-to-fine")
def closer_and_closer() -> Drawing:
    """48 trials of two numbers: half of them over the whole space, the others in ever smaller boxes around the best."""
    rounds = [
        (np.array([[recipe.learning_rate, recipe.keep_prob] for recipe in recipes]), losses)
        for recipes, losses in coarse_to_fine((RATE, KEEP), 48, 2)
    ]
    panels = []
    for title, shown in (("Coarse: trials 1 to 24", rounds[:2]), ("Finer: trials 25 to 48", rounds[2:])):
        axes = panel(title, "learning_rate", "keep_prob", height=265)
        for number, (values, _) in enumerate(shown):
            fine = len(panels) * 2 + number
            axes.scatter(
                *values.T,
                s=26,
                color=(FAINT, FAINT, SKY, BLUE)[fine],
                marker="oo^D"[fine],
                label=("coarse", "coarse", "first box", "second box")[fine],
            )
            if fine > 1:
                low, high = values.min(0), values.max(0)
                axes.add_patch(Rectangle(low, *(high - low), fill=False, edgecolor=(SKY, BLUE)[fine - 2], linewidth=1.2))
        so_far = rounds[: 2 + 2 * len(panels)]
        values, losses = (np.concatenate(each) for each in zip(*so_far, strict=True))
        axes.plot(*values[losses.argmin()], marker="*", markersize=15, color=VERMILION, linestyle="None", label="best so far")
        axes.text(0.02, 0.03, f"best dev loss {losses.min():.3f}", transform=axes.transAxes)
        is_log(axes, "x")
        axes.set(xlim=(RATE.low, RATE.high), ylim=(0.28, 1.02))
        panels.append(axes)
    return Drawing(panels)


@figure("luck-of-the-draw")
def luck_of_the_draw() -> Drawing:
    """The probability that n random trials hold one of the best, and the expected best of n real ones."""
    counts = np.unique(np.geomspace(1, 400, 80).round().astype(int))
    held = panel("One of the best q among n trials", "random trials n", "probability, %")
    for number, q in enumerate((0.1, 0.05, 0.01)):
        held.plot(counts, 100 * at_least_one(q, counts), label=f"best {percent(q, 0)}", **look(number))
    held.axhline(95, color=FAINT, linewidth=1.2)
    _, recipes = drawn()
    losses = dev_losses(recipes)
    own = np.unique(np.geomspace(1, len(losses), 30).round().astype(int))
    best = panel(f"Best of n of {len(losses)} real trials", "trials n", "expected best dev loss")
    resampled = losses[np.random.default_rng(0).integers(len(losses), size=(400, len(losses)))]
    low, high = np.quantile(expected_best(resampled, own.tolist()), (0.025, 0.975), axis=0)
    best.fill_between(own, low, high, color=BLUE, alpha=0.2, linewidth=0, label="95 % interval")
    best.plot(own, expected_best(losses, own.tolist()), color=BLUE, label="expected best of n trials, digits")
    is_log(held, "x")
    is_log(best, "xy")
    return Drawing([held, best])


def at_least_one(q: float, n: np.ndarray) -> np.ndarray:
    """``1 - (1 - q)^n``."""
    return 1 - (1 - q) ** n


@figure("halving")
def halving() -> Drawing:
    """Dev losses of 27 recipes, of which a third goes on after an epoch and after three; and those of all, trained to the end."""
    _, recipes = drawn()
    losses, (first, second), epochs, rungs = by_rungs(trained(recipes)[:27])
    run, whole = panel("Stopped at rungs", "epoch", "best dev loss so far", height=270), panel("Had all gone on", "epoch", "", height=270)
    for trial, series in enumerate(losses):
        end = len(epochs) if trial in second else rungs[1] + 1 if trial in first else rungs[0] + 1
        colour = VERMILION if trial in second else SKY if trial in first else FAINT
        style = {"color": colour, "linewidth": 2 if trial in second else 1.1, "zorder": 3 if trial in second else 2}
        run.plot(epochs[:end], series[:end], marker="." if end < len(epochs) else "", markevery=[end - 1], **style)
        whole.plot(epochs, series, **style)
    for axes in (run, whole):
        for rung in rungs:
            axes.axvline(epochs[rung], color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
        is_log(axes)
    for colour, name in ((FAINT, "stopped at the first rung"), (SKY, "at the second"), (VERMILION, "trained to the end")):
        run.plot([], [], color=colour, label=name)
    saved = 1 - sum((27 * epochs[rungs[0]], 9 * (epochs[rungs[1]] - epochs[rungs[0]]), 3 * (9 - epochs[rungs[1]]))) / (27 * 9)
    run.set_title(f"Stopped at rungs: {percent(saved, 0)} of the training saved", loc="left")
    return Drawing([run, whole])
