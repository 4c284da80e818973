"""Exponentially weighted averages against pandas, the closed form and the course's numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal import averages

SERIES = np.random.default_rng(0).normal(3, 1, 200)


def averaged(series, beta):
    average, corrected = 0.0, []
    for steps, value in enumerate(series, 1):
        average = averages.update(average, value, beta)
        corrected.append(averages.corrected(average, beta, steps))
    return np.array(corrected)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_corrected_averages_are_pandas_adjusted_ones(beta):
    expected = pd.Series(SERIES).ewm(alpha=1 - beta, adjust=True).mean()
    np.testing.assert_allclose(averaged(SERIES, beta), expected, rtol=1e-12)


def test_the_uncorrected_average_of_a_constant_starts_near_0_and_the_corrected_one_is_the_constant_from_the_first_step():
    first = averages.update(0.0, 10.0, 0.98)
    assert first == pytest.approx(0.2)
    np.testing.assert_allclose(averaged([10.0] * 20, 0.98), 10.0, rtol=1e-12)


def test_feeding_the_corrected_value_back_would_leave_the_constant():
    fed_back = 0.0
    for steps in range(1, 4):
        fed_back = averages.corrected(averages.update(fed_back, 10.0, 0.9), 0.9, steps)
    assert fed_back > 30


@given(st.floats(0.01, 0.99), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_an_average_is_the_weighted_sum_of_all_values(beta, series):
    average = 0.0
    for value in series:
        average = averages.update(average, value, beta)
    weights = (1 - beta) * beta ** np.arange(len(series))[::-1]
    assert average == pytest.approx(float(weights @ np.array(series)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("beta", "span"), [(0.9, 10), (0.98, 50), (0.5, 2)])
def test_spans_are_the_courses(beta, span):
    assert averages.span(beta) == pytest.approx(span)
    beyond = beta**span  # the weight of everything older than the span: about 1/e
    assert 0.24 < beyond < 0.38
