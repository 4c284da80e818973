"""Each bad input gets one clear message: the requirement, what was received, what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from shoal.data import load, read_table
from shoal.errors import DataError, InputError, OptionError

GOOD = "a,b,y\n" + "".join(f"{index},{index % 7},{'uv'[index % 2]}\n" for index in range(50))

FILES = [
    ("empty.csv", b"", "empty file"),
    ("blank.csv", b"\n \n", "empty file"),
    ("header.csv", b"a,b,y\n", "header only"),
    ("latin.csv", "a,b,y\n1,caf\u00e9,u\n".encode("latin-1"), "iconv -f WINDOWS-1252 -t UTF-8 latin.csv"),
    ("utf16.csv", GOOD.encode("utf-16"), "UTF-16"),
    ("binary.csv", b"a\0\1\2\3", "zero bytes"),
    ("short.csv", b"a,b,y\n1,2,u\n1,v\n1,2,u\n", "3 fields.*2 in line 3"),
    ("long.csv", GOOD.encode() + b"1,2,u,4\n", "3 fields.*4 in line 52"),
    ("last.csv", GOOD.encode() + b"1,2", "2 in line 52"),
    ("quoted.csv", b'a,b,y\n"1,5",2,u\n"x\ny",1,2,u\n', "4 in line"),
    ("twice.csv", b"a,b,a,y\n1,2,3,u\n", "more than one 'a'"),
    ("broken.csv.gz", b"\x1f\x8b\x08\0junk", "whole compressed file"),
    ("broken.csv.zst", b"\x28\xb5\x2f\xfdjunk", "whole compressed file"),
    ("broken.parquet", b"PAR1junk", "whole parquet file"),
    ("broken.feather", b"ARROW1junk", "whole arrow file"),
    ("broken.jsonl", b'{"a": 1\n', "whole jsonl file"),
    ("book.xlsx", b"PK\3\4 \1", "Export it as CSV or Parquet"),
    ("numbers.npz", b"PK\3\4 \1", "whole file of NumPy arrays"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES, ids=[row[0] for row in FILES])
def test_a_file_that_cannot_be_read_says_why_and_what_to_do(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"(?s){message}") as caught:
        load(tmp_path / name, target="y")
    assert all(problem.requirement and problem.received and problem.remedy for problem in caught.value.problems)


def test_a_missing_file_suggests_the_nearest_name_of_its_folder(tmp_path):
    (tmp_path / "adult_train.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"Did you mean '.*adult_train.csv'"):
        load(tmp_path / "adult_tran.csv", target="y")
    with pytest.raises(DataError, match="no folder"):
        load(tmp_path / "nowhere" / "x.csv", target="y")


def test_a_folder_without_pictures_says_what_it_found(tmp_path):
    (tmp_path / "inside.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"1 \.csv.*name one file in it, such as inside\.csv"):
        load(tmp_path, target="y")


def good(rows: int = 60, **columns) -> pl.DataFrame:
    base = {
        "a": np.random.default_rng(0).normal(size=rows),
        "b": np.arange(rows) % 7 + 0.5,
        "y": ["uv"[index % 2] for index in range(rows)],
    }
    return pl.DataFrame({**base, **columns}, strict=False)


DATA = [
    ({"target": "yy"}, good(), DataError, "Did you mean 'y'"),
    ({}, good(), OptionError, "no target.*Name one: a, b, y"),
    ({"target": "y"}, good(y=["u"] * 60), DataError, "one class only, 'u'"),
    ({"target": "y"}, good(y=[None] * 60), DataError, "missing values only"),
    ({"target": "y"}, good(y=[float("inf"), *np.linspace(0, 1, 59)]), DataError, "1 infinite value"),
    ({"target": "y"}, good(y=np.linspace(0, 1e200, 60)), DataError, "stays below 1e\\+100"),
    ({"target": "y", "task": "regression"}, good(y=[4.0] * 60), DataError, "the value 4 only"),
    ({"target": "y", "task": "classification"}, good(y=np.linspace(0, 1, 60)), DataError, "Use --task regression"),
    ({"target": "y", "task": "regression"}, good(), DataError, "labels such as 'u'"),
    ({"target": "y"}, good(y=[f"name {index}" for index in range(60)]), DataError, "several rows per class"),
    ({"target": "y"}, good(5), DataError, "at least 6 rows; received 5 rows"),
    ({"target": "y", "test_size": 59}, good(), DataError, "needs at least"),
    ({"target": "y", "drop": ["c"]}, good(), OptionError, "--drop names a column"),
    ({"target": "y", "drop": ["y"]}, good(), OptionError, "another column than the target"),
    ({"target": "y", "group": "aa", "time": "bb"}, good(), OptionError, "3 problems"),
    ({"target": "y", "time": "when"}, good(when=["soon"] * 60), DataError, "dates or numbers"),
    ({"target": "y", "group": "g"}, good(g=["one"] * 60), DataError, "as many groups"),
    ({"target": "a", "stratify": True}, good(), OptionError, "stratify needs classes"),
    ({"target": "y", "dev": good().drop("b")}, good(), DataError, "the dev table has the columns.*without 'b'"),
    ({"target": "y", "test": good().drop("y")}, good(), DataError, "the test table has the columns.*without 'y'"),
    ({"target": "y", "test": good(y=["w"] * 60)}, good(), DataError, "classes of the training rows"),
    ({"target": "y", "drop": ["a", "b"]}, good(), DataError, "at least one column"),
    ({"target": "y", "sample_weight": [1.0]}, good(), DataError, "sample weights"),
    ({"target": "y", "sample_weight": [-1.0] * 60}, good(), DataError, "sample weights"),
    ({"target": "y", "seed": -1}, good(), OptionError, "the seed"),
]


@pytest.mark.parametrize(("options", "frame", "error", "message"), DATA, ids=[row[3][:40] for row in DATA])
def test_data_or_options_that_cannot_be_used_say_why(options, frame, error, message):
    with pytest.raises(error, match=rf"(?s){message}"):
        load(frame, **options)


def test_problems_of_several_files_and_options_come_together(tmp_path):
    with pytest.raises(DataError) as caught:
        load(good(), target="yy", drop=["q"], dev=tmp_path / "none.csv", test=tmp_path / "nothing.csv")
    assert len(caught.value.problems) == 4


SOURCES = [
    (np.zeros(5), "2 dimensions"),
    (np.zeros((2, 2, 2)), "at least 4 x 4 pixels"),
    (np.zeros((2, 2, 2, 2, 2)), "2 dimensions"),
    (np.zeros((3, 2), complex), "Complex data not supported"),
    (np.zeros((3, 0)), "at least one column"),
    (object(), "type builtins.object"),
    (17, "type builtins.int"),
    ("example:iris", "Choose from: digits, breast-cancer, diabetes, wine|Did you mean"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one 'a'"),
    ({"a": [1], "b": [1, 2]}, "one length"),
]


@pytest.mark.parametrize(("source", "message"), SOURCES, ids=[str(index) for index in range(len(SOURCES))])
def test_a_source_that_is_no_table_says_what_is_one(source, message):
    with pytest.raises(DataError, match=message):
        read_table(source)


@pytest.mark.parametrize("y", [np.zeros((60, 2, 2)), np.zeros((60, 0)), np.zeros(7)])
def test_y_has_one_value_per_row(y):
    with pytest.raises(DataError, match="y has"):
        load(np.zeros((60, 2)), y=y)


def test_every_message_is_an_input_error_and_so_a_value_error():
    assert issubclass(InputError, ValueError)
