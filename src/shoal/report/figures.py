"""The pictures of the report, by name."""

from __future__ import annotations

from shoal.records import Run
from shoal.report.curves import curves_figure, search_figure
from shoal.report.drawing import Figure
from shoal.report.scores import budget_figure, score_figure

FIGURES = (score_figure, budget_figure, curves_figure, search_figure)


def figures(run: Run) -> dict[str, Figure]:
    """Every picture that this record has the numbers for, by name.

    Args:
        run: the record to draw.

    Example:
        >>> sorted(figures(run))  # doctest: +SKIP
        ['budget', 'curves', 'scores', 'search']
    """
    drawn = [draw(run) for draw in FIGURES]
    return {figure.name: figure for figure in drawn if figure is not None}
