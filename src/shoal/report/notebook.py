"""A run as a notebook shows it: the verdict, the next step, the scores and what was kept, without a script or a style sheet."""

from __future__ import annotations

from shoal.records import Interval, Run
from shoal.report import wording
from shoal.report.page import environment

# readable on white and on black: a notebook does not say which it is
COLOURS = {"blue": "#3a87c2", "grey": "#7f8993", "red": "#c8591a", "green": "#1d9a78", "ochre": "#b07d08"}
TONES = {"neither": "green", "cannot tell": "ochre"}
JUDGED = {"yes": "high", "no": "not high", "cannot tell": "cannot tell"}
WIDTH, RADIUS = 180, 6


def run_html(run: Run) -> str:
    """The run as a fragment of HTML, in which no string of the user's is anything but text.

    Args:
        run: its record.

    Example:
        >>> run_html(run).startswith("<div")  # doctest: +SKIP
        True
    """
    part = wording.headline_part(run)
    scored = [("shoal", run.scores.get(part, {}).get(run.metric))]
    scored += [(each.name, each.test if part == "test" else each.dev) for each in run.baselines]
    known = [(name, interval) for name, interval in scored if interval is not None]
    low, high = (end(bound for _, each in known for bound in (each.low, each.high)) if known else 0.0 for end in (min, max))
    proposals = [entry for entry in run.ledger.entries if entry.kind == "proposal"] if run.ledger is not None else []
    page = (
        environment()
        .get_template("notebook.html")
        .render(
            run=run,
            words=wording,
            colours=COLOURS,
            tone=COLOURS[TONES.get(run.verdict.title, "red")],
            judged=JUDGED,
            part=part,
            rows=[(name, interval, _places(interval, low, high)) for name, interval in known],
            width=WIDTH,
            proposals=proposals,
            kept=[entry for entry in proposals if entry.decision == "kept"],
            searched=sum(trial.purpose == "search" for trial in run.trials),
        )
    )
    return page.strip()


def _places(interval: Interval, low: float, high: float) -> list[str]:
    """Where the low end, the value and the high end lie on a bar from ``low`` to ``high``, in pixels."""
    scale = (WIDTH - 2 * RADIUS) / ((high - low) or 1.0)
    return [f"{RADIUS + scale * (value - low):.1f}" for value in (interval.low, interval.value, interval.high)]
