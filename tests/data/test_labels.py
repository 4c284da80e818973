"""Several target columns of two values each: a target of several labels."""

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.preprocessing import MultiLabelBinarizer

from shoal.data import Preparation, load
from shoal.errors import DataError, OptionError, RunFolderError

ROWS = 300
LABELS = ["sea", "sky", "sand"]


def table(rows: int = ROWS, **columns) -> pl.DataFrame:
    random = np.random.default_rng(1)
    base = {
        "size": random.normal(10, 3, rows),
        "colour": random.choice(["red", "green", "blue"], rows),
        "sea": random.integers(0, 2, rows),
        "sky": random.choice(["no", "yes"], rows),
        "sand": random.random(rows) < 0.3,
    }
    return pl.DataFrame({**base, **columns}, strict=False)


def test_several_target_columns_are_labels_with_one_column_of_0_and_1_each():
    data = load(table(), target=LABELS)
    assert data.task == data.preparation.task == "multi_label"
    assert data.classes == tuple(LABELS) and data.target == "sea, sky, sand"
    assert data.split.method == "shuffled"
    for part, truth in data.truth.items():
        assert truth.shape == (data.split.rows[part], 3) and truth.dtype == np.int32
        np.testing.assert_array_equal(data.targets[part], truth)
    assert [column.kind for column in data.columns] == ["numeric", "categorical", "target", "target", "target"]
    assert data.columns[3].reason == "the target: a label, yes or no"
    assert data.preparation.columns == ("size", "colour")


def test_the_truth_is_what_the_cells_of_the_rows_say():
    frame = table().with_columns(size=pl.int_range(ROWS) * 1.5)
    data = load(frame, target=LABELS, input_normalisation="none")
    rows = np.round(data.inputs["dev"][:, 0] / 1.5).astype(int)
    expected = np.stack([frame["sea"].to_numpy() == 1, frame["sky"].to_numpy() == "yes", frame["sand"].to_numpy()], axis=1)
    np.testing.assert_array_equal(data.truth["dev"], expected[rows])


@pytest.mark.parametrize("wrap", [np.asarray, lambda matrix: matrix.tolist(), lambda matrix: matrix.astype(bool), pd.DataFrame])
def test_an_indicator_matrix_as_scikit_learn_makes_it_is_a_target_of_labels(wrap):
    random = np.random.default_rng(0)
    words = [[word for word in ("a", "b", "c") if random.random() < 0.5] for _ in range(ROWS)]
    matrix = MultiLabelBinarizer().fit_transform(words)
    inputs = random.normal(size=(ROWS, 2))
    data = load(inputs, y=wrap(matrix), target=("a", "b", "c"))
    assert (data.task, data.classes) == ("multi_label", ("a", "b", "c"))
    assert sum(truth.sum() for truth in data.truth.values()) == matrix.sum()
    unnamed = load(inputs, y=wrap(matrix))
    assert unnamed.classes == (("0", "1", "2") if wrap is pd.DataFrame else ("y0", "y1", "y2"))
    np.testing.assert_array_equal(unnamed.truth["train"], data.truth["train"])


def test_a_table_of_labels_brings_its_own_names_in_every_part():
    frame = table()
    inputs, answers = frame.drop(LABELS), frame.select(LABELS)
    data = load(inputs, y=answers, test=(inputs.head(50), answers.head(50).select(reversed(LABELS))))
    assert data.classes == tuple(LABELS)
    np.testing.assert_array_equal(data.truth["test"][:, 1], (frame["sky"].head(50) == "yes").to_numpy())


def test_rows_without_one_of_the_labels_are_left_out_and_said():
    sky = [None if index < 7 else cell for index, cell in enumerate(table()["sky"])]
    data = load(table(sky=sky), target=LABELS)
    assert data.notes == ("7 rows with a missing label left out",)
    assert sum(data.split.rows.values()) == ROWS - 7


def test_test_rows_with_a_third_value_are_left_out_and_the_others_read_as_in_training():
    sky = ["perhaps", *(cell.upper() for cell in table(50)["sky"][1:])]
    data = load(table(), target=LABELS, test=table(50, sky=sky))
    assert data.split.rows["test"] == 49 == len(data.inputs["test"]) == len(data.truth["test"])
    assert "'YES' as 'yes'" in data.notes[0] and "'perhaps'" in data.notes[1]


