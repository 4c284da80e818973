"""From a recipe to a network: its parameters at the start, and its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages, noise
from shoal.losses import Loss
from shoal.nets import initialisation, layers
from shoal.nets.encoding import BINS, Encoding, encode
from shoal.recipe import Numbers, Shape

Parameters = tuple[dict[str, Array], ...]
"""One dictionary per layer: ``w [in, out]`` with ``b [out]``; under batch norm ``gamma`` and ``beta [out]`` in place of ``b``, which
would cancel; under layer norm beside it."""

Statistics = tuple[dict[str, Array], ...]
"""Batch norm's ``mean`` and ``variance [out]``, one dictionary per hidden layer; none without batch norm."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything static about the networks of a shoal: what one program is compiled for.

    Args:
        shape: the static half of their recipes.
        width: units that each hidden layer has room for.
        columns: columns of the table, padded.
        encoded: columns with a piecewise-linear encoding, padded; 0 where the recipes do without.
        outputs: columns of the output.
        loss: what is minimised.
        techniques: what any of their recipes uses (see ``shoal.recipe.TECHNIQUES``); the rest is left out of the program.
    """

    shape: Shape
    width: int
    columns: int
    encoded: int
    outputs: int
    loss: Loss
    techniques: tuple[str, ...]

    @property
    def inputs(self) -> int:
        """What the first layer sees: the columns, then their encoding."""
        return self.columns + self.encoded * BINS

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer."""
        units = (self.inputs, *(self.width,) * self.shape.hidden_layers, self.outputs)
        return tuple(pairwise(units))

    @property
    def vectors(self) -> tuple[tuple[str, ...], ...]:
        """The names of each layer's vectors ``[out]``."""
        hidden = {"none": ("b",), "batch": ("beta", "gamma"), "layer": ("b", "beta", "gamma")}[self.shape.normalisation]
        return (hidden,) * self.shape.hidden_layers + (("b",),)

    @property
    def parameters(self) -> int:
        """How many numbers one network's parameters hold, padding included."""
        return sum(fan_in * fan_out + fan_out * len(names) for (fan_in, fan_out), names in zip(self.sizes, self.vectors, strict=True))


def initialise(
    layout: Layout, numbers: Numbers, present: Array, sample: Array | None = None, dtype: Any = jnp.float32
) -> tuple[Parameters, Statistics]:
    """Parameters of one network before the first step, and the running averages of batch norm.

    What each kind draws stands in ``shoal.nets.initialisation``. The same seed draws the same weights whatever the padding; weights
    from and to units beyond a network's own width are 0.

    Args:
        layout: the static part.
        numbers: of one network: its ``seed``, ``units``, ``initialisation`` and ``gain`` count.
        present: ``[inputs]``, false for padding.
        sample: ``[rows, inputs]`` training rows for LSUV.
        dtype: of the parameters.
    """
    hidden = layout.shape.hidden_layers
    exists = [present, *(jnp.arange(layout.width) < numbers.units[layer] for layer in range(hidden)), jnp.ones(layout.outputs, bool)]
    parameters, statistics = [], []
    for layer, ((fan_in, fan_out), names) in enumerate(zip(layout.sizes, layout.vectors, strict=True)):
        n_in, n_out = (exists[layer + side].sum().astype(dtype) for side in (0, 1))
        w = noise.normal(noise.stream(numbers.seed, layer), fan_in, fan_out, dtype)
        w = jnp.where(exists[layer][:, None] & exists[layer + 1][None, :], w, 0)
        if "orthogonal" in layout.techniques:
            w = jnp.where(initialisation.is_orthogonal(numbers.initialisation), initialisation.orthogonal(w), w)
        w = w * initialisation.deviation(numbers.initialisation, numbers.gain.astype(dtype), n_in, n_out, layer == hidden).astype(dtype)
        own = exists[layer + 1].astype(dtype)
        parameters.append({"w": w, **{name: own if name == "gamma" else jnp.zeros_like(own) for name in names}})
        if layout.shape.normalisation == "batch" and layer < hidden:
            statistics.append({"mean": jnp.zeros_like(own), "variance": jnp.zeros_like(own)})
    if "lsuv" in layout.techniques and sample is not None:
        parameters = _scaled_by_layer(layout, tuple(parameters), numbers, sample)
    return tuple(parameters), tuple(statistics)


def _scaled_by_layer(layout: Layout, parameters: Parameters, numbers: Numbers, a: Array) -> list[dict[str, Array]]:
    """Each layer's weights divided by the standard deviation of its ``Z[l]``, in order (LSUV; one division is exact, since Z is linear)."""
    scaled, present = [], jnp.ones(len(a), a.dtype)
    for layer, weights in enumerate(parameters):
        z = a @ weights["w"]
        units = numbers.units[layer] if layer < layout.shape.hidden_layers else jnp.asarray(layout.outputs)
        mean = z.sum() / (len(z) * units)
        is_own = jnp.arange(z.shape[1]) < units
        variance = jnp.where(is_own, jnp.square(z - mean), 0.0).sum() / (len(z) * units)
        factor = numbers.gain.astype(z.dtype) * jax.lax.rsqrt(jnp.maximum(variance, 1e-12))
        weights = weights | {"w": weights["w"] * jnp.where(initialisation.is_lsuv(numbers.initialisation), factor, 1.0)}
        scaled.append(weights)
        if layer < layout.shape.hidden_layers:
            z = a @ weights["w"]
            statistics = layers.batch_statistics(z, present) if layout.shape.normalisation == "batch" else None
            a = _activate(layout, _normalised(layout, z, weights, statistics, units), units)
    return scaled


