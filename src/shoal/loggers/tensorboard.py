"""A run as TensorBoard's event files: one folder per trial, with its settings for the tab HPARAMS and its curves by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shoal.loggers.settings import curves_of, name_of, scores_of, settings_of
from shoal.records import Run

MOST_POINTS = 120


def write(run: Run, place: str, told: Callable[[int], None]) -> None:
    """Write the event files of a run.

    Args:
        run: its record.
        place: the folder that TensorBoard is pointed at; the run gets one of its own in it.
        told: is told how many trials have been written.
    """
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    folder = _new_folder(Path(place), run.name)
    with SummaryWriter(str(folder)) as writer:
        for name, value in scores_of(run).items():
            writer.add_scalar(f"score/{name}", value, 0)
        writer.add_text("verdict", f"**{run.verdict.title}.** {run.verdict.text}\n\nNext step: {run.next_step}", 0)
    for done, trial in enumerate(run.trials, 1):
        with SummaryWriter(str(folder / name_of(trial))) as writer:
            for name, points in curves_of(trial, MOST_POINTS):
                for step, value in points:
                    writer.add_scalar(name, value, step)
            scored = {} if trial.score is None else {"best_dev_loss": trial.score}
            for summary in hparams(settings_of(trial.recipe) | {"seed": trial.seed, "status": trial.status}, scored):
                writer.file_writer.add_summary(summary)  # pyright: ignore[reportOptionalMemberAccess] it is there while the writer is open
            for name, value in scored.items():
                writer.add_scalar(name, value, trial.best_step)
        told(done)


def _new_folder(place: Path, name: str) -> Path:
    """A folder of the run's name, with a number behind it where that is taken: events of two runs must not mix."""
    folder, number = place / name, 2
    while folder.exists():
        folder, number = place / f"{name}-{number}", number + 1
    return folder
