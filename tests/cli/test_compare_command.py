"""``shoal compare``: paired where the rows are the same, refused where nothing can be compared."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shoal as package
from shoal import storage
from shoal.data import load
from shoal.records import RECORD_FORMAT
from shoal.saved_run import OPTIONS, RECORD, read_record, to_plain

from .command import inside, shoal


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of networks of one shape, and copies of the first whose record or options say something else."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1500, 2)).round(4)
    kind = np.where(inputs[:, 0] * inputs[:, 1] + 0.3 * rng.normal(size=1500) > 0, "yes", "no")
    pl.DataFrame({"a": inputs[:, 0], "b": inputs[:, 1], "kind": kind}).write_csv(folder / "table.csv")
    for name, epochs in (("weak", 1), ("strong", 40)):
        recipe = package.Recipe(hidden_units=(16,), epochs=epochs, learning_rate=0.02)
        package.train(folder / "table.csv", target="kind", recipe=recipe, seeds=2, out=folder / name)
    record = read_record(folder / "weak")
    changes: dict[str, Any] = {"quantity": {"task": "regression"}, "other": {"target": "mood"}, "shifted": {"fingerprint": ""}}
    for name in ("split", "memory", *changes):
        shutil.copytree(folder / "weak", folder / name)
        options = storage.read_json(folder / name / OPTIONS, RECORD_FORMAT)
        options |= {"split": {"seed": 4}, "memory": {"resumable": False, "source": None}}.get(name, {})
        storage.write_json(folder / name / OPTIONS, options)
        storage.write_json(folder / name / RECORD, to_plain(replace(record, **changes.get(name, {}))))
    return folder


def test_the_difference_is_that_of_the_models_on_the_test_rows(runs: Path):
    shown = shoal("compare", runs / "weak", runs / "strong", "--json")
    assert shown.exit_code == 0, shown.stderr
    (found,) = json.loads(shown.stdout)["differences_of_error_to_the_first"]
    # by hand: the saved models' predictions of the rows that load sets aside, row by row
    data = load(str(runs / "table.csv"), target="kind", seed=0)
    rows = pl.read_csv(runs / "table.csv")[data.division.places["test"][1]]
    wrong = [
        (package.Model.load(runs / name / "model").predict(rows)["prediction"] != rows["kind"]).to_numpy() for name in ("weak", "strong")
    ]
    moved = wrong[1].astype(float) - wrong[0]
    error, half = found["error"], 1.96 * moved.std() / np.sqrt(len(moved))
    assert found["rows"] == len(moved) and error["value"] == pytest.approx(moved.mean(), abs=1e-12)
    assert [error["low"], error["high"]] == pytest.approx([moved.mean() - half, moved.mean() + half], abs=0.3 * half)
    assert error["high"] < 0


def test_runs_that_cannot_be_paired_are_compared_and_said_to_be(runs: Path, tmp_path: Path):
    page = tmp_path / "compare.html"
    shown = shoal("compare", *(runs / name for name in ("weak", "split", "memory", "shifted")), "--out", page)
    assert shown.exit_code == 0 and str(page) in shown.stderr
    for why in ("2 cannot be paired with 1: other rows are in the test part", "received data given in memory", "the data is not the same"):
        assert why in " ".join(shown.stdout.split()), why
    assert page.read_text().count("Cannot be paired") == 3 and inside(tmp_path) == {"compare.html"}
    assert shoal("compare", runs / "weak", runs / "split", "--out", page).exit_code == 2


@pytest.mark.parametrize(
    ("names", "options", "complaint"),
    [
        (["weak"], [], "two to 10 runs are compared; received 1."),
        (["weak", "weak"], [], "each run is named once"),
        (["weak", "nowhere"], [], "which does not exist"),
        (["weak", "quantity"], [], "the tasks of compared runs are the same; received classification, regression."),
        (["weak", "other"], [], "the targets of compared runs are the same; received kind, mood."),
        (["weak", "strong"], ["--out", "compare.pdf"], "--out ends in .html"),
        (["weak", "strong"], ["--open"], "no --out. Add --out compare.html."),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_remedy(runs: Path, names: list[str], options: list[str], complaint: str):
    shown = shoal("compare", *(runs / name for name in names), *options)
    assert (shown.exit_code, shown.stdout) == (2, "") and complaint in " ".join(shown.stderr.split())
