"""Orthogonalised matrices against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shoal.orthogonal import EXACT, ROUGH, orthogonalised


def through_the_rough_polynomials(values):
    for a, b, c in ROUGH:
        values = a * values + b * values**3 + c * values**5
    return values


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 5)])
def test_singular_vectors_stay_and_singular_values_go_through_the_polynomials(float64, shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(orthogonalised(jnp.asarray(matrix), EXACT), left @ right, atol=1e-12)
    values = through_the_rough_polynomials(values / np.linalg.norm(values))
    np.testing.assert_allclose(orthogonalised(jnp.asarray(matrix), ROUGH), left * values @ right, atol=1e-12)


def test_the_rough_polynomials_bring_what_matters_of_a_matrix_near_1():
    """Values that differ by a factor of 500 come to differ by one of 10."""
    values = through_the_rough_polynomials(np.geomspace(0.002, 1, 1000))
    assert values.min() > 0.18
    assert values.max() < 1.9


def test_padding_and_matrices_of_zeros_stay_zeros(float64):
    own = np.random.default_rng(1).normal(size=(5, 3))
    padded = np.zeros((8, 6))
    padded[:5, :3] = own
    wide = np.asarray(orthogonalised(jnp.asarray(padded), ROUGH))
    np.testing.assert_allclose(wide[:5, :3], orthogonalised(jnp.asarray(own), ROUGH), atol=1e-12)
    assert not wide[5:].any()
    assert not wide[:, 3:].any()
    np.testing.assert_array_equal(orthogonalised(jnp.zeros((4, 3)), ROUGH), 0)


def test_a_gradient_of_any_size_gives_the_same_in_single_precision():
    matrix = np.random.default_rng(2).normal(size=(130, 128)).astype(np.float32)
    apply = jax.jit(lambda x: orthogonalised(x, ROUGH))
    for size in (1e-8, 1e8):
        np.testing.assert_allclose(apply(size * matrix), apply(matrix), atol=2e-4)
