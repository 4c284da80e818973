"""A run on its way as a light page: what is known so far, that it still works, and nothing of the user's that is more than text."""

import json
import re
import socket
import struct
import threading
import time
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from shoal import storage
from shoal.errors import OptionError, RunFolderError
from shoal.live_record import LIVE, SILENCE, read_live, read_state, write_live
from shoal.live_recording import LiveRecording
from shoal.progress import Event
from shoal.records import RECORD_FORMAT, Trace
from shoal.report import WatchServer, live_page
from shoal.report.drawing import Figure
from shoal.report.svg import drawn
from shoal.saved_run import OPTIONS, RECORD, REPORT, to_plain

from .example_live import on_its_way
from .example_run import HOSTILE, classification, hostile
from .test_html import Page


@pytest.fixture
def folder(tmp_path):
    storage.write_json(tmp_path / OPTIONS, {"format": RECORD_FORMAT})
    return tmp_path


def words(page: str) -> str:
    return " ".join(" ".join(Page(page).texts).split())


def test_the_page_says_that_the_run_still_works_and_what_is_known():
    run = classification(40)
    record = on_its_way(run)
    text = words(live_page(record))
    best = min((trial for trial in run.trials if trial.purpose == "search" and trial.score is not None), key=lambda trial: trial.score or 0)
    for said in (
        "Still running",
        "about 49 s left",
        "2 of 4",
        "12 of 30",
        "initialisation zeros to he",
        f"{best.score:#.4g}",
        run.plan.reason,
    ):
        assert said in text, said
    assert "Optimistic" in text and "Interrupted" not in text


def test_a_page_without_scripts_is_loaded_again_and_one_of_an_interrupted_run_is_not():
    record = on_its_way(classification(4))
    assert '<noscript><meta http-equiv="refresh"' in live_page(record)
    ended = live_page(replace(record, ended="It was interrupted."))
    assert 'http-equiv="refresh"' not in ended and "shoal resume" in ended and "Interrupted" in ended
    assert "connect-src" not in ended and "connect-src 'self'" in live_page(record, watched=True)


def test_a_run_that_has_only_begun_is_a_page_too():
    record = replace(
        on_its_way(classification(1)), trials=(), entries=(), plan=None, columns=(), split=None, budget_seconds=None, stages={}
    )
    assert "No trial has a score yet." in live_page(record)


def test_strings_of_the_users_stay_text():
    run = hostile()
    page = Page(live_page(on_its_way(run, detail=HOSTILE)))
    assert [tag for tag, _ in page.tags].count("script") == 2 and not [tag for tag, _ in page.tags if tag == "img"]
    assert len([text for text in page.texts if HOSTILE in text]) >= 10


def test_the_picture_without_a_script_holds_the_numbers():
    line = {"type": "scatter", "mode": "lines", "x": [1, 10, 100], "y": [4.0, None, 2.0], "line": {"color": "--accent", "width": 1}}
    stars = {"type": "scatter", "mode": "markers", "x": [100], "y": [2.0], "marker": {"symbol": "star", "color": "--bad", "size": 10}}
    axes = {"xaxis": {"type": "log", "range": [0, 2], "tickvals": [10], "ticktext": ["ten"]}, "yaxis": {"range": [0.0, 4.0]}, "margin": {}}
    svg = drawn(Figure("a", 'Two "lines".', 100, [line, stars], axes))
    assert 'd="M0 0M1000 500"' in svg  # from the upper left corner to halfway down the right edge, with a gap between
    assert '<text x="50.00%"' in svg and ">ten</text>" in svg and re.search(r'<text x="100.00%" y="50.00%"[^>]*>★', svg)
    assert re.findall(r"dx=\"-6\"[^>]*>([^<]*)<", svg) == ["0", "1", "2", "3", "4"]
    assert "Two &#34;lines&#34;." in svg


def test_the_record_comes_back_as_it_was_written_and_a_torn_one_is_none(folder):
    record = on_its_way(classification(6), written=time.time())
    write_live(record, folder)
    assert read_live(folder) == record
    (folder / LIVE).write_bytes((folder / LIVE).read_bytes()[:-20])
    assert read_live(folder) is None


def test_a_run_that_fell_silent_is_interrupted_and_its_own_record_comes_before_what_was_known(folder):
    record, run = on_its_way(classification(2), written=1000.0), classification(2)
    write_live(record, folder)
    assert read_live(folder, now=1000.0 + SILENCE - 1) == record
    silent = read_live(folder, now=1000.0 + 3 * SILENCE)
    assert silent is not None and silent.ended == "Nothing was heard of it for 3 min: it was interrupted."
    assert read_state(folder) == replace(silent, ended=read_state(folder).ended)  # type: ignore[union-attr]
    storage.write_json(folder / RECORD, to_plain(run))
    assert read_state(folder) == run
    write_live(replace(record, written=time.time()), folder)  # a run that was stopped early goes on
    assert read_state(folder).name == record.name and read_state(folder) != run


def test_of_a_run_that_nothing_is_known_of_the_remedy_is_named(folder):
    with pytest.raises(RunFolderError, match="shoal resume"):
        read_state(folder)


