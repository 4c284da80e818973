"""``shoal report`` and ``shoal watch``: of a run on its way, of one that is there, and where there is nothing to show."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.request
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest

from shoal import storage
from shoal.live_record import LIVE, write_live
from shoal.records import RECORD_FORMAT
from shoal.saved_run import OPTIONS, RECORD, REPORT, to_plain

from .cli.command import inside, shoal
from .cli.test_commands import COMMAND
from .report.example_live import on_its_way
from .report.example_run import classification

RECORDED = on_its_way(classification(4))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    storage.write_json(tmp_path / OPTIONS, {"format": RECORD_FORMAT})
    write_live(replace(RECORDED, written=time.time()), tmp_path)
    return tmp_path


def test_the_report_of_a_run_on_its_way_says_what_is_known_so_far(run: Path):
    shown = shoal("report", run)
    assert (shown.exit_code, shown.stdout.strip()) == (0, str(run / REPORT)) and "still working" in shown.stderr
    assert "Still running" in (run / REPORT).read_text()
    write_live(replace(RECORDED, ended="It was interrupted."), run)
    assert "The run was interrupted." in shoal("report", run).stderr and "Interrupted" in (run / REPORT).read_text()
    storage.write_json(run / RECORD, to_plain(classification(4)))
    assert shoal("report", run).stderr == "" and "High variance" in (run / REPORT).read_text()


def test_a_report_is_opened_where_there_is_a_browser_and_said_to_be_elsewhere_where_not(run: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or len(opened) == 1)
    assert "browser" not in shoal("report", run, "--open").stderr and opened == [(run / REPORT).as_uri()]
    shown = shoal("report", run, "--open")
    assert (shown.exit_code, f"No browser was found to open it with. Open {opened[0]} yourself." in shown.stderr) == (0, True)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_watching_ends_cleanly_and_leaves_the_folder_as_it_was(run: Path, ending: int):
    process = subprocess.Popen([COMMAND, "watch", run], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    with urllib.request.urlopen(address) as answer:
        assert b"Still running" in answer.read()
    process.send_signal(ending)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "Ctrl-C ends the watching, not the run.\n")
    assert inside(run) == {OPTIONS, LIVE}


def test_what_cannot_be_watched_is_named(run: Path, tmp_path_factory: pytest.TempPathFactory):
    nowhere = tmp_path_factory.mktemp("empty")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, complaint in (
            ((nowhere,), "which is not one. Give the folder that shoal improve printed."),
            ((run, "--port", "http"), "--port is a whole number up to 65535; received 'http'."),
            ((run, "--port", "65536"), "received '65536'"),
            ((run, "--port", port), f"--port is free on this machine; received {port}: Address already in use."),
        ):
            shown = shoal("watch", *arguments)
            assert (shown.exit_code, shown.stdout) == (2, "") and complaint in " ".join(shown.stderr.split()), shown.stderr
    (run / LIVE).unlink()
    assert "Continue it: shoal resume" in " ".join(shoal("watch", run).stderr.split())
