"""The report of a run: one HTML file that opens without a network."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from shoal.measurements.answers import Answers
from shoal.recipe import Recipe
from shoal.recipe_file import to_toml
from shoal.records import LedgerEntry, Run, Trial
from shoal.report import wording
from shoal.report.answer_figures import answer_figures
from shoal.report.answers import page_values
from shoal.report.evidence import evidence_values
from shoal.report.figures import figures
from shoal.report.page import drawn_page, prepare_page
from shoal.report.parallel import filters
from shoal.report.slices import PAIRS_KEY, slices_key
from shoal.storage import write_atomically

TEMPLATE = "template.html"
ROWS_SHOWN = 20
"""Rows of a long table shown before "show all" is pressed."""


def prepare_report() -> None:
    """Make ready what every report is made of, while other work waits: half of the time that the first report of a process takes.

    Raises:
        ShoalError: if the plotly package is not installed.
    """
    prepare_page(TEMPLATE)


def write_report(run: Run, path: str | Path) -> None:
    """Write a run's report as one self-contained HTML file, atomically.

    Args:
        run: the record to show.
        path: where the file goes; one that is there is replaced in one step.

    Raises:
        RunFolderError: if the file cannot be written; nothing is left behind.

    Example:
        >>> write_report(run, Path("runs/adult/report.html"))  # doctest: +SKIP
    """
    # a file name that is not UTF-8 reaches us with lone surrogates, which cannot be encoded
    write_atomically(Path(path), report_page(run).encode(errors="backslashreplace"))


def report_page(run: Run) -> str:
    """The report as text.

    Args:
        run: the record to show.

    Raises:
        ShoalError: if the plotly package is not installed.

    Example:
        >>> report_page(run).startswith("<!doctype html>")  # doctest: +SKIP
        True
    """
    drawn = figures(run) | (answer_figures(run.answers) if run.answers is not None else {})
    return drawn_page(
        TEMPLATE,
        drawn,
        run.fingerprint,
        run=run,
        headline=_headline(run),
        budget=_budget_rows(run),
        score_rows=_score_rows(run),
        recipe_rows=_recipe_rows(run.recipe),
        recipe_json=json.dumps(run.recipe.to_dict(), indent=2),
        recipe_toml=to_toml(run.recipe),
        tried=_tried(run),
        ledger_steps=_ledger_steps(run),
        found=wording.found(run.findings),
        unfound=[finding for finding in run.findings if finding.outcome != "found"],
        rows_shown=ROWS_SHOWN,
        filters=filters(run),
        slices=[name for name in drawn if name.startswith("slice-")],
        slices_key=slices_key(run),
        pairs=[name for name in drawn if name.startswith("pair-")],
        pairs_key=PAIRS_KEY,
        has_answers=run.answers is not None,
        **evidence_values(run, drawn),
        **page_values(run.answers or Answers()),
    )


def _headline(run: Run) -> dict[str, Any]:
    part = wording.headline_part(run)
    interval = run.scores.get(part, {}).get(run.metric)
    return {
        "part": part,
        "name": f"{wording.PARTS[part]} {wording.metric_name(run.metric)}",
        "interval": interval,
        "rows": run.split.rows.get(part),
        "tone": {"neither": "good", "cannot tell": "unsure"}.get(run.verdict.title, "bad"),
    }


def _budget_rows(run: Run) -> list[tuple[str, str, str]]:
    metric = run.metric
    rows = [(f"Target error ({run.verdict.target_error_source})", wording.target_error(run), "")]
    for part, name in wording.PARTS.items():
        error = wording.part_error(run, part)
        if error is not None:
            rows.append((f"{name} error", wording.score_span(error, metric), ""))
    for gap in run.verdict.gaps:
        threshold = wording.plain_error(gap.threshold, metric).replace(" %", " points")
        rows.append(
            (
                f"Gap: {gap.name}",
                wording.difference(gap.size, metric),
                f"{gap.high.capitalize()}; it does from {threshold}. {gap.explanation}",
            )
        )
    return rows


def _score_rows(run: Run) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """The metrics, and for each model and part the scores in them."""
    metrics = [run.metric, *sorted({metric for scores in run.scores.values() for metric in scores} - {run.metric})]
    rows = []
    for part, name in wording.PARTS.items():
        scores = run.scores.get(part)
        if scores is not None:
            cells = [wording.score_span(scores[metric], metric) if metric in scores else wording.NOTHING for metric in metrics]
            rows.append(("shoal", name, cells))
    blanks = [wording.NOTHING] * (len(metrics) - 1)
    for baseline in run.baselines:
        for name, interval in (("Dev", baseline.dev), ("Test", baseline.test)):
            if interval is not None:
                rows.append((f"{baseline.name}: {baseline.detail}", name, [wording.score_span(interval, run.metric), *blanks]))
    return metrics, rows


def _recipe_rows(recipe: Recipe) -> dict[str, list[tuple[str, str, str]]]:
    """Each setting, its value and its default: those that differ from it, and the others, whose default is left empty."""
    changed, shown = Recipe().diff(recipe), recipe.to_dict()
    rows = [(name, wording.setting(shown[name]), wording.setting(changed[name][0]) if name in changed else "") for name in wording.SETTINGS]
    return {"changed": [row for row in rows if row[0] in changed], "usual": [row for row in rows if row[0] not in changed]}


def _tried(run: Run) -> dict[str, Any]:
    """The trials of the search with the settings that varied; those that did not are said once."""
    trials = wording.by_score(run.trials)
    settings = [trial.recipe.to_dict() for trial in trials]
    numeric = {name for name in wording.SETTINGS if settings and isinstance(settings[0][name], int | float | tuple)}
    varied = [name for name in wording.SETTINGS if len({repr(each[name]) for each in settings}) > 1]

    def row(trial: Trial) -> dict[str, Any]:
        values = trial.recipe.to_dict()
        # what the column is sorted by beside what it shows: numbers are not to be sorted as text
        cells = [(_sort_key(values[name]), wording.setting(values[name], digits=3), name in numeric) for name in varied]
        return {"trial": trial, "winner": wording.is_winner(run, trial), "cells": cells}

    return {
        "varied": [(name, name in numeric) for name in varied],
        "fixed": [(name, wording.setting(settings[0][name])) for name in wording.SETTINGS if settings and name not in varied],
        "rows": [row(trial) for trial in trials],
        "counts": {status: sum(trial.status == status for trial in trials) for status in dict.fromkeys(trial.status for trial in trials)},
        "retrains": [trial for trial in run.trials if trial.purpose == "retrain"],
    }


def _ledger_steps(run: Run) -> list[tuple[int, str, str, list[LedgerEntry]]]:
    """The entries of the ledger, step by step, with what each step answered."""
    entries = run.ledger.entries if run.ledger is not None else ()
    steps = groupby(entries, lambda entry: (entry.step, entry.reason, entry.code))
    return [(step, reason, code, list(group)) for (step, reason, code), group in steps]


def _sort_key(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)}.{sum(value):012.3f}"
    return "" if value is None else f"{value:d}" if isinstance(value, bool) else str(value)
