"""The pictures of the report, as plain Plotly specifications.

A colour is a name such as ``--accent``: the page puts in the value of that style variable, so that one specification serves
light and dark. No string of the user's reaches Plotly without ``plain``: Plotly reads some HTML in its labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoal.records import Gap, Interval, Part, Run, Trial
from shoal.report.wording import (
    PARTS,
    SHARES,
    by_score,
    difference,
    error_metric,
    headline_part,
    is_winner,
    metric_name,
    number,
    part_error,
    plain_error,
    recipe_line,
    score,
    score_span,
)

POINTS_OF_A_CURVE = 64
"""Points kept of each curve of the search; the retrained winner keeps four times as many."""

GAP_ENDS: dict[str, tuple[tuple[Part | None, ...], tuple[Part, ...]]] = {
    "avoidable bias": ((None,), ("train",)),
    "variance": (("train",), ("train_dev", "dev")),
    "mismatch": (("train_dev",), ("dev",)),
    "overfitting to dev": (("dev",), ("test",)),
}
"""From which error to which each gap goes; ``None`` is the target error."""

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture: what Plotly draws, and the words for those who do not see it."""

    name: str
    alternative: str
    height: int
    data: list[Spec]
    layout: Spec


def figures(run: Run) -> dict[str, Figure]:
    """Every picture of the report that this record has the numbers for, by name."""
    drawn = [_scores(run), _budget(run), _curves(run), _search(run)]
    return {figure.name: figure for figure in drawn if figure is not None}


