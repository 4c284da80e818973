"""Layers against PyTorch, and dropout against its expectation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from shoal import noise
from shoal.nets import layers

RNG = np.random.default_rng(5)
Z = RNG.normal(1, 2, (24, 7))
TORCH = {
    "identity": lambda z: 1 * z,
    "elu": torch.nn.functional.elu,
    "selu": torch.nn.functional.selu,
    "gelu": torch.nn.functional.gelu,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_activations_and_their_slopes_are_pytorchs(float64, name):
    tensor = torch.tensor(Z, requires_grad=True)
    (slope,) = torch.autograd.grad(TORCH[name](tensor).sum(), tensor)
    g = layers.ACTIVATIONS[name]
    np.testing.assert_allclose(g(jnp.asarray(Z)), TORCH[name](tensor).detach(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(jax.grad(lambda z: g(z).sum())(jnp.asarray(Z)), slope, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", layers.ACTIVATIONS)
def test_an_activation_that_is_not_0_at_0_asks_for_the_unit_mask(name):
    assert layers.needs_unit_mask(name) == (float(layers.ACTIVATIONS[name](jnp.zeros(()))) != 0)


@pytest.mark.parametrize("rows_present", [24, 10, 2])
def test_batch_norm_in_training_is_pytorchs_over_the_rows_that_are_there(float64, rows_present):
    """Both normalise by the biased variance (divided by n, not n - 1), with epsilon inside the root."""
    gamma, beta = RNG.normal(size=7), RNG.normal(size=7)
    present = np.arange(24) < rows_present
    z = np.where(present[:, None], Z, 1e6)  # what stands in the padding must not matter
    mean, variance = layers.batch_statistics(jnp.asarray(z), jnp.asarray(present, float))
    ours = layers.normalise(jnp.asarray(z), mean, variance, jnp.asarray(gamma), jnp.asarray(beta))[:rows_present]
    tensors = (torch.tensor(value) for value in (Z[:rows_present], gamma, beta))
    x, weight, bias = tensors
    expected = torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=layers.NORMALISATION_EPSILON)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def test_batch_norm_gives_mean_beta_and_deviation_gamma(float64):
    mean, variance = layers.batch_statistics(jnp.asarray(Z), jnp.ones(24))
    normalised = layers.normalise(jnp.asarray(Z), mean, variance, jnp.full(7, 3.0), jnp.full(7, -2.0))
    np.testing.assert_allclose(normalised.mean(0), -2, rtol=1e-12)
    np.testing.assert_allclose(normalised.std(0), 3, rtol=1e-4)


def test_a_unit_that_is_constant_over_the_batch_stays_finite():
    mean, variance = layers.batch_statistics(jnp.full((8, 2), 5.0), jnp.ones(8))
    np.testing.assert_allclose(layers.normalise(jnp.full((8, 2), 5.0), mean, variance, jnp.ones(2), jnp.ones(2)), 1.0)


@pytest.mark.parametrize("keep_prob", [0.3, 0.8])
def test_dropout_divides_by_keep_prob_so_that_the_expectation_stays(keep_prob):
    x = jnp.asarray(np.abs(Z), jnp.float32)
    draws = [layers.dropout(x, noise.bits(noise.stream(0, step), 24, 7), jnp.float32(keep_prob)) for step in range(400)]
    spread = np.sqrt((1 - keep_prob) / keep_prob / 400)  # of the mean of a kept unit over the draws, as a share of the unit
    relative = np.mean(draws, 0) / x
    assert np.abs(relative - 1).max() < 4.5 * spread
    assert abs(relative.mean() - 1) < 4 * spread / np.sqrt(x.size)  # without the division this would be keep_prob
    kept = np.asarray(draws[0]) != 0
    np.testing.assert_allclose(np.asarray(draws[0])[kept], np.asarray(x)[kept] / np.float32(keep_prob), rtol=1e-6)


def test_keep_prob_1_changes_nothing():
    x = jnp.asarray(Z, jnp.float32)
    np.testing.assert_array_equal(layers.dropout(x, noise.bits(noise.stream(0), 24, 7), jnp.float32(1.0)), x)
