"""Section 1: sizes of the parts, networks that fit too little and too much, the four errors, and the basic recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from measuring.networks import Network
from sklearn.datasets import make_moons

from figures.drawing import BLUE, FAINT, GREEN, INK, ORANGE, SKY, VERMILION, Drawing, bare, is_log, look, panel
from figures.registry import figure
from figures.regularisation import MOONS, boundary
from figures.rows import NEW, error, error_on_new, moons, trained_on
from shoal.data.split import part_size
from shoal.experiments.repeats import share_of
from shoal.interval import percent
from shoal.recipe import Recipe


@figure("split-sizes")
def split_sizes() -> Drawing:
    """The shares of train, dev and test by the number of rows, and how well so many dev rows know an error."""
    rows = np.unique(np.geomspace(100, 1e7, 120).round().astype(int))
    held_out = np.array([part_size(int(each)) for each in rows]) / rows
    shares = panel("Shares of the parts", "rows m", "share of the rows, %")
    shares.stackplot(
        rows,
        100 * (1 - 2 * held_out),
        100 * held_out,
        100 * held_out,
        labels=("train", "dev", "test"),
        colors=(SKY, ORANGE, GREEN),
        alpha=0.75,
    )
    shares.set(xlim=(100, 1e7), ylim=(0, 100))
    known = panel("How well a dev part knows an error", "dev rows", "95 % interval, ± percentage points")
    sizes = np.geomspace(20, 1e5, 60)
    for number, share in enumerate((0.3, 0.1, 0.02)):
        known.plot(sizes, 100 * half_width(share, sizes), label=f"of an error of {percent(share, 0)}", **look(number))
    known.axvline(10_000, color=FAINT, linewidth=1.3, label="10,000 rows, the most that shoal takes")
    is_log(shares, "x")
    is_log(known, "xy")
    return Drawing([shares, known])


def half_width(share: float, rows: np.ndarray) -> np.ndarray:
    """Half of the 95 % interval of a share among so many rows, by the normal approximation: ``1.96 sqrt(p (1 - p) / n)``."""
    return 1.96 * np.sqrt(share * (1 - share) / rows)


def few_moons() -> tuple[np.ndarray, np.ndarray]:
    """60 rows of the half moons."""
    return make_moons(60, noise=0.3, random_state=1)


def many_moons() -> tuple[np.ndarray, np.ndarray]:
    """3,000 rows of them."""
    return make_moons(3000, noise=0.3, random_state=1)


@figure("fit-boundaries")
def fit_boundaries() -> Drawing:
    """A boundary that is too straight, one that is right, one that follows single rows, and the same network on many more rows."""
    line, right = replace(MOONS, hidden_units=()), replace(MOONS, l2=0.3)
    trained = trained_on(moons, {"line": line, "right": right, "large": MOONS})
    return Drawing(
        [
            boundary("Too straight: high bias", trained["line"][0]),
            boundary("About right", trained["right"][0]),
            boundary("Follows single rows: high variance", trained["large"][0]),
            boundary("The same network, 25 times the rows", trained_on(many_moons, {"large": replace(MOONS, epochs=40)})["large"][0]),
        ]
    )


@dataclass(frozen=True)
class Case:
    """A network with one trouble: rows to train on, its recipe, and how far the dev rows have moved."""

    name: str
    make: Callable[[], tuple[np.ndarray, np.ndarray]]
    recipe: Recipe
    moved: float = 0.0


PLAIN = replace(MOONS, epochs=100)
CASES = (
    Case("High bias: no hidden layer", many_moons, replace(PLAIN, hidden_units=(), epochs=40)),
    Case("High variance: 36 training rows", few_moons, replace(PLAIN, epochs=400)),
    Case("Mismatch: the dev rows are moved", many_moons, replace(PLAIN, epochs=20), 0.35),
    Case("Neither", many_moons, replace(PLAIN, epochs=20)),
)


def best_possible(noise: float = 0.3, rows: int = 4000) -> float:
    """The error that nobody can avoid on the half moons: of the Bayes rule, from the density of each moon."""
    x, y = make_moons(rows, noise=noise, random_state=9)
    arcs, of = make_moons(2000, noise=0.0, random_state=0)
    distance = ((x[:, None] - arcs[None]) ** 2).sum(-1)
    density = np.exp(-distance / (2 * noise**2))
    likelier = density[:, of == 1].sum(1) > density[:, of == 0].sum(1)
    return float((likelier != y).mean())


def errors(network: Network, moved: float) -> dict[str, tuple[float, int]]:
    """Share of wrong classes and number of rows: of train, of fresh rows like them, of fresh rows that have moved."""
    found = {"train": (error(network, "train"), len(network.dataset.targets["train"]))}
    return found | {part: (error_on_new(network, shift), NEW) for part, shift in (("train-dev", 0.0), ("dev", moved))}


@figure("four-errors")
def four_errors() -> Drawing:
    """Target, train, train-dev and dev error of four networks, with what the steps between them are called."""
    lowest, panels = best_possible(), []
    for case in CASES:
        network = trained_on(case.make, {"": case.recipe})[""][0]
        measured = errors(network, case.moved)
        axes = panel(case.name, "", "error, %", height=225)
        names, values = ("target", *measured), [100 * lowest, *(100 * share for share, _ in measured.values())]
        axes.plot(values, color=FAINT, linewidth=1.3, zorder=1)
        axes.plot(0, values[0], marker="D", color=INK, linestyle="None", label="target error: the best possible")
        for number, (share, rows) in enumerate(measured.values()):
            interval = share_of(round(share * rows), rows)
            axes.plot(
                [number + 1] * 2, [100 * interval.low, 100 * interval.high], color=BLUE, linewidth=4, alpha=0.45, label="95 % interval"
            )
            axes.plot(number + 1, 100 * share, marker="o", color=BLUE, linestyle="None", label="measured error")
        gaps = dict(zip(("bias", "variance", "mismatch"), np.diff(values), strict=True))
        for place, (gap, size) in enumerate(gaps.items()):
            if size > 2:
                axes.annotate(
                    gap,
                    (place + 0.5, values[place] + size / 2),
                    (-6, 8),
                    textcoords="offset points",
                    ha="right",
                    color=VERMILION,
                    weight="bold",
                )
        axes.set_xticks(range(4), names)
        axes.set(ylim=(0, 21), xlim=(-0.4, 3.4))
        panels.append(axes)
    return Drawing(panels)


STAGES = (
    ("High bias?", "train − target", "bigger network\ntrain longer\nother architecture", 1.0),
    ("High variance?", "dev − train", "more data\nregularise\nother architecture", 0.0),
)


@figure("basic-recipe")
def basic_recipe() -> Drawing:
    """The basic recipe as a picture: first the bias, then the variance, until both are answered."""
    axes = bare(panel("", width=370, height=235))
    box = {"boxstyle": "round,pad=0.5", "facecolor": "none", "linewidth": 1.6}
    for question, gap, cures, y in STAGES:
        axes.text(0.0, y, f"{question}\n{gap}", ha="center", va="center", bbox={**box, "edgecolor": BLUE}, fontsize=10.5)
        axes.text(1.25, y, cures, ha="center", va="center", bbox={**box, "edgecolor": ORANGE}, fontsize=10)
    axes.text(0.0, -0.95, "Done", ha="center", va="center", bbox={**box, "edgecolor": GREEN}, fontsize=10.5)
    arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    for start, end, word, at in (
        ((0.34, 1.0), (0.9, 1.0), "yes", (0.58, 1.07)),
        ((0.34, 0.0), (0.9, 0.0), "yes", (0.58, 0.07)),
        ((0.0, 0.7), (0.0, 0.3), "no", (0.1, 0.47)),
        ((0.0, -0.3), (0.0, -0.74), "no", (0.1, -0.55)),
        ((0.0, 1.75), (0.0, 1.3), "ask again", (0.9, 1.8)),
    ):
        axes.annotate("", end, start, arrowprops=arrow)
        axes.text(*at, word, ha="center", color=INK)
    axes.plot([1.62, 1.9, 1.9, 0.0], [0.0, 0.0, 1.75, 1.75], color=INK, linewidth=1.5)
    axes.plot([1.62, 1.9], [1.0, 1.0], color=INK, linewidth=1.5)
    axes.set(xlim=(-0.6, 2.1), ylim=(-1.25, 2.0))
    return Drawing([axes])
