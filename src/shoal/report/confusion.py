"""The picture of the confusion matrix, and its tables: also of classes by the hundred."""

from __future__ import annotations

import math
from typing import Any

from shoal.measurements import Confusion
from shoal.records import Run
from shoal.report.drawing import Figure, Key, Spec, five_digits, plain
from shoal.report.wording import NOTHING, PARTS, number, score_span

MOST_CLASSES = 30
"""In a picture; of more, those with the most mistakes."""
MOST_WITH_NUMBERS = 10
LONGEST_LABEL = 14
CONFUSIONS_LISTED = 15


def confusion_figures(run: Run) -> list[Figure]:
    """One matrix for each part: rows of the data by what they were answered with, mistakes in another colour than hits."""
    shown = drawn_classes(run)
    return [_figure(run, part, found, shown) for part, found in run.measured.confusion.items()]


def drawn_classes(run: Run) -> list[int]:
    """The classes that are drawn, in their order: all, or of many those in the most mistakes on dev."""
    if len(run.classes) <= MOST_CLASSES or "dev" not in run.measured.confusion:
        return list(range(min(len(run.classes), MOST_CLASSES)))
    involved = dict.fromkeys(range(len(run.classes)), 0)
    for truth, answer, rows in run.measured.confusion["dev"].mistakes:
        involved[truth] += rows
        involved[answer] += rows
    return sorted(sorted(involved, key=lambda each: -involved[each])[:MOST_CLASSES])


def confusion_values(run: Run) -> dict[str, Any]:
    """The tables: each class with how often it is answered rightly, and the most frequent mistakes."""
    found, names = run.measured.confusion, run.classes
    classes = [
        (name, [_of_class(each, place) for each in found.values()], _taken_for(next(iter(found.values())), place, names) if found else "")
        for place, name in enumerate(names)
    ]
    frequent = [
        (PARTS[part], names[truth], names[answer], rows, f"{100 * rows / each.rows[truth]:.1f} %")
        for part, each in found.items()
        for truth, answer, rows in each.mistakes[:CONFUSIONS_LISTED]
    ]
    return {
        "confusion_parts": [PARTS[part] for part in found],
        "confusion_classes": classes,
        "confusion_frequent": frequent,
        "confusion_shown": len(drawn_classes(run)),
    }


def _of_class(found: Confusion, place: int) -> tuple[int, str]:
    right = found.right[place]
    return found.rows[place], NOTHING if right is None else score_span(right, "accuracy")


def _taken_for(found: Confusion, place: int, names: tuple[str, ...]) -> str:
    most = next(((answer, rows) for truth, answer, rows in found.mistakes if truth == place), None)
    return NOTHING if most is None else f"{names[most[0]]} ({most[1]:,})"


def _figure(run: Run, part: str, found: Confusion, shown: list[int]) -> Figure:
    place = {label: at for at, label in enumerate(shown)}
    count = len(shown)
    cells = [(label, label, _hits(found, label)) for label in shown]
    cells += [(truth, answer, rows) for truth, answer, rows in found.mistakes if truth in place and answer in place]
    share: list[list[float | None]] = [[None] * count for _ in shown]
    words = [[""] * count for _ in shown]
    for truth, answer, rows in cells:
        if found.rows[truth] and rows:
            share[place[truth]][place[answer]] = 100 * rows / found.rows[truth]
            words[place[truth]][place[answer]] = f"{rows}"
    names = [run.classes[label] for label in shown]
    hits = [[value if row == column else None for column, value in enumerate(values)] for row, values in enumerate(share)]
    # by the square root: mistakes that are rare are still seen
    mistakes = [
        [math.sqrt(value) if value and row != column else None for column, value in enumerate(values)] for row, values in enumerate(share)
    ]
    hover = [[_hover(names[row], names[column], words[row][column], share[row][column]) for column in range(count)] for row in range(count)]
    data = [_heat(hits, words, hover, "--ok", 100.0, count), _heat(mistakes, words, hover, "--bad", _highest(mistakes), count)]
    wrong = sum(rows for *_, rows in found.mistakes) + found.left_out
    total = sum(found.rows)
    frequent = "; ".join(f"{run.classes[truth]} as {run.classes[answer]} in {rows} rows" for truth, answer, rows in found.mistakes[:3])
    alternative = f"Confusion matrix on {total:,} {PARTS[part].lower()} rows, {wrong:,} of them wrong. " + (
        f"Most frequent mistakes: {frequent}." if frequent else "There are no mistakes."
    )
    key = (Key("■", "--ok", "right"), Key("■", "--bad", "wrong: the stronger, the larger the share of the class"))
    side = 18 if count > 16 else 24 if count > MOST_WITH_NUMBERS else 40
    return Figure(f"confusion-{part}", alternative, max(260, 96 + side * count), data, _layout(names), key)


def _hits(found: Confusion, label: int) -> int:
    right = found.right[label]
    return 0 if right is None else round(right.value * found.rows[label])


def _highest(shares: list[list[float | None]]) -> float:
    # so that the darkest still bears the text on it
    return 1.6 * max((value for values in shares for value in values if value is not None), default=1.0)


def _heat(z: list[list[float | None]], words: list[list[str]], hover: list[list[str]], colour: str, highest: float, count: int) -> Spec:
    spec: Spec = {
        "type": "heatmap",
        "z": [[five_digits(value) for value in values] for values in z],
        "zmin": 0,
        "zmax": 1.6 * highest if colour == "--ok" else highest,
        "colorscale": [[0, "--paper"], [1, colour]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertext": hover,
        "hoverinfo": "text",
        "hoverongaps": False,
    }
    if count <= MOST_WITH_NUMBERS:
        # of cells that are left empty, too, the text would be drawn
        own = [
            ["" if value is None else word for value, word in zip(values, line, strict=True)] for values, line in zip(z, words, strict=True)
        ]
        spec |= {"text": own, "texttemplate": "%{text}", "textfont": {"size": 11, "color": "--ink"}}
    return spec


def _hover(truth: str, answer: str, rows: str, share: float | None) -> str:
    if share is None:
        return ""
    said = "answered rightly" if truth == answer else f"answered with <b>{plain(answer)}</b>"
    return f"<b>{plain(truth)}</b> {said}<br>{rows} rows, {number(share, 3)} % of its rows"


def _layout(names: list[str]) -> Spec:
    labels = [plain(name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…") for name in names]
    upright = len(names) * max(map(len, labels), default=0) > 36
    axis = {"tickvals": list(range(len(names))), "ticktext": labels, "showgrid": False, "constrain": "domain", "ticks": ""}
    axis["tickfont"] = {"size": 10.5 if len(names) > 12 else 12}
    return {
        "xaxis": axis | {"title": {"text": "answered"}, "tickangle": -90 if upright else 0, "range": [-0.5, len(names) - 0.5]},
        "yaxis": axis | {"title": {"text": "in the data"}, "range": [len(names) - 0.5, -0.5]},
        "margin": {"l": 60, "r": 8, "t": 8, "b": 44},
    }
