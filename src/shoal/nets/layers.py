"""Layers for one mini-batch of one network; the shoal comes from ``vmap``.

What a dense layer gives is ``[rows, units]``, what a convolution gives is ``[channels, height, width, rows]``; its channels are its units.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from shoal import noise

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,  # slope 0.01 below 0
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
}

RISING = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu")
"""Activations of which a larger input never has a smaller output."""

NORMALISATION_EPSILON = 1e-5


def needs_unit_mask(activation: str) -> bool:
    """Whether units beyond a network's own width must be held at 0.

    They start with zero weights on both sides. Where ``g(0) = 0`` every gradient that reaches them is then 0 for ever
    and no mask is needed; the sigmoid gives 1/2 there, so that the next layer would learn to use them.
    """
    return activation == "sigmoid"


def dropout(x: Array, random_bits: Array, keep_prob: Array) -> Array:
    """Inverted dropout: ``A = A * d / keep_prob`` with ``d = 1`` with probability keep_prob, so that the mean of A stays.

    Source: Srivastava et al. (2014), in the inverted form.
    """
    return x * jnp.where(noise.keep(random_bits, keep_prob), 1 / keep_prob, 0.0)


def per_unit(vector: Array, z: Array) -> Array:
    """One number per unit ``[units]``, shaped to go with ``z``."""
    return vector if z.ndim == 2 else vector[:, None, None, None]


def units_of(z: Array) -> int:
    """How many units a layer has."""
    return z.shape[1 if z.ndim == 2 else 0]


@jax.custom_vjp
def batch_statistics(z: Array, present: Array) -> tuple[Array, Array]:
    """Mean and variance ``[units]`` over the examples that are present (the last mini-batch of an epoch is padded), and over the pixels.

    The gradient is written out: ``jax.grad`` would sum ``z - mean`` once more, which is 0.

    Args:
        z: ``[rows, units]`` or ``[channels, height, width, rows]``.
        present: ``[rows]``, 1 for an example and 0 for padding.
    """
    count = _numbers_of_a_unit(z, present)
    mean = _sum_of_present(z, present) / count
    return mean, _sum_of_present(jnp.square(z - per_unit(mean, z)), present) / count


def _sum_of_present(z: Array, present: Array) -> Array:
    """Of each unit; of pictures over the pixels first, in long runs of examples, and so without a masked copy of them all."""
    return (z * present[:, None]).sum(0) if z.ndim == 2 else (z.sum((1, 2)) * present).sum(1)


def _numbers_of_a_unit(z: Array, present: Array) -> Array:
    return jnp.maximum(present.sum(), 1.0) * (z.size // (len(present) * units_of(z)))


def _statistics_forward(z: Array, present: Array) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    mean, variance = batch_statistics(z, present)
    return (mean, variance), (z, present, mean)


def _statistics_backward(kept: tuple[Array, Array, Array], slopes: tuple[Array, Array]) -> tuple[Array, None]:
    z, present, mean = kept
    level, tilt = slopes_of_statistics(slopes, z, present)
    mask = present[:, None] if z.ndim == 2 else present
    return mask * (per_unit(level, z) + per_unit(tilt, z) * (z - per_unit(mean, z))), None


def slopes_of_statistics(slopes: tuple[Array, Array], z: Array, present: Array) -> tuple[Array, Array]:
    """What the gradients of mean and variance give to that of ``z`` where it is present: ``level + tilt (z - mean)``, each ``[units]``."""
    of_mean, of_variance = slopes
    count = _numbers_of_a_unit(z, present)
    return of_mean / count, 2 * of_variance / count


batch_statistics.defvjp(_statistics_forward, _statistics_backward)


def normalise(z: Array, mean: Array, variance: Array, gamma: Array, beta: Array) -> Array:
    """``gamma (z - mu) / sqrt(sigma^2 + eps) + beta``, before the activation.

    Batch norm (Ioffe and Szegedy, 2015) with the statistics of each unit, layer norm (Ba, Kiros and Hinton, 2016) with those of
    each example.
    """
    scale = gamma * jax.lax.rsqrt(variance + NORMALISATION_EPSILON)
    return (z - per_unit(mean, z)) * per_unit(scale, z) + per_unit(beta, z)


def layer_norm(z: Array, units: Array, gamma: Array, beta: Array) -> Array:
    """Normalised over the units of each example, and over its pixels.

    Args:
        z: ``[rows, width]`` or ``[channels, height, width, rows]``, 0 beyond the network's own ``units``.
        units: how many of them are the network's.
        gamma: of each unit, 0 beyond ``units``, so that those stay at 0.
        beta: likewise.
    """
    axes, pixels = ((1,), 1) if z.ndim == 2 else ((0, 1, 2), z.shape[1] * z.shape[2])
    is_own = per_unit(jnp.arange(units_of(z)) < units, z)
    count = units * pixels
    mean = jnp.where(is_own, z, 0.0).sum(axes, keepdims=True) / count  # masked for its slope: else weights to cut-off units would learn
    variance = jnp.where(is_own, jnp.square(z - mean), 0.0).sum(axes, keepdims=True) / count
    normal = (z - mean) * jax.lax.rsqrt(variance + NORMALISATION_EPSILON)
    return per_unit(gamma, z) * normal + per_unit(beta, z)


def mixup_weight(random_bits: Array, a: Array) -> Array:
    """A draw from ``Beta(a, a)``, the weight of an example in mixup, from three random numbers.

    Source: Devroye (1996), "Random variate generation in one line of code": with ``u`` and ``v`` uniform and ``s`` a random sign
    ``1/2 + s / (2 sqrt(1 + 1/((u^(-1/a) - 1) cos^2(2 pi v))))``, for every ``a > 0``.
    """
    u, v, sign = noise.uniform(random_bits, a.dtype)
    spread = jnp.maximum((u ** (-1 / a) - 1) * jnp.square(jnp.cos(2 * jnp.pi * v)), 1e-30)
    return 0.5 + jnp.where(sign < 0.5, -0.5, 0.5) / jnp.sqrt(1 + 1 / spread)
