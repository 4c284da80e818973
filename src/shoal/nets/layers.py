"""Layers for one mini-batch of one network; the shoal comes from ``vmap``."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from shoal import noise

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_BETA = 0.98  # the running averages span about the last 50 mini-batches


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


def batch_norm(z: Array, mean: Array, variance: Array, gamma: Array, beta: Array) -> Array:
    """``gamma (z - mu) / sqrt(sigma^2 + eps) + beta`` (Ioffe and Szegedy, 2015), before the activation."""
    return (z - mean) * (gamma * jax.lax.rsqrt(variance + BATCH_NORM_EPSILON)) + beta
