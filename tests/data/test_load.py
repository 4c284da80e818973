"""From a source to a data set: parts, targets, weights, predictions and what is said about them."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import zstandard

from shoal.data import Preparation, fingerprint, load, read_table
from shoal.errors import DataError, OptionError, RunFolderError

ROWS = 300


def table(rows: int = ROWS) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "size": random.normal(10, 3, rows),
            "colour": random.choice(["red", "green", "blue"], rows),
            "site": random.choice([f"s{index}" for index in range(12)], rows),
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=rows - 1), eager=True),
            "kind": random.choice(["cat", "dog"], rows),
            "price": random.normal(100, 20, rows),
        }
    )


@pytest.mark.parametrize(
    ("example", "task", "shape"),
    [
        ("digits", "classification", 61),
        ("breast-cancer", "classification", 30),
        ("wine", "classification", 13),
        ("diabetes", "regression", 10),
    ],
)
def test_the_bundled_examples_load_offline(example, task, shape):
    data = load(f"example:{example}")
    assert data.task == task
    assert data.source == f"example:{example}"
    assert data.inputs["train"].shape[0] == data.split.rows["train"]
    assert len({decision.name for decision in data.columns if decision.inputs}) == shape


def test_regression_targets_are_standardised_with_training_statistics_only():
    data = load(table(), target="price")
    mean, sd = data.truth["train"].mean(), data.truth["train"].std()
    assert data.preparation.target_mean == pytest.approx(mean) and data.preparation.target_sd == pytest.approx(sd)
    for part in ("train", "dev", "test"):
        np.testing.assert_allclose(data.targets[part], (data.truth[part] - mean) / sd, atol=1e-6)
        assert data.truth[part].dtype == np.float64 and data.targets[part].dtype == np.float32


def test_parts_are_disjoint_and_hold_every_row():
    frame = table().with_columns(number=pl.int_range(ROWS, eager=True) * 1.5)
    data = load(frame, target="number", task="regression")
    assert sorted(np.concatenate(list(data.truth.values())).tolist()) == frame["number"].to_list()


FORMATS = {
    "t.csv": lambda frame, path: frame.write_csv(path),
    "t.tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "semicolons.csv": lambda frame, path: frame.write_csv(path, separator=";"),
    "bars.txt": lambda frame, path: frame.write_csv(path, separator="|"),
    "t.csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    "t.csv.zst": lambda frame, path: path.write_bytes(zstandard.compress(frame.write_csv().encode())),
    "bom.csv": lambda frame, path: path.write_bytes(b"\xef\xbb\xbf" + frame.write_csv().encode()),
    "windows.csv": lambda frame, path: path.write_bytes(frame.write_csv().replace("\n", "\r\n").encode()),
    "t.parquet": lambda frame, path: frame.write_parquet(path),
    "t.feather": lambda frame, path: frame.write_ipc(path),
    "stream.arrow": lambda frame, path: frame.write_ipc_stream(path),
    "t.jsonl": lambda frame, path: frame.write_ndjson(path),
    "t.jsonl.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_ndjson().encode())),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_format_gives_the_same_table(name, tmp_path):
    frame = table(40).drop("day")
    FORMATS[name](frame, tmp_path / name)
    assert read_table(str(tmp_path / name)).equals(frame)
    assert fingerprint(read_table(tmp_path / name)) == fingerprint(frame)


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: frame,
        lambda frame: frame.to_pandas(),
        lambda frame: frame.to_arrow(),
        lambda frame: frame.lazy(),
        lambda frame: frame.to_dict(),
    ],
)
def test_every_kind_of_data_frame_gives_the_same_inputs(make):
    expected = load(table(), target="kind")
    found = load(make(table()), target="kind")
    assert isinstance(make(table()), pl.DataFrame | pd.DataFrame | pa.Table | pl.LazyFrame | dict)
    np.testing.assert_array_equal(found.inputs["train"], expected.inputs["train"])


@pytest.mark.parametrize("labels", [[3, 8], [False, True], ["a", "b"], [0.0, 1.0]])
def test_predictions_keep_the_type_of_the_labels(labels):
    y = np.array(labels)[np.arange(ROWS) % 2]
    data = load(np.random.default_rng(0).normal(size=(ROWS, 3)), y=y)
    frame = data.preparation.predictions_frame(np.array([[0.9, 0.1], [0.2, 0.8]]), proba=True)
    assert frame["prediction"].to_list() == labels
    assert type(frame["prediction"][0]) is type(labels[0])
    assert frame.columns == ["prediction", *(f"p_{name}" for name in data.classes)]


def test_a_prediction_of_a_quantity_is_in_its_own_unit():
    frame = load(table(), target="price").preparation.predictions_frame(np.array([101.5, 99.0]), proba=True)
    assert frame.to_dict(as_series=False) == {"prediction": [101.5, 99.0]}


def test_a_saved_preparation_is_plain_json_and_transforms_alike():
    data = load(table(), target="price")
    again = Preparation.from_dict(json.loads(json.dumps(data.preparation.to_dict(), allow_nan=False)))
    assert again == data.preparation
    np.testing.assert_array_equal(again.transform(table()), data.preparation.transform(table()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.clear(),
        lambda content: content["encoders"][0].update(encoder="pickle"),
        lambda content: content["encoders"][0].update(median="high"),
        lambda content: content["encoders"][0]["normaliser"]["standardiser"].update(sd=0.0),
        lambda content: content["encoders"][1].update(standardisers=[]),
        lambda content: content.update(target=None),
    ],
)
def test_a_damaged_preparation_is_refused(damage):
    content = load(table(), target="price").preparation.to_dict()
    damage(content)
    with pytest.raises(RunFolderError, match="as shoal wrote it"):
        Preparation.from_dict(content)


def test_column_order_and_further_columns_do_not_matter_to_a_prediction():
    preparation = load(table(), target="price").preparation
    other = table().select(reversed(table().columns)).drop("price").with_columns(extra=pl.lit("x"))
    np.testing.assert_array_equal(preparation.transform(other), preparation.transform(table()))


def test_a_prediction_file_without_columns_is_told_all_of_them():
    with pytest.raises(DataError, match=r"without 'size', 'colour'"):
        load(table(), target="price").preparation.transform(table().drop("size", "colour"))


def test_a_test_table_of_its_own_is_used_whole_and_only_dev_is_carved_out():
    data = load(table(), target="kind", test=table(77))
    assert list(data.split.rows) == ["train", "dev", "test"] and data.split.rows["test"] == 77


def test_half_of_a_dev_table_of_its_own_becomes_the_test_part():
    data = load(table(600), target="kind", dev=table(200))
    assert list(data.split.rows) == ["train", "train_dev", "dev", "test"]
    assert data.split.rows["dev"] + data.split.rows["test"] == 200
    assert list(load(table(600), target="kind", dev=table(200), test_size=0).split.rows) == ["train", "train_dev", "dev"]


def test_without_a_test_part_the_split_says_that_dev_scores_are_optimistic():
    data = load(table(), target="kind", test_size=0)
    assert list(data.split.rows) == ["train", "dev"]
    assert "optimistic" in data.split.reason


def test_sizes_are_as_asked():
    rows = load(table(), target="price", dev_size=0.1, test_size=50).split.rows
    assert rows == {"train": 220, "dev": 30, "test": 50}


def test_a_split_by_time_trains_on_the_past_and_uses_only_what_comes_again():
    data = load(table(), target="price", time="day")
    assert data.split.method.startswith("by time")
    np.testing.assert_array_equal(data.truth["train"], table()["price"].to_numpy()[:180])
    np.testing.assert_array_equal(data.truth["test"], table()["price"].to_numpy()[240:])
    day = next(decision for decision in data.columns if decision.name == "day")
    assert day.kind == "time" and not {"day time", "day year"} & set(data.preparation.input_names)


def test_a_split_by_group_uses_the_group_as_no_input():
    data = load(table(), target="price", group="site")
    site = next(decision for decision in data.columns if decision.name == "site")
    assert (site.kind, site.inputs) == ("group", 0)
    assert "no site is in two parts" in data.split.method


def test_labels_of_the_test_file_with_a_trailing_dot_are_read_as_those_of_training_and_said():
    test = table(50).with_columns(pl.col("kind") + ".")
    data = load(table(), target="kind", test=test)
    assert "'cat.' as 'cat'" in data.notes[0]
    np.testing.assert_array_equal(data.truth["test"], (test["kind"] == "dog.").to_numpy())


def test_test_rows_of_an_unknown_class_are_left_out_and_said():
    test = table(50).with_columns(kind=pl.Series(["cow", *table(50)["kind"].to_list()[1:]]))
    data = load(table(), target="kind", test=test)
    assert data.split.rows["test"] == 49 == len(data.inputs["test"])
    assert "'cow'" in data.notes[0]


def test_classes_too_rare_for_every_part_are_kept_in_training_and_said():
    kinds = ["rare", "rare", *table()["kind"].to_list()[2:]]
    data = load(table().with_columns(kind=pl.Series(kinds)), target="kind")
    assert data.notes == ("classes too rare to appear in every part are kept in training: rare (2 rows)",)
    assert np.sum(data.truth["train"] == data.classes.index("rare")) == 2


def test_infinite_cells_are_missing_and_said():
    frame = table().with_columns(pl.when(pl.int_range(pl.len()) < 5).then(float("inf")).otherwise("size").alias("size"))
    data = load(frame, target="kind")
    assert data.notes == ("5 infinite values in 'size' treated as missing",)
    assert all(np.isfinite(inputs).all() for inputs in data.inputs.values())


def test_weights_have_mean_1_over_train_and_rows_of_weight_0_are_left_out():
    weights = np.arange(ROWS) % 4 * 2.0
    data = load(table(), target="price", sample_weight=weights)
    assert sum(data.split.rows.values()) == ROWS - 75
    assert data.weights["train"].mean() == pytest.approx(1, abs=1e-6)
    assert data.weights["train"].dtype == np.float32


def test_the_seed_decides_everything():
    first, again, other = (load(table(), target="kind", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.inputs["dev"], again.inputs["dev"])
    assert first.preparation == again.preparation and first.fingerprint == again.fingerprint == other.fingerprint
    assert not np.array_equal(first.inputs["dev"], other.inputs["dev"])


def test_statistics_come_from_training_rows_only():
    frame = table()
    data = load(frame, target="price", time="day")
    changed = frame.with_columns(pl.when(pl.int_range(pl.len()) >= 180).then(1e6).otherwise("size").alias("size"))
    assert load(changed, target="price", time="day").preparation == data.preparation


TARGETS = [
    ([0, 1], "classification"),
    (list(range(10)), "classification"),
    (list(range(60)), "regression"),
    ([0.5, 1.5, 2.5], "regression"),
    (["low", "high"], "classification"),
    ([True, False], "classification"),
    (["1.5", "2.5", "7"], "regression"),
    (["None", "Mild", "Severe"], "classification"),
]


@pytest.mark.parametrize(("values", "task"), TARGETS)
def test_the_task_follows_from_the_target(values, task):
    y = [values[index % len(values)] for index in range(ROWS)]
    data = load(np.random.default_rng(0).normal(size=(ROWS, 2)), y=y)
    assert data.task == task
    if task == "classification":
        assert len(data.classes) == len(values)


def test_whole_numbers_may_be_asked_to_be_a_quantity():
    data = load(np.random.default_rng(0).normal(size=(ROWS, 2)), y=np.arange(ROWS) % 5, task="regression")
    assert data.task == "regression" and data.classes == ()


def test_several_wrong_options_are_reported_together():
    with pytest.raises(OptionError) as caught:
        load(table(), target="price", task="regresion", drop=["colr"], group="sit", test_size=-1)
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "'regression'" in text and "Did you mean 'colour'?" in text and "Did you mean 'site'?" in text


ODD_TABLES = {
    "categories": lambda y: pl.DataFrame(
        {"x": pl.Series(["u", "v", "w"] * 20, dtype=pl.Categorical), "y": pl.Series(y, dtype=pl.Categorical)}
    ),
    "decimals": lambda y: pl.DataFrame({"x": pl.Series(np.arange(60) / 7).cast(pl.Decimal(20, 4)), "y": y}),
    "durations": lambda y: pl.DataFrame({"x": pl.Series(range(60)).cast(pl.Duration("us")), "y": y}),
    "zoned times": lambda y: pl.DataFrame(
        {"x": pl.Series([10**12 * i for i in range(60)]).cast(pl.Datetime("us", "Europe/Berlin")), "y": y}
    ),
    "objects": lambda y: pl.DataFrame({"x": pl.Series([object() for _ in y], dtype=pl.Object), "z": np.arange(60) / 7, "y": y}),
    "huge numbers": lambda y: pl.DataFrame({"x": np.linspace(-1e300, 1e300, 60), "z": np.linspace(0, 1e-300, 60), "y": y}),
    "an empty name": lambda y: pl.DataFrame({"": np.arange(60) / 7, "y": y}),
    "whole-number names": lambda y: pd.DataFrame({0: np.arange(60) / 7, 1: y, "y": y}),
    "mixed cells": lambda y: pd.DataFrame({"x": [1, "a", None] * 20, "z": np.arange(60) / 7, "y": y}),
    "nullable numbers": lambda y: pd.DataFrame({"x": pd.array([1, None, 3] * 20, dtype="Int64"), "y": y}),
}


@pytest.mark.parametrize("name", ODD_TABLES)
def test_an_unusual_column_type_loads_saves_and_transforms(name):
    frame = ODD_TABLES[name](["a", "b"] * 30)
    preparation = load(frame, target="y").preparation
    again = Preparation.from_dict(json.loads(json.dumps(preparation.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.transform(frame), preparation.transform(frame))
    assert np.isfinite(again.transform(frame)).all()
