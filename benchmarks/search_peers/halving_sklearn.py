"""scikit-learn's HalvingRandomSearchCV over its MLP, two processes; it has no dropout, and starts anew at every rung."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from task import BATCH_SIZES, BETA1, BETA2, FACTOR, HIDDEN_LAYERS, LAMBDA, LEARNING_RATE, UNITS, Task, given_task, rungs

JOBS = 2


class Layers:
    """Draws ``hidden_layer_sizes``."""

    def rvs(self, random_state: np.random.RandomState) -> tuple[int, ...]:
        """As many layers as were drawn, all of the same size."""
        units = stats.loguniform(*UNITS).rvs(random_state=random_state)
        return (round(float(units)),) * random_state.randint(HIDDEN_LAYERS[0], HIDDEN_LAYERS[1] + 1)


class OneMinus:
    """Draws ``beta``, uniformly in the logarithm of ``1 - beta``."""

    def __init__(self, low: float, high: float) -> None:
        self.distribution = stats.loguniform(1 - high, 1 - low)

    def rvs(self, random_state: np.random.RandomState) -> float:
        """One value."""
        return 1 - float(self.distribution.rvs(random_state=random_state))


class Scorer:
    """Minus the dev loss, noted in the curve."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, model: Any, X: np.ndarray, y: np.ndarray) -> float:
        loss = self.task.dev_loss(model.predict_proba(X) if self.task.classes else model.predict(X))
        self.task.note(loss)
        return -loss


def main() -> None:
    """Search, and write the outcome."""
    task = given_task()
    X, y = np.concatenate([task.X_train, task.X_dev]), np.concatenate([task.y_train, task.y_dev])
    split = PredefinedSplit(np.repeat([-1, 0], [len(task.X_train), len(task.X_dev)]))
    mean_batch = sum(BATCH_SIZES) / 2
    space = {
        "hidden_layer_sizes": Layers(),
        "learning_rate_init": stats.loguniform(*LEARNING_RATE),
        # scikit-learn divides alpha by the rows of a mini-batch, not of the training set.
        "alpha": stats.loguniform(*(bound * mean_batch / len(task.X_train) for bound in LAMBDA)),
        "batch_size": list(BATCH_SIZES),
        "beta_1": OneMinus(*BETA1),
        "beta_2": OneMinus(*BETA2),
    }
    kind = MLPClassifier if task.classes else MLPRegressor
    search = HalvingRandomSearchCV(
        kind(n_iter_no_change=10**6, random_state=task.seed),
        space,
        n_candidates=task.trials,  # type: ignore[arg-type]
        factor=FACTOR,
        resource="max_iter",
        min_resources=rungs(task.epochs)[0],  # type: ignore[arg-type]
        max_resources=task.epochs,  # type: ignore[arg-type]
        cv=split,  # type: ignore[arg-type]
        scoring=Scorer(task),
        refit=False,
        error_score=np.nan,
        return_train_score=False,
        random_state=task.seed,
        n_jobs=JOBS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    epochs = sum(count * length for count, length in zip(search.n_candidates_, search.n_resources_, strict=True))
    task.finish(task.seconds, task.trials, network_epochs=int(epochs))


if __name__ == "__main__":
    main()
