"""The learning curves of all trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shoal.recipe import Recipe
from shoal.records import Run, Trial
from shoal.report.drawing import Figure, Key, Spec, bulk_axis, five_digits, log_axis, plain, upright
from shoal.report.wording import number, recipe_line

POINTS_OF_A_CURVE = 64
"""Points kept of each curve of the search, at most; the retrained winner keeps four times as many."""

POINTS_OF_ALL = 8192
"""Points kept of all curves of the search together, as far as each has the fewest."""

FEWEST_POINTS = 24

ENDS = {"stopped early": ("diamond-open", "◇", "--ok"), "diverged": ("x-thin-open", "✕", "--bad")}
"""How the end of a curve is marked that ended by itself: Plotly's symbol, the sign for the legend and the colour."""


def curves_figure(run: Run) -> Figure | None:
    """The learning curves of all trials: the search thin, the winner bold, the rungs and the best steps marked."""
    return trial_curves(run.trials, run.plan.rungs, run.recipe)


def trial_curves(trials: Sequence[Trial], rungs: Sequence[int], best_recipe: Recipe | None, so_far: bool = False) -> Figure | None:
    """The same of any trials.

    Args:
        trials: with their traces.
        rungs: of the plan, in steps.
        best_recipe: whose trials of the search stand out.
        so_far: whether the search goes on, so that nothing has won yet.
    """
    traced = [trial for trial in trials if any(loss is not None for loss in trial.trace.dev_loss)]
    if not traced:
        return None
    winner = [trial for trial in traced if trial.purpose == "search" and trial.recipe == best_recipe]
    search = [trial for trial in traced if trial.purpose == "search" and trial not in winner]
    retrains = [trial for trial in traced if trial.purpose == "retrain"]
    thin = {"color": "--muted", "width": 1}
    # the more lines there are, the fainter each
    points = max(FEWEST_POINTS, min(POINTS_OF_A_CURVE, POINTS_OF_ALL // max(len(search), 1)))
    data = [_curve(trial, trial.trace.dev_loss, thin, points) | {"opacity": max(0.25, min(0.7, 40 / len(search)))} for trial in search]
    data += [_curve(trial, trial.trace.dev_loss, {"color": "--second", "width": 2}) for trial in winner]
    data += [_curve(trial, trial.trace.train_loss, {"color": "--accent", "width": 1.2, "dash": "dot"}) for trial in retrains]
    data += [_curve(trial, trial.trace.dev_loss, {"color": "--accent", "width": 2.6}) for trial in retrains]
    best = [trial for trial in retrains or winner if trial.score is not None]
    data.append(_stars(best))
    ended = {status: [trial for trial in traced if trial.status == status] for status in ENDS}
    data += [_ends(some, *ENDS[status]) for status, some in ended.items() if some]
    losses = [loss for trial in traced for loss in trial.trace.dev_loss if loss is not None]
    losses += [loss for trial in retrains for loss in trial.trace.train_loss if loss is not None]
    steps = [step for trial in traced for step in trial.trace.steps]
    layout: Spec = {
        "xaxis": {"title": {"text": "step"}} | log_axis(max(min(steps), 1), max(steps), ticks=6),
        "yaxis": {"title": {"text": "loss"}} | bulk_axis(losses),
        "shapes": [upright(rung, "--muted", "dash") for rung in rungs],
        "annotations": [_rung_label(index, rung) for index, rung in enumerate(rungs)],
        "margin": {"l": 52, "r": 14, "t": 24, "b": 44},
    }
    key = (
        Key("solid", "--muted", "trials of the search, dev"),
        *([Key("solid", "--second", "the best so far, dev" if so_far else "the winner in the search, dev")] if winner else []),
        *([Key("bold", "--accent", "retrained, dev"), Key("dot", "--accent", "retrained, train")] if retrains else []),
        *([Key("★", "--bad", "best step")] if best else []),
        *(Key(ENDS[status][1], ENDS[status][2], status) for status, some in ended.items() if some),
    )
    alternative = (
        f"Dev loss against training step of {len(traced)} trials, {'the best so far' if so_far else 'the retrained winner'} in bold. "
        "The tables of trials hold each one's best."
    )
    return Figure("curves", alternative, 420, data, layout, key)


def _stars(best: list[Trial]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [trial.best_step for trial in best],
        "y": [five_digits(trial.score) for trial in best],
        "marker": {"symbol": "star", "size": 13, "color": "--bad", "line": {"color": "--paper", "width": 1}},
        "text": [f"trial {trial.number}: best dev loss {number(trial.score)} at step {trial.best_step:,}" for trial in best],
        "hoverinfo": "text",
    }


def _ends(trials: list[Trial], symbol: str, _: str, colour: str) -> Spec:
    """A mark at the last loss of each trial."""
    known = [
        [(step, loss) for step, loss in zip(trial.trace.steps, trial.trace.dev_loss, strict=False) if loss is not None] for trial in trials
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [losses[-1][0] for losses in known],
        "y": [five_digits(losses[-1][1]) for losses in known],
        "marker": {"symbol": symbol, "size": 7, "color": colour, "line": {"color": colour, "width": 1.4}},
        "text": [f"{trial_words(trial)}<br>last at step {losses[-1][0]:,}" for trial, losses in zip(trials, known, strict=True)],
        "hoverinfo": "text",
    }


def _rung_label(index: int, rung: int) -> Spec:
    # an annotation on a logarithmic axis is placed at the logarithm, unlike a shape
    place = {"x": math.log10(max(rung, 1)), "y": 1, "yref": "paper", "yanchor": "bottom"}
    return place | {"text": f"rung {index + 1}", "showarrow": False, "font": {"size": 11}}


def _curve(trial: Trial, losses: Sequence[float | None], line: Spec, points: int = 4 * POINTS_OF_A_CURVE) -> Spec:
    kept = _thinned(losses, points)
    return {
        "type": "scatter",
        # a line of one point would not be seen
        "mode": "lines" if len(kept) > 1 else "markers",
        "marker": {"color": line["color"], "size": 5},
        "x": [trial.trace.steps[index] for index in kept],
        "y": [five_digits(losses[index]) for index in kept],
        "line": line,
        "hovertemplate": f"{trial_words(trial)}<br>step %{{x:,}}: %{{y:.4g}}<extra></extra>",
    }


def trial_words(trial: Trial) -> str:
    """A trial's number, how it ended and its recipe, as words to show on pointing at it."""
    name = f"trial {trial.number}" + (" (retrained)" if trial.purpose == "retrain" else "")
    return f"<b>{name}</b>, {trial.status}<br>" + plain(recipe_line(trial.recipe)).replace("; ", "<br>")


def _thinned(losses: Sequence[float | None], points: int) -> list[int]:
    """Which entries to draw: evenly spaced, the first, the last and the lowest among them."""
    if len(losses) <= points:
        return list(range(len(losses)))
    kept = {round(index * (len(losses) - 1) / (points - 1)) for index in range(points)}
    known = [(loss, index) for index, loss in enumerate(losses) if loss is not None]
    return sorted(kept | ({min(known)[1]} if known else set()))
