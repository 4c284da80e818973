"""Encoders against NumPy, scikit-learn and hand-worked numbers."""

import math
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from shoal.data.columns import choose_encoders
from shoal.data.encode import DateEncoder, LevelsEncoder, NumberEncoder
from shoal.data.normalise import Smooth


def encoded(encoder, cells) -> np.ndarray:
    series = cells if isinstance(cells, pl.Series) else pl.Series(encoder.column, cells, strict=False)
    out = np.full((series.len(), len(encoder.input_names)), np.nan, np.float32)
    encoder.encode(series, out)
    return out


def test_ordinary_numbers_are_standardised_as_scikit_learn_does_after_the_smooth_clip():
    x = np.random.default_rng(0).normal(50, 7, 1000)
    u = StandardScaler().fit_transform(x[:, None])
    expected = StandardScaler().fit_transform(u / np.sqrt(1 + (u / 8) ** 2))
    series = pl.Series("x", x)
    np.testing.assert_allclose(encoded(NumberEncoder.fit(series), series), expected, atol=1e-6)


@settings(max_examples=100)
@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=3, max_size=60))
def test_training_inputs_have_mean_0_and_standard_deviation_1_at_most_and_are_finite(cells):
    series = pl.Series("x", cells, dtype=pl.Float64)
    inputs = encoded(NumberEncoder.fit(series), series).astype(np.float64)
    assert np.isfinite(inputs).all() and np.abs(inputs).max() < 17
    assert abs(inputs.mean()) < 1e-4 and inputs.std() < 1.001


@given(st.floats(-1e300, 1e300, allow_nan=False))
def test_no_number_however_far_breaks_a_network(value):
    encoder = NumberEncoder.fit(pl.Series("x", np.random.default_rng(0).normal(size=200)))
    assert np.abs(encoded(encoder, [value])).max() < 10


def test_a_heavy_tail_is_taken_on_a_logarithmic_scale_and_keeps_its_order():
    x = np.random.default_rng(0).lognormal(0, 3, 5000)
    encoder = NumberEncoder.fit(pl.Series("x", x))
    assert isinstance(encoder.normaliser, Smooth) and encoder.normaliser.logarithm is not None
    assert np.all(np.diff(encoded(encoder, np.sort(x)[::50])[:, 0]) > 0)


def test_missing_numbers_become_the_training_median_and_are_marked():
    series = pl.Series("x", [1.0, 2.0, None, 4.0, 9.0, 2.5])
    encoder = NumberEncoder.fit(series)
    assert encoder.median == 2.5
    inputs = encoded(encoder, series)
    assert inputs[2, 0] == inputs[5, 0]
    assert inputs[2, 1] > 0 > inputs[5, 1]
    assert encoder.input_names == ("x", "x missing")


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["a", "b", "c", "a"], ("k = a", "k = b", "k = c")),
        (["yes", "no", "yes", "no"], ("k = yes",)),
        (["yes", "no", None, "?"], ("k = yes", "k missing")),
        (["a", "b", "c", ""], ("k = a", "k = b", "k = c", "k = missing")),
        (["only", None, "only", "NA"], ("k = missing",)),
    ],
)
def test_levels_give_one_input_each_and_two_levels_one(cells, names):
    found = LevelsEncoder.fit(pl.Series("k", cells)).input_names
    assert tuple(name.replace("= missing", "missing") for name in found) == tuple(name.replace("= missing", "missing") for name in names)


def test_a_level_input_is_its_centred_share_over_its_standard_deviation():
    series = pl.Series("k", ["a"] * 5 + ["b"] * 3 + ["c"] * 2)
    hot = np.array([[cell == level for level in "abc"] for cell in series], float)
    np.testing.assert_allclose(encoded(LevelsEncoder.fit(series), series), (hot - hot.mean(0)) / hot.std(0), atol=1e-6)


def test_a_level_of_one_row_in_a_hundred_thousand_stays_small():
    series = pl.Series("k", ["a"] * 60_000 + ["b"] * 39_985 + ["c"] * 15)
    assert np.abs(encoded(LevelsEncoder.fit(series), series)).max() <= 4


def test_unseen_levels_go_to_other_where_training_pooled_rare_levels():
    series = pl.Series("k", ["a"] * 1500 + ["b"] * 1500 + [f"rare{index}" for index in range(20)])
    encoder = LevelsEncoder.fit(series)
    assert encoder.input_names == ("k = a", "k = b", "k = other")
    inputs = encoded(encoder, ["rare3", "never seen", "a"])
    np.testing.assert_array_equal(inputs[0], inputs[1])
    assert inputs[0, 2] > inputs[2, 2]


def test_an_unseen_level_without_other_sets_no_input_and_of_a_pair_says_nothing():
    three = LevelsEncoder.fit(pl.Series("k", ["a", "b", "c"] * 5))
    assert np.all(encoded(three, ["new"]) < 0)
    assert encoded(LevelsEncoder.fit(pl.Series("k", ["a", "b", "b"])), ["new", None]).tolist() == [[0.0], [0.0]]


def test_codes_agree_whether_read_as_numbers_or_as_text():
    encoder = LevelsEncoder.fit(pl.Series("k", [3, 5, 7] * 4), numbers=True)
    expected = encoded(encoder, [3, 5, 7])
    for cells in ([3.0, 5.0, 7.0], ["3", "5.0", " 7"]):
        np.testing.assert_array_equal(encoded(encoder, cells), expected)


