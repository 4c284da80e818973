"""Section 6: what batch norm does to one unit, which statistics it uses when, and what it keeps from moving."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from measuring.networks import Network, Shelf, stages, train
from measuring.normalisation import with_statistics

from figures.drawing import BLUE, FAINT, INK, MARKERS, ORANGE, VERMILION, Drawing, is_log, look, panel
from figures.registry import figure
from shoal import averages
from shoal.nets.layers import ACTIVATIONS, batch_statistics, normalise
from shoal.recipe import Recipe

DEEP = Recipe(hidden_units=(64,) * 6, activation="relu", learning_rate=3e-3, decay="constant", epochs=30, batch_size=64)
NAMES = {"none": "without batch norm", "batch": "with batch norm"}
EVERY = 17


@functools.cache
def over_time(kind: str) -> list[Network]:
    """A network of six layers before the training and after every epoch."""
    return stages(Shelf(), "example:digits", replace(DEEP, normalisation=kind), 0, every=EVERY)  # type: ignore[arg-type]


def sums(network: Network, rows: np.ndarray) -> list[np.ndarray]:
    """What the activation of each hidden layer is given ``[rows, units]``, normalised over these rows under batch norm."""
    a, found = jnp.asarray(rows), []
    for layer in network.parameters[:-1]:
        z = a @ layer["w"] + layer.get("b", 0.0)
        if network.recipe.normalisation == "batch":
            z = normalise(z, *batch_statistics(z, jnp.ones(len(z))), layer["gamma"], layer["beta"])
        found.append(np.asarray(z))
        a = ACTIVATIONS[network.recipe.activation](z)
    return found


@figure("batch-norm-steps")
def batch_norm_steps() -> Drawing:
    """One unit over one mini-batch: Z, Z normalised, and Z with gamma and beta."""
    network = over_time("batch")[-1]
    layer, rows = network.parameters[0], network.dataset.inputs["train"][:64]
    z = jnp.asarray(rows) @ layer["w"]
    mean, variance = batch_statistics(z, jnp.ones(len(z)))
    plain = np.asarray(normalise(z, mean, variance, jnp.ones(64), jnp.zeros(64)))
    scaled = np.asarray(normalise(z, mean, variance, layer["gamma"], layer["beta"]))
    unit = int(np.argmax(np.abs(np.asarray(mean)) + np.abs(np.asarray(layer["beta"]))))
    panels = []
    for title, values, colour in (
        ("Z of one unit", np.asarray(z), FAINT),
        ("Z_norm", plain, BLUE),
        (f"gamma {layer['gamma'][unit]:.2f}, beta {layer['beta'][unit]:.2f}", scaled, VERMILION),
    ):
        axes = panel(title, "value, 64 rows of a mini-batch", "rows", height=210)
        own = values[:, unit]
        axes.hist(own, np.linspace(-6, 6, 37), color=colour)
        axes.axvline(own.mean(), color=INK, linewidth=1.2, label="mean")
        axes.plot(
            [own.mean() - own.std(), own.mean() + own.std()], [0.4, 0.4], color=ORANGE, linewidth=4, label="mean ± standard deviation"
        )
        panels.append(axes)
    return Drawing(panels)


@figure("batch-norm-rates")
def batch_norm_rates() -> Drawing:
    """Training loss after a few epochs by the learning rate, without and with batch norm."""
    rates = tuple(float(rate) for rate in np.geomspace(0.003, 10, 8))
    base = Recipe(hidden_units=(64,) * 6, activation="relu", optimiser="momentum", decay="constant", epochs=8, batch_size=64)
    loss = panel("Training loss after 8 epochs", "learning rate", "train loss")
    error = panel("Dev error after 8 epochs", "learning rate", "dev error, %")
    for number, (kind, name) in enumerate(NAMES.items()):
        recipes = {str(rate): replace(base, normalisation=kind, learning_rate=rate) for rate in rates}
        found = train(Shelf(), "example:digits", recipes, 1)  # type: ignore[arg-type]
        for axes, of in ((loss, lambda each: each.train_loss), (error, lambda each: 100 * each.dev_error)):
            values = [np.mean([np.nan if each.diverged else of(each) for each in found[str(rate)]]) for rate in rates]
            axes.plot(rates, values, marker=MARKERS[number], label=name, **look(number))
    is_log(loss, "xy")
    is_log(error, "x")
    return Drawing([loss, error])


@figure("running-averages")
def running_averages() -> Drawing:
    """Mean and variance of one unit: of every mini-batch, and as running averages; and the dev error with either."""
    networks, rng = over_time("batch"), np.random.default_rng(0)
    rows = networks[0].dataset.inputs["train"]
    seen = []
    for step in range(240):
        network = networks[min(step // EVERY, len(networks) - 1)]
        z = rows[rng.permutation(len(rows))[:64]] @ network.parameters[0]["w"][:, 5]
        seen.append((z.mean(), z.var()))
    panels = []
    for title, series in zip(("Mean of one unit's Z", "Its variance"), np.array(seen).T, strict=True):
        axes = panel(title, "step", "")
        axes.plot(series, ".", color=FAINT, alpha=0.8, markersize=4, label="of each mini-batch")
        axes.plot(averages.of(series, 0.98), color=BLUE, label="running average, batch_norm_beta = 0.98")
        panels.append(axes)
    trained, counts = networks[-1], (2, 4, 8, 16, 32, 64, 128, 256, 512)
    axes = panel("Dev error by what serves at test time", "rows whose mean and variance are used", "dev error, %")
    truth = trained.dataset.targets["dev"]
    errors = [
        100 * np.mean([(with_statistics(trained, rows[rng.permutation(len(rows))[:count]]).argmax(1) != truth).mean() for _ in range(5)])
        for count in counts
    ]
    axes.plot(counts, errors, marker="o", color=FAINT, label="of so many training rows")
    axes.axhline(100 * trained.dev_error, label="running averages of the training", **look(1))
    axes.set_ylim(bottom=0)
    is_log(axes, "x")
    return Drawing([*panels, axes])


@figure("hidden-shift")
def hidden_shift() -> Drawing:
    """The distribution of one unit's Z in an early and a late layer over the training, without and with batch norm."""
    panels = []
    for layer in (1, 5):
        for kind, name in NAMES.items():
            networks = over_time(kind)
            z = np.array([sums(network, network.dataset.inputs["train"][:512])[layer] for network in networks])  # [times, rows, units]
            moved = np.abs(np.diff(z.mean(1), axis=0)).sum(0) / z.std(1).mean(0)
            unit = int(np.argsort(moved)[len(moved) // 2])  # the one that moves as much as half of the others
            low, lower, middle, upper, high = np.quantile(z[:, :, unit], (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
            axes = panel(f"Layer {layer + 1}, {name}", "step", "Z of a typical unit", height=210)
            steps = np.arange(len(networks)) * EVERY
            axes.fill_between(steps, low, high, color=BLUE, alpha=0.18, linewidth=0, label="90 % of the rows")
            axes.fill_between(steps, lower, upper, color=BLUE, alpha=0.38, linewidth=0, label="half of the rows")
            axes.plot(steps, middle, color=VERMILION, label="the row in the middle")
            panels.append(axes)
    return Drawing(panels)


def wobble(z: np.ndarray, size: int, draws: int, rng: np.random.Generator) -> float:
    """By how much the normalised value of a row changes with the mini-batch that it is in: one standard deviation."""
    found = []
    for _ in range(draws):
        others = z[rng.permutation(len(z) - 1)[: size - 1] + 1]
        batch = np.append(others, z[0])
        found.append((z[0] - batch.mean()) / np.sqrt(batch.var() + 1e-5))
    return float(np.std(found))


@figure("batch-norm-noise")
def batch_norm_noise() -> Drawing:
    """How much noise the other rows of a mini-batch put into a row's normalised value, by the size of the batch."""
    rng, sizes = np.random.default_rng(0), (4, 8, 16, 32, 64, 128, 256, 512)
    network = over_time("none")[4]
    z = sums(network, network.dataset.inputs["train"])[0]
    axes = panel("Noise of a normalised value, by batch size", "rows in the mini-batch", "standard deviation", width=440)
    units = rng.permutation(z.shape[1])[:8]
    found = np.array([[wobble(np.roll(z[:, unit], -7 * at), size, 60, rng) for at, unit in enumerate(units)] for size in sizes])
    axes.plot(sizes, found.mean(1), marker="o", color=BLUE, label="measured, mean over 8 units and rows")
    axes.plot(sizes, 1 / np.sqrt(sizes), label="1/√(batch size)", **look(1))
    is_log(axes, "xy")
    return Drawing([axes])
