"""The pictures of the first screen: the score beside the references, and where the error comes from."""

from __future__ import annotations

from textwrap import shorten

from shoal.records import Gap, Interval, Run
from shoal.report.drawing import Figure, Spec, error_bars, five_digits, plain, upright
from shoal.report.wording import (
    PARTS,
    SHARES,
    difference,
    error_name,
    headline_part,
    metric_name,
    part_error,
    plain_error,
    score,
    score_span,
    target_error,
)

GAP_ENDS: dict[str, tuple[tuple[str | None, ...], tuple[str, ...]]] = {
    "avoidable bias": ((None,), ("train",)),
    "variance": (("train",), ("train_dev", "dev")),
    "mismatch": (("train_dev",), ("dev",)),
    "overfitting to dev": (("dev",), ("test",)),
}
"""From which error to which each gap goes; ``None`` is the target error."""


def score_figure(run: Run) -> Figure | None:
    """The headline score with its interval, beside those of the references."""
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
    labels = [f"<b>{plain(shorten(name, 26, placeholder='…'))}</b>  {score(interval, run.metric)}" for name, interval in rows]
    ys = [float(-row) for row in range(len(rows))]
    trace = dots_of([interval for _, interval in rows], ys, factor, ["--accent", *["--muted"] * (len(rows) - 1)])
    trace["text"] = [f"{plain(name)}: {score_span(interval, run.metric)}" for name, interval in rows]
    title = f"{PARTS[part]} {metric_name(run.metric)}{', %' if factor == 100 else ''}"
    alternative = (
        f"{title}, with 95 % intervals. " + "; ".join(f"{name}: {score_span(interval, run.metric)}" for name, interval in rows) + "."
    )
    ends = [end * factor for _, interval in rows for end in (interval.low, interval.high)]
    layout = rows_layout(labels, ys, title, ends)
    # a quiet line down from the leading score, to compare the others with
    layout["shapes"] = [upright(own.value * factor, "--accent", "dot")]
    return Figure("scores", alternative, 86 + 40 * len(rows), [trace], layout)


def budget_figure(run: Run) -> Figure | None:
    """The errors from the target to the last part scored, and the gaps between them."""
    metric = run.metric
    factor = 100.0 if metric in SHARES else 1.0
    estimated = run.verdict.target_error_source == "estimated"
    # an estimated target is an upper bound: the best possible error lies somewhere from 0 to there
    target = Interval(run.verdict.target_error, 0.0 if estimated else run.verdict.target_error, run.verdict.target_error)
    errors: dict[str | None, Interval] = {None: target}
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
            start, stop = (errors[end].value for end in _ends(gap, errors))
            labels.append(f"{gap.name} {_size(gap, metric, estimated)}")
            ys.append(float(-len(ys)))
            data += _gap_traces(gap, start, stop, ys[-1], factor, metric)
            said.append(f"{gap.name}: {difference(gap.size, metric)}, high: {gap.high}")
        name = "Target" if part is None else PARTS[part]
        written = target_error(run) if part is None else score(error, metric)
        labels.append(f"<b>{name}</b>  {written}")
        ys.append(float(-len(ys)))
        points.append((ys[-1], error, name, written if part is None else score_span(error, metric)))
        said.append(f"{name}: {points[-1][3]}")
    dots = dots_of([error for _, error, _, _ in points], [y for y, *_ in points], factor, ["--ok", *["--accent"] * (len(points) - 1)])
    dots["marker"]["symbol"] = ["diamond", *["circle"] * (len(points) - 1)]
    dots["text"] = [f"{name}: {written}" for _, _, name, written in points]
    title = f"{error_name(run)}{', %' if factor == 100 else ''}"
    ends = [end * factor for error in errors.values() for end in (error.low, error.high)]
    ends += [x for trace in data for x in trace["x"]]
    layout = rows_layout(labels, ys, title[0].upper() + title[1:], ends)
    layout["shapes"] = [upright(run.verdict.target_error * factor, "--ok", "dot")]
    return Figure(
        "budget", "From the target error to the last part scored. " + "; ".join(said) + ".", 70 + 29 * len(labels), [*data, dots], layout
    )


def _ends(gap: Gap, errors: dict[str | None, Interval]) -> tuple[str | None, str | None]:
    starts, stops = GAP_ENDS[gap.name]
    stop = next((part for part in stops if part in errors), None)
    start = next((part for part in starts if part in errors), stop)
    return (start, stop) if start != stop else (None, None)


def _size(gap: Gap, metric: str, estimated: bool) -> str:
    value, ends = difference(gap.size, metric).rstrip(")").split(" (")
    return ends if estimated and gap.name == "avoidable bias" else value


def _gap_traces(gap: Gap, start: float, stop: float, y: float, factor: float, metric: str) -> list[Spec]:
    # the uncertain end moves: of avoidable bias that is the target, of the others the later error
    fixed, sign = (stop, -1.0) if gap.name == "avoidable bias" else (start, 1.0)
    colour = {"yes": "--bad", "no": "--muted", "cannot tell": "--unsure"}[gap.high]
    limit = plain_error(gap.threshold, metric).replace(" %", " points")
    text = f"{gap.name}: {difference(gap.size, metric)}<br>matters from {limit}; high: {gap.high}"
    bar = {
        "type": "scatter",
        "mode": "lines",
        "x": [five_digits(start * factor), five_digits(stop * factor)],
        "y": [y, y],
        "line": {"color": colour, "width": 12},
        "opacity": 0.55,
        "hoverinfo": "skip",
    }
    reach = {
        "type": "scatter",
        "mode": "lines",
        "x": [five_digits((fixed + sign * end) * factor) for end in (gap.size.low, gap.size.high)],
        "y": [y, y],
        "line": {"color": colour, "width": 2},
        "hoverinfo": "text",
        "text": [text, text],
    }
    mark = {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits((fixed + sign * gap.threshold) * factor)],
        "y": [y],
        "marker": {"symbol": "line-ns", "size": 17, "line": {"color": "--ink", "width": 1.5}},
        "hoverinfo": "text",
        "text": [text],
    }
    return [bar, reach, mark]


def dots_of(intervals: list[Interval], ys: list[float], factor: float, colours: list[str]) -> Spec:
    """A dot and a bar for each interval, one above the other."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [five_digits(interval.value * factor) for interval in intervals],
        "y": ys,
        "marker": {"size": 11, "color": colours, "line": {"width": 0}},
        "error_x": error_bars(intervals, factor, color="--ink", thickness=1.6, width=5),
        "hoverinfo": "text",
    }


def rows_layout(labels: list[str], ys: list[float], title: str, ends: list[float]) -> Spec:
    """The layout of named rows, wide enough for everything from the lowest to the highest end."""
    margin = 0.05 * (max(ends) - min(ends)) or 1.0
    return {
        "xaxis": {"title": {"text": title}, "nticks": 5, "range": [min(ends) - margin, max(ends) + margin]},
        "yaxis": {"tickvals": ys, "ticktext": labels, "range": [ys[-1] - 0.6, 0.6], "showgrid": False, "automargin": True, "ticklen": 6},
        "margin": {"l": 10, "r": 14, "t": 6, "b": 44},
    }
