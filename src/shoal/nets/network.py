"""From a recipe to a network: its parameters at the start, and its outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages, noise
from shoal.losses import Loss
from shoal.nets import division, initialisation, layers
from shoal.nets.augmentation import Draws as AugmentationDraws
from shoal.nets.augmentation import augment, draw_augmentation, is_augmented
from shoal.nets.convolution import POOLED, Pooled, convolve, convolve_and_pool, pool
from shoal.nets.encoding import BINS, PERIODIC, Encoding, begin_periodic, encode, encode_periodic, encoded_columns, periodic_shapes
from shoal.nets.pixels import Pixels, normalised
from shoal.orthogonal import EXACT, orthogonalised
from shoal.recipe import Numbers, Shape

Parameters = tuple[dict[str, Array], ...]
"""One dictionary per layer, convolutions first: ``w [in, out]`` with ``b [out]``; under batch norm ``gamma`` and ``beta [out]`` in
place of ``b``, which would cancel; under layer norm beside it; of parametric activations ``share [out]``. The first layer also holds
what is learned about its inputs: ``scale [in]``, and of a periodic encoding ``frequency``, ``phase`` and ``mix`` (see
``shoal.nets.encoding``)."""

OWN_RATES = {"scale": "input_scale_rate", "share": "activation_rate"}
"""Arrays that learn at a rate of their own, as a multiple of the learning rate, and the setting that gives it; 0 is for not at all."""

Statistics = tuple[dict[str, Array], ...]
"""Batch norm's ``mean`` and ``variance [out]``, one dictionary per hidden layer; none without batch norm."""


