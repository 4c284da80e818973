"""The report of a run that has not come to its end: a light page without Plotly, which renews itself."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from shoal.live_record import LiveRecord
from shoal.report import wording
from shoal.report.curves import trial_curves
from shoal.report.page import own_file, plain_page
from shoal.report.svg import drawn
from shoal.storage import write_atomically

SECONDS_BETWEEN = 5
"""After which a browser without scripts loads the page again."""
ROWS_SHOWN = 20


def write_live_report(record: LiveRecord, path: Path) -> None:
    """Write the page into a run's folder, where the final report will take its place.

    Args:
        record: what is known.
        path: of the file.

    Raises:
        RunFolderError: it cannot be written.
    """
    write_atomically(path, live_page(record).encode(errors="backslashreplace"), flushed=False)


def live_page(record: LiveRecord, watched: bool = False) -> str:
    """The page as text.

    Args:
        record: what is known.
        watched: whether it is served and may ask its server for news; a file is loaded again instead.

    Example:
        >>> record = LiveRecord("adult", "", "2026-11-22", "adult.csv", "income", "classification", "error", stage="search")
        >>> "Still running" in live_page(record)
        True
    """
    curves = trial_curves(record.trials, record.plan.rungs if record.plan else (), record.best and record.best.recipe, so_far=True)
    scored = [trial for trial in record.trials if trial.score is not None]
    left = record.seconds_left
    return plain_page(
        "live.html",
        f"{record.command}{record.written}",
        live=record,
        watched=watched,
        every=SECONDS_BETWEEN,
        share=None if left is None else record.seconds / (record.seconds + left),
        progress=_progress(record),
        best=record.best,
        scored=len(scored),
        curves=curves,
        curves_drawn=drawn(curves) if curves else "",
        rows=sorted(scored, key=lambda trial: (trial.score or 0.0, trial.number))[:ROWS_SHOWN],
        ledger_steps=_steps(record),
        script=own_file("live.js"),
    )


def _progress(record: LiveRecord) -> list[tuple[str, str]]:
    rows = []
    if record.budget:
        rows.append(("Budget", record.budget))
    if record.rung is not None:
        rows.append(("Rung", f"{record.rung + 1}" + (f" of {record.rungs}" if record.rungs else "")))
    if record.done is not None:
        rows.append(("Trained to it", f"{record.done:,}" + (f" of {record.expected:,}" if record.expected else "")))
    if record.alive is not None:
        rows.append(("Still competing", f"{record.alive:,}"))
    rows += [(stage[:1].upper() + stage[1:], wording.duration(seconds)) for stage, seconds in record.stages.items() if seconds >= 0.05]
    return rows


def _steps(record: LiveRecord):
    steps = groupby(record.entries, lambda entry: (entry.step, entry.reason, entry.code))
    return [(step, reason, code, list(group)) for (step, reason, code), group in steps]
