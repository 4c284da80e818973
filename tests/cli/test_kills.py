"""A search that is killed, at any operation and at any moment, again and again, is resumed to the result that it would have had.

Ten kills unless ``SHOAL_KILLS`` says otherwise (``make kills`` takes 100), at moments that ``SHOAL_KILLS_SEED`` draws.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest

from shoal import storage
from shoal.model import Model
from shoal.records import RECORD_FORMAT
from shoal.study import FILE
from shoal.study.writer import is_whole

from .command import inside
from .test_resume import outcome, write_table

sys.path.append(str(Path(__file__).parent))  # the processes that are killed import their body by its name
from mortal import Death, started

KILLS = int(os.environ.get("SHOAL_KILLS", "10"))
SEED = int(os.environ.get("SHOAL_KILLS_SEED", "0"))
LONGEST_WAIT = 5.0
"""Seconds before a kill at a moment: about what a run takes whose programs are in the cache."""
MOST_IN_A_ROW = 5
"""Kills of one folder before it is resumed to the end."""

SPACE = """
[base]
hidden_units = [8]
batch_size = 64
epochs = 9.0

[learning_rate]
low = 0.001
high = 0.1
scale = "log"

[units]
low = 2
high = 8
scale = "integer"

[architecture]
values = [{ hidden_layers = 1, activation = "relu" }, { hidden_layers = 2, activation = "tanh" }]
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")


@dataclass(frozen=True)
class Uninterrupted:
    """A run that nothing happened to: its command, what came of it, and every operation on its folder in order."""

    command: list[object]
    folder: Path
    operations: list[Death]
    seconds: float


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On tables this small threads wait for each other more than they work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Uninterrupted:
    place = tmp_path_factory.mktemp("whole")
    (place / "space.toml").write_text(SPACE)
    command = ["search", write_table(place / "table.csv", 240), "--target", "y", "--space", place / "space.toml", "--budget", "48trials"]
    command += ["--sampler", "tpe", "--seed", "7", "--quiet"]  # TPE learns from the trials so far: what it draws shows what was lost
    log = place / "log"
    begun = os.times().elapsed
    ended(started([*command, "--out", place / "run"], place / "run", log=log), log)
    kinds = log.read_text().splitlines()
    operations = [(kind, kinds[: place + 1].count(kind)) for place, kind in enumerate(kinds)]
    return Uninterrupted(command, place / "run", operations, os.times().elapsed - begun)


def ended(process, log: Path) -> None:
    process.join()
    assert process.exitcode == 0, Path(f"{log}.err").read_text()


def study_of(run: Path) -> list[tuple[Any, ...]]:
    """Everything that the study of a run says about its trials but for the time, in the order of their numbers in the run."""
    found = []
    for trial in optuna.load_study(study_name=run.name, storage=f"sqlite:///{run / FILE}").trials:
        attributes = {name: value for name, value in trial.user_attrs.items() if name != "run"}
        found.append((attributes["trial"], trial.state, trial.values, trial.params, trial.intermediate_values, attributes))
    return sorted(found, key=lambda each: each[0])


def check_readable(run: Path) -> None:
    """Every file of a run that was killed has what was written into it, however far it came."""
    for path in (run / "options.json", run / "plan.json", run / "run.json"):
        if path.exists():
            storage.read_json(path, RECORD_FORMAT)
    for line in map(json.loads, storage.read_lines(run / "trials")):
        if not (run / "run.json").exists():
            storage.read_arrays(run / "checkpoint" / f"{line['result']['job']}.safetensors", line["networks"])
    if (run / "run.json").exists():
        Model.load(run / "model")
    assert not (run / FILE).exists() or is_whole(run / FILE)


def check_same(run: Path, whole: Uninterrupted, story: str) -> None:
    assert outcome(run) == outcome(whole.folder), story
    assert inside(run) == inside(whole.folder), story
    assert list(storage.read_lines(run / "trials")) == list(storage.read_lines(whole.folder / "trials")), story
    assert study_of(run) == study_of(whole.folder), story


def chosen(operations: list[Death], count: int, draw: random.Random) -> list[Death]:
    """Some of the operations: of every kind one, as far as the count goes, the first of them and then any."""
    kinds = list(dict.fromkeys(kind for kind, _ in operations))
    draw.shuffle(kinds)
    some = [draw.choice([each for each in operations if each[0] == kind]) for kind in kinds[:count]]
    return some + draw.sample(operations, max(0, count - len(some)))


class Life:
    """One run, killed several times and then resumed to its end."""

    def __init__(self, whole: Uninterrupted, place: Path) -> None:
        self.whole, self.run, self.log = whole, place / "run", place / "log"
        self.story: list[str] = []
        self.is_over = False

    def killed(self, at: Death | float) -> bool:
        """Begin or resume the run, and kill it at an operation or after some seconds; whether it was still alive."""
        if not (self.run / "options.json").exists():
            shutil.rmtree(self.run, ignore_errors=True)
        begun = self.run.exists()
        arguments = ["resume", self.run, "--quiet"] if begun else [*self.whole.command, "--out", self.run]
        process = started(arguments, self.run, at if isinstance(at, tuple) else None, self.log)
        process.join(at if isinstance(at, float) else None)
        process.kill()
        process.join()
        self.story.append(f"{arguments[0]} killed at {at}: exit code {process.exitcode}")
        self.is_over = process.exitcode == 0
        if self.is_over:
            return False
        assert process.exitcode == -signal.SIGKILL, "\n".join([*self.story, Path(f"{self.log}.err").read_text()])
        check_readable(self.run)
        return True

    def comes_to_its_end(self) -> None:
        """Resume it, and compare."""
        while not self.is_over:
            self.killed(600.0)
        check_same(self.run, self.whole, "\n".join(self.story))


def test_a_search_killed_at_any_operation_and_any_moment_is_resumed_to_the_same_result(whole: Uninterrupted, tmp_path: Path):
    draw = random.Random(SEED)
    first = chosen(whole.operations, (KILLS + 1) // 2, draw)
    kills = lives = 0
    while kills < KILLS:
        life = Life(whole, tmp_path / str(lives))
        life.run.parent.mkdir()
        lives += 1
        wanted = min(KILLS - kills, draw.randint(2, MOST_IN_A_ROW) if KILLS > 10 else MOST_IN_A_ROW)
        for _ in range(wanted):
            at = first.pop() if first and draw.random() < 0.6 else draw.uniform(0, min(LONGEST_WAIT, whole.seconds))
            if not life.killed(at):
                break
            kills += 1
        life.comes_to_its_end()
        shutil.rmtree(life.run)
    print(f"{kills} kills of {lives} runs; {len({kind for kind, _ in whole.operations})} kinds of operation")