class Convolution(NamedTuple):
    """One convolution of a layout, and the plane of pixels it works on."""

    inputs: int
    """Channels, padded."""
    filters: int
    height: int
    width: int
    is_first: bool
    """Of its block; under ``residual`` the others add to what they see."""
    is_last: bool
    """Of its block, and so followed by pooling."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything static about the networks of a shoal: what one program is compiled for.

    Args:
        shape: the static half of their recipes.
        width: units that each hidden dense layer has room for.
        columns: columns of the table, padded; of pictures, their pixels times their channels.
        encoded: columns with an encoding, padded; 0 where the recipes do without.
        outputs: columns of the output.
        loss: what is minimised.
        techniques: what any of their recipes uses (see ``shoal.recipe.TECHNIQUES``); the rest is left out of the program.
        picture: height, width and channels of pictures; ``None`` of a table.
        parts: devices over which the examples of a mini-batch are divided (see ``shoal.nets.division``).
    """

    shape: Shape
    width: int
    columns: int
    encoded: int
    outputs: int
    loss: Loss
    techniques: tuple[str, ...]
    picture: tuple[int, int, int] | None = None
    parts: int = 1

    @property
    def is_periodic(self) -> bool:
        """Whether each network encodes the columns in its own, learned way."""
        return self.encoded > 0 and self.shape.numeric_encoding == "periodic"

    @property
    def given(self) -> int:
        """What the networks are given: the columns, then their encoding, or the columns that each encodes for itself."""
        return self.columns + self.encoded * (1 if self.is_periodic else BINS)

    @property
    def inputs(self) -> int:
        """What the first layer sees: the columns, then their encoding."""
        return self.columns + self.encoded * (PERIODIC if self.is_periodic else BINS)

    @property
    def augments(self) -> bool:
        """Whether pictures are changed in training, by each network in its own way."""
        return self.picture is not None and is_augmented(self.techniques)

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions, in order."""
        part, found = self.shape.convolutions, []
        if part is None or self.picture is None:
            return ()
        height, width, channels = self.picture
        for filters in part.channels:
            for number in range(part.per_block):
                found.append(Convolution(channels, filters, height, width, number == 0, number == part.per_block - 1))
                channels = filters
            if part.pooling != "none":
                height, width = height // POOLED, width // POOLED
        return tuple(found)

    @property
    def plane(self) -> tuple[int, int, int] | None:
        """Height, width and channels of what the convolutions give; ``None`` without any."""
        part, convolutions = self.shape.convolutions, self.convolutions
        if part is None or not convolutions:
            return None
        last = convolutions[-1]
        if part.global_pooling == "average":
            return 1, 1, last.filters
        halved = POOLED if part.pooling != "none" else 1
        return last.height // halved, last.width // halved, last.filters

    @property
    def features(self) -> int:
        """What the first dense layer sees: the inputs, or what the convolutions give."""
        return self.inputs if self.plane is None else math.prod(self.plane)

    @property
    def hidden(self) -> int:
        """Hidden layers: convolutions and dense ones."""
        return len(self.convolutions) + self.shape.hidden_layers

    @property
    def rooms(self) -> tuple[int, ...]:
        """Units that each hidden layer has room for."""
        return (*(each.filters for each in self.convolutions), *(self.width,) * self.shape.hidden_layers)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer."""
        return self.sizes_with(self.rooms)

    def sizes_with(self, units: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer of a network with so many ``units`` in its hidden layers, not padded."""
        count, kernel = len(self.convolutions), self.shape.convolutions.kernel_size if self.shape.convolutions else 1
        channels = (self.picture[2] if self.picture else 0, *units[:count])
        area = self.features // self.convolutions[-1].filters if count else 0
        dense = (channels[-1] * area if count else self.inputs, *units[count:], self.outputs)
        return (*((n_in * kernel * kernel, n_out) for n_in, n_out in pairwise(channels)), *pairwise(dense))

    @property
    def operations(self) -> int:
        """Multiplications with a weight for one example, padding included."""
        places = [*(each.height * each.width for each in self.convolutions), *(1,) * (self.shape.hidden_layers + 1)]
        return sum(fan_in * fan_out * place for (fan_in, fan_out), place in zip(self.sizes, places, strict=True))

    def parts_among(self, devices: int) -> int:
        """How many of so many devices are worth their while for the examples of one mini-batch.

        More than one only where convolutions make a step long beside the exchange, and no example needs another, as in mixup.
        """
        if not self.convolutions or "mixup" in self.techniques:
            return 1
        examples = self.shape.batch_size
        return division.parts_of(examples, max(1, min(devices, self.operations * examples // division.LEAST_OPERATIONS)))

    @property
    def vectors(self) -> tuple[tuple[str, ...], ...]:
        """The names of each layer's vectors ``[out]``."""
        hidden = {"none": ("b",), "batch": ("beta", "gamma"), "layer": ("b", "beta", "gamma")}[self.shape.normalisation]
        hidden += ("share",) * ("activation_share" in self.techniques)
        return (hidden,) * self.hidden + (("b",),)

    @property
    def scales_inputs(self) -> bool:
        """Whether every input has a learned factor."""
        return self.picture is None and "input_scale" in self.techniques

    @property
    def of_inputs(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of what the first layer learns about its inputs."""
        periodic = periodic_shapes(self.encoded) if self.is_periodic else {}
        return periodic | ({"scale": (self.inputs,)} if self.scales_inputs else {})

    @property
    def arrays(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        """Name and shape of each layer's arrays."""
        layers = [
            {"w": (n_in, n_out)} | dict.fromkeys(names, (n_out,)) for (n_in, n_out), names in zip(self.sizes, self.vectors, strict=True)
        ]
        return (layers[0] | self.of_inputs, *layers[1:])

    @property
    def parameters(self) -> int:
        """How many numbers one network's parameters hold, padding included."""
        return sum(math.prod(shape) for layer in self.arrays for shape in layer.values())


def _is_own(layout: Layout, units: Array, present: Array) -> tuple[list[Array], list[Array]]:
    """Which inputs and which outputs of each layer belong to a network, each ``[in]`` or ``[out]``."""
    own = [jnp.arange(room) < units[layer] for layer, room in enumerate(layout.rooms)]
    if layout.is_periodic:
        present = jnp.concatenate([present[: layout.columns], jnp.repeat(present[layout.columns :], PERIODIC)])
    before = [jnp.ones(layout.convolutions[0].inputs, bool) if layout.convolutions else present, *own]
    # of a convolution's channel every place under the filter, and of its last one every pixel that a dense layer sees
    seen = [jnp.repeat(units, fan_in // len(units)) for units, (fan_in, _) in zip(before, layout.sizes, strict=True)]
    return seen, [*own, jnp.ones(layout.outputs, bool)]


def initialise(
    layout: Layout, numbers: Numbers, present: Array, sample: Array | None = None, dtype: Any = jnp.float32
) -> tuple[Parameters, Statistics]:
    """Parameters of one network before the first step, and the running averages of batch norm.

    What each kind draws stands in ``shoal.nets.initialisation``. The same seed draws the same weights whatever the padding; weights
    from and to units beyond a network's own width are 0.

    Args:
        layout: the static part.
        numbers: of one network: its ``seed``, ``units``, ``initialisation``, gains and ``frequency_scale`` count.
        present: ``[given]``, false for padding.
        sample: ``[rows, given]`` training rows for LSUV.
        dtype: of the parameters.
    """
    seen, own = _is_own(layout, numbers.units, present)
    parameters, statistics = [], []
    for layer, ((fan_in, fan_out), names) in enumerate(zip(layout.sizes, layout.vectors, strict=True)):
        n_in, n_out = (exists.sum().astype(dtype) for exists in (seen[layer], own[layer]))
        w = noise.normal(noise.stream(numbers.seed, layer), fan_in, fan_out, dtype)
        w = jnp.where(seen[layer][:, None] & own[layer][None, :], w, 0)
        if "orthogonal" in layout.techniques:
            w = jnp.where(initialisation.is_orthogonal(numbers.initialisation), orthogonalised(w, EXACT), w)
        is_output = layer == layout.hidden
        gain = _gain(layout, layer, numbers).astype(dtype)
        w = w * initialisation.deviation(numbers.initialisation, gain, n_in, n_out, is_output).astype(dtype)
        exists = own[layer].astype(dtype)
        parameters.append({"w": w, **{name: exists if name in ("gamma", "share") else jnp.zeros_like(exists) for name in names}})
        if layout.shape.normalisation == "batch" and not is_output:
            statistics.append({"mean": jnp.zeros_like(exists), "variance": jnp.zeros_like(exists)})
    if layout.is_periodic:
        streams = tuple(noise.stream(numbers.seed, layout.hidden + 1, number) for number in range(3))
        parameters[0] |= begin_periodic(streams, layout.encoded, numbers.frequency_scale, dtype)
    if layout.scales_inputs:
        parameters[0] |= {"scale": jnp.ones(layout.inputs, dtype)}
    if "lsuv" in layout.techniques and sample is not None:
        parameters = _scaled_by_layer(layout, tuple(parameters), numbers, sample)
    return tuple(parameters), tuple(statistics)


def _gain(layout: Layout, layer: int, numbers: Numbers) -> Any:
    """The factor on the initial weights of a layer."""
    return numbers.gain * numbers.output_gain if layer == layout.hidden else numbers.gain


def _scaled_by_layer(layout: Layout, parameters: Parameters, numbers: Numbers, a: Array) -> list[dict[str, Array]]:
    """Each layer's weights divided by the standard deviation of its ``Z[l]``, in order (LSUV; one division is exact, since Z is linear)."""
    scaled, present, a = [], jnp.ones(len(a), a.dtype), _entering(layout, a, parameters[0])
    for layer, weights in enumerate(parameters):
        z = _linear(layout, layer, a, weights)
        units = numbers.units[layer] if layer < layout.hidden else jnp.asarray(layout.outputs)
        is_own = layers.per_unit(jnp.arange(weights["w"].shape[1]) < units, z)
        count = z.size // weights["w"].shape[1] * units
        mean = z.sum() / count
        variance = jnp.where(is_own, jnp.square(z - mean), 0.0).sum() / count
        factor = _gain(layout, layer, numbers).astype(z.dtype) * jax.lax.rsqrt(jnp.maximum(variance, 1e-12))
        weights = weights | {"w": weights["w"] * jnp.where(initialisation.is_lsuv(numbers.initialisation), factor, 1.0)}
        scaled.append(weights)
        if layer < layout.hidden:
            z = _linear(layout, layer, a, weights)
            statistics = layers.batch_statistics(z, present) if layout.shape.normalisation == "batch" else None
            z = _normalised(layout, z, weights, statistics, units)
            a = _leaving(layout, layer, a, _activate(layout, z, weights, units), numbers.units)
    return scaled


def network_inputs(layout: Layout, x: Array, encoding: Encoding | Pixels) -> Array:
    """What the networks are given ``[rows, given]`` of rows of the table ``[rows, columns]``: pictures are normalised by channel."""
    if isinstance(encoding, Pixels):
        return normalised(x, encoding)
    if not layout.encoded:
        return x
    return jnp.concatenate([x, encoded_columns(x, encoding) if layout.is_periodic else encode(x, encoding)], axis=1)


def augmented_inputs(layout: Layout, numbers: Numbers, x: Array, draws: AugmentationDraws, pixels: Pixels) -> Array:
    """What the first layer of one network sees ``[rows, inputs]`` of pictures ``[rows, columns]`` (0..255) in one training step."""
    assert layout.picture is not None
    pictures = augment(x.reshape(-1, *layout.picture), numbers, draws, layout.techniques, pixels.mean)
    return normalised(pictures.reshape(x.shape), pixels)


def longer_sides(layout: Layout, units: Array, present: Array) -> tuple[dict[str, Any], ...]:
    """Like the parameters: of the weights of a hidden layer their inputs or outputs, whichever are more, padding left out; else 0.

    Args:
        layout: the static part.
        units: of the hidden layers of one network.
        present: ``[given]``, false for padding.
    """
    both = list(zip(*_is_own(layout, units, present), strict=True))
    sides = [*(jnp.maximum(seen.sum(), own.sum()) for seen, own in both[:-1]), 0]
    return tuple({name: side if name == "w" else 0 for name in arrays} for arrays, side in zip(layout.arrays, sides, strict=True))


def is_weight(parameters: Parameters) -> tuple[dict[str, bool], ...]:
    """Which arrays L2, L1 and weight decay apply to: weights, not biases, gamma, beta or a share."""
    return tuple({name: name == "w" for name in layer} for layer in parameters)


class Hidden(NamedTuple):
    """One hidden layer on a mini-batch, each ``[rows, width]``, or of a convolution ``[channels, height, width, rows]``."""

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
    """Outputs ``[rows, outputs]`` of one mini-batch in training, the running averages after it, and with ``nudges`` the hidden layers.

    Args:
        layout: the static part.
        parameters: of one network.
        statistics: its running averages, not corrected.
        numbers: its own.
        x: ``[rows, given]``.
        present: ``[rows]``, 1 for an example, 0 for padding.
        draws: the random numbers of this step, the same for every network.
        nudges: added to ``Z[l]`` of each layer: zeros, to have it, and the gradient with respect to it.
    """
    seen, hidden, normalises = [], [], layout.shape.normalisation == "batch"
    parameters = tuple({name: _learning(numbers, name, value) for name, value in layer.items()} for layer in parameters)
    if "input_dropout" in layout.techniques:
        x = layers.dropout(x, draws.inputs, numbers.keep_prob[0])
    x = _entering(layout, x, parameters[0])
    for layer, weights in enumerate(parameters[:-1]):
        batch, units = None, numbers.units[layer]
        if nudges is None and _pools_first(layout, layer, weights):
            pooled, batch = _pooled(layout, x, weights, present if normalises else None)
            batch = division.statistics_of_all(batch, present, layout.parts) if batch else None
            x = _features(layout, layer, _activated(layout, pooled, weights, batch, units))
        else:
            z = _linear(layout, layer, x, weights)
            if normalises:
                batch = division.statistics_of_all(layers.batch_statistics(z, present), present, layout.parts)
            z = _normalised(layout, z, weights, batch, units)
            z = z if nudges is None else z + nudges[layer]
            a = _activate(layout, z, weights, units)
            if nudges is not None:
                hidden.append(Hidden(z, a))
            x = _leaving(layout, layer, x, a, numbers.units)
        if batch is not None:
            past = statistics[layer]
            seen.append({name: averages.update(past[name], now, numbers.batch_norm_beta) for name, now in zip(past, batch, strict=True)})
        # of the layers before a dense one: the last convolution, and the hidden dense layers
        dropped = layer - (len(layout.convolutions) - bool(layout.convolutions))
        if "dropout" in layout.techniques and dropped >= 0:
            x = layers.dropout(x, draws.hidden[dropped], numbers.keep_prob[dropped + 1])
    z = _linear(layout, layout.hidden, x, parameters[-1]) + parameters[-1]["b"]
    return (z if nudges is None else z + nudges[-1]), tuple(seen), tuple(hidden)


def _learning(numbers: Numbers, name: str, array: Array) -> Array:
    """The array, without a gradient in a network that does without: neither it nor the gradient's norm may know of it there."""
    if name not in OWN_RATES:
        return array
    return jnp.where(getattr(numbers, OWN_RATES[name]) > 0, array, jax.lax.stop_gradient(array))


def outputs(layout: Layout, parameters: Parameters, statistics: Statistics, x: Array, units: Array) -> Array:
    """Outputs ``[rows, outputs]`` of one network in use: no dropout, batch norm by its corrected running averages."""
    x = _entering(layout, x, parameters[0])
    for layer, weights in enumerate(parameters[:-1]):
        seen = (statistics[layer]["mean"], statistics[layer]["variance"]) if statistics else None
        if _pools_first(layout, layer, weights):
            pooled, _ = _pooled(layout, x, weights, None)
            x = _features(layout, layer, _activated(layout, pooled, weights, seen, units[layer]))
        else:
            x = _leaving(layout, layer, x, _activated(layout, _linear(layout, layer, x, weights), weights, seen, units[layer]), units)
    return _linear(layout, layout.hidden, x, parameters[-1]) + parameters[-1]["b"]


def _entering(layout: Layout, x: Array, first: dict[str, Array]) -> Array:
    """What a network is given ``[rows, given]`` as its ``first`` layer takes it: of convolutions ``[channels, height, width, rows]``."""
    if layout.is_periodic:
        return jnp.concatenate([x[:, : layout.columns], encode_periodic(x[:, layout.columns :], first)], axis=1)
    if not layout.convolutions or layout.picture is None:
        return x
    return x.reshape(-1, *layout.picture).transpose(3, 1, 2, 0)


def _linear(layout: Layout, layer: int, x: Array, weights: dict[str, Array]) -> Array:
    """``W[l] A[l-1]`` without the bias: a convolution, or a product."""
    w = weights["w"]
    if "scale" in weights:
        w = weights["scale"][:, None] * w  # the same as scaled inputs, without a slope with respect to every input
    if layer >= len(layout.convolutions) or layout.shape.convolutions is None:
        return x @ w
    return convolve(x, w, layout.shape.convolutions.kernel_size)


def _leaving(layout: Layout, layer: int, x: Array, a: Array, units: Array) -> Array:
    """What the next layer sees of a layer's inputs ``x`` and activations ``a``: residual connections, and pooling of convolutions."""
    part = layout.shape.convolutions
    if layer >= len(layout.convolutions) or part is None:
        follows_dense = layer > len(layout.convolutions)
        return a + jnp.where(units[layer] == units[layer - 1], x, 0.0) if layout.shape.residual and follows_dense else a
    convolution = layout.convolutions[layer]
    if part.residual and not convolution.is_first:
        a = x + a
    if convolution.is_last:
        a = pool(a, part.pooling)
    return _features(layout, layer, a)


def _pools_first(layout: Layout, layer: int, weights: dict[str, Array]) -> bool:
    """Whether the largest of four pixels can be taken before they are normalised and activated, which gives the same for less work.

    So it is where both are the same rising (or, with a negative gamma, falling) function of every pixel.
    """
    part = layout.shape.convolutions
    if part is None or layer >= len(layout.convolutions) or part.residual or part.pooling != "max" or "share" in weights:
        return False
    return layout.convolutions[layer].is_last and layout.shape.normalisation != "layer" and layout.shape.activation in layers.RISING


def _pooled(layout: Layout, x: Array, weights: dict[str, Array], present: Array | None) -> Pooled:
    """What a convolution gives, pooled before it is normalised and activated; with statistics of the examples that are ``present``."""
    assert layout.shape.convolutions is not None
    signs = jnp.where(weights["gamma"] >= 0, 1, -1) if "gamma" in weights else jnp.ones(weights["w"].shape[1])
    return convolve_and_pool(x, weights["w"], layout.shape.convolutions.kernel_size, signs.astype(x.dtype), present)


def _features(layout: Layout, layer: int, a: Array) -> Array:
    """What the next layer sees of a convolution's pooled activations: after the last one, features ``[rows, features]``."""
    part = layout.shape.convolutions
    assert part is not None
    if layer < len(layout.convolutions) - 1:
        return a
    if part.global_pooling == "average":
        a = a.mean((1, 2), keepdims=True)
    return a.reshape(layout.features, -1).T


def corrected_statistics(statistics: Statistics, numbers: Numbers, age: Array) -> Statistics:
    """The running averages as they are read: free of the bias of their start at 0."""
    return jax.tree.map(lambda average: averages.corrected(average, numbers.batch_norm_beta, jnp.maximum(age, 1)), statistics)


def _normalised(layout: Layout, z: Array, weights: dict[str, Array], statistics: tuple[Array, Array] | None, units: Array) -> Array:
    """What the activation is applied to, from ``z = x @ w``; ``statistics`` are the mean and variance of batch norm."""
    if statistics is not None:
        return layers.normalise(z, *statistics, weights["gamma"], weights["beta"])
    z = z + layers.per_unit(weights["b"], z)
    return layers.layer_norm(z, units, weights["gamma"], weights["beta"]) if layout.shape.normalisation == "layer" else z


def _activated(layout: Layout, z: Array, weights: dict[str, Array], statistics: tuple[Array, Array] | None, units: Array) -> Array:
    """A layer's activations, from ``z = x @ w``."""
    return _activate(layout, _normalised(layout, z, weights, statistics, units), weights, units)


def _activate(layout: Layout, z: Array, weights: dict[str, Array], units: Array) -> Array:
    """``g(z)``, or of a parametric activation ``s g(z) + (1 - s) z`` (Holzmueller, Grinsztajn and Steinwart, 2024); 0 beyond ``units``."""
    a = layers.ACTIVATIONS[layout.shape.activation](z)
    if "share" in weights:
        a = z + layers.per_unit(weights["share"], z) * (a - z)
    if not layers.needs_unit_mask(layout.shape.activation):
        return a
    return jnp.where(layers.per_unit(jnp.arange(layers.units_of(z)) < units, z), a, 0.0)


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one step, each where a technique of the shoal needs it.

    Args:
        inputs: bits ``[rows, given]`` for dropout of the inputs.
        hidden: bits for dropout: ``[rows, features]`` of the features of convolutions, if any, then ``[rows, width]`` of each hidden
            dense layer.
        normal: standard normal numbers ``[rows, given]`` for input noise.
        mixup: three times 32 bits, for the weight of the examples.
        augmentation: for the changes of pictures.
    """

    inputs: Any = None
    hidden: Any = None
    normal: Any = None
    mixup: Any = None
    augmentation: Any = None


jax.tree_util.register_dataclass(Draws, data_fields=["inputs", "hidden", "normal", "mixup", "augmentation"], meta_fields=[])


def draw(layout: Layout, seed: Array, step: Array, dtype: Any = jnp.float32) -> Draws:
    """The random numbers of one step for a whole shoal; each network makes its own use of them."""
    rows, used = layout.shape.batch_size, layout.techniques
    streams = [noise.stream(seed, step, number) for number in range(layout.shape.hidden_layers + 5)]
    features, *hidden = streams[-2], *streams[1:-4]
    dropped = [(layout.features, features)] * bool(layout.convolutions) + [(layout.width, name) for name in hidden]
    return Draws(
        inputs=noise.bits(streams[0], rows, layout.given) if "input_dropout" in used else None,
        hidden=tuple(noise.bits(name, rows, width) for width, name in dropped) if "dropout" in used else None,
        normal=noise.normal(streams[-4], rows, layout.given, dtype) if "input_noise" in used else None,
        mixup=noise.bits(streams[-3], 1, 3)[0] if "mixup" in used else None,
        augmentation=draw_augmentation(used, streams[-1], rows, dtype) if layout.augments else None,
    )
