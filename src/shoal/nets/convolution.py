"""Convolutions and pooling of one network's mini-batch of pictures.

Pictures inside a network are ``[channels, height, width, rows]``, the examples last: every operation then works on long, contiguous
runs of examples. The weights of a convolution are a matrix ``[channels * kernel * kernel, filters]`` as those of any other layer
(fan-in first), channel by channel, so that a network's own channels come before those that pad it.

On a CPU a convolution is a product of matrices: the patches of one row of pixels are laid side by side (*im2col*) and multiplied with
the weights at once. One row at a time, and as many examples as keep its patches in the core's cache, is about as fast as the product
of matrices itself; the slope is written the same way, since the transpose that ``jax.grad`` makes of the copies was three times as
slow. Where only the largest of each four pixels matters, each row is pooled while the cache holds it (``convolve_and_pool``). On a GPU
the library's own convolution serves. Both give the same numbers to rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal.nets import layers

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
    def slope_at(y: Array, first: Array, at_once: int) -> Array:
        return _pixels(slope, y, first, at_once)

    x, w = kept
    return _slope_of_pictures(slope_at, x, w, kernel), _slope_of_weights(slope_at, x, w, kernel)


convolve_by_products.defvjp(_forward, _backward)

SlopeAt = Callable[[Array, Array, int], Array]
"""The gradient of one row of the output, ``[filters, width * at_once]``, by its number, its first example and their count."""


def _slope_of_pictures(slope_at: SlopeAt, x: Array, w: Array, kernel: int) -> Array:
    """The gradient of the input from that of the output.

    What each pixel's slope brings to all places under the filter is one product; it is added where they lie. The other way, patches of
    the slope times turned weights, copies ``filters / channels`` times as much.
    """
    channels, height, width, rows = x.shape
    at_once = _rows_at_once(channels, width, rows, kernel, x.dtype)
    by_place = w.reshape(channels, kernel * kernel, -1).swapaxes(0, 1).reshape(kernel * kernel * channels, -1)

    def one_block(number: Array, padded: Array) -> Array:
        y, first = _place(number, rows, at_once)
        brought = (by_place @ slope_at(y, first, at_once)).reshape(kernel, kernel, channels, width, at_once)
        for down in range(kernel):
            shifted = [jnp.pad(brought[down, right], ((0, 0), (right, kernel - 1 - right), (0, 0))) for right in range(kernel)]
            place = (0, y + down, 0, first)
            before = jax.lax.dynamic_slice(padded, place, (channels, 1, width + kernel - 1, at_once))
            padded = jax.lax.dynamic_update_slice(padded, before + sum(shifted[1:], shifted[0])[:, None], place)
        return padded

    border = kernel // 2
    padded = jnp.zeros((channels, height + 2 * border, width + 2 * border, rows), x.dtype)
    padded = jax.lax.fori_loop(0, height * (rows // at_once), one_block, padded)
    return padded[:, border : border + height, border : border + width]


def _slope_of_weights(slope_at: SlopeAt, x: Array, w: Array, kernel: int) -> Array:
    """The gradient ``[channels * kernel * kernel, filters]`` from that of the output."""
    channels, height, width, rows = x.shape
    at_once = _rows_at_once(channels, width, rows, kernel, x.dtype)
    padded = _with_border(x, kernel)

    def one_block(number: Array, total: Array) -> Array:
        y, first = _place(number, rows, at_once)
        return total + _patches(padded, y, first, at_once, kernel) @ slope_at(y, first, at_once).T

    total = jax.lax.fori_loop(0, height * (rows // at_once), one_block, jnp.zeros(w.shape, x.dtype))
    return total.reshape(kernel, channels, kernel, -1).transpose(1, 2, 0, 3).reshape(w.shape)


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


class Pooled(NamedTuple):
    """A convolution's output, pooled, and the statistics of all of it."""

    largest: Array
    """``[filters, height // 2, width // 2, rows]``."""
    statistics: tuple[Array, Array] | None
    """Mean and variance ``[filters]`` over the examples that are present and their pixels, if they were asked for."""


def convolve_and_pool(x: Array, w: Array, kernel: int, signs: Array, present: Array | None = None) -> Pooled:
    """``convolve``, and the largest of each square of 2 x 2 pixels, which is all that a rising function after it needs to see.

    Args:
        x: ``[channels, height, width, rows]``.
        w: ``[channels * kernel * kernel, filters]``.
        kernel: odd side of the filters.
        signs: ``[filters]``, 1, or -1 where the smallest pixel is meant.
        present: ``[rows]``, 1 for an example and 0 for padding: asks for the statistics.
    """
    if jax.default_backend() == "cpu":
        return convolve_and_pool_by_products(x, w, signs, present, kernel)
    z, signs = convolve_by_library(x, w, kernel), layers.per_unit(signs, x)
    return Pooled(signs * pool(signs * z, "max"), None if present is None else layers.batch_statistics(z, present))


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def convolve_and_pool_by_products(x: Array, w: Array, signs: Array, present: Array | None, kernel: int) -> Pooled:
    """``convolve_and_pool`` row by row: what follows the product is done while the cache holds the row."""
    return _pooled_forward(x, w, signs, present, kernel)[0]


