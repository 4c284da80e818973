"""From a recipe to a network: its parameters at the start, and its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages, noise
from shoal.losses import Loss
from shoal.nets import layers
from shoal.nets.encoding import BINS, Encoding, encode
from shoal.recipe import Shape

Parameters = tuple[dict[str, Array], ...]
"""One dictionary per layer: ``w [in, out]`` with ``b [out]``, or with ``gamma`` and ``beta [out]`` under batch norm."""

Statistics = tuple[dict[str, Array], ...]
"""Running averages of batch norm, one dictionary per hidden layer (none without batch norm): ``mean``, ``variance [out]``."""


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
    """

    shape: Shape
    width: int
    columns: int
    encoded: int
    outputs: int
    loss: Loss

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
    def parameters(self) -> int:
        """How many numbers one network's parameters hold, padding included."""
        return sum(
            fan_in * fan_out + fan_out * (2 if self._is_normalised(layer) else 1) for layer, (fan_in, fan_out) in enumerate(self.sizes)
        )

    def _is_normalised(self, layer: int) -> bool:
        return self.shape.batch_norm and layer < self.shape.hidden_layers


def initialise(
    layout: Layout, seed: Array, units: Array, present: Array, gain: Array, dtype: Any = jnp.float32
) -> tuple[Parameters, Statistics]:
    """Parameters of one network before the first step.

    ``W[l]`` is normal with standard deviation ``gain / sqrt(n[l-1])``, where the true number of units feeding the layer
    counts, not the padded one; ``gain = sqrt(2)`` is He's (2015) for ReLU, 1 is Xavier's. The output layer always has gain
    1, since no activation follows it. Weights from and to units beyond a network's own width are 0.

    Args:
        layout: the static part.
        seed: uint32 scalar; the same seed draws the same weights whatever the padding.
        units: ``[hidden_layers]`` true units of each hidden layer.
        present: ``[inputs]``, false for padding.
        gain: scalar.
        dtype: of the parameters.
    """
    hidden = layout.shape.hidden_layers
    exists = [present, *(jnp.arange(layout.width) < units[layer] for layer in range(hidden)), jnp.ones(layout.outputs, bool)]
    parameters, statistics = [], []
    for layer, (fan_in, fan_out) in enumerate(layout.sizes):
        inside = exists[layer][:, None] & exists[layer + 1][None, :]
        deviation = jnp.where(layer < hidden, gain, 1.0) / jnp.sqrt(exists[layer].sum().astype(dtype))
        w = noise.normal(noise.stream(seed, layer), fan_in, fan_out, dtype) * deviation.astype(dtype)
        zeros, ones = jnp.zeros(fan_out, dtype), jnp.ones(fan_out, dtype)
        w = jnp.where(inside, w, 0)
        if layout.shape.batch_norm and layer < hidden:
            parameters.append({"w": w, "gamma": ones, "beta": zeros})
            statistics.append({"mean": zeros, "variance": zeros})
        else:
            parameters.append({"w": w, "b": zeros})
    return tuple(parameters), tuple(statistics)


def network_inputs(layout: Layout, x: Array, encoding: Encoding) -> Array:
    """What the first layer sees ``[rows, inputs]`` of rows of the table ``[rows, columns]``."""
    return jnp.concatenate([x, encode(x, encoding)], axis=1) if layout.encoded else x


def is_weight(parameters: Parameters) -> tuple[dict[str, bool], ...]:
    """Which arrays L2 and weight decay apply to: weights, not biases, gamma or beta."""
    return tuple({name: name == "w" for name in layer} for layer in parameters)


def train_outputs(
    layout: Layout,
    parameters: Parameters,
    statistics: Statistics,
    x: Array,
    present: Array,
    keep_prob: Array,
    units: Array,
    dropout: Dropout,
) -> tuple[Array, Statistics]:
    """Outputs ``[rows, outputs]`` of one mini-batch in training, and the running averages after it.

    Args:
        layout: the static part.
        parameters: of one network.
        statistics: its running averages.
        x: ``[rows, inputs]``.
        present: ``[rows]``, 1 for an example, 0 for padding.
        keep_prob: ``[1 + hidden_layers]``, the inputs first.
        units: ``[hidden_layers]`` true units.
        dropout: the noise of this step, the same for every network.
    """
    seen = []
    if layout.shape.input_dropout:
        x = layers.dropout(x, dropout.inputs, keep_prob[0])
    for layer, weights in enumerate(parameters[:-1]):
        z = x @ weights["w"]
        if layout.shape.batch_norm:
            mean, variance = layers.batch_statistics(z, present)
            past = statistics[layer]
            beta = layers.BATCH_NORM_BETA
            seen.append({"mean": averages.update(past["mean"], mean, beta), "variance": averages.update(past["variance"], variance, beta)})
            z = layers.batch_norm(z, mean, variance, weights["gamma"], weights["beta"])
        else:
            z = z + weights["b"]
        x = layers.dropout(_activate(layout, z, units[layer]), dropout.hidden[layer], keep_prob[layer + 1])
    return x @ parameters[-1]["w"] + parameters[-1]["b"], tuple(seen)


def outputs(layout: Layout, parameters: Parameters, statistics: Statistics, age: Array, x: Array, units: Array) -> Array:
    """Outputs ``[rows, outputs]`` of one network in use: no dropout, batch norm by its running averages."""
    for layer, weights in enumerate(parameters[:-1]):
        z = x @ weights["w"]
        if layout.shape.batch_norm:
            mean, variance = (
                averages.corrected(statistics[layer][name], layers.BATCH_NORM_BETA, jnp.maximum(age, 1)) for name in ("mean", "variance")
            )
            z = layers.batch_norm(z, mean, variance, weights["gamma"], weights["beta"])
        else:
            z = z + weights["b"]
        x = _activate(layout, z, units[layer])
    return x @ parameters[-1]["w"] + parameters[-1]["b"]


def _activate(layout: Layout, z: Array, units: Array) -> Array:
    a = layers.ACTIVATIONS[layout.shape.activation](z)
    return jnp.where(jnp.arange(layout.width) < units, a, 0.0) if layers.needs_unit_mask(layout.shape.activation) else a


@dataclass(frozen=True, slots=True)
class Dropout:
    """Random bits of one step: ``inputs [rows, inputs]`` and one ``[rows, width]`` per hidden layer."""

    inputs: Array
    hidden: tuple[Array, ...]


jax.tree_util.register_dataclass(Dropout, data_fields=["inputs", "hidden"], meta_fields=[])


def draw_dropout(layout: Layout, seed: Array, step: Array) -> Dropout:
    """The noise of one step for a whole shoal; each network compares it with its own keep_prob."""
    rows = layout.shape.batch_size
    hidden = tuple(noise.bits(noise.stream(seed, step, layer + 1), rows, layout.width) for layer in range(layout.shape.hidden_layers))
    return Dropout(noise.bits(noise.stream(seed, step, 0), rows, layout.inputs), hidden)
