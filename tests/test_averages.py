"""Exponentially weighted averages against pandas, the closed form and the course's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shoal import averages
from shoal.averages import Average
from shoal.errors import DataError, OptionError

SERIES = np.random.default_rng(0).normal(3, 1, 200)
BETAS = [0.0, 0.5, 0.9, 0.999]
betas = st.floats(0.01, 0.99)
numbers = st.floats(-1e3, 1e3)


@pytest.mark.parametrize("beta", BETAS)
def test_corrected_averages_are_pandas_adjusted_ones(beta):
    expected = pd.Series(SERIES).ewm(alpha=1 - beta, adjust=True).mean()
    np.testing.assert_allclose(averages.of(SERIES, beta), expected, rtol=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_uncorrected_averages_are_pandas_not_adjusted_ones_of_the_series_after_a_0(beta):
    """pandas starts its recursion from the first value, the course from 0."""
    expected = pd.Series([0, *SERIES]).ewm(alpha=1 - beta, adjust=False).mean()[1:]
    np.testing.assert_allclose(averages.of(SERIES, beta, corrected=False), expected, rtol=1e-12)


def test_columns_are_averaged_each_by_itself_as_pandas_does():
    table = SERIES.reshape(50, 2, 2)
    expected = pd.DataFrame(table.reshape(50, 4)).ewm(alpha=0.1, adjust=True).mean()
    np.testing.assert_allclose(averages.of(table, 0.9).reshape(50, 4), expected, rtol=1e-12)


@given(betas, st.lists(numbers, min_size=1, max_size=30))
def test_an_average_is_the_weighted_sum_of_all_values(beta, series):
    weights = (1 - beta) * beta ** np.arange(len(series))[::-1]
    assert averages.of(series, beta, corrected=False)[-1] == pytest.approx(weights @ np.array(series), rel=1e-9, abs=1e-9)
    assert averages.of(series, beta)[-1] == pytest.approx(np.average(series, weights=weights), rel=1e-9, abs=1e-9)


@given(betas, hnp.arrays(np.float64, (12,), elements=numbers), numbers, st.floats(-3, 3))
def test_the_corrected_average_follows_a_shift_and_a_scale_of_the_series_and_stays_between_its_extremes(beta, series, shift, scale):
    average = averages.of(series, beta)
    np.testing.assert_allclose(averages.of(scale * series + shift, beta), scale * average + shift, rtol=1e-8, atol=1e-8)
    assert (average >= np.minimum.accumulate(series) - 1e-9).all() and (average <= np.maximum.accumulate(series) + 1e-9).all()


def test_the_uncorrected_average_of_a_constant_starts_near_0_and_the_corrected_one_is_the_constant_from_the_first_step():
    assert averages.of([10.0], 0.98, corrected=False) == pytest.approx([0.2])
    np.testing.assert_allclose(averages.of([10.0] * 20, 0.98), 10.0, rtol=1e-12)


@pytest.mark.parametrize(
    "kind", [list, tuple, np.asarray, np.float32, jnp.asarray, torch.tensor, pd.Series], ids=lambda kind: kind.__name__
)
def test_any_series_of_numbers_will_do(kind):
    values = [1.0, 0.5, 4.0, 2.0]
    average = averages.of(kind(values), 0.5)
    assert average.dtype == np.float64 and average.shape == (4,)
    np.testing.assert_allclose(average, pd.Series(values).ewm(alpha=0.5).mean())


def test_a_series_of_whole_numbers_is_averaged_as_real_ones_and_an_empty_series_stays_empty():
    np.testing.assert_array_equal(averages.of([1, 2], 0.5, corrected=False), [0.5, 1.25])
    assert averages.of([], 0.5).shape == (0,) and averages.of(np.zeros((0, 3)), 0.5).shape == (0, 3)


@pytest.mark.parametrize("value", [2.5, np.arange(3.0), jnp.arange(3.0), torch.arange(3.0)], ids=["number", "numpy", "jax", "torch"])
def test_values_that_come_one_at_a_time_are_averaged_alike_whatever_library_they_are_from(value):
    average = Average(0.9)
    assert (average.value, average.steps) == (0.0, 0) and np.isnan(average.corrected)
    for time in range(1, 4):
        average.add(time * value)
    assert average.steps == 3 and type(average.corrected) is type(0.5 * value)
    series = np.array([1.0, 2.0, 3.0])[:, None] * np.reshape(np.asarray(value), (1, -1))
    np.testing.assert_allclose(np.ravel(average.value), averages.of(series, 0.9, corrected=False)[-1], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(average.corrected), averages.of(series, 0.9)[-1], rtol=1e-6)


def test_reading_the_corrected_value_does_not_change_the_average():
    read, unread = Average(0.9), Average(0.9)
    for value in SERIES:
        read.add(value)
        unread.add(value)
        assert np.isfinite(read.corrected)
    assert read.value == unread.value


def test_feeding_the_corrected_value_back_would_leave_the_constant():
    fed_back = 0.0
    for steps in range(1, 4):
        fed_back = averages.corrected(averages.update(fed_back, 10.0, 0.9), 0.9, steps)
    assert fed_back > 30


def test_a_nan_shows_in_its_average_and_in_every_later_one_of_its_own_column():
    series = np.array([[1.0, 1.0], [np.nan, 2.0], [3.0, 3.0]])
    for corrected in (False, True):
        np.testing.assert_array_equal(np.isnan(averages.of(series, 0.5, corrected)), [[False, False], [True, False], [True, False]])


def test_the_formulas_work_inside_a_compiled_program():
    @jax.jit
    def after_two(beta):
        return averages.corrected(averages.update(averages.update(0.0, 1.0, beta), 5.0, beta), beta, 2)

    assert float(after_two(jnp.float32(0.9))) == pytest.approx(averages.of([1.0, 5.0], 0.9)[-1], rel=1e-5)


@pytest.mark.parametrize(("beta", "span"), [(0.9, 10), (0.98, 50), (0.5, 2)])
def test_spans_are_the_courses(beta, span):
    assert averages.span(beta) == pytest.approx(span)
    beyond = beta**span  # the weight of everything older than the span: about 1/e
    assert 0.24 < beyond < 0.38


@pytest.mark.parametrize("beta", [1.0, -0.1, 1.5, float("nan"), "0.9", None, True])
@pytest.mark.parametrize("use", [Average, averages.span, lambda beta: averages.of([1.0], beta)], ids=["Average", "span", "of"])
def test_a_beta_that_is_no_weight_of_the_past_is_refused_with_what_to_write(use, beta):
    with pytest.raises(OptionError, match=r"beta is a number at least 0 and below 1; received .* Write, say, 0\.9"):
        use(beta)


def test_a_single_number_is_no_series():
    with pytest.raises(DataError, match=r"a series has a time axis; received the single number 3\.0"):
        averages.of(3.0, 0.9)
