"""Section 3: normalised inputs, signals through deep networks, initialisations, and the step of a gradient check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring.networks import Network, Shelf, at_start, train

from figures.drawing import BLUE, COLOURS, FAINT, MARKERS, SKY, VERMILION, Drawing, contours, is_log, look, panel, power
from figures.registry import figure
from shoal import optimisers
from shoal.data import read_table
from shoal.data.normalise import Standardiser
from shoal.gradcheck.recipe_network import subjects
from shoal.nets.layers import ACTIVATIONS
from shoal.nets.network import Layout, outputs
from shoal.recipe import INITIALISATIONS, Recipe


def descent(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on ``J = 1/(2m) sum (x w - y)^2``, until 99.9 % of the way down: the path ``[steps, 2]``, and the optimum.

    The learning rate is the best steady one, 2 over the sum of the least and the greatest curvature.
    """
    curvature = np.linalg.eigvalsh(x.T @ x / len(x))
    rate, optimum = jnp.float32(2 / (curvature[0] + curvature[-1])), np.linalg.lstsq(x, y, rcond=None)[0]
    numbers = Recipe(optimiser="gradient_descent").numbers(0)

    def cost(w: Any) -> Any:
        return jnp.square(x @ w["w"] - y).mean() / 2

    @jax.jit
    def step(w: Any, age: Any) -> Any:
        return optimisers.update(w, jax.grad(cost)(w), optimisers.start(w, ()), {"w": False}, {"w": 1.0}, rate, age, numbers, ())[0]

    w, path = {"w": jnp.zeros(2)}, [np.zeros(2)]
    lowest, at_start = cost({"w": optimum}), cost(w)
    while cost(w) - lowest > 0.001 * (at_start - lowest):
        w = step(w, jnp.int32(len(path)))
        path.append(np.asarray(w["w"]))
    return np.array(path), optimum


@figure("normalised-inputs")
def normalised_inputs() -> Drawing:
    """The cost of two inputs in their own units and normalised, with the path of gradient descent."""
    frame = read_table("example:breast-cancer")
    raw = np.stack([frame[name].to_numpy() for name in ("mean radius", "mean texture")], 1)
    y = (frame["target"].to_numpy() == frame["target"].to_numpy().max()) * 2.0 - 1.0
    y = Standardiser.fit(y)(y)
    normal = np.stack([Standardiser.fit(column)(column) for column in raw.T], 1)
    panels = []
    for name, x in (("In their own units", raw), ("Normalised", normal)):
        path, optimum = descent(x, y)
        reach = 1.3 * np.abs(path - optimum).max()
        curvature = x.T @ x / len(x)

        def above(w1: Any, w2: Any, optimum: np.ndarray = optimum, curvature: np.ndarray = curvature) -> Any:
            away = np.stack([w1 - optimum[0], w2 - optimum[1]])
            return 0.5 * np.einsum("i...,ij,j...->...", away, curvature, away)  # J minus its lowest value, exactly

        axes = panel(f"{name}: {len(path) - 1:,} steps", "w₁ (mean radius)", "w₂ (mean texture)", height=300)
        contours(axes, above, (optimum[0] - reach, optimum[0] + reach, optimum[1] - reach, optimum[1] + reach))
        axes.plot(*path.T, color=VERMILION, marker="o", markersize=3, linewidth=1.3, label="path of gradient descent")
        axes.plot(*optimum, color=BLUE, marker="*", markersize=13, linestyle="None", label="lowest cost")
        panels.append(axes)
    return Drawing(panels)


