"""The pictures of what probabilities are worth: how often they come true, and how they lie."""

from __future__ import annotations

from typing import Any

from shoal.interval import Interval, percent
from shoal.measurements import Probabilities, Reliability
from shoal.records import Run
from shoal.report.drawing import Figure, Key, Spec, error_bars, five_digits, plain
from shoal.report.wording import PARTS, number, score_span


def reliability_figures(run: Run) -> list[Figure]:
    """For each part: how often answers come true against how probable they were said to be, over a histogram of the latter."""
    return [_figure(run, part, found) for part, found in run.measured.reliability.items()]


def reliability_values(run: Run) -> dict[str, Any]:
    """Sentences and tables beside the pictures."""
    found = run.measured.reliability
    bins = [
        (PARTS[part], when, f"{each.rows:,}", percent(each.said), score_span(each.came, "accuracy"))
        for part, one in found.items()
        for when, said in _times(one)
        for each in said.bins
    ]
    return {"reliability_words": [_words(run, part, one) for part, one in found.items()], "reliability_bins": bins}


def _times(found: Reliability) -> list[tuple[str, Probabilities]]:
    """The probabilities as the model gives them, and as they came."""
    if found.before is None:
        return [("as it is", found.after)]
    return [("calibrated", found.after), ("as they came", found.before)]


def _words(run: Run, part: str, found: Reliability) -> str:
    after = _points(found.after.error)
    text = f"{PARTS[part]}: the expected calibration error is {after} over {found.rows:,} {_counted(run)}"
    if found.before is not None:
        text += f", and was {_points(found.before.error)} before the temperature of {number(found.temperature, 3)}"
    chance = found.after.chance
    text += f". Perfect probabilities would show {percent(chance.low)} to {percent(chance.high)} on so many {_counted(run)} by chance."
    return text + (" The temperature was fitted on these rows." if part == "dev" and found.before is not None else "")


def _points(error: Interval) -> str:
    return f"{percent(error.value)} (95 % interval {percent(error.low)} to {percent(error.high)})"


def _figure(run: Run, part: str, found: Reliability) -> Figure:
    perfect = {"type": "scatter", "mode": "lines", "x": [0, 100], "y": [0, 100], "line": {"color": "--muted", "width": 1, "dash": "dash"}}
    data: list[Spec] = [perfect | {"hoverinfo": "skip"}]
    key, counted = [Key("dot", "--muted", "perfect")], _counted(run)
    if found.before is not None:
        data += [_bins(found.before, "--unsure", "square-open", "as they came", counted)]
        data += [_histogram(found.before, "--unsure", "as they came", counted)]
        key.append(Key("□", "--unsure", "as they came"))
    named = "calibrated" if found.before is not None else "as the model says"
    data += [_bins(found.after, "--accent", "circle", named, counted), _histogram(found.after, "--accent", named, counted)]
    key.append(Key("●", "--accent", f"{named}, 95 % intervals"))
    of_labels = run.task == "multi_label"
    said = "of a label" if of_labels else "of the predicted class" if found.shown is None else f"of {_short(run.classes[found.shown])}"
    axis = {"range": [-2, 102], "tickvals": [0, 25, 50, 75, 100]}
    layout: Spec = {
        "xaxis": axis | {"title": {"text": f"probability {said}, %"}, "anchor": "y2"},
        "yaxis": axis | {"title": {"text": "came true, %"}, "domain": [0.3, 1]},
        "yaxis2": {
            "domain": [0, 0.2],
            "title": {"text": counted, "font": {"size": 12.5, "color": "--muted"}, "standoff": 8},
            "gridcolor": "--rule",
            "zeroline": False,
            "automargin": True,
            "nticks": 3,
            "rangemode": "tozero",
        },
        "margin": {"l": 52, "r": 14, "t": 10, "b": 44},
    }
    worst = max(found.after.bins, key=lambda each: abs(each.said - each.came.value))
    words = (
        f"Reliability diagram of {found.rows:,} {PARTS[part].lower()} {counted}, calibration error {percent(found.after.error.value)}. "
        f"The bin furthest off has a mean probability of {percent(worst.said)}, and {percent(worst.came.value)} of it came true."
    )
    return Figure(f"reliability-{part}", words, 400, data, layout, tuple(key))


def _counted(run: Run) -> str:
    """What a probability belongs to."""
    return "forecasts" if run.task == "multi_label" else "rows"


def _short(name: str) -> str:
    return plain(name if len(name) <= 20 else name[:19] + "…")


def _bins(said: Probabilities, colour: str, symbol: str, when: str, counted: str) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [five_digits(100 * each.said) for each in said.bins],
        "y": [five_digits(100 * each.came.value) for each in said.bins],
        "error_y": error_bars((each.came for each in said.bins), 100, color=colour, thickness=1.2, width=3),
        "line": {"color": colour, "width": 1.2},
        "marker": {"symbol": symbol, "size": 8, "color": colour},
        "text": [
            f"<b>{when}</b>, {each.rows:,} {counted}<br>said {percent(each.said)}, came true {score_span(each.came, 'accuracy')}"
            for each in said.bins
        ],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _histogram(said: Probabilities, colour: str, when: str, counted: str) -> Spec:
    steps, width = said.histogram, 100 / len(said.histogram)
    return {
        "type": "scatter",
        "mode": "lines",
        # from edge to edge, the last step as wide as the others
        "x": [five_digits(width * place) for place in range(len(steps) + 1)],
        "y": [*steps, steps[-1]],
        "yaxis": "y2",
        "line": {"color": colour, "width": 1.8, "shape": "hv"},
        "text": [f"{when}: {rows:,} {counted}, {width * place:.0f} to {width * (place + 1):.0f} %" for place, rows in enumerate(steps)],
        "hoverinfo": "text",
    }