def test_dates_become_a_time_stamp_and_the_cycles_that_the_rows_span():
    start = datetime(2020, 1, 1)
    hours = pl.Series("t", [start + timedelta(hours=index) for index in range(24 * 10)])
    assert DateEncoder.fit(hours).parts == ("time", "weekday", "hour")
    days = pl.Series("t", [start + timedelta(days=index) for index in range(800)])
    encoder = DateEncoder.fit(days)
    assert encoder.parts == ("time", "year", "month", "day", "weekday")
    inputs = encoded(encoder, days)
    assert np.all(np.diff(inputs[:, 0]) > 0)
    weekday = encoder.input_names.index("t weekday sin")
    np.testing.assert_allclose(inputs[7:14, weekday], inputs[0:7, weekday], atol=1e-6)


def test_the_hour_of_the_day_is_a_point_on_the_circle():
    start = datetime(2020, 1, 1)
    hours = pl.Series("t", [start + timedelta(hours=index) for index in range(24 * 5)])
    encoder = DateEncoder.fit(hours)
    sin = encoded(encoder, hours)[:, encoder.input_names.index("t hour sin")]
    np.testing.assert_allclose(sin, np.tile(np.sin(np.arange(24) / 24 * 2 * math.pi) * math.sqrt(2), 5), atol=0.01)


ROWS = 600
_RANDOM = np.random.default_rng(1)
COLUMNS = [
    ("numbers", _RANDOM.normal(size=ROWS), "numeric", 1),
    ("all different but continuous", np.arange(ROWS) * 0.37 + _RANDOM.random(ROWS), "numeric", 1),
    ("numeric text with missing markers", [["1.5", " 2 ", "NA", "?", "", "7"][index % 6] for index in range(ROWS)], "numeric", 2),
    ("thousands", [f"{index * 37 + 1000:,}" for index in range(ROWS)], "numeric", 1),
    ("decimal comma", [f"{index % 90},5" for index in range(ROWS)], "numeric", 1),
    ("counts", _RANDOM.poisson(30, ROWS), "numeric", 1),
    ("few whole numbers", np.arange(ROWS) % 7, "numeric", 1),
    ("zip_code", 90_000 + np.arange(ROWS) % 20, "categorical", 21),
    ("words", [["red", "green", "blue"][index % 3] for index in range(ROWS)], "categorical", 3),
    ("flag", [index % 2 == 0 for index in range(ROWS)], "boolean", 1),
    ("yes or no", [["Yes", "No"][index % 2] for index in range(ROWS)], "boolean", 1),
    ("0 or 1", np.arange(ROWS) % 2, "boolean", 1),
    ("nothing", [None] * ROWS, "constant", 0),
    ("one value", ["x"] * ROWS, "constant", 0),
    ("row number", np.arange(1, ROWS + 1), "id", 0),
    ("customer_id", _RANDOM.permutation(10**6)[:ROWS], "id", 0),
    ("unnamed quantities that never repeat", _RANDOM.permutation(10**6)[:ROWS], "numeric", 1),
    ("keys", [f"{index:04d}-QX" for index in range(ROWS)], "id", 0),
    ("prose", [f"the house number {index} on the hill" for index in range(ROWS)], "text", 0),
    ("ISO dates", [f"2020-{1 + index % 12:02d}-{1 + index % 28:02d}" for index in range(ROWS)], "date", 5),
    ("month first", [f"{1 + index % 12}/{1 + index % 28}/2019" for index in range(ROWS)], "date", 5),
    ("compact dates", [f"2014{1 + index % 12:02d}{1 + index % 28:02d}T000000" for index in range(ROWS)], "date", 5),
    ("whole-number dates", [20_140_000 + 100 * (1 + index % 12) + 1 + index % 28 for index in range(ROWS)], "date", 5),
    ("lists", [[1, 2]] * ROWS, "text", 0),
]


@pytest.mark.parametrize(("name", "cells", "kind", "inputs"), COLUMNS, ids=[row[0] for row in COLUMNS])
def test_a_column_is_typed_as_a_person_would(name, cells, kind, inputs):
    decision, encoders = choose_encoders(pl.Series(name, cells))
    assert (decision.kind, decision.inputs) == (kind, inputs), decision.reason
    assert sum(len(encoder.input_names) for encoder in encoders) == inputs
    assert decision.reason


def test_a_column_somebody_put_into_an_array_is_never_dropped_as_an_id():
    assert choose_encoders(pl.Series("x0", np.arange(500)), drop_ids=False)[0].kind == "numeric"


def test_whole_numbers_between_which_the_target_jumps_get_an_input_each_and_smooth_ones_do_not():
    hours = np.arange(ROWS) % 24
    rush = np.isin(hours, [8, 17])[:, None]
    assert choose_encoders(pl.Series("hour", hours), rush)[0].inputs == 25
    assert choose_encoders(pl.Series("hour", hours), (hours**2.0)[:, None])[0].inputs == 1


def test_values_that_jump_by_chance_only_get_no_inputs_of_their_own():
    random = np.random.default_rng(0)
    assert choose_encoders(pl.Series("k", random.integers(0, 30, ROWS)), random.normal(size=(ROWS, 1)))[0].inputs == 1


def test_rows_outside_the_training_times_count_as_the_first_or_the_last():
    days = pl.Series("when", [datetime(2020, 1, 1) + timedelta(days=number) for number in range(100)])
    encoder = DateEncoder.fit(days)
    later = pl.Series("when", [datetime(2019, 6, 1), datetime(2020, 1, 1), datetime(2020, 4, 9), datetime(2024, 1, 1)])
    inputs = np.empty((4, len(encoder.input_names)), np.float32)
    encoder.encode(later, inputs)
    stamp = inputs[:, encoder.input_names.index("when time")]
    assert stamp[0] == stamp[1] < stamp[2] == stamp[3]