def identity_norms(c: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Norms of ``A[l]`` and of the slope of the output with respect to ``A[L-l]``, ``l`` from 0 to depth, through layers ``W = c I``.

    With linear activations both are ``c^l``, times the norm of what they begin with, which is 1 here.
    """
    layer = Layout(Recipe((4,), "identity").shape, 4, 4, 0, 4, "softmax", ())
    weights = ({"w": c * jnp.eye(4), "b": jnp.zeros(4)}, {"w": jnp.eye(4), "b": jnp.zeros(4)})

    def through(a: Any) -> Any:
        return outputs(layer, weights, (), a, jnp.array([4], jnp.int32))

    a = slope = jnp.full((1, 4), 0.5)
    forward, backward = [1.0], [1.0]
    for _ in range(depth):
        a, pull = jax.vjp(through, a)
        (slope,) = pull(slope)
        forward.append(float(jnp.linalg.norm(a)))
        backward.append(float(jnp.linalg.norm(slope)))
    return np.array(forward), np.array(backward)


@figure("identity-norms")
def identity_norms_by_depth() -> Drawing:
    """Signals and gradients through layers of W = c I."""
    depth = 50
    panels = [
        panel("Forward: size of A[l]", "layer l", "times the input's"),
        panel("Back: size of dA[l]", "layers back from the output", "times the output's"),
    ]
    for number, c in enumerate((1.5, 1.0, 0.5)):
        for axes, norms in zip(panels, identity_norms(c, depth), strict=True):
            axes.plot(np.arange(depth + 1), norms, label=f"W = {c:g} I", **look(number))
    for axes in panels:
        is_log(axes)
        axes.set_yticks([1e-15, 1e-10, 1e-5, 1, 1e5])
    return Drawing(panels)


@figure("signals-by-depth")
def signals_by_depth() -> Drawing:
    """Root mean square of A[l] by depth before the first step, for each initialisation."""
    kinds = [name for name in INITIALISATIONS if name != "zeros"]
    panels = []
    for activation in ("relu", "tanh"):
        base = Recipe(hidden_units=(64,) * 8, activation=activation, batch_size=64)
        recipes = {name: replace(base, initialisation=name) for name in kinds}  # type: ignore[arg-type]
        recipes["he, initialisation_gain = 2"] = replace(base, initialisation_gain=2.0)
        networks = at_start(Shelf(), "example:digits", recipes)
        axes = panel(activation, "layer l", "size of A[l] (root mean square)", height=280)
        for number, name in enumerate(recipes):
            sizes = [np.sqrt(np.square(a).mean()) for a in activations(networks[name])]
            axes.plot(np.arange(1, 9), sizes, marker=MARKERS[number], label=name, **look(number))
        is_log(axes)
        panels.append(axes)
    return Drawing(panels)


@figure("clipping")
def clipping() -> Drawing:
    """Training loss and the norm of the gradient at a learning rate that is too high, free and clipped."""
    base = Recipe(optimiser="gradient_descent", activation="relu", decay="constant", batch_size=32, epochs=12, learning_rate=0.02)
    recipes = {
        "learning_rate = 0.02": base,
        "learning_rate = 0.7": replace(base, learning_rate=0.7),
        "learning_rate = 0.7, clip_norm = 1": replace(base, learning_rate=0.7, clip_norm=1.0),
    }
    trained = train(Shelf(), "example:diabetes", recipes, 1, every=1)
    panels = [panel("Training loss", "step", "loss of the mini-batch"), panel("Norm of the gradient", "step", "before clipping")]
    for number, (name, networks) in enumerate(trained.items()):
        trace = networks[0].trace
        for axes, series in zip(panels, (trace.train_loss, trace.gradient_norm), strict=True):
            shown = np.where(np.isfinite(series) & (series < 1e6), series, np.nan)
            axes.plot(np.arange(1, len(shown) + 1), shown, label=name, **look(number, linewidth=1.4))
    for axes in panels:
        is_log(axes)
    return Drawing(panels)


def activations(network: Network, rows: int = 512) -> list[np.ndarray]:
    """``A[l]`` of each hidden layer ``[rows, units]`` on some training rows."""
    a, found = network.dataset.inputs["train"][:rows], []
    for layer in network.parameters[:-1]:
        a = np.asarray(ACTIVATIONS[network.recipe.activation](jnp.asarray(a @ layer["w"] + layer["b"])))
        found.append(a)
    return found


@figure("initialisations")
def initialisations() -> Drawing:
    """What tanh gives in layers 1, 3, 5 and 8 before the first step: faded, sound, saturated."""
    base = Recipe(hidden_units=(64,) * 8, activation="tanh", batch_size=64)
    recipes = {
        "small_random: fades to 0": replace(base, initialisation="small_random"),
        "xavier: keeps its size": replace(base, initialisation="xavier"),
        "lsuv: keeps its size exactly": replace(base, initialisation="lsuv"),
        "xavier, 5 times too large: saturates": replace(base, initialisation="xavier", initialisation_gain=5.0),
    }
    panels, edges = [], np.linspace(-1, 1, 42)
    for name, network in at_start(Shelf(), "example:digits", recipes).items():
        axes = panel(name, "A[l] of 512 rows and 64 units", "")
        found = activations(network)
        for place, layer in enumerate((8, 5, 3, 1)):
            heights, _ = np.histogram(found[layer - 1], edges)
            axes.stairs(place + 0.85 * heights / heights.max(), edges, baseline=place, fill=True, color=SKY, alpha=0.8)
        axes.set_yticks(np.arange(4) + 0.2, ["layer 8", "layer 5", "layer 3", "layer 1"])
        axes.grid(visible=False)
        panels.append(axes)
    return Drawing(panels)


def errors_of_differences(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of two-sided and one-sided differences of a network's cost, in double precision, by the step."""
    with jax.enable_x64(True):
        _, subject = next(subjects(Recipe(hidden_units=(8, 8), activation="tanh"), 0))
        start, found = subject.point.values, []
        blocks = np.array_split(np.eye(len(start)), -(-len(start) // subject.chunk))
        for step in steps:
            ahead, behind = (np.concatenate([subject.costs(start + sign * step * block) for block in blocks]) for sign in (1, -1))
            differences = (ahead - behind) / (2 * step), (ahead - subject.cost) / step
            found.append([relative_error(d, subject.gradient) for d in differences])
    return tuple(np.array(found).T)  # type: ignore[return-value]


def relative_error(d: np.ndarray, gradient: np.ndarray) -> float:
    """``||d - dtheta|| / (||d|| + ||dtheta||)``."""
    return float(np.linalg.norm(d - gradient) / (np.linalg.norm(d) + np.linalg.norm(gradient)))


@figure("gradient-check")
def gradient_check() -> Drawing:
    """The relative error of a right gradient by the step of its check: curvature on the right, round-off on the left."""
    steps = np.geomspace(1e-12, 0.3, 36)
    axes = panel("A right gradient, checked with every step", "step eps", "relative error", width=440, height=290)
    for number, (name, errors) in enumerate(
        zip(("two-sided: (J(θ+ε) − J(θ−ε)) / 2ε", "one-sided: (J(θ+ε) − J(θ)) / ε"), errors_of_differences(steps), strict=True)
    ):
        axes.plot(steps, errors, marker=MARKERS[number], markersize=4, label=name, **look(number))
    for number, (limit, name) in enumerate(((1e-7, "correct below"), (1e-3, "wrong above"))):
        axes.axhline(limit, color=COLOURS[2 + number], linewidth=1.3, linestyle=(0, (2, 2)), label=f"{name}: {power(limit)}")
    axes.axvline(1e-5, color=FAINT, linewidth=1.3, label="shoal's own step, 10⁻⁵")
    is_log(axes, "xy")
    return Drawing([axes])
