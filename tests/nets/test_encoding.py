"""Encodings against their formulas, one number at a time, and NumPy's quantiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shoal import noise
from shoal.nets.encoding import BINS, FREQUENCIES, PERIODIC, begin_periodic, cosine, encode, encode_periodic, encoded_columns, fit

VALUES = np.random.default_rng(0).exponential(size=(500, 1)).astype(np.float32)
EDGES = np.quantile(VALUES[:, 0], np.linspace(0, 1, BINS + 1)).astype(np.float32).astype(float)


def one_by_one(x, edges):
    """Equation 1 of Gorishniy, Rubachev and Babenko (2022)."""
    code, bins = [], len(edges) - 1
    for t in range(1, bins + 1):
        if x < edges[t - 1] and t > 1:
            code.append(0.0)
        elif x >= edges[t] and t < bins:
            code.append(1.0)
        else:
            code.append((x - edges[t - 1]) / (edges[t] - edges[t - 1]))
    return code


@given(st.floats(-3, 12, width=32))
def test_every_number_is_encoded_as_published_with_bins_at_numpys_quantiles(x):
    encoded = encode(jnp.array([[x]], jnp.float32), fit(VALUES))[0]
    np.testing.assert_allclose(encoded[:BINS], one_by_one(x, EDGES), rtol=1e-4, atol=1e-4)
    assert not np.asarray(encoded[BINS:]).any()  # padding columns


def test_only_columns_with_many_values_are_encoded_and_their_places_are_remembered():
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.integers(2, size=300), rng.normal(size=300), rng.integers(7, size=300), rng.normal(size=300), np.ones(300)])
    encoding = fit(x.astype(np.float32))
    assert len(encoding.columns) == 4 and encoding.columns[:2].tolist() == [1, 3]
    assert encoding.used().reshape(4, BINS).any(1).tolist() == encoding.used(by_column=True).tolist() == [True, True, False, False]
    np.testing.assert_array_equal(encoded_columns(jnp.asarray(x), encoding), np.pad(x[:, [1, 3]].astype(np.float32), [(0, 0), (0, 2)]))
    swapped = encode(jnp.asarray(x[:, ::-1][:, [4, 3, 2, 1, 0]], jnp.float32), encoding)
    np.testing.assert_array_equal(swapped, encode(jnp.asarray(x, jnp.float32), encoding))


@pytest.mark.parametrize("columns", [0, 1])
def test_a_table_without_numbers_has_no_further_inputs(columns):
    encoding = fit(np.ones((50, columns), np.float32))
    assert encode(jnp.ones((5, columns)), encoding).shape == (5, 0) and encoding.used().shape == (0,)


def test_repeated_quantiles_make_fewer_bins_and_no_infinite_slopes():
    x = np.concatenate([np.zeros(400), np.linspace(1, 2, 100)])[:, None].astype(np.float32)
    encoding = fit(x)
    assert np.isfinite(encoding.slope).all() and 2 <= encoding.used().sum() < BINS
    encoded = np.asarray(encode(jnp.array([[-5.0], [0.0], [1.5], [9.0]]), encoding))
    assert np.isfinite(encoded).all()
    np.testing.assert_allclose(encoded[1], 0, atol=1e-6)
    assert (np.diff(encoded.sum(1)) > 0).all()


def test_where_one_value_has_most_of_the_rows_the_bins_lie_at_quantiles_of_the_others():
    """Quantiles of all rows would leave two bins for what varies: like the capital gains of a census, which are mostly 0."""
    others = np.random.default_rng(2).exponential(size=900)
    x = np.concatenate([np.zeros(9100), others])[:, None].astype(np.float32)
    edges = np.concatenate([[0], np.quantile(others.astype(np.float32), np.linspace(0, 1, BINS))])
    for value in (0.0, 0.01, 0.5, 2.0, 9.0):
        np.testing.assert_allclose(
            encode(jnp.array([[value]], jnp.float32), fit(x))[0, :BINS], one_by_one(value, edges), rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize(("others", "bins"), [(20, 0), (70, 3), (100, 4)])
def test_no_bin_of_rare_values_holds_fewer_than_32_rows(others, bins):
    """Of 20 the column is left as it is; a bin more leads from the frequent value to the lowest of the others."""
    x = np.concatenate([np.zeros(5000), np.linspace(1, 2, others)])[:, None].astype(np.float32)
    assert fit(x).used().sum() == bins


def begun(encoded, frequency_scale=0.3):
    streams = tuple(noise.stream(7, number) for number in range(3))
    return jax.tree.map(np.asarray, begin_periodic(streams, encoded, jnp.float32(frequency_scale), jnp.float32))


def test_a_periodic_encoding_mixes_the_cosines_of_its_own_column():
    learned, x = begun(3), np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    encoded = np.asarray(encode_periodic(jnp.asarray(x), learned)).reshape(5, 3, PERIODIC)
    for row, column, place in np.ndindex(5, 3, PERIODIC):
        expected = sum(
            learned["mix"][column, k * PERIODIC + place]
            * (np.cos(2 * np.pi * (learned["frequency"][column, k] * x[row, column] + phase)) - np.cos(2 * np.pi * phase))
            for k, phase in enumerate(learned["phase"][column].astype(float))
        )
        assert encoded[row, column, place] == pytest.approx(expected, abs=1e-5)


def test_nothing_becomes_nothing_in_a_periodic_encoding_and_neither_depends_on_how_many_columns_there_are():
    few, many = begun(2), begun(6)
    assert not np.asarray(encode_periodic(jnp.zeros((4, 2)), few)).any()
    for name, array in few.items():
        np.testing.assert_array_equal(array, many[name][:2])


def test_the_cosine_of_turns_and_its_slope_are_numpys():
    turns = np.linspace(-30, 30, 10_001, dtype=np.float32)
    slope = jax.vmap(jax.grad(cosine))(turns)
    np.testing.assert_allclose(cosine(jnp.asarray(turns)), np.cos(2 * np.pi * turns.astype(float)), atol=1e-6)
    np.testing.assert_allclose(slope, -2 * np.pi * np.sin(2 * np.pi * turns.astype(float)), atol=1e-5)


def test_a_periodic_encoding_begins_as_its_authors_begin_it():
    learned = begun(400, frequency_scale=0.3)
    assert stats.kstest(learned["frequency"].ravel() / 0.3, "norm").pvalue > 0.01
    assert stats.kstest(learned["phase"].ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(learned["mix"].ravel() * FREQUENCIES**0.5, "uniform", args=(-1, 2)).pvalue > 0.01
