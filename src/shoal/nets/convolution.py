"""Convolutions and pooling of one network's mini-batch of pictures.

Pictures inside a network are ``[channels, height, width, rows]``, the examples last: every operation then works on long, contiguous
runs of examples. The weights of a convolution are a matrix ``[channels * kernel * kernel, filters]`` as those of any other layer
(fan-in first), channel by channel, so that a network's own channels come before those that pad it.

On a CPU a convolution is a product of matrices: the patches of one row of pixels are laid side by side (*im2col*) and multiplied with
the weights at once. One row at a time, and as many examples as keep its patches in the core's cache, is about as fast as the product
of matrices itself; the slope is written the same way, since the transpose that ``jax.grad`` makes of the copies was three times as
slow. On a GPU the library's own convolution serves. Both give the same numbers to rounding.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

CACHE = 2_200_000
"""Bytes that the patches of one product may take; measured with 1 MB of L2 cache a core."""
FEWEST_ROWS = 16
"""Examples in one product: a vector register's width."""
POOLED = 2
"""Side of the square that pooling makes one of."""


def convolve(x: Array, w: Array, kernel: int) -> Array:
    """Cross-correlation with stride 1 and zeros beyond the border, so that height and width stay.

    Args:
        x: ``[channels, height, width, rows]``.
        w: ``[channels * kernel * kernel, filters]``.
        kernel: odd side of the filters.

    Returns:
        ``[filters, height, width, rows]``.
    """
    return convolve_by_products(x, w, kernel) if jax.default_backend() == "cpu" else convolve_by_library(x, w, kernel)


