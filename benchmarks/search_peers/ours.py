"""shoal's own search: coarse to fine, asynchronous halving, the defaults of ``shoal.search``.

The variant is a number: how many times the trials. The file is read and encoded here, inside the time that is measured; afterwards it
is checked that this gave the arrays of the others.
"""

from __future__ import annotations

import numpy as np
from task import BATCH_SIZES, BETA1, BETA2, DROPOUT, HIDDEN_LAYERS, LAMBDA, LEARNING_RATE, UNITS, Task, given_task

import shoal
from shoal import data
from shoal.parameters import Choice, Range
from shoal.progress import Event
from shoal.recipe import Recipe
from shoal.space import Space

PARAMETERS = (
    Range("learning_rate", *LEARNING_RATE, "log"),
    Range("units", *UNITS, "log_integer"),
    Choice("hidden_layers", tuple(range(HIDDEN_LAYERS[0], HIDDEN_LAYERS[1] + 1))),
    Range("l2", *LAMBDA, "log"),
    Range("keep_prob", 1 - DROPOUT[1], 1 - DROPOUT[0]),
    Choice("batch_size", BATCH_SIZES),
    Range("beta1", *BETA1, "log_one_minus"),
    Range("beta2", *BETA2, "log_one_minus"),
)


def space(epochs: int) -> Space:
    """The space that all contestants search."""
    return Space.of(Recipe(activation="relu", optimiser="adam", decay="constant", epochs=float(epochs)), PARAMETERS)


class Clock:
    """Notes the best dev loss that events tell of, and when the search itself was over."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.searched = 0.0

    def __call__(self, event: Event) -> None:
        if event.stage in ("search", "retrain") and event.best is not None:
            self.task.note(event.best)
        if event.stage == "search":
            self.searched = self.task.seconds


def main() -> None:
    """Search, and write the outcome."""
    task = given_task()
    clock = Clock(task)
    result = shoal.search(
        task.source,
        target=task.target,
        space=space(task.epochs),
        sampler="coarse-to-fine",
        rungs="async",
        budget=f"{task.trials * int(task.variant or 1)}trials",
        seed=task.seed,
        listener=clock,
    )
    whole = task.seconds
    dataset = data.load(task.source, target=task.target, seed=task.seed)
    same = np.array_equal(dataset.inputs["train"], task.X_train) and np.array_equal(dataset.targets["dev"], task.y_dev)
    if not same:
        raise SystemExit("The search did not see the arrays that the others were given.")
    record = result.record
    tried = [trial for trial in record.trials if trial.purpose == "search"]
    epochs = sum(trial.trace.epochs[-1] for trial in tried if trial.trace.epochs)
    task.finish(
        clock.searched, len(tried), whole=whole, stages=record.stages, compilations=record.compilations, network_epochs=round(epochs)
    )


if __name__ == "__main__":
    main()
