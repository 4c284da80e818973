"""Runs beside each other: one page, a table on a terminal, and plain data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shoal.measurements.comparison import Paired
from shoal.records import Run, Trial
from shoal.report.curves import POINTS_OF_A_CURVE, trial_words
from shoal.report.drawing import Figure, Key, Spec, bulk_axis, five_digits, log_axis, plain
from shoal.report.page import drawn_page
from shoal.report.scores import dots_of, rows_layout
from shoal.report.wording import (
    NOTHING,
    PARTS,
    SETTINGS,
    SHARES,
    difference,
    duration,
    error_name,
    metric_name,
    one_line,
    recipe_line,
    score,
    score_span,
    setting,
)
from shoal.storage import write_atomically

COLOURS = ("--accent", "--bad", "--ok", "--unsure", "--muted")
"""Of the runs, in order; further ones are dashed."""


def write_comparison(runs: Sequence[Run], paired: Paired, path: Path) -> None:
    """Write the page, atomically.

    Args:
        runs: the records, the one that the others are compared with first.
        paired: how their models differ.
        path: of the file.

    Raises:
        RunFolderError: it cannot be written.
    """
    write_atomically(path, comparison_page(runs, paired).encode(errors="backslashreplace"))


def comparison_page(runs: Sequence[Run], paired: Paired) -> str:
    """The page as text; arguments as for ``write_comparison``."""
    drawn = {figure.name: figure for figure in (_score_figure(runs, paired), _curves_figure(runs)) if figure is not None}
    first = runs[0]
    return drawn_page(
        "compare.html",
        drawn,
        "".join(run.fingerprint + run.created for run in runs),
        runs=runs,
        names=_names(runs),
        part=PARTS[paired.part],
        tested=paired.part == "test",
        metric=metric_name(first.metric),
        error=error_name(first),
        better="higher" if first.greater_is_better else "lower",
        rows=_rows(runs, paired),
        settings=_settings(runs),
        baselines=_baselines(runs),
        stages=list(dict.fromkeys(stage for run in runs for stage in run.stages)),
    )


def comparison_text(runs: Sequence[Run], paired: Paired) -> RenderableType:
    """The same in short for a terminal; arguments as for ``write_comparison``."""
    first, tested = runs[0], paired.part == "test"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(f"{metric_name(first.metric)}, {'higher' if first.greater_is_better else 'lower'} is better", overflow="fold")
    table.add_column("verdict", overflow="fold")
    for name in ("dev", *(["test"] if tested else []), "against the first", "time"):
        table.add_column(name, justify="right")
    for place, (row, run) in enumerate(zip(_rows(runs, paired), runs, strict=True), 1):
        cells = [row["dev"], *([row["test"]] if tested else []), row["difference"] or ("" if place == 1 else "not paired"), row["time"]]
        table.add_row(Text(f"{place}  {one_line(row['name'])}"), run.verdict.title, *(each.replace(" (", "\n(") for each in cells))
    lines = [Text(sentence, "dim") for sentence in _sentences(paired, error_name(first))]
    lines += [Text(f"{each.run + 1} cannot be paired with 1: {one_line(each.why)}.", "yellow") for each in paired.differences if each.why]
    changed = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    changed.add_column("setting of the recipe")
    for place in range(1, len(runs) + 1):
        changed.add_column(str(place), overflow="fold")
    for name, values, _ in _settings(runs):
        changed.add_row(Text(name), *map(Text, values))
    same = Text("The recipes are the same.", "dim")
    return Group(table, Text(), *lines, Text(), changed if changed.row_count else same)


def comparison_json(runs: Sequence[Run], paired: Paired, folders: Sequence[Path]) -> dict[str, Any]:
    """The same as the plain object that ``--json`` prints.

    Args:
        runs: as for ``write_comparison``.
        paired: likewise.
        folders: of the runs.
    """
    return {
        "metric": runs[0].metric,
        "greater_is_better": runs[0].greater_is_better,
        "part": paired.part,
        "runs": [
            {
                "run": str(folder),
                "verdict": run.verdict.title,
                "stopped": run.stopped,
                **{part: asdict(run.scores[part][run.metric]) if part in run.scores else None for part in ("train", "dev", "test")},
                "recipe": run.recipe.to_dict(),
                "trials": sum(trial.purpose == "search" for trial in run.trials),
                "seconds": run.seconds,
                "fingerprint": run.fingerprint,
            }
            for folder, run in zip(folders, runs, strict=True)
        ],
        "differences_of_error_to_the_first": [
            {"run": str(folders[each.run]), "error": asdict(each.error) if each.error else None, "rows": each.rows, "why": each.why}
            for each in paired.differences
        ],
        "recipe_differences": {name: dict(zip(map(str, folders), values, strict=True)) for name, values, _ in _settings(runs)},
    }


def _sentences(paired: Paired, error: str) -> list[str]:
    said = ["Scores have 95 % intervals."]
    if any(each.error for each in paired.differences):
        said.append(
            f'"Against the first" is the {error} less that of run 1 on the same {paired.part} rows: below 0 is better. Its 95 % interval '
            "is over the rows, drawn again for both models together."
        )
    if paired.part == "test":
        said.append("The test rows are looked at again here: a run chosen by them is no longer scored honestly by them.")
    else:
        said.append("Without test rows in every run these are dev scores, by which each run chose: they are optimistic.")
    return said


def _names(runs: Sequence[Run]) -> list[str]:
    """What the runs are called: by name, with their place where that is not their own."""
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _rows(runs: Sequence[Run], paired: Paired) -> list[dict[str, str]]:
    """What the first table says of each run."""
    differences = {each.run: each for each in paired.differences}
    rows = []
    for place, (name, run) in enumerate(zip(_names(runs), runs, strict=True)):
        spans = {part: score_span(run.scores[part][run.metric], run.metric) if part in run.scores else NOTHING for part in PARTS}
        found = differences.get(place)
        rows.append(
            {
                **spans,
                "name": name,
                "difference": difference(found.error, run.metric) if found and found.error else "",
                "why": found.why if found else "",
                "judged": "" if not (found and found.error) else _judged(found.error.low, found.error.high),
                "trials": f"{sum(trial.purpose == 'search' for trial in run.trials):,}",
                "time": duration(run.seconds),
                "recipe": recipe_line(run.recipe),
            }
        )
    return rows


def _judged(low: float, high: float) -> str:
    return "better" if high < 0 else "worse" if low > 0 else "cannot tell"


def _settings(runs: Sequence[Run]) -> list[tuple[str, list[str], bool]]:
    """The settings in which the winning recipes differ, their values in words, and whether they are numbers."""
    recipes = [run.recipe.to_dict() for run in runs]
    differing = [name for name in SETTINGS if len({repr(recipe[name]) for recipe in recipes}) > 1]
    return [(name, [setting(recipe[name]) for recipe in recipes], isinstance(recipes[0][name], int | float)) for name in differing]


def _baselines(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The references' dev scores, run by run."""
    names = dict.fromkeys(baseline.name for run in runs for baseline in run.baselines)
    dev = [{baseline.name: score_span(baseline.dev, run.metric) for baseline in run.baselines} for run in runs]
    return [(name, [scores.get(name, NOTHING) for scores in dev]) for name in names]


