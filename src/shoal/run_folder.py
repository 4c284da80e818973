"""A run's folder: what was asked, what was planned, every finished job, the model and the record.

::

    options.json     the command's options and the data's fingerprint: enough to start again
    loop.json        what the recipe loop may spend
    others.json      what other processes that search together had found when this one asked
    plan.json        what the rest of the budget was turned into
    trials           one checksummed line per finished job, appended
    checkpoint/      the networks of finished jobs, removed at the end
    live.json        what is known while the run works, removed at the end
    model/           model.json and weights.safetensors
    run.json         the whole record, written last: a folder that has it is complete, unless it says that the run was stopped early
    report.html
"""

from __future__ import annotations

import math
import os
import shutil
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import msgspec
import numpy as np

from shoal import storage
from shoal.errors import OptionError, Problem, RunFolderError
from shoal.live_record import LIVE
from shoal.model import Model
from shoal.plan import Budget
from shoal.population import Shoal, state_structure
from shoal.records import RECORD_FORMAT, LoopPlan, Plan, Run
from shoal.saved_run import (
    MODEL,
    OPTIONS,
    RECORD,
    as_written,
    cannot_create,
    check_is_run,
    is_complete,
    missing_folders,
    read_record,
    remove_folders,
)
from shoal.trainer import JobResult
from shoal.training import State

