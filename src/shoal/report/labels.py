"""The table of several labels: what becomes of each."""

from __future__ import annotations

from typing import Any

from shoal.interval import Interval
from shoal.measurements import LabelAnswers
from shoal.records import Run
from shoal.report.wording import NOTHING, PARTS, score_span


def label_values(run: Run) -> dict[str, Any]:
    """What the templates name: a line for each label and part."""
    found = run.measured.labels
    labels = [(each, part) for of_parts in zip(*found.values(), strict=True) for each, part in zip(of_parts, found, strict=True)]
    return {"labels": [_line(each, PARTS[part]) for each, part in labels]}


def _line(found: LabelAnswers, part: str) -> dict[str, Any]:
    return {
        "name": found.name,
        "there": found.there,
        "part": part,
        "counts": (found.hits, found.missed, found.false_alarms, found.left_out),
        "recall": _share(found.recall),
        "precision": _share(found.precision),
    }


def _share(share: Interval | None) -> str:
    return NOTHING if share is None else score_span(share, "accuracy")
