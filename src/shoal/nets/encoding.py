"""Encodings of numeric inputs, computed inside the compiled step: piecewise-linear, or by cosines that are learned.

**Piecewise-linear.** Source: Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep Learning".
An input with bin edges ``b_0 < ... < b_T`` (quantiles of the training rows; where one value has most of the rows, it and quantiles of the
others) becomes ``T`` further inputs::

    e_t = (x - b_(t-1)) / (b_t - b_(t-1)),   at least 0 except for t = 1,   at most 1 except for t = T

so that a network can bend where the data are, without having to find the place first. The table on the device stays as it
is: the encoding of a mini-batch is made after it was gathered, once for all networks.

**Periodic.** An input ``x`` becomes ``PERIODIC`` further ones, of ``FREQUENCIES`` cosines with a learned frequency ``f_k`` and phase
``p_k``, mixed with learned weights, column by column::

    e_j = sum_k v_kj (cos(2 pi (f_k x + p_k)) - cos(2 pi p_k))

so that a network that learns smooth functions easily learns others as well: each has frequencies of its own. ``f_k`` begins normal with
standard deviation ``frequency_scale``, ``p_k`` uniform over a period, ``v_kj`` uniform within ``+-1/sqrt(FREQUENCIES)``. Source: the same,
and Holzmueller, Grinsztajn and Steinwart (2024), "Better by Default", whose variant with phases it is; the second cosine, which the next
layer's bias could stand for, makes ``x = 0`` (the mean, a missing value, padding, a dropped input) give 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial import Chebyshev, Polynomial

from shoal import noise

FREQUENCIES, PERIODIC = 16, 4
"""Cosines of a column, and the inputs that they become."""

BINS = 16
FEWEST_VALUES = 8
"""An input with fewer different values (a flag, a level) is left as it is."""

FEWEST_ROWS_OF_A_BIN = 32
"""Where one value has most of the rows, of the bins of the others."""

ROWS_FOR_QUANTILES = 50_000
COLUMN_MULTIPLE = 4


class Encoding(NamedTuple):
    """The bins of the encoded columns; ``columns`` is padded with columns whose ``slope`` is 0."""

    columns: Any  # int32 [encoded]: positions among the inputs
    start: Any  # [encoded, BINS]: b_(t-1)
    slope: Any  # [encoded, BINS]: 1 / (b_t - b_(t-1)); 0 for a bin that is not used
    low: Any  # [encoded, BINS]: 0, or -infinity for the first bin
    high: Any  # [encoded, BINS]: 1, or infinity for the last bin in use

    def used(self, by_column: bool = False) -> np.ndarray:
        """Which of the ``encoded * BINS`` further inputs, or of the ``encoded`` columns, are real."""
        slope = np.asarray(self.slope)
        return (slope[:, 0] if by_column else slope.reshape(-1)) > 0


def fit(inputs: np.ndarray) -> Encoding:
    """Bins at the quantiles of the training inputs ``[rows, columns]``.

    Example:
        >>> encoding = fit(np.linspace(0, 1, 100, dtype=np.float32)[:, None])
        >>> encode(np.array([[0.5]], np.float32), encoding).sum().round(2)  # half of the 16 bins lie below 0.5
        Array(8., dtype=float32)
    """
    rows = inputs[np.linspace(0, len(inputs) - 1, min(len(inputs), ROWS_FOR_QUANTILES)).astype(int)]
    encoded = [(column, edges) for column in range(inputs.shape[1]) if (edges := _edges(rows[:, column])) is not None]
    size = -(-len(encoded) // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
    encoding = Encoding(
        np.zeros(size, np.int32), np.zeros((size, BINS), np.float32), np.zeros((size, BINS), np.float32),
        np.zeros((size, BINS), np.float32), np.ones((size, BINS), np.float32),
    )  # fmt: skip
    for place, (column, edges) in enumerate(encoded):
        bins = len(edges) - 1
        encoding.columns[place] = column
        encoding.start[place, :bins] = edges[:-1]
        encoding.slope[place, :bins] = 1 / np.diff(edges)
        encoding.low[place, 0] = -np.inf
        encoding.high[place, bins - 1] = np.inf
    return encoding


def encode(x: Any, encoding: Encoding) -> Array:
    """The further inputs ``[rows, encoded * BINS]`` of a mini-batch ``[rows, columns]``."""
    position = (x[:, encoding.columns, None] - encoding.start) * encoding.slope
    return jnp.clip(position, encoding.low, encoding.high).reshape(len(x), -1)


def encoded_columns(x: Any, encoding: Encoding) -> Array:
    """The columns ``[rows, encoded]`` that have an encoding, as they are: what the periodic one is made of; 0 where they are padding."""
    return jnp.where(encoding.slope[:, 0] > 0, x[:, encoding.columns], 0.0)


def periodic_shapes(encoded: int) -> dict[str, tuple[int, ...]]:
    """The arrays that a periodic encoding learns."""
    return {"frequency": (encoded, FREQUENCIES), "mix": (encoded, FREQUENCIES * PERIODIC), "phase": (encoded, FREQUENCIES)}


def begin_periodic(streams: Sequence[Array], encoded: int, frequency_scale: Array, dtype: Any) -> dict[str, Array]:
    """Their values before the first step, drawn from three streams of noise."""
    return {
        "frequency": frequency_scale.astype(dtype) * noise.normal(streams[0], encoded, FREQUENCIES, dtype),
        "mix": (2 * noise.uniform(noise.bits(streams[1], encoded, FREQUENCIES * PERIODIC), dtype) - 1) / FREQUENCIES**0.5,
        "phase": noise.uniform(noise.bits(streams[2], encoded, FREQUENCIES), dtype),
    }


def encode_periodic(x: Array, learned: dict[str, Array]) -> Array:
    """The further inputs ``[rows, encoded * PERIODIC]`` of one network, of columns ``x [rows, encoded]``."""
    waves = cosine(x[:, :, None] * learned["frequency"] + learned["phase"]) - cosine(learned["phase"])
    mix = learned["mix"].reshape(-1, FREQUENCIES, PERIODIC)
    return jnp.einsum("rcf,cfj->rcj", waves, mix).reshape(len(x), -1)


def cosine(turns: Array) -> Array:
    """``cos(2 pi turns)`` to 1e-6, as a polynomial: on a CPU several times as fast as the library's, which serves angles of any size.

    Example:
        >>> cosine(jnp.array([0.0, 0.125, 1.5, -3.0])).round(4)
        Array([ 1.    ,  0.7071, -1.    ,  1.    ], dtype=float32)
    """
    within = turns - jnp.round(turns)
    square = within * within
    result = jnp.full_like(square, _COSINE[-1])
    for coefficient in _COSINE[-2::-1]:
        result = result * square + coefficient
    return result


_COSINE = (
    Chebyshev.interpolate(lambda square: np.cos(2 * np.pi * np.sqrt(square)), 7, domain=[0, 0.25]).convert(kind=Polynomial).coef.tolist()
)
"""Of the powers of the square of a turn, from half a turn back to half a turn ahead; itself exact to 1e-9."""


def _edges(values: np.ndarray) -> np.ndarray | None:
    """The edges of a column's bins, or ``None`` where it is left as it is.

    Where one value has so many of the rows that hardly a quantile lies elsewhere (an amount that is mostly 0), it has an edge of its own,
    and the bins lie at the quantiles of the other rows.
    """
    if len(np.unique(values[:1000])) < FEWEST_VALUES and len(np.unique(values)) < FEWEST_VALUES:
        return None
    edges = _apart(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    if len(edges) <= 3:
        each, rows = np.unique(values, return_counts=True)
        most_frequent = each[rows.argmax()]
        others = values[values != most_frequent]
        bins = min(BINS - 1, len(others) // FEWEST_ROWS_OF_A_BIN)
        edges = _apart(np.append(np.quantile(others, np.linspace(0, 1, bins + 1)), most_frequent)) if bins else edges
    return edges if len(edges) > 2 else None


def _apart(values: np.ndarray) -> np.ndarray:
    """Values in order, without those closer than float32 can tell apart, between which slopes would overflow."""
    edges = np.unique(values.astype(np.float32))
    return edges[np.concatenate([[True], np.diff(edges) > 1e-5])]
