"""Optuna over a PyTorch loop: TPE and a pruner, two processes on one storage, one thread each.

The variants ``hyperband``, ``halving`` and ``median`` choose the pruner; with ``-threads`` two threads of one process work in place of two
processes. The data lie in memory as tensors, an epoch is one gather and slices of it, the optimiser is the fused one.
"""

from __future__ import annotations

import math
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from task import BATCH_SIZES, BETA1, BETA2, DROPOUT, FACTOR, HIDDEN_LAYERS, LAMBDA, LEARNING_RATE, UNITS, Task, given_task, rungs
from torch import nn

WORKERS = 2
THREADS = "-threads"


def network(trial: optuna.Trial, inputs: int, outputs: int) -> nn.Sequential:
    """Hidden ReLU layers of the same size, He initialisation, dropout after each."""
    units = trial.suggest_int("units", *UNITS, log=True)
    layers = trial.suggest_int("hidden_layers", *HIDDEN_LAYERS)
    dropout = trial.suggest_float("dropout", *DROPOUT)
    modules: list[nn.Module] = []
    for size in (inputs, *[units] * (layers - 1)):
        linear = nn.Linear(size, units)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        modules += [linear, nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*modules, nn.Linear(units, outputs))


def optimiser(trial: optuna.Trial, model: nn.Module, rows: int) -> torch.optim.Optimizer:
    """Adam with L2 on the weights, biases spared."""
    rate = trial.suggest_float("learning_rate", *LEARNING_RATE, log=True)
    decay = trial.suggest_float("lambda", *LAMBDA, log=True) / rows
    betas = tuple(1 - trial.suggest_float(f"1 - {name}", 1 - high, 1 - low, log=True) for name, (low, high) in _BETAS.items())
    weights = [each for each in model.parameters() if each.ndim > 1]
    biases = [each for each in model.parameters() if each.ndim == 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.Adam(groups, lr=rate, betas=betas, fused=True)  # type: ignore[arg-type]


_BETAS = {"beta1": BETA1, "beta2": BETA2}


def objective_of(task: Task) -> Callable[[optuna.Trial], float]:
    """The best dev loss of one network."""
    X, y, X_dev, y_dev = (torch.as_tensor(part) for part in (task.X_train, task.y_train, task.X_dev, task.y_dev))
    if task.classes:
        y, y_dev, cost = y.long(), y_dev.long(), nn.functional.cross_entropy
    else:
        y, y_dev, cost = y[:, None], y_dev[:, None], nn.functional.mse_loss

    def objective(trial: optuna.Trial) -> float:
        torch.manual_seed(task.seed * 100_003 + trial.number)
        model = network(trial, X.shape[1], max(task.classes, 1))
        steps = optimiser(trial, model, len(X))
        size = trial.suggest_categorical("batch_size", BATCH_SIZES)
        best = math.inf
        for epoch in range(1, task.epochs + 1):
            order = torch.randperm(len(X))
            model.train()
            for batch, wanted in zip(X[order].split(size), y[order].split(size), strict=True):
                steps.zero_grad()
                cost(model(batch), wanted).backward()
                steps.step()
            model.eval()
            with torch.inference_mode():
                loss = cost(model(X_dev), y_dev).item()
            if not math.isfinite(loss):
                raise optuna.TrialPruned
            task.note(loss)
            best = min(best, loss)
            trial.report(loss, epoch)
            if epoch < task.epochs and trial.should_prune():
                raise optuna.TrialPruned
        return best

    return objective


def search(task: Task, storage: optuna.storages.BaseStorage, worker: int, jobs: int = 1) -> None:
    """Work on the study until all trials are taken."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    first = rungs(task.epochs)[0]
    pruners: dict[str, optuna.pruners.BasePruner] = {
        "hyperband": optuna.pruners.HyperbandPruner(first, task.epochs, FACTOR),
        "halving": optuna.pruners.SuccessiveHalvingPruner(first, FACTOR),
        "median": optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=first),
    }
    pruner = pruners[task.variant.removesuffix(THREADS) or "hyperband"]
    sampler = optuna.samplers.TPESampler(seed=task.seed * 10 + worker, constant_liar=True)
    study = optuna.create_study(storage=storage, sampler=sampler, pruner=pruner, study_name="search", load_if_exists=True)
    study.optimize(objective_of(task), n_jobs=jobs, callbacks=[MaxTrialsCallback(task.trials, states=None)])


def search_in_process(task: Task, journal: str, worker: int) -> None:
    """One of several processes on one storage."""
    search(task, JournalStorage(JournalFileBackend(journal)), worker)


def main() -> None:
    """Search, and write the outcome."""
    task = given_task()
    with tempfile.TemporaryDirectory() as folder:
        if task.variant.endswith(THREADS):
            storage: optuna.storages.BaseStorage = optuna.storages.InMemoryStorage()
            search(task, storage, 0, WORKERS)
        else:
            journal = str(Path(folder) / "journal")
            fork = multiprocessing.get_context("fork")  # the libraries are imported once
            workers = [fork.Process(target=search_in_process, args=(task, journal, number)) for number in range(WORKERS)]
            for each in workers:
                each.start()
            for each in workers:
                each.join()
            if any(each.exitcode for each in workers):
                raise SystemExit("A worker failed.")
            storage = JournalStorage(JournalFileBackend(journal))
        seconds = task.seconds
        trials = storage.get_all_trials(storage.get_study_id_from_name("search"))
        epochs = sum(max(each.intermediate_values, default=0) for each in trials)
        task.finish(seconds, len(trials), network_epochs=epochs)


if __name__ == "__main__":
    main()