LOOP_PLAN, PLAN, OTHERS = "loop.json", "plan.json", "others.json"
CHECKPOINTS = {"rung": 0.0, "off": math.inf}
Kind = TypeVar("Kind", Plan, LoopPlan)


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; ``create`` makes a new one, ``open`` checks that it is one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, options: dict[str, Any]) -> RunFolder:
        """A new folder with the options in it.

        Raises:
            OptionError: the folder exists, or cannot be made.
        """
        problem = cannot_create(path)
        if problem is not None:
            raise OptionError(problem)
        made = missing_folders(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            storage.write_json(path / OPTIONS, {"format": RECORD_FORMAT, **options})
        except OSError as error:
            remove_folders(made)
            raise OptionError(storage.cannot_write(path, error)) from error
        except RunFolderError:
            remove_folders(made)
            raise
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """An existing run's folder.

        Raises:
            RunFolderError: there is none at this path.
        """
        check_is_run(Path(path))
        return cls(Path(path))

    @property
    def is_complete(self) -> bool:
        """Whether the run came to its end."""
        return is_complete(self.path)

    def options(self) -> dict[str, Any]:
        """The command's options."""
        return storage.read_json(self.path / OPTIONS, RECORD_FORMAT)

    def save_plan(self, plan: Plan) -> None:
        """Fix the plan: from here on the run is determined."""
        self._save_plan(PLAN, plan)

    def plan(self) -> Plan | None:
        """The plan, if it was made."""
        return self._read_plan(PLAN, Plan)

    def save_loop_plan(self, plan: LoopPlan) -> None:
        """Fix what the recipe loop may spend."""
        self._save_plan(LOOP_PLAN, plan)

    def loop_plan(self) -> LoopPlan | None:
        """What the recipe loop may spend, if that was fixed."""
        return self._read_plan(LOOP_PLAN, LoopPlan)

    def _save_plan(self, name: str, plan: Plan | LoopPlan) -> None:
        storage.write_json(self.path / name, {"format": RECORD_FORMAT, "plan": msgspec.to_builtins(plan)})

    def _read_plan(self, name: str, kind: type[Kind]) -> Kind | None:
        path = self.path / name
        return as_written(storage.read_json(path, RECORD_FORMAT)["plan"], kind, path) if path.is_file() else None

    def asked_once(self, ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """An answer from outside the run: asked for the first time, kept for a resumed run."""
        path = self.path / OTHERS
        if not path.is_file():
            storage.write_json(path, {"format": RECORD_FORMAT, "answer": ask()})
        return storage.read_json(path, RECORD_FORMAT)["answer"]

    def finish(self, run: Run, model: Model) -> None:
        """Write the model, then the record; the checkpoints of a run that was stopped early are kept, so that it can go on."""
        (self.path / RECORD).unlink(missing_ok=True)  # that of an earlier stop does not describe the model to come
        model.save(self.path / MODEL)
        storage.write_json(self.path / RECORD, msgspec.to_builtins(run))
        (self.path / LIVE).unlink(missing_ok=True)
        if not run.stopped:
            self.tidy()

    def tidy(self) -> None:
        """Clear away what a complete run does not need, and what a killed process left of it."""
        shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
        (self.path / LIVE).unlink(missing_ok=True)
        storage.remove_temporary_files(self.path)

    def run(self) -> Run:
        """The record of a run that is complete, or was stopped early.

        Raises:
            RunFolderError: the run did not come so far, or the file is damaged or of a newer format.
        """
        return read_record(self.path)

    def model(self) -> Model:
        """The trained model.

        Raises:
            RunFolderError: as for ``run``, and for damaged weights.
        """
        if not (self.path / MODEL).is_dir():
            self.run()  # says what is missing
        return Model.load(self.path / MODEL)


class _Line(msgspec.Struct):
    """One finished job: what was measured, and the checksum of its networks' file."""

    networks: str
    result: JobResult


def checkpoint_seconds(given: Any) -> float:
    """Seconds between two checkpoints: ``rung`` keeps every finished job, ``off`` none, and a time the first one after so long.

    Raises:
        OptionError: it is something else.

    Example:
        >>> checkpoint_seconds("rung"), checkpoint_seconds("5m"), checkpoint_seconds("off")
        (0.0, 300.0, inf)
    """
    if given in CHECKPOINTS:
        return CHECKPOINTS[given]
    problem = Problem(
        "a checkpoint is kept at every rung, after a time, or never", repr(given), "Write rung, off, or a time such as 30s or 5m."
    )
    try:
        seconds = Budget.parse(given).seconds
    except OptionError:
        raise OptionError(problem) from None
    if seconds is None:
        raise OptionError(problem)
    return seconds


class FolderJournal:
    """Finished jobs kept in a run's folder: first the networks, then the line that acknowledges them.

    A job that is not kept is trained again when the run is resumed, to the same result.

    Args:
        folder: of the run.
        every: seconds that must have passed since the last checkpoint for another one.

    Raises:
        RunFolderError: another process works on the run, or the lines are not of this version of shoal.
    """

    def __init__(self, folder: RunFolder, every: float = 0.0) -> None:
        self._every, self._kept = every, time.monotonic()
        self._lines, self._checkpoint = folder.path / "trials", folder.path / "checkpoint"
        try:
            self._checkpoint.mkdir(exist_ok=True)
            weakref.finalize(self, os.close, storage.lock(self._checkpoint / "lock"))
            storage.remove_temporary_files(folder.path)
        except OSError as error:
            raise RunFolderError(storage.cannot_write(folder.path, error)) from error
        storage.remove_torn_lines(self._lines)
        try:
            lines = [msgspec.json.decode(line, type=_Line) for line in storage.read_lines(self._lines)]
        except msgspec.DecodeError as error:
            received = f"{self._lines}: {error}"
            raise RunFolderError(
                Problem(
                    "finished trials are as this version of shoal writes them", received, "Continue with the version that began the run."
                )
            ) from error
        self._finished = {line.result.job: line for line in lines}

    def find(self, job: str, shoal: Shoal) -> tuple[JobResult, State] | None:
        """The result of a finished job and its networks; a job whose networks are damaged is trained again."""
        line = self._finished.get(job)
        if line is None:
            return None
        try:
            arrays = storage.read_arrays(self._checkpoint / f"{job}.safetensors", line.networks)
            state = jax.tree.unflatten(state_structure(shoal.layout), [arrays[str(number)] for number in range(len(arrays))])
        except (RunFolderError, KeyError, ValueError):
            return None
        return line.result, state

    def add(self, result: JobResult, state: State) -> None:
        """Keep a finished job, if it is time for a checkpoint."""
        if time.monotonic() - self._kept < self._every:
            return
        self._kept = time.monotonic()
        arrays = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
        line = _Line(storage.write_arrays(self._checkpoint / f"{result.job}.safetensors", arrays), result)
        storage.append_line(self._lines, msgspec.json.encode(line))
        self._finished[result.job] = line
