"""The answers on a terminal and on the page: the numbers of the record, in words that fit a screen."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from shoal.interval import Interval
from shoal.measurements.answers import (
    Answers,
    ArchitectureMap,
    BestSoFar,
    Cell,
    Edge,
    FurtherGain,
    Importance,
    Importances,
    Interaction,
    Luck,
    RunnerUp,
    SmallNetwork,
    TopShare,
    Winner,
)
from shoal.report.answer_figures import answer_figures
from shoal.report.answers import answers_text, page_values, sentences
from shoal.report.page import environment, script_json

from .example_run import HOSTILE, around

FULL = Answers(
    winner=Winner(17, 1, 0.2811, around(0.2871, 0.0012), 8, 0.0015, 5000, 4, 0.0004),
    luck=Luck(around(0.006, 0.0012), 0.301, 0.02, Interval(0.3, 0.24, 0.36), RunnerUp(40, 0.001, around(0.0005, 0.002))),
    smallest=SmallNetwork(61, (16,), 500, around(0.2873, 0.004), 0, 0.2876),
    best_so_far=BestSoFar((1, 10, 128), (around(0.4, 0.03), around(0.3, 0.01), Interval(0.2811, 0.2811, 0.285)), 3),
    gain=FurtherGain(128, Interval(0.002, 0.0003, 0.005), 0.003, 0.007),
    top=(TopShare(0.05, 0.9986, 59), TopShare(0.01, 0.7237, 299)),
    importance=Importances(
        (
            Importance("learning_rate", around(0.61, 0.2), 0.7, 1),
            Importance("units", around(0.1, 0.08), 0.12, 2),
            Importance("l2", Interval(0.0, 0.0, 0.03), 0.01, None),
        ),
        128,
        300,
        around(0.66, 0.1),
        0.75,
    ),
    interactions=(Interaction("learning_rate", "units", around(0.12, 0.05)),),
    architecture=ArchitectureMap(
        (1, 2),
        ((16, 31), (32, 64)),
        (
            Cell(1, 16, 31, 12, around(0.5, 0.02), None),
            Cell(1, 32, 64, 9, around(0.45, 0.02), 0.29),
            Cell(2, 16, 31, 1, around(0.44, 0.0), 0.2811),
            Cell(2, 32, 64, 0, None, None),
        ),
        300,
    ),
    edges=(Edge("learning_rate", "high", 4, 5, 0.01, 0.1),),
)
NOTHING = Answers(unknown={"winner": "no recipe was trained again", "importance": "3 trials are too few", "gain": "3 trials are too few"})


def printed(answers, width=100, verbose=False):
    console = Console(file=io.StringIO(), width=width)
    console.print(answers_text(answers, verbose))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def section(answers):
    """``answers.html`` between the macros of the page, as the page includes it."""
    page = environment().get_template("answers.html")
    return page.render(figures=answer_figures(answers), pairs=[], pairs_key=(), **page_values(answers))


def test_the_terminal_has_the_numbers_in_few_lines():
    lines = printed(FULL).splitlines()
    assert len(lines) <= 21 and max(map(len, lines)) <= 100
    text = " ".join(" ".join(lines).split())
    for words in (
        "0.2871 (0.2859 to 0.2883) on 8 fresh seeds; 0.2811 in the search, 1st there",
        "Being the best of 4 on these seeds makes the mean about 0.0004 too low",
        "of its lead of 0.02 over the median trial, 30 % (95 % interval 24 to 36) was luck",
        "cannot be told from it",
        "trial 61 with 16 units has 500 parameters, 10 % of the winner's",
        "one seed only",
        "256 instead of 128 would lower the search's best dev loss by about 0.002 (95 % interval 0.0003 to 0.005), 0.7 % of it",
        "61 % (41 to 81) course: 1st",
        "0 % (0 to 3) course: not ranked",
        "rank agreement with the course: +0.75",
        "learning rate and units 12 % (7 to 17)",
        "4 of the best 5 trials lie at the high end, 0.01",
        "try up to 0.1",
    ):
        assert words in text, words


def test_bars_are_as_long_as_the_shares():
    bars = [line.count("█") for line in printed(FULL).splitlines() if "·" in line]
    assert bars == [round(20 * 0.61), 2, 0]


def test_verbose_says_what_chance_holds_and_that_nothing_is_guaranteed():
    text = " ".join(printed(FULL, verbose=True).split())
    assert "one of the top 5 % with 99.9 % (95 % takes 59); one of the top 1 % with 72.4 % (95 % takes 299)" in text
    assert "neither a grid nor random search guarantees the best combination" in text
    assert "neither a grid" not in printed(FULL)


def test_what_cannot_be_told_has_its_reason():
    text = printed(NOTHING)
    assert "Winner cannot tell: no recipe was trained again" in " ".join(text.split())
    assert "What mattered cannot tell: 3 trials are too few" in " ".join(text.split())
    assert "Twice the trials" not in text and "Twice the trials" in printed(NOTHING, verbose=True)


def test_luck_that_was_none_is_said():
    assert FULL.luck is not None
    lucky = replace(FULL, luck=replace(FULL.luck, size=around(-0.002, 0.001), share=None))
    assert sentences(lucky)["luck"].startswith("none: on fresh seeds its dev loss is 0.002 lower than in the search")


def test_the_section_holds_every_number_of_the_pictures():
    text = section(FULL)
    for words in ("0.2871", "61 % (41 to 81)", "70 %", "16 to 31 units", "no trials", "none trained in full", "best 0.2811", "1 trial<"):
        assert words in text, words
    assert text.count('class="plot"') == 3
    assert "What cannot be told" not in text


def test_a_section_without_numbers_has_reasons_and_no_picture():
    text = section(NOTHING)
    assert "What cannot be told (3)" in text and "no recipe was trained again" in text
    assert 'class="plot"' not in text


def test_names_of_the_users_are_text_only():
    importance = replace(FULL.importance, parameters=(Importance(HOSTILE, around(0.5, 0.1), 0.5, None),))  # type: ignore[type-var]
    hostile = replace(FULL, importance=importance, edges=(Edge(HOSTILE, "low", 3, 5, 0.1, 0.01),), unknown={HOSTILE: HOSTILE})
    assert "<script>" not in section(hostile) and "<img" not in section(hostile)
    figure = answer_figures(hostile)["importance"]
    assert all("<" not in name for name in figure.data[0]["y"])
    assert "\u2028" not in printed(hostile)


@pytest.mark.parametrize("name", ["best-so-far", "importance", "architecture"])
def test_a_picture_is_finite_json_with_words_beside_it(name):
    figure = answer_figures(FULL)[name]
    assert script_json({"data": figure.data, "layout": figure.layout})
    assert figure.alternative.endswith(".") and figure.height > 100


def test_the_diamond_lies_where_twice_the_trials_are_expected():
    figure = answer_figures(FULL)["best-so-far"]
    diamond = figure.data[2]
    assert diamond["x"] == [256] and diamond["y"] == [pytest.approx(0.2811 - 0.002)]
    assert diamond["error_y"]["array"] == [pytest.approx(0.0017)] and diamond["error_y"]["arrayminus"] == [pytest.approx(0.003)]


def test_a_better_cell_is_darker_and_an_empty_one_blank():
    shades = [shape["opacity"] for shape in answer_figures(FULL)["architecture"].layout["shapes"]]
    assert shades[0] < shades[1] < shades[2] and shades[3] == 0
    assert all(math.isfinite(shade) for shade in shades)
