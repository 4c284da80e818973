"""What a search has taught beyond its winner: luck, importance, what further trials would bring, and what is still open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Winner:
    """The winning recipe on fresh seeds, beside what the search had seen of it. All scores are dev losses.

    Args:
        trial: its trial in the search; ``None`` where it was not compared there.
        place: that trial's place in the search, from 1.
        searched: that trial's score: one seed, and chosen for being low.
        fresh: the mean over its fresh seeds with its t interval.
        seeds: how many these are.
        deviation: standard deviation between them.
        parameters: weights and biases of the network, and its learned normalisation.
        finalists: recipes that were trained on these seeds, of which it has the lowest mean.
        optimism: how much too low that choice makes the mean, by leaving out one seed after the other; ``None`` for one finalist or seed.
    """

    trial: int | None
    place: int | None
    searched: float | None
    fresh: Interval
    seeds: int
    deviation: float
    parameters: int
    finalists: int
    optimism: float | None


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The best other recipe of the search.

    Args:
        trial: its trial.
        lead: how much lower the winner's score was in the search; below 0 where it was higher.
        fresh: how much lower the winner's mean is on the same fresh seeds; ``None`` where the runner-up was not trained on them.
    """

    trial: int
    lead: float
    fresh: Interval | None


@dataclass(frozen=True, slots=True)
class Luck:
    """How much of the winner's lead was luck.

    Args:
        size: how much higher its dev loss is on fresh seeds than in the search.
        median: the median score of the trials that trained in full.
        lead: how far below it the winner was in the search.
        share: ``size`` as a share of ``lead``; ``None`` where it had no lead.
        runner_up: the best other recipe; ``None`` where there is none.
    """

    size: Interval
    median: float
    lead: float
    share: Interval | None
    runner_up: RunnerUp | None


@dataclass(frozen=True, slots=True)
class SmallNetwork:
    """The smallest network that is as good as the winner within one standard error.

    Args:
        trial: its trial in the search.
        hidden_units: of each layer.
        parameters: as of the winner.
        score: its dev loss; the interval is over its own fresh seeds, or as wide as the winner's seeds say that one seed is uncertain.
        seeds: fresh seeds behind it; 0 where only the search's one seed is.
        limit: the winner's mean and one standard error of it.
        channels: of each block of convolutions, where there are some.
    """

    trial: int
    hidden_units: tuple[int, ...]
    parameters: int
    score: Interval
    seeds: int
    limit: float
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BestSoFar:
    """The lowest score of so many trials, on average over all orders in which the trials could have come.

    Args:
        trials: numbers of trials, ascending; the last are all of them.
        best: expected lowest score of so many.
        unscored: trials without a score, which count as the worst that has one.
    """

    trials: tuple[int, ...]
    best: tuple[Interval, ...]
    unscored: int


@dataclass(frozen=True, slots=True)
class FurtherGain:
    """How much lower the best score would be with twice the trials.

    Args:
        trials: so far.
        size: the expected gain in dev loss.
        last: what the last doubling, from half of the trials, brought on average.
        share: ``size`` as a share of the best score.
    """

    trials: int
    size: Interval
    last: float
    share: float


@dataclass(frozen=True, slots=True)
class TopShare:
    """How sure it is that so many random trials hold one of the best share of the space.

    Args:
        share: such as 0.05 for the top 5 %.
        probability: ``1 - (1 - share)^trials``.
        needed: trials for a probability of 95 %.
    """

    share: float
    probability: float
    needed: int


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the differences between trials one parameter makes by itself.

    Args:
        name: of the parameter.
        share: of the variance of the dev loss over the space, as far as trials confirm it to which the forest was not fitted.
        fanova: the same share by Optuna's functional ANOVA, without that check.
        course: its place in the course's ranking, 1 to 3; ``None`` where the course does not rank it.
        always_used: whether it matters in every trial; where not, it is taken to be in the middle of its range where it does not.
    """

    name: str
    share: Interval
    fanova: float
    course: int | None
    always_used: bool = True


@dataclass(frozen=True, slots=True)
class Importances:
    """The parameters by importance.

    Args:
        parameters: the most important first.
        trials: that were compared.
        steps: after which they were.
        explained: share of the variance that a forest predicts in trials it has not seen.
        agreement: Kendall's tau-b with the course's ranking, from -1 (reversed) to 1 (the same); ``None`` where it
            ranks too few of them.
    """

    parameters: tuple[Importance, ...]
    trials: int
    steps: int
    explained: Interval
    agreement: float | None


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two parameters whose effects depend on each other, by the share of the variance of the dev loss that they make together only."""

    first: str
    second: str
    share: Interval


