"""Search: seconds to finish 128 trials, and to reach a peer's best dev loss, against Optuna with PyTorch, KerasTuner and scikit-learn.

    python benchmarks/search.py [--tables adult,letter,california_housing] [--trials 128] [--epochs 27] [--rounds 1] [--peers keras,...]

Every contestant is a process of its own (see ``benchmarks/search_peers``) and searches the same space on the very same arrays, comparing
trials at the same epochs where it can. Its clock starts with the process: imports and compilation count. shoal runs three times: with an
empty cache of compiled programs (cold), with the one that run left behind (warm), and, with an empty one again, four times the trials
(long), since who trains faster may try more until a peer's best loss is reached. All contestants of a table take turns, ``--rounds`` times;
the table shows medians. The dev loss is the mean log loss, or the mean squared error of the standardised target.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from real_data import DATA

from shoal import data, devices

HERE = Path(__file__).parent
BENCH_PYTHON = HERE.parent / ".bench-venv" / "bin" / "python"
GOAL_TO_FINISH, GOAL_TO_LOSS = 10.0, 8.0

TABLES = {
    "adult": ("adult_train.csv.gz", "income"),
    "letter": ("letter.csv.gz", "class"),
    "california_housing": ("california_housing.csv.gz", "median_house_value"),
}


@dataclass(frozen=True)
class Contestant:
    """A program that searches.

    Args:
        name: on the command line.
        title: in the table.
        program: in ``search_peers``.
        variant: of the program.
        ours: whether it is shoal's own.
    """

    name: str
    title: str
    program: str
    variant: str = ""
    ours: bool = False


COLD = Contestant("cold", "shoal, cold cache", "ours.py", ours=True)
WARM = Contestant("warm", "shoal, warm cache", "ours.py", ours=True)
LONG = Contestant("long", "shoal, four times the trials", "ours.py", "4", ours=True)
OURS = (COLD, WARM, LONG)
PEERS = (
    Contestant("optuna-hyperband", "Optuna + PyTorch, Hyperband", "optuna_torch.py", "hyperband"),
    Contestant("optuna-halving", "Optuna + PyTorch, halving", "optuna_torch.py", "halving"),
    Contestant("optuna-median", "Optuna + PyTorch, median", "optuna_torch.py", "median"),
    Contestant("keras", "KerasTuner on JAX", "keras_hyperband.py"),
    Contestant("sklearn", "scikit-learn halving", "halving_sklearn.py"),
)


@dataclass(frozen=True)
class Outcome:
    """One search.

    Args:
        seconds: until all trials were done.
        whole: until the program was done.
        trials: different recipes that were tried.
        network_epochs: epochs trained, over all networks.
        curve: when each dev loss was known: seconds, loss.
    """

    seconds: float
    whole: float
    trials: int
    network_epochs: float
    curve: tuple[tuple[float, float], ...]

    @property
    def best(self) -> float:
        """The lowest dev loss."""
        return min(loss for _, loss in self.curve)

    def seconds_to(self, loss: float) -> float:
        """When a dev loss as low as this was first known; infinity if it never was.

        Example:
            >>> Outcome(9.0, 9.0, 4, 40, ((1.0, 0.5), (3.0, 0.2), (2.0, 0.3))).seconds_to(0.3)
            2.0
        """
        return min((seconds for seconds, each in self.curve if each <= loss), default=math.inf)


@dataclass(frozen=True)
class Comparison:
    """One of shoal's searches beside a peer's, of one round."""

    to_finish: float
    """How many times faster all trials were done."""
    to_loss: float
    """How many times faster the peer's best dev loss was reached; 0 if it never was."""

    @classmethod
    def of(cls, ours: Outcome, peer: Outcome) -> Comparison:
        """From the outcomes of both."""
        return cls(peer.seconds / ours.seconds, peer.seconds_to(peer.best) / ours.seconds_to(peer.best))


