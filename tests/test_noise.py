"""Random bits against the distributions they stand for (SciPy's tests, fixed seeds, so that nothing here is left to chance)."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from shoal import noise

ROWS, COLUMNS = 400, 250
SIZE = ROWS * COLUMNS


def uniform(*parts, rows=ROWS, columns=COLUMNS):
    """Bits as numbers from 0 to 1."""
    return np.asarray(noise.bits(noise.stream(*parts), rows, columns)) / 2.0**32


def correlation(a, b):
    return abs(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.8, 0.99])
def test_the_share_kept_is_the_probability(probability):
    kept = np.asarray(noise.keep(noise.bits(noise.stream(0, 5), ROWS, COLUMNS), jnp.float32(probability)))
    assert stats.binomtest(int(kept.sum()), SIZE, probability).pvalue > 0.001


def test_of_50_units_at_0_8_ten_are_off_on_average_and_the_number_scatters_as_a_binomial():
    off = 50 - np.asarray(noise.keep(noise.bits(noise.stream(3), 20_000, 50), jnp.float32(0.8))).sum(1)
    assert off.mean() == pytest.approx(10, abs=0.1)
    assert off.var() == pytest.approx(50 * 0.8 * 0.2, rel=0.05)


def test_probability_1_keeps_everything_and_probability_0_nothing():
    bits = noise.bits(noise.stream(1), ROWS, COLUMNS)
    assert noise.keep(bits, jnp.float32(1.0)).all() and not noise.keep(bits, jnp.float32(0.0)).any()


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_is_uniform(shift):
    counts = np.bincount((np.asarray(noise.bits(noise.stream(2, 7), ROWS, COLUMNS)) >> shift).ravel() & 255, minlength=256)
    assert stats.chisquare(counts).pvalue > 0.001


def test_rows_and_columns_are_balanced_as_independent_draws_are():
    kept = uniform(4) < 0.5
    for axis, length in ((0, ROWS), (1, COLUMNS)):
        z = (kept.sum(axis) - length / 2) / np.sqrt(length / 4)
        assert 0.001 < stats.chi2.cdf(float((z**2).sum()), z.size) < 0.999


@pytest.mark.parametrize("lag", [1, 2, 7, 64])
def test_neighbouring_rows_and_columns_are_not_correlated(lag):
    u = uniform(0, 1)
    bound = 4 / np.sqrt(SIZE - ROWS * lag)
    assert correlation(u[lag:], u[:-lag]) < bound and correlation(u[:, lag:], u[:, :-lag]) < bound
    assert correlation(u[lag:, lag:], u[:-lag, :-lag]) < bound  # diagonals: a sum of counters would repeat along them


@pytest.mark.parametrize(
    "other",
    [(1, 5, 2), (0, 6, 2), (0, 5, 3), (5, 0, 2), (0, 2, 5), (0, 5), (np.uint32(2**31), 5, 2)],
    ids=["seed", "step", "layer", "seed and step exchanged", "step and layer exchanged", "one part less", "highest bit of the seed"],
)
def test_another_seed_step_or_layer_draws_unrelated_noise(other):
    assert correlation(uniform(0, 5, 2), uniform(*other)) < 4 / np.sqrt(SIZE)


def test_streams_of_consecutive_steps_do_not_repeat():
    names = [int(noise.stream(seed, step, layer)) for seed in range(6) for step in range(12) for layer in range(4)]
    assert len(set(names)) == len(names)


def test_the_bits_at_a_position_do_not_depend_on_the_size_asked_for():
    small, large = (np.asarray(noise.bits(noise.stream(9), *size)) for size in ((5, 3), (32, 128)))
    np.testing.assert_array_equal(small, large[:5, :3])


def test_normal_numbers_have_the_normals_moments_and_distribution():
    x = np.asarray(noise.normal(noise.stream(11), ROWS, COLUMNS, jnp.float32), np.float64).ravel()
    assert abs(x.mean()) < 4 / np.sqrt(SIZE) and x.var() == pytest.approx(1, abs=4 * np.sqrt(2 / SIZE))
    assert abs(stats.skew(x)) < 4 * np.sqrt(6 / SIZE) and abs(stats.kurtosis(x)) < 4 * np.sqrt(24 / SIZE)
    assert stats.kstest(x, "norm").pvalue > 0.001


def test_normal_numbers_of_the_least_and_greatest_bits_are_finite(monkeypatch):
    ends = jnp.array([[0, 2**32 - 1]], jnp.uint32)
    monkeypatch.setattr(noise, "bits", lambda *_: ends)
    low, high = np.asarray(noise.normal(jnp.uint32(0), 1, 2, jnp.float32))[0]
    assert -7 < low < -4 and 4 < high < 7
