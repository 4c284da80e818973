"""One mini-batch on several devices: each computes with its part of the examples, and what they find is put together.

Inside a program that runs on every device, each of which has the parameters of the network. A sum over the devices hands its gradient on
to all of them, so that the gradient of each device's share of the cost, summed over the devices, is the gradient of the cost.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

EXAMPLES = "example"
"""The mesh axis over which the examples of a mini-batch are divided."""

FEWEST_EXAMPLES = 16
"""Of a mini-batch on one device: a vector register's width."""
LEAST_OPERATIONS = 4_000_000
"""Multiplications with a weight that a mini-batch has for each device. On two CPU cores mini-batches of 12 million took three quarters of
the time of one core, those of 3 million as long, or a third longer with batch norm, and those of 1 million nearly twice as long."""


def parts_of(examples: int, devices: int) -> int:
    """Into how many equal parts a mini-batch is divided: the most that so many devices can take.

    Example:
        >>> [parts_of(128, devices) for devices in (1, 2, 3, 16)]
        [1, 2, 2, 8]
    """
    return next(parts for parts in range(devices, 0, -1) if parts == 1 or (examples % parts == 0 and examples // parts >= FEWEST_EXAMPLES))


def own_part(values: Any, parts: int) -> Any:
    """Of arrays ``[examples, ...]`` those of this device's examples."""
    if parts == 1:
        return values

    def of_one(array: Array) -> Array:
        count = len(array) // parts
        return jax.lax.dynamic_slice_in_dim(array, jax.lax.axis_index(EXAMPLES) * count, count)

    return jax.tree.map(of_one, values)


def summed(values: Any, parts: int) -> Any:
    """The sums over all devices of what each found for its examples."""
    return values if parts == 1 else jax.lax.psum(values, EXAMPLES)


def statistics_of_all(statistics: tuple[Array, Array], present: Array, parts: int) -> tuple[Array, Array]:
    """Mean and variance ``[units]`` over the examples of all devices, from those of this device's.

    Args:
        statistics: mean and variance over the examples that are present here.
        present: ``[rows]``, 1 for an example and 0 for padding.
        parts: devices over which the mini-batch is divided.
    """
    if parts == 1:
        return statistics
    mean, variance = statistics
    count = present.sum()
    share = count / jnp.maximum(summed(count, parts), 1.0)
    of_all = summed(share * mean, parts)
    return of_all, summed(share * (variance + jnp.square(mean - of_all)), parts)
