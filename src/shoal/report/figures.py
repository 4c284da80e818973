"""The pictures of the report, by name."""

from __future__ import annotations

from shoal.records import Run
from shoal.report.curves import curves_figure
from shoal.report.drawing import Figure
from shoal.report.parallel import parallel_figure
from shoal.report.scores import budget_figure, score_figure
from shoal.report.slices import pair_figures, slice_figures
from shoal.report.waterfall import waterfall_figure

FIGURES = (score_figure, budget_figure, curves_figure, waterfall_figure, parallel_figure)


def figures(run: Run) -> dict[str, Figure]:
    """Every picture that this record has the numbers for, by name.

    Args:
        run: the record to draw.

    Example:
        >>> sorted(figures(run))  # doctest: +SKIP
        ['budget', 'curves', 'scores']
    """
    drawn = [*(draw(run) for draw in FIGURES), *slice_figures(run), *pair_figures(run)]
    return {figure.name: figure for figure in drawn if figure is not None}
