"""``shoal predict --spread``: the uncertainty between a model's networks, from the command line."""

from pathlib import Path

import numpy as np
import pytest

import shoal as package
from shoal.data import read_table
from shoal.saved_run import MODEL

from .command import shoal


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spread") / "run"
    package.train("example:diabetes", recipe=package.Recipe(hidden_units=(8,), epochs=3), seeds=3, out=folder)
    return folder


def test_one_more_column_holds_the_standard_deviation_between_the_networks(run: Path, tmp_path: Path):
    result = shoal("predict", run, "example:diabetes", "--out", tmp_path / "p.csv", "--spread")
    assert result.exit_code == 0, result.stderr
    written = read_table(tmp_path / "p.csv")
    assert written.columns == ["prediction", "spread"]
    model = package.Model.load(run / MODEL)
    members = model.member_outputs(model.inputs("example:diabetes"))
    np.testing.assert_allclose(written["spread"], members.std(axis=0, ddof=1), rtol=1e-9)


def test_a_single_network_has_none_and_says_so(run: Path, tmp_path: Path):
    (tmp_path / "options.json").write_text("{}")
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    package.Model.load(run / MODEL).single(0).save(tmp_path / MODEL)
    result = shoal("predict", tmp_path, "example:diabetes", "--spread")
    assert result.exit_code == 2
    assert "a spread is between two or more networks; received a model of a single network" in " ".join(result.stderr.split())
