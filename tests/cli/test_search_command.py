"""``shoal search``, ``shoal plan`` and ``shoal space``, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
import pytest

import shoal as package
from shoal.parameters import Range
from shoal.run_folder import RunFolder

from .command import inside, shoal

SPACE = """
[base]
hidden_units = [8]
epochs = 6

[learning_rate]
low = 0.001
high = 0.1
scale = "log"

[keep_prob]
low = 0.6
high = 1.0
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a space, and a search of them."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300)).round(3)
    pl.DataFrame({"a": a, "b": b, "y": np.where(a * b > 0, "yes", "no")}).write_csv(folder / "table.csv")
    (folder / "space.toml").write_text(SPACE)
    searched = shoal(
        *(
            "search",
            folder / "table.csv",
            "--target",
            "y",
            "--space",
            folder / "space.toml",
            "--budget",
            "24trials",
            "--out",
            folder / "run",
        ),
        *("--compare-samplers", "--checkpoint", "off", "--verbose"),
    )
    assert searched.exit_code == 0, searched.stderr
    (folder / "screen.txt").write_text(searched.stdout)
    return folder


def test_a_search_ends_with_what_it_has_taught(place: Path):
    screen = (place / "screen.txt").read_text()
    for words in ("Winner", "fresh seeds", "What mattered", "Twice the trials", "Held by chance"):
        assert words in screen
    assert {"run.json", "report.html", "study.db", "model", "plan.json"} <= inside(place / "run")
    record = RunFolder.open(place / "run").run()
    assert [trial.purpose for trial in record.trials].count("search") == 24
    assert all(0.001 <= trial.recipe.learning_rate <= 0.1 and trial.recipe.hidden_units == (8,) for trial in record.trials)


def test_samplers_are_compared_where_that_is_asked_for(place: Path):
    answers = RunFolder.open(place / "run").run().answers
    assert answers is not None and answers.samplers is not None
    compared = answers.samplers
    assert [each.name for each in compared.samplers] == ["grid", "random", "sobol"]
    grid, random, sobol = compared.samplers
    assert grid.values == 5.5 and random.values == sobol.values == 32  # the grid is 6 x 5; every random number is another one
    assert (grid.trials, random.trials, sobol.trials) == (30, 32, 32)
    assert random.ahead is None
    for each in (grid, sobol):
        assert each.ahead is not None
        assert each.ahead.value == pytest.approx(random.best.value - each.best.value)
        assert each.ahead.low <= each.ahead.value <= each.ahead.high
    assert "Quasi-random" in (place / "screen.txt").read_text()
    assert "Quasi-random" in (place / "run" / "report.html").read_text()


def test_without_checkpoints_nothing_is_kept_for_resuming(place: Path):
    assert not (place / "run" / "trials").exists() or not (place / "run" / "trials").read_bytes()


def test_its_study_opens_in_optuna(place: Path):
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{place / 'run' / 'study.db'}")
    assert len(study.trials) >= 24
    assert {"learning_rate", "keep_prob"} == set(study.best_trial.params)


def test_a_search_goes_on_from_an_earlier_one(place: Path, tmp_path: Path):
    options = ("--space", place / "space.toml", "--budget", "8trials", "--continue-from", place / "run", "--sampler", "random")
    again = shoal("search", place / "table.csv", "--target", "y", *options, "--out", tmp_path / "again", "--quiet")
    assert again.exit_code == 0, again.stderr
    earlier = {trial.recipe for trial in RunFolder.open(place / "run").run().trials}
    assert sum(trial.recipe in earlier for trial in RunFolder.open(tmp_path / "again").run().trials if trial.purpose == "search") == 2


def test_a_plan_says_what_a_budget_buys_and_trains_nothing_on(place: Path):
    options = ("--space", place / "space.toml")
    told = shoal("plan", place / "table.csv", "--target", "y", *options, "--budget", "24trials", "--json")
    assert told.exit_code == 0, told.stderr
    plan: dict[str, Any] = json.loads(told.stdout)
    assert plan["trials"] == 24
    assert plan["rungs"] == list(RunFolder.open(place / "run").run().plan.rungs)
    assert "24 trials" in shoal("plan", place / "table.csv", "--target", "y", *options, "--budget", "24trials").stdout


def test_a_plan_for_a_time_measures_the_machine(place: Path):
    told = shoal("plan", place / "table.csv", "--target", "y", "--space", place / "space.toml", "--budget", "20s", "--json")
    assert told.exit_code == 0, told.stderr
    plan: dict[str, Any] = json.loads(told.stdout)
    assert plan["shoals"][0]["step_seconds"] > 0
    assert 0 < sum(plan["rung_seconds"]) < 20


def test_a_new_space_is_read_as_what_the_search_would_draw_from(place: Path, tmp_path: Path):
    written = shoal("space", "new", tmp_path / "own.toml", place / "table.csv", "--target", "y")
    assert written.exit_code == 0, written.stderr
    assert package.read_space(tmp_path / "own.toml").parameters == package.default_space_of(place / "table.csv", target="y").parameters
    shown = shoal("space", "show", tmp_path / "own.toml")
    assert "learning_rate" in shown.stdout and "log" in shown.stdout


def test_a_space_is_shown_with_every_range(place: Path):
    assert json.loads(shoal("space", "show", place / "space.toml", "--json").stdout)["learning_rate"]["low"] == 0.001
    [rate, keep] = package.read_space(place / "space.toml").parameters
    assert isinstance(rate, Range) and isinstance(keep, Range) and (rate.low, rate.high, keep.low) == (0.001, 0.1, 0.6)


BAD = {
    "all at once": (["--sampler", "sobl", "--rungs", "asnc", "--final", "meen", "--checkpoint", "often", "--budget", "soon"], 5),
    "a space that is not there": (["--space", "spaces.toml"], 1),
    "a storage that is none": (["--storage", "nonsense"], 1),
    "a run to continue from that is not there": (["--continue-from", "rune"], 1),
    "trials as a checkpoint": (["--checkpoint", "8trials"], 1),
}


@pytest.mark.parametrize(("options", "problems"), BAD.values(), ids=BAD)
def test_what_cannot_be_searched_is_said_at_once_and_leaves_nothing(
    options: list[str], problems: int, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    told = shoal("search", place / "table.csv", "--target", "y", "--out", tmp_path / "out", *options)
    assert told.exit_code == 2
    assert told.stderr.count("; received ") == problems, told.stderr
    assert "Traceback" not in told.stderr
    assert not inside(tmp_path)


def test_a_space_with_mistakes_names_them_all(tmp_path: Path):
    (tmp_path / "bad.toml").write_text(SPACE.replace("low = 0.001", "low = 1.0").replace("keep_prob", "keep_probe"))
    told = shoal("space", "show", tmp_path / "bad.toml")
    assert told.exit_code == 2
    assert "learning_rate" in told.stderr and "Did you mean 'keep_prob'?" in told.stderr


def test_a_space_is_not_written_over_another_file(place: Path, tmp_path: Path):
    (tmp_path / "kept.toml").write_text("mine")
    for out in ("kept.toml", "space.txt"):
        assert shoal("space", "new", tmp_path / out, place / "table.csv", "--target", "y").exit_code == 2
    assert (tmp_path / "kept.toml").read_text() == "mine" and inside(tmp_path) == {"kept.toml"}
