"""Random bits as a pure function of a stream, a row and a column.

Dropout needs one random number per unit and step. A hash of the position costs a dozen integer operations, fuses into the
arithmetic around it and is the same whatever the array is padded to, so that a network in a wide shoal draws what it
would draw alone. (JAX's threefry and the CPU's rbg generator took longer than the whole step of a small network.)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

_GOLDEN = 0x9E3779B9  # 2^32 over the golden ratio: consecutive counters land far apart


def mix(x: Array) -> Array:
    """Scramble uint32 values: each input bit flips each output bit with a probability close to one half.

    The shifts and multipliers are those of C. Wellons' ``lowbias32`` (2018, "Prospecting for hash functions").
    """
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def stream(*parts: Array | int) -> Array:
    """One uint32 that names a stream of noise, from the numbers that identify it (seed, step, layer)."""
    name = jnp.uint32(_GOLDEN)
    for part in parts:
        name = mix(name ^ mix(jnp.asarray(part).astype(jnp.uint32) + jnp.uint32(_GOLDEN)))
    return name


def bits(name: Array, rows: int, columns: int) -> Array:
    """uint32 bits [rows, columns]; the value at a position does not depend on how many rows and columns are asked for."""
    row = mix(name + jax.lax.iota(jnp.uint32, rows) * jnp.uint32(_GOLDEN))
    return mix(row[:, None] + jax.lax.iota(jnp.uint32, columns)[None, :])


def keep(random_bits: Array, probability: Array) -> Array:
    """True with the given probability (resolution 2^-24), elementwise over ``random_bits``."""
    return (random_bits >> 8).astype(jnp.int32) < (probability * 2.0**24).astype(jnp.int32)


def normal(name: Array, rows: int, columns: int, dtype: jnp.dtype) -> Array:
    """Standard normal numbers [rows, columns], by the inverse of the normal distribution function."""
    return jax.lax.erf_inv(2 * uniform(bits(name, rows, columns), dtype) - 1) * jnp.sqrt(jnp.asarray(2.0, dtype))


def uniform(random_bits: Array, dtype: jnp.dtype) -> Array:
    """Numbers strictly between 0 and 1, elementwise over ``random_bits``."""
    # 23 bits and a half fit into float32 exactly; with 24 the greatest would round up to 1.
    return ((random_bits >> 9).astype(dtype) + 0.5) * 2.0**-23
