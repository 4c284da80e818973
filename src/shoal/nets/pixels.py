"""Pictures as the networks see them: each channel standardised, inside the compiled step, since the device holds bytes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array


class Pixels(NamedTuple):
    """What the bytes of pictures are normalised with; over the training pictures."""

    mean: Any  # [channels], from 0 to 255
    deviation: Any  # [channels], in the same unit


def normalised(x: Array, pixels: Pixels) -> Array:
    """``(x - mean) / deviation`` of pictures ``[rows, height * width * channels]``, channels fastest; bytes become float32.

    Example:
        >>> normalised(jnp.array([[0, 100, 255, 100]], jnp.uint8), Pixels(jnp.array([0.0, 100.0]), jnp.array([51.0, 10.0])))
        Array([[0., 0., 5., 0.]], dtype=float32)
    """
    values = x.astype(pixels.mean.dtype) if jnp.issubdtype(x.dtype, jnp.integer) else x
    by_channel = values.reshape(len(values), -1, len(pixels.mean))
    return ((by_channel - pixels.mean) / pixels.deviation).reshape(values.shape)
