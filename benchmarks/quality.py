"""Test error and log loss of ``shoal improve`` on ten fixed splits, beside the figures of other models in peers.json.

    python benchmarks/quality.py [--budget 15s] [--seeds 3] [--set adult] [--rerun lightgbm,catboost,realmlp] [--save results.json]
    python benchmarks/quality.py --refit [--set letter]
    python benchmarks/quality.py --others [--options="--final greedy"]
    python benchmarks/quality.py --large [--budget 90s] [--set skin]

Each set is given to the command line as a user would, with its own dev and test files; error (or 1 - R2) and log loss are computed here
from the predictions of ``shoal predict``, not taken from the run. Shown are means over seeds with the half width of their 95 % t
interval. ``--rerun`` runs peers again (see ``quality_peers.py``); the others' figures are those of peers.json, one seed each. For the log
loss, RealMLP is run as its authors advise for it. ``--refit`` has each run's networks trained again on the dev rows as well, as no peer
was; its figures come in tables of their own, and count for no goal. ``--others`` takes the tables on which no peer was measured: those by
whose test rows ways of training may be chosen, which those of the ten must not be. ``--large`` takes all rows of large tables, runs
scikit-learn's boosting beside shoal, and looks at time and memory, too. Without ``--budget`` the command takes what it takes by default.
The seconds are the whole command's: start, compilation and report included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from real_data import LARGE, MEASURED_BY_PEERS, OTHERS, Table, fixed_split

from shoal.metrics import mean_interval

HERE = Path(__file__).parent
PEERS = json.loads((HERE / "peers.json").read_text())
COMMAND = str(Path(sys.executable).with_name("shoal"))
PEERS_PYTHON = HERE.parent / ".bench-venv" / "bin" / "python"
BOOSTING = "boosting (scikit-learn)"
RERUN = {"mlp": "MLP (scikit-learn)", "boosting": BOOSTING, "lightgbm": "LightGBM", "catboost": "CatBoost"}
RERUN |= {"realmlp": "RealMLP", "realmlp-log-loss": "RealMLP"}
"""Peers of ``quality_peers.py``, by their names in the table."""
NEURAL = ("MLP (scikit-learn)", "AutoGluon network", "RealMLP", "TabM")
WORST_AGAINST_REALMLP, WORST_AGAINST_CATBOOST, SECONDS = 1.03, 1.02, 150.0
CLOSE_TO_CATBOOST = ("adult", "california_housing")
SECONDS_OF_LARGE, GIB_OF_LARGE = 120.0, 4.0
SMALLEST_PROBABILITY = 1e-7

Figures = dict[str, dict[str, list[float]]]
"""``figures[set][model]``: one value per seed."""


def written(table: Table, folder: Path, *, whole: bool = False) -> Path:
    """The fixed split as files, for commands."""
    for part, frame in fixed_split(table, whole=whole).items():
        frame.write_csv(folder / f"{part}.csv")
    (folder / "task.json").write_text(json.dumps({"target": table.target, "task": table.task}))
    return folder


def improved(table: Table, folder: Path, budget: str | None, seed: int, more: Sequence[str] = ()) -> dict[str, Any]:
    """What one run of the command reaches on the test rows."""
    run = folder / f"run-{seed}"
    command = [COMMAND, "improve", folder / "train.csv", "--target", table.target, "--task", table.task, "--dev", folder / "dev.csv"]
    command += ["--test", folder / "test.csv", *(("--budget", budget) if budget else ()), "--seed", str(seed), "--out", run]
    command += ["--json", "--quiet", *more]
    begun = time.perf_counter()
    told, gib = measured(command)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "gib": gib, "trials": told["trials"], **scored(table, folder, run)}


def refitted(table: Table, folder: Path, seed: int) -> dict[str, Any]:
    """What the same run's networks reach that were trained on the dev rows as well."""
    begun = time.perf_counter()
    subprocess.run([COMMAND, "refit", folder / f"run-{seed}", "--quiet"], capture_output=True, check=True)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, **scored(table, folder, folder / f"run-{seed}", ["--refitted"])}


def scored(table: Table, folder: Path, run: Path, more: Sequence[str] = ()) -> dict[str, float]:
    """A run's error, or error and log loss, by its predictions of the test rows."""
    predictions = folder / "predictions.csv"
    asked = ["--proba", *more] if table.task == "classification" else more
    command = [COMMAND, "predict", run, folder / "test.csv", "--out", predictions, "--force", *asked]
    subprocess.run(command, capture_output=True, check=True)
    truth, predicted = (pl.read_csv(path, infer_schema_length=0) for path in (folder / "test.csv", predictions))
    return scores(truth[table.target].str.strip_chars().to_numpy(), predicted, table.task)


