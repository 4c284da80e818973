"""One peer on one of the fixed splits: its test error (or 1 - R2), its test log loss, and the seconds it took, as JSON.

    python benchmarks/quality_peers.py PEER FOLDER [--seed 0] [--threads 2]

Run with a Python that has the peers' libraries (``make bench-quality`` makes one). FOLDER holds ``train.csv``, ``dev.csv``, ``test.csv``
and ``task.json``. Each peer has its own defaults, is trained on train, and may stop early on dev; test is scored once. LightGBM and
CatBoost may use 2,000 rounds with a patience of 50. RealMLP's defaults smooth labels, for the error; ``realmlp-log-loss`` is what its
authors advise for the log loss: no smoothing, and cross-entropy to choose the epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # pyright: ignore[reportMissingTypeStubs]
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

ROUNDS, PATIENCE = 2_000, 50


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=["", " ", "?", " ?", "NA"])


class Split:
    """Train, dev and test rows with classes as numbers; levels that training lacks are missing."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "task.json").read_text())
        self.is_classification = told["task"] == "classification"
        tables = {part: table(folder / f"{part}.csv") for part in ("train", "dev", "test")}
        self.y: dict[str, np.ndarray] = {part: each.pop(told["target"]).to_numpy() for part, each in tables.items()}
        self.categories = [name for name in tables["train"].columns if not pd.api.types.is_numeric_dtype(tables["train"][name])]
        if self.is_classification:
            encoder = LabelEncoder().fit(np.concatenate([each.astype(str) for each in self.y.values()]))
            self.y = {part: encoder.transform(each.astype(str)) for part, each in self.y.items()}
            self.classes = len(np.asarray(encoder.classes_))
        for name in self.categories:
            levels = pd.CategoricalDtype(sorted(tables["train"][name].dropna().astype(str).unique()))
            for part, each in tables.items():
                tables[part] = each.assign(**{name: each[name].astype(str).where(each[name].notna()).astype(levels)})
        self.x = tables

    def filled(self, part: str) -> pd.DataFrame:
        """Missing levels as one of their own, as text."""
        return self.x[part].assign(**{name: self.x[part][name].astype(object).fillna("missing").astype(str) for name in self.categories})


def mlp(split: Split, seed: int, threads: int) -> Any:
    numbers = [name for name in split.x["train"].columns if name not in split.categories]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), split.categories),
    )
    network = (MLPClassifier if split.is_classification else MLPRegressor)(random_state=seed, early_stopping=True)
    target = StandardScaler().fit(split.y["train"][:, None].astype(float)) if not split.is_classification else None
    y = split.y["train"] if target is None else np.asarray(target.transform(split.y["train"][:, None])).ravel()
    model = make_pipeline(columns, network).fit(split.filled("train"), y)
    x = split.filled("test")
    return model.predict_proba(x) if target is None else np.asarray(target.inverse_transform(model.predict(x)[:, None])).ravel()


def boosting(split: Split, seed: int, threads: int) -> Any:
    kind = HistGradientBoostingClassifier if split.is_classification else HistGradientBoostingRegressor
    model = kind(random_state=seed, categorical_features="from_dtype").fit(split.x["train"], split.y["train"])
    return predicted(model, split.x["test"], split)


def lightgbm(split: Split, seed: int, threads: int) -> Any:
    import lightgbm as library  # pyright: ignore[reportMissingImports]

    kind = library.LGBMClassifier if split.is_classification else library.LGBMRegressor
    model = kind(n_estimators=ROUNDS, random_state=seed, n_jobs=threads, verbose=-1)
    # it refuses names with brackets, quotes and the like
    train, dev, test = (split.x[part].set_axis(range(split.x[part].shape[1]), axis=1) for part in ("train", "dev", "test"))
    stop = library.early_stopping(PATIENCE, verbose=False)
    model.fit(train, split.y["train"], eval_set=[(dev, split.y["dev"])], callbacks=[stop])
    return predicted(model, test, split)


def catboost(split: Split, seed: int, threads: int) -> Any:
    import catboost as library  # pyright: ignore[reportMissingImports]

    kind = library.CatBoostClassifier if split.is_classification else library.CatBoostRegressor
    model = kind(iterations=ROUNDS, random_seed=seed, thread_count=threads, verbose=False, allow_writing_files=False)
    model.fit(
        split.filled("train"),
        split.y["train"],
        cat_features=split.categories,
        eval_set=(split.filled("dev"), split.y["dev"]),
        early_stopping_rounds=PATIENCE,
    )
    return predicted(model, split.filled("test"), split)


def realmlp(split: Split, seed: int, threads: int, **settings: Any) -> Any:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor  # pyright: ignore[reportMissingImports]

    kind = RealMLP_TD_Classifier if split.is_classification else RealMLP_TD_Regressor
    model = kind(device="cpu", random_state=seed, n_threads=threads, **settings)
    numbers = {name: split.x["train"][name].median() for name in split.x["train"].columns if name not in split.categories}
    train, dev, test = (split.filled(part).fillna(numbers) for part in ("train", "dev", "test"))
    model.fit(train, split.y["train"], X_val=dev, y_val=split.y["dev"], cat_col_names=split.categories)
    return predicted(model, test, split)


def realmlp_log_loss(split: Split, seed: int, threads: int) -> Any:
    return realmlp(split, seed, threads, use_ls=False, val_metric_name="cross_entropy") if split.is_classification else None


def predicted(model: Any, x: pd.DataFrame, split: Split) -> np.ndarray:
    if not split.is_classification:
        return np.asarray(model.predict(x)).ravel()
    outputs = np.zeros((len(x), split.classes))  # a class that no training row has is given no chance
    outputs[:, np.asarray(model.classes_).astype(int)] = model.predict_proba(x)
    return outputs


PEERS = {
    "mlp": mlp,
    "boosting": boosting,
    "lightgbm": lightgbm,
    "catboost": catboost,
    "realmlp": realmlp,
    "realmlp-log-loss": realmlp_log_loss,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="One peer on one of the fixed splits.")
    parser.add_argument("peer", choices=tuple(PEERS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    split, begun = Split(options.folder), time.perf_counter()
    outputs = PEERS[options.peer](split, options.seed, options.threads)
    told: dict[str, float] = {"seconds": time.perf_counter() - begun}
    truth = split.y["test"]
    if split.is_classification:
        told["error"] = float((outputs.argmax(1) != truth).mean())
        told["log_loss"] = float(log_loss(truth, outputs, labels=np.arange(outputs.shape[1])))
    elif outputs is not None:
        told["error"] = float(np.square(outputs - truth).sum() / np.square(truth - truth.mean()).sum())
    print(json.dumps(told))


if __name__ == "__main__":
    main()