def test_what_a_run_says_is_in_its_folder_at_once_and_at_its_interruption(folder):
    trial, heard = classification(3).trials[0], []
    begun = replace(on_its_way(classification(3)), trials=(), entries=(), stages={}, stage="starting")
    with pytest.raises(KeyboardInterrupt), LiveRecording(folder, begun, heard.append) as live:
        live(Event("search", "drawing", done=1, trials=5, rung=0, rungs=2, alive=3, trained=(trial,)))
        live(Event("retrain", done=2, trials=5, trained=(replace(trial, score=0.25),)))
        while not (folder / REPORT).exists():
            time.sleep(0.005)
        assert "Still running" in (folder / REPORT).read_text()
        raise KeyboardInterrupt
    assert [event.stage for event in heard] == ["search", "retrain"]
    known = read_live(folder)
    assert known is not None and (known.stage, known.done, known.expected, known.ended) == ("retrain", 2, 5, "It was interrupted.")
    assert [each.score for each in known.trials] == [0.25] and known.trials[0].trace.dev_loss == trial.trace.dev_loss
    assert set(known.stages) == {"starting", "search"} and "Interrupted" in (folder / REPORT).read_text()


def test_a_folder_that_cannot_be_written_does_not_stop_the_run(tmp_path):
    with LiveRecording(tmp_path / "nowhere", on_its_way(classification(1)), lambda event: None) as live:
        live(Event("search"))


def test_writing_takes_a_hundredth_of_the_time(folder, monkeypatch):
    waits: list[float] = []

    def slow(live, ended=""):
        end = time.thread_time() + 0.06
        while time.thread_time() < end:
            pass

    def wait(event, seconds):
        waits.append(seconds)
        return len(waits) > 1 or threading.Event.is_set(event)

    monkeypatch.setattr(LiveRecording, "_write", slow)
    live = LiveRecording(folder, on_its_way(classification(1)), lambda event: None)
    monkeypatch.setattr(live._over, "wait", lambda seconds: wait(live._over, seconds))
    live._write_on()
    assert waits[0] == 0 and 6 <= waits[1] < 12


def test_256_trials_are_written_in_a_small_part_of_three_seconds(folder):
    record = on_its_way(classification(256), written=time.time())
    live_page(record)  # templates are read once
    begun = time.thread_time()
    write_live(record, folder)
    page = live_page(record)
    assert time.thread_time() - begun < 0.3 and len(page) < 300_000


class Asked:
    """One server, and requests to it."""

    def __init__(self, server: WatchServer) -> None:
        self.server = server

    def __call__(self, path="/", method="GET", host: str | None = None, **headers: str):
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host or f"127.0.0.1:{self.server.server_port}", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        with closing(connection):
            answer = connection.getresponse()
            return answer, answer.read().decode()


@pytest.fixture
def asked(folder):
    write_live(on_its_way(classification(6), written=time.time()), folder)
    with WatchServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Asked(server)
        server.shutdown()
        thread.join()


def test_the_page_is_sent_once_and_again_when_there_is_news(asked, folder):
    first, page = asked()
    assert first.status == 200 and "Still running" in page and first.headers["X-Shoal-State"] == "working"
    assert (asked(If_None_Match=first.headers["ETag"])[0].status, asked(method="HEAD")[1]) == (304, "")
    write_live(replace(on_its_way(classification(6)), stage="retrain", written=time.time()), folder)
    again, page = asked(If_None_Match=first.headers["ETag"])
    assert again.status == 200 and "Retrain" in page


def test_the_report_takes_the_pages_place_when_the_run_ends(asked, folder):
    storage.write_json(folder / RECORD, to_plain(classification(6)))
    (folder / LIVE).unlink()
    answer, page = asked()
    assert answer.headers["X-Shoal-State"] == "complete" and "High variance" in page and 'id="plotly"' in page


def test_only_the_page_is_served_and_only_to_this_machine(asked, folder):
    assert asked.server.server_address[0] == "127.0.0.1"
    port = asked.server.server_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1:1", f"127.0.0.1.evil.example:{port}"):
        answer, body = asked(host=host)
        assert answer.status == 421 and "adult" not in body, host
    assert asked(host=f"localhost:{port}")[0].status == 200
    for path in ("/options.json", "/../options.json", "/run.json", "/live.json", "/?x", f"http://127.0.0.1:{port}/"):
        assert asked(path)[0].status == 404, path
    assert asked(method="POST")[0].status == 501
    assert "frame-ancestors" not in asked()[0].headers and asked()[0].headers["X-Frame-Options"] == "DENY"


def test_a_run_that_is_gone_is_said_to_be(asked, folder):
    (folder / OPTIONS).unlink()
    answer, body = asked()
    assert answer.status == 503 and "which is not one" in body


def test_a_window_that_is_closed_is_no_error(asked, capsys):
    for begun in (b"", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection(asked.server.server_address) as window:
            window.send(begun)
            window.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets the connection
    assert asked()[0].status == 200
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_named(asked, folder):
    with pytest.raises(OptionError, match=f"{asked.server.server_port}: "):
        WatchServer(folder, asked.server.server_port)


def test_a_trace_without_points_is_no_line():
    record = on_its_way(classification(2))
    bare = replace(record, trials=tuple(replace(trial, trace=Trace()) for trial in record.trials))
    assert "Learning curves so far" not in live_page(bare)
    assert json.loads(json.dumps(to_plain(bare)))["trials"][0]["trace"]["steps"] == []