def network_inputs(layout: Layout, x: Array, encoding: Encoding) -> Array:
    """What the first layer sees ``[rows, inputs]`` of rows of the table ``[rows, columns]``."""
    return jnp.concatenate([x, encode(x, encoding)], axis=1) if layout.encoded else x


def is_weight(parameters: Parameters) -> tuple[dict[str, bool], ...]:
    """Which arrays L2, L1 and weight decay apply to: weights, not biases, gamma or beta."""
    return tuple({name: name == "w" for name in layer} for layer in parameters)


class Hidden(NamedTuple):
    """One hidden layer on a mini-batch, each ``[rows, width]``."""

    z: Array  # what the activation is applied to
    a: Array  # what it gives, before dropout


def train_outputs(
    layout: Layout,
    parameters: Parameters,
    statistics: Statistics,
    numbers: Numbers,
    x: Array,
    present: Array,
    draws: Draws,
    nudges: Sequence[Array] | None = None,
) -> tuple[Array, Statistics, tuple[Hidden, ...]]:
    """Outputs ``[rows, outputs]`` of one mini-batch in training, the running averages after it, and what the hidden layers held.

    Args:
        layout: the static part.
        parameters: of one network.
        statistics: its running averages, not corrected.
        numbers: its own.
        x: ``[rows, inputs]``.
        present: ``[rows]``, 1 for an example, 0 for padding.
        draws: the random numbers of this step, the same for every network.
        nudges: added to ``Z[l]`` of each layer: zeros, to have the gradient with respect to it.
    """
    seen, hidden = [], []
    if "input_dropout" in layout.techniques:
        x = layers.dropout(x, draws.inputs, numbers.keep_prob[0])
    for layer, weights in enumerate(parameters[:-1]):
        z = x @ weights["w"]
        batch = None
        if layout.shape.normalisation == "batch":
            batch = layers.batch_statistics(z, present)
            past = statistics[layer]
            seen.append({name: averages.update(past[name], now, numbers.batch_norm_beta) for name, now in zip(past, batch, strict=True)})
        z = _normalised(layout, z, weights, batch, numbers.units[layer])
        if nudges is not None:
            z = z + nudges[layer]
        x = _activate(layout, z, numbers.units[layer])
        hidden.append(Hidden(z, x))
        if "dropout" in layout.techniques:
            x = layers.dropout(x, draws.hidden[layer], numbers.keep_prob[layer + 1])
    z = x @ parameters[-1]["w"] + parameters[-1]["b"]
    return (z if nudges is None else z + nudges[-1]), tuple(seen), tuple(hidden)


def outputs(layout: Layout, parameters: Parameters, statistics: Statistics, x: Array, units: Array) -> Array:
    """Outputs ``[rows, outputs]`` of one network in use: no dropout, batch norm by its corrected running averages."""
    for layer, weights in enumerate(parameters[:-1]):
        seen = (statistics[layer]["mean"], statistics[layer]["variance"]) if statistics else None
        x = _activate(layout, _normalised(layout, x @ weights["w"], weights, seen, units[layer]), units[layer])
    return x @ parameters[-1]["w"] + parameters[-1]["b"]


def corrected_statistics(statistics: Statistics, numbers: Numbers, age: Array) -> Statistics:
    """The running averages as they are read: free of the bias of their start at 0."""
    return jax.tree.map(lambda average: averages.corrected(average, numbers.batch_norm_beta, jnp.maximum(age, 1)), statistics)


def _normalised(layout: Layout, z: Array, weights: dict[str, Array], statistics: tuple[Array, Array] | None, units: Array) -> Array:
    """What the activation is applied to, from ``z = x @ w``; ``statistics`` are the mean and variance of batch norm."""
    if statistics is not None:
        return layers.normalise(z, *statistics, weights["gamma"], weights["beta"])
    z = z + weights["b"]
    return layers.layer_norm(z, units, weights["gamma"], weights["beta"]) if layout.shape.normalisation == "layer" else z


def _activate(layout: Layout, z: Array, units: Array) -> Array:
    a = layers.ACTIVATIONS[layout.shape.activation](z)
    return jnp.where(jnp.arange(layout.width) < units, a, 0.0) if layers.needs_unit_mask(layout.shape.activation) else a


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one step, each where a technique of the shoal needs it.

    Args:
        inputs: bits ``[rows, inputs]`` for dropout of the inputs.
        hidden: bits ``[rows, width]`` of each hidden layer for dropout.
        normal: standard normal numbers ``[rows, inputs]`` for input noise.
        mixup: three times 32 bits, for the weight of the examples.
    """

    inputs: Any = None
    hidden: Any = None
    normal: Any = None
    mixup: Any = None


jax.tree_util.register_dataclass(Draws, data_fields=["inputs", "hidden", "normal", "mixup"], meta_fields=[])


def draw(layout: Layout, seed: Array, step: Array, dtype: Any = jnp.float32) -> Draws:
    """The random numbers of one step for a whole shoal; each network makes its own use of them."""
    rows, used = layout.shape.batch_size, layout.techniques
    streams = [noise.stream(seed, step, number) for number in range(layout.shape.hidden_layers + 3)]
    return Draws(
        inputs=noise.bits(streams[0], rows, layout.inputs) if "input_dropout" in used else None,
        hidden=tuple(noise.bits(name, rows, layout.width) for name in streams[1:-2]) if "dropout" in used else None,
        normal=noise.normal(streams[-2], rows, layout.inputs, dtype) if "input_noise" in used else None,
        mixup=noise.bits(streams[-1], 1, 3)[0] if "mixup" in used else None,
    )
