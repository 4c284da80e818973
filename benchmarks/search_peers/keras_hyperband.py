"""KerasTuner's Hyperband over Keras networks on JAX: compiled steps, many of them in one execution.

Its brackets are its own (for 27 epochs the trials are compared after 1, 3 and 9). It is stopped when as many different recipes have been
tried as the others try. By default a chief hands trials to one tuner a core (KerasTuner's distributed tuning); the variant ``alone`` is one
process with both cores.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras  # pyright: ignore[reportMissingImports]
import keras_tuner  # pyright: ignore[reportMissingImports]
from task import BATCH_SIZES, BETA1, BETA2, DROPOUT, FACTOR, HIDDEN_LAYERS, LAMBDA, LEARNING_RATE, UNITS, Task, given_task

STEPS_PER_EXECUTION = 16
WORKERS = 2
PIECES = "pieces"


class Enough(keras_tuner.errors.FatalError):
    """As many recipes as were asked for have been tried."""


class Notes(keras.callbacks.Callback):
    """Notes the dev loss of every epoch."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        self.task.note((logs or {})["val_dev_loss"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Notes:
        return Notes(self.task)  # the tuner copies callbacks for every trial


class Network(keras_tuner.HyperModel):
    """A network and its training, from hyperparameters."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def build(self, hp: Any) -> Any:
        """Hidden ReLU layers of the same size, He initialisation (uniform: it compiles fastest), dropout after each; compiled."""
        task = self.task
        units = hp.Int("units", *UNITS, sampling="log")
        strength = hp.Float("lambda", *LAMBDA, sampling="log") / (2 * len(task.X_train))
        dropout = hp.Float("dropout", *DROPOUT)
        regularizer = keras.regularizers.L2(strength)
        layers = [keras.Input((task.X_train.shape[1],))]
        for _ in range(hp.Int("hidden_layers", *HIDDEN_LAYERS)):
            layers += [
                keras.layers.Dense(units, "relu", kernel_initializer="he_uniform", kernel_regularizer=regularizer),
                keras.layers.Dropout(dropout),
            ]
        layers.append(keras.layers.Dense(max(task.classes, 1), kernel_regularizer=regularizer))
        model = keras.Sequential(layers)
        beta1, beta2 = (
            1 - hp.Float(f"1 - {name}", 1 - high, 1 - low, sampling="log") for name, (low, high) in (("beta1", BETA1), ("beta2", BETA2))
        )
        rate = hp.Float("learning_rate", *LEARNING_RATE, sampling="log")
        if task.classes:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            measure = keras.metrics.SparseCategoricalCrossentropy("dev_loss", from_logits=True)
        else:
            loss, measure = keras.losses.MeanSquaredError(), keras.metrics.MeanSquaredError("dev_loss")
        model.compile(
            keras.optimizers.Adam(rate, beta1, beta2),
            loss,
            metrics=[measure],  # the loss that Keras reports holds the L2 term
            jit_compile=True,
            steps_per_execution=STEPS_PER_EXECUTION,
        )
        return model

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Train with a batch size that is a hyperparameter too."""
        return model.fit(*args, batch_size=hp.Choice("batch_size", list(BATCH_SIZES)), **kwargs)


def pieces_in(log: Path) -> tuple[int, int]:
    """Recipes that were begun, and the epochs of all pieces of training; several processes write the log."""
    pieces = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return sum(int(new) for new, _ in pieces), sum(int(epochs) for _, epochs in pieces)


class Search(keras_tuner.Hyperband):
    """Hyperband that stops after a number of recipes."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.most, self.log = task.trials, folder / PIECES
        super().__init__(
            Network(task),
            keras_tuner.Objective("val_dev_loss", "min"),
            max_epochs=task.epochs,
            factor=FACTOR,
            hyperband_iterations=task.trials,  # more than are begun
            seed=task.seed,
            directory=str(folder),
            max_consecutive_failed_trials=task.trials,
        )

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Called by the tuner for every piece of training."""
        values = trial.hyperparameters.values
        is_new = values["tuner/round"] == 0
        if is_new and pieces_in(self.log)[0] >= self.most:
            raise Enough
        with self.log.open("a") as file:
            file.write(f"{int(is_new)} {values['tuner/epochs'] - values['tuner/initial_epoch']}\n")
        return super().run_trial(trial, *args, **kwargs)


def work(task: Task, folder: Path, role: str | None = None, address: tuple[str, int] = ("", 0), core: int | None = None) -> None:
    """Search alone, or as the chief or a tuner of several processes."""
    if role is not None:
        os.environ |= {"KERASTUNER_TUNER_ID": role, "KERASTUNER_ORACLE_IP": address[0], "KERASTUNER_ORACLE_PORT": str(address[1])}
    if core is not None:
        os.sched_setaffinity(0, {core})  # XLA makes as many threads as it sees cores
    search = Search(task, folder)
    with contextlib.suppress(Enough):
        search.search(
            task.X_train,
            task.y_train,
            validation_data=(task.X_dev, task.y_dev),
            validation_batch_size=len(task.X_dev),
            callbacks=[Notes(task)],
            verbose=0,
        )


def work_together(task: Task, folder: Path) -> None:
    """A chief, and a tuner for each core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    fork = multiprocessing.get_context("fork")  # the libraries are imported once
    chief = fork.Process(target=work, args=(task, folder, "chief", address))
    cores = sorted(os.sched_getaffinity(0))[:WORKERS]
    tuners = [fork.Process(target=work, args=(task, folder, f"tuner{number}", address, core)) for number, core in enumerate(cores)]
    for each in (chief, *tuners):
        each.start()
    for each in tuners:
        each.join()
    chief.terminate()
    chief.join()
    if any(each.exitcode for each in tuners):
        raise SystemExit("A tuner failed.")


def main() -> None:
    """Search, and write the outcome."""
    task = given_task()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jax.config.update("jax_compilation_cache_dir", str(folder / "programs"))  # a trial that goes on need not compile again
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        if task.variant.startswith("alone"):
            work(task, folder)
        else:
            work_together(task, folder)
        seconds = task.seconds
        recipes, epochs = pieces_in(folder / PIECES)
        task.finish(seconds, recipes, network_epochs=epochs)


if __name__ == "__main__":
    main()
