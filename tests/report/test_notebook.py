"""A run in a notebook: the numbers of the record in a fragment that needs nothing and runs nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from shoal import ShoalClassifier
from shoal.recipe import Recipe
from shoal.report.notebook import run_html
from shoal.result import Result

from .example_run import HOSTILE, classification, hostile, regression
from .test_browser import CHROMIUM, DRIVER, browser  # noqa: F401
from .test_html import Page


def test_it_says_the_verdict_the_next_step_the_scores_and_what_was_kept():
    run = classification(40)
    text = " ".join(" ".join(Page(run_html(run)).texts).split())
    for words in ("High variance", run.next_step, "86.9 %", "86.3 to 87.6 %", "gradient boosting 87.3 %", "the rows were used once"):
        assert words in text, words
    assert "2 changes tried, 1 kept" in text and "initialisation zeros to he: dev loss -32.0 % (-37.0 to -27.0)" in text
    assert "40 trials, 2 min 11 s; adult_train.csv.gz, target income" in text
    assert "Stopped early" in run_html(replace(run, stopped="Stopped.")) and "optimistic" in run_html(classification(4, test=False))


def test_the_bars_lie_on_one_scale():
    run = regression()
    bars = [tuple(map(float, each)) for each in re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)".*?cx="([\d.]+)"', run_html(run))]
    intervals = [run.scores["test"]["rmse"], *(each.test for each in run.baselines if each.test)]
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    expected = [[6 + 168 * (value - low) / (high - low) for value in (each.low, each.high, each.value)] for each in intervals]
    assert np.allclose(bars, expected, atol=0.06)


def test_it_runs_nothing_and_strings_of_the_users_stay_text():
    page = Page(run_html(hostile()))
    assert not {"script", "img", "style", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not [
        name for _, attributes in page.tags for name in attributes if name.startswith("on") or name in ("src", "href", "class", "id")
    ]
    assert len([text for text in page.texts if HOSTILE in text]) >= 5


def test_a_result_draws_itself_and_writes_its_report(tmp_path):
    result = Result(classification(4), model=None, folder=tmp_path)  # type: ignore[arg-type]
    assert result._repr_html_() == run_html(result.record)
    assert result.report() == tmp_path / "report.html" and "High variance" in (tmp_path / "report.html").read_text()
    with pytest.raises(ValueError, match="Name a file"):
        replace(result, folder=None).report()


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the path")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_within_a_cell(browser, tmp_path, width):  # noqa: F811
    estimator = ShoalClassifier(recipe=Recipe(hidden_units=(4,), epochs=3), random_state=0)
    estimator.history_ = {"epoch": [1.0, 2.0], "train_loss": [[0.7, 0.6]], "dev_loss": [[0.8, 0.7]], "dev_error": [[0.5, 0.4]]}  # type: ignore[attr-defined]
    cells = [run_html(hostile()), run_html(regression()), estimator._repr_html_()]
    page = tmp_path / "notebook.html"
    page.write_text(f'<!doctype html><meta name="viewport" content="width=device-width"><body>{"<hr>".join(cells)}', encoding="utf-8")
    browser.get_log("browser")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True})
    browser.get(page.as_uri())
    assert browser.execute_script("return window.pwned === undefined")
    assert browser.execute_script("return [...document.querySelectorAll('circle')].every((dot) => dot.getBoundingClientRect().width > 5)")
    assert browser.execute_script("return document.querySelectorAll('polyline').length") == 2
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [entry["message"] for entry in browser.get_log("browser")] == []
