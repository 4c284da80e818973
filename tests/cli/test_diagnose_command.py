"""``shoal diagnose``: of a run and of an estimator on a table, on one screen; and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from shoal.commands.diagnose import named_estimator
from shoal.records import Diagnosis, Finding
from shoal.report.diagnosis_text import FINDINGS_SHOWN, rest_line
from shoal.saved_run import read_record

from .command import inside, shoal

TREE = "sklearn:tree.DecisionTreeClassifier"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a category, a table of numbers, and a finished run."""
    folder = tmp_path_factory.mktemp("shared")
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=600).round(4), rng.choice(["red", "green", "blue"], 600)
    kind = np.where(size + (colour == "red") + 0.3 * rng.normal(size=600) > 0.3, "yes", "no")
    pl.DataFrame({"size": size, "colour": colour, "kind": kind}).write_csv(folder / "table.csv")
    (folder / "recipe.toml").write_text("hidden_units = [8]\nepochs = 5\n")
    given = ("--target", "kind", "--recipe", folder / "recipe.toml", "--seeds", "2")
    result = shoal("train", folder / "table.csv", *given, "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def place(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, beside the shared one."""
    monkeypatch.chdir(tmp_path)
    return shared


def tree(place: Path, *further: object):
    return shoal("diagnose", place / "table.csv", "--target", "kind", "--model", TREE, "--no-curve", "--seeds", "2", *further)


def test_a_run_is_told_in_one_verdict_and_one_next_step(place: Path):
    before = inside(place)
    result = shoal("diagnose", place / "run")
    record = read_record(place / "run")
    assert result.exit_code == 0, result.stderr
    words = " ".join(result.stdout.split())
    assert words.startswith(record.verdict.title.capitalize())
    assert words.count("Next step") == 1
    assert " ".join(record.next_step.split()) in words
    assert re.search(r"checks? found nothing: --all lists them\.", words)
    assert result.stderr == ""
    assert inside(place) == before


def test_an_estimator_is_fitted_and_told(place: Path):
    result = tree(place)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("High variance  DecisionTreeClassifier()")
    assert "Next step  " in result.stdout
    assert re.search(r"high +SH102  High variance  at most [\d.]+ points to gain", result.stdout)
    assert "docs: findings/SH102" in result.stdout
    assert "fitting  DecisionTreeClassifier from 2 random state(s)" in result.stderr
    assert inside(Path.cwd()) == set()


def test_no_more_findings_are_shown_than_a_person_reads(place: Path):
    short, long = tree(place).stdout, tree(place, "--all").stdout
    assert len(re.findall(r"^(?:high|medium|low|note) +SH\d", short, re.M)) <= FINDINGS_SHOWN
    for title in ("Does not apply", "Nothing found"):
        assert title in long
        assert title not in short
    assert len(set(re.findall(r"SH\d{3}", long))) > len(set(re.findall(r"SH\d{3}", short)))


def test_the_last_line_counts_what_is_not_shown(place: Path):
    diagnosis = json.loads(tree(place, "--json").stdout)
    counts = [each["outcome"] for each in diagnosis["findings"]].count("cannot tell"), len(diagnosis["healthy"])
    line = tree(place).stdout.strip().splitlines()[-1]
    assert f"{counts[1]} check" in line
    assert (f"{counts[0]} thing" in line) == (counts[0] > 0)


def test_findings_beyond_the_first_five_are_counted():
    some = tuple(Finding(f"SH10{i}", "", "low", "", "", {}, "cannot tell") for i in range(2))
    fields = dict.fromkeys(Diagnosis.__dataclass_fields__)
    diagnosis = Diagnosis(**{**fields, "findings": some, "healthy": {"SH101": "High bias"}})  # type: ignore[arg-type]
    assert rest_line(diagnosis) == "2 things cannot be told yet, 1 check found nothing: --all lists them."
    assert rest_line(diagnosis, 3).startswith("3 further findings, 2 things")


def test_the_json_object_is_the_whole_diagnosis(place: Path):
    result = tree(place, "--json", "--quiet")
    content = json.loads(result.stdout)
    assert result.stderr == ""
    assert content.keys() == Diagnosis.__dataclass_fields__.keys()
    assert content["scores"]["train"]["value"] == 0
    assert {"code", "title", "severity", "text", "advice", "evidence", "outcome", "gain"} == content["findings"][0].keys()
    run = json.loads(shoal("diagnose", place / "run", "--json").stdout)
    assert run["subject"] == "the model of the run run"


def test_parameters_and_data_options_reach_the_estimator_and_the_split(place: Path):
    pruned = json.loads(tree(place, "--set", "max_depth=1", "--set", "random_state=none", "--drop", "colour", "--json").stdout)
    assert pruned["subject"] == "DecisionTreeClassifier(max_depth=1)"
    assert pruned["scores"]["train"]["value"] > 0.1
    assert "test" not in pruned["rows"]
    assert "test" in json.loads(tree(place, "--open-test", "--json").stdout)["rows"]
    assert json.loads(tree(place, "--metric", "auc", "--json").stdout)["metric"] == "auc"


NAMED = {
    "an integer": ("max_depth=3", {"max_depth": 3}),
    "nothing": ("max_depth=None", {"max_depth": None}),
    "a text": ("criterion=entropy", {"criterion": "entropy"}),
    "a number": ("ccp_alpha=.5", {"ccp_alpha": 0.5}),
}


@pytest.mark.parametrize(("typed", "parameters"), NAMED.values(), ids=NAMED)
def test_a_parameter_is_given_as_a_shell_lets_it_be_typed(typed: str, parameters: dict, place: Path):
    subject = json.loads(tree(place, "--set", typed, "--json").stdout)["subject"]
    assert subject == repr(DecisionTreeClassifier(**parameters))


def test_a_class_of_another_package_is_named_by_its_module():
    problems: list = []
    assert isinstance(named_estimator("sklearn.linear_model:Ridge", {}, problems), Ridge)
    assert type(named_estimator("shoal:ShoalClassifier", {"budget": "4trials"}, problems)).__name__ == "ShoalClassifier"
    assert problems == []


# the arguments after the table and its target, and one part of each message
REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "no model": ([], ["a table is diagnosed together with a model; received"]),
    "a form": (["--model", "forest"], ["--model has the form sklearn:module.Class or module:Class; received 'forest'"]),
    "no name at all": (["--model", "sklearn:"], ["--model has the form"]),
    "a misspelt class": (["--model", "sklearn:tree.DecisionTreeClasifier"], ["Did you mean 'sklearn:tree.DecisionTreeClassifier'?"]),
    "a class without its module": (["--model", "sklearn:Ridge"], ["Did you mean 'sklearn:linear_model.Ridge'?"]),
    "a misspelt module": (["--model", "sklearn:ensembel.RandomForestClassifier"], ["'sklearn:ensemble.RandomForestClassifier'?"]),
    "a package that is not there": (["--model", "no_such_package:Model"], ["received 'no_such_package:Model', which there is not"]),
    "no estimator": (["--model", "sklearn:preprocessing.StandardScaler"], ["a classifier or regressor; received"]),
    "a function": (["--model", "os:getcwd"], ["a classifier or regressor; received 'os:getcwd', which is none"]),
    "a model of models": (["--model", "sklearn:ensemble.VotingClassifier"], ["can be made without arguments"]),
    "a regressor of classes": (["--model", "sklearn:linear_model.Ridge"], ["asks for a classifier; received Ridge, a regressor"]),
    "a misspelt parameter": (["--model", TREE, "--set", "max_dept=3"], ["received 'max_dept'. Did you mean 'max_depth'?"]),
    "values": (
        ["--model", TREE, "--set", "max_depth=-1", "--set", "criterion=x", "--set", "splitter"],
        ["max_depth is a value that", "criterion is a value that", "--set has the form NAME=VALUE"],
    ),
    "a column": (["--model", TREE, "--group", "shop"], ["received 'shop'"]),
    "two tests": (["--model", TREE, "--no-test", "--open-test"], ["the test rows are given, split off or done without"]),
    "two targets": (["--model", TREE, "--target", "size"], ["on one target; received 'kind', 'size'"]),
    "everything": (
        ["--model", "sklearn:tree.Tre", "--set", "x", "--nonsense", "--target", "size"],
        ["--model names a class", "--set has the form", "received '--nonsense'", "on one target"],
    ),
}


