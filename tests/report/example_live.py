"""A run on its way, made from an example of a finished one."""

from __future__ import annotations

from typing import Any

from shoal.live_record import LiveRecord
from shoal.records import Run


def on_its_way(run: Run, **known: Any) -> LiveRecord:
    """What was known of a run in the middle of its search."""
    searched = tuple(trial for trial in run.trials if trial.purpose == "search")
    entries = run.ledger.entries if run.ledger is not None else ()
    copied = ("name", "command", "created", "source", "target", "task", "metric", "columns", "split", "notes", "plan")
    facts: dict[str, Any] = {name: getattr(run, name) for name in copied}
    facts |= {"trials": searched, "entries": entries, "stage": "search", "detail": run.plan.reason, "rung": 1, "rungs": 4, "alive": 21}
    facts |= {"done": 12, "expected": 30, "stages": {"references": 3.2, "recipe loop": 28.0}}
    facts |= {"budget": "2m", "budget_seconds": 120.0, "seconds": 71.3}
    return LiveRecord(**(facts | known))
