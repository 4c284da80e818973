"""Layers and their gradients against PyTorch, dropout against its expectation, and mixup's weights against SciPy's beta distribution.

Where the libraries differ: at exactly 0 the slope of the leaky ReLU is 1 (PyTorch: 0.01); batch norm in use divides by the root of
the biased variance (PyTorch keeps the unbiased one).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from shoal import noise
from shoal.nets import layers
from shoal.recipe import CHOICES

RNG = np.random.default_rng(5)
ROWS, UNITS = 24, 7
Z = RNG.normal(1, 2, (ROWS, UNITS))
MEAN, VARIANCE = RNG.normal(size=UNITS), RNG.uniform(0.1, 3, UNITS)
GAMMA, BETA, SLOPE = RNG.normal(size=UNITS), RNG.normal(size=UNITS), RNG.normal(size=(ROWS, UNITS))
EXTREME = np.array([1e-300, 1e-30, 1e-8, 1e-3, 10.0, 40.0, 100.0, 745.0, 1e4, 1e30])
EPSILON = layers.NORMALISATION_EPSILON
TORCH = {
    "identity": lambda z: 1 * z,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
each_activation = pytest.mark.parametrize("name", CHOICES["activation"])


def slope_of(name, z):
    return jax.grad(lambda z: layers.ACTIVATIONS[name](z).sum())(z)


@each_activation
@pytest.mark.parametrize("z", [Z, EXTREME, -EXTREME], ids=["ordinary", "from tiny to huge", "from tiny to huge, negative"])
def test_activations_and_their_slopes_are_pytorchs(float64, name, z):
    tensor = torch.tensor(z, requires_grad=True)
    (slope,) = torch.autograd.grad(TORCH[name](tensor).sum(), tensor)
    np.testing.assert_allclose(layers.ACTIVATIONS[name](jnp.asarray(z)), TORCH[name](tensor).detach(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(slope_of(name, jnp.asarray(z)), slope, rtol=1e-10, atol=1e-14)


@each_activation
def test_at_0_the_slope_is_pytorchs_but_for_the_leaky_relu(float64, name):
    tensor = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(TORCH[name](tensor).sum(), tensor)
    expected = {"leaky_relu": 1.0}.get(name, float(slope))
    assert float(slope_of(name, jnp.zeros(1))[0]) == pytest.approx(expected, rel=1e-12)
    assert expected == float(slope) or (name, float(slope)) == ("leaky_relu", pytest.approx(0.01))


@each_activation
def test_in_single_precision_an_activation_and_its_slope_stay_finite_however_large_its_argument(name):
    z = jnp.asarray([-3e38, -1e4, -90.0, 0.0, 90.0, 1e4, 3e38], jnp.float32)
    assert np.isfinite(layers.ACTIVATIONS[name](z)).all() and np.isfinite(slope_of(name, z)).all()


@each_activation
def test_an_activation_that_is_not_0_at_0_asks_for_the_unit_mask(name):
    assert layers.needs_unit_mask(name) == (float(layers.ACTIVATIONS[name](jnp.zeros(()))) != 0)


def gradients_in_torch(function, *arrays):
    """The output of a function of PyTorch and its gradients, for the slope ``SLOPE`` of its output."""
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    result = function(*tensors)
    slopes = torch.autograd.grad((result * torch.tensor(SLOPE[: result.shape[0], : result.shape[1]])).sum(), tensors)
    return result.detach().numpy(), [slope.numpy() for slope in slopes]


@pytest.mark.parametrize("rows", [ROWS, 10, 2])
def test_batch_norm_in_training_and_its_gradients_are_pytorchs_over_the_rows_that_are_there(float64, rows):
    """Both normalise by the biased variance (divided by n, not n - 1), with epsilon inside the root."""
    present = np.arange(ROWS) < rows
    z = np.where(present[:, None], Z, 1e6)  # what stands in the padding must not matter

    def ours(z, gamma, beta):
        mean, variance = layers.batch_statistics(z, jnp.asarray(present, float))
        return layers.normalise(z, mean, variance, gamma, beta)

    result, back = jax.vjp(ours, *map(jnp.asarray, (z, GAMMA, BETA)))
    slopes = back(jnp.asarray(SLOPE * present[:, None]))
    expected, expected_slopes = gradients_in_torch(
        lambda z, gamma, beta: functional.batch_norm(z, None, None, gamma, beta, training=True, eps=EPSILON), Z[:rows], GAMMA, BETA
    )
    np.testing.assert_allclose(result[:rows], expected, rtol=1e-9, atol=1e-11)
    assert not np.asarray(slopes[0])[rows:].any()
    for mine, theirs in zip((slopes[0][:rows], *slopes[1:]), expected_slopes, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def test_batch_norm_in_use_is_pytorchs_with_the_same_statistics(float64):
    ours = layers.normalise(*map(jnp.asarray, (Z, MEAN, VARIANCE, GAMMA, BETA)))
    expected = functional.batch_norm(*map(torch.tensor, (Z, MEAN, VARIANCE, GAMMA, BETA)), training=False, eps=EPSILON)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_batch_norm_gives_mean_beta_and_deviation_gamma(float64):
    mean, variance = layers.batch_statistics(jnp.asarray(Z), jnp.ones(ROWS))
    normalised = layers.normalise(jnp.asarray(Z), mean, variance, jnp.full(UNITS, 3.0), jnp.full(UNITS, -2.0))
    np.testing.assert_allclose(normalised.mean(0), -2, rtol=1e-12)
    np.testing.assert_allclose(normalised.std(0), 3, rtol=1e-4)


def test_a_unit_that_is_constant_over_the_batch_stays_finite():
    mean, variance = layers.batch_statistics(jnp.full((8, 2), 5.0), jnp.ones(8))
    np.testing.assert_allclose(layers.normalise(jnp.full((8, 2), 5.0), mean, variance, jnp.ones(2), jnp.ones(2)), 1.0)


@pytest.mark.parametrize("units", [UNITS, 4, 2])
def test_layer_norm_and_its_gradients_are_pytorchs_over_the_networks_own_units(float64, units):
    is_own = np.arange(UNITS) < units

    def ours(z, gamma, beta):
        return layers.layer_norm(z, jnp.int32(units), gamma, beta)

    result, back = jax.vjp(ours, *(jnp.asarray(np.where(is_own, value, 0)) for value in (Z, GAMMA, BETA)))
    slopes = back(jnp.asarray(SLOPE * is_own))
    expected, expected_slopes = gradients_in_torch(
        lambda z, gamma, beta: functional.layer_norm(z, (units,), gamma, beta, EPSILON), Z[:, :units], GAMMA[:units], BETA[:units]
    )
    np.testing.assert_allclose(result[:, :units], expected, rtol=1e-9, atol=1e-11)
    assert not np.asarray(result)[:, units:].any()
    for mine, theirs in zip(slopes, expected_slopes, strict=True):
        np.testing.assert_allclose(mine[..., :units], theirs, rtol=1e-8, atol=1e-10)
        assert not np.asarray(mine[..., units:] if mine.ndim == 2 else []).any()


def test_an_example_whose_units_are_all_alike_stays_finite_under_layer_norm():
    for units in (1, 3):
        z = jnp.where(jnp.arange(4) < units, 5.0, 0.0)[None]
        normal = layers.layer_norm(z, jnp.int32(units), jnp.ones(4), jnp.full(4, 2.0))
        np.testing.assert_allclose(normal[0, :units], 2.0)


@functools.partial(jax.jit, static_argnums=1)
def dropped(keep_prob, draws):
    def one(step):
        return layers.dropout(jnp.abs(jnp.asarray(Z, jnp.float32)), noise.bits(noise.stream(0, step), ROWS, UNITS), keep_prob)

    return jax.vmap(one)(jnp.arange(draws))


@pytest.mark.parametrize("keep_prob", [0.3, 0.8])
def test_dropout_divides_by_keep_prob_so_that_the_expectation_stays(keep_prob):
    x, draws = np.abs(Z).astype(np.float32), np.asarray(dropped(jnp.float32(keep_prob), 400))
    spread = np.sqrt((1 - keep_prob) / keep_prob / 400)  # of the mean of a kept unit over the draws, as a share of the unit
    relative = draws.mean(0) / x
    assert np.abs(relative - 1).max() < 4.5 * spread
    assert abs(relative.mean() - 1) < 4 * spread / np.sqrt(x.size)  # without the division this would be keep_prob
    kept = draws[0] != 0
    np.testing.assert_allclose(draws[0][kept], x[kept] / np.float32(keep_prob), rtol=1e-6)


def test_keep_prob_1_changes_nothing():
    x = jnp.asarray(Z, jnp.float32)
    np.testing.assert_array_equal(layers.dropout(x, noise.bits(noise.stream(0), ROWS, UNITS), jnp.float32(1.0)), x)


@functools.partial(jax.jit, static_argnums=1)
def mixup_weights(a, draws):
    return jax.vmap(layers.mixup_weight, (0, None))(noise.bits(noise.stream(8), draws, 3), a)


@pytest.mark.parametrize("a", [0.2, 0.4, 1.0, 2.0, 10.0])
def test_mixups_weights_are_distributed_as_scipys_beta(float64, a):
    """By a Kolmogorov-Smirnov test of 20,000 draws; the seed is fixed."""
    weights = np.asarray(mixup_weights(jnp.asarray(a), 20_000))
    assert stats.kstest(weights, stats.beta(a, a).cdf).pvalue > 0.01
    assert stats.kstest(weights, stats.beta(1.1 * a, 1.1 * a).cdf).pvalue < 0.01  # enough draws to tell a from 1.1 a


@pytest.mark.parametrize("a", [1e-3, 0.1, 0.2, 1.0, 100.0])
def test_in_single_precision_mixups_weights_stay_between_0_and_1_with_mean_one_half_and_the_variance_of_beta(a):
    weights = np.asarray(mixup_weights(jnp.float32(a), 20_000), np.float64)
    assert weights.min() >= 0 and weights.max() <= 1
    variance = 1 / (4 * (2 * a + 1))
    assert weights.mean() == pytest.approx(0.5, abs=4 * np.sqrt(variance / 20_000))
    assert weights.var() == pytest.approx(variance, rel=0.05)
