"""What a long job says while it works, and how it is asked to stop: events, the function that listens to them, a clock, a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

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

MOST_TO_START = 3.0
"""Seconds of a job's budget that go to the start of its process, at most."""


def silent(event: Event) -> None:
    """A listener that says nothing."""


@dataclass
class Stages:
    """A clock that knows what the time was spent on."""

    listener: Listener
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)
    _stage: str = ""
    _since: float = 0.0

    @classmethod
    def since(cls, started: float | None, listener: Listener) -> Stages:
        """A clock that counts from an earlier moment of ``time.perf_counter``, up to ``MOST_TO_START`` seconds ago: a start that takes
        longer, as after an installation, is not to cost the training its time."""
        now = time.perf_counter()
        begun = now if started is None else min(max(started, now - MOST_TO_START), now)
        return cls(listener, {"starting": now - begun} if begun < now else {}, begun)

    def enter(self, stage: str, detail: str = "", plan: Plan | None = None) -> None:
        """Begin a stage, and say so, with the plan that it keeps to if there is one."""
        self.leave()
        self._stage, self._since = stage, time.perf_counter()
        self.listener(Event(stage, detail, plan=plan))

    def leave(self) -> None:
        """End the stage that is under way."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._since
        self._stage = ""

    @property
    def total(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self.begun


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
