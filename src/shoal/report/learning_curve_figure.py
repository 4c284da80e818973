"""The picture of the error against the number of training rows, with its power law drawn beyond them."""

from __future__ import annotations

from shoal.interval import Interval
from shoal.measurements import LawPoint, LearningCurve
from shoal.records import Run
from shoal.report.drawing import Figure, Key, Spec, bulk_axis, five_digits, log_axis, upright
from shoal.report.wording import PARTS, SHARES, error_name, number, plain_error, score_span

FEWEST_ROWS = 200
"""Training rows below which a run measures no curve."""


def learning_curve_figure(run: Run) -> Figure | None:
    """The errors of each seed, their means, the law through them with its band, and what it says of two and four times the rows."""
    curve = run.measured.learning_curve
    if curve is None:
        return None
    factor, unit = (100.0, " %") if run.metric in SHARES else (1.0, "")
    law = curve.law or _law_without_band(curve)
    data = [_band(law, factor), *_seeds(curve, factor, unit), _means(curve.rows, curve.train, factor, unit, "train", "--muted", "square")]
    data += [_means(curve.rows, curve.dev, factor, unit, "dev", "--accent", "circle"), *_law(curve, law, factor, unit)]
    ends = [error * factor for errors in (*curve.train, *curve.dev) for error in errors]
    ends += [end * factor for point in law for end in (point.error.value, point.error.high)]
    now = curve.rows[-1]
    layout: Spec = {
        "xaxis": {"title": {"text": "training rows"}} | log_axis(curve.rows[0], law[-1].rows, ticks=6),
        "yaxis": {"title": {"text": error_name(run) + unit.replace(" %", ", %")}} | _axis(ends),
        "shapes": [upright(now, "--muted", "dash")],
        "margin": {"l": 52, "r": 14, "t": 12, "b": 44},
    }
    key = (
        Key("●", "--accent", "dev, mean of the seeds"),
        Key("○", "--second", "dev, each seed"),
        Key("■", "--muted", "train, mean of the seeds"),
        Key("bold", "--unsure", "the law, and its 95 % band"),
        Key("◆", "--unsure", "with twice and four times the rows"),
    )
    said = "; ".join(f"{rows:,} rows {score_span(error, _as_error(run))}" for rows, error in _marked(curve, law))
    first, last = (plain_error(sum(errors) / len(errors), run.metric) for errors in (curve.dev[0], curve.dev[-1]))
    words = f"Dev {error_name(run)} against training rows: {first} with {curve.rows[0]:,} and {last} with all {now:,}. By the law: {said}."
    return Figure("learning-curve", words, 380, data, layout, key)


def learning_curve_words(run: Run) -> str:
    """The law in words; or why there is none."""
    curve = run.measured.learning_curve
    if curve is not None:
        law = f"The law is floor + scale x rows^-{number(curve.exponent.value, 2)}"
        exponents = f"{number(curve.exponent.low, 2)} to {number(curve.exponent.high, 2)}"
        floor = score_span(curve.floor, _as_error(run))
        return f"{law} (exponent {exponents}) with a floor of {floor}. Each network trained for {curve.steps:,} steps."
    rows = run.split.rows.get("train", 0)
    if run.stopped:
        why = "the run was stopped before it"
    elif rows < FEWEST_ROWS:
        why = f"{rows:,} training rows are too few to take parts of"
    elif run.answers is None:
        why = "one recipe was trained, without a search"
    else:
        why = "the budget left no time for it"
    return f"Not measured: {why}."


def learning_curve_rows(run: Run) -> list[tuple[str, str, str]]:
    """Rows, train error and dev error; of more rows than there are what the law says."""
    curve = run.measured.learning_curve
    if curve is None:
        return []

    def mean(errors: tuple[float, ...]) -> str:
        spread = f"{plain_error(min(errors), run.metric)} to {plain_error(max(errors), run.metric)}"
        return f"{plain_error(sum(errors) / len(errors), run.metric)} ({spread})"

    measured = [(f"{rows:,}", mean(train), mean(dev)) for rows, train, dev in zip(curve.rows, curve.train, curve.dev, strict=True)]
    law = [
        (f"{rows:,}, by the law", "", score_span(error, _as_error(run)))
        for rows, error in _marked(curve, curve.law or _law_without_band(curve))
    ]
    return measured + law


