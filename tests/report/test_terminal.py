"""The end screen says what the record says, within 80 columns and 40 lines."""

import html
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from shoal.interval import Interval
from shoal.measurements.ensemble import ShapesTogether
from shoal.progress import Event
from shoal.records import Ledger, Plan, ShoalPlan
from shoal.report import Progress, as_json, plan_text, report_page, run_html, show_text, summary

from .example_run import HOSTILE, classification, hostile, regression

FOLDER = Path("runs/2026-11-22-adult")
RUNS = {"classification": classification(), "regression": regression(), "no test": classification(test=False)}


def printed(renderable, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, height=40)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize(
    "run", [classification(), regression(), classification(test=False)], ids=["classification", "regression", "no test"]
)
def test_end_screen_fits(run):
    lines = printed(summary(run, FOLDER)).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_end_screen_holds_the_numbers():
    run = classification()
    text = " ".join(printed(summary(run, FOLDER)).split())
    for words in (
        "High variance",
        "target error at most 5 % estimated",
        run.next_step,
        "87.2 % (86.5 to 87.9) 86.9 % (86.3 to 87.6)",
        "gradient boosting 87.5 % (86.8 to 88.1) 87.3 % (86.6 to 88.0)",
        "linear 85.1 % (84.4 to 85.9) 85.0 % (84.3 to 85.7)",
        "trivial 75.9 % (75.1 to 76.8) 76.4 % (75.5 to 77.2)",
        "variance +5.7 points (+5.0 to +6.4) high",
        "V-101",
        "best of 40 trials, retrained on 5 fresh seeds; 2 min 11 s, 2 programs compiled",
        "runs/2026-11-22-adult/report.html",
        f"batches of {run.recipe.batch_size}",
    ):
        assert words in text, words
    assert "education" not in text


def test_a_budget_without_room_for_the_recipe_loop_says_what_has_room():
    run = classification()
    begin = run.recipe
    without = replace(run, ledger=Ledger(begin, begin, (), "the budget has no room for a change", 1, {}), seconds=14.0)
    said = "A budget of 2m has no room for the recipe loop (one change at a time, kept if it provably helps): --budget 2m has."
    assert said in " ".join(printed(summary(without, FOLDER)).split())
    assert "a larger --budget has." in " ".join(printed(summary(replace(without, seconds=119.0), FOLDER)).split())
    for other in (run, replace(run, ledger=None), replace(without, stopped="Stopped after 3 of 9 trials.")):
        assert "has no room" not in printed(summary(other, FOLDER))


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            True,
            "The mean of 24 networks of 3 shapes: its dev log loss minus that of the best shape's 8 alone is -0.0036 (-0.0111 to +0.0026).",
        ),
        (
            False,
            "The mean of the best shape's 8 networks: the dev log loss of all 24 of 3 shapes minus theirs is -0.0036 (-0.0111 to +0.0026).",
        ),
    ],
)
def test_a_model_of_several_shapes_says_what_they_bring(taken, said):
    together = ShapesTogether("log_loss", 3, 24, 8, Interval(-0.0036, -0.0111, 0.0026), taken)
    run = replace(classification(), together=together)
    assert said in " ".join(printed(summary(run, FOLDER)).split())
    assert said in html.unescape(" ".join(report_page(run).split())) and said in html.unescape(run_html(run))
    assert "of 3 shapes" not in printed(summary(classification(), FOLDER))


def test_without_test_rows_dev_is_called_optimistic():
    text = printed(summary(classification(test=False), FOLDER))
    assert "dev (optimistic)" in text and "used once" not in text


def test_verbose_adds_columns_and_the_split():
    run = classification()
    text = " ".join(printed(show_text(run, FOLDER, verbose=True), 200).split())
    assert all(column.name in text and column.reason in text for column in run.columns)
    assert run.split.reason in text and "train 28,305" in text


def test_markup_and_control_characters_of_the_user_are_only_text():
    run = hostile()
    evil = "\x1b[2J[bold red]x[/]\r"
    text = printed(summary(replace(run, notes=(evil, HOSTILE)), FOLDER))
    assert "\x1b" not in text and "\r" not in text and "[bold red]x[/]" in text