def run(contestant: Contestant, task: Path, cache: Path, given: argparse.Namespace) -> Outcome:
    """Let a contestant search, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        curve, result = Path(folder) / "curve.jsonl", Path(folder) / "result.json"
        python = sys.executable if contestant.ours else str(given.python)
        began = time.time()
        command = [python, str(HERE / "search_peers" / contestant.program), str(task), str(curve), str(result), "--began", repr(began)]
        command += ["--trials", str(given.trials), "--epochs", str(given.epochs), "--seed", str(given.seed)]
        command += ["--variant", contestant.variant]
        environment = {**os.environ, "SHOAL_CACHE_DIR": str(cache)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        whole = time.time() - began
        if done.returncode or not result.exists():
            sys.exit(f"{contestant.title} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        written = json.loads(result.read_text())
        points = tuple((seconds, loss) for seconds, loss in map(json.loads, curve.read_text().splitlines()))
    return Outcome(written["seconds"], written.get("whole", whole), written["trials"], written["network_epochs"], points)


def write_task(table: str, seed: int, path: Path) -> str:
    """Encode a table once for all; returns its rows and inputs in words."""
    file, target = TABLES[table]
    dataset = data.load(DATA / file, target=target, seed=seed)
    arrays = {"X_train": dataset.inputs["train"], "y_train": dataset.targets["train"]}
    arrays |= {"X_dev": dataset.inputs["dev"], "y_dev": dataset.targets["dev"]}
    np.savez(path, allow_pickle=False, **arrays, classes=len(dataset.classes), source=str(DATA / file), target=target)
    rows, inputs = arrays["X_train"].shape
    return f"{rows:,} training rows, {len(arrays['y_dev']):,} dev rows, {inputs} inputs"


LINE = "{:<30}{:>7}{:>8}{:>10}{:>9}{:>11}{:>18}{:>22}"
HEADER = LINE.format("", "trials", "epochs", "finished", "best at", "dev loss", "x to finish", "x to its best loss")


def median(values: Sequence[float]) -> float:
    """The median, of an even number the lower one, so that a search that never got there is not averaged with one that did."""
    return statistics.median_low(values)


def row(contestant: Contestant, rounds: dict[str, list[Outcome]]) -> str:
    """The line of a contestant; the ratios are those of the cold and the warm cache."""
    mine = rounds[contestant.name]
    cells: list[str] = [f"{mine[0].trials}", f"{median([each.network_epochs for each in mine]):.0f}"]
    cells += [f"{median([each.seconds for each in mine]):.1f} s", f"{median([each.seconds_to(each.best) for each in mine]):.1f} s"]
    cells.append(f"{median([each.best for each in mine]):.5f}")
    if contestant.ours or COLD.name not in rounds:
        return LINE.format(contestant.title, *cells, "", "")
    cold, warm, long = (comparisons(rounds[each.name], mine) for each in OURS)
    cells.append(f"{median([each.to_finish for each in cold]):.1f} / {median([each.to_finish for each in warm]):.1f}")
    cells.append(" / ".join(times([each.to_loss for each in ours]) for ours in (cold, warm, long)))
    return LINE.format(contestant.title, *cells)


def comparisons(ours: Sequence[Outcome], peer: Sequence[Outcome]) -> list[Comparison]:
    """Round by round."""
    return [Comparison.of(mine, other) for mine, other in zip(ours, peer, strict=True)]


def times(ratios: Sequence[float]) -> str:
    """A median ratio in words, or that the loss was never reached."""
    return f"{median(ratios):.1f}" if median(ratios) > 0 else "never"


def verdict(table: str, rounds: dict[str, list[Outcome]], peers: Sequence[Contestant]) -> tuple[str, bool]:
    """Whether both goals were reached, against the peer against which shoal did worst: finishing with a cold cache, and the loss as soon
    as either the search as long as the peers' or the long one had it."""

    def worst(ours: Contestant, name: str) -> float:
        return min(median([getattr(each, name) for each in comparisons(rounds[ours.name], rounds[peer.name])]) for peer in peers)

    finish, loss = worst(COLD, "to_finish"), max(worst(COLD, "to_loss"), worst(LONG, "to_loss"))
    reached = finish >= GOAL_TO_FINISH and loss >= GOAL_TO_LOSS
    whole = [median([each.whole for each in rounds[ours.name]]) for ours in (COLD, WARM)]
    to_loss = f"at least {loss:.1f} times faster to a peer's best loss" if loss else "a peer's best loss was never reached"
    return (
        f"{table}: {finish:.1f} times faster to finish than the fastest peer with a cold cache (goal {GOAL_TO_FINISH:.0f}), "
        f"{worst(WARM, 'to_finish'):.1f} with a warm one; {to_loss} (goal {GOAL_TO_LOSS:.0f}): {'reached' if reached else 'MISSED'}. "
        f"The whole command, with the winner on fresh seeds and the report: {whole[0]:.1f} s cold, {whole[1]:.1f} s warm.",
        reached,
    )


