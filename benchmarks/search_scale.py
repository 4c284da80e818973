"""The scale of one search: 1,024 trials on california_housing, its memory, and how little of its time is spent outside compiled programs.

    python benchmarks/search_scale.py [--trials 1024] [--epochs 9]

Goals: under 4 GiB at the peak, and less than 10 % of the search outside compiled programs. Programs are compiled by a small search before,
so that compiling counts as neither. Needs the folder of real tables (``SHOAL_DATA``).
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import threading
import time
from typing import Any

import jax
from real_data import DATA

import shoal
from shoal import Choice, Range, Recipe, Space
from shoal.population import Shoal

inside = 0.0
"""Seconds in compiled programs."""


def _timed(method: Any) -> Any:
    def call(*arguments: Any) -> Any:
        global inside
        begun = time.perf_counter()
        result = jax.block_until_ready(method(*arguments))
        if threading.current_thread() is threading.main_thread():  # programs are made ready beside the search
            inside += time.perf_counter() - begun
        return result

    return call


def main() -> None:
    """Parse the arguments and run."""
    global inside
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1024)
    parser.add_argument("--epochs", type=float, default=9.0)
    given = parser.parse_args()
    base = Recipe(epochs=given.epochs, clip_norm=10.0)
    parameters = [
        Range("learning_rate", 3e-4, 3e-2, "log"),
        Range("units", 16, 128, "log_integer"),
        Choice("hidden_layers", (1, 2, 3)),
        Range("l2", 1e-2, 1e2, "log"),
        Range("keep_prob", 0.5, 1.0),
        Range("beta1", 0.8, 0.99, "log_one_minus"),
        Choice("batch_size", (64, 256)),
    ]
    space = Space.of(base, parameters)
    Shoal._call, Shoal.start = _timed(Shoal._call), _timed(Shoal.start)
    for trials in (min(128, given.trials), given.trials):
        inside = 0.0
        record = shoal.search(DATA / "california_housing.csv.gz", target="median_house_value", space=space, budget=f"{trials}trials").record
    seconds = record.stages["search"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    outside = 1 - inside / seconds
    print(f"{given.trials} trials, rungs {record.plan.halving}, on {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    verdict = "met" if outside < 0.1 else "NOT met"
    print(f"search {seconds:.0f} s, of which {inside:.0f} s in compiled programs: {outside:.1%} outside ({verdict}: under 10 %)")
    print(f"peak memory {peak:.2f} GiB ({'met' if peak < 4 else 'NOT met'}: under 4 GiB)")


if __name__ == "__main__":
    main()