def _score_figure(runs: Sequence[Run], paired: Paired) -> Figure | None:
    """The score of every run on the part that they are compared on."""
    metric, factor = runs[0].metric, 100.0 if runs[0].metric in SHARES else 1.0
    spans = [run.scores[paired.part][metric] for run in runs]
    words = [score_span(span, metric) for span in spans]
    ys = [float(-row) for row in range(len(runs))]
    trace = dots_of(spans, ys, factor, [COLOURS[place % len(COLOURS)] for place in range(len(runs))])
    trace["text"] = [f"{plain(name)}: {said}" for name, said in zip(_names(runs), words, strict=True)]
    labels = [f"<b>{place}</b>  {score(span, metric)}" for place, span in enumerate(spans, 1)]
    title = f"{PARTS[paired.part]} {metric_name(metric)}{', %' if factor == 100 else ''}"
    layout = rows_layout(labels, ys, title, [end * factor for span in spans for end in (span.low, span.high)])
    said = "; ".join(f"{name}: {each}" for name, each in zip(_names(runs), words, strict=True))
    return Figure("scores", f"{title}, with 95 % intervals. {said}.", 86 + 40 * len(runs), [trace], layout)


def _curves_figure(runs: Sequence[Run]) -> Figure | None:
    """The dev loss of the winner's networks over the epochs, run by run."""
    data: list[Spec] = []
    key, losses, epochs = [], [], []
    for place, (run, name) in enumerate(zip(runs, _names(runs), strict=True)):
        shown = _winners(run)
        line = {"color": COLOURS[place % len(COLOURS)], "width": 2} | ({"dash": "dash"} if place >= len(COLOURS) else {})
        curves = [_curve(trial, line, name) for trial in shown]
        data += curves
        losses += [loss for curve in curves for loss in curve["y"] if loss is not None]
        epochs += [epoch for curve in curves for epoch in curve["x"]]
        if curves:
            key.append(Key("dot" if place >= len(COLOURS) else "bold", line["color"], f"{place + 1}  {name}"))
    if not losses:
        return None
    layout: Spec = {
        "xaxis": {"title": {"text": "epoch"}} | log_axis(max(min(epochs), 1e-3), max(epochs), ticks=6),
        "yaxis": {"title": {"text": "dev loss"}} | bulk_axis(losses),
        "margin": {"l": 52, "r": 14, "t": 12, "b": 44},
    }
    alternative = f"Dev loss over the epochs of the winning networks of {len(runs)} runs. The tables hold each run's scores."
    return Figure("curves", alternative, 400, data, layout, tuple(key))


def _winners(run: Run) -> list[Trial]:
    """The networks of the winning recipe on fresh seeds, or in the search where it was not trained again; at most the middle three."""
    own = [trial for trial in run.trials if trial.recipe == run.recipe and trial.score is not None and trial.trace.epochs]
    some = [trial for trial in own if trial.purpose == "retrain"] or own
    middle = median(trial.score or 0.0 for trial in some) if some else 0.0
    return sorted(some, key=lambda trial: (abs((trial.score or 0.0) - middle), trial.number))[:3]


def _curve(trial: Trial, line: Spec, name: str) -> Spec:
    every = max(1, len(trial.trace.epochs) // (2 * POINTS_OF_A_CURVE))
    return {
        "type": "scatter",
        "mode": "lines" if len(trial.trace.epochs) > 1 else "markers",
        "marker": {"color": line["color"], "size": 5},
        "x": [five_digits(epoch) for epoch in trial.trace.epochs[::every]],
        "y": [five_digits(loss) for loss in trial.trace.dev_loss[::every]],
        "line": line,
        "hovertemplate": f"<b>{plain(name)}</b><br>{trial_words(trial)}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
    }
