"""The report is one small, offline, atomically written file in which no string of the user's is anything but text."""

import json
import os
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from shoal.errors import RunFolderError
from shoal.recipe import Recipe
from shoal.report import prepare_report, report_page, write_report
from shoal.report.figures import figures
from shoal.report.page import environment, script_json

from .example_run import HOSTILE, classification, hostile, regression


class Page(HTMLParser):
    """The elements, attributes and texts of a page, as a browser's parser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id") or "code"

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is None:
            self.texts.append(data)
        else:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def test_report_of_256_trials_is_under_3_mb(tmp_path):
    write_report(classification(256, points=400), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_nothing_is_left_beside_the_report(tmp_path):
    path = tmp_path / "report.html"
    write_report(classification(4), path)
    write_report(regression(), path)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert "kc_house.csv" in path.read_text(encoding="utf-8")


def test_failed_write_keeps_the_old_report_and_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="No space left on device"):
        write_report(classification(4), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_missing_folder_is_an_error_of_the_run_folder(tmp_path):
    with pytest.raises(RunFolderError, match="Choose another folder"):
        write_report(classification(4), tmp_path / "nowhere" / "report.html")


def test_same_record_gives_the_same_file():
    assert report_page(classification(8)) == report_page(classification(8))


def test_hostile_strings_stay_text():
    page = Page(report_page(hostile()))
    friendly = Page(report_page(classification(12)))
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in friendly.tags].count("script")
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    shown = [text for text in page.texts if HOSTILE in text]
    # name, source, target, columns, notes, findings, reasons, versions, machine: each is shown whole
    assert len(shown) >= 20


def test_hostile_json_cannot_end_its_script_element():
    text = str(script_json({"a": HOSTILE + "\u2029"}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": HOSTILE + "\u2029"}


def test_no_address_outside_the_file_is_used():
    for _, attributes in Page(report_page(classification(4))).tags:
        for name in ("src", "href", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))


@pytest.mark.parametrize("run", [classification(), regression()], ids=["classification", "regression"])
def test_page_shows_the_numbers_of_the_record(run):
    page = Page(report_page(run))
    text = " ".join(" ".join(page.texts).split())
    expected = {
        "classification": [
            "86.9 %",
            "86.3 to 87.6 %",
            "76.4 % (75.5 to 77.2)",
            "+5.7 points (+5.0 to +6.4)",
            "24 % are >50K",
            "28,305 rows",
        ],
        "regression": ["124,900", "115,788 to 134,012", "371,000 (349,000 to 393,000)", "+20,000 (+10,400 to +29,600)", "96,000"],
    }[run.task]
    for words in [*expected, run.next_step, run.verdict.text, run.fingerprint, str(run.seed), run.command, "2 min 11 s"]:
        assert words in text, words
    for trial in run.trials:
        assert trial.score is None or f"{trial.score:#.4g}" in text


def test_where_nothing_was_searched_the_page_says_so_instead_of_an_empty_table():
    run = classification(4)
    alone = replace(run, trials=tuple(trial for trial in run.trials if trial.purpose == "retrain"))
    for each, is_searched in ((run, True), (alone, False)):
        page = Page(report_page(each))
        text = " ".join(" ".join(page.texts).split())
        assert ("says why" in text) != is_searched and ("Every thin line is a trial" in text) == is_searched
        assert any(attributes.get("id") == "trials" for _, attributes in page.tags) == is_searched


def test_pictures_hold_the_numbers_of_the_record():
    run = classification(20)
    drawn = json.loads(Page(report_page(run)).scripts["figures"])
    (scores,) = drawn["scores"]["data"]
    test = run.scores["test"]["accuracy"]
    assert scores["x"][0] == pytest.approx(100 * test.value, rel=1e-4)
    assert scores["error_x"]["array"][0] == pytest.approx(100 * (test.high - test.value), rel=1e-4)
    assert len(drawn["budget"]["data"]) == 3 * len(run.verdict.gaps) + 1
    budget = drawn["budget"]["data"][-1]["x"]
    assert budget == pytest.approx([100 * v for v in (0.05, 0.0688, 0.1257, 0.1281, 0.1306)], rel=1e-4)
    # the target was not stated, so it may lie anywhere below; the bias is drawn from the train error down
    assert drawn["budget"]["data"][-1]["error_x"]["arrayminus"][0] == pytest.approx(5.0)
    assert drawn["budget"]["data"][1]["x"] == pytest.approx([6.88 - 1.35, 6.88 - 7.19], abs=1e-3)
    assert "avoidable bias +1.4 to +7.2" in drawn["budget"]["layout"]["yaxis"]["ticktext"]
    # one line a trial, one more for the train loss of each of the 5 retrainings, the stars, and where curves diverged
    assert len(drawn["curves"]["data"]) == 20 + 2 * 5 + 1 + 1
    ends = drawn["curves"]["data"][-1]["x"]
    assert len(ends) == sum(trial.status == "diverged" for trial in run.trials) > 0
    assert [shape["x0"] for shape in drawn["curves"]["layout"]["shapes"]] == list(run.plan.rungs)


def test_without_test_rows_the_dev_score_is_called_optimistic():
    text = " ".join(Page(report_page(classification(6, test=False))).texts)
    assert "Optimistic:" in text and "87.2 %" in text and "used once" not in text


def test_recipe_can_be_copied():
    run = classification(6)
    text = "".join(Page(report_page(run)).texts)
    start = text.index('{\n  "hidden_units"')
    recipe, _ = json.JSONDecoder().raw_decode(text[start:])
    assert Recipe.from_dict(recipe) == run.recipe


def test_headings_do_not_skip_a_level():
    levels = [int(tag[1]) for tag, _ in Page(report_page(classification(6))).tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_has_words():
    run = classification(6)
    plots = [attributes for tag, attributes in Page(report_page(run)).tags if attributes.get("class") == "plot"]
    assert sorted(str(plot["data-figure"]) for plot in plots) == sorted(figures(run))
    assert all(len(plot["aria-label"] or "") > 40 and plot["role"] == "img" for plot in plots)


def test_a_loss_that_is_not_a_number_is_a_hole_in_the_line():
    run = classification(6)
    first = replace(run.trials[0], trace=replace(run.trials[0].trace, dev_loss=(0.7, float("nan"), float("inf"), 0.5, 0.4)))
    drawn = json.loads(Page(report_page(replace(run, trials=(first, *run.trials[1:])))).scripts["figures"])
    assert [0.7, None, None, 0.5, 0.4] in [trace["y"] for trace in drawn["curves"]["data"]]
    assert 0.6 < 10 ** drawn["curves"]["layout"]["yaxis"]["range"][1] < 1.0 or drawn["curves"]["layout"]["yaxis"]["range"][1] < 1.0


def test_a_run_with_next_to_nothing_is_still_a_page(tmp_path):
    run = classification(1)
    bare = replace(run, trials=(), baselines=(), findings=(), notes=(), columns=(), versions={}, stages={}, classes=(), seconds=0.0)
    write_report(bare, tmp_path / "report.html")
    assert "Nothing was found" in Path(tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_source_that_is_not_utf8_can_be_reported(tmp_path):
    write_report(replace(classification(1), source="caf\udce9.csv"), tmp_path / "report.html")
    assert "caf\\udce9.csv" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_ledger_is_shown_step_by_step_with_effects_controls_and_decisions():
    texts = " ".join(" ".join(Page(report_page(classification(8))).texts).split())
    for words in (
        "units that never part",
        "initialisation zeros to he",
        "-32.0 % (-37.0 to -27.0)",
        "random: beta1 0.9 to 0.8",
        "-10.8 points",
    ):
        assert words in texts
    assert "kept: its whole interval lies below 0" in texts and "rejected: its interval holds 0" in texts


def test_a_run_without_a_loop_has_no_ledger():
    assert 'id="ledger"' not in report_page(replace(classification(8), ledger=None))


def test_a_report_that_was_prepared_has_nothing_left_to_compile(monkeypatch):
    runs = [classification(3), regression()]
    pages = [report_page(run) for run in runs]
    environment.cache_clear()
    prepare_report()
    monkeypatch.setattr(environment(), "compile", None)
    assert [report_page(run) for run in runs] == pages
    environment.cache_clear()
    with pytest.raises(TypeError):  # unless it was
        monkeypatch.setattr(environment(), "compile", None)
        report_page(runs[0])
    environment.cache_clear()
