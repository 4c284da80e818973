"""A run as one JSON object, for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from shoal.records import Interval, Run


def as_json(run: Run, folder: Path) -> dict[str, Any]:
    """The run as the plain object that ``--json`` prints.

    Args:
        run: the record.
        folder: the run's folder.

    Example:
        >>> as_json(run, Path("runs/adult"))["verdict"]["title"]  # doctest: +SKIP
        'high variance'
    """
    found = [finding for finding in run.findings if finding.outcome == "found"]
    return {
        "run": str(folder),
        "task": run.task,
        "metric": run.metric,
        "greater_is_better": run.greater_is_better,
        **{part: _interval(run.scores.get(part, {}).get(run.metric)) for part in ("train", "train_dev", "dev", "test")},
        "scores": {part: {metric: _interval(interval) for metric, interval in scores.items()} for part, scores in run.scores.items()},
        "baselines": [
            {"name": each.name, "detail": each.detail, "dev": _interval(each.dev), "test": _interval(each.test), "seconds": each.seconds}
            for each in run.baselines
        ],
        "verdict": asdict(run.verdict),
        "next_step": run.next_step,
        "decision": _decision(run),
        "findings": [{"code": each.code, "title": each.title, "severity": each.severity} for each in found],
        "notes": list(run.notes),
        "recipe": run.recipe.to_dict(),
        "trials": sum(trial.purpose == "search" for trial in run.trials),
        "seed": run.seed,
        "seconds": run.seconds,
        "compilations": run.compilations,
        "stopped": run.stopped,
    }


def _decision(run: Run) -> dict[str, Any] | None:
    found = run.decision
    if found is None:
        return None
    threshold = {"class": run.classes[found.rarer], "threshold": found.threshold} if len(run.classes) == 2 else {}
    without = {part: _interval(each) for part, each in run.measured.most_probable.items()}
    return {"exponent": found.exponent, "shares": dict(zip(run.classes, found.shares, strict=True)), **threshold, "most_probable": without}


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {"value": interval.value, "low": interval.low, "high": interval.high}
