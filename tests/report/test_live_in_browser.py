"""The light page in a browser: it renews itself from a file and from a server, keeps the reader's place, and becomes the report."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from shoal import storage
from shoal.live_record import LIVE, write_live
from shoal.records import RECORD_FORMAT
from shoal.report import WatchServer, write_live_report, write_report
from shoal.saved_run import OPTIONS, RECORD, REPORT, to_plain

from .example_live import on_its_way
from .example_run import classification, hostile
from .test_browser import browser, pytestmark  # noqa: F401

SOON = "setInterval = ((every) => (work, wait) => every(work, wait / 6))(setInterval);"
"""Of the three seconds between two looks half a one is waited."""
DOWN = "document.getElementById('columns').open = true; scrollTo({ top: 900, behavior: 'instant' })"


def until(browser, question: str):  # noqa: F811
    deadline = time.monotonic() + 20
    while not (answer := browser.execute_script(f"return {question}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


@pytest.fixture
def hasty(browser):  # noqa: F811
    """A browser whose pages look for news soon."""
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SOON})["identifier"]
    yield browser
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added})
    browser.get("about:blank")


def shown(browser, address: str, width: int = 1280, dark: bool = False) -> None:  # noqa: F811
    browser.get_log("browser")
    media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": False})
    browser.get(address)


def test_opened_as_a_file_it_is_loaded_again_where_the_reader_was_and_becomes_the_report(hasty, tmp_path):
    record, path = on_its_way(classification(20), written=time.time()), tmp_path / REPORT
    write_live_report(record, path)
    shown(hasty, path.as_uri())
    hasty.execute_script(DOWN)
    write_live_report(replace(record, stage="retrain", written=time.time()), path)
    assert until(hasty, "document.getElementById('stage')?.textContent === 'Retrain'")
    assert until(hasty, "scrollY === 900") and hasty.execute_script("return document.getElementById('columns').open")
    write_report(classification(6), path)
    assert until(hasty, "document.documentElement.dataset.drawn === 'yes'")
    assert [entry["message"] for entry in hasty.get_log("browser")] == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_it_is_narrow_enough_and_silent_whatever_the_names_are(browser, tmp_path, width, dark):  # noqa: F811
    write_live_report(on_its_way(hostile(), written=time.time()), tmp_path / REPORT)
    shown(browser, (tmp_path / REPORT).as_uri(), width, dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return window.pwned === undefined")
    assert browser.execute_script("return document.querySelectorAll('.drawn path').length") >= 8
    outside = """
        const box = document.querySelector(".figure").getBoundingClientRect();
        return [...document.querySelectorAll(".drawn text")].map((text) => [text.textContent, text.getBoundingClientRect()])
            .filter(([, at]) => at.left < box.left || at.right > box.right || at.bottom > box.bottom).map(([text]) => text)"""
    assert browser.execute_script(outside) == []
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_a_page_that_nobody_renews_stops_saying_that_the_run_works(browser, tmp_path):  # noqa: F811
    write_live_report(on_its_way(classification(2), written=time.time() - 300), tmp_path / REPORT)
    shown(browser, (tmp_path / REPORT).as_uri())
    assert "Nothing was heard of the run since" in browser.execute_script("return document.querySelector('footer').textContent")


def test_served_it_changes_without_being_loaded_again_until_it_becomes_the_report(hasty, tmp_path):
    storage.write_json(tmp_path / OPTIONS, {"format": RECORD_FORMAT})
    record = on_its_way(classification(20), written=time.time())
    write_live(record, tmp_path)
    with WatchServer(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            shown(hasty, server.address)
            hasty.execute_script("window.same = true; " + DOWN)
            write_live(replace(record, stage="retrain", written=time.time()), tmp_path)
            assert until(hasty, "document.getElementById('stage')?.textContent === 'Retrain'")
            assert hasty.execute_script("return [window.same, scrollY, document.getElementById('columns').open]") == [True, 900, True]
            storage.write_json(tmp_path / RECORD, to_plain(classification(6)))
            (tmp_path / LIVE).unlink()
            assert until(hasty, "document.documentElement.dataset.drawn === 'yes'")
            assert hasty.execute_script("return document.getElementById('verdict').textContent") == "High variance"
        finally:
            server.shutdown()
            thread.join()
    assert [entry["message"] for entry in hasty.get_log("browser")] == []