def _as_error(run: Run) -> str:
    return "error" if run.metric in SHARES else run.metric


def _law_without_band(curve: LearningCurve) -> tuple[LawPoint, ...]:
    """From the law's three numbers, for a record that holds no more."""
    present, scale = curve.rows[-1], curve.now.value - curve.floor.value
    every = (*curve.rows, 2 * present, 4 * present)
    errors = [curve.floor.value + scale * (rows / present) ** -curve.exponent.value for rows in every]
    return tuple(LawPoint(rows, Interval(error, error, error)) for rows, error in zip(every, errors, strict=True))


def _marked(curve: LearningCurve, law: tuple[LawPoint, ...]) -> list[tuple[int, Interval]]:
    """Twice and four times the rows."""
    at = {point.rows: point.error for point in law}
    return [(times * curve.rows[-1], at[times * curve.rows[-1]]) for times in (2, 4) if times * curve.rows[-1] in at]


def _axis(ends: list[float]) -> Spec:
    """From 0 where that is near: how far the error is from none is part of the picture."""
    axis = bulk_axis(ends)
    if axis.get("type") != "log" and min(ends) < 0.5 * max(ends):
        axis["range"] = [0.0, axis["range"][1]]
    return axis


def _band(law: tuple[LawPoint, ...], factor: float) -> Spec:
    rows = [point.rows for point in law]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*rows, *reversed(rows)],
        "y": [five_digits(factor * point.error.low) for point in law] + [five_digits(factor * point.error.high) for point in reversed(law)],
        "fill": "toself",
        "line": {"width": 0, "color": "--unsure"},
        "opacity": 0.3,
        "hoverinfo": "skip",
    }


def _seeds(curve: LearningCurve, factor: float, unit: str) -> list[Spec]:
    every = [(rows, error) for rows, errors in zip(curve.rows, curve.dev, strict=True) for error in errors]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [rows for rows, _ in every],
            "y": [five_digits(factor * error) for _, error in every],
            "marker": {"symbol": "circle-open", "size": 6, "color": "--second"},
            "hovertemplate": f"%{{x:,}} rows, one seed: dev %{{y:.4g}}{unit}<extra></extra>",
        }
    ]


def _means(
    rows: tuple[int, ...], errors: tuple[tuple[float, ...], ...], factor: float, unit: str, part: str, colour: str, symbol: str
) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(rows),
        "y": [five_digits(factor * sum(each) / len(each)) for each in errors],
        "line": {"color": colour, "width": 1.4, "dash": "dot"},
        "marker": {"symbol": symbol, "size": 8, "color": colour},
        "hovertemplate": f"%{{x:,}} rows: {PARTS[part].lower()} %{{y:.4g}}{unit}<extra></extra>",
    }


def _law(curve: LearningCurve, law: tuple[LawPoint, ...], factor: float, unit: str) -> list[Spec]:
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [point.rows for point in law],
        "y": [five_digits(factor * point.error.value) for point in law],
        "line": {"color": "--unsure", "width": 2.2},
        "text": [f"{number(factor * point.error.low, 3)} to {number(factor * point.error.high, 3)}" for point in law],
        "hovertemplate": f"%{{x:,}} rows, by the law: %{{y:.4g}} (%{{text}}){unit}<extra></extra>",
    }
    marked = _marked(curve, law)
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [rows for rows, _ in marked],
        "y": [five_digits(factor * error.value) for _, error in marked],
        "marker": {"symbol": "diamond", "size": 10, "color": "--unsure", "line": {"color": "--paper", "width": 1}},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }
    return [line, marks]