_ABSENT = POOLED * POOLED
"""Added to a corner: the example is padding."""


class _Kept(NamedTuple):
    """What the gradient of ``convolve_and_pool_by_products`` needs."""

    x: Array
    w: Array
    corner: Array  # of the largest pixel of each four, 0 to 3
    of_statistics: tuple[Array, Array, Array] | None  # all pixels, which examples are present, and the mean


def _pooled_forward(x: Array, w: Array, signs: Array, present: Array | None, kernel: int) -> tuple[Pooled, _Kept]:
    channels, height, width, rows = x.shape
    filters = w.shape[1]
    at_once = _rows_at_once(channels, width, rows, kernel, x.dtype)
    padded, by_column = _with_border(x, kernel), _by_column(w, channels, kernel).T
    squares = (filters, height // POOLED, width // POOLED, rows)
    signs = signs[:, None, None]

    def one_row(y: Array, first: Array, statistics: _Statistics | None) -> tuple[Array, _Statistics | None]:
        row = (by_column @ _patches(padded, y, first, at_once, kernel)).reshape(filters, width, at_once)
        return row, None if statistics is None else statistics.with_row(row, y, first)

    def one_block(number: Array, state: tuple[Array, Array, _Statistics | None]) -> tuple[Array, Array, _Statistics | None]:
        largest, corner, statistics = state
        y, first = _place(number, rows, at_once)
        best, which = jnp.full((filters, width // POOLED, at_once), -jnp.inf, x.dtype), jnp.uint8(0)
        for down in range(POOLED):
            row, statistics = one_row(POOLED * y + down, first, statistics)
            for right in range(POOLED):
                pixels = signs * row[:, right : width // POOLED * POOLED : POOLED]
                which = jnp.where(pixels > best, jnp.uint8(down * POOLED + right), which)
                best = jnp.maximum(best, pixels)
        place = (0, y, 0, first)
        largest = jax.lax.dynamic_update_slice(largest, (signs * best)[:, None], place)
        return largest, jax.lax.dynamic_update_slice(corner, which[:, None], place), statistics

    def one_block_of_odd_row(number: Array, statistics: _Statistics | None) -> _Statistics | None:
        return one_row(jnp.asarray(height - 1), _place(number, rows, at_once)[1], statistics)[1]

    begun = None if present is None else _Statistics.begin(filters, height, width, rows, x.dtype)
    state = jnp.zeros(squares, x.dtype), jnp.zeros(squares, jnp.uint8), begun
    largest, corner, statistics = jax.lax.fori_loop(0, height // POOLED * (rows // at_once), one_block, state)
    if height % POOLED and statistics is not None:  # pooling leaves an odd last row out, its statistics count
        statistics = jax.lax.fori_loop(0, rows // at_once, one_block_of_odd_row, statistics)
    if statistics is None or present is None:
        return Pooled(largest, None), _Kept(x, w, corner, None)
    mean, variance = statistics.over(present)
    return Pooled(largest, (mean, variance)), _Kept(x, w, corner, (statistics.z, present, mean))


class _Statistics(NamedTuple):
    """All pixels, and the mean and the summed squares about it of each filter and example, over the rows of pixels so far."""

    z: Array  # [filters, height, width, rows]
    mean: Array  # [filters, rows]
    squares: Array

    @classmethod
    def begin(cls, filters: int, height: int, width: int, rows: int, dtype: Any) -> _Statistics:
        none = jnp.zeros((filters, rows), dtype)
        return cls(jnp.zeros((filters, height, width, rows), dtype), none, none)

    def with_row(self, row: Array, y: Array, first: Array) -> _Statistics:
        """With one more row of pixels ``[filters, width, at_once]`` (Chan, Golub and LeVeque, 1983, updating formulae)."""
        filters, width, at_once = row.shape
        mean, squares = (jax.lax.dynamic_slice(each, (0, first), (filters, at_once)) for each in (self.mean, self.squares))
        of_row = row.mean(1)
        apart = of_row - mean
        squares += jnp.square(row - of_row[:, None]).sum(1) + jnp.square(apart) * (width * y / (y + 1)).astype(row.dtype)
        return _Statistics(
            jax.lax.dynamic_update_slice(self.z, row[:, None], (0, y, 0, first)),
            jax.lax.dynamic_update_slice(self.mean, mean + apart / (y + 1).astype(row.dtype), (0, first)),
            jax.lax.dynamic_update_slice(self.squares, squares, (0, first)),
        )

    def over(self, present: Array) -> tuple[Array, Array]:
        """Mean and variance of each filter over the examples that are present."""
        count = jnp.maximum(present.sum(), 1.0)
        mean = (self.mean * present).sum(1) / count
        pixels = self.z.shape[1] * self.z.shape[2]
        return mean, ((self.squares / pixels + jnp.square(self.mean - mean[:, None])) * present).sum(1) / count


def _pooled_backward(kernel: int, kept: _Kept, slopes: Pooled) -> tuple[Array, Array, None, None]:
    x, w, corner, of_statistics = kept
    _, height, width, _ = x.shape
    filters, odd = w.shape[1], (height % POOLED, width % POOLED)
    slope, corner = (jnp.pad(each, ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0))) for each in (slopes.largest, corner))
    by_statistics = None
    if of_statistics is not None and slopes.statistics is not None:
        z, present, mean = of_statistics
        by_statistics = z, mean, *layers.slopes_of_statistics(slopes.statistics, z, present)
        corner = jnp.where(present > 0, corner, corner | _ABSENT)  # factors along the examples would make the loop three times as slow

    def slope_at(y: Array, first: Array, at_once: int) -> Array:
        place, size = (0, y // POOLED, 0, first), (filters, 1, slope.shape[2], at_once)
        which, brought = (jax.lax.dynamic_slice(each, place, size).swapaxes(1, 2) for each in (corner, slope))
        is_it = which & (_ABSENT - 1) == y % POOLED * POOLED + jnp.arange(POOLED)[:, None]  # [filters, squares, 2, at_once]
        row = jnp.where(is_it, brought, 0)
        if by_statistics is not None:
            z, *vectors = by_statistics
            mean, level, tilt = (layers.per_unit(vector, is_it) for vector in vectors)
            pixels = jnp.pad(_pixels(z, y, first, at_once).reshape(filters, width, at_once), ((0, 0), (0, odd[1]), (0, 0)))
            moved = level + tilt * (pixels.reshape(is_it.shape) - mean)
            row += jnp.where(which < _ABSENT, moved, 0)
        return row.reshape(filters, -1, at_once)[:, :width].reshape(filters, -1)

    return _slope_of_pictures(slope_at, x, w, kernel), _slope_of_weights(slope_at, x, w, kernel), None, None


convolve_and_pool_by_products.defvjp(_pooled_forward, _pooled_backward)


def pool(x: Array, kind: str) -> Array:
    """The largest or the mean value of each square of 2 x 2 pixels; an odd last row or column is left out.

    Of equal largest values the first has the slope, as in PyTorch.

    Args:
        x: ``[channels, height, width, rows]``.
        kind: ``max``, ``average`` or ``none``.
    """
    if kind == "none":
        return x
    if kind == "max":
        return _largest(x)
    corners = _corners(x)
    return sum(corners[1:], corners[0]) / len(corners)


def _corners(x: Array) -> list[Array]:
    """The four pixels of each square, each ``[channels, height // 2, width // 2, rows]``."""
    height, width = (side // POOLED * POOLED for side in x.shape[1:3])
    return [x[:, down:height:POOLED, right:width:POOLED] for down in range(POOLED) for right in range(POOLED)]


@jax.custom_vjp
def _largest(x: Array) -> Array:
    return functools.reduce(jnp.maximum, _corners(x))


def _slope_of_chosen(kept: tuple[Array, Array], slope: Array) -> Array:
    """The gradient of the pixels ``x`` from that of the ones that were ``chosen`` among each four."""
    x, chosen = kept
    corner = jnp.full(chosen.shape, POOLED * POOLED, jnp.uint8)  # not finite: none of them
    for number, pixels in reversed([*enumerate(_corners(x))]):
        corner = jnp.where(pixels == chosen, jnp.uint8(number), corner)
    corners = jnp.arange(POOLED * POOLED).reshape(POOLED, 1, POOLED, 1)
    whole = jnp.where(corner[:, :, None, :, None] == corners, slope[:, :, None, :, None], 0)
    channels, height, width, count = chosen.shape
    whole = whole.reshape(channels, POOLED * height, POOLED * width, count)
    return jnp.pad(whole, [(0, full - size) for full, size in zip(x.shape, whole.shape, strict=True)])


_largest.defvjp(lambda x: (y := _largest(x), (x, y)), lambda kept, slope: (_slope_of_chosen(kept, slope),))
