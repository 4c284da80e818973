"""The recipe loop as a user meets it: live, at the end of a run, afterwards, and with an idea of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import shoal as package

from .command import inside, shoal


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that began with weights that never part, with room for one step of the loop."""
    folder = tmp_path_factory.mktemp("ledger")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)).round(3)
    kind = np.where(x[:, 0] * x[:, 1] + 0.2 * rng.normal(size=400) > 0, "yes", "no")
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "kind": kind}).write_csv(folder / "table.csv")
    (folder / "mine.toml").write_text('hidden_units = [16, 16]\ninitialisation = "zeros"\nbatch_size = 32\n')
    options = ("--budget", "32trials", "--recipe", folder / "mine.toml", "--explain", "--out", folder / "run")
    result = shoal("improve", folder / "table.csv", "--target", "kind", *options)
    assert result.exit_code == 0, result.stderr
    (folder / "stderr").write_text(result.stderr)
    (folder / "stdout").write_text(result.stdout)
    return folder / "run"


def test_the_ledger_is_said_live_with_the_reasoning_that_was_asked_for(run: Path):
    said = (run.parent / "stderr").read_text()
    assert "step 1  units that never part: initialisation zeros to he, initialisation_gain" in said or "initialisation zeros to he" in said
    assert "kept" in said and "equal weights never part" in said


def test_the_end_screen_says_what_was_kept_and_where_the_ledger_is(run: Path):
    said = (run.parent / "stdout").read_text()
    assert "Recipe loop" in said and "initialisation zeros to" in said and "beside as many random ones" in said
    assert f"shoal ledger {run}" in said


def test_the_ledger_shows_each_change_with_its_effects_and_the_decision(run: Path):
    shown = shoal("ledger", run)
    assert shown.exit_code == 0
    for words in ("Begun with", "Step 1", "units that never part", "SH405", "random:", "kept", "Ended with", "Stopped:"):
        assert words in shown.stdout
    assert "equal weights never part" not in shown.stdout
    assert "equal weights never part" in " ".join(shoal("ledger", run, "--explain").stdout.split())


def test_the_ledger_as_json_is_the_records(run: Path):
    content = json.loads(shoal("ledger", run, "--json").stdout)
    record = json.loads((run / "run.json").read_text())["content"]
    assert content["ledger"] == record["ledger"]
    kept = [entry for entry in content["ledger"]["entries"] if entry["decision"] == "kept"]
    assert all(entry["loss"]["high"] < 0 for entry in kept) and kept


def test_the_winner_was_searched_for_around_what_the_loop_kept(run: Path):
    record = json.loads((run / "run.json").read_text())["content"]
    assert record["ledger"]["begin"]["initialisation"] == "zeros"
    assert record["recipe"]["initialisation"] != "zeros"


def test_an_idea_of_ones_own_joins_the_ledger_and_changes_nothing_else(run: Path):
    before = {name: (run / name).read_bytes() for name in ("run.json", "model/weights.safetensors")}
    tried = shoal("try", run, "--change", "dropout=0.9", "--seeds", "4", "--explain")
    assert tried.exit_code == 0, tried.stderr
    assert "keep_prob 0.1" in tried.stderr
    assert "random:" in tried.stdout and "it makes the dev loss worse" in " ".join(tried.stdout.split())
    shown = shoal("ledger", run).stdout
    assert "Tried by hand" in shown and "to 0.1" in shown
    assert {name: (run / name).read_bytes() for name in before} == before
    entry = json.loads(shoal("try", run, "--change", "lr=0.3", "--seeds", "2", "--quiet", "--json").stdout)
    assert entry["kind"] == "user" and entry["settings"] == {"learning_rate": 0.3}
    assert "to 0.3" in shoal("ledger", run).stdout


@pytest.mark.parametrize(
    ("options", "complaints"),
    [
        (("--change", "keep_pro=0.8"), ["'keep_pro'", "Did you mean 'keep_prob'?"]),
        (("--change", "keep_prob=1.8", "--seeds", "1"), ["keep_prob is a number", "from 2 to"]),
        (("--change", "keep_prob"), ["NAME=VALUE"]),
        (("--change", "initialisation=he", "--change", "initialisation=he"), ["twice"]),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_with_everything_that_is_wrong(run: Path, options, complaints):
    files = inside(run)
    refused = shoal("try", run, *options)
    assert refused.exit_code == 2
    for complaint in complaints:
        assert complaint in refused.stderr
    assert inside(run) == files


def test_a_change_that_changes_nothing_is_refused(run: Path):
    recipe = json.loads((run / "run.json").read_text())["content"]["recipe"]
    refused = shoal("try", run, "--change", f"beta1={recipe['beta1']}")
    assert refused.exit_code == 2 and "a change changes something" in refused.stderr


def test_data_that_has_changed_is_refused(run: Path):
    table = run.parent / "table.csv"
    original = table.read_bytes()
    table.write_bytes(original.replace(b"yes", b"yea"))
    try:
        refused = shoal("try", run, "--change", "keep_prob=0.7")
    finally:
        table.write_bytes(original)
    assert refused.exit_code == 2 and "whose content has changed" in refused.stderr


def test_what_is_no_run_is_refused(tmp_path: Path):
    for command in (("ledger", tmp_path), ("try", tmp_path, "--change", "keep_prob=0.7")):
        assert shoal(*command).exit_code == 2


def test_a_recipe_that_cannot_be_begun_with_is_refused_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "bad.toml").write_text("keep_prob = 3\n")
    refused = shoal("improve", "example:wine", "--recipe", tmp_path / "bad.toml", "--out", tmp_path / "run")
    assert refused.exit_code == 2 and "keep_prob is a number" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_from_python_the_entry_comes_back(run: Path):
    entry = package.try_change(run, {"keep_prob": 0.3}, seeds=2)
    assert entry.seeds == 2 and entry.loss.low <= entry.loss.value <= entry.loss.high
