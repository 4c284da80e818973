"""Repair: how much of the dev error that a fault costs the recipe loop wins back, against random changes with the same budget.

    python benchmarks/repair.py [--seeds 2] [--only zero,...] [--tables telco,...]

For every repairable fault of ``benchmarks/faults.py`` four dev errors are compared: of the sound recipe, of the faulty one, of what the
loop made of it, and of what the same loop made of it when each of its proposals was replaced by a random change of the same size.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from faults import FAULTS, SOUND, TABLES, Fault, Run, Table, let_go
from real_data import DATA
from scipy import stats

from shoal import data
from shoal.loop import Change, RecipeLoop, random_change
from shoal.loop.recipe_loop import Question
from shoal.measurements import RateRange
from shoal.metrics import check_metric
from shoal.recipe import Recipe
from shoal.records import LoopPlan
from shoal.trainer import Trainer

STEPS, SEEDS = 6, 8


class RandomLoop(RecipeLoop):
    """The loop with a random change of the same size in place of each proposal."""

    def proposals(
        self, questions: Sequence[Question], recipe: Recipe, rate_range: RateRange | None
    ) -> tuple[Question, Sequence[Change]] | None:
        """Random changes, as many and as large as the proposals would be."""
        chosen = super().proposals(questions, recipe, rate_range)
        if chosen is None:
            return None
        question, changes = chosen
        return question, [random_change(change, recipe, self.facts(rate_range), self._rng) for change in changes]


def dev_errors(table: Table, fault: Fault, seed: int) -> tuple[float, float, float, float]:
    """The dev errors of the sound recipe, the faulty one, the loop's result and the random loop's."""
    run = Run(table, table.rows(seed), np.random.default_rng(seed))
    fault.put(run)
    dataset = data.load(run.frame, target=table.target, seed=seed)
    metric = check_metric(None, dataset.task)
    epochs = run.recipe["epochs"]
    plan = LoopPlan(STEPS, epochs, SEEDS, float("inf"), 0.0)
    begin = Recipe(**run.recipe)
    sound = RecipeLoop(Trainer(dataset, seed), metric, plan, Recipe(**{**SOUND, "epochs": epochs}))
    healthy = sound.errors_of(sound.tried("sound", [sound.begin])[0]).parts["dev"].error.value
    ledger = RecipeLoop(Trainer(dataset, seed), metric, plan, begin).run()
    control = RandomLoop(Trainer(dataset, seed), metric, plan, begin).run()
    return healthy, ledger.errors["dev"][0].value, ledger.errors["dev"][1].value, control.errors["dev"][1].value


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name contains one of these, comma-separated")
    parser.add_argument("--tables", default="telco,california,magic,cpu_act", help="names, comma-separated")
    given = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"The real tables are expected in {DATA}; set SHOAL_DATA to their folder.")
    faults = [
        fault for fault in FAULTS if fault.repairable and (not given.only or any(part in fault.name for part in given.only.split(",")))
    ]
    tables = [table for table in TABLES if table.name in given.tables.split(",")]
    loops, controls = [], []
    print(f"{'fault':34}{'table':11}{'seed':>4}{'sound':>11}{'faulty':>11}{'loop':>11}{'random':>11}   recovered: loop, random")
    for fault in faults:
        for table in filter(fault.tables, tables):
            for seed in range(given.seeds):
                started = time.perf_counter()
                healthy, faulty, loop, control = dev_errors(table, fault, seed)
                let_go()
                lost = faulty - healthy
                row = f"{fault.name:34}{table.name:11}{seed:4}" + "".join(f"{value:11.4g}" for value in (healthy, faulty, loop, control))
                if lost <= 0.02 * healthy:
                    print(f"{row}   the fault costs nothing here", flush=True)
                    continue
                won = [(faulty - after) / lost for after in (loop, control)]
                loops.append(won[0])
                controls.append(won[1])
                print(f"{row}   {won[0]:6.0%} {won[1]:6.0%}   {time.perf_counter() - started:.0f} s", flush=True)
    if loops:
        difference: Any = stats.wilcoxon(loops, controls, alternative="greater") if len(loops) > 1 else None
        print(f"median recovered: loop {np.median(loops):.0%}, random changes {np.median(controls):.0%}, over {len(loops)} cases")
        if difference is not None:
            print(f"the loop recovers more than random changes: p = {difference.pvalue:.2g} (Wilcoxon signed rank, one-sided)")


if __name__ == "__main__":
    main()