def compare(table: str, peers: Sequence[Contestant], given: argparse.Namespace) -> bool:
    """Run all contestants in turns and print their table; returns whether the goals were reached."""
    contestants = [*(() if given.without_ours else OURS), *peers]
    rounds: dict[str, list[Outcome]] = {each.name: [] for each in contestants}
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.npz"
        print(f"\n{table}: {write_task(table, given.seed, task)}")
        for number in range(given.rounds):
            for each in contestants:
                # the cold run fills the cache for the warm one
                cache = Path(folder) / f"cache-{number}{'-long' * (each == LONG)}"
                rounds[each.name].append(run(each, task, cache, given))
    print(HEADER)
    for each in contestants:
        print(row(each, {name: outcomes for name, outcomes in rounds.items() if outcomes}), flush=True)
    if given.without_ours or not peers:
        return True
    text, reached = verdict(table, rounds, peers)
    print(text, flush=True)
    return reached


def versions(python: Path) -> str:
    """The peers' libraries."""
    libraries = ["torch", "optuna", "keras", "keras-tuner", "jax", "scikit-learn"]
    code = f"from importlib.metadata import version\nprint(', '.join(f'{{each}} {{version(each)}}' for each in {libraries}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES), help="names, comma-separated")
    parser.add_argument("--peers", default=",".join(each.name for each in PEERS), help="names, comma-separated")
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=27, help="of a full training; trials are compared after a ninth and a third of it")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", type=Path, default=BENCH_PYTHON, help="that has the peers' libraries; by default one is installed")
    parser.add_argument("--without-ours", action="store_true", help="the peers alone")
    given = parser.parse_args()
    for name, known in (("tables", set(TABLES)), ("peers", {each.name for each in PEERS})):
        if unknown := set(filter(None, getattr(given, name).split(","))) - known:
            parser.error(f"unknown {name} {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return given


def main() -> None:
    """Parse the arguments and run."""
    given = arguments()
    if not DATA.is_dir():
        sys.exit(f"The real tables are expected in {DATA}; set SHOAL_DATA to their folder.")
    if not given.python.exists():
        subprocess.run(["make", ".bench-venv/.ready"], cwd=HERE.parent, check=True)
    peers = [each for each in PEERS if each.name in given.peers.split(",")]
    machine = f"{platform.machine()}, {devices.cores()} cores, Python {platform.python_version()}"
    print(f"{machine}; peers: {versions(given.python)}", flush=True)
    reached = [compare(table, peers, given) for table in given.tables.split(",")]
    print("\nx to finish, x to its best loss: how many times faster shoal was: cold cache / warm cache / long search.")
    print("best at: when the contestant's own best dev loss was known. epochs: trained by all networks together.")
    sys.exit(int(not all(reached)))


if __name__ == "__main__":
    main()
