"""What a long job says while it works, and how it is asked to stop: events, the function that listens to them, a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shoal.records import LedgerEntry, Plan, Trial


@dataclass(frozen=True, slots=True)
class Event:
    """How far a job is. Everything but the stage may be unknown.

    Args:
        stage: what is being done, in one or two words, for example ``"search"``.
        detail: what exactly, for example a file name.
        rung: the rung being trained towards, from 0.
        rungs: how many rungs there are.
        alive: trials still training.
        done: trials (or, outside the search, pieces of work) finished.
        trials: trials (or pieces of work) in all.
        best: best dev score so far.
        metric: what ``best`` is measured in.
        seconds_left: estimate of the time left for the whole job.
        entry: a line of the ledger that was just written.
        plan: of the search that begins.
        trained: trials that were just trained further, as they stand.

    Example:
        >>> Event("search", rung=1, rungs=4, best=0.31, metric="log loss").stage
        'search'
    """

    stage: str
    detail: str = ""
    rung: int | None = None
    rungs: int | None = None
    alive: int | None = None
    done: int | None = None
    trials: int | None = None
    best: float | None = None
    metric: str = ""
    seconds_left: float | None = None
    entry: LedgerEntry | None = None
    plan: Plan | None = None
    trained: tuple[Trial, ...] = ()


Listener = Callable[[Event], None]
"""A function that is told about every event."""


@dataclass(slots=True)
class Stop:
    """A request to end a job early, with what is known so far.

    Args:
        asked: whether it was made; the job looks at it after each piece of training.
        possible: set by the job once there is something to end with.
        at_once: whether the job was interrupted where it stood.
    """

    asked: bool = False
    possible: bool = False
    at_once: bool = False

    @property
    def due(self) -> bool:
        """Whether the job is to end now."""
        return self.asked and self.possible