def measured(command: Sequence[Any]) -> tuple[dict[str, Any], float]:
    """What a command prints as JSON, and the most memory that it took, in GiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return json.loads(told), usage.ru_maxrss / 2**20


def scores(truth: np.ndarray, predicted: pl.DataFrame, task: str) -> dict[str, float]:
    """Error rate and mean log loss, or 1 - R2, of predictions that arrive as text."""
    answers = predicted["prediction"].to_numpy()
    if task == "regression":
        y = truth.astype(float)
        return {"error": float(np.square(y - answers.astype(float)).sum() / np.square(y - y.mean()).sum())}
    names = [name for name in predicted.columns if name.startswith("p_")]
    probabilities = predicted.select(names).cast(pl.Float64).to_numpy()
    probabilities = np.column_stack([probabilities, np.zeros(len(truth))])  # the last is for a class that no training row has
    places = {name.removeprefix("p_"): place for place, name in enumerate(names)}
    of_truth = probabilities[np.arange(len(truth)), [places.get(each, -1) for each in truth]]
    return {"error": float(np.mean(truth != answers)), "log_loss": float(-np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).mean())}


def rerun(peer: str, folder: Path, seed: int) -> dict[str, float]:
    """One peer's figures on this machine."""
    command = [PEERS_PYTHON, HERE / "quality_peers.py", peer, folder, "--seed", str(seed)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1])


def shown(figures: Figures, models: Sequence[str], title: str) -> dict[str, dict[str, float]]:
    """The table of one figure, and its means by set and model."""
    print(f"\n{title}\n{'set':<20}" + "".join(f"{model.split(' (')[0][:16]:<17}" for model in models))
    means: dict[str, dict[str, float]] = {}
    for name, of_models in figures.items():
        cells = []
        for model in models:
            values = of_models.get(model, [])
            interval = mean_interval(values) if values else None
            half = f" ±{interval.high - interval.value:.4f}" if interval and len(values) > 1 else ""
            cells.append(f"{interval.value:.4f}{half}" if interval else "-")
        means[name] = {model: float(np.mean(values)) for model, values in of_models.items() if values}
        print(f"{name:<20}" + "".join(f"{cell:<17}" for cell in cells), flush=True)
    print(f"{'mean rank':<20}" + "".join(f"{mean_rank(means, model, models):<17.2f}" for model in models))
    return means


def mean_rank(means: dict[str, dict[str, float]], model: str, models: Iterable[str]) -> float:
    """Mean rank of a model over the sets that it was measured on, among those measured there."""
    ranks = [1 + sum(of[other] < of[model] for other in models if other in of) for of in means.values() if model in of]
    return float(np.mean(ranks)) if ranks else float("nan")


def judged(means: dict[str, dict[str, float]], seconds: dict[str, list[float]], figure: str) -> bool:
    """Whether each goal for a figure is met, said line by line."""
    goals: list[tuple[str, bool]] = []
    neural = ("shoal", *NEURAL)
    ranks = {model: mean_rank(means, model, neural) for model in neural}
    goals.append(
        (f"mean rank among networks by {figure}: {ranks['shoal']:.2f}", ranks["shoal"] <= min(r for r in ranks.values() if r == r))
    )
    ratios = {name: of["shoal"] / of["RealMLP"] for name, of in means.items() if "RealMLP" in of}
    if ratios:
        worst = max(ratios, key=lambda name: ratios[name])
        goals.append((f"worst against RealMLP: {worst}, {ratios[worst]:.3f} of its {figure}", ratios[worst] <= WORST_AGAINST_REALMLP))
    for name in CLOSE_TO_CATBOOST:
        if figure == "error" and "CatBoost" in means.get(name, {}):
            ratio = means[name]["shoal"] / means[name]["CatBoost"]
            goals.append((f"{name}: {ratio:.3f} of CatBoost's error", ratio <= WORST_AGAINST_CATBOOST))
    if figure == "error" and len(seconds) == len(MEASURED_BY_PEERS):
        total = sum(float(np.mean(each)) for each in seconds.values())
        goals.append((f"ten sets in {total:.0f} s", total <= SECONDS))
    for text, is_met in goals:
        print(f"{'ok' if is_met else 'MISSED':<8}{text}")
    return all(is_met for _, is_met in goals)


def recorded(figure: str, name: str) -> dict[str, list[float]]:
    """What peers.json holds of a set."""
    if figure == "log_loss":
        return {peer: [value] for peer, value in PEERS["log_loss"].get(name, {}).items()}
    return {peer: [pair[0]] for peer, pair in zip(PEERS["peers"], PEERS["figures"].get(name, ()), strict=False) if pair}


