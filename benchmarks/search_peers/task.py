"""What every contestant of the search benchmark is given, and what it hands back.

A contestant is a program of its own: ``python PEER.py TASK.npz CURVE.jsonl RESULT.json --began SECONDS ...``. It appends a line to the
curve whenever a dev loss is known and writes its result at the end; seconds count from the moment the process was started.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# The space, the same for all. lambda is that of lambda/(2m) * sum ||W[l]||^2.
LEARNING_RATE = (3e-4, 3e-2)  # log
UNITS = (16, 128)  # log, integer
HIDDEN_LAYERS = (1, 3)  # integer
LAMBDA = (1e-2, 1e2)  # log
DROPOUT = (0.0, 0.5)  # linear
BATCH_SIZES = (64, 256)
BETA1 = (0.8, 0.99)  # log of 1 - beta
BETA2 = (0.95, 0.9995)  # log of 1 - beta

FACTOR = 3
"""At each rung about one trial in three goes on, three times as long."""


def rungs(epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared: the full training and at most two thirds before it.

    Example:
        >>> rungs(27)
        (3, 9, 27)
    """
    return tuple(sorted({math.ceil(epochs / FACTOR**k) for k in range(3)}))


@dataclass(frozen=True)
class Task:
    """A table, and how much is to be searched.

    Args:
        X_train, X_dev: float32 [rows, inputs], normalised.
        y_train, y_dev: classes int32 [rows], or the standardised quantity float32 [rows].
        classes: how many; 0 for a quantity.
        source: the file that the arrays come from.
        target: its column.
        trials: different recipes to try.
        epochs: of a full training.
        seed: of the split and of the search.
        variant: of the contestant.
        began: when its process was started, in seconds since the epoch.
        curve: where dev losses are noted.
        result: where the outcome is written.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_dev: np.ndarray
    y_dev: np.ndarray
    classes: int
    source: str
    target: str
    trials: int
    epochs: int
    seed: int
    variant: str
    began: float
    curve: Path
    result: Path

    @property
    def seconds(self) -> float:
        """Since the process was started."""
        return time.time() - self.began

    def note(self, loss: float) -> None:
        """Add a point to the curve; several processes may do so at once."""
        if math.isfinite(loss):
            line = json.dumps([round(self.seconds, 3), float(loss)]) + "\n"
            file = os.open(self.curve, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(file, line.encode())  # one small write to the end of a file is not torn by another's
            os.close(file)

    def finish(self, seconds: float, trials: int, **more: Any) -> None:
        """Write the outcome.

        Args:
            seconds: until all trials were done.
            trials: different recipes that were tried.
            more: anything else worth keeping.
        """
        self.result.write_text(json.dumps({"seconds": seconds, "trials": trials, **more}))

    def dev_loss(self, predicted: np.ndarray) -> float:
        """Mean log loss of class probabilities [rows, classes], or mean squared error of standardised quantities [rows]."""
        if not self.classes:
            return float(np.mean(np.square(predicted.reshape(-1).astype(float) - self.y_dev)))
        at_class = predicted[np.arange(len(self.y_dev)), self.y_dev].astype(float)
        return float(-np.mean(np.log(np.maximum(at_class, np.finfo(np.float32).tiny))))


def given_task() -> Task:
    """The task that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", type=Path)
    parser.add_argument("curve", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--began", type=float, default=time.time())
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    with np.load(given.task) as stored:
        arrays = {name: stored[name] for name in ("X_train", "y_train", "X_dev", "y_dev")}
        known = {"classes": int(stored["classes"]), "source": str(stored["source"]), "target": str(stored["target"])}
    options = {name: getattr(given, name) for name in ("trials", "epochs", "seed", "variant", "began", "curve", "result")}
    return Task(**arrays, **known, **options)