def plain(text: str) -> str:
    """A user's string as Plotly must receive it to show it as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%&#123;")


def five_digits(value: float | None) -> float | None:
    """The value rounded to five significant digits."""
    return None if value is None else float(f"{value:.5g}")


def _scores(run: Run) -> Figure | None:
    part = headline_part(run)
    own = run.scores.get(part, {}).get(run.metric)
    if own is None:
        return None
    rows = [("shoal", own)]
    for baseline in run.baselines:
        interval = baseline.test if part == "test" else baseline.dev
        if interval is not None:
            rows.append((baseline.name, interval))
    rows[1:] = sorted(rows[1:], key=lambda row: row[1].value, reverse=run.greater_is_better)
    factor = 100.0 if run.metric in SHARES else 1.0
    labels = [f"<b>{plain(name)}</b>  {score(interval, run.metric)}" for name, interval in rows]
    ys = [float(-row) for row in range(len(rows))]
    trace = _dots([interval for _, interval in rows], ys, factor, ["--accent", *["--muted"] * (len(rows) - 1)])
    trace["text"] = [f"{plain(name)}: {score_span(interval, run.metric)}" for name, interval in rows]
    direction = "higher" if run.greater_is_better else "lower"
    title = f"{PARTS[part]} {metric_name(run.metric)}{', %' if factor == 100 else ''} ({direction} is better)"
    alternative = f"{title}, with 95 % intervals. " + "; ".join(f"{name}: {score_span(interval, run.metric)}" for name, interval in rows) + "."
    layout = _rows_layout(labels, ys, title)
    # a quiet line down from the leading score, to compare the others with
    layout["shapes"] = [_line(own.value * factor, "--accent", "dot")]
    return Figure("scores", alternative, 86 + 40 * len(rows), [trace], layout)


def _budget(run: Run) -> Figure | None:
    metric = error_metric(run)
    factor = 100.0 if metric in SHARES else 1.0
    target = Interval(run.verdict.target_error, run.verdict.target_error, run.verdict.target_error)
    errors: dict[Part | None, Interval] = {None: target}
    for part in PARTS:
        error = part_error(run, part)
        if error is not None:
            errors[part] = error
    if len(errors) < 2:
        return None
    gap_of = {_ends(gap, errors)[1]: gap for gap in run.verdict.gaps if _ends(gap, errors)[1] is not None}
    labels, ys, points, data, said = [], [], [], [], []
    for part, error in errors.items():
        gap = gap_of.get(part)
        if gap is not None:
            labels.append(f"{gap.name} {difference(gap.size, metric).split(' (')[0]}")
            ys.append(float(-len(ys)))
            data += _gap_traces(gap, errors[_ends(gap, errors)[0]].value, ys[-1], factor, metric)
            said.append(f"{gap.name}: {difference(gap.size, metric)}, high: {gap.high}")
        name = "Target" if part is None else PARTS[part]
        written = plain_error(error.value, metric) if part is None else score(error, metric)
        labels.append(f"<b>{name}</b>  {written}")
        ys.append(float(-len(ys)))
        points.append((ys[-1], error, name, written if part is None else score_span(error, metric)))
        said.append(f"{name}: {points[-1][3]}")
    dots = _dots([error for _, error, _, _ in points], [y for y, *_ in points], factor, ["--ok", *["--accent"] * (len(points) - 1)])
    dots["marker"]["symbol"] = ["diamond", *["circle"] * (len(points) - 1)]
    dots["text"] = [f"{name}: {written}" for _, _, name, written in points]
    title = f"{metric_name(metric)}{', %' if factor == 100 else ''} (lower is better)"
    layout = _rows_layout(labels, ys, title[0].upper() + title[1:])
    layout["shapes"] = [_line(run.verdict.target_error * factor, "--ok", "dot")]
    return Figure("budget", "From the target error to the last part scored. " + "; ".join(said) + ".", 70 + 29 * len(labels), [*data, dots], layout)


def _ends(gap: Gap, errors: dict[Part | None, Interval]) -> tuple[Part | None, Part | None]:
    starts, stops = GAP_ENDS[gap.name]
    stop = next((part for part in stops if part in errors), None)
    start = next((part for part in starts if part in errors), stop)
    return (start, stop) if start != stop else (None, None)


def _gap_traces(gap: Gap, start: float, y: float, factor: float, metric: str) -> list[Spec]:
    colour = {"yes": "--bad", "no": "--muted", "cannot tell": "--unsure"}[gap.high]
    text = f"{gap.name}: {difference(gap.size, metric)}<br>matters from {difference(Interval(*[gap.threshold] * 3), metric).split(' (')[0]}; high: {gap.high}"
    end = start + gap.size.value
    bar = {
        "type": "scatter",
        "mode": "lines",
        "x": [five_digits(start * factor), five_digits(end * factor)],
        "y": [y, y],
        "line": {"color": colour, "width": 12},
        "opacity": 0.55,
        "hoverinfo": "skip",
    }
    reach = {
        "type": "scatter",
        "mode": "lines",
        "x": [five_digits((start + gap.size.low) * factor), five_digits((start + gap.size.high) * factor)],
        "y": [y, y],
        "line": {"color": colour, "width": 2},
        "hoverinfo": "text",
        "text": [text, text],
    }
    limit = {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits((start + gap.threshold) * factor)],
        "y": [y],
        "marker": {"symbol": "line-ns", "size": 17, "line": {"color": "--ink", "width": 1.5}},
        "hoverinfo": "text",
        "text": [text],
    }
    return [bar, reach, limit]


def _curves(run: Run) -> Figure | None:
    traced = [trial for trial in run.trials if any(loss is not None for loss in trial.trace.dev_loss)]
    if not traced:
        return None
    data: list[Spec] = []
    search = [trial for trial in traced if trial.purpose == "search" and not is_winner(run, trial)]
    for index, trial in enumerate(search):
        line = {"color": "--muted", "width": 1}
        data.append(_curve(trial, trial.trace.dev_loss, POINTS_OF_A_CURVE, line) | {"opacity": 0.45} | _legend("searched", "search trials", index == 0))
    winner = [trial for trial in traced if is_winner(run, trial)]
    for index, trial in enumerate(winner):
        line = {"color": "--second", "width": 2}
        data.append(_curve(trial, trial.trace.dev_loss, POINTS_OF_A_CURVE * 4, line) | _legend("winner", "winner in the search", index == 0))
    retrains = [trial for trial in traced if trial.purpose == "retrain"]
    for index, trial in enumerate(retrains):
        train = {"color": "--accent", "width": 1.2, "dash": "dot"}
        data.append(_curve(trial, trial.trace.train_loss, POINTS_OF_A_CURVE * 4, train) | _legend("train", "retrained, train", index == 0))
    for index, trial in enumerate(retrains):
        dev = {"color": "--accent", "width": 2.6}
        data.append(_curve(trial, trial.trace.dev_loss, POINTS_OF_A_CURVE * 4, dev) | _legend("dev", "retrained, dev", index == 0))
    best = [trial for trial in retrains or winner if trial.score is not None]
    if best:
        text = [f"trial {trial.number}: best dev loss {number(trial.score)} at step {trial.best_step:,}" for trial in best]
        stars = {"type": "scatter", "mode": "markers", "x": [trial.best_step for trial in best], "y": [five_digits(trial.score) for trial in best]}
        marker = {"symbol": "star", "size": 13, "color": "--bad", "line": {"color": "--paper", "width": 1}}
        data.append(stars | {"marker": marker, "hoverinfo": "text", "text": text} | _legend("best", "best step", True))
    losses = [loss for trial in traced for loss in trial.trace.dev_loss if loss is not None]
    losses += [loss for trial in retrains for loss in trial.trace.train_loss if loss is not None]
    steps = [step for trial in traced for step in trial.trace.steps]
    layout: Spec = {
        "xaxis": {"title": {"text": "step"}, "type": "log", "range": [math.log10(max(min(steps), 1)) - 0.03, math.log10(max(steps)) + 0.06]},
        "yaxis": {"title": {"text": "loss"}} | _robust(losses),
        "shapes": [{"type": "line", "x0": r, "x1": r, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": "--rule", "dash": "dash", "width": 1}} for r in run.plan.rungs],
        "annotations": [
            # an annotation on a logarithmic axis is placed at the logarithm, unlike a shape
            {"x": math.log10(rung), "y": 1, "yref": "paper", "yanchor": "bottom", "text": f"rung {index + 1}", "showarrow": False, "font": {"size": 11}}
            for index, rung in enumerate(run.plan.rungs)
        ],
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top"},
        "margin": {"l": 56, "r": 12, "t": 26, "b": 40},
    }
    alternative = f"Dev loss against training step of {len(traced)} trials; the retrained winner is bold. The table of trials holds each one's best."
    return Figure("curves", alternative, 460, data, layout)


def _curve(trial: Trial, losses: Sequence[float | None], points: int, line: Spec) -> Spec:
    kept = _thinned(losses, points)
    head = f"trial {trial.number}" + (" (retrained)" if trial.purpose == "retrain" else "")
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [trial.trace.steps[index] for index in kept],
        "y": [five_digits(losses[index]) for index in kept],
        "line": line,
        "name": plain(head),
        "hovertemplate": f"<b>{head}</b>, {trial.status}<br>{plain(recipe_line(trial.recipe)).replace('; ', '<br>')}<br>step %{{x:,}}: %{{y:.4g}}<extra></extra>",
    }


def _thinned(losses: Sequence[float | None], points: int) -> list[int]:
    """Which entries to draw: evenly spaced, the first, the last and the lowest among them."""
    if len(losses) <= points:
        return list(range(len(losses)))
    kept = {round(index * (len(losses) - 1) / (points - 1)) for index in range(points)}
    lowest = min((loss, index) for index, loss in enumerate(losses) if loss is not None)[1] if any(loss is not None for loss in losses) else 0
    return sorted(kept | {lowest})


def _search(run: Run) -> Figure | None:
    trials = by_score(run.trials)
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        return None
    axis = _robust([trial.score for trial in scored if trial.score is not None])
    top = 10 ** axis["range"][1] if axis.get("type") == "log" else axis["range"][1]
    looks = {
        "stopped at a rung": ("circle-open", "--muted", 8),
        "stopped early": ("diamond", "--second", 9),
        "finished": ("circle", "--accent", 9),
        "diverged": ("x", "--bad", 8),
    }
    data: list[Spec] = []
    for status, (symbol, colour, size) in looks.items():
        some = [trial for trial in trials if trial.status == status]
        if some:
            outside = [trial.score is None or trial.score > top for trial in some]
            data.append(_points(some, [top if out else five_digits(trial.score) for trial, out in zip(some, outside, strict=True)], status))
            data[-1]["marker"] = {"symbol": symbol, "color": colour, "size": size, "line": {"color": colour, "width": 1.4}}
            data[-1]["cliponaxis"] = False
    winner = [trial for trial in scored if is_winner(run, trial)]
    if winner:
        data.append(_points(winner, [five_digits(trial.score) for trial in winner], "winner"))
        data[-1]["marker"] = {"symbol": "star", "color": "--bad", "size": 16, "line": {"color": "--paper", "width": 1}}
    layout: Spec = {
        "xaxis": {"title": {"text": "learning rate"}, "type": "log"},
        "yaxis": {"title": {"text": "best dev loss"}} | axis,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "margin": {"l": 56, "r": 12, "t": 12, "b": 40},
    }
    best = scored[0]
    alternative = (
        f"Best dev loss against learning rate of {len(trials)} trials. The lowest loss, {number(best.score)}, "
        f"came at a learning rate of {number(best.recipe.learning_rate, 3)}. The table of trials holds every value."
    )
    return Figure("search", alternative, 400, data, layout)


def _points(trials: list[Trial], ys: list[float | None], name: str) -> Spec:
    text = [f"<b>trial {t.number}</b>, {t.status}: {number(t.score)}<br>{plain(recipe_line(t.recipe)).replace('; ', '<br>')}" for t in trials]
    xs = [five_digits(trial.recipe.learning_rate) for trial in trials]
    return {"type": "scatter", "mode": "markers", "x": xs, "y": ys, "text": text, "hoverinfo": "text", "name": name, "showlegend": True}


def _robust(losses: list[float]) -> Spec:
    """An axis that shows the bulk: a few exploded losses must not flatten all the others."""
    ordered = sorted(losses)
    low, high = ordered[0], ordered[min(len(ordered) - 1, int(0.98 * len(ordered)))]
    high = max(high, low + 1e-3 * abs(low) + 1e-9)
    if low > 0 and high / low > 3:
        return {"type": "log", "range": [math.log10(low) - 0.05, math.log10(high) + 0.05], "nticks": 8}
    margin = 0.06 * (high - low)
    return {"range": [low - margin, high + margin]}


def _dots(intervals: list[Interval], ys: list[float], factor: float, colours: list[str]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits(interval.value * factor) for interval in intervals],
        "y": ys,
        "marker": {"size": 11, "color": colours, "line": {"width": 0}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [five_digits((interval.high - interval.value) * factor) for interval in intervals],
            "arrayminus": [five_digits((interval.value - interval.low) * factor) for interval in intervals],
            "color": "--ink",
            "thickness": 1.6,
            "width": 5,
        },
        "hoverinfo": "text",
    }


def _rows_layout(labels: list[str], ys: list[float], title: str) -> Spec:
    return {
        "xaxis": {"title": {"text": title}, "nticks": 6},
        "yaxis": {"tickvals": ys, "ticktext": labels, "range": [ys[-1] - 0.6, 0.6], "showgrid": False, "automargin": True, "ticklen": 6},
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 10, "r": 14, "t": 6, "b": 44},
    }


def _line(x: float, colour: str, dash: str) -> Spec:
    return {"type": "line", "x0": five_digits(x), "x1": five_digits(x), "yref": "paper", "y0": 0, "y1": 1, "line": {"color": colour, "width": 1, "dash": dash}}


def _legend(group: str, name: str, first: bool) -> Spec:
    return {"legendgroup": group, "name": name, "showlegend": first}
