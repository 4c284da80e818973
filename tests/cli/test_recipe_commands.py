"""The commands about recipes, and ``train``: what they write and say, and what they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import shoal as package
from shoal.cli import app
from shoal.commands import process
from shoal.recipe import Recipe
from shoal.recipe_file import read_recipe, to_toml

from .command import inside, shoal

COMMAND = Path(sys.executable).with_name("shoal")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a recipe and another in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(to_toml(Recipe((50,))))
    (tmp_path / "theirs.json").write_text('{"hidden_units": [50], "keep_prob": 0.8, "clip_norm": 1.0}')
    (tmp_path / "broken.toml").write_text("l2 = -1\nlr = 1\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_a_new_recipe_has_every_setting_in_it_explained(place: Path):
    result = shoal("recipe", "new", "new.toml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "new.toml\n", "")
    assert read_recipe(place / "new.toml") == Recipe()
    assert "# 2.4 Inverted dropout." in (place / "new.toml").read_text()


SETS = {
    "a number": ("keep_prob=0.8", Recipe(keep_prob=0.8)),
    "a number without a zero": ("keep_prob=.8", Recipe(keep_prob=0.8)),
    "a text without quotes": ("activation=relu", Recipe(activation="relu")),
    "a text in quotes": ('activation = "relu"', Recipe(activation="relu")),
    "a list": ("hidden_units=[50, 20]", Recipe((50, 20))),
    "a list without brackets": ("hidden_units=50,20", Recipe((50, 20))),
    "an empty list": ("hidden_units=[]", Recipe(())),
    "a word for a number": ("batch_size=all", Recipe(batch_size="all")),
    "what is off": ("clip_norm=none", Recipe()),
}


@pytest.mark.parametrize(("text", "recipe"), SETS.values(), ids=SETS)
def test_a_setting_is_given_as_a_shell_lets_it_be_typed(text: str, recipe: Recipe, place: Path):
    for name in ("new.toml", "new.json"):
        assert shoal("recipe", "new", name, "--set", text, "--set", "epochs=9").exit_code == 0
        assert read_recipe(place / name).diff(recipe) == {"epochs": (9, 50.0)}


def test_a_recipe_is_replaced_only_by_force(place: Path):
    before = (place / "mine.toml").read_bytes()
    result = shoal("recipe", "new", "mine.toml")
    assert result.exit_code == 2
    assert result.stderr == "error: OUT is a new file; received mine.toml, which exists. Choose another name, or replace it with --force.\n"
    assert (place / "mine.toml").read_bytes() == before
    assert shoal("recipe", "new", "mine.toml", "--force").exit_code == 0
    assert read_recipe(place / "mine.toml") == Recipe()


# the arguments, and what the message says: the requirement, the value received, the remedy
CASES = {
    "new: an ending": (["new", "new.yaml"], r"OUT ends in \.toml or \.json; received 'new\.yaml'\. Choose"),
    "new: a folder": (["new", "folder.toml", "--set", "l2=1", "--force"], r"OUT is a file; received the folder 'folder\.toml'\. Name"),
    "new: a folder that is missing": (["new", "no/new.toml"], r"OUT is in a folder that exists; received 'no'\. Make that folder"),
    "new: an unknown setting": (["new", "new.toml", "--set", "lerning_rate=1"], r"received 'lerning_rate'\. Did you mean"),
    "new: an unknown choice": (["new", "new.toml", "--set", "decay=cosin"], r"decay is one of .*; received 'cosin'\. Did you mean"),
    "new: no value": (["new", "new.toml", "--set", "l2"], r"--set has the form NAME=VALUE; received 'l2'\. Write, say"),
    "new: a setting twice": (["new", "new.toml", "--set", "l2=1", "--set", "l2=2"], r"a setting is given once; received --set l2 twice\."),
    "new: two settings in one": (["new", "new.toml", "--set", "l2=1\nl1=1"], r"l2 is a number; received the text \"1\\nl1=1\"\."),
    "check: missing": (["check", "mine.tml"], r"ends in \.toml or \.json; received 'mine\.tml'\. Did you mean 'mine\.toml'\?"),
    "check: a folder": (["check", "folder"], r"a recipe is a file; received the folder 'folder'\. Name a file\."),
    "explain: missing": (["explain", "none.toml"], r"the recipe file exists; received 'none\.toml'\."),
    "explain: against nothing": (["explain", "mine.toml", "--against", "none.json"], r"the recipe file exists; received 'none\.json'\."),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES)
def test_what_cannot_be_used_is_said_clearly_and_leaves_nothing_behind(arguments: list[str], message: str, place: Path):
    (place / "folder.toml").mkdir()
    before = inside(place)
    result = shoal("recipe", *arguments)
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr), result.stderr
    assert re.match(r"error: .+; received .+\. .+\n", result.stderr), result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert inside(place) == before


def test_all_that_is_wrong_with_a_new_recipe_is_said_at_once(place: Path):
    wrong = ["l2=-1", "lr=1", "hidden_units=64", "l2"]
    result = shoal("recipe", "new", "no/new.yaml", *(each for text in wrong for each in ("--set", text)))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 6 problems\n")
    for received in ("'no'", "'no/new.yaml'", "'l2'", "'lr'", "64", "-1"):
        assert f"received {received}. " in result.stderr


def test_a_recipe_that_can_be_used_is_said_to_be_on_one_line(place: Path):
    result = shoal("recipe", "check", "theirs.json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"theirs\.json can be used: 50 silu units; adamw .*; keep_prob 0\.8, clip_norm 1\n", result.stdout)


def test_a_recipe_that_cannot_be_used_gets_all_its_problems(place: Path):
    result = shoal("recipe", "check", "broken.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "error: 2 problems",
        "  - a recipe has known settings only; received 'lr' in broken.toml. Write learning_rate.",
        "  - l2 is a number at least 0 and below 3.40282e+38; received -1 in broken.toml. Give a value inside the range.",
    ]


def test_an_explanation_reads_well_on_80_columns(place: Path):
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["recipe", "explain", "theirs.json"], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", line)] == [
        *("Network", "Outputs and loss", "Initialisation", "Optimisation", "Learning rate", "Regularisation", "Stopping", "Calibration")
    ]
    assert sum(re.match(r"  \w+ = \S.* \d\.\d \w", line) is not None for line in lines) == len(Recipe().to_dict())
    words = " ".join(result.stdout.split())
    assert "hidden_units = [50] 5.1 What is tuned" in words
    assert "0.8: of 50 units, 10 are off on average." in words
    assert "A = A d/keep_prob" in words


def test_only_what_differs_from_another_recipe_is_explained(place: Path):
    result = shoal("recipe", "explain", "mine.toml", "--against", "theirs.json")
    assert [line.strip() for line in result.stdout.splitlines()] == [
        "mine.toml -> theirs.json",
        "clip_norm: off -> 1.0 (clipping of the gradient's norm, 3.2)",
        "1.0: a longer gradient is scaled down to norm 1",
        "keep_prob: 1.0 -> 0.8 (inverted dropout on the hidden layers, 2.4)",
        "1.0: not used",
        "0.8: of 50 units, 10 are off on average",
    ]
    assert shoal("recipe", "explain", "mine.toml", "--against", "mine.toml").stdout == "mine.toml and mine.toml are the same recipe.\n"


def test_what_is_wrong_with_two_recipes_is_said_at_once(place: Path):
    result = shoal("recipe", "explain", "broken.toml", "--against", "none.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 3 problems\n")
    assert result.stdout == ""


def test_hostile_names_and_contents_do_no_harm(place: Path):
    name = "[bold red]x[dim]\x1b[31m.toml"
    (place / name).write_text(to_toml(Recipe()))
    (place / "hostile.toml").write_text('"\x7f[bold]\\u001b[31m" = 1\nactivation = "\\u001b]0;title\\u0007[red]"\nl2 = ["\\u202e"]\n')
    for result in (
        shoal("recipe", "check", name),
        shoal("recipe", "explain", name, "--against", "mine.toml"),
        shoal("recipe", "explain", name, "--against", name),
        shoal("recipe", "check", "hostile.toml"),
    ):
        assert all(letter.isprintable() or letter == "\n" for letter in result.output), result.output
    assert "[bold red]x[dim] [31m.toml can be used" in shoal("recipe", "check", name).stdout
    (place / "hostile.toml").write_text('activation = "[red]"\n')
    assert "received '[red]' in hostile.toml." in shoal("recipe", "check", "hostile.toml").stderr


def test_recipes_do_not_wait_for_the_engine(place: Path):
    run = "app(sys.argv[1:], standalone_mode=False)"
    code = f"import sys; from shoal.cli import app; {run}; print('jax' in sys.modules, 'polars' in sys.modules)"
    for arguments in (["new", "new.toml"], ["check", "mine.toml"], ["explain", "mine.toml"]):
        result = subprocess.run([sys.executable, "-c", code, "recipe", *arguments], capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("arguments", [["recipe", "check", "broken.toml"], ["train", "example:wine"], ["check-gradients", "none.toml"]])
def test_a_process_ends_with_code_2_and_no_traceback(arguments: list[str], place: Path):
    result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()
    assert result.stdout == ""


class Passed(Exception):
    """What a command asked the package to do."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.arguments, self.keywords = arguments, keywords


