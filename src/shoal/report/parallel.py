"""All trials of a search as lines over the settings that varied, and the choices by which a reader filters them.

Plotly's own parallel coordinates need WebGL and code made at run time, which the page's policy forbids; they have no words on pointing at
a line and cannot be printed. Lines of an ordinary picture do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from shoal.records import Run, Trial
from shoal.report.curves import trial_words
from shoal.report.drawing import Figure, Key, Spec, plain
from shoal.report.varied import Axis, best_quarter, loss_axis, spread, varied_axes
from shoal.report.wording import by_score, is_winner

MOST_AXES = 10
"""More would leave no room for their names; the table of trials has all settings."""

WIDTH_OF_AN_AXIS = 86
"""Pixels that an axis needs with its ticks; narrower screens scroll."""

SPREAD = 0.12
"""How much of the distance between two categories their lines are spread over, so that one sees how many there are."""

CLASSES_OF_NUMBERS = 3
_BARE: Spec = {"showgrid": False, "showline": False, "ticklen": 0, "fixedrange": True}


@dataclass(frozen=True, slots=True)
class Choice:
    """A part of an axis that the trials shown can be limited to: places from low to high, and what lies there."""

    low: float
    high: float
    words: str


def parallel_axes(run: Run, trials: Sequence[Trial]) -> list[Axis]:
    """The axes that are drawn: the settings that varied, the dev loss last; empty where there is nothing to compare."""
    if len(trials) < 2 or all(trial.score is None for trial in trials):
        return []
    varied = varied_axes(run, trials)[:MOST_AXES]
    return [*varied, loss_axis(trials)] if varied else []


def parallel_figure(run: Run) -> Figure | None:
    """One line for each trial, over an axis for each setting that varied and one for the dev loss."""
    trials = by_score(run.trials)
    axes = parallel_axes(run, trials)
    if not axes:
        return None
    best = best_quarter(trials)
    winner = [index for index, trial in enumerate(trials) if is_winner(run, trial)]
    leading = [index for index, trial in enumerate(trials) if trial.number in best and index not in winner]
    others = [index for index in range(len(trials)) if index not in winner and index not in leading]
    data = [
        _lines(trials, axes, others, {"color": "--muted", "width": 1}, max(0.3, min(0.7, 60 / len(trials)))),
        _lines(trials, axes, leading, {"color": "--accent", "width": 1.3}, 0.75),
        _lines(trials, axes, winner, {"color": "--bad", "width": 3}, 1.0),
    ]
    last = len(axes) - 1
    layout: Spec = {
        "xaxis": {
            "side": "top",
            "range": [-0.34, last + 0.5],
            "tickvals": list(range(len(axes))),
            # every second name stands higher, since neighbours may be wider than the way between their axes
            "ticktext": [plain(axis.title).replace(" ", "<br>") + "<br> <br> " * (at % 2) for at, axis in enumerate(axes)],
            "ticklabeloverflow": "allow",
            **_BARE,
        },
        "yaxis": {"range": [-0.06, 1.06], "showticklabels": False, **_BARE},
        "shapes": [
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": {"color": "--muted", "width": 1}} for at in range(len(axes))
        ],
        "annotations": [_tick(at, place, words) for at, axis in enumerate(axes) for place, words in axis.ticks],
        "margin": {"l": 22, "r": 8, "t": 76, "b": 8},
        "dragmode": False,
    }
    key = (
        *([Key("bold", "--bad", "the winner")] if winner else []),
        Key("solid", "--accent", "the best quarter by dev loss"),
        Key("solid", "--muted", "the other trials"),
    )
    words = (
        f"Each of {len(trials)} trials as a line over {', '.join(axis.title for axis in axes[:-1])} and the dev loss. "
        "The table of trials holds every value; the boxes below filter both."
    )
    return Figure("parallel", words, 420, data, layout, key, WIDTH_OF_AN_AXIS * len(axes))


def _lines(trials: Sequence[Trial], axes: Sequence[Axis], indices: Sequence[int], line: Spec, opacity: float) -> Spec:
    """Lines as one trace, with a hole after each. The page takes it apart trial by trial, and gives every point of a line its words."""
    places = [spread(axis, trials, SPREAD) for axis in axes]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for _ in indices for x in [*range(len(axes)), None]],
        "y": [y for index in indices for y in [*(along[index] for along in places), None]],
        "line": line,
        "opacity": opacity,
        "hoverinfo": "text",
        "meta": {
            "trials": [trials[index].number for index in indices],
            "words": [[axis.words[index] for axis in axes] for index in indices],
            "hovers": [f"{trial_words(trials[index])}<br>best dev loss {axes[-1].words[index]}" for index in indices],
        },
    }


def _tick(at: int, place: float, words: str) -> Spec:
    placed = {"x": at, "y": place, "xanchor": "left", "xshift": 3, "showarrow": False}
    return placed | {"text": plain(words), "font": {"size": 11}, "bgcolor": "--paper", "opacity": 0.85, "borderpad": 1}


def filters(run: Run) -> list[tuple[Axis, list[Choice]]]:
    """The axes of the picture, each with the parts that a reader can choose."""
    trials = by_score(run.trials)
    return [(axis, choices(axis)) for axis in parallel_axes(run, trials)]


def choices(axis: Axis) -> list[Choice]:
    """The categories of an axis, or the lower, middle and upper third of its numbers.

    Example:
        >>> axis = Axis("layers", (0.0, 1.0, 0.0), ("2", "3", "2"), ((0.0, "2"), (1.0, "3")), step=1.0)
        >>> [choice.words for choice in choices(axis)]
        ['2', '3']
    """
    half = 0.5 * SPREAD * axis.step
    listed = [Choice(place - half, place + half, words) for place, words in axis.ticks if axis.step or place < axis.start]
    numbers = sorted({(place, words) for place, words in zip(axis.places, axis.words, strict=True) if place >= axis.start})
    if axis.step or not numbers:
        return listed
    parts = min(CLASSES_OF_NUMBERS, len(numbers))
    ends = [round(part * len(numbers) / parts) for part in range(parts + 1)]
    for first, after in pairwise(ends):
        (low, from_words), (high, to_words) = numbers[first], numbers[after - 1]
        listed.append(Choice(low, high, from_words if from_words == to_words else f"{from_words} to {to_words}"))
    return listed
