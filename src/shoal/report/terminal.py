"""The end of a run on one screen of a terminal."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shoal.records import Run
from shoal.report.answers import answers_text
from shoal.report.ledger import ledger_summary
from shoal.report.wording import (
    NOTHING,
    PARTS,
    decision,
    difference,
    duration,
    found,
    headline_part,
    metric_name,
    model_made,
    one_line,
    recipe_line,
    score_span,
    target_error,
)

TONES = {"neither": "green", "cannot tell": "yellow"}
SEVERITIES = {"high": "red", "medium": "yellow", "low": "cyan", "note": "dim"}
JUDGED = {"yes": ("high", "red"), "no": ("not high", "dim"), "cannot tell": ("cannot tell", "yellow")}
FINDINGS_SHOWN = 4
NOTES_SHOWN = 3


def summary(run: Run, folder: Path, verbose: bool = False) -> RenderableType:
    """The end screen: the verdict, the one next step, the recipe, the scores beside the references, and the paths.

    Strings of the user's are shown as they are: nothing in them is read as markup, and control characters are taken out.

    Args:
        run: the record.
        folder: the run's folder.
        verbose: add the verdict in sentences, what was decided about each column, and why the rows were split so.

    Example:
        >>> from rich.console import Console
        >>> Console().print(summary(run, Path("runs/adult")))  # doctest: +SKIP
    """
    blocks: list[RenderableType] = [_verdict(run, verbose), _scores(run), _recipe(run)]
    if run.stopped:
        go_on = f"Go on: shoal resume {quote(str(folder))}"
        blocks.insert(0, Text.assemble(("Stopped early  ", "bold yellow"), f"{run.stopped} ", (one_line(go_on), "cyan")))
    if (tried := ledger_summary(run)) is not None:
        blocks.append(tried)
    if run.answers is not None and (run.ledger is None or verbose):
        blocks.append(answers_text(run.answers, verbose))
    if found(run.findings):
        blocks.append(_findings(run))
    if run.notes:
        shown = len(run.notes) if verbose else NOTES_SHOWN
        more = [f"and {len(run.notes) - shown} more in the report"] if len(run.notes) > shown else []
        blocks.append(_lines("About the data", [*map(one_line, run.notes[:shown]), *more]))
    if verbose:
        references = [f"{one_line(each.name)}: {one_line(each.detail)}, {duration(each.seconds)}" for each in run.baselines]
        blocks += [
            _lines("References", references),
            _columns(run),
            _lines(f"Split: {one_line(run.split.method)}", [_split_rows(run), one_line(run.split.reason)]),
        ]
    blocks.append(_paths(run, folder))
    spaced: list[RenderableType] = []
    for block in blocks:
        spaced += [block, Text()]
    return Group(*spaced[:-1])


def show_text(run: Run, folder: Path, verbose: bool = False) -> RenderableType:
    """What ``shoal show`` prints about a saved run: the end screen again.

    Args:
        run: the record.
        folder: the run's folder.
        verbose: add column decisions and the reason of the split.
    """
    return summary(run, folder, verbose)


def _verdict(run: Run, verbose: bool) -> RenderableType:
    title = Text.assemble((f"{run.verdict.title.capitalize()}", f"bold {TONES.get(run.verdict.title, 'red')}"))
    gaps = Table.grid(padding=(0, 2))
    gaps.add_row(Text("target error", "dim"), Text(target_error(run)), Text(run.verdict.target_error_source, "dim"))
    for gap in run.verdict.gaps:
        word, tone = JUDGED[gap.high]
        gaps.add_row(Text(gap.name, "dim"), Text(difference(gap.size, run.metric)), Text(word, tone))
    step = Text.assemble(("Next step  ", "bold cyan"), one_line(run.next_step))
    # the text says what the rows say, in sentences
    words = [Text(one_line(run.verdict.text))] if verbose or not run.verdict.gaps else []
    return Group(title, *words, Padding(gaps, (0, 0, 0, 2)), Text(), step)


def _scores(run: Run) -> RenderableType:
    tested = headline_part(run) == "test"
    better = "higher" if run.greater_is_better else "lower"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(f"{metric_name(run.metric)}, {better} is better")
    # without test rows, the dev score is all there is, and too good: the recipe was chosen by it
    table.add_column("dev" if tested else "dev (optimistic)", justify="right", no_wrap=True)
    if tested:
        table.add_column("test, used once", justify="right", no_wrap=True)

    def cells(name: Text, intervals: list, style: str = "") -> None:
        written = [score_span(interval, run.metric) if interval is not None else NOTHING for interval in intervals]
        table.add_row(name, *written, style=style)

    own = [run.scores.get(part, {}).get(run.metric) for part in ("dev", "test")]
    cells(Text("shoal"), own if tested else own[:1], "bold")
    for baseline in run.baselines:
        cells(Text(one_line(baseline.name)), [baseline.dev, baseline.test] if tested else [baseline.dev])
    train = run.scores.get("train", {}).get(run.metric)
    caption = f"95 % intervals.  On the training rows: {score_span(train, run.metric)}" if train else "95 % intervals."
    said = [Text(one_line(sentence))] if (sentence := decision(run)) else []
    return Group(table, Text(caption, "dim"), *said)


def _recipe(run: Run) -> RenderableType:
    searched = sum(trial.purpose == "search" for trial in run.trials)
    retrained = sum(trial.purpose == "retrain" and trial.recipe == run.recipe for trial in run.trials)
    programs = f"{run.compilations} program{'' if run.compilations == 1 else 's'} compiled"
    own = f"{retrained} fresh seed{'' if retrained == 1 else 's'}"
    seeds = f"best of {searched} trials, retrained on {own}" if searched else f"the recipe, trained on {own}"
    if run.plan.first_recipes:
        seeds = f"best of the first recipes of {len(run.plan.shoals)} shapes, each on {retrained} seeds"
    if run.stopped and not retrained:
        seeds = f"best of {searched} trials so far, on its own seed"
    effort = f"{seeds}; {duration(run.seconds)}, {programs}"
    made = [Text.assemble(("Model  ", "bold cyan"), sentence)] if (sentence := model_made(run)) else []
    return Group(Text.assemble(("Recipe  ", "bold cyan"), recipe_line(run.recipe)), Text(effort, "dim"), *made)


def _findings(run: Run) -> RenderableType:
    listed = found(run.findings)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for finding in listed[:FINDINGS_SHOWN]:
        table.add_row(Text(finding.severity, SEVERITIES[finding.severity]), Text(finding.code, "dim"), Text(one_line(finding.title)))
    more = len(listed) - FINDINGS_SHOWN
    return Group(Text("Findings", "bold cyan"), table, *([Text(f"and {more} more in the report", "dim")] if more > 0 else []))


def _columns(run: Run) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("column", overflow="fold", max_width=24)
    table.add_column("kind")
    table.add_column("inputs", justify="right")
    table.add_column("missing", justify="right")
    table.add_column("why", overflow="fold")
    for column in run.columns:
        table.add_row(Text(one_line(column.name)), column.kind, str(column.inputs), f"{column.missing:,}", Text(one_line(column.reason)))
    return table


def _split_rows(run: Run) -> str:
    return ", ".join(f"{PARTS.get(part, part).lower()} {rows:,}" for part, rows in run.split.rows.items()) + " rows"


def _lines(title: str, lines: list[str]) -> RenderableType:
    return Group(Text(title, "bold cyan"), *(Text(line) for line in lines))


def _paths(run: Run, folder: Path) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, path in (
        ("report", folder / "report.html"),
        ("model", folder / "model"),
        ("predict", f"shoal predict {quote(str(folder))} NEW_FILE"),
        *([("ledger", f"shoal ledger {quote(str(folder))}")] if run.ledger is not None and run.ledger.entries else []),
    ):
        grid.add_row(name, Text(one_line(str(path))))
    return grid
