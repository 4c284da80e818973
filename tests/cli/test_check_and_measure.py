"""New rows beside the training rows, and what a run had no time to measure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import shoal as package

from .command import shoal


def table(rows: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).round(4) + np.array([shift, 0.0, 0.0])
    kind = np.where(x[:, 0] - x[:, 1] + 0.3 * rng.normal(size=rows) > 0, "yes", "no")
    return pl.DataFrame({"size": x[:, 0], "weight": x[:, 1], "age": x[:, 2], "kind": kind})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    table(600, 0).write_csv(folder / "table.csv")
    (folder / "recipe.toml").write_text("hidden_units = [8]\nepochs = 6\nlearning_rate = 0.01\n")
    result = shoal("train", folder / "table.csv", "--target", "kind", "--recipe", folder / "recipe.toml", "--out", folder / "run")
    assert result.exit_code == 0, result.stderr
    return folder / "run"


def test_rows_of_the_same_kind_look_like_the_training_rows(run: Path, tmp_path: Path):
    table(300, 1).write_csv(tmp_path / "new.csv")
    result = shoal("predict", run, tmp_path / "new.csv", "--check", "--out", tmp_path / "answers.csv")
    assert result.exit_code == 0 and "look like the training rows" in result.stderr
    assert (tmp_path / "answers.csv").exists()


def test_rows_that_differ_are_told_apart_and_the_column_that_does_it_is_named(run: Path, tmp_path: Path):
    table(300, 1, shift=1.5).write_csv(tmp_path / "new.csv")
    result = shoal("predict", run, tmp_path / "new.csv", "--check")
    assert "not like the training rows" in result.stderr and "size is" in result.stderr and "age is" not in result.stderr
    assert result.stdout.startswith("prediction\n")


def test_too_few_rows_cannot_be_compared_and_are_predicted_all_the_same(run: Path, tmp_path: Path):
    table(20, 1).write_csv(tmp_path / "new.csv")
    result = shoal("predict", run, tmp_path / "new.csv", "--check")
    assert result.exit_code == 0 and "too few rows" in result.stderr


def test_same_rows_alarm_about_as_seldom_as_the_test_promises(run: Path):
    model = package.Model.load(run / "model")
    answers = [package.check_new_rows(model, table(200, 100 + number)).differ for number in range(30)]
    assert answers.count("yes") <= 1


def test_what_a_run_had_no_time_for_is_measured_and_kept(run: Path):
    before = json.loads((run / "run.json").read_text())["content"]
    assert before["measured"]["learning_curve"] is None
    measured = shoal("diagnose", run, "--measure", "--json", "--quiet")
    assert measured.exit_code == 0, measured.stderr
    after = json.loads((run / "run.json").read_text())["content"]
    curve = after["measured"]["learning_curve"]
    assert (len(curve["rows"]), len(curve["dev"][0])) == (8, 5)
    assert after["measured"]["rate_range"]["used"] == 0.01
    assert {**after, "measured": None} == {**before, "measured": None}
    said = shoal("diagnose", run, "--json")
    assert json.loads(said.stdout)["measured"]["learning_curve"] == curve


def test_a_table_has_nothing_to_be_measured_later(run: Path):
    refused = shoal("diagnose", run.parent / "table.csv", "--measure")
    assert refused.exit_code == 2 and "--measure is for a run" in refused.stderr and "together with a model" in refused.stderr
