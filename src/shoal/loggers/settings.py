"""What a logger is told of a trial: its settings, its curves and its scores, as plain numbers and texts."""

from __future__ import annotations

from collections.abc import Iterator

from shoal.recipe import Recipe
from shoal.records import Run, Trial

CURVES = {"train_loss": "loss/train", "dev_loss": "loss/dev", "dev_error": "error/dev", "gradient_norm": "gradient_norm"}
"""Series of a trace, and what they are called."""


def settings_of(recipe: Recipe) -> dict[str, float | int | str | bool]:
    """Every setting as a number or a text.

    Example:
        >>> settings_of(Recipe(hidden_units=(64, 32)))["hidden_units"]
        '64, 32'
    """
    return {name: _plain(value) for name, value in recipe.to_dict().items()}


def _plain(value: object) -> float | int | str | bool:
    if isinstance(value, bool | int | float | str):
        return value
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def curves_of(trial: Trial, most: int) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """The name of each series and its points, at most so many, without those that are no numbers."""
    for series, name in CURVES.items():
        values = getattr(trial.trace, series)
        every = -(-len(values) // most) or 1
        kept = [*range(0, len(values), every)]
        kept += [len(values) - 1] if kept and kept[-1] != len(values) - 1 else []
        points = [(trial.trace.steps[index], values[index]) for index in kept if values[index] is not None]
        if points:
            yield name, points


def scores_of(run: Run) -> dict[str, float]:
    """Every score of the final model and the ends of its interval, by part and metric.

    Example:
        >>> scores_of(run)["test_error"]  # doctest: +SKIP
        0.131
    """
    ends = (("", "value"), ("_low", "low"), ("_high", "high"))
    return {
        f"{part}_{metric}{suffix}": getattr(interval, end)
        for part, scores in run.scores.items()
        for metric, interval in scores.items()
        for suffix, end in ends
    }


def name_of(trial: Trial) -> str:
    """What a trial is called.

    Example:
        >>> name_of(trial)  # doctest: +SKIP
        'trial-007'
    """
    return f"trial-{trial.number:03}" + ("-retrained" if trial.purpose == "retrain" else "")