def large(names: Iterable[str], budget: str | None, seeds: int, more: Sequence[str]) -> bool:
    """Shoal and boosting on all rows of large tables; whether each goal is met, said line by line."""
    all_met = True
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            folder = written(LARGE[name], Path(scratch), whole=True)
            runs = [improved(LARGE[name], folder, budget, seed, more) for seed in range(seeds)]
            boosting = [rerun("boosting", folder, seed) for seed in range(seeds)]
        error, of_boosting = (float(np.mean([each["error"] for each in found])) for found in (runs, boosting))
        seconds, gib = max(each["seconds"] for each in runs), max(each["gib"] for each in runs)
        is_met = error < of_boosting and seconds <= SECONDS_OF_LARGE and gib <= GIB_OF_LARGE
        all_met &= is_met
        of_seeds = ", ".join(f"{each['error']:.5f} ({each['trials'] or 'no'} trials)" for each in runs)
        slowest = max(each["seconds"] for each in boosting)
        print(f"{'ok' if is_met else 'MISSED':<8}{name:<14}{of_seeds}; {seconds:.0f} s, {gib:.1f} GiB;", end=" ")
        print(f"boosting {of_boosting:.5f}, {slowest:.0f} s", flush=True)
    return all_met


def main() -> None:
    parser = argparse.ArgumentParser(description="Test error and log loss of shoal on fixed splits, beside its peers.")
    parser.add_argument("--budget", help="the default of the command unless stated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", dest="sets", choices=tuple(MEASURED_BY_PEERS | OTHERS | LARGE), help="may be repeated")
    parser.add_argument("--others", action="store_true", help="the tables on which no peer was measured")
    parser.add_argument("--large", action="store_true", help="all rows of large tables, beside scikit-learn's boosting")
    parser.add_argument("--refit", action="store_true", help="train each run's networks again, on the dev rows as well")
    parser.add_argument("--options", default="", help="further ones of shoal improve")
    parser.add_argument("--rerun", default="", help=f"peers to run again, comma-separated: {', '.join(RERUN)}")
    parser.add_argument("--save", type=Path, help="write every figure as JSON")
    options = parser.parse_args()
    peers = list(filter(None, options.rerun.split(",")))
    if unknown := set(peers) - set(RERUN):
        parser.error(f"peers are {', '.join(RERUN)}; got {', '.join(sorted(unknown))}")

    budget, more = options.budget, options.options.split()
    if options.large:
        sys.exit(int(not large(options.sets or LARGE, budget, options.seeds, more)))
    print(f"shoal on {platform.machine()}, {platform.python_version()}; recorded peers: {PEERS['machine']}")
    errors: Figures = {}
    losses: Figures = {}
    refits: dict[str, list[dict[str, Any]]] = {}
    seconds: dict[str, list[float]] = {}
    for name in options.sets or (OTHERS if options.others else MEASURED_BY_PEERS):
        table = (MEASURED_BY_PEERS | OTHERS)[name]
        errors[name], seconds[name] = recorded("error", name), []
        if table.task == "classification":
            losses[name] = recorded("log_loss", name)
        with tempfile.TemporaryDirectory() as scratch:
            folder = written(table, Path(scratch))
            runs = {"shoal": [improved(table, folder, budget, seed, more) for seed in range(options.seeds)]}
            runs |= {peer: [rerun(peer, folder, seed) for seed in range(options.seeds)] for peer in peers}
            refits[name] = [refitted(table, folder, seed) for seed in range(options.seeds if options.refit else 0)]
        seconds[name] = [each["seconds"] for each in runs["shoal"]]
        for peer, found in runs.items():
            model = RERUN.get(peer, "shoal")
            if peer != "realmlp-log-loss":
                errors[name][model] = [each["error"] for each in found]
            if name in losses and peer != "realmlp":
                losses[name][model] = [each["log_loss"] for each in found]
        told = ", ".join(f"{each['error']:.4f} ({each['seconds']:.0f} s, {each['trials'] or 'no'} trials)" for each in runs["shoal"])
        print(f"{name:<20}{told}", flush=True)
        for each in refits[name]:
            print(f"{'  refitted':<20}{each['error']:.4f} ({each['seconds']:.0f} s)", flush=True)
    models = ["shoal", *PEERS["peers"]]
    is_met = judged(shown(errors, models, "error rate, or 1 - R2"), seconds, "error")
    with_losses = ["shoal", *(peer for peer in PEERS["peers"] if any(peer in of for of in losses.values()))]
    if losses:
        is_met &= judged(shown(losses, with_losses, "log loss"), seconds, "log loss")
    if options.refit:
        print(
            f"\nrefits, {sum(float(np.mean([each['seconds'] for each in some])) for some in refits.values()):.0f} s more for all sets:",
            end="",
        )
        for figures, figure, title in ((errors, "error", "error rate, or 1 - R2"), (losses, "log_loss", "log loss")):
            after = {name: {**of, "shoal": [each[figure] for each in refits[name]]} for name, of in figures.items()}
            if after:
                shown(after, models if figure == "error" else with_losses, f"{title}, shoal trained on the dev rows as well")
    if options.save:
        options.save.write_text(json.dumps({"error": errors, "log_loss": losses, "seconds": seconds, "refits": refits}, indent=1) + "\n")
    sys.exit(int(not is_met))


if __name__ == "__main__":
    main()
