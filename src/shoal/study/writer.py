"""Trials on their way into a study, written by a thread of its own so that the search never waits."""

from __future__ import annotations

import contextlib
import queue
import random
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from shoal.errors import OptionError, Problem
from shoal.parameters import Range
from shoal.records import Trial
from shoal.space import Space
from shoal.study.address import FILE, STORAGE_ERRORS, WAIT_SECONDS, Address, Opened, cannot_open, reason
from shoal.study.rows import NUMBER, RUN, Rows, distribution_of, frozen

METRIC = "dev loss"
DATA = "data"
"""User attribute of a study: the fingerprint of its data set."""
_UNREADABLE = (ValueError, KeyError)
"""What Optuna raises at rows that it has not written."""
_MOST_AT_ONCE = 256
"""Trials of one transaction: how long other processes may have to wait."""


class StudyWriter:
    """Writes the trials of a run into an Optuna study, which ``optuna.load_study`` and ``optuna-dashboard`` open.

    A trial that the study has already (of a run that was interrupted and goes on) is not written again. What goes wrong while
    the search runs becomes a note: the run has its trials in its own files.

    Args:
        url: of the database.
        name: of the study; made where there is none yet.
        space: that the trials are drawn from.
        run: tells the run's trials from those of other runs in the study; the same when the run is resumed.
        data: fingerprint of the data set: losses on other data are no trials of the same study.

    Raises:
        OptionError: the database cannot be opened, or its study of this name has other parameters.

    Example:
        >>> from shoal import Recipe
        >>> folder = getfixture("tmp_path")
        >>> space = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1e-1, "log")])
        >>> writer = StudyWriter(f"sqlite:///{folder}/study.db", "first", space, run="first")
        >>> writer.put([Trial(0, 7, Recipe(learning_rate=0.01), 0, "finished", 2, 900, 800, 0.31)])
        >>> writer.close()
        ()
        >>> optuna.load_study(study_name="first", storage=f"sqlite:///{folder}/study.db").best_params
        {'learning_rate': 0.01}
    """

    def __init__(self, url: str | Address, name: str, space: Space, run: str, data: str = "") -> None:
        self.address = url if isinstance(url, Address) else Address(url)
        self.name, self.space, self.run, self.data = name, space, run, data
        self.notes: list[str] = []
        try:
            self._opened, self._rows, self._known = self._open_patiently()
        except OptionError:
            raise
        except (*STORAGE_ERRORS, *_UNREADABLE, ImportError) as error:
            raise OptionError(cannot_open(self.address, error)) from error
        self._pending: list[Trial] = []
        self._error: Exception | None = None
        self._queue: queue.SimpleQueue[list[Trial] | None] = queue.SimpleQueue()
        # A daemon: a program that ends without close() must not wait for a database. What was not written is written on resume.
        self._thread = threading.Thread(target=self._work, name="shoal study", daemon=True)
        self._thread.start()

    @classmethod
    def in_folder(cls, folder: Path, name: str, space: Space, data: str = "") -> StudyWriter:
        """A writer of the SQLite file in a run's folder; a file that was cut short is made anew.

        Args:
            folder: of the run. Give all trials of the run to the writer, also when it is resumed: those that are there already cost little.
            name: of the study.
            space: that the trials are drawn from.
            data: fingerprint of the data set.
        """
        path = folder / FILE
        address = Address.of_file(path)
        if not path.exists():
            return cls(address, name, space, name, data)
        try:
            if is_whole(path):
                return cls(address, name, space, name, data)
        except OptionError as error:
            if not isinstance(error.__cause__, _UNREADABLE):
                raise
        remove(path)
        writer = cls(address, name, space, name, data)
        writer.notes.append(f"{FILE} was damaged; it was written anew from the run's own record of its trials.")
        return writer

    def put(self, trials: Iterable[Trial]) -> None:
        """Trials that have come to their end, in any order; returns at once."""
        self._queue.put(list(trials))

    def close(self) -> tuple[str, ...]:
        """Wait until everything is written; returns what went wrong, in whole sentences."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
            if self._pending:
                self._write_again()
            self._opened.close()
        return tuple(self.notes)

    def _open_patiently(self) -> tuple[Opened, Rows, set[int]]:
        """Processes that begin at the same time get in each other's way when they make the tables and the study."""
        for wait in (0.2, 0.5, 1.0):
            try:
                return self._open()
            except STORAGE_ERRORS:
                time.sleep(wait * random.uniform(0.5, 1.5))
        return self._open()

    def _open(self) -> tuple[Opened, Rows, set[int]]:
        opened = self.address.open(new=True)
        try:
            study = opened.study(self.name)
            trials = study.get_trials(deepcopy=False)
            check_may_join(study, trials, self.space, self.data)
            self._describe(study)
            rows = Rows(opened, study)
        except BaseException:
            opened.close()
            raise
        known = {trial.user_attrs.get(NUMBER) for trial in trials if trial.user_attrs.get(RUN) == self.run}
        return opened, rows, {number for number in known if isinstance(number, int)}

    def _describe(self, study: optuna.Study) -> None:
        """What the study is of, said once."""
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([METRIC])
        if DATA not in study.user_attrs:
            for each in self.space.parameters:
                if isinstance(each, Range) and each.scale == "log_one_minus":
                    text = f"drawn on a log scale of 1 - {each.name} from {each.low:g} to {each.high:g}, recorded as itself"
                    study.set_user_attr(f"scale of {each.name}", text)
            study.set_user_attr(DATA, self.data)  # last, and so only where all of it has been said

    def _work(self) -> None:
        closing = False
        while not closing:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            closing = None in batch
            self._pending += [trial for trials in batch if trials is not None for trial in trials]
            if self._error is None:  # a database that failed is tried once more at the end, not at every rung
                self._error = self._write()

    def _write(self) -> Exception | None:
        """Write what is pending; returns what went wrong."""
        try:
            while self._pending:
                some = self._pending[:_MOST_AT_ONCE]
                fresh = {trial.number: trial for trial in some if trial.number not in self._known}
                if fresh:
                    self._rows.add([frozen(trial, self.space, self.run) for trial in fresh.values()])
                    self._known |= set(fresh)
                del self._pending[: len(some)]
        except Exception as error:  # whatever it is, it must not end the search
            return error
        return None

    def _write_again(self) -> None:
        """Once more, after a look at what the study has: a write may have succeeded although its answer was lost."""
        try:
            self._opened.close()
            self._opened, self._rows, self._known = self._open()
            error = self._write()
        except (*STORAGE_ERRORS, ImportError, OptionError) as failure:
            error = failure
        if error is not None:
            missing = f"{len(self._pending)} of the trials are missing from the study in {self.address}"
            self.notes.append(f"{missing}: {reason(error)}. The run's own record has all of them.")


