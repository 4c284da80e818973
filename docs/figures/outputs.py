"""Section 7: softmax as bars and as regions of the plane, losses as curves, and how sure predictions are."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from measuring.networks import Shelf, train

from figures.drawing import BLUE, FAINT, INK, MARKERS, SKY, Drawing, look, panel, points, regions
from figures.registry import figure
from figures.rows import plane, trained_on, two_components
from shoal.calibration import fit_temperature, scaled
from shoal.losses import activate_output, per_example
from shoal.recipe import Recipe

CLASSES = ("cat", "dog", "tiger", "none of them")


def softmax(z: tuple[float, ...]) -> np.ndarray:
    """Probabilities of logits."""
    return np.asarray(activate_output("softmax", jnp.array([z])))[0]


@figure("softmax-bars")
def softmax_bars() -> Drawing:
    """The course's four logits, and their probabilities at three temperatures."""
    z = (5.0, 2.0, -1.0, 3.0)
    logits, probabilities = panel("Logits z", "", "z"), panel("Probabilities a", "", "a")
    logits.bar(CLASSES, z, color=SKY, width=0.6)
    logits.axhline(0, color=INK, linewidth=1)
    a = softmax(z)
    probabilities.bar(CLASSES, a, color=BLUE, width=0.6)
    for axes, values, form in ((logits, z, "{:g}"), (probabilities, a, "{:.3f}")):
        for place, value in enumerate(values):
            axes.annotate(form.format(value), (place, max(value, 0)), (0, 3), textcoords="offset points", ha="center")
        axes.grid(visible=False)
        axes.margins(y=0.15)
    return Drawing([logits, probabilities])


@figure("softmax-boundaries")
def softmax_boundaries() -> Drawing:
    """Softmax regression of 3 to 6 kinds of digits on two columns: straight lines between the classes."""
    recipe = Recipe(hidden_units=(), learning_rate=0.1, epochs=60, input_normalisation="standard")
    panels = []
    for classes in (3, 4, 5, 6):
        network = trained_on(functools.partial(two_components, classes), {"": recipe})[""][0]
        x, y, output = plane(network)
        axes = panel(f"C = {classes}", "first column", "second column")
        regions(axes, x, y, output)
        points(
            axes,
            network.dataset.inputs["train"][:220],
            network.dataset.targets["train"][:220],
            9,
            [f"digit {each}" for each in range(classes)],
        )
        panels.append(axes)
    return Drawing(panels)


@figure("losses")
def losses() -> Drawing:
    """The losses of a quantity, by how far the prediction is off; of two classes, by the log odds."""
    off = np.linspace(-3, 3, 121)
    z, zeros = jnp.asarray(off)[:, None], jnp.zeros(len(off))
    quantity = panel("Of a quantity", "prediction − truth", "loss")
    curves = {
        "squared_error": per_example("squared_error", z, zeros),
        "huber, delta 1": per_example("huber", z, zeros, huber_delta=1.0),
        "quantile 0.5": per_example("quantile", z, zeros, quantile=0.5),
        "quantile 0.9": per_example("quantile", z, zeros, quantile=0.9),
    }
    for number, (name, values) in enumerate(curves.items()):
        quantity.plot(off, values, label=name, **look(number))
    quantity.set_ylim(0, 4)
    two = panel("Of two classes", "z, the log odds", "loss")
    two.plot(2 * off, per_example("sigmoid", 2 * z, zeros + 1), label="sigmoid, the class is 1", **look(4))
    two.plot(2 * off, per_example("sigmoid", 2 * z, zeros), label="sigmoid, the class is 0", **look(5))
    return Drawing([quantity, two])


@figure("reliability")
def reliability() -> Drawing:
    """How often predictions are right that say they are so sure: before and after the temperature."""
    base = Recipe(activation="relu", learning_rate=3e-3, epochs=40, decay="constant")
    panels = []
    for name, recipe in (("Trained long", base), ("With label smoothing 0.2", replace(base, label_smoothing=0.2, epochs=20))):
        found = [_sure_and_right(network) for network in train(Shelf(), "example:digits", {"": recipe}, 4)[""]]
        axes = panel(name, "how sure", "how often right")
        axes.plot([0.4, 1], [0.4, 1], color=FAINT, linewidth=1.2, label="sure as often as right")
        for number, which in enumerate(("before", "after the temperature")):
            sure, right = (np.concatenate([each[number][place] for each in found]) for place in (0, 1))
            edges = np.quantile(sure, np.linspace(0, 1, 9))
            where = np.clip(np.searchsorted(edges, sure) - 1, 0, 7)
            means = [(sure[where == bin_].mean(), right[where == bin_].mean()) for bin_ in range(8) if (where == bin_).any()]
            axes.plot(*np.array(means).T, marker=MARKERS[number], label=which, **look(number))
        panels.append(axes)
    return Drawing(panels)


def _sure_and_right(network) -> list[tuple[np.ndarray, np.ndarray]]:
    """How sure a network is of each test row and whether it is right, before and after the temperature."""
    dev, test = (network.outputs(part).astype(np.float64) for part in ("dev", "test"))
    truth = network.dataset.targets["test"]
    temperature = fit_temperature(dev, network.dataset.targets["dev"], np.ones(len(dev)))
    return [(each.max(1), each.argmax(1) == truth) for each in (test, scaled(test, temperature))]
