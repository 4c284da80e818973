"""Layers for one mini-batch of one network; the shoal comes from ``vmap``."""

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


def batch_statistics(z: Array, present: Array) -> tuple[Array, Array]:
    """Mean and variance of each unit over the examples that are present (the last mini-batch of an epoch is padded).

    Args:
        z: ``[rows, units]``.
        present: ``[rows]``, 1 for an example and 0 for padding.
    """
    count = jnp.maximum(present.sum(), 1.0)
    mean = (z * present[:, None]).sum(0) / count
    variance = (jnp.square(z - mean) * present[:, None]).sum(0) / count
    return mean, variance


def normalise(z: Array, mean: Array, variance: Array, gamma: Array, beta: Array) -> Array:
    """``gamma (z - mu) / sqrt(sigma^2 + eps) + beta``, before the activation.

    Batch norm (Ioffe and Szegedy, 2015) with the statistics of each unit, layer norm (Ba, Kiros and Hinton, 2016) with those of
    each example.
    """
    return (z - mean) * (gamma * jax.lax.rsqrt(variance + NORMALISATION_EPSILON)) + beta


def layer_norm(z: Array, units: Array, gamma: Array, beta: Array) -> Array:
    """Normalised over the units of each example.

    Args:
        z: ``[rows, width]``, 0 beyond the network's own ``units``.
        units: how many of them are the network's.
        gamma: ``[width]``, 0 beyond ``units``, so that those stay at 0.
        beta: ``[width]``, likewise.
    """
    is_own = jnp.arange(z.shape[1]) < units
    mean = jnp.where(is_own, z, 0.0).sum(1, keepdims=True) / units  # masked for its slope: else weights to cut-off units would learn
    variance = jnp.where(is_own, jnp.square(z - mean), 0.0).sum(1, keepdims=True) / units
    normal = (z - mean) * jax.lax.rsqrt(variance + NORMALISATION_EPSILON)
    return gamma * normal + beta


def mixup_weight(random_bits: Array, a: Array) -> Array:
    """A draw from ``Beta(a, a)``, the weight of an example in mixup, from three random numbers.

    Source: Devroye (1996), "Random variate generation in one line of code": with ``u`` and ``v`` uniform and ``s`` a random sign
    ``1/2 + s / (2 sqrt(1 + 1/((u^(-1/a) - 1) cos^2(2 pi v))))``, for every ``a > 0``.
    """
    u, v, sign = noise.uniform(random_bits, a.dtype)
    spread = jnp.maximum((u ** (-1 / a) - 1) * jnp.square(jnp.cos(2 * jnp.pi * v)), 1e-30)
    return 0.5 + jnp.where(sign < 0.5, -0.5, 0.5) / jnp.sqrt(1 + 1 / spread)
