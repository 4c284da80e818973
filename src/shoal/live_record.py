"""What is known of a run that has not come to its end: written beside it every few seconds, read by whoever watches."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from shoal.errors import Problem, RunFolderError
from shoal.records import RECORD_FORMAT, ColumnDecision, LedgerEntry, Plan, Run, SplitDecision, Task, Trial
from shoal.saved_run import RECORD, check_is_run, has_record, read_record
from shoal.storage import write_atomically

LIVE = "live.json"
"""Its name in the run's folder; a run that came to its end has none."""

SILENCE = 60.0
"""Seconds without a new one after which a run that did not say that it ended is taken for interrupted."""


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """A run on its way.

    Args:
        name: of the run.
        command: how it was begun.
        created: when, ISO 8601, UTC.
        source: what the data is called.
        target: the column that is predicted.
        task: what kind of target it is.
        metric: what counts in the end.
        columns: what was decided about each.
        split: how the rows were divided.
        notes: about the data.
        budget: as it was given.
        budget_seconds: of a budget in time.
        stage: what is being done, in one or two words.
        detail: what exactly.
        stages: seconds that earlier stages took.
        rung: the rung being trained towards, from 0.
        rungs: how many there are.
        alive: trials still training.
        done: trials of this rung finished.
        expected: trials of this rung in all.
        seconds: since the run was begun, or went on.
        job_seconds_left: what the search and the retraining of its winner should still take.
        plan: what the budget was turned into; ``None`` before that.
        entries: of the ledger so far.
        trials: as they stand, with their curves so far.
        written: when this was written, in seconds since 1970.
        ended: why the run is not going on, in words; empty while it is.

    Example:
        >>> LiveRecord("adult", "", "", "adult.csv", "income", "classification", "error", budget="2m", budget_seconds=120).seconds_left
        120.0
    """

    name: str
    command: str
    created: str
    source: str
    target: str
    task: Task
    metric: str
    columns: tuple[ColumnDecision, ...] = ()
    split: SplitDecision | None = None
    notes: tuple[str, ...] = ()
    budget: str = ""
    budget_seconds: float | None = None
    stage: str = "starting"
    detail: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    rung: int | None = None
    rungs: int | None = None
    alive: int | None = None
    done: int | None = None
    expected: int | None = None
    seconds: float = 0.0
    job_seconds_left: float | None = None
    plan: Plan | None = None
    entries: tuple[LedgerEntry, ...] = ()
    trials: tuple[Trial, ...] = ()
    written: float = 0.0
    ended: str = ""
    format: int = RECORD_FORMAT

    @property
    def seconds_left(self) -> float | None:
        """For the whole run: what the budget leaves, or else what the search expects."""
        left = self.job_seconds_left if self.budget_seconds is None else self.budget_seconds - self.seconds
        return left if left is not None and left >= 1 else None  # the last second is spent on what no estimate covers

    @property
    def best(self) -> Trial | None:
        """The trial with the lowest dev loss so far."""
        return min((each for each in self.trials if each.score is not None), key=lambda each: (each.score, each.number), default=None)


def write_live(record: LiveRecord, folder: Path) -> None:
    """Put a live record into a run's folder, in place of the one before.

    Raises:
        RunFolderError: it cannot be written.
    """
    # no checksum and no flush: what is lost with the machine was of a moment, and it is written again a few seconds later
    write_atomically(folder / LIVE, msgspec.json.encode(record), flushed=False)


def read_live(folder: Path, now: float | None = None) -> LiveRecord | None:
    """The live record of a run; ``None`` where there is none, or it cannot be read.

    A run that has said nothing for a minute is taken for interrupted: it was killed, or its machine sleeps.

    Args:
        folder: of the run.
        now: in seconds since 1970; the clock's time unless stated.
    """
    try:
        record = msgspec.json.decode((folder / LIVE).read_bytes(), type=LiveRecord)
    except (OSError, msgspec.DecodeError):
        return None
    silent = (time.time() if now is None else now) - record.written
    if silent > SILENCE and not record.ended:
        return replace(record, ended=f"Nothing was heard of it for {silent / 60:.0f} min: it was interrupted.")
    return record


def read_state(folder: Path) -> Run | LiveRecord:
    """What is known of a run: its record, unless it is on its way (again), or was interrupted before it had one.

    Args:
        folder: of the run.

    Raises:
        RunFolderError: there is no run, nothing is known of it, or its record is damaged or of a newer format.
    """
    check_is_run(folder)
    live = read_live(folder)
    if live is not None and not (live.ended and has_record(folder)):
        return live
    if live is None and not has_record(folder):
        received = f"{folder}, which was interrupted before anything was known"
        raise RunFolderError(Problem("a run has a record, or is on its way", received, f"Continue it: shoal resume {folder}"))
    return read_record(folder)


def version_of(folder: Path) -> tuple[Any, ...]:
    """What changes whenever ``read_state`` may have something new to say."""
    stamps = []
    for name in (LIVE, RECORD):
        try:
            stamps.append((folder / name).stat().st_mtime_ns)
        except OSError:
            stamps.append(None)
    return tuple(stamps)
