"""The ledger as a waterfall: from the first recipe's dev error to the result's, a row for each change that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from textwrap import shorten, wrap

from shoal.records import Interval, Ledger, LedgerEntry, Run
from shoal.report.drawing import Figure, Key, Spec, error_bars, five_digits, plain, upright
from shoal.report.wording import SHARES, difference, effect, error_name, score_span

NAME_LENGTH = 20
DECIDED = {"kept": "--accent", "rejected": "--muted", "measured": "--muted"}


@dataclass(frozen=True, slots=True)
class Row:
    """A change at the level of dev error that it was made at, and the random change tried beside it."""

    level: float
    entry: LedgerEntry
    control: LedgerEntry | None


def waterfall_figure(run: Run) -> Figure | None:
    """Dev error from left to right, changes from top to bottom; a change that was kept moves the level for those after it."""
    ledger = run.ledger
    if ledger is None or not ledger.entries or "dev" not in ledger.errors:
        return None
    begin, result = ledger.errors["dev"]
    rows = waterfall_rows(ledger)
    factor = 100.0 if run.metric in SHARES else 1.0
    ys = {index: -float(index + 1) for index in range(len(rows))}
    bottom = -float(len(rows) + 1)
    ends = [_point(0.0, begin, f"first recipe: {score_span(begin, run.metric)}", factor, "--ink")]
    ends.append(_point(bottom, result, f"result: {score_span(result, run.metric)}", factor, "--ink"))
    changes = [_effects([(ys[i] + 0.12, row.level, row.entry) for i, row in enumerate(rows)], run.metric, factor, "proposal")]
    bars = [_bar(ys[i] + 0.12, row, factor) for i, row in enumerate(rows)]
    beside = [(ys[i] - 0.24, row.level, row.control) for i, row in enumerate(rows) if row.control is not None]
    controls = [_effects(beside, run.metric, factor, "control")] if beside else []
    labels = ["<b>First recipe</b>", *(_label(row.entry) for row in rows), "<b>Result</b>"]
    title = error_name(run)
    layout: Spec = {
        "xaxis": {
            "title": {"text": f"dev {title}{', %' if factor == 100 else ''}"},
            "nticks": 5,
            "exponentformat": "none",
            "separatethousands": True,
        },
        "yaxis": {
            "tickvals": [0.0, *ys.values(), bottom],
            "ticktext": labels,
            "range": [bottom - 0.6, 0.6],
            "showgrid": False,
            "ticklen": 6,
        },
        "shapes": [*_levels(rows, begin, factor), upright(begin.value * factor, "--muted", "dot")],
        "margin": {"l": 10, "r": 14, "t": 6, "b": 44},
    }
    kept = [row.entry.change for row in rows if row.entry.decision == "kept"]
    words = (
        f"Dev {title} from {score_span(begin, run.metric)} with the first recipe to {score_span(result, run.metric)} with the result. "
        f"{len(rows)} change{'s' * (len(rows) != 1)} tried, {len(kept)} kept{': ' if kept else ''}{'; '.join(kept)}. "
        "The table of the ledger holds every effect."
    )
    key = (
        *([Key("■", "--accent", "kept")] if kept else []),
        *([Key("■", "--muted", "not kept")] if len(kept) < len(rows) else []),
        *([Key("○", "--muted", "random change beside it")] if beside else []),
        Key("solid", "--muted", "level the changes were made at"),
    )
    return Figure("waterfall", words, 84 + 38 * (len(rows) + 2), [*bars, *controls, *changes, *ends], layout, key)


def waterfall_rows(ledger: Ledger) -> list[Row]:
    """The changes in their order, each with the level it was made at.

    A step's changes are all made to one recipe: what is kept of them moves the level for the next step.
    """
    level = ledger.errors["dev"][0].value
    rows: list[Row] = []
    for _, group in groupby(ledger.entries, lambda entry: entry.step):
        entries = list(group)
        controls = [entry for entry in entries if entry.kind == "control"]
        changes = [entry for entry in entries if entry.kind != "control"]
        rows += [Row(level, change, controls[at] if at < len(controls) else None) for at, change in enumerate(changes)]
        level += sum(change.dev.value for change in changes if change.decision == "kept")
    return rows


def _label(entry: LedgerEntry) -> str:
    """The change on at most two lines, so that a phone has room for the bars."""
    lines = wrap(entry.change, NAME_LENGTH, max_lines=2, placeholder="…")
    name = "<br>".join(plain(line) for line in lines)
    return f"<b>{name}</b>" if entry.decision == "kept" else name


def _levels(rows: list[Row], begin: Interval, factor: float) -> list[Spec]:
    """Short verticals that carry the level from row to row."""
    levels = [begin.value, *(row.level for row in rows)]
    last = rows[-1]
    in_last_step = [row.entry.dev.value for row in rows if row.entry.step == last.entry.step and row.entry.decision == "kept"]
    levels.append(last.level + sum(in_last_step))
    places = [five_digits(level * factor) for level in levels]
    line = {"type": "line", "line": {"color": "--muted", "width": 1}}
    return [line | {"x0": x, "x1": x, "y0": 0.4 - at, "y1": -0.6 - at} for at, x in enumerate(places)]


def _bar(y: float, row: Row, factor: float) -> Spec:
    after = row.level + row.entry.dev.value
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [five_digits(row.level * factor), five_digits(after * factor)],
        "y": [y, y],
        "line": {"color": DECIDED[row.entry.decision], "width": 13},
        "opacity": 0.75 if row.entry.decision == "kept" else 0.4,
        "hoverinfo": "skip",
    }


def _effects(entries: list[tuple[float, float, LedgerEntry]], metric: str, factor: float, kind: str) -> Spec:
    faint = kind == "control"
    spec = _dots(
        [(y, Interval(level + entry.dev.value, level + entry.dev.low, level + entry.dev.high)) for y, level, entry in entries], factor
    )
    spec["text"] = [_hover(entry, metric) for _, _, entry in entries]
    colours = ["--accent" if entry.decision == "kept" else "--muted" for _, _, entry in entries]
    spec["marker"] = {"size": 7 if faint else 9, "color": colours, "symbol": "circle-open" if faint else "circle"}
    spec["error_x"] |= {"color": "--muted" if faint else "--ink", "thickness": 1 if faint else 1.5, "width": 2 if faint else 4}
    spec["opacity"] = 0.7 if faint else 1.0
    return spec


def _point(y: float, error: Interval, words: str, factor: float, colour: str) -> Spec:
    spec = _dots([(y, error)], factor)
    spec["text"] = [words]
    spec["marker"] = {"size": 11, "color": colour, "symbol": "diamond"}
    spec["error_x"] |= {"color": "--ink", "thickness": 1.6, "width": 5}
    return spec


def _dots(placed: list[tuple[float, Interval]], factor: float) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits(each.value * factor) for _, each in placed],
        "y": [y for y, _ in placed],
        "error_x": error_bars((each for _, each in placed), factor),
        "hoverinfo": "text",
    }


def _hover(entry: LedgerEntry, metric: str) -> str:
    name = f"random: {entry.change}" if entry.kind == "control" else entry.change
    lines = [f"<b>{plain(shorten(name, 120, placeholder='…'))}</b>"]
    lines += [f"dev error {difference(entry.dev, metric)}", f"dev loss {effect(entry.loss)}"]
    if entry.kind != "control":
        lines.append(plain(f"{entry.decision}: {shorten(entry.why, 160, placeholder='…')}"))
    return "<br>".join(lines)
