"""Samplers compared on real results: how far from the best known recipe a search ends after 32, 128 and 512 trials.

    python benchmarks/samplers.py [--replays 100] [--trials 32,128,512] [--samplers sobol,...] [--tables california,...]

A trial that a sampler draws is looked up: its losses are those of the nearest recipe of the same depth among the thousands that
``benchmarks/sampler_results.py`` trained to the end. The rules of the rungs are the search's own (``shoal.halving``). Regret is the loss of
the recipe that a search would choose, above the lowest of the table, as a share of the way from the lowest to the median. Model-based
samplers take longer to draw than to look up, so they are replayed less often: the column n says how often.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass

import numpy as np
from sampler_results import EPOCHS, RESULTS, TABLES, space
from scipy import stats

from shoal.halving import Bracket, Climber, Rungs, brackets
from shoal.losses import NOT_LEARNED
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.samplers import make_sampler

DEFAULT = "coarse-to-fine"
SAMPLERS = ("grid", "random", "sobol", "halton", "coarse-to-fine", "tpe", "cma-es", "gp")
MOST_REPLAYS = {"tpe": {32: 100, 128: 40, 512: 40}, "cma-es": {32: 100, 128: 40, 512: 40}, "gp": {32: 40, 128: 20, 512: 0}}
"""Of samplers that take long."""
SLOTS = 8
BEST = 0.1


@dataclass(frozen=True)
class Table:
    """The results of one table: points of the numbers from 0 to 1, depths, losses at the rungs, and that of the best constant answer."""

    points: np.ndarray
    layers: np.ndarray
    losses: np.ndarray
    trivial: float

    @classmethod
    def load(cls, name: str) -> Table:
        """The results as they were kept."""
        kept = np.load(RESULTS)
        numbers = [each for each in space().parameters if isinstance(each, Range)]
        points = np.array([[each.position(float(value)) for value in kept[f"{name}/{each.name}"]] for each in numbers]).T
        return cls(points, kept[f"{name}/hidden_layers"], kept[f"{name}/loss"].astype(float), float(kept[f"{name}/trivial"]))

    def nearest(self, point: np.ndarray, layers: int) -> int:
        """The number of the nearest recipe of a depth."""
        distance = np.abs(self.points - point).max(1) + (self.layers != layers)
        return int(distance.argmin())

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest loss, and the way from there to the median."""
        final = self.losses[:, -1]
        return float(final.min()), float(np.median(final[np.isfinite(final)]) - final.min())

    def flat(self) -> str:
        """How many recipes are as poor as a constant answer at the first rung, and how many of those are among the best in the end."""
        flat, final = self.losses[:, 0] >= NOT_LEARNED * self.trivial, self.losses[:, -1]
        wrongly = int((flat & (final <= np.quantile(final, BEST))).sum())
        share = stats.binomtest(wrongly, int(flat.sum())).proportion_ci()
        among = f"{wrongly} (95 % interval {share.low:.1%} to {share.high:.1%})"
        return f"flat after {EPOCHS[0]} epochs {flat.sum()}, in the best {BEST:.0%} after {EPOCHS[-1]} of these {among}"


def place(recipe: Recipe) -> np.ndarray:
    """Where a recipe lies, from 0 to 1."""
    settings = space_.settings_of(recipe)
    return np.array([each.position(settings[each.name]) for each in space_.parameters if not isinstance(each, Choice)])


space_ = space()


