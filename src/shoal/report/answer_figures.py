"""The pictures of the answers after a search: the best so far, what mattered, and the map of layers and units."""

from __future__ import annotations

from shoal.interval import Interval, percent
from shoal.measurements.answers import Answers, Cell
from shoal.report.answers import LOSS, width_words
from shoal.report.drawing import Figure, Key, Spec, bulk_axis, error_bars, five_digits, log_axis, plain
from shoal.report.wording import number, score_span


def answer_figures(answers: Answers) -> dict[str, Figure]:
    """Every picture that the answers have the numbers for, by name."""
    drawn = [draw(answers) for draw in (best_so_far_figure, importance_figure, architecture_figure)]
    return {figure.name: figure for figure in drawn if figure is not None}


def best_so_far_figure(answers: Answers) -> Figure | None:
    """The expected best score against the number of trials, with what twice the trials are expected to bring."""
    curve, gain = answers.best_so_far, answers.gain
    if curve is None:
        return None
    trials = list(curve.trials)
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": [*trials, *reversed(trials)],
        "y": [five_digits(each.low) for each in curve.best] + [five_digits(each.high) for each in reversed(curve.best)],
        "fill": "toself",
        "line": {"width": 0, "color": "--second"},
        "opacity": 0.35,
        "hoverinfo": "skip",
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": trials,
        "y": [five_digits(each.value) for each in curve.best],
        "line": {"color": "--accent", "width": 2.4},
        "hovertemplate": f"best of %{{x:,}} trials: %{{y:.4g}} {LOSS}<extra></extra>",
    }
    data: list[Spec] = [band, line]
    key = [Key("bold", "--accent", "expected best so far, and its 95 % band")]
    ends = [end for each in curve.best for end in (each.value, each.high)]
    best = curve.best[-1].value
    if gain is not None:
        size = gain.size
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [2 * gain.trials],
                "y": [five_digits(best - size.value)],
                "error_y": error_bars([Interval(best - size.value, best - size.high, best - size.low)], color="--unsure"),
                "marker": {"symbol": "diamond", "size": 10, "color": "--unsure"},
                "text": [f"{2 * gain.trials} trials: about {number(best - size.value)}"],
                "hoverinfo": "text",
            }
        )
        key.append(Key("◆", "--unsure", "with twice the trials"))
        ends += [best - size.high]
    layout: Spec = {
        "xaxis": {"title": {"text": "trials"}} | log_axis(1, 2 * trials[-1] if gain is not None else trials[-1]),
        "yaxis": {"title": {"text": f"best {LOSS}"}} | bulk_axis(ends),
        "margin": {"l": 52, "r": 14, "t": 12, "b": 44},
    }
    first = number(curve.best[0].value)
    words = f"Expected best {LOSS} of the search against trials: from {first} with one to {number(best)} with {trials[-1]}."
    return Figure("best-so-far", words, 340, data, layout, tuple(key))


def importance_figure(answers: Answers) -> Figure | None:
    """The share of the variance of each parameter, with its interval."""
    found = answers.importance
    if found is None:
        return None
    rows = list(reversed(found.parameters))
    names = [f"{plain(each.name)} ({each.course})" if each.course is not None else plain(each.name) for each in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": [five_digits(100 * each.share.value) for each in rows],
        "marker": {"color": "--second"},
        "error_x": error_bars((each.share for each in rows), 100, color="--ink", thickness=1.2),
        "hovertemplate": "%{y}: %{x:.0f} %<extra></extra>",
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "y": names,
        "x": [five_digits(100 * each.fanova) for each in rows],
        "marker": {"symbol": "circle-open", "size": 8, "color": "--bad"},
        "hovertemplate": "%{y}, Optuna's: %{x:.0f} %<extra></extra>",
    }
    layout: Spec = {
        "xaxis": {"title": {"text": "share of the variance, %"}, "rangemode": "tozero"},
        "yaxis": {"type": "category"},
        "margin": {"l": 120, "r": 14, "t": 12, "b": 44},
    }
    said = "; ".join(f"{each.name} {percent(each.share.value, 0)}" for each in found.parameters)
    key = (Key("■", "--second", "as other trials confirm, with 95 % intervals"), Key("○", "--bad", "plain fANOVA (Optuna)"))
    return Figure("importance", f"Share of the variance by parameter: {said}.", 70 + 30 * len(rows), [bars, marks], layout, key)


def architecture_figure(answers: Answers) -> Figure | None:
    """The map of layers and units: the darker a cell, the lower its mean dev loss."""
    found = answers.architecture
    if found is None:
        return None
    means = [cell.mean.value for cell in found.cells if cell.mean is not None]
    low, high = min(means), max(means)
    columns = {width: at for at, width in enumerate(found.widths)}
    shapes: list[Spec] = []
    texts: list[Spec] = []
    for cell in found.cells:
        x, y = columns[cell.low, cell.high], found.layers.index(cell.layers)
        shade = 0.0 if cell.mean is None else 0.12 + 0.55 * ((high - cell.mean.value) / (high - low) if high > low else 1.0)
        edges = {"x0": x - 0.48, "x1": x + 0.48, "y0": y - 0.46, "y1": y + 0.46}
        shapes.append({"type": "rect", "layer": "below", "fillcolor": "--second", "opacity": shade, "line": {"width": 0}} | edges)
        texts.append({"x": x, "y": y, "text": _words(cell), "showarrow": False, "font": {"size": 11.5}})
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [columns[cell.low, cell.high] for cell in found.cells],
        "y": [found.layers.index(cell.layers) for cell in found.cells],
        "marker": {"size": 30, "opacity": 0, "color": "--second"},
        "text": [_words(cell) for cell in found.cells],
        "hoverinfo": "text",
    }

    def axis(title: str, labels: list[str]) -> Spec:
        ends = [-0.5, len(labels) - 0.5]
        return {"title": {"text": title}, "tickvals": list(range(len(labels))), "ticktext": labels, "range": ends, "showgrid": False}

    layout: Spec = {
        "xaxis": axis(found.columns, [width_words(*width) for width in found.widths]),
        "yaxis": axis(found.rows, [f"{layers}" for layers in found.layers]),
        "shapes": shapes,
        "annotations": texts,
        "margin": {"l": 52, "r": 14, "t": 12, "b": 44},
    }
    empty = sum(cell.trials == 0 for cell in found.cells)
    words = (
        f"Mean {LOSS} after {found.steps:,} steps by {found.rows} and {found.columns}, from {number(low)} to {number(high)}; "
        f"{empty} cells have no trials."
    )
    return Figure("architecture", words, 90 + 78 * len(found.layers), [marks], layout, least_width=70 + 122 * len(found.widths))


def _words(cell: Cell) -> str:
    if cell.mean is None:
        return "no trials"
    mean = f"<b>{score_span(cell.mean, LOSS)}</b>" if cell.trials > 1 else f"<b>{number(cell.mean.value)}</b>"
    best = f"best {number(cell.best)}" if cell.best is not None else "none in full"
    return f"{mean.replace(' (', '<br>(')}<br>{best}<br>{cell.trials} trial{'s' * (cell.trials != 1)}"