def convolve_by_library(x: Array, w: Array, kernel: int) -> Array:
    """``convolve`` by XLA's convolution."""
    filters = w.reshape(x.shape[0], kernel, kernel, -1)
    return jax.lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=("CHWN", "IHWO", "CHWN"))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_by_products(x: Array, w: Array, kernel: int) -> Array:
    """``convolve`` by products of matrices, row by row."""
    channels, height, width, rows = x.shape
    at_once = _rows_at_once(channels, width, rows, kernel, x.dtype)
    padded, by_column = _with_border(x, kernel), _by_column(w, channels, kernel).T

    def one_block(number: Array, out: Array) -> Array:
        y, first = _place(number, rows, at_once)
        product = by_column @ _patches(padded, y, first, at_once, kernel)
        return jax.lax.dynamic_update_slice(out, product.reshape(-1, 1, width, at_once), (0, y, 0, first))

    out = jnp.zeros((w.shape[1], height, width, rows), x.dtype)
    return jax.lax.fori_loop(0, height * (rows // at_once), one_block, out)


def _forward(x: Array, w: Array, kernel: int) -> tuple[Array, tuple[Array, Array]]:
    return convolve_by_products(x, w, kernel), (x, w)


def _backward(kernel: int, kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, w = kept
    return _slope_of_pictures(slope, w, x.shape[0], kernel), _slope_of_weights(x, slope, kernel)


convolve_by_products.defvjp(_forward, _backward)


def _slope_of_pictures(slope: Array, w: Array, channels: int, kernel: int) -> Array:
    """The gradient of the input from that of the output ``[filters, height, width, rows]``.

    What each pixel's slope brings to all places under the filter is one product; it is added where they lie. The other way, patches of
    the slope times turned weights, copies ``filters / channels`` times as much.
    """
    filters, height, width, rows = slope.shape
    at_once = _rows_at_once(channels, width, rows, kernel, slope.dtype)
    by_place = w.reshape(channels, kernel * kernel, filters).swapaxes(0, 1).reshape(-1, filters)

    def one_block(number: Array, padded: Array) -> Array:
        y, first = _place(number, rows, at_once)
        brought = (by_place @ _pixels(slope, y, first, at_once)).reshape(kernel, kernel, channels, width, at_once)
        for down in range(kernel):
            shifted = [jnp.pad(brought[down, right], ((0, 0), (right, kernel - 1 - right), (0, 0))) for right in range(kernel)]
            place = (0, y + down, 0, first)
            before = jax.lax.dynamic_slice(padded, place, (channels, 1, width + kernel - 1, at_once))
            padded = jax.lax.dynamic_update_slice(padded, before + sum(shifted[1:], shifted[0])[:, None], place)
        return padded

    border = kernel // 2
    padded = jnp.zeros((channels, height + 2 * border, width + 2 * border, rows), slope.dtype)
    padded = jax.lax.fori_loop(0, height * (rows // at_once), one_block, padded)
    return padded[:, border : border + height, border : border + width]


def _slope_of_weights(x: Array, slope: Array, kernel: int) -> Array:
    """The gradient ``[channels * kernel * kernel, filters]`` from that of the output."""
    channels, height, width, rows = x.shape
    filters = slope.shape[0]
    at_once = _rows_at_once(channels, width, rows, kernel, x.dtype)
    padded = _with_border(x, kernel)

    def one_block(number: Array, total: Array) -> Array:
        y, first = _place(number, rows, at_once)
        return total + _patches(padded, y, first, at_once, kernel) @ _pixels(slope, y, first, at_once).T

    total = jnp.zeros((channels * kernel * kernel, filters), x.dtype)
    total = jax.lax.fori_loop(0, height * (rows // at_once), one_block, total)
    return total.reshape(kernel, channels, kernel, filters).transpose(1, 2, 0, 3).reshape(-1, filters)


def _rows_at_once(channels: int, width: int, rows: int, kernel: int, dtype: Any) -> int:
    """Examples in one product: the most that divide the mini-batch and whose patches fit into the cache."""
    each = kernel * kernel * channels * width * jnp.dtype(dtype).itemsize
    fitting = [size for size in range(1, rows + 1) if rows % size == 0 and size * each <= CACHE]
    least = [size for size in range(1, rows + 1) if rows % size == 0 and size >= min(FEWEST_ROWS, rows)]
    return max(max(fitting, default=1), least[0])


def _place(number: Array, rows: int, at_once: int) -> tuple[Array, Array]:
    """The row of pixels and the first example of a product, by its number."""
    return number // (rows // at_once), number % (rows // at_once) * at_once


def _with_border(x: Array, kernel: int) -> Array:
    border = kernel // 2
    return jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))


def _pixels(x: Array, y: Array, first: Array, at_once: int) -> Array:
    """One row of pixels, ``[channels, width * at_once]``."""
    channels, _, width, _ = x.shape
    return jax.lax.dynamic_slice(x, (0, y, 0, first), (channels, 1, width, at_once)).reshape(channels, -1)


def _patches(padded: Array, y: Array, first: Array, at_once: int, kernel: int) -> Array:
    """What the filters see along one row of pixels, ``[kernel * channels * kernel, width * at_once]``, column by column of the filter."""
    channels, _, across, _ = padded.shape
    seen = (channels, kernel, across - kernel + 1, at_once)
    columns = [jax.lax.dynamic_slice(padded, (0, y, right, first), seen) for right in range(kernel)]
    return jnp.concatenate([column.reshape(channels * kernel, -1) for column in columns])


def _by_column(w: Array, channels: int, kernel: int) -> Array:
    """The weights with their rows in the order of ``_patches``."""
    return w.reshape(channels, kernel, kernel, -1).transpose(2, 0, 1, 3).reshape(kernel * channels * kernel, -1)


def pool(x: Array, kind: str, rises: Array | None = None) -> Array:
    """The largest or the mean value of each square of 2 x 2 pixels; an odd last row or column is left out.

    Of equal largest values the first has the slope, as in PyTorch.

    Args:
        x: ``[channels, height, width, rows]``.
        kind: ``max``, ``average`` or ``none``.
        rises: bool ``[channels]``: where it is false, ``max`` gives the smallest value; ``None`` is true everywhere.
    """
    if kind == "none":
        return x
    if kind == "max":
        return _extreme(x, rises)
    corners = _corners(x)
    return sum(corners[1:], corners[0]) / len(corners)


def _corners(x: Array) -> list[Array]:
    """The four pixels of each square, each ``[channels, height // 2, width // 2, rows]``."""
    height, width = (side // POOLED * POOLED for side in x.shape[1:3])
    return [x[:, down:height:POOLED, right:width:POOLED] for down in range(POOLED) for right in range(POOLED)]


@jax.custom_vjp
def _extreme(x: Array, rises: Array | None) -> Array:
    corners = _corners(x)
    largest = functools.reduce(jnp.maximum, corners)
    return largest if rises is None else jnp.where(rises[:, None, None, None], largest, functools.reduce(jnp.minimum, corners))


def _slope_of_chosen(kept: tuple[Array, Array], slope: Array) -> Array:
    """The gradient of the pixels ``x`` from that of the ones that were ``chosen`` among each four."""
    x, chosen = kept
    found, slopes = jnp.zeros(chosen.shape, bool), []
    for corner in _corners(x):
        is_it = (corner == chosen) & ~found
        found |= is_it
        slopes.append(jnp.where(is_it, slope, 0))
    rows = [jnp.stack(slopes[first : first + POOLED], 3) for first in range(0, len(slopes), POOLED)]
    channels, height, width, count = chosen.shape
    whole = jnp.stack(rows, 2).reshape(channels, POOLED * height, POOLED * width, count)
    return jnp.pad(whole, [(0, full - size) for full, size in zip(x.shape, whole.shape, strict=True)])


_extreme.defvjp(lambda x, rises: (y := _extreme(x, rises), (x, y)), lambda kept, slope: (_slope_of_chosen(kept, slope), None))
