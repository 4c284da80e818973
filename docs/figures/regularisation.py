"""Section 2: what penalties, dropout, augmentation and early stopping do to weights, boundaries and curves."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from measuring.networks import Network, Shelf, train
from measuring.regularisation import BASES, first_sums, norm_of_weights
from sklearn.datasets import load_sample_image

from figures.drawing import BLUE, FAINT, INK, ORANGE, SKY, Drawing, bare, is_log, look, panel, points, regions
from figures.registry import figure
from figures.rows import error, error_on_new, moons, plane, trained_on
from shoal import noise, optimisers
from shoal.augmented_pictures import augmented
from shoal.interval import percent
from shoal.nets import layers
from shoal.recipe import Recipe, techniques_of

STEPS = 200


def left_of_a_weight(recipe: Recipe, size: float) -> float:
    """What 200 steps leave of a weight of 1 whose gradient is now ``size``, now ``-size``, so that only the penalty moves it."""
    used, numbers = techniques_of([recipe]), recipe.numbers(0)
    w = {"w": jnp.ones(1)}
    moments = optimisers.start(w, used)
    for age in range(STEPS):
        gradient = {"w": jnp.full(1, size * (-1) ** age) + recipe.l2 * w["w"]}
        w, moments = optimisers.update(
            w, gradient, moments, {"w": True}, {"w": 1.0}, jnp.float32(recipe.learning_rate), jnp.int32(age), numbers, used
        )
    return float(w["w"][0])


@figure("two-decays")
def two_decays() -> Drawing:
    """What L2 and decoupled decay leave of a weight, by the size of its gradients."""
    sizes = np.geomspace(1e-3, 10, 13)
    ways = {
        "gradient descent, L2": Recipe(optimiser="gradient_descent", learning_rate=0.01, l2=0.1),
        "Adam, L2": Recipe(optimiser="adam", learning_rate=0.01, l2=0.1),
        "AdamW, decoupled decay": Recipe(optimiser="adamw", learning_rate=0.01, weight_decay=0.1),
    }
    axes = panel("What 200 steps of decay leave of a weight of 1", "size of its gradients", "of the weight", width=440)
    for number, (name, recipe) in enumerate(ways.items()):
        axes.plot(sizes, [left_of_a_weight(recipe, float(size)) for size in sizes], marker="os^"[number], label=name, **look(number))
    axes.set_ylim(-0.05, 1.05)
    is_log(axes, "x")
    return Drawing([axes])


@figure("l1-and-l2")
def l1_and_l2() -> Drawing:
    """The weights of the first layer under no penalty, L2 and L1."""
    base = BASES["example:diabetes"]
    ways = {
        "No penalty": base,
        "l2 = 10": replace(base, optimiser="adam", l2=10.0),
        "l1 = 100": replace(base, l1=100.0),
    }
    trained = train(Shelf(), "example:diabetes", ways, 1)
    panels = []
    for name, networks in trained.items():
        w = np.concatenate([layer["w"].ravel() for layer in networks[0].parameters])
        axes = panel(f"{name}: {percent((w == 0).mean(), 0)} are exactly 0", "weight", "share of the weights, %", height=210)
        axes.hist(w, np.linspace(-1, 1, 61), weights=np.full(len(w), 100 / len(w)), color=BLUE)
        axes.set_yscale("symlog", linthresh=5)
        axes.set_yticks([0, 5, 20, 80], ["0", "5", "20", "80"])
        axes.set_ylim(0, 100)
        panels.append(axes)
    return Drawing(panels)


@figure("lambda-and-tanh")
def lambda_and_tanh() -> Drawing:
    """Z of the first layer against tanh, for growing lambda."""
    base = replace(BASES["example:diabetes"], activation="tanh", optimiser="adam")
    trained = train(Shelf(), "example:diabetes", {f"{value:g}": replace(base, l2=value) for value in (0.0, 1.0, 10.0, 100.0)}, 1)
    panels, z = [], np.linspace(-4, 4, 200)
    for value, (network,) in trained.items():
        axes = panel(f"λ = {value}: norm of W {norm_of_weights(network):.1f}", "Z[1]", "A[1] = tanh(Z[1])", height=220)
        heights, edges = np.histogram(first_sums(network).ravel(), np.linspace(-4, 4, 49), density=True)
        axes.stairs(heights / heights.max(), edges, fill=True, color=SKY, alpha=0.7, label="where Z[1] lies (share of values)")
        axes.plot(z, z, label="the straight line Z", **look(1, linewidth=1.5))
        axes.plot(z, np.tanh(z), color=INK, label="tanh(Z)")
        axes.set(xlim=(-4, 4), ylim=(-1.15, 1.15))
        panels.append(axes)
    return Drawing(panels)


MOONS = Recipe(
    hidden_units=(32, 32), activation="tanh", optimiser="adam", learning_rate=0.02, epochs=400, batch_size=32, decay="constant",
    input_normalisation="none",
)  # fmt: skip


def boundary(title: str, network: Network) -> Axes:
    """Where a network draws the line between the half moons, with some of its training rows, and its errors on them and on new ones."""
    x, y, output = plane(network)
    axes = panel(title, "x₁", "x₂", height=235)
    regions(axes, x, y, output)
    points(axes, network.dataset.inputs["train"][:180], network.dataset.targets["train"][:180], 12, ("class 0", "class 1"))
    axes.text(
        0.02,
        0.02,
        f"train error {percent(error(network, 'train'))}, on new rows {percent(error_on_new(network))}",
        transform=axes.transAxes,
        fontsize=10,
    )
    axes.set_ylim(bottom=y[0] - 0.12 * np.ptp(y))
    return axes


@figure("l2-boundary")
def l2_boundary() -> Drawing:
    """The boundary between two classes, for growing lambda."""
    trained = trained_on(moons, {f"λ = {value:g}": replace(MOONS, l2=value) for value in (0.0, 0.3, 3.0, 10.0)})
    return Drawing([boundary(name, networks[0]) for name, networks in trained.items()])


NETWORK = (4, 6, 6, 1)
"""Units of the small network whose thinned forms are drawn: inputs, two hidden layers, output."""


def kept_units(step: int, keep_prob: float) -> list[np.ndarray]:
    """Which units of each layer dropout keeps in a step."""
    kept = [np.ones(NETWORK[0], bool)]
    for layer, units in enumerate(NETWORK[1:-1]):
        drawn = layers.dropout(jnp.ones((1, units)), noise.bits(noise.stream(100 * step + layer), 1, units), jnp.float32(keep_prob))
        kept.append(np.asarray(drawn)[0] > 0)
    return [*kept, np.ones(NETWORK[-1], bool)]


@figure("dropout-networks")
def dropout_networks() -> Drawing:
    """A network, and what dropout leaves of it in three steps."""
    panels = []
    for step in range(4):
        kept = kept_units(step, 0.6 if step else 1.0)
        axes = bare(panel(f"Step {step}: keep_prob = 0.6" if step else "In use: every unit", height=210))
        places = [[(layer, (row - (units - 1) / 2)) for row in range(units)] for layer, units in enumerate(NETWORK)]
        for layer in range(len(NETWORK) - 1):
            for start, on in zip(places[layer], kept[layer], strict=True):
                for end, also in zip(places[layer + 1], kept[layer + 1], strict=True):
                    if on and also:
                        axes.plot(*np.array([start, end]).T, color=FAINT, linewidth=0.7, zorder=1)
        at, on = np.concatenate([np.array(each) for each in places]), np.concatenate(kept)
        axes.scatter(*at[on].T, s=120, color=BLUE, zorder=2, label="unit")
        axes.scatter(*at[~on].T, s=120, facecolors="none", edgecolors=FAINT, linestyles="dotted", zorder=2)
        panels.append(axes)
    return Drawing(panels)


KINDS = {
    "as it is": Recipe(),
    "horizontal_flip": Recipe(horizontal_flip=1.0),
    "crop = 0.2": Recipe(crop=0.2),
    "rotation = 40": Recipe(rotation=40.0),
    "zoom, shift": Recipe(zoom=0.4, shift=0.2),
    "brightness, contrast": Recipe(brightness=0.6, contrast=0.6),
    "saturation = 0.9": Recipe(saturation=0.9),
    "cutout = 0.4": Recipe(cutout=0.4),
}


@figure("augmentation")
def augmentation() -> Drawing:
    """A photograph as it is, and as a network may see it in one step of the training."""
    flower = np.asarray(load_sample_image("flower.jpg"))[:420:6, 120:540:6]
    axes = bare(panel("", width=460, height=270))
    for place, (name, recipe) in enumerate(KINDS.items()):
        seen = augmented(flower[None], recipe, seed=5)[0] if place else flower
        left, top = 80 * (place % 4), 92 * (place // 4)
        axes.imshow(seen, extent=(left, left + 72, top + 72, top), interpolation="none")
        axes.text(left + 36, top - 4, name, ha="center", va="bottom", fontsize=11)
    axes.set(xlim=(0, 312), ylim=(170, -14))
    return Drawing([axes])


@figure("mixup")
def mixup() -> Drawing:
    """The weights that mixup draws, and rows between rows."""
    draws = noise.bits(noise.stream(3), 3, 4000)  # three random numbers for each weight
    weights = panel("Weights drawn from Beta(a, a)", "weight of the first row", "share of the draws, %")
    for number, a in enumerate((0.2, 1.0, 4.0)):
        heights, edges = np.histogram(layers.mixup_weight(draws, jnp.float32(a)), np.linspace(0, 1, 21))
        weights.stairs(100 * heights / heights.sum(), edges, label=f"mixup = {a:g}", linewidth=2, color=look(number)["color"])
    x, y = moons()
    partner, share = np.roll(np.arange(len(x)), 1), np.random.default_rng(0).beta(0.4, 0.4, len(x))[:, None]
    mixed, between = share * x + (1 - share) * x[partner], share[:, 0] * y + (1 - share[:, 0]) * y[partner]
    made = panel("Rows between rows", "x₁", "x₂")
    pure = (between < 0.02) | (between > 0.98)
    made.scatter(*mixed[~pure].T, s=14, color=ORANGE, marker="^", label="mixed targets")
    points(made, mixed[pure], (between[pure] > 0.5).astype(int), 12, ("class 0", "class 1"))
    return Drawing([weights, made])


@figure("early-stopping")
def early_stopping() -> Drawing:
    """Train and dev loss by the epoch, with the best dev loss and where patience ends the training."""
    panels = []
    for name, patience in (("example:diabetes", 15), ("example:breast-cancer", 15)):
        recipe = replace(BASES["example:diabetes"], decay="constant")
        network = train(Shelf(), name, {"": recipe}, 1)[""][0]
        epochs = np.arange(1, len(network.trace.dev_loss) + 1) * network.segment / network.tables.steps_per_epoch(32)
        best = int(np.argmin(network.trace.dev_loss))
        axes = panel(name, "epoch", "loss")
        axes.plot(epochs, network.trace.train_loss, label="train loss", **look(0))
        axes.plot(epochs, network.trace.dev_loss, label="dev loss", **look(1))
        axes.plot(
            epochs[best],
            network.trace.dev_loss[best],
            marker="o",
            markersize=8,
            color=INK,
            linestyle="None",
            label="best weights, which are kept",
        )
        axes.axvline(
            epochs[best] + patience,
            color=FAINT,
            linewidth=1.4,
            linestyle=(0, (4, 2)),
            label=f"patience = {patience} ends the training here",
        )
        axes.set_ylim(0)
        panels.append(axes)
    return Drawing(panels)


@figure("smoothing-and-max-norm")
def smoothing_and_max_norm() -> Drawing:
    """How sure a network is with and without label smoothing, and the norms of the weights into its units with and without a limit."""
    base = Recipe(activation="relu", learning_rate=3e-3, epochs=60, decay="constant")
    ways = {"base recipe": base, "label_smoothing = 0.1": replace(base, label_smoothing=0.1), "max_norm = 1": replace(base, max_norm=1.0)}
    trained = train(Shelf(), "example:digits", ways, 1)
    sure = panel("How sure: the largest probability", "of the dev rows", "share of the rows, %")
    norms = panel("Norm of the weights into a unit", "of the hidden layers", "units")
    for number, name in enumerate(ways):
        network = trained[name][0]
        if name != "max_norm = 1":
            heights, edges = np.histogram(network.outputs("dev").max(1), np.linspace(0.3, 1, 29))
            sure.stairs(100 * heights / heights.sum(), edges, linewidth=2, color=look(number)["color"], label=name)
        if not name.startswith("label"):
            sizes = np.concatenate([np.linalg.norm(layer["w"], axis=0) for layer in network.parameters[:-1]])
            heights, edges = np.histogram(sizes, np.linspace(0, 3, 31))
            norms.stairs(heights, edges, linewidth=2, color=look(number)["color"], label=name)
    norms.axvline(1, color=FAINT, linewidth=1.3)
    return Drawing([sure, norms])
