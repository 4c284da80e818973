"""Normalisers against scikit-learn's scalers, SciPy and numbers worked by hand."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from shoal.data.encode import LARGEST_INPUT, DateEncoder, LevelsEncoder, NumberEncoder
from shoal.data.normalise import FARTHEST, NORMALISERS, MeanDivisor, MinMax, Quantile, Robust, Standardiser

RANDOM = np.random.default_rng(0)
SKEWED = RANDOM.gamma(2.0, 300.0, 800)
NAMES = list(NORMALISERS)

COLUMNS = {
    "constant": np.full(30, 4.2),
    "a huge constant": np.full(30, 1e20),
    "one row differs": np.array([0.0] * 299 + [1e6]),
    "heavy tails": RANDOM.standard_cauchy(2000) * 1e3,
    "one row": np.array([3.0]),
    "a hair apart": 1.0 + np.arange(50) * 1e-15,
    "as small as numbers get": np.arange(50) * 5e-324,
    "as large": np.linspace(-1e100, 1e100, 50),
}


def encoded(encoder, cells) -> np.ndarray:
    series = cells if isinstance(cells, pl.Series) else pl.Series(encoder.column, cells, strict=False)
    out = np.full((series.len(), len(encoder.input_names)), np.nan, np.float32)
    encoder.encode(series, out)
    return out


def fitted(normalisation, cells) -> NumberEncoder:
    return NumberEncoder.fit(pl.Series("x", cells, dtype=pl.Float64), "plain", normalisation)


def normalised(normalisation, cells, later=None) -> np.ndarray:
    return encoded(fitted(normalisation, cells), cells if later is None else later)[:, 0]


SCALERS = [("standard", StandardScaler()), ("robust", RobustScaler()), ("min_max", MinMaxScaler())]


@pytest.mark.parametrize(("normalisation", "scaler"), SCALERS, ids=[row[0] for row in SCALERS])
def test_a_normaliser_agrees_with_scikit_learns_on_training_and_on_later_rows(normalisation, scaler):
    later = np.array([-1e4, 0.0, SKEWED.max(), 1e7])
    scaler.fit(SKEWED[:, None])
    np.testing.assert_allclose(normalised(normalisation, SKEWED), scaler.transform(SKEWED[:, None])[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(normalised(normalisation, SKEWED, later), scaler.transform(later[:, None])[:, 0], rtol=1e-5, atol=1e-6)


@settings(max_examples=200)
@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=2, max_size=60))
@example([1e9] * 20 + [1e9 + 1])
@example([0.0] * 59 + [1e9])
def test_standard_gives_mean_0_and_variance_1_whatever_the_column(cells):
    values = np.array(cells)
    inputs = Standardiser.fit(values)(values)
    is_constant = values.std() <= max(1e-12 * abs(values.mean()), 1 / FARTHEST)  # but for rounding
    assert abs(inputs.mean()) < 1e-3
    assert inputs.var() == pytest.approx(0.0 if is_constant else 1.0, abs=1e-3)


def test_standard_divides_by_the_standard_deviation_and_not_by_the_variance():
    # By hand: 2 and 8 have mean 5, standard deviation 3 and variance 9.
    assert Standardiser.fit(np.array([2.0, 8.0]))(np.array([2.0, 8.0, 14.0])).tolist() == [-1.0, 1.0, 3.0]


def test_robust_puts_the_quartiles_one_apart_and_lets_outliers_have_no_say():
    values = np.arange(1.0, 102.0)
    with_outliers = np.where(values > 99, 1e9, values)
    for cells in (values, with_outliers):
        assert normalised("robust", cells, [26.0, 51.0, 76.0]).tolist() == [-0.5, 0.0, 0.5]


def test_robust_falls_back_on_the_standard_deviation_where_the_quartiles_are_equal():
    values = np.array([0.0] * 90 + [1e6] * 10)
    np.testing.assert_allclose(normalised("robust", values), values / values.std(), rtol=1e-6)


def test_quantile_agrees_with_scikit_learns_inside_the_training_range():
    values = np.round(RANDOM.lognormal(0, 2, 3000), 2)
    inside = np.concatenate([values[values > values.min()], RANDOM.uniform(values.min(), values.max(), 500)])
    transformer: Any = QuantileTransformer(n_quantiles=1000, output_distribution="normal", subsample=3000)
    expected = transformer.fit(values[:, None]).transform(inside[:, None])[:, 0]
    limit = norm.ppf(1 - 0.5 / 3000)
    assert np.mean(np.abs(expected) < limit) > 0.99
    np.testing.assert_allclose(normalised("quantile", values, inside), np.clip(expected, -limit, limit), atol=1e-5)


def test_quantile_gives_the_normal_score_of_each_row_and_counts_the_ends_as_half_a_row():
    values = RANDOM.permutation(np.arange(101.0) ** 3)
    expected = norm.ppf(np.arange(101) / 100)
    expected[[0, -1]] = norm.ppf([0.5 / 101, 1 - 0.5 / 101])
    np.testing.assert_allclose(normalised("quantile", values, np.arange(101.0) ** 3), expected, atol=1e-5)


def test_quantile_brings_any_distribution_to_mean_0_and_variance_1():
    for values in (RANDOM.lognormal(0, 3, 5000), RANDOM.standard_cauchy(5000), RANDOM.uniform(size=5000)):
        inputs = normalised("quantile", values)
        assert abs(inputs.mean()) < 0.01 and inputs.std() == pytest.approx(1, abs=0.02) and np.abs(inputs).max() < 4


def test_rows_that_share_a_value_get_the_middle_of_their_ranks_at_the_ends_too():
    # By hand: 60 % zeros have the shares 0 to 0.6, 20 % ones 0.6 to 0.8, 20 % nines 0.8 to 1.
    values = np.repeat([0.0, 1.0, 9.0], [600, 200, 200])
    np.testing.assert_allclose(normalised("quantile", values, [0.0, 1.0, 9.0]), norm.ppf([0.3, 0.7, 0.9]), atol=0.01)


def test_quantile_keeps_to_the_ends_of_the_training_range_beyond_it():
    values = np.repeat([0.0, 1.0, 9.0], [600, 200, 200])
    low, high, lowest, highest = normalised("quantile", values, [-1e9, 1e9, 0.0, 9.0])
    assert (low, high) == (lowest, highest)


def test_quantile_keeps_at_most_a_thousand_numbers_in_the_model_file():
    normaliser = fitted("quantile", RANDOM.normal(size=5000)).normaliser
    assert isinstance(normaliser, Quantile) and len(normaliser.quantiles) == 1000


def test_min_max_puts_the_training_minimum_at_0_and_the_maximum_at_1_and_goes_on_beyond():
    assert normalised("min_max", [10.0, 30.0, 15.0], [10.0, 30.0, 15.0, 40.0, 0.0]).tolist() == [0.0, 1.0, 0.25, 1.5, -0.5]


def test_none_gives_the_raw_numbers_with_the_median_for_missing_ones():
    inputs = encoded(fitted("none", [1.0, 2.0, None, 400.0, 9.0]), [1.0, None, 250.5])
    assert inputs.tolist() == [[1.0, 0.0], [5.5, 1.0], [250.5, 0.0]]


def test_the_mean_divisor_gives_counts_the_mean_1_and_leaves_zero_at_zero():
    assert MeanDivisor.fit(np.array([0.0, 2.0, 10.0]))(np.array([0.0, 2.0, 10.0])).tolist() == [0.0, 0.5, 2.5]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("normalisation", NAMES)
def test_an_extreme_column_stays_finite_in_training_and_later(normalisation, column):
    values = COLUMNS[column]
    encoder = fitted(normalisation, values)
    assert np.isfinite(encoded(encoder, values)).all()
    later = encoded(encoder, [-1e300, -1.0, 0.0, 4.2, 1e20, 1e300])
    assert np.isfinite(later).all() and np.abs(later).max() <= LARGEST_INPUT * 1.001


@pytest.mark.parametrize("normalisation", [name for name in NAMES if name != "none"])
def test_a_constant_column_becomes_0(normalisation):
    np.testing.assert_allclose(normalised(normalisation, np.full(30, 4.2)), 0, atol=1e-12)


@settings(max_examples=150)
@given(
    st.sampled_from(NAMES),
    st.lists(st.floats(-1e12, 1e12, allow_nan=False), min_size=1, max_size=40),
    st.lists(st.floats(-1e300, 1e300, allow_nan=False), min_size=2, max_size=20),
)
@example("quantile", [0.0, 1e-310], [0.0, 5e-311, 1.0])
def test_every_normaliser_keeps_the_order_of_numbers(normalisation, cells, later):
    inputs = normalised(normalisation, cells, sorted(later)).astype(np.float64)
    assert np.isfinite(inputs).all()
    assert np.all(np.diff(inputs) >= -1e-6 * np.maximum(1, np.abs(inputs[1:])))


@pytest.mark.parametrize("normalisation", ["robust", "quantile"])
def test_missing_cells_do_not_narrow_the_distribution_of_the_known_ones(normalisation):
    known = SKEWED.tolist()
    with_missing = fitted(normalisation, [*known, *[None] * 3000])
    np.testing.assert_allclose(encoded(with_missing, known)[:, 0], normalised(normalisation, known), atol=1e-6)
    assert encoded(with_missing, [None])[0, 0] == pytest.approx(0.0, abs=1e-3)


def test_standard_counts_the_medians_of_missing_cells_as_the_inputs_that_they_are():
    cells = [*SKEWED.tolist(), *[None] * 100]
    imputed = np.append(SKEWED, [np.median(SKEWED)] * 100)
    np.testing.assert_allclose(normalised("standard", cells), StandardScaler().fit_transform(imputed[:, None])[:, 0], atol=1e-5)


@pytest.mark.parametrize("normalisation", NAMES)
def test_flags_levels_and_marks_of_missing_cells_stay_0_and_1_for_min_max_and_none_alone(normalisation):
    keeps = normalisation in ("min_max", "none")
    levels = LevelsEncoder.fit(pl.Series("k", ["a", "b", "c", None] * 5), normalisation=normalisation)
    pair = LevelsEncoder.fit(pl.Series("k", ["a", "b", "b", None] * 5), normalisation=normalisation)
    number = fitted(normalisation, [1.0, 2.0, 3.0, None])
    found = [encoded(levels, ["a", "b", "c", None]), encoded(pair, ["a", "b", None]), encoded(number, [1.0, None])[:, 1:]]
    zero_or_one = [np.isin(inputs, [0.0, 1.0]).all() for inputs in found]
    assert zero_or_one == [keeps] * 3
    if keeps:
        np.testing.assert_array_equal(found[0], np.eye(4))
    else:
        as_by_default = LevelsEncoder.fit(pl.Series("k", ["a", "b", "c", None] * 5))
        assert levels == as_by_default


def test_an_unseen_cell_of_a_0_1_pair_counts_as_the_more_frequent_value():
    for cells, expected in ((["no", "yes", "yes"], 1.0), (["no", "no", "yes"], 0.0)):
        encoder = LevelsEncoder.fit(pl.Series("k", cells), normalisation="none")
        assert encoded(encoder, ["maybe", None]).tolist() == [[expected], [expected]]


def test_dates_are_raw_day_numbers_or_0_to_1_or_standardised():
    start = datetime(2019, 7, 1)
    days = pl.Series("t", [start + timedelta(days=index) for index in range(400)])
    by_name = {name: DateEncoder.fit(days, normalisation=name) for name in NAMES}
    names = by_name["none"].input_names
    raw, scaled = encoded(by_name["none"], days), encoded(by_name["min_max"], days)
    assert raw[0, names.index("t time")] == 18078  # days from 1 January 1970 to 1 July 2019
    assert set(raw[:, names.index("t year")]) == {2019.0, 2020.0}
    assert np.abs(raw[:, names.index("t weekday sin")]).max() <= 1
    np.testing.assert_allclose(scaled.min(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.max(0), 1, atol=1e-6)
    assert {name for name in NAMES if by_name[name] == by_name["smooth"]} == {"smooth", "standard", "robust", "quantile"}
    later = encoded(by_name["min_max"], pl.Series("t", [datetime(2030, 1, 1)]))
    assert later[0, 0] == 1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Standardiser(0.0, 0.0),
        lambda: Robust(float("nan"), 1.0),
        lambda: Quantile((2.0, 1.0), 1.0),
        lambda: Quantile((), 1.0),
        lambda: MinMax(0.0, -1.0),
        lambda: MeanDivisor(0.0),
    ],
)
def test_a_normaliser_that_could_not_be_computed_is_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