def passed_on(monkeypatch: pytest.MonkeyPatch, job: str, *arguments: str) -> dict[str, Any]:
    def stop(*positional: Any, **keywords: Any) -> None:
        raise Passed(*positional, **keywords)

    monkeypatch.setattr(package, job, stop)
    with pytest.raises(Passed) as raised:
        shoal(job, *arguments)
    assert raised.value.arguments == ("data.csv",)
    return {name: value for name, value in raised.value.keywords.items() if name not in ("listener", "out")}


SHARED = [
    *("data.csv", "--target", "y", "--task", "regression", "--drop", "a", "--drop", "b", "--dev", "dev.csv", "--no-test"),
    *("--group", "g", "--time", "t", "--no-stratify", "--metric", "mae", "--target-error", "0.5", "--seed", "3", "--tensorboard", "logs"),
    *("--dev-size", "0.3", "--picture-size", "32x48"),
]


def test_improve_and_train_pass_on_the_same_options(place: Path, monkeypatch: pytest.MonkeyPatch):
    improved = passed_on(monkeypatch, "improve", *SHARED, "--budget", "9trials")
    trained = passed_on(monkeypatch, "train", *SHARED, "--recipe", "mine.toml", "--seeds", "7")
    shared = {
        "target": "y", "task": "regression", "drop": ["a", "b"], "dev": "dev.csv", "test": None, "test_size": 0, "group": "g",
        "time": "t", "stratify": False, "metric": "mae", "target_error": 0.5, "seed": 3,
        "dev_size": 0.3, "picture_size": (32, 48), "tensorboard": Path("logs"), "mlflow": None,
    }  # fmt: skip
    assert improved.pop("command") == f"shoal improve {' '.join(SHARED)} --budget 9trials"
    assert trained.pop("command") == f"shoal train {' '.join(SHARED)} --recipe mine.toml --seeds 7"
    assert not improved.pop("stop").asked
    assert improved.pop("started") == process.STARTED
    assert improved == {**shared, "budget": "9trials", "begin": None, "final": "mean"}
    assert trained == {**shared, "recipe": Recipe((50,)), "seeds": 7}


