"""Every real table loads as it is."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shoal.data import Dataset, Preparation, load
from shoal.data.encode import NumberEncoder
from shoal.data.normalise import NORMALISERS

# file, target, dropped columns, test file, task, kinds of some columns
TABLES = [
    (
        "adult_train",
        "income",
        [],
        "adult_test",
        "classification",
        {"age": "numeric", "workclass": "categorical", "sex": "categorical", "fnlwgt": "numeric"},
    ),
    (
        "bank_marketing",
        "deposit",
        ["duration"],
        None,
        "classification",
        {"default": "boolean", "duration": "dropped", "month": "categorical"},
    ),
    ("magic_telescope", "Class", [], None, "classification", {"fLength": "numeric", "fM3Long": "numeric"}),
    ("bike_hour", "cnt", [], None, "regression", {"instant": "id", "dteday": "date", "hr": "numeric", "workingday": "boolean"}),
    ("california_housing", "median_house_value", [], None, "regression", {"total_bedrooms": "numeric", "ocean_proximity": "categorical"}),
    ("kc_house", "price", ["id"], None, "regression", {"id": "dropped", "date": "date", "zipcode": "categorical", "sqft_lot": "numeric"}),
    ("kc_house", "price", [], None, "regression", {"id": "id"}),
    ("hr_job_change", "target", ["enrollee_id"], None, "classification", {"city": "categorical", "experience": "categorical"}),
    ("hr_job_change", "target", [], None, "classification", {"enrollee_id": "id"}),
    (
        "melbourne_housing",
        "Price",
        [],
        None,
        "regression",
        {"Date": "date", "Address": "text", "Suburb": "categorical", "BuildingArea": "numeric"},
    ),
    ("mushroom", "class", [], None, "classification", {"veil_type": "constant", "odor": "categorical", "stalk_root": "categorical"}),
    (
        "telco_churn",
        "Churn",
        ["customerID"],
        None,
        "classification",
        {"TotalCharges": "numeric", "SeniorCitizen": "boolean", "tenure": "numeric"},
    ),
    ("telco_churn", "Churn", [], None, "classification", {"customerID": "id"}),
    ("occupancy_train", "Occupancy", [], "occupancy_test2", "classification", {"Date": "date", "Light": "numeric"}),
    ("abalone", "rings", [], None, "regression", {"sex": "categorical", "whole": "numeric"}),
    ("mammography", "class", [], None, "classification", {"f1": "numeric"}),
    ("cpu_act", "usr", [], None, "regression", {"runqsz": "numeric"}),
    ("letter", "class", [], None, "classification", {"x-box": "numeric"}),
    ("spambase", "class", [], None, "classification", {"char_freq_;": "numeric"}),
    ("shuttle", "Class", [], None, "classification", {"V2": "numeric"}),
    ("higgs_sample_train", "label", [], "higgs_sample_test", "classification", {"x1": "numeric"}),
    ("skin", "class", [], None, "classification", {"b": "numeric"}),
    (
        "beijing_air_12sites",
        "PM2.5",
        [],
        None,
        "regression",
        {"wd": "categorical", "station": "categorical", "PM10": "numeric", "No": "numeric"},
    ),
    (
        "kddcup99_10pct",
        "label",
        [],
        None,
        "classification",
        {"is_host_login": "constant", "service": "categorical", "src_bytes": "numeric"},
    ),
]


def check_is_sound(data: Dataset) -> None:
    """What holds of every data set."""
    for part, inputs in data.inputs.items():
        assert inputs.dtype == np.float32 and inputs.flags.c_contiguous
        assert np.isfinite(inputs).all()
        assert len(inputs) == len(data.targets[part]) == len(data.truth[part]) == len(data.weights[part]) == data.split.rows[part]
    train = data.inputs["train"]
    assert train.shape[1] == len(data.preparation.input_names) == sum(decision.inputs for decision in data.columns)
    assert np.abs(train.mean(axis=0, dtype=np.float64)).max() < 1e-3
    assert train.std(axis=0, dtype=np.float64).max() < 1.001
    assert np.abs(train).max() < 17


@pytest.mark.parametrize(
    ("name", "target", "drop", "test", "task", "kinds"), TABLES, ids=[f"{row[0]}{'' if row[2] else '-whole'}" for row in TABLES]
)
def test_a_real_table_loads_and_its_columns_are_what_a_person_would_say(name, target, drop, test, task, kinds, real_data: Path):
    data = load(real_data / f"{name}.csv.gz", target=target, drop=drop, test=test and real_data / f"{test}.csv.gz")
    check_is_sound(data)
    assert data.task == task
    found = {decision.name: decision.kind for decision in data.columns}
    assert {column: found[column] for column in kinds} == kinds
    assert found[target] == "target"
    assert all(decision.kind in ("numeric", "categorical", "boolean", "date", "target") for decision in data.columns if decision.inputs)


@pytest.mark.parametrize(
    ("name", "target"), [("adult_train", "income"), ("melbourne_housing", "Price"), ("bike_hour", "cnt"), ("mammography", "class")]
)
def test_a_real_table_can_be_normalised_in_every_way(name, target, real_data: Path):
    data = load(real_data / f"{name}.csv.gz", target=target)
    encoders = [encoder for encoder in data.preparation.encoders for _ in encoder.input_names]
    names = data.preparation.input_names
    numbers = [index for index, encoder in enumerate(encoders) if isinstance(encoder, NumberEncoder) and names[index] == encoder.column]
    for normalisation in NORMALISERS:
        other = data.prepared(normalisation, "standard")
        assert other.preparation.input_names == names
        assert all(np.isfinite(inputs).all() for inputs in other.inputs.values())
        train = other.inputs["train"].astype(np.float64)
        if normalisation == "standard":
            np.testing.assert_allclose(train[:, numbers].mean(axis=0), 0, atol=1e-4)
            np.testing.assert_allclose(train[:, numbers].var(axis=0), 1, atol=1e-3)
        if normalisation == "min_max":
            assert np.all(train.min(axis=0) == 0) and np.all(train.max(axis=0) == 1)
        if normalisation == "quantile":
            assert np.abs(train[:, numbers]).max() < 5


def test_missing_cells_of_a_real_table_are_counted_and_marked(real_data: Path):
    data = load(real_data / "telco_churn.csv.gz", target="Churn")
    charges = next(decision for decision in data.columns if decision.name == "TotalCharges")
    assert 0 < charges.missing <= 11
    assert "TotalCharges missing" in data.preparation.input_names


def test_a_dev_file_of_its_own_brings_a_train_dev_part(real_data: Path):
    sources = [real_data / f"occupancy_{part}.csv.gz" for part in ("train", "test1", "test2")]
    data = load(sources[0], target="Occupancy", dev=sources[1], test=sources[2])
    assert list(data.split.rows) == ["train", "train_dev", "dev", "test"]
    assert data.split.rows["dev"] == 2665 and data.split.rows["test"] == 9752
    assert "train-dev" in data.split.reason


def test_rows_without_a_target_are_left_out_and_counted(real_data: Path):
    data = load(real_data / "beijing_air_12sites.csv.gz", target="PM2.5")
    assert data.notes == ("8,739 rows without a target left out",)
    assert sum(data.split.rows.values()) == 420_768 - 8_739


def test_the_new_rows_of_a_saved_preparation_get_the_same_inputs(real_data: Path):
    path = real_data / "melbourne_housing.csv.gz"
    data = load(path, target="Price")
    table = pl.read_csv(path, infer_schema_length=None).sample(300, seed=1)
    again = Preparation.from_dict(data.preparation.to_dict())
    shuffled = table.select(reversed(table.columns)).with_columns(more=pl.lit(1))
    np.testing.assert_array_equal(again.transform(shuffled), data.preparation.transform(table))
