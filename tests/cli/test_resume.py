"""A run that is killed, at whatever moment, is continued to the result that it would have had; damaged files are refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from .command import inside, shoal
from .test_commands import without_times

sys.path.append(str(Path(__file__).parent))  # the processes that are killed import their body by its name
from mortal import started


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def write_table(path: Path, rows: int) -> Path:
    rng = np.random.default_rng(5)
    columns = {f"x{index}": rng.normal(size=rows).round(4) for index in range(4)}
    noisy = columns["x0"] - columns["x1"] ** 2 + 0.5 * rng.normal(size=rows)
    pl.DataFrame({**columns, "y": np.where(noisy > 0, "up", "down")}).write_csv(path)
    return path


def outcome(run: Path) -> tuple[str, str, dict[str, Any]]:
    """What must be the same bit for bit: the weights, their description, and the record but for its times."""
    files = (run / "model" / "weights.safetensors", run / "model" / "model.json")
    weights, description = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return weights, description, without_times(json.loads((run / "run.json").read_text())["content"])


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], Path]:
    """A command of several jobs, and the folder of its uninterrupted run."""
    folder = tmp_path_factory.mktemp("long")
    command = ["improve", write_table(folder / "table.csv", 400), "--target", "y", "--budget", "24trials", "--seed", "7"]
    assert shoal(*command, "--out", folder / "run", "--quiet").exit_code == 0
    return command, folder / "run"


def lines(run: Path) -> int:
    path = run / "trials"
    return path.read_bytes().count(b"\n") if path.exists() else 0


MOMENTS: tuple[Callable[[Path], bool], ...] = (
    lambda run: (run / "options.json").exists(),
    lambda run: (run / "plan.json").exists(),
    lambda run: lines(run) >= 2,
)
"""Before the plan is made, in the first job, after some jobs."""


def test_a_process_killed_again_and_again_comes_to_the_same_result(long_run: tuple[list[object], Path], tmp_path: Path):
    command, uninterrupted = long_run
    run = tmp_path / "run"
    for arguments, moment in zip(([*command, "--out", run], ["resume", run], ["resume", run]), MOMENTS, strict=True):
        process = started(arguments, run)
        while process.is_alive() and not moment(run):
            time.sleep(0.005)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run ended before it could be killed"
        assert "interrupted" in shoal("show", run).stderr
    result = shoal("resume", run, "--quiet")
    assert result.exit_code == 0, result.stderr
    assert outcome(run) == outcome(uninterrupted)
    assert inside(run) == inside(uninterrupted)


def stopping_at(point: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """From the given write on, nothing more reaches the disk. Counts the writes: every flush to the disk and every renaming."""
    fsync, replace, calls = os.fsync, Path.replace, 0

    def next_call() -> None:
        nonlocal calls
        if threading.current_thread() is not threading.main_thread():
            return  # what is written beside the work is of the moment, and of no use to a run that goes on
        calls += 1
        if calls > point:
            raise Killed

    def counted_fsync(descriptor: int) -> None:
        next_call()
        fsync(descriptor)

    def counted_replace(path: Path, target: Path) -> Path:
        next_call()
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", counted_fsync)
    monkeypatch.setattr(Path, "replace", counted_replace)
    while True:
        yield calls


def test_every_point_of_writing_can_be_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = write_table(tmp_path / "table.csv", 120)
    command = ["improve", table, "--target", "y", "--budget", "1trials", "--quiet", "--out"]
    with monkeypatch.context() as patch:
        counter = stopping_at(10**6, patch)
        next(counter)
        assert shoal(*command, tmp_path / "whole").exit_code == 0
        points = next(counter)
    assert points >= 15  # options, plan, a job's networks and its line, model and record: each flushed, and all but the line renamed
    for point in range(0, points, 5):  # test_kills kills at all kinds of them
        run = tmp_path / f"run{point}"
        with monkeypatch.context() as patch:
            next(stopping_at(point, patch))
            with pytest.raises(Killed):
                shoal(*command, run)
        again = shoal("resume", run, "--quiet")
        if not (run / "options.json").exists():
            assert (again.exit_code, "which is not one" in again.stderr) == (2, True)
            continue
        assert again.exit_code == 0, (point, again.stderr)
        assert outcome(run) == outcome(tmp_path / "whole"), point
        assert inside(run) == inside(tmp_path / "whole"), point


def test_a_damaged_checkpoint_or_torn_line_is_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table, run = write_table(tmp_path / "table.csv", 120), tmp_path / "run"
    command = ["improve", table, "--target", "y", "--budget", "2trials", "--quiet", "--out"]
    assert shoal(*command, tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patch:
        next(stopping_at(9, patch))
        with pytest.raises(Killed):
            shoal(*command, run)
    (checkpoint, *_) = sorted((run / "checkpoint").glob("*.safetensors"))
    flipped = bytearray(checkpoint.read_bytes())
    flipped[-5] ^= 1
    checkpoint.write_bytes(flipped)
    with (run / "trials").open("ab") as file:
        file.write(b'12345678 {"torn')
    assert shoal("resume", run, "--quiet").exit_code == 0
    assert outcome(run) == outcome(tmp_path / "whole")


def test_changed_data_cannot_continue_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table, run = write_table(tmp_path / "table.csv", 120), tmp_path / "run"
    with monkeypatch.context() as patch:
        next(stopping_at(3, patch))
        with pytest.raises(Killed):
            shoal("improve", table, "--target", "y", "--budget", "2trials", "--out", run, "--quiet")
    write_table(table, 121)
    changed = shoal("resume", run, "--quiet")
    assert (changed.exit_code, "whose content has changed. Restore the file" in changed.stderr) == (2, True)
    table.unlink()
    missing = shoal("resume", run, "--quiet")
    assert (missing.exit_code, "the data file exists" in missing.stderr) == (2, True)


def test_one_process_at_a_time_works_on_a_run(long_run: tuple[list[object], Path], tmp_path: Path):
    command, _ = long_run
    run = tmp_path / "run"
    process = started([*command, "--out", run], run)
    while process.is_alive() and not (run / "plan.json").exists():
        time.sleep(0.005)
    second = shoal("resume", run, "--quiet")
    process.kill()
    process.join()
    assert (second.exit_code, "one process at a time works on a run" in second.stderr) == (2, True)


@pytest.fixture
def copy(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, finished: Path) -> Path:
    """A finished run to be damaged."""
    for name in inside(finished):
        if (finished / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((finished / name).read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    table = write_table(folder / "table.csv", 120)
    assert shoal("improve", table, "--target", "y", "--budget", "1trials", "--out", folder / "run", "--quiet").exit_code == 0
    return folder / "run"


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def newer(content: bytes) -> bytes:
    """As a later version would write it, checksum included."""
    body = json.loads(content)["content"] | {"format": 99}
    canonical = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return json.dumps({"sha256": hashlib.sha256(canonical.encode()).hexdigest(), "content": body}).encode()


def pickled(_: bytes) -> bytes:
    return b"cos\nsystem\n(S'touch pwned'\ntR."


DAMAGES = [
    *((name, damage) for name in ("run.json", "model/model.json") for damage in (cut, flip, newer, pickled)),
    *(("model/weights.safetensors", damage) for damage in (cut, flip, pickled)),
    *((name, None) for name in ("model/model.json", "model/weights.safetensors")),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES, ids=[f"{name} {damage.__name__ if damage else 'gone'}" for name, damage in DAMAGES])
def test_damaged_files_of_a_run_are_refused(name: str, damage: Callable[[bytes], bytes] | None, copy: Path, finished: Path):
    path = copy / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    before = inside(copy)
    result = shoal("predict", copy, finished.parent / "table.csv")
    assert result.exit_code == 2
    assert path.name in result.stderr
    assert result.stderr.startswith("error: ")
    if damage is newer:
        assert "Install a newer shoal." in result.stderr
    assert inside(copy) == before
    if name == "run.json":
        assert shoal("show", copy).exit_code == 2
        assert shoal("report", copy).exit_code == 2
