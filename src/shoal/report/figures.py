"""The pictures of the report, by name."""

from __future__ import annotations

from shoal.records import Run
from shoal.report.confusion import confusion_figures
from shoal.report.curves import curves_figure
from shoal.report.drawing import Figure
from shoal.report.learning_curve_figure import learning_curve_figure
from shoal.report.parallel import parallel_figure
from shoal.report.reliability import reliability_figures
from shoal.report.residuals import residual_figures
from shoal.report.scores import budget_figure, score_figure
from shoal.report.signals_figure import signal_figures
from shoal.report.slices import pair_figures, slice_figures
from shoal.report.waterfall import waterfall_figure

FIGURES = (score_figure, budget_figure, curves_figure, waterfall_figure, parallel_figure, learning_curve_figure)
GROUPS = (slice_figures, pair_figures, signal_figures, confusion_figures, reliability_figures, residual_figures)


def figures(run: Run) -> dict[str, Figure]:
    """Every picture that this record has the numbers for, by name.

    Args:
        run: the record to draw.

    Example:
        >>> sorted(figures(run))  # doctest: +SKIP
        ['budget', 'curves', 'scores']
    """
    drawn = [*(draw(run) for draw in FIGURES), *(figure for draw in GROUPS for figure in draw(run))]
    return {figure.name: figure for figure in drawn if figure is not None}
