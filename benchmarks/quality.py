"""Test error of shoal on fixed splits, beside the figures of other models in peers.json.

    python benchmarks/quality.py FOLDER [--budget 60s] [--seed 0] [--set adult] [--save results.json]

FOLDER holds ``<set>/train.csv``, ``dev.csv``, ``test.csv`` and ``task.json`` with ``{"target": ..., "task": ...}``. Each set is given to
the command line as a user would; the error is computed here from the predictions of ``shoal predict``, not taken from the run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

PEERS = json.loads(Path(__file__).with_name("peers.json").read_text())
COMMAND = str(Path(sys.executable).with_name("shoal"))


def column(path: Path, name: str) -> np.ndarray:
    return pl.read_csv(path, columns=[name], infer_schema_length=0)[name].str.strip_chars().to_numpy()


def figure(truth: np.ndarray, predicted: np.ndarray, task: str) -> float:
    """Error rate, or 1 - R2; both columns arrive as text."""
    if task == "classification":
        return float(np.mean(truth != predicted))
    truth, predicted = truth.astype(float), predicted.astype(float)
    return float(np.sum((truth - predicted) ** 2) / np.sum((truth - truth.mean()) ** 2))


def score_set(folder: Path, budget: str, seed: int) -> dict[str, Any]:
    task = json.loads((folder / "task.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        run, predictions = Path(scratch) / "run", Path(scratch) / "predictions.csv"
        improve = [
            COMMAND,
            "improve",
            folder / "train.csv",
            "--target",
            task["target"],
            "--task",
            task["task"],
            "--dev",
            folder / "dev.csv",
        ]
        improve += ["--test", folder / "test.csv", "--budget", budget, "--seed", str(seed), "--out", run, "--json", "--quiet"]
        start = time.perf_counter()
        result = json.loads(subprocess.run(improve, capture_output=True, check=True).stdout)
        seconds = time.perf_counter() - start
        subprocess.run([COMMAND, "predict", run, folder / "test.csv", "--out", predictions], capture_output=True, check=True)
        error = figure(column(folder / "test.csv", task["target"]), column(predictions, "prediction"), task["task"])
    return {
        "task": task["task"],
        "error": error,
        "seconds": seconds,
        "run": {key: result[key] for key in ("metric", "dev", "test", "trials", "recipe")},
    }


def peers_of(name: str) -> list[float | None]:
    return [pair and pair[0] for pair in PEERS["figures"].get(name, [None] * len(PEERS["peers"]))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Test error of shoal on fixed splits, beside its peers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", dest="sets", help="only this set; may be repeated")
    parser.add_argument("--save", type=Path, help="write the full results as JSON")
    options = parser.parse_args()

    names = options.sets or sorted(path.parent.name for path in options.folder.glob("*/task.json"))
    print(f"peers: {PEERS['machine']}")
    print(f"{'set':<20}{'figure':<9}{'shoal (s)':<15}" + "".join(f"{peer.split(' (')[0]:<12.11}" for peer in PEERS["peers"]) + "rank")
    results, ranks = {}, []
    for name in names:
        try:
            results[name] = score_set(options.folder / name, options.budget, options.seed)
        except subprocess.CalledProcessError as error:
            print(f"{name:<20}failed: {error.stderr.decode().strip()[-400:]}", flush=True)
            continue
        error, peers = results[name]["error"], peers_of(name)
        ranks.append(1 + sum(peer is not None and peer < error for peer in peers))
        label = "error" if results[name]["task"] == "classification" else "1 - R2"
        shown = "".join(f"{'-' if peer is None else format(peer, '.4f'):<12}" for peer in peers)
        mine = f"{error:.4f} ({results[name]['seconds']:.0f})"
        print(f"{name:<20}{label:<9}{mine:<15}{shown}{ranks[-1]}", flush=True)
    if ranks:
        print(f"mean rank of shoal among the peers measured on each set: {np.mean(ranks):.2f}")
    if options.save:
        options.save.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(int(len(ranks) < len(names)))


if __name__ == "__main__":
    main()