def replay(table: Table, sampler: str, kind: Rungs, trials: int, seed: int) -> tuple[float, float, int, int]:
    """The regret of one search, its cost in full trainings, the trials given up, and those of them that would have been the best."""
    families = len(space_.families)
    shares = tuple(trials // families + (number < trials % families) for number in range(families))
    rungs = 1 if kind == "none" else len(EPOCHS)
    drawn_by = make_sampler(sampler, space_, shares, seed)
    climbers: list[Climber] = []
    rows: list[int] = []
    cost = 0.0
    for count, first in brackets(kind, trials, rungs):
        bracket = Bracket(drawn_by, climbers, count, [SLOTS] * families, first, rungs - 1, kind != "async")
        while job := bracket.next():
            rows += [
                table.nearest(place(each.recipe), len(each.recipe.hidden_units)) for each in bracket.drawn[len(rows) - bracket.before :]
            ]
            at = len(EPOCHS) - rungs + job.rung
            found = [float(table.losses[rows[each.number], at]) for each in job.climbers]
            begun = 0 if job.rung == job.climbers[0].first else EPOCHS[at - 1]
            cost += len(found) * (EPOCHS[at] - begun) / EPOCHS[-1]
            bracket.told(job, found, [not math.isfinite(loss) for loss in found], NOT_LEARNED * table.trivial)
    final = [float(table.losses[rows[each.number], -1]) for each in climbers if each.rung == rungs - 1]
    lowest, way = table.scale
    given_up = [rows[each.number] for each in climbers if each.given_up]
    wrongly = sum(float(table.losses[row, -1]) < min(final) for row in given_up)
    return (min(final) - lowest) / way, cost, len(given_up), wrongly


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replays", type=int, default=100)
    parser.add_argument("--trials", default="32,128,512")
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--rungs", default="none,halving,async")
    parser.add_argument("--tables", default=",".join(TABLES))
    given = parser.parse_args()
    tables = {name: Table.load(name) for name in given.tables.split(",")}
    for name, table in tables.items():
        print(f"{name}: {len(table.losses):,} recipes, lowest loss {table.scale[0]:.4g}, median {sum(table.scale):.4g}; {table.flat()}")
    for trials in map(int, given.trials.split(",")):
        print(f"\n{trials} trials: mean regret in % of the way from the best to the median recipe, 95 % interval over replays and tables")
        print(
            f"{'sampler':16}{'rungs':10}{'n':>5}{'cost':>7}{'given up':>10}{'wrongly':>9}  "
            + "".join(f"{name:>14}" for name in tables)
            + f"{'all':>24}"
        )
        outcomes: dict[tuple[str, str], np.ndarray] = {}
        for sampler in given.samplers.split(","):
            replays = min(given.replays, MOST_REPLAYS.get(sampler, {}).get(trials, given.replays))
            for kind in given.rungs.split(",") if replays else ():
                begun = time.perf_counter()
                both = np.array([[replay(table, sampler, kind, trials, seed) for seed in range(replays)] for table in tables.values()])  # type: ignore[arg-type]
                regret, cost = 100 * both[..., 0], both[..., 1].mean()
                outcomes[sampler, kind] = regret.mean(0)
                given_up, wrongly = both[..., 2].sum(), both[..., 3].sum()
                wrong = f"{wrongly / given_up:.1%}" if given_up else "-"
                cells = "".join(f"{each.mean():14.2f}" for each in regret)
                counts = f"{replays:5}{cost:7.1f}{given_up / both[..., 2].size:10.1f}{wrong:>9}"
                print(f"{sampler:16}{kind:10}{counts}  {cells}{_interval(regret.mean(0)):>24}", flush=True)
                print(f"{sampler} {kind} {trials}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        for kind in given.rungs.split(","):
            _verdict(kind, {sampler: values for (sampler, each), values in outcomes.items() if each == kind})


def _verdict(kind: str, outcomes: dict[str, np.ndarray]) -> None:
    """Whether the default is the best, or within noise of it."""
    if DEFAULT not in outcomes:
        return
    best = min(outcomes, key=lambda sampler: outcomes[sampler].mean())
    if best == DEFAULT:
        print(f"rungs {kind}: {DEFAULT} is the best")
        return
    test = stats.ttest_ind(outcomes[DEFAULT], outcomes[best], equal_var=False)
    low, high = test.confidence_interval()
    words = "within noise of" if low <= 0 <= high else "WORSE than"
    difference = outcomes[DEFAULT].mean() - outcomes[best].mean()
    print(f"rungs {kind}: {DEFAULT} is {words} the best, {best}: {difference:+.2f} ({low:+.2f} to {high:+.2f})")


def _interval(values: np.ndarray) -> str:
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else math.nan
    return f"{values.mean():.2f} ({values.mean() - half:.2f} to {values.mean() + half:.2f})"


if __name__ == "__main__":
    main()