def test_predictions_have_one_column_per_label_in_the_type_of_its_cells():
    data = load(table(), target=LABELS)
    outputs = np.array([[0.9, 0.2, 0.5], [0.1, 0.8, 0.51]])
    frame = data.preparation.predictions_frame(outputs, proba=True)
    assert frame.columns == [*LABELS, "p_sea", "p_sky", "p_sand"]
    assert frame.select(LABELS).rows() == [(1, "no", False), (0, "yes", True)]
    np.testing.assert_array_equal(frame.drop(LABELS).to_numpy(), outputs)
    assert data.preparation.predictions_frame(outputs, proba=False).columns == LABELS


def test_a_saved_preparation_of_labels_is_the_same_again_and_a_damaged_one_is_refused():
    preparation = load(table(), target=LABELS).preparation
    content = json.loads(json.dumps(preparation.to_dict(), allow_nan=False))
    assert Preparation.from_dict(content) == preparation
    assert (preparation.target_mean, preparation.target_sd) == (0.0, 1.0)
    content["target"]["values"][0] = [1, 1]
    with pytest.raises(RunFolderError, match="as shoal wrote it"):
        Preparation.from_dict(content)


def test_a_split_by_group_or_time_serves_labels_as_well():
    frame = table().with_columns(site=pl.int_range(ROWS) % 12, when=pl.int_range(ROWS))
    assert load(frame, target=LABELS, group="site").split.method.startswith("by group")
    assert load(frame, target=LABELS, time="when").split.method.startswith("by time")


def test_labels_can_be_prepared_in_another_way():
    data = load(table(), target=LABELS)
    assert data.prepared("min_max", "standard").inputs["train"].min() == 0
    with pytest.raises(OptionError, match="needs a target of numbers"):
        data.prepared("min_max", "mean")


RARE = np.where(np.arange(ROWS) == 0, 1, 0)
BAD: list[tuple[dict[str, Any], pl.DataFrame, Any, str]] = [
    ({"target": LABELS}, table(sky=np.arange(ROWS) % 3), DataError, r"'sky', one of 3 targets.*3 different values: 0, 1, 2"),
    ({"target": LABELS}, table(sky=np.linspace(0, 1, ROWS)), DataError, r"300 different values: .*, \.\.\."),
    ({"target": LABELS}, table(sky=[0] * ROWS, sea=[None] * ROWS), DataError, "missing values only.*the value 0 only"),
    ({"target": LABELS, "time": "when"}, table(sky=RARE[::-1], when=range(ROWS)), DataError, r"one value only.*'sky' \(0\)"),
    ({"target": ["sea", "skye"]}, table(), DataError, "Did you mean 'sky'"),
    ({"target": ["sea", "sea"]}, table(), OptionError, "'sea' twice"),
    ({"target": LABELS, "task": "regression"}, table(), OptionError, "task 'regression' and 3 target columns"),
    ({"target": "sea", "task": "multi_label"}, table(), OptionError, "'sea' alone"),
    ({"target": LABELS, "stratify": True}, table(), OptionError, "stratify needs classes; received several labels"),
    ({"target": LABELS, "drop": "sky"}, table(), OptionError, "another column than the target"),
    ({"target": LABELS, "target_scaling": "mean"}, table(), OptionError, "needs a target of numbers"),
]


@pytest.mark.parametrize(("options", "frame", "error", "message"), BAD, ids=[row[3][:30] for row in BAD])
def test_labels_that_cannot_be_used_say_why(options, frame, error, message):
    with pytest.raises(error, match=rf"(?s){message}"):
        load(frame, **options)


@pytest.mark.parametrize(
    ("y", "target", "message"),
    [
        (np.zeros((60, 2)), None, "the value 0 only"),
        (np.eye(2)[np.arange(60) % 2], ["a"], "y has one column per target"),
        (np.eye(2)[np.arange(50) % 2], None, "y has one value per row"),
    ],
)
def test_a_matrix_that_is_no_target_says_why(y, target, message):
    with pytest.raises(DataError, match=message):
        load(np.random.default_rng(0).normal(size=(60, 2)), y=y, target=target)


def test_one_target_column_in_a_list_is_a_plain_target():
    assert load(table(), target=["sea"]).task == "classification"
