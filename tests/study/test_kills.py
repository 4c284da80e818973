"""A process that is killed while it writes: the study stays readable, and is brought up to date by who resumes the run."""

import random
import signal
import subprocess
import sys
import textwrap
import time

import optuna
import pytest

from shoal.parameters import Range
from shoal.recipe import Recipe
from shoal.records import Trace, Trial
from shoal.space import Space
from shoal.study import FILE, StudyWriter
from shoal.study.writer import is_whole

KILLS = 6
COUNT = 400
WRITER = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {here!r})
    from test_kills import SPACE, trials
    from shoal.study import StudyWriter
    print("begin", flush=True)
    writer = StudyWriter.in_folder(Path({folder!r}), "a run", SPACE)
    for trial in trials():
        writer.put([trial])
        time.sleep(0.0005)
    writer.close()
"""
SPACE = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log")])


def trials():
    trace = Trace(steps=tuple(range(100, 2100, 100)), dev_loss=(0.5,) * 20)
    return [Trial(number, number, Recipe(learning_rate=0.01), 0, "finished", 0, 2000, 100, 0.5, trace=trace) for number in range(COUNT)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_writer_leaves_a_study_that_opens_and_is_brought_up_to_date(tmp_path, request):
    draw = random.Random(0)
    program = textwrap.dedent(WRITER.format(here=str(request.path.parent), folder=str(tmp_path)))
    survived = set()
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 1.0))
        process.kill()
        process.wait()
        process.stdout.close()
        if not (tmp_path / FILE).exists():
            continue
        assert is_whole(tmp_path / FILE)
        if "a run" in names(tmp_path):
            there = numbers(tmp_path)
            assert survived <= there
            survived = there
    writer = StudyWriter.in_folder(tmp_path, "a run", SPACE)
    writer.put(trials())
    assert writer.close() == ()
    assert numbers(tmp_path) == set(range(COUNT))


def names(folder):
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / FILE}")
    try:
        return optuna.get_all_study_names(storage)
    finally:
        storage.engine.dispose()


def numbers(folder):
    """The trials' numbers in their run; each is there once and whole."""
    study = optuna.load_study(study_name="a run", storage=f"sqlite:///{folder / FILE}")
    found = [trial.user_attrs["trial"] for trial in study.trials]
    assert len(found) == len(set(found))
    assert [trial.number for trial in study.trials] == list(range(len(found)))
    assert all(len(trial.intermediate_values) == 20 and trial.value == 0.5 and trial.params for trial in study.trials)
    return set(found)
