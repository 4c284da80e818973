"""The report as a browser sees it: drawn, silent on the network and the console, and narrow enough for a phone."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Iterator

import pytest

from shoal.report import report_page, write_report

from .example_run import classification, hostile, regression

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the path")

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
)
RUNS = {"classification": classification(256), "regression": regression(), "hostile": hostile()}


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    for name, run in RUNS.items():
        write_report(run, folder / f"{name}.html")
    # the policy in the page forbids requests; without it, none must be tried either
    page = report_page(RUNS["hostile"])
    unguarded = re.sub(r"<meta http-equiv[^>]*>", "", page)
    assert len(unguarded) < len(page)
    (folder / "unguarded.html").write_text(unguarded, encoding="utf-8")
    return folder


def opened(browser, folder, name: str, width: int = 1280, dark: bool = False, before: str = "") -> None:
    """Open a report at a width and wait until its pictures are drawn, or known not to be."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    added = before and browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})["identifier"]
    browser.get((folder / f"{name}.html").as_uri())
    deadline = time.monotonic() + 30
    while not browser.execute_script("return document.documentElement.dataset.drawn") and time.monotonic() < deadline:
        time.sleep(0.05)
    if added:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added})


def requests(browser) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith("chrome://")]  # of the browser's own first page


@pytest.mark.parametrize("name", [*RUNS, "unguarded"])
def test_report_is_drawn_without_a_request_or_a_complaint(browser, folder, name):
    opened(browser, folder, name)
    assert browser.execute_script("return document.documentElement.dataset.drawn") == "yes"
    asked = requests(browser)
    assert any(url.startswith("file://") for url in asked), "the log of requests is not being kept"
    assert [url for url in asked if not url.startswith(("file://", "data:", "blob:"))] == []
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert browser.execute_script("return window.pwned === undefined")


@pytest.mark.parametrize("name", RUNS)
def test_every_picture_has_its_marks(browser, folder, name):
    opened(browser, folder, name)
    counts = browser.execute_script("""
        return Object.fromEntries([...document.querySelectorAll(".plot")].map((plot) =>
            [plot.dataset.figure, plot.querySelectorAll(".trace path").length]))""")
    run = RUNS[name]
    assert set(counts) == {"scores", "budget", "curves", "search"}
    assert counts["scores"] >= 2 * (1 + len(run.baselines))
    assert counts["budget"] >= 3 * len(run.verdict.gaps) + 5
    assert counts["curves"] >= sum(len(trial.trace.steps) > 0 for trial in run.trials)
    assert counts["search"] >= sum(trial.purpose == "search" for trial in run.trials)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("width", [390, 768])
def test_narrow_screens_do_not_scroll_sideways(browser, folder, name, width):
    opened(browser, folder, name, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    # nor is anything in a picture cut off at its edge
    cut = browser.execute_script("""
        return [...document.querySelectorAll(".plot text")].filter((text) => {
            const [own, plot] = [text.getBoundingClientRect(), text.closest(".plot").getBoundingClientRect()];
            return own.width && (own.left < plot.left - 1 || own.right > plot.right + 1 || own.bottom > plot.bottom + 1);
        }).map((text) => text.textContent)""")
    assert name == "hostile" or cut == []


def test_dark_and_light_differ_on_the_page_and_in_the_pictures(browser, folder):
    looks = """
        const tick = document.querySelector("#figure-scores .ytick text");
        return [getComputedStyle(document.body).backgroundColor, getComputedStyle(tick).fill]"""
    opened(browser, folder, "regression")
    light = browser.execute_script(looks)
    # an open page follows when the system changes
    media = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    time.sleep(0.5)
    dark = browser.execute_script(looks)
    assert light[0] != dark[0] and light[1] != dark[1]


def test_trials_fold_and_sort(browser, folder):
    opened(browser, folder, "classification")
    shown = (
        "return [...document.querySelectorAll('#trials tbody tr')].filter((row) => row.offsetParent).map((row) => row.cells[1].textContent)"
    )
    first = browser.execute_script(shown)
    scores = sorted(trial.score for trial in RUNS["classification"].trials if trial.purpose == "search" and trial.score is not None)
    assert first == [f"{score:#.4g}" for score in scores[:20]]
    browser.execute_script("document.querySelectorAll('#trials thead button')[1].click()")
    assert browser.execute_script(shown) == [f"{score:#.4g}" for score in scores[:-21:-1]]
    browser.execute_script("document.querySelector('#search button.fold').click()")
    assert len(browser.execute_script(shown)) == 256


def test_hover_names_the_recipe(browser, folder):
    opened(browser, folder, "regression")
    told = browser.execute_script("""
        const plot = document.querySelector("#figure-curves .plot");
        Plotly.Fx.hover(plot, [{ curveNumber: 3, pointNumber: 2 }]);
        return plot.querySelector(".hoverlayer").textContent""")
    assert "trial" in told and "units" in told and "batches of" in told


def test_old_browser_gets_a_message_and_the_tables(browser, folder):
    opened(browser, folder, "classification", before="delete window.DecompressionStream")
    assert browser.execute_script("return document.documentElement.dataset.drawn") == "no"
    assert browser.execute_script("return document.getElementById('fallback').offsetParent !== null")
    assert browser.execute_script("return document.querySelectorAll('.plot')[0].offsetParent === null")


def test_report_prints(browser, folder):
    opened(browser, folder, "regression", dark=True)
    browser.execute_script("""
        addEventListener("beforeprint", () => {
            const look = (plot) => [plot.querySelector(".main-svg").clientWidth, getComputedStyle(plot.querySelector(".ytick text")).fill];
            window.onPaper = [...document.querySelectorAll(".plot")].map(look);
        })""")
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF") and len(printed) > 50_000
    # drawn as wide as the paper, in dark ink, though the screen is dark and wide
    widths, inks = zip(*browser.execute_script("return window.onPaper"), strict=True)
    assert max(widths) <= 700 and set(inks) == {"rgb(23, 33, 43)"}
