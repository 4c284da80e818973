"""What a long job says while it works: events, and the function that listens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shoal.records import LedgerEntry


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


Listener = Callable[[Event], None]
"""A function that is told about every event."""
