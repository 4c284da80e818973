"""The pictures of a regression's predictions: against the true values, and what they miss along the predictions."""

from __future__ import annotations

import math

from shoal.measurements import Residuals
from shoal.records import Run
from shoal.report.drawing import Figure, Key, Spec, five_digits
from shoal.report.wording import PARTS, number

MARGIN = 0.03


def residual_figures(run: Run) -> list[Figure]:
    """Two pictures for each part."""
    return [
        figure for part, found in run.measured.residuals.items() for figure in (_predicted(run, part, found), _missed(run, part, found))
    ]


def residual_rows(run: Run) -> list[tuple[str, str, str, str, str, str]]:
    """The residuals along the prediction, bin by bin."""
    return [
        (PARTS[part], f"{each.rows:,}", number(each.predicted), number(each.middle, 3), number(each.low, 3), number(each.high, 3))
        for part, found in run.measured.residuals.items()
        for each in found.bins
    ]


def _predicted(run: Run, part: str, found: Residuals) -> Figure:
    low, high = _ends((*found.truth, *found.predicted))
    data: list[Spec] = []
    dense = found.density
    if dense is not None:
        low, high = dense.low, dense.high
        data.append(_density(found))
        key = [Key("■", "--accent", "rows: the stronger, the more")]
    else:
        data.append(_points(found.predicted, found.truth, "predicted %{x:.4g}<br>true %{y:.4g}<extra></extra>"))
        key = [Key("●", "--accent", "a row")]
    data.append(_line([low, high], [low, high]))
    key.append(Key("dot", "--muted", "prediction equals truth"))
    margin = MARGIN * (high - low)
    axis = {"range": [low - margin, high + margin], "nticks": 6}
    layout: Spec = {
        "xaxis": axis | {"title": {"text": "predicted"}},
        "yaxis": axis | {"title": {"text": "true"}},
        "margin": {"l": 60, "r": 14, "t": 10, "b": 44},
    }
    beyond = f" {dense.outside:,} extreme rows lie beyond the axes." if dense is not None and dense.outside else ""
    words = (
        f"True against predicted values of {found.rows:,} {PARTS[part].lower()} rows, from {number(low, 3)} to {number(high, 3)}.{beyond}"
    )
    return Figure(f"predicted-{part}", words, 360, data, layout, tuple(key))


def _missed(run: Run, part: str, found: Residuals) -> Figure:
    residuals = [truth - predicted for truth, predicted in zip(found.truth, found.predicted, strict=True)]
    data = [_points(found.predicted, residuals, "predicted %{x:.4g}<br>true minus predicted %{y:.4g}<extra></extra>", 0.45)]
    key = [Key("●", "--accent", "a row" if found.rows == len(residuals) else f"{len(residuals)} rows, drawn at random")]
    ends = list(found.predicted)
    if len(found.bins) > 1:
        along = [five_digits(each.predicted) for each in found.bins]
        hover = [
            f"predicted about {number(each.predicted)}<br>half of the residuals are below {number(each.middle, 3)}<br>"
            f"9 in 10 lie from {number(each.low, 3)} to {number(each.high, 3)}"
            for each in found.bins
        ]
        for name, dash, width in (("low", "dot", 1.6), ("high", "dot", 1.6), ("middle", "solid", 2.4)):
            values = [five_digits(getattr(each, name)) for each in found.bins]
            data.append(_line(along, values, "--bad", dash, width) | {"text": hover, "hoverinfo": "text"})
        key += [Key("bold", "--bad", "median"), Key("dot", "--bad", "9 in 10 lie between")]
        ends += [each.predicted for each in found.bins]
    low, high = _ends(ends)
    data.append(_line([low, high], [0, 0]))
    layout: Spec = {
        "xaxis": {"title": {"text": "predicted"}, "range": [low - MARGIN * (high - low), high + MARGIN * (high - low)], "nticks": 6},
        "yaxis": {"title": {"text": "true - predicted"}, "nticks": 7},
        "margin": {"l": 60, "r": 14, "t": 10, "b": 44},
    }
    words = f"Residuals of {PARTS[part].lower()} rows, true minus predicted, against the prediction."
    if found.bins:
        first, last = found.bins[0], found.bins[-1]
        words += (
            f" Where little is predicted (about {number(first.predicted, 3)}) 9 in 10 lie from {number(first.low, 3)} to "
            f"{number(first.high, 3)}; where much is (about {number(last.predicted, 3)}), from {number(last.low, 3)} to "
            f"{number(last.high, 3)}."
        )
    return Figure(f"residuals-{part}", words, 360, data, layout, tuple(key))


def _density(found: Residuals) -> Spec:
    dense = found.density
    assert dense is not None
    width = (dense.high - dense.low) / dense.side
    centres = [five_digits(dense.low + (place + 0.5) * width) for place in range(dense.side)]
    z: list[list[float | None]] = [[None] * dense.side for _ in range(dense.side)]
    hover = [[""] * dense.side for _ in range(dense.side)]
    for x, y, rows in dense.cells:
        # by the square root: cells with a single row are still seen
        z[y][x] = five_digits(math.sqrt(rows))
        hover[y][x] = f"predicted about {number(centres[x], 3)}<br>true about {number(centres[y], 3)}<br>{rows:,} rows"
    most = math.sqrt(max((rows for *_, rows in dense.cells), default=1))
    return {
        "type": "heatmap",
        "x": centres,
        "y": centres,
        "z": z,
        "zmin": -0.15 * most,
        "zmax": most,
        "colorscale": [[0, "--paper"], [1, "--accent"]],
        "showscale": False,
        "hovertext": hover,
        "hoverinfo": "text",
        "hoverongaps": False,
    }


def _points(x: tuple[float, ...] | list[float], y: tuple[float, ...] | list[float], hover: str, opacity: float = 0.6) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits(each) for each in x],
        "y": [five_digits(each) for each in y],
        "marker": {"size": 5, "color": "--accent", "opacity": opacity},
        "hovertemplate": hover,
    }


def _line(
    x: list[float | None] | list[float],
    y: list[float | None] | list[float],
    colour: str = "--muted",
    dash: str = "dash",
    width: float = 1.2,
) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": colour, "width": width, "dash": dash},
        "hoverinfo": "skip",
    }


def _ends(values: tuple[float, ...] | list[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if low < high else (low - 1.0, high + 1.0)
