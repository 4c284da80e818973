"""Processes that search together through one SQLite file."""

import sqlite3
import subprocess
import sys
import textwrap
from typing import Literal

import optuna
from optuna.distributions import FloatDistribution

from shoal.parameters import Range
from shoal.recipe import Recipe
from shoal.records import Trial
from shoal.space import Space
from shoal.study import Address, SharedStudy

SPACE = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log")])
COUNT = 40
PROCESS = """
    import sys, time
    sys.path.insert(0, {here!r})
    from test_shared import COUNT, SPACE, trial
    from shoal.study import Address, SharedStudy
    study = SharedStudy({url!r}, "together", SPACE, run={run!r})
    seen = []
    for number in range(COUNT):
        study.publish([trial(number, score={score})])
        seen += study.others()
        time.sleep(0.005)
    until = time.monotonic() + 60
    while len(seen) < COUNT and time.monotonic() < until:
        time.sleep(0.05)
        seen += study.others()
    assert study.close() == (), "notes"
    print(len(seen), sorted({{each.score for each in seen}}))
"""


def trial(number: int, score: float = 0.5, purpose: Literal["search", "retrain"] = "search") -> Trial:
    return Trial(number, number, Recipe(learning_rate=0.01), 0, "finished", 0, 2000, 100, score, purpose)


def test_two_processes_that_begin_together_see_each_others_trials_once(tmp_path, request):
    url = f"sqlite:///{tmp_path}/trials.db"
    here = str(request.path.parent)
    programs = [textwrap.dedent(PROCESS.format(here=here, url=url, run=run, score=score)) for run, score in (("a", 0.25), ("b", 0.75))]
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for program in programs]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said == [f"{COUNT} [0.75]", f"{COUNT} [0.25]"]
    study = optuna.load_study(study_name="together", storage=url)
    assert [each.number for each in study.trials] == list(range(2 * COUNT))
    assert sorted((each.user_attrs["run"], each.user_attrs["trial"]) for each in study.trials) == [
        (r, n) for r in "ab" for n in range(COUNT)
    ]


def test_own_trials_and_retrains_are_not_told_and_others_once_they_are_finished(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    first, second = (SharedStudy(url, "together", SPACE, run) for run in ("a", "b"))
    first.publish([trial(0, 0.1), trial(1, 0.2, purpose="retrain")])
    second.publish([trial(0, 0.3)])
    assert first.close() == ()
    study = optuna.load_study(study_name="together", storage=url)
    running = study.ask({"learning_rate": FloatDistribution(1e-4, 1.0, log=True)})
    assert [each.score for each in second.others()] == [0.1]
    assert second.others() == []
    study.tell(running, 0.4)
    assert [each.score for each in second.others()] == [0.4]
    assert second.close() == ()


def test_trials_that_optuna_itself_made_are_told_too(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    shared = SharedStudy(url, "together", SPACE, "a")
    study = optuna.load_study(study_name="together", storage=url)
    study.optimize(lambda each: each.suggest_float("learning_rate", 1e-4, 1.0, log=True), n_trials=2)
    assert [each.settings for each in shared.others()] == [each.params for each in study.trials]
    shared.close()


def test_processes_that_make_the_tables_at_the_same_time_do_not_fail(tmp_path, monkeypatch):
    """The loser of that race sees a table that exists already; it is here once made to lose."""
    open_, loses = Address.open, iter([True, False])

    def once(self, *, new):
        if new and next(loses):
            raise sqlite3.OperationalError("table studies already exists")
        return open_(self, new=new)

    monkeypatch.setattr(Address, "open", once)
    assert SharedStudy(f"sqlite:///{tmp_path}/trials.db", "together", SPACE, "a").close() == ()


def test_a_database_that_breaks_is_a_note_and_no_crash(tmp_path):
    path = tmp_path / "trials.db"
    shared = SharedStudy(f"sqlite:///{path}", "together", SPACE, "a")
    path.write_bytes(b"this is no database any more" * 1000)
    assert shared.others() == []
    shared.publish([trial(0)])
    assert sorted(shared.close()) == [
        f"1 of the trials are missing from the study in sqlite:///{path}: file is not a database. The run's own record has all of them.",
        f"Trials of other processes could not be read from sqlite:///{path}: file is not a database.",
    ]
