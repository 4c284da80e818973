"""One split, several ways to encode it: inputs normalised in another way, a target divided by its mean."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from shoal.data import Dataset, Preparation, load
from shoal.data.normalise import NORMALISERS
from shoal.errors import DataError, OptionError

ROWS = 400
NAMES = list(NORMALISERS)


def table(rows: int = ROWS, **columns) -> pl.DataFrame:
    random = np.random.default_rng(0)
    base = {
        "size": random.lognormal(1, 3, rows),
        "weight": [None if index % 9 == 0 else float(value) for index, value in enumerate(random.normal(70, 12, rows))],
        "colour": random.choice(["red", "green", "blue"], rows),
        "sold": random.choice(["yes", "no"], rows),
        "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=rows - 1), eager=True),
        "visits": random.poisson(3.0, rows).astype(float) / 7,
    }
    return pl.DataFrame({**base, **columns}, strict=False)


def assert_same(found: Dataset, expected: Dataset) -> None:
    for name in ("inputs", "targets", "truth", "weights"):
        assert list(getattr(found, name)) == list(getattr(expected, name))
        for part, values in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(found, name)[part], values)
    for name in ("preparation", "columns", "split", "notes", "input_normalisation", "target_scaling", "fingerprint"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize("scaling", ["standard", "mean"])
@pytest.mark.parametrize("normalisation", NAMES)
def test_a_prepared_data_set_is_the_one_that_load_would_have_made(normalisation, scaling):
    frame = table().with_columns(pl.when(pl.int_range(pl.len()) < 3).then(float("inf")).otherwise("size").alias("size"))
    expected = load(frame, target="visits", input_normalisation=normalisation, target_scaling=scaling)
    assert_same(load(frame, target="visits").prepared(normalisation, scaling), expected)
    assert (expected.input_normalisation, expected.target_scaling) == (normalisation, scaling)


def test_a_data_set_that_is_as_asked_already_is_returned_itself():
    data = load(table(), target="visits", input_normalisation="robust", target_scaling="mean")
    assert data.prepared("robust", "mean") is data


def test_nothing_but_the_encoding_is_made_again():
    data = load(table(), target="visits")
    weights = {part: values * 2 for part, values in data.weights.items()}
    other = replace(data, weights=weights).prepared("quantile", "mean")
    assert other.weights is weights and other.truth is data.truth and other.division is data.division
    assert data.prepared("smooth", "mean").inputs is data.inputs
    assert data.prepared("none", "standard").targets is data.targets


def test_data_sets_can_be_prepared_one_from_the_other():
    data = load(table(), target="visits")
    assert_same(data.prepared("none", "mean").prepared("min_max", "standard").prepared("smooth", "standard"), data)


@pytest.mark.parametrize("normalisation", NAMES)
def test_columns_become_the_same_inputs_whatever_is_done_to_them(normalisation):
    data, other = load(table(), target="visits"), load(table(), target="visits", input_normalisation=normalisation)
    assert other.preparation.input_names == data.preparation.input_names
    assert [(column.name, column.kind, column.inputs) for column in other.columns] == [
        (column.name, column.kind, column.inputs) for column in data.columns
    ]
    said = next(column.reason for column in other.columns if column.name == "size")
    assert ("on a logarithmic scale" in said) == (normalisation == "smooth")


@pytest.mark.parametrize("normalisation", NAMES)
def test_statistics_come_from_training_rows_only(normalisation):
    frame = table()
    changed = frame.with_columns(pl.when(pl.int_range(pl.len()) >= 240).then(1e6).otherwise("size").alias("size"))
    options: dict[str, Any] = {"target": "visits", "time": "day", "input_normalisation": normalisation, "target_scaling": "mean"}
    assert load(changed, **options).preparation == load(frame, **options).preparation


@pytest.mark.parametrize("scaling", ["standard", "mean"])
@pytest.mark.parametrize("normalisation", NAMES)
def test_a_saved_preparation_gives_new_rows_the_same_inputs(normalisation, scaling):
    data = load(table(), target="visits", input_normalisation=normalisation, target_scaling=scaling)
    again = Preparation.from_dict(json.loads(json.dumps(data.preparation.to_dict(), allow_nan=False)))
    assert again == data.preparation
    other = table(50, size=np.linspace(-1e6, 1e200, 50), colour=["pink"] * 50, sold=[None] * 50)
    np.testing.assert_array_equal(again.transform(other), data.preparation.transform(other))
    assert np.isfinite(again.transform(other)).all()


def test_min_max_puts_every_training_input_between_0_and_1():
    inputs = load(table(), target="visits", input_normalisation="min_max").inputs["train"]
    np.testing.assert_array_equal(inputs.min(0), 0)
    np.testing.assert_array_equal(inputs.max(0), 1)


def test_a_target_divided_by_its_mean_keeps_its_zero_and_comes_back():
    data = load(table(), target="visits", target_scaling="mean")
    mean = data.truth["train"].mean()
    assert (data.preparation.target_mean, data.preparation.target_sd) == (0.0, pytest.approx(mean))
    for part, truth in data.truth.items():
        np.testing.assert_allclose(data.targets[part], truth / mean, rtol=1e-6)
        assert data.targets[part].dtype == np.float32 and data.targets[part].min() == 0
        back = data.targets[part] * data.preparation.target_sd + data.preparation.target_mean
        np.testing.assert_allclose(back, truth, rtol=1e-6)
    assert data.targets["train"].mean() == pytest.approx(1.0)


def test_a_standardised_target_comes_back_in_its_own_unit():
    data = load(table(), target="visits", target_scaling="mean").prepared("smooth", "standard")
    assert data.targets["train"].std() == pytest.approx(1.0, abs=1e-5)
    back = data.targets["dev"] * data.preparation.target_sd + data.preparation.target_mean
    np.testing.assert_allclose(back, data.truth["dev"], atol=1e-5)


def test_negative_targets_cannot_be_divided_by_their_mean_and_are_counted_in_every_part():
    visits = table()["visits"].to_numpy().copy()
    visits[[3, 50, 399]] = -0.5
    frame = table(visits=visits)
    with pytest.raises(DataError, match=r"'visits'.*counts or rates.*received 3 of 400 rows below 0"):
        load(frame, target="visits", target_scaling="mean")
    with pytest.raises(DataError, match="3 of 400 rows below 0"):
        load(frame, target="visits").prepared("smooth", "mean")


def test_a_target_of_zeros_cannot_be_divided_by_its_mean():
    # The later fifths are the dev and the test part of a split by time.
    visits = np.where(np.arange(ROWS) < 240, 0.0, 0.5)
    visits[0] = -1e-9
    data = load(table(visits=visits), target="visits", time="day", task="regression")
    zeros = {part: np.maximum(truth, 0.0) for part, truth in data.truth.items()}
    with pytest.raises(DataError, match="received 0 in all 240 training rows"):
        replace(data, truth=zeros).prepared("smooth", "mean")


@pytest.mark.parametrize("by_load", [True, False])
def test_a_choice_that_does_not_exist_is_named_with_the_likeliest_correction(by_load):
    options: Any = ("standart", "means")
    with pytest.raises(OptionError) as caught:
        if by_load:
            load(table(), target="visits", input_normalisation=options[0], target_scaling=options[1])
        else:
            load(table(), target="visits").prepared(*options)
    assert len(caught.value.problems) == 2
    assert "Did you mean 'standard'?" in str(caught.value) and "Did you mean 'mean'?" in str(caught.value)


def test_classes_have_no_mean_to_be_divided_by():
    with pytest.raises(OptionError, match="needs a target of numbers"):
        load(table(), target="sold", target_scaling="mean")
    with pytest.raises(OptionError, match="needs a target of numbers"):
        load(table(), target="sold").prepared("smooth", "mean")
