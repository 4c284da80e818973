"""Matrices brought near to orthonormal columns, or rows, by nothing but products: for weights at the start, and for muon's steps."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

Polynomial = tuple[float, float, float]
"""``(a, b, c)`` of ``s -> a s + b s^3 + c s^5``, which is applied to every singular value."""

EXACT: tuple[Polynomial, ...] = ((15 / 8, -10 / 8, 3 / 8),) * 32
"""Source: Bjorck and Bowie (1971). A small singular value grows by 15/8 each time: from a millionth of the largest, 22 bring it to 1 and a
few more to the last digit."""

ROUGH: tuple[Polynomial, ...] = (
    (8.287212018, -23.595886519, 17.300387313),
    (4.107059112, -2.947849917, 0.544843108),
    (3.948690853, -2.908902116, 0.551819139),
)
"""Source: Amsel, Persson, Musco and Gower (2025), "The Polar Express": the first three of their polynomials. They bring singular values
from a five-hundredth of the matrix's norm to all of it between 0.18 and 1.87, which is all that muon asks for."""

_LEAST_NORM = 1e-30


def multiplications(n_in: int, n_out: int) -> int:
    """How many multiplications the ``ROUGH`` polynomials of a matrix ``[n_in, n_out]`` take.

    Example:
        >>> multiplications(200, 100)
        15000000
    """
    short, long = sorted((n_in, n_out))
    return len(ROUGH) * (2 * long * short**2 + short**3)


def orthogonalised(matrix: Array, polynomials: Sequence[Polynomial]) -> Array:
    """The matrix ``[in, out]`` with its singular values brought towards 1; singular vectors stay.

    With ``X = U S V'`` it is ``U p(S) V'``, by ``X = X (a + b X'X + c (X'X)^2)`` for each of the polynomials, from ``X`` divided by its
    Frobenius norm. Singular values of 0 stay: rows and columns of zeros, a padded network's, stay zeros and do not change the rest, and so
    does a matrix of zeros. (LAPACK's factorisations wait for ever in XLA's thread pool when several CPU devices ask for a batch of them at
    once.)

    Example:
        >>> orthogonalised(jnp.array([[3.0, 0.0], [0.0, 0.5]]), EXACT).round(4)
        Array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    columns = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T

    def closer(x: Array, polynomial: Array) -> tuple[Array, None]:
        a, b, c = polynomial
        g = x.T @ x
        return a * x + x @ (b * g + c * (g @ g)), None

    norm = jnp.sqrt(jnp.square(columns).sum())
    x, _ = jax.lax.scan(closer, columns / jnp.maximum(norm, _LEAST_NORM), jnp.asarray(polynomials, columns.dtype))
    return x if matrix.shape[0] >= matrix.shape[1] else x.T