def test_several_targets_are_labels(place: Path, monkeypatch: pytest.MonkeyPatch):
    assert passed_on(monkeypatch, "improve", "data.csv", "--target", "a", "--target", "b")["target"] == ["a", "b"]
    assert passed_on(monkeypatch, "improve", "data.csv")["target"] is None


def test_a_recipe_is_trained_to_a_complete_run(place: Path):
    # of the techniques of the README's example, whose programs are in the cache then
    shoal("recipe", "new", "short.toml", "--set", "keep_prob=0.8", "--set", "weight_average=0.99", "--set", "epochs=2")
    result = shoal("train", "example:wine", "--recipe", "short.toml", "--seeds", "3", "--out", "run", "--json")
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert (content["recipe"]["weight_average"], content["recipe"]["epochs"]) == (0.99, 2)
    assert {"run.json", "report.html", "model/model.json"} < inside(place / "run")
    assert json.loads(shoal("show", "run", "--json").stdout) == content
    assert len(shoal("predict", "run", "example:wine").stdout.splitlines()) == 179


def test_all_that_is_wrong_with_a_training_is_said_at_once(place: Path):
    result = shoal("train", "example:wine", "--recipe", "broken.toml", "--sedes", "2", "--quiet", "--verbose", "--out", "run")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 4 problems\n")
    for received in ("'lr' in broken.toml", "-1 in broken.toml", "'--sedes'", "both --quiet and --verbose"):
        assert f"received {received}. " in result.stderr
    assert "an option is one of shoal train --help; received '--sedes'. Did you mean '--seeds'?" in result.stderr
    assert not (place / "run").exists()


def test_seeds_and_data_that_cannot_be_used_are_said_together(place: Path):
    result = shoal("train", "none.csv", "--recipe", "mine.toml", "--seeds", "many", "--seed", "x", "--out", "run")
    assert result.exit_code == 2
    for received in ("'many'", "'x'", "'none.csv'"):
        assert f"received {received}. " in result.stderr
    assert not (place / "run").exists()


@pytest.mark.parametrize(("verdict", "code"), [("correct", 0), ("look again", 0), ("wrong", 1)])
def test_a_gradient_check_is_shown_and_a_wrong_gradient_is_a_bug(verdict: str, code: int, place: Path, monkeypatch: pytest.MonkeyPatch):
    class Check:
        def __init__(self, recipe: Recipe) -> None:
            self.recipe, self.verdict = recipe, verdict

        def __str__(self) -> str:
            return f"{self.verdict}: [bold]{self.recipe.hidden_units}"

    monkeypatch.setattr(package, "check_gradients", Check, raising=False)
    result = shoal("check-gradients", "mine.toml")
    assert (result.exit_code, result.stdout, result.stderr) == (code, f"{verdict}: [bold](50,)\n", "")
