"""What others can see of a run while it works: a thread writes the live record and a light report into its folder."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from shoal.errors import RunFolderError, ShoalError
from shoal.live_record import LiveRecord, write_live
from shoal.progress import Event, Listener
from shoal.records import Trial
from shoal.report import prepare_report, write_live_report
from shoal.saved_run import REPORT

SECONDS_BETWEEN = 3.0
"""Between two writings, at least."""
SHARE = 0.01
"""Of the time that writing may take, at most: a core that writes does not train."""


class LiveRecording:
    """Hears what a run says, and keeps its live record and its report up to date; what goes wrong there never stops the run.

    Used as a context manager around the work. While it lasts, the report in the folder says that the run is on its way; at the end of a run
    that was interrupted it says so, and a run that came to its end is to be reported by whoever has its record.

    Args:
        folder: of the run.
        begun: what is known from the start.
        listener: is told every event as well.
        already: seconds that the run has worked so far.
    """

    def __init__(self, folder: Path, begun: LiveRecord, listener: Listener, already: float = 0.0) -> None:
        self._folder, self._record, self.listener = folder, begun, listener
        self._begun = self._stage_begun = time.monotonic() - already
        self._trials: dict[int, Trial] = {}
        self._over, self._thread = threading.Event(), threading.Thread(target=self._write_on, name="live report", daemon=True)

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        self._trials |= {trial.number: _with_losses_only(trial) for trial in event.trained}
        record, stages, now = self._record, self._record.stages, time.monotonic()
        if event.stage != record.stage:
            stages = {**stages, record.stage: stages.get(record.stage, 0.0) + now - self._stage_begun}
            self._stage_begun = now
        self._record = replace(
            record,
            stage=event.stage,
            detail=event.detail,
            stages=stages,
            rung=event.rung,
            rungs=event.rungs,
            alive=event.alive,
            done=event.done,
            expected=event.trials,
            job_seconds_left=event.seconds_left if event.trained else record.job_seconds_left,
            plan=event.plan or record.plan,
            entries=(*record.entries, event.entry) if event.entry is not None else record.entries,
            trials=tuple(self._trials.values()) if event.trained else record.trials,
        )
        self.listener(event)

    def __enter__(self) -> LiveRecording:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if error is not None:
            # a message of the package's own is about what the user gave; of anything else its name says as much as can be said
            reason = str(error) if isinstance(error, ShoalError) else "It was interrupted."
            self._write(ended=reason)

    def _write_on(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            is_first, begun = not pause, time.thread_time()
            self._write()
            pause = max(SECONDS_BETWEEN, (time.thread_time() - begun) / SHARE)
            if is_first:
                _prepare_report()

    def _write(self, ended: str = "") -> None:
        record = replace(self._record, seconds=time.monotonic() - self._begun, written=time.time(), ended=ended)
        try:
            write_live(record, self._folder)
            write_live_report(record, self._folder / REPORT)
        except RunFolderError:
            return


def _prepare_report() -> None:
    with suppress(ShoalError):  # said by the report itself
        prepare_report()


def _with_losses_only(trial: Trial) -> Trial:
    """What is drawn of a trial."""
    return replace(trial, trace=replace(trial.trace, epochs=(), dev_error=(), gradient_norm=()))
