"""The evidence behind the findings: where on the page each is seen, the rows that are most wrong, and the tables of the pictures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from shoal.interval import percent
from shoal.records import Run
from shoal.report.column_clues import column_marks, tested_words
from shoal.report.confusion import confusion_values
from shoal.report.labels import label_values
from shoal.report.learning_curve_figure import learning_curve_rows, learning_curve_words
from shoal.report.reliability import reliability_values
from shoal.report.residuals import residual_rows
from shoal.report.signals_figure import signal_rows, signals_key
from shoal.report.wording import number

SEEN_IN = {
    "SH101": ("learning-curve", "budget"),
    "SH102": ("learning-curve", "budget"),
    "SH103": ("budget",),
    "SH104": ("budget",),
    "SH105": ("budget",),
    "SH106": ("scores",),
    "SH107": ("scores",),
    "SH108": ("scores",),
    "SH109": ("confusion-dev",),
    "SH110": ("reliability-dev",),
    "SH111": ("confusion-dev",),
    "SH112": ("wrong-rows", "reliability-dev"),
    "SH201": ("parallel", "curves"),
    "SH202": ("curves",),
    "SH203": ("curves",),
    "SH204": ("curves",),
    "SH205": ("curves",),
    "SH206": ("curves",),
    "SH207": ("curves",),
    "SH301": ("columns",),
    "SH302": ("columns",),
    "SH303": ("split",),
    "SH304": ("split",),
    "SH305": ("split",),
    "SH306": ("columns",),
    "SH307": ("columns",),
    "SH308": ("columns",),
    "SH309": ("columns",),
    "SH310": ("wrong-rows",),
    "SH401": ("signals-gradient",),
    "SH402": ("signals-gradient",),
    "SH403": ("signals-units",),
    "SH404": ("signals-units",),
    "SH405": ("signals-units",),
    "SH406": ("signals-activation",),
    "SH501": ("learning-curve",),
    "SH502": ("learning-curve",),
}
"""Where the evidence of a finding is seen: pictures and sections by name, the most telling first."""
NAMES = {
    "budget": "Where the error comes from",
    "columns": "Columns",
    "confusion-dev": "Confusion matrix",
    "curves": "Learning curves",
    "learning-curve": "Error against training rows",
    "parallel": "What the search tried",
    "reliability-dev": "Reliability of the probabilities",
    "scores": "Scores",
    "signals-activation": "Activations by layer",
    "signals-gradient": "Gradients by layer",
    "signals-units": "Units by layer",
    "split": "The split",
    "wrong-rows": "The most confident mistakes",
}


def seen_in(run: Run, figures: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """For each finding the places on the page that show it: an anchor and its name.

    Args:
        run: the record.
        figures: names of the pictures that are drawn.

    Example:
        >>> seen_in(run, ["budget"])["SH102"]  # doctest: +SKIP
        [('figure-budget', 'Where the error comes from')]
    """
    sections = {"columns", "split", *(["wrong-rows"] if run.measured.wrong_rows else [])}
    found = {}
    for finding in run.findings:
        places = [name for name in SEEN_IN.get(finding.code, ()) if name in sections or name in figures]
        found[finding.code] = [(name if name in sections else f"figure-{name}", NAMES[name]) for name in places]
    return found


def evidence_values(run: Run, figures: Collection[str]) -> dict[str, Any]:
    """What the templates of these sections name.

    Args:
        run: the record.
        figures: names of the pictures that are drawn.
    """
    marks = column_marks(run)
    named = {column.name for column in run.columns}
    return {
        "seen_in": seen_in(run, figures),
        "learning_curve_words": learning_curve_words(run),
        "learning_curve_rows": learning_curve_rows(run),
        "signals_key": signals_key(run),
        "signals": [name for name in figures if name.startswith("signals-")],
        "signal_rows": signal_rows(run),
        "confusions": [name for name in figures if name.startswith("confusion-")],
        **confusion_values(run),
        **label_values(run),
        "reliabilities": [name for name in figures if name.startswith("reliability-")],
        **reliability_values(run),
        "residuals": [name for name in figures if name.startswith(("predicted-", "residuals-"))],
        "residual_rows": residual_rows(run),
        "wrong_rows": _wrong_rows(run),
        "column_marks": marks,
        "other_marks": {name: found for name, found in marks.items() if name not in named},
        "tested_words": tested_words(run),
    }


def _wrong_rows(run: Run) -> list[dict[str, Any]]:
    """Each row with its answers in words."""

    def said(value: str | float | None) -> str:
        return value if isinstance(value, str) else number(value)

    def sure(share: float | None) -> str:
        # a mistake is never quite certain, and 100 % would say so
        return "" if share is None else ">99.9 %" if 0.9995 < share < 1 else "<0.1 %" if 0 < share < 0.0005 else percent(share)

    return [
        {
            "name": each.name,
            "truth": said(each.truth),
            "answer": said(each.answer),
            "sure": sure(each.probability),
            "of_truth": sure(each.of_truth),
            "off": "" if isinstance(each.truth, str) or isinstance(each.answer, str) else number(each.truth - each.answer),
            "values": each.values,
            "picture": each.picture,
            "label": each.label,
        }
        for each in run.measured.wrong_rows
    ]
