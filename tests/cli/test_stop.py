"""Ctrl-C and SIGTERM during a search: a model of what is known so far, and a run that goes on to the same end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from shoal.progress import Event, Stop
from shoal.saved_run import is_complete, read_record

from .command import inside, shoal
from .test_kills import SPACE, check_same_result, study_of
from .test_resume import lines, write_table

COMMAND = Path(sys.executable).with_name("shoal")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a space and the uninterrupted run."""
    place = tmp_path_factory.mktemp("place")
    write_table(place / "table.csv", 240)
    (place / "space.toml").write_text(SPACE)
    assert shoal(*command(place), "--out", place / "run", "--quiet").exit_code == 0
    return place


def command(place: Path) -> list[object]:
    options = ["--target", "y", "--space", place / "space.toml", "--budget", "80trials", "--sampler", "tpe", "--seed", "7"]
    return ["search", place / "table.csv", *options]


class Sends:
    """A journal's add, after some of whose calls a signal comes."""

    def __init__(self, jobs: int, number: signal.Signals) -> None:
        self.jobs, self.number = jobs, number

    def around(self, add):
        def added(journal, result, state):
            add(journal, result, state)
            self.jobs -= 1
            if self.jobs == 0:
                os.kill(os.getpid(), self.number)

        return added


def stopped_after(jobs: int, place: Path, run: Path, monkeypatch: pytest.MonkeyPatch, number=signal.SIGTERM, *arguments: object):
    with monkeypatch.context() as patch:
        add = "shoal.run_folder.FolderJournal.add"
        from shoal.run_folder import FolderJournal

        patch.setattr(add, Sends(jobs, number).around(FolderJournal.add))
        return shoal(*(arguments or (*command(place), "--out", run)))