@pytest.mark.parametrize(
    "run", [classification(), regression(), classification(test=False)], ids=["classification", "regression", "no test"]
)
def test_json_object_is_complete(run):
    said = json.loads(json.dumps(as_json(run, FOLDER), allow_nan=False))
    assert said["run"] == str(FOLDER) and said["task"] == run.task and said["metric"] == run.metric
    for part in ("train", "dev", "test"):
        interval = run.scores.get(part, {}).get(run.metric)
        assert said[part] == (interval and {"value": interval.value, "low": interval.low, "high": interval.high})
    assert [baseline["name"] for baseline in said["baselines"]] == ["trivial", "linear", "gradient boosting"]
    assert said["verdict"]["title"] == "high variance" and said["next_step"] == run.next_step
    assert said["findings"][0] == {"code": "V-101", "title": "Train and dev error part early", "severity": "high"}
    assert len(said["findings"]) == 3
    assert said["recipe"]["learning_rate"] == run.recipe.learning_rate
    assert (said["trials"], said["seconds"], said["compilations"]) == (40, 131.4, 2)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_at_each_stage_and_every_two_seconds():
    clock, file = Clock(), io.StringIO()
    with Progress(console=Console(file=file, width=80), clock=clock) as progress:
        progress(Event("read", "adult[bold].csv"))
        for done in range(50):
            progress(Event("search", rung=1, rungs=4, alive=20, done=done, trials=64, best=0.31234, metric="log_loss", seconds_left=61.0))
            clock.now += 0.1
    lines = file.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("read  adult[bold].csv")
    assert lines[1] == "[0.0 s]  search  rung 2 of 4  20 alive  0 of 64 done  best dev log loss 0.3123  about 1 min 01 s left"


def test_quiet_says_nothing():
    file = io.StringIO()
    with Progress(quiet=True, console=Console(file=file, force_terminal=True)) as progress:
        progress(Event("search", done=1, trials=2))
    assert file.getvalue() == ""


def test_live_display_shows_the_state_and_cleans_up():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=40)
    with Progress(console=console) as progress:
        progress(
            Event(
                "search", "shoal 2 of 3", rung=1, rungs=4, alive=20, done=32, trials=64, best=0.31234, metric="log_loss", seconds_left=30.0
            )
        )
        shown = printed(progress._display())
    assert all(words in shown for words in ("search", "32 of 64", "rung 2 of 4", "20 alive", "best dev log loss 0.3123", "about 30 s left"))
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b[?25h" in file.getvalue()


def test_progress_goes_to_standard_error(capsys):
    with Progress() as progress:
        progress(Event("read", "adult.csv"))
    out, err = capsys.readouterr()
    assert out == "" and "adult.csv" in err


SHAPES = tuple(
    ShoalPlan(3, 128, "silu", "none", 128, 8, 8, 0.001, (500, 4000), 1.2, numeric_encoding=each) for each in ("piecewise", "periodic")
)
PLANS = {
    "trials": Plan("30s", SHAPES, (500, 4000), 16, 8, "why", "sobol", "async", (1.0, 2.0, 4.0)),
    "first recipes": Plan("10s", SHAPES, (500, 4000), 16, 8, "why", "sobol", "async", (1.0, 0.0, 3.5), first_recipes=True),
    "one recipe": Plan("5s", SHAPES[:1], (4000,), 1, 8, "why", "sobol", "async", (0.0, 4.0)),
}
SAID = {
    "trials": ("16 trials drawn by sobol, rungs: async", "7.0 s: rung 1: 1.0 s, rung 2: 2.0 s, retraining: 4.0 s"),
    "first recipes": (
        "first recipes of 2 shapes are compared (caviar), each on 8 seeds",
        "4.5 s: comparing: 1.0 s, the best to its end: 3.5 s",
    ),
    "one recipe": ("one recipe on 8 seeds, watched over (panda)", "4.0 s: training: 4.0 s"),
}


@pytest.mark.parametrize("kind", PLANS)
def test_a_plan_says_what_is_trained_in_which_shapes_and_what_the_time_goes_to(kind):
    said = printed(plan_text(PLANS[kind]), width=200)
    assert all(each in said for each in SAID[kind]), said
    assert said.count("drawn by") == (kind == "trials")
    assert all(f"3 x 128 silu, {shape.numeric_encoding} encoding, batch 128" in said for shape in PLANS[kind].shoals)
