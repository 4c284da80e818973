"""The pictures of the evidence in a browser: drawn, within the screen, and silent whatever the names are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shoal.report import write_report

from .example_evidence import with_evidence
from .example_run import HOSTILE, classification, hostile, regression
from .test_browser import browser, opened, pytestmark  # noqa: F401

LETTERS = tuple(chr(code) for code in range(ord("A"), ord("Z") + 1))
RUNS = {
    "letters": with_evidence(replace(classification(8), classes=LETTERS), picture=True),
    "regression": with_evidence(regression()),
    "hostile": with_evidence(hostile(), HOSTILE),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    for name, run in RUNS.items():
        write_report(run, folder / f"{name}.html")
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_the_evidence_is_drawn_without_a_complaint_and_fits_on_a_phone(browser, folder, name):  # noqa: F811
    opened(browser, folder, name, 390, dark=True)
    assert browser.execute_script("return document.documentElement.dataset.drawn") == "yes"
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert browser.execute_script("return window.pwned === undefined")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    empty = browser.execute_script("""
        return [...document.querySelectorAll(".plot")].filter((plot) => !plot.querySelector(".trace path, .hm image, .heatmaplayer image"))
            .map((plot) => plot.dataset.figure)""")
    assert empty == []
    cut = browser.execute_script("""
        return [...document.querySelectorAll(".plot text")].filter((text) => {
            const [own, plot] = [text.getBoundingClientRect(), text.closest(".plot").getBoundingClientRect()];
            return own.width && (own.left < plot.left - 1 || own.right > plot.right + 1 || own.bottom > plot.bottom + 1);
        }).map((text) => text.textContent)""")
    assert name == "hostile" or cut == []


def test_the_colours_of_a_matrix_follow_light_and_dark(browser, folder):  # noqa: F811
    scale = """
        const plot = document.querySelector('[data-figure="confusion-dev"]');
        return plot._fullData.map((trace) => trace.colorscale.map(([, colour]) => colour))"""
    opened(browser, folder, "letters")
    light = browser.execute_script(scale)
    opened(browser, folder, "letters", dark=True)
    dark = browser.execute_script(scale)
    assert light == [["#ffffff", "#009e73"], ["#ffffff", "#d55e00"]] and dark[0][0] == "#1a2129" and dark[1] != light[1]