@dataclass(frozen=True, slots=True)
class Cell:
    """Trials of one number of layers and one class of widths.

    Args:
        layers: hidden layers.
        low: the lowest units of the class, by the widest layer.
        high: the highest.
        trials: how many were compared; with 0 nothing is known here.
        mean: their mean dev loss where all trials were compared, with its t interval; ``None`` without trials. The interval of a single one
            is unknown, and its ends are the value.
        best: the lowest score of those that trained in full; ``None`` where none did.
    """

    layers: int
    low: int
    high: int
    trials: int
    mean: Interval | None
    best: float | None


@dataclass(frozen=True, slots=True)
class ArchitectureMap:
    """Dev loss by hidden layers and their units; of networks with convolutions, by blocks and their filters.

    Args:
        layers: the rows.
        widths: the columns: lowest and highest units.
        cells: row by row.
        steps: after which the means were taken.
        rows: what the rows are.
        columns: what the columns are.
    """

    layers: tuple[int, ...]
    widths: tuple[tuple[int, int], ...]
    cells: tuple[Cell, ...]
    steps: int
    rows: str = "hidden layers"
    columns: str = "units"


@dataclass(frozen=True, slots=True)
class Edge:
    """The best trials crowd at an end of a range: better ones may lie beyond.

    Args:
        name: of the parameter.
        end: which end.
        near: how many of the best trials lie there.
        of: how many were looked at.
        value: the end.
        extended: the end to try instead.
    """

    name: str
    end: Literal["low", "high"]
    near: int
    of: int
    value: float
    extended: float


@dataclass(frozen=True, slots=True)
class SampledBy:
    """The trials that one sampler drew, in a comparison of samplers.

    Args:
        name: of the sampler.
        trials: in each repetition.
        values: different values of a number among them, on average over the numbers.
        best: the lowest dev loss among them, on average over the repetitions, with its t interval.
        ahead: how much lower that is than with random trials, paired by repetition; ``None`` for these themselves.
    """

    name: str
    trials: int
    values: float
    best: Interval
    ahead: Interval | None


@dataclass(frozen=True, slots=True)
class SamplerComparison:
    """Samplers side by side on the same data and shape of network.

    Args:
        samplers: one after the other.
        repetitions: of each, with draws and seeds of its own.
        steps: to which every trial was trained.
    """

    samplers: tuple[SampledBy, ...]
    repetitions: int
    steps: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What a search has to say; what cannot be told is ``None`` (or empty) and has its reason in ``unknown``.

    Args:
        winner: on fresh seeds.
        luck: how much of its lead was luck.
        smallest: the smallest network that is as good.
        best_so_far: the best score against the number of trials.
        gain: of twice the trials.
        top: the probability that so many trials hold one of the best of the space.
        importance: of each parameter.
        interactions: pairs whose share is above 0, all pairs considered.
        architecture: the map of layers and units.
        edges: ends of ranges at which the best trials lie.
        samplers: grid, random and quasi-random trials compared on the same data, where that was asked for.
        unknown: reasons, by the name of the answer.
    """

    winner: Winner | None = None
    luck: Luck | None = None
    smallest: SmallNetwork | None = None
    best_so_far: BestSoFar | None = None
    gain: FurtherGain | None = None
    top: tuple[TopShare, ...] = ()
    importance: Importances | None = None
    interactions: tuple[Interaction, ...] = ()
    architecture: ArchitectureMap | None = None
    edges: tuple[Edge, ...] = ()
    samplers: SamplerComparison | None = None
    unknown: dict[str, str] = field(default_factory=dict)
