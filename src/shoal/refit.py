"""A finished run's networks trained once more, on the dev rows as well: all has been decided, and more rows often help.

What was decided on the dev rows stays as it is: the recipes, how long each was of use, the temperature, the decision between classes.
Nothing is left then to say how good the new networks are but the test rows, on which both models are scored; nothing is chosen by that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shoal import storage
from shoal.comparison import answers_on
from shoal.data import Dataset
from shoal.ensemble import model_of
from shoal.errors import Problem, RunFolderError
from shoal.intake import load_again
from shoal.measurements.refit import Refit
from shoal.metrics import METRICS, interval, paired_difference
from shoal.model import Model
from shoal.progress import Event, Listener, silent
from shoal.recipe import Recipe
from shoal.records import RECORD_FORMAT, Part, Run
from shoal.run_folder import RunFolder
from shoal.saved_run import REFIT, REFITTED, to_plain
from shoal.trainer import Network, Trainer, own_seed, ranked

SEEDS_FROM = 2 * 10**6
"""The first number from which the networks' seeds are drawn: fresh ones, which no trial and no winner had."""


def refit(run: str | Path, *, listener: Listener = silent) -> Refit:
    """Train the networks of a run's model again, on its dev rows as well, and keep them beside the model.

    As many networks of the same recipes are trained on fresh seeds, for as many epochs as the run's took to their best evaluation. The
    run's model, its scores and its report stay what they are; the new networks are a model of their own in ``RUN/refitted``, with the
    temperature and the decision between classes of the run's. Where the run has test rows, both models are scored on them.

    Args:
        run: the folder of a run whose data is a file that is still there.
        listener: is told about progress.

    Returns:
        What it did to the error.

    Raises:
        RunFolderError: there is no run, it did not come to its end, its model learned from other networks' answers, or its data was not
            a file, or has changed since.
        DataError: no network could be trained.

    Example:
        >>> refitted = refit("runs/adult")  # doctest: +SKIP
        >>> refitted.rows_before, refitted.rows, refitted.difference.value < 0  # doctest: +SKIP
        (10000, 15000, True)
        >>> shoal.Model.load(Path("runs/adult/refitted")).predict("new.csv")  # doctest: +SKIP
    """
    folder = RunFolder.open(run)
    record, model = folder.run(), folder.model()
    if problem := _cannot_refit(record, folder.path):
        raise RunFolderError(problem)
    dataset = load_again(folder, listener)
    parts: list[Part] = [part for part in dataset.inputs if part != "test"]
    trainer = Trainer(dataset, record.seed, trained_on=parts)
    listener(Event("refit", f"{model.size} networks, on the rows of {', '.join(parts)}"))
    networks: list[Network] = []
    epochs = [_useful_epochs(record, part.recipe) for part in model.parts]
    for place, (part, useful) in enumerate(zip(model.parts, epochs, strict=True)):
        numbers = range(len(networks), len(networks) + len(part.networks.units))
        some = [Network(number, own_seed(record.seed, SEEDS_FROM + number), part.recipe) for number in numbers]
        trainer.train(f"refit-{place}", some, share=useful / part.recipe.epochs)
        networks += some
    learned = sorted(ranked(networks), key=lambda network: network.number)
    shares = np.array([1.0 if model.shares is None else model.shares[network.number] for network in learned])
    new = replace(
        model_of(trainer, learned, None if model.shares is None else shares / shares.sum()),
        temperature=model.temperature,
        decision=model.decision,
        reference=model.reference,
        scores=None,  # the dev loss of networks that were trained on these rows says nothing
    )
    rows = sum(len(dataset.truth[part]) for part in parts)
    measured = Refit(len(dataset.truth["train"]), rows, new.size, tuple(epochs), record.metric, 0)
    if "test" in dataset.inputs:
        listener(Event("scoring", "the test rows"))
        measured = replace(measured, **_on_test_rows(record, dataset, model, new))
    (folder.path / REFIT).unlink(missing_ok=True)  # that of an earlier refit does not describe the model to come
    new.save(folder.path / REFITTED)
    storage.write_json(folder.path / REFIT, {"format": RECORD_FORMAT, "refit": to_plain(measured)})
    return measured


def _cannot_refit(record: Run, folder: Path) -> Problem | None:
    if record.stopped:
        return Problem("the run came to its end", f"{folder}, which was stopped early", f"Continue it: shoal resume {folder}")
    if record.distilled is not None:
        received = "a model that learned other networks' answers (--final distilled)"
        return Problem("the model's networks learned from the rows alone", received, "Refit a run with --final mean, single or greedy.")
    return None


def _useful_epochs(record: Run, recipe: Recipe) -> float:
    """How long a recipe was of use in the run: the mean over its networks that were trained longest, to their best evaluation."""
    trained = [trial for trial in record.trials if trial.recipe == recipe and trial.best_step and trial.trace.steps]
    longest = max(trial.steps for trial in trained)
    return float(np.mean([trial.best_step * trial.trace.epochs[-1] / trial.trace.steps[-1] for trial in trained if trial.steps == longest]))


def _on_test_rows(record: Run, dataset: Dataset, model: Model, new: Model) -> dict[str, Any]:
    """The scores of both models, and their difference, as fields of a ``Refit``."""
    metric, truth, weight = METRICS[record.metric], dataset.truth["test"], dataset.weights["test"]
    members = new.member_outputs(new.inputs(dataset.table("test")))
    before, after = answers_on(dataset, model, "test"), new.decided(new.combined(members))
    return {
        "test_rows": len(truth),
        "before": record.scores["test"].get(metric.name),  # none where it is not finite
        "after": interval(metric, truth, new.decided(members), weight, ensemble=after, seed=record.seed),
        "difference": paired_difference(metric, truth, before, after, weight, seed=record.seed),
    }