def check_may_join(study: optuna.Study, trials: Iterable[FrozenTrial], space: Space, data: str) -> None:
    """Whether trials of a space may join those of a study: Optuna asks that a parameter keeps its kind, its scale and its choices.

    Raises:
        OptionError: they may not.
    """
    there: dict[str, BaseDistribution] = {}
    for trial in trials:
        there |= trial.distributions
    problems = []
    if study.directions != [StudyDirection.MINIMIZE]:
        received = "one that is maximised" if len(study.directions) == 1 else f"one of {len(study.directions)} objectives"
        problems.append(Problem(f"the study {study.study_name!r} is of a loss", received, "Name another study."))
    if data and study.user_attrs.get(DATA, data) not in ("", data):
        requirement = f"the study {study.study_name!r} is of this data set"
        problems.append(Problem(requirement, "trials on other data or another split of it", "Name another study."))
    for each in space.parameters:
        old, new = there.get(each.name), distribution_of(each)
        if old is not None and _kind(old) != _kind(new):
            requirement = f"{each.name} is drawn as before in the study {study.study_name!r}"
            problems.append(Problem(requirement, f"{_in_words(new)} after {_in_words(old)}", "Name another study, or use its space."))
    if problems:
        raise OptionError(*problems)


def _kind(distribution: BaseDistribution) -> tuple[object, ...]:
    choices = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
    return type(distribution), getattr(distribution, "log", False), tuple((type(choice), choice) for choice in choices)


def _in_words(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(map(str, distribution.choices))
    return ("a log" if getattr(distribution, "log", False) else "a linear") + (
        " range of whole numbers" if isinstance(distribution, IntDistribution) else " range"
    )


def is_whole(path: Path) -> bool:
    """Whether an SQLite file can be read from end to end; what a killed process had half written is taken back first."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as connection:
            whole = connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            return whole and path.stat().st_size % page_size == 0  # the last page is not missed where only a part of it is
    except sqlite3.DatabaseError:
        return False


def remove(path: Path) -> None:
    """Remove an SQLite file and what SQLite keeps beside it: an old journal would spoil a new file."""
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
