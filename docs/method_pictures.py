"""Draws the pictures of docs/method with shoal's own code, about two minutes: docs/images/method/*.png (needs chromium).

python docs/method_pictures.py [NAME ...]
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
from measuring.networks import Network, Shelf, stages, train
from measuring.regularisation import BASES, first_sums, norm_of_weights
from measuring.setting_up import norms_by_depth
from measuring.surfaces import SURFACES, Surface, best_paths
from plotly.subplots import make_subplots

import shoal
from shoal import averages, devices, optimisers
from shoal.data import read_table
from shoal.data.normalise import Standardiser
from shoal.nets.layers import ACTIVATIONS, NORMALISATION_EPSILON
from shoal.recipe import DECAYS, INITIALISATIONS, Recipe, stack
from shoal.schedules import learning_rate

IMAGES = Path(__file__).resolve().parent / "images" / "method"

BLACK, BLUE, VERMILION, GREEN, PINK, ORANGE, SKY = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
"""The colours of Okabe and Ito (2008), which colour-blind readers can tell apart; lines differ in their dashes as well."""
COLOURS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
GREY = "#8a8a8a"
MARKERS = ("circle", "square", "triangle-up", "diamond", "x", "cross", "star")

PICTURES: dict[str, tuple[int, Callable[[], go.Figure]]] = {}


def picture(name: str, height: int) -> Callable[[Callable[[], go.Figure]], Callable[[], go.Figure]]:
    """Register a function as what draws a picture."""

    def register(draw: Callable[[], go.Figure]) -> Callable[[], go.Figure]:
        PICTURES[name] = height, draw
        return draw

    return register


def line(colour: str, dash: str = "solid", width: float = 2.2) -> dict[str, Any]:
    """How a line looks."""
    return {"color": colour, "dash": dash, "width": width}


@picture("lambda-and-tanh", 430)
def lambda_and_tanh() -> go.Figure:
    """Z of the first layer against tanh, for growing lambda."""
    base = replace(BASES["example:diabetes"], activation="tanh", optimiser="adam")
    lambdas = (0.0, 1.0, 10.0, 100.0)
    trained = train(Shelf(), "example:diabetes", {str(value): replace(base, l2=value) for value in lambdas}, 1)
    titles = [f"lambda = {value:g}: size of W {norm_of_weights(trained[str(value)][0]):.1f}" for value in lambdas]
    figure = make_subplots(1, 4, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.02)
    z = np.linspace(-4, 4, 200)
    for column, value in enumerate(lambdas, 1):
        sums_of_z = first_sums(trained[str(value)][0]).ravel()
        heights, edges = np.histogram(sums_of_z, np.linspace(-4, 4, 49), density=True)
        first = column == 1
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=heights / heights.max(),
            marker_color=SKY,
            name="where Z[1] lies (share of values)",
            showlegend=first,
            col=column,
            row=1,
        )
        figure.add_scatter(x=z, y=np.tanh(z), line=line(BLACK), name="tanh(Z)", showlegend=first, col=column, row=1)
        figure.add_scatter(x=z, y=z, line=line(VERMILION, "dash", 1.8), name="the straight line Z", showlegend=first, col=column, row=1)
    figure.update_xaxes(title="Z[1]", range=[-4, 4])
    figure.update_yaxes(range=[-1.15, 1.15])
    figure.update_yaxes(title="A[1] = tanh(Z[1])", col=1)
    return figure.update_layout(title="The larger lambda, the smaller W and Z, and the straighter the part of tanh that is used", bargap=0)


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
        return optimisers.update(w, jax.grad(cost)(w), optimisers.start(w, ()), {"w": False}, rate, age, numbers, ())[0]

    w, path = {"w": jnp.zeros(2)}, [np.zeros(2)]
    lowest, at_start = cost({"w": optimum}), cost(w)
    while cost(w) - lowest > 0.001 * (at_start - lowest):
        w = step(w, jnp.int32(len(path)))
        path.append(np.asarray(w["w"]))
    return np.array(path), optimum


@picture("normalised-inputs", 470)
def normalised_inputs() -> go.Figure:
    """The cost of two inputs in their own units and normalised, with the path of gradient descent."""
    frame = read_table("example:breast-cancer")
    raw = np.stack([frame[name].to_numpy() for name in ("mean radius", "mean texture")], 1)
    y = (frame["target"].to_numpy() == frame["target"].to_numpy().max()) * 2.0 - 1.0
    y = Standardiser.fit(y)(y)
    normal = np.stack([Standardiser.fit(column)(column) for column in raw.T], 1)
    found = [descent(x, y) for x in (raw, normal)]
    titles = [f"{name}: {len(path) - 1:,} steps" for name, (path, _) in zip(("In their own units", "Normalised"), found, strict=True)]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.1)
    for column, (x, (path, optimum)) in enumerate(zip((raw, normal), found, strict=True), 1):
        reach = 1.3 * np.abs(path - optimum).max()
        axes = [np.linspace(middle - reach, middle + reach, 161) for middle in optimum]
        w1, w2 = np.meshgrid(*axes)
        away = np.stack([w1 - optimum[0], w2 - optimum[1]])
        above = 0.5 * np.einsum("iab,ij,jab->ab", away, x.T @ x / len(x), away)  # J minus its lowest value, exactly
        background = {"colorscale": [[0, "#ffffff"], [1, "#c9d6e3"]], "showscale": False, "line": {"color": GREY, "width": 1}}
        figure.add_contour(x=axes[0], y=axes[1], z=np.log10(above + 0.003 * above.max()), ncontours=14, **background, row=1, col=column)
        figure.add_scatter(
            x=path[:, 0],
            y=path[:, 1],
            mode="lines+markers",
            line=line(VERMILION, width=1.6),
            marker={"size": 5},
            name="path of gradient descent",
            showlegend=column == 1,
            row=1,
            col=column,
        )
        figure.add_scatter(
            x=[optimum[0]],
            y=[optimum[1]],
            mode="markers",
            marker={"symbol": "star", "size": 15, "color": BLUE},
            name="lowest cost",
            showlegend=column == 1,
            row=1,
            col=column,
        )
        figure.update_xaxes(title="w1 (mean radius)", row=1, col=column)
        figure.update_yaxes(title="w2 (mean texture)", row=1, col=column)
    return figure.update_layout(title="Contours of the cost over two weights, each descent at its best learning rate")


@picture("averages", 480)
def weighted_averages() -> go.Figure:
    """Exponentially weighted averages of a real series, with and without bias correction."""
    recipe = Recipe(activation="relu", batch_size=16, epochs=3, decay="constant")
    losses = train(Shelf(), "example:digits", {"digits": recipe}, 1, every=1)["digits"][0].trace.train_loss[:160]
    figure = go.Figure()
    steps = np.arange(1, len(losses) + 1)
    figure.add_scatter(x=steps, y=losses, mode="markers", marker={"color": GREY, "size": 5, "opacity": 0.6}, name="loss of each mini-batch")
    for (beta, colour), dash in zip(((0.5, PINK), (0.9, BLUE), (0.98, VERMILION)), ("dot", "solid", "solid"), strict=True):
        figure.add_scatter(
            x=steps,
            y=averages.of(losses, beta),
            line=line(colour, dash),
            name=f"beta = {beta}, corrected (spans about {averages.span(beta):.0f})",
        )
        if beta == 0.98:
            figure.add_scatter(
                x=steps,
                y=averages.of(losses, beta, corrected=False),
                line=line(colour, "dash"),
                name="beta = 0.98, not corrected: starts at 0",
            )
    figure.update_xaxes(title="step t")
    figure.update_yaxes(title="training loss", rangemode="tozero")
    return figure.update_layout(title="Exponentially weighted averages of a training loss")


FAMILIES = {
    "averages of dW": ("gradient_descent", "momentum", "classical_momentum", "nesterov"),
    "averages of dW², or signs": ("rmsprop", "adagrad", "lion"),
    "both, bias-corrected": ("adam", "nadam", "amsgrad"),
}


def optimiser_paths(surface: Surface) -> go.Figure:
    """The path of every optimiser on one surface, each at its best learning rate."""
    figure = make_subplots(1, 3, subplot_titles=tuple(FAMILIES), horizontal_spacing=0.05)
    low1, high1, low2, high2 = surface.view
    axes = np.linspace(low1, high1, 121), np.linspace(low2, high2, 121)
    cost = np.asarray(surface.cost(*np.meshgrid(*axes)))
    background = {"colorscale": [[0, "#ffffff"], [1, "#dfe6ee"]], "showscale": False, "line": {"color": "#b5bcc4", "width": 1}}
    for column, names in enumerate(FAMILIES.values(), 1):
        legend = f"legend{column if column > 1 else ''}"
        figure.add_contour(x=axes[0], y=axes[1], z=np.sqrt(cost - cost.min()), ncontours=12, **background, row=1, col=column)
        for number, name in enumerate(names):
            _, steps, path = best_paths(surface)[name]
            label = f"{name}: {steps:.0f} steps" if np.isfinite(steps) else f"{name}: did not stay at the minimum"
            look = {"line": line(COLOURS[number], DASHES[number], 1.8), "marker": {"size": 4.5, "symbol": MARKERS[number]}}
            figure.add_scatter(x=path[:, 0], y=path[:, 1], mode="lines+markers", **look, name=label, legend=legend, row=1, col=column)
        under = {"x": (column - 1) * 0.35, "y": 0.01, "yref": "container", "yanchor": "bottom", "orientation": "v"}
        figure.update_layout({legend: under})
    figure.update_xaxes(range=[low1, high1], title="w1")
    figure.update_yaxes(range=[low2, high2])
    figure.update_yaxes(title="w2", col=1)
    return figure.update_layout(title=f"A {surface.name}: each optimiser at its best learning rate", margin_b=150)


for each in SURFACES:
    picture(f"paths-{each.name}", 500)(functools.partial(optimiser_paths, each))


@picture("decays", 470)
def decays() -> go.Figure:
    """Every decay of the learning rate over 50 epochs."""
    own = {"sqrt_step": {"decay_rate": 4.0}, "staircase": {"decay_factor": 0.5}, "inverse_time": {"decay_rate": 0.2}}
    kinds = [name for name in DECAYS if name not in ("constant", "plateau")]
    recipes = {name: Recipe(decay=name, learning_rate=1.0, **own.get(name, {})) for name in kinds}  # type: ignore[arg-type]
    recipes["cosine, warm_up = 5"] = Recipe(decay="cosine", learning_rate=1.0, warm_up=5.0)
    ages = jnp.arange(0, 1000, 5)
    at = jax.vmap(jax.vmap(learning_rate, (None, 0, None)), (0, None, None))
    rates = np.asarray(at(stack([recipe.numbers(0) for recipe in recipes.values()]), ages, jnp.float32(20)))
    columns = (
        ("inverse_time", "exponential", "sqrt_epoch", "sqrt_step", "staircase"),
        ("linear", "cosine", "one_cycle", "cosine, warm_up = 5"),
    )
    figure = make_subplots(
        1, 2, shared_yaxes=True, subplot_titles=("By the epochs so far", "By the share of the training"), horizontal_spacing=0.04
    )
    for column, names in enumerate(columns, 1):
        for number, name in enumerate(names):
            values = rates[list(recipes).index(name)]
            changed = ", ".join(f"{key} = {value:g}" for key, value in own.get(name, {}).items())
            figure.add_scatter(
                x=np.asarray(ages) / 20,
                y=np.minimum(values, 1.3),
                line=line(COLOURS[number], DASHES[number]),
                name=f"{name}{f' ({changed})' if changed else ''}",
                legend="legend" if column == 1 else "legend2",
                row=1,
                col=column,
            )
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(range=[0, 1.3])
    figure.update_yaxes(title="learning rate / alpha0", col=1)
    for name, x in (("legend", 0.2), ("legend2", 0.76)):
        figure.update_layout(
            {name: {"x": x, "y": 0.98, "xanchor": "left", "yanchor": "top", "orientation": "v", "bgcolor": "rgba(255,255,255,0.8)"}}
        )
    return figure.update_layout(
        title="Decays of the learning rate over 50 epochs (not shown: constant, and plateau, which follows the dev score)"
    )


def sums(network: Network, rows: int = 512) -> list[np.ndarray]:
    """What the activation of each hidden layer is given ``[rows, units]``, normalised over these training rows under batch norm."""
    a, found = network.dataset.inputs["train"][:rows], []
    for layer in network.parameters[:-1]:
        z = a @ layer["w"] + layer.get("b", 0.0)
        if network.recipe.normalisation == "batch":
            z = layer["gamma"] * (z - z.mean(0)) / np.sqrt(z.var(0) + NORMALISATION_EPSILON) + layer["beta"]
        found.append(z)
        a = np.asarray(ACTIVATIONS[network.recipe.activation](jnp.asarray(z)))
    return found


@picture("hidden-shift", 560)
def hidden_shift() -> go.Figure:
    """The distribution of one unit's Z in early and late layers over the training, with and without batch norm."""
    base = Recipe(hidden_units=(64,) * 6, activation="relu", learning_rate=3e-3, decay="constant", epochs=40, batch_size=64)
    layers = (1, 5)
    names = {"none": "without batch norm", "batch": "with batch norm"}
    titles = [f"layer {layer + 1}, {name}" for layer in layers for name in names.values()]
    figure = make_subplots(2, 2, subplot_titles=titles, horizontal_spacing=0.06, vertical_spacing=0.12, shared_xaxes=True)
    for column, kind in enumerate(names, 1):
        networks = stages(Shelf(), "example:digits", replace(base, normalisation=kind), 0, every=17)  # type: ignore[arg-type]
        steps = np.arange(len(networks)) * 17
        for row, layer in enumerate(layers, 1):
            z = np.array([sums(network)[layer] for network in networks])  # [times, rows, units]
            moved = np.abs(np.diff(z.mean(1), axis=0)).sum(0) / z.std(1).mean(0)
            unit = int(np.argsort(moved)[len(moved) // 2])  # the one that moves as much as half of the others
            low, lower, middle, upper, high = np.quantile(z[:, :, unit], (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
            first = row == column == 1
            for bottom, top, shade, name in (
                (low, high, "rgba(0,114,178,0.18)", "90 % of the rows"),
                (lower, upper, "rgba(0,114,178,0.38)", "half of the rows"),
            ):
                figure.add_scatter(
                    x=[*steps, *steps[::-1]],
                    y=[*top, *bottom[::-1]],
                    fill="toself",
                    fillcolor=shade,
                    line={"width": 0},
                    name=name,
                    showlegend=first,
                    row=row,
                    col=column,
                )
            figure.add_scatter(x=steps, y=middle, line=line(VERMILION), name="the row in the middle", showlegend=first, row=row, col=column)
            figure.update_yaxes(title="Z of a typical unit" if column == 1 else None, row=row, col=column)
    figure.update_xaxes(title="step", row=2)
    return figure.update_layout(
        title="What a hidden unit's activation is given during training: it wanders, and batch norm holds it in place"
    )


@picture("softmax-boundaries", 520)
def softmax_boundaries() -> go.Figure:
    """Softmax regression of three classes on two columns: straight lines between the classes."""
    frame = read_table("example:wine").select("alcohol", "flavanoids", "target")
    labels = [str(label) for label in frame["target"].unique(maintain_order=True)]
    recipe = Recipe(hidden_units=(), optimiser="adamw", learning_rate=0.05, epochs=200, input_normalisation="standard", calibration="none")
    result = shoal.train(frame, target="target", recipe=recipe, seeds=1, seed=3)
    low, high = (
        frame.select("alcohol", "flavanoids").to_numpy().min(0) - 0.3,
        frame.select("alcohol", "flavanoids").to_numpy().max(0) + 0.3,
    )
    axes = [np.linspace(a, b, 240) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    probability = result.predict({"alcohol": grid[:, 0], "flavanoids": grid[:, 1]}, proba=True)
    predicted = np.array([labels.index(str(label)) for label in probability["prediction"]]).reshape(240, 240)
    figure = go.Figure()
    shades = ("#cfe3f2", "#f9dcc7", "#cdeee2")
    figure.add_heatmap(x=axes[0], y=axes[1], z=predicted, colorscale=[[0, shades[0]], [0.5, shades[1]], [1, shades[2]]], showscale=False)
    for number, label in enumerate(labels):
        own = frame.filter(frame["target"].cast(str) == label)
        figure.add_scatter(
            x=own["alcohol"],
            y=own["flavanoids"],
            mode="markers",
            name=f"cultivar {number + 1}",
            marker={"color": COLOURS[number], "symbol": MARKERS[number], "size": 8, "line": {"width": 0.5, "color": "white"}},
        )
    figure.update_xaxes(title="alcohol, % by volume")
    figure.update_yaxes(title="flavanoids")
    return figure.update_layout(title="Softmax regression, C = 3, no hidden layer: the boundaries are straight lines")


@picture("signals-by-depth", 470)
def signals_by_depth() -> go.Figure:
    """Root mean square of A[l] by depth before the first step, for each initialisation."""
    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=("relu", "tanh"), horizontal_spacing=0.04)
    kinds = [name for name in INITIALISATIONS if name != "zeros"]
    for column, activation in enumerate(("relu", "tanh"), 1):
        base = Recipe(hidden_units=(64,) * 8, activation=activation, batch_size=64, epochs=0.05, learning_rate=1e-12)  # type: ignore[arg-type]
        recipes: Any = {name: replace(base, initialisation=name) for name in kinds} | {
            "he, initialisation_gain = 2": replace(base, initialisation_gain=2.0)
        }
        trained = train(Shelf(), "example:digits", recipes, 1, every=1)
        for number, name in enumerate(recipes):
            sizes, _ = norms_by_depth(trained[name][0])
            figure.add_scatter(
                x=np.arange(1, 9),
                y=sizes,
                mode="lines+markers",
                line=line(COLOURS[number], DASHES[number]),
                marker={"symbol": MARKERS[number], "size": 8},
                name=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title="layer l")
    figure.update_yaxes(type="log", exponentformat="power", dtick=2)
    figure.update_yaxes(title="size of A[l] (root mean square)", col=1)
    return figure.update_layout(title="Signals before the first step, by depth: 8 layers of 64 units on the digits (zeros: 0 everywhere)")


def photograph(figure: go.Figure, path: Path, height: int, top: int = 90) -> None:
    """The figure as a PNG, by a headless browser; ``top`` is the room for titles."""
    figure.update_layout(
        template="plotly_white", width=1000, height=height, font={"family": "DejaVu Sans, Arial, sans-serif", "size": 13},
        margin={"l": 70, "r": 20, "t": top, "b": 60}, title_font_size=16, paper_bgcolor="white",
    )  # fmt: skip
    if figure.layout.to_plotly_json().get("legend", {}).get("x") is None:
        figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0}, margin_b=120)
    figure.update_annotations(font_size=13)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.write_html(page, config={"displayModeBar": False, "staticPlot": True})
        page.write_text(page.read_text().replace("<body>", '<body style="margin:0">'))
        switches = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size=1000,{height}",
            "--virtual-time-budget=8000",
        ]
        subprocess.run(
            ["chromium", *switches, f"--user-data-dir={folder}/profile", f"--screenshot={path}", page.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Draw the pictures that were asked for, or all of them."""
    devices.start()
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        height, draw = PICTURES[name]
        photograph(draw(), IMAGES / f"{name}.png", height)
        sys.stderr.write(f"{name}: {(IMAGES / f'{name}.png').stat().st_size / 1000:.0f} KB\n")


if __name__ == "__main__":
    main()
