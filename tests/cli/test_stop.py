"""Ctrl-C and SIGTERM during a search: a model of what is known by then, and a run that goes on to the same end; files of it cut short."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from typer.testing import Result

from shoal.progress import Event
from shoal.report import Progress
from shoal.run_folder import FolderJournal
from shoal.saved_run import is_complete, read_record
from shoal.storage import read_lines

from .command import inside, shoal
from .test_kills import KILLS, SEED, SPACE, Uninterrupted, check_same, study_of
from .test_resume import outcome, write_table


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """A command and its uninterrupted run."""
    place = tmp_path_factory.mktemp("place")
    (place / "space.toml").write_text(SPACE)
    options = ["--target", "y", "--space", place / "space.toml", "--budget", "80trials", "--sampler", "tpe", "--seed", "7", "--quiet"]
    command: list[object] = ["search", write_table(place / "table.csv", 240), *options]
    assert shoal(*command, "--out", place / "run").exit_code == 0
    return Uninterrupted(command, place / "run", [], 0.0)


def jobs_of(run: Path) -> list[str]:
    return [json.loads(line)["result"]["job"] for line in read_lines(run / "trials")]


def stopped(job: str, signals: Sequence[int], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    """The command, to which signals come when it has finished a job."""
    add = FolderJournal.add

    def added(journal: FolderJournal, result, state) -> None:
        add(journal, result, state)
        if result.job == job:
            for number in signals:
                os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(FolderJournal, "add", added)
        return shoal(*arguments)


def test_a_stopped_search_has_the_best_trial_so_far_as_its_model_and_goes_on_to_the_same_end(
    whole: Uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, handlers = tmp_path / "run", [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    shown = stopped("search-3", [signal.SIGTERM], monkeypatch, *whole.command[:-1], "--out", run)  # without --quiet
    assert shown.exit_code == 130
    assert "Stopped after 24 of 80 trials were begun." in shown.stdout and f"shoal resume {run}" in shown.stdout
    assert jobs_of(run) == ["search-1", "search-2", "search-3"]  # nothing more was trained
    record = read_record(run)
    assert not is_complete(run) and "optimistic" in record.stopped
    best = min(record.trials, key=lambda trial: (trial.score, trial.number))
    assert record.recipe == best.recipe and "test" not in record.scores and record.scores["dev"]
    assert shoal("predict", run, whole.command[1], "--out", tmp_path / "predictions.csv").exit_code == 0
    assert pl.read_csv(tmp_path / "predictions.csv").height == 240
    ended = study_of(run)
    assert len(ended) < 24 and all(each in study_of(whole.folder) for each in ended)  # of no trial that goes on
    assert stopped("search-9", [signal.SIGINT], monkeypatch, "resume", run, "--quiet").exit_code == 130
    assert jobs_of(run)[-1] == "search-9"
    assert shoal("resume", run, "--quiet").exit_code == 0
    check_same(run, whole, "stopped twice")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_who_asks_while_the_winner_is_trained_gets_it_without_the_test_rows(
    whole: Uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = tmp_path / "run"
    (retraining,) = (job for job in jobs_of(whole.folder) if job.startswith("retrain"))
    assert stopped(retraining, [signal.SIGINT], monkeypatch, *whole.command, "--out", run).exit_code == 130
    record, uninterrupted = read_record(run), read_record(whole.folder)
    assert record.stopped.startswith("Stopped before the last measurements") and "test" not in record.scores
    assert (record.recipe, record.trials) == (uninterrupted.recipe, uninterrupted.trials)
    assert shoal("resume", run, "--quiet").exit_code == 0
    check_same(run, whole, "stopped at the end")


def test_a_second_signal_stops_at_once(whole: Uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "run"
    interrupted = stopped("search-2", [signal.SIGINT, signal.SIGTERM], monkeypatch, *whole.command, "--out", run)
    assert (interrupted.exit_code, interrupted.stdout) == (130, "")
    assert f"shoal resume {run}" in interrupted.stderr and "Interrupted." in interrupted.stderr
    assert not (run / "run.json").exists()


def test_before_a_trial_has_a_score_there_is_nothing_to_end_with(whole: Uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shows = Progress.__call__

    def heard(progress: Progress, event: Event) -> None:
        shows(progress, event)
        if event.stage == "references":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "__call__", heard)
    interrupted = shoal(*whole.command, "--out", tmp_path / "run")
    assert (interrupted.exit_code, "Interrupted." in interrupted.stderr) == (130, True)
    assert inside(tmp_path) == set()


def cuts(run: Path) -> list[tuple[str, int]]:
    """Every file that is not empty, and lengths to cut it to: nothing, half, all but one byte. A few unless many kills are wanted."""
    draw, found = random.Random(SEED), []
    for name in sorted(each for each in inside(run) if (run / each).is_file()):
        size = (run / name).stat().st_size
        if size:
            lengths = [0, size // 2, size - 1]
            found += [(name, length) for length in (lengths if KILLS > 10 else [draw.choice(lengths)])]
    few = ("checkpoint/search-2.safetensors", "options.json", "plan.json", "run.json", "study.db", "trials")
    return found if KILLS > 10 else [each for each in found if each[0] in few]


def test_a_file_cut_short_is_named_or_does_not_matter(whole: Uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As after a power failure, of a run that was stopped early: it has every file that a run may have."""
    run, copy = tmp_path / "run", tmp_path / "copy" / "run"
    assert stopped("search-5", [signal.SIGINT], monkeypatch, *whole.command, "--out", run).exit_code == 130
    refused = set()
    for name, length in cuts(run):
        shutil.copytree(run, copy)
        os.truncate(copy / name, length)
        result = shoal("resume", copy, "--quiet")  # a bug would be raised
        if result.exit_code == 0:
            weights, description, record = outcome(copy)
            notes = [note for note in record["notes"] if "study.db was damaged" not in note]
            assert (weights, description, {**record, "notes": notes}) == outcome(whole.folder), (name, length)
            assert (inside(copy), study_of(copy)) == (inside(whole.folder), study_of(whole.folder)), (name, length)
        else:
            assert (result.exit_code, result.stderr.count("error:")) == (2, 1), (name, length, result.stderr)
            assert str(copy / name) in result.stderr.replace("\n", "") and "Restore it" in result.stderr, (name, length, result.stderr)
            refused.add(name)
        shutil.rmtree(copy)
    assert refused <= {"options.json", "plan.json", "run.json"}
