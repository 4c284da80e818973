"""Runs beside each other on a page, a terminal and as JSON: the numbers of the records, and what cannot be compared is said."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from shoal.interval import Interval
from shoal.measurements.comparison import Difference, Paired
from shoal.report import comparison_json, comparison_page, comparison_text, write_comparison

from .example_run import HOSTILE, classification, hostile
from .test_html import Page

FIRST = classification(12)
OTHER = replace(classification(20), name="other", recipe=replace(FIRST.recipe, keep_prob=0.5, learning_rate=0.02))
THIRD = replace(classification(6), name="third", fingerprint="other", stopped="Stopped after 6 of 12 trials were begun.")
RUNS = (FIRST, OTHER, THIRD)
PAIRED = Paired("test", (Difference(1, Interval(-0.021, -0.032, -0.011), 9769, ""), Difference(2, None, 0, "the data is not the same")))


def texts(page: str) -> str:
    return " ".join(" ".join(Page(page).texts).split())


def test_the_page_has_every_score_difference_and_differing_setting():
    said = texts(comparison_page(RUNS, PAIRED))
    for words in ("86.9 %", "87.2 %", "-2.1 points (-3.2 to -1.1) better", "Cannot be paired: the data is not the same.", "stopped early"):
        assert words in said, words
    for words in ("keep_prob", "learning_rate", "0.02", "third", "no longer scored honestly", "retrain", FIRST.next_step, FIRST.command):
        assert words in said, words
    assert "Optimistic" not in said and "Optimistic" in texts(comparison_page(RUNS, replace(PAIRED, part="dev")))


def test_the_pictures_hold_the_numbers_of_the_records():
    drawn = json.loads(Page(comparison_page(RUNS, PAIRED)).scripts["figures"])
    assert drawn["scores"]["data"][0]["x"] == pytest.approx([86.94] * 3)
    curves = drawn["curves"]["data"]
    assert len({curve["line"]["color"] for curve in curves}) == 2  # the second run's recipe was not trained: it has no curve
    assert max(curves[0]["x"]) == pytest.approx(54.0)  # 13,500 steps of 250 to the epoch


def test_the_terminal_and_json_say_the_same():
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison_text(RUNS, PAIRED))
    shown = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    for words in ("-2.1 points", "not paired", "3 cannot be paired with 1: the data is not the same.", "keep_prob"):
        assert words in shown, words
    said = comparison_json(RUNS, PAIRED, [Path("a"), Path("b"), Path("c")])
    assert json.loads(json.dumps(said))["part"] == "test"
    assert said["differences_of_error_to_the_first"][0]["error"] == {"value": -0.021, "low": -0.032, "high": -0.011}
    assert set(said["recipe_differences"]["keep_prob"]) == {"a", "b", "c"} and said["runs"][2]["stopped"].startswith("Stopped")


def test_strings_of_the_users_stay_text():
    page = Page(comparison_page((hostile(), hostile()), replace(PAIRED, differences=(Difference(1, None, 0, HOSTILE),))))
    assert not [tag for tag, _ in page.tags if tag == "img"] and [tag for tag, _ in page.tags].count("script") == 4
    assert len([text for text in page.texts if HOSTILE in text]) >= 8


def test_ten_runs_are_one_small_file(tmp_path):
    runs = tuple(replace(FIRST, name=f"run {place}") for place in range(10))
    write_comparison(runs, replace(PAIRED, differences=()), tmp_path / "compare.html")
    assert (tmp_path / "compare.html").stat().st_size < 3_000_000
    drawn = json.loads(Page((tmp_path / "compare.html").read_text()).scripts["figures"])
    assert len({(curve["line"]["color"], curve["line"].get("dash")) for curve in drawn["curves"]["data"]}) == 10