@pytest.mark.parametrize(("further", "parts"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_said_at_once_without_a_traceback(further: list[str], parts: list[str], place: Path):
    result = shoal("diagnose", place / "table.csv", "--target", "kind", *further)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr
    if len(parts) > 1:
        assert f"error: {len(parts)} problems" in result.stderr
    assert inside(Path.cwd()) == set()


@pytest.mark.parametrize("further", [["--model", TREE], ["--target", "kind"], ["--seeds", "3", "--no-curve", "--metric", "auc"]])
def test_a_run_is_diagnosed_as_it_is(further: list[str], place: Path):
    result = shoal("diagnose", place / "run", *further)
    assert result.exit_code == 2
    assert "a run is diagnosed as it is; received" in result.stderr
    assert all(option in result.stderr for option in further if option.startswith("--"))


def test_what_is_neither_a_run_nor_a_table_is_refused(place: Path):
    for given in (place, place / "nowhere"):
        result = shoal("diagnose", given)
        assert result.exit_code == 2
        assert "RUN is the folder of a run" in result.stderr


def test_help_and_refusals_do_not_wait_for_the_engine(place: Path):
    code = f"import sys; sys.argv = ['shoal', 'diagnose', {str(place / 'table.csv')!r}]\ntry:\n import shoal.cli; shoal.cli.app()\n"
    code += "except SystemExit as end:\n print(end.code, [name for name in ('jax', 'sklearn') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "2 []"


def test_a_name_from_the_data_cannot_steer_the_terminal(place: Path):
    pl.read_csv(place / "table.csv").rename({"kind": "k\x1b[31mind"}).write_csv("steered.csv")
    result = shoal("diagnose", "steered.csv", "--target", "k\x1b[31mind", "--model", TREE, "--no-curve", "--seeds", "1", "--all")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout + result.stderr
