"""What the pages of the findings show: a run with the disease beside the same run with its cure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable

import numpy as np
from figures.drawing import BLUE, FAINT, INK, VERMILION, Drawing, is_log, panel
from matplotlib.axes import Axes

from shoal.records import Run

Said = tuple[str, str]
"""What was done, and the cure, in words."""

LOOKS = ((VERMILION, "solid", "s"), (BLUE, (0, (5, 2)), "o"))
"""The colour, the dashes and the marker of the disease and of the cure."""
TITLE = 40
"""Letters on a line of a panel's title."""


def curves(before: Run, after: Run, said: Said) -> Drawing:
    """The losses of every network, the disease and its cure in panels of their own."""
    panels = []
    for run, title in zip((before, after), said, strict=True):
        axes = panel(textwrap.fill(title, TITLE), "epoch", "loss")
        for number, trial in enumerate(run.trials):
            for name, values, colour, dash in (
                ("train", trial.trace.train_loss, BLUE, "solid"),
                ("dev", trial.trace.dev_loss, VERMILION, (0, (5, 2))),
            ):
                label = f"{name} loss" if number == 0 else None
                axes.plot(trial.trace.epochs, _finite(values), color=colour, linestyle=dash, linewidth=1.3, label=label)
        _fitting_scale(axes, (value for trial in run.trials for value in (*trial.trace.train_loss, *trial.trace.dev_loss)))
        panels.append(axes)
    return Drawing(panels)


def errors(before: Run, after: Run, said: Said) -> Drawing:
    """The scores of the parts with their intervals."""
    axes = panel("", "", before.metric.replace("_", " "))
    parts = [part for part in ("train", "train_dev", "dev", "test") if part in before.scores or part in after.scores]
    for run, name, (colour, _, marker), aside in zip((before, after), said, LOOKS, (-0.08, 0.08), strict=True):
        own = [part for part in parts if part in run.scores]
        places = np.array([parts.index(part) for part in own]) + aside
        spans = [run.scores[part][run.metric] for part in own]
        axes.vlines(places, [span.low for span in spans], [span.high for span in spans], color=colour, linewidth=2)
        axes.plot(places, [span.value for span in spans], marker, color=colour, markersize=7, label=name)
    axes.set_xticks(range(len(parts)), [part.replace("_", "-") for part in parts])
    axes.set(xlim=(-0.5, len(parts) - 0.5), ylim=(0, None))
    return Drawing([axes])


def rates(before: Run, after: Run, said: Said) -> Drawing:
    """The range test, with the learning rates of the disease and of its cure."""
    found = before.measured.rate_range
    assert found is not None
    axes = panel("", "learning rate", "loss")
    axes.plot(found.rates, _finite(found.losses, 1e3), "o-", color=INK, label=f"loss after {found.steps} steps")
    axes.axvspan(found.lowest, found.highest, color=FAINT, alpha=0.25, linewidth=0, label="rates that lower the loss")
    for rate, name, (colour, dash, _) in zip((found.used, after.recipe.learning_rate), said, LOOKS, strict=True):
        axes.axvline(rate, color=colour, linestyle=dash, label=name)
    is_log(axes, "x")
    _fitting_scale(axes, (loss for loss in found.losses if loss is not None and loss < 1e3))
    return Drawing([axes])


def by_rows(before: Run, after: Run, said: Said) -> Drawing:
    """Dev errors of networks trained on parts of the training rows."""
    axes = panel("", "training rows", f"dev {before.metric.replace('_', ' ')}")
    for run, name, (colour, _, marker) in zip((before, after), said, LOOKS, strict=True):
        curve = run.measured.learning_curve
        assert curve is not None
        rows = np.repeat(curve.rows, [len(size) for size in curve.dev])
        axes.plot(rows, np.concatenate(curve.dev), marker, color=colour, markersize=4, label=name)
    axes.set_xscale("log")
    sizes = sorted({rows for run in (before, after) if (curve := run.measured.learning_curve) for rows in curve.rows})
    axes.set_xticks(sizes[:: max(1, len(sizes) // 5)], [f"{rows:,}" for rows in sizes[:: max(1, len(sizes) // 5)]], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, None)
    return Drawing([axes])


def by_layer(name: str, title: str, at_start: bool) -> Callable[[Run, Run, Said], Drawing]:
    """What draws a signal of the hidden layers: on a logarithmic scale at the start, or a share at the end."""

    def draw(before: Run, after: Run, said: Said) -> Drawing:
        axes = panel("", "hidden layer", title)
        deepest = 1
        for run, words, (colour, dash, marker) in zip((before, after), said, LOOKS, strict=True):
            for number, signals in enumerate(run.measured.signals):
                hidden = getattr(signals, name)[0 if at_start else -1][:-1]
                layers, deepest = range(1, len(hidden) + 1), max(deepest, len(hidden))
                look = {"color": colour, "linestyle": dash, "marker": marker}
                axes.plot(layers, _finite(hidden), **look, label=words if number == 0 else None)
        axes.set_xticks(range(1, deepest + 1))
        if at_start:
            is_log(axes)
        else:
            axes.set_ylim(0, 1.05)
        return Drawing([axes])

    return draw


DRAWN: dict[str, Callable[[Run, Run, Said], Drawing]] = {
    "curves": curves,
    "errors": errors,
    "rates": rates,
    "rows": by_rows,
    "backward": by_layer("backward", "gradient at the start", True),
    "dead": by_layer("dead", "share of dead units at the end", False),
    "saturated": by_layer("saturated", "share of saturated answers at the end", False),
    "alike": by_layer("alike", "share of units like another", False),
}


def _finite(values: Iterable[float | None], most: float = np.inf) -> list[float]:
    """Numbers that can be drawn; what diverged leaves a gap."""
    return [value if value is not None and np.isfinite(value) and value < most else np.nan for value in values]


def _fitting_scale(axes: Axes, values: Iterable[float | None]) -> None:
    """A logarithmic scale where it is needed: between two powers of ten it would have hardly a number on it."""
    known = [value for value in _finite(values) if value > 0]
    if known and max(known) > 30 * min(known):
        is_log(axes)
