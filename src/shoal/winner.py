"""From a data set to its best network: the plan, the search, the winner on fresh seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from shoal import devices
from shoal.calibration import fit_temperature
from shoal.data import Dataset
from shoal.experiments.two_sample import reference_codes
from shoal.metrics import Metric
from shoal.model import Model
from shoal.plan import RETRAINS, Budget, curve_seconds, families_within, plan_seconds, plan_trials, slots_needed, with_length
from shoal.plan import measure as measure_speed
from shoal.population import Shoal, slots_within
from shoal.progress import Event, Listener
from shoal.recipe import Recipe
from shoal.records import Plan
from shoal.search import Search, Searched
from shoal.space import Family, Space, default_space
from shoal.trainer import MEMORY, Trainer


def silent(event: Event) -> None:
    """A listener that says nothing."""


@dataclass
class Stages:
    """A clock that knows what the time was spent on."""

    listener: Listener
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)
    _stage: str = ""
    _since: float = 0.0

    def enter(self, stage: str, detail: str = "") -> None:
        """Begin a stage, and say so."""
        self.leave()
        self._stage, self._since = stage, time.perf_counter()
        self.listener(Event(stage, detail))

    def leave(self) -> None:
        """End the stage that is under way."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._since
        self._stage = ""

    @property
    def total(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self.begun


@dataclass(frozen=True)
class Trained:
    """What a search brought: the model, how it was found, and the plan behind it."""

    model: Model
    searched: Searched
    plan: Plan
    families: tuple[Family, ...]
    dataset: Dataset
    """As the model sees it: its inputs normalised, and its target scaled, as the winner's recipe asks for."""


def train_best(
    trainer: Trainer,
    budget: Budget,
    *,
    metric: Metric,
    stages: Stages,
    space: Space | None = None,
    plan: Plan | None = None,
    keep_plan: Callable[[Plan], None] = lambda plan: None,
    retrains: int = RETRAINS,
    probed: bool = False,
) -> Trained:
    """Search a space for a data set, and train the winner on fresh seeds.

    Args:
        trainer: of the data set.
        budget: what may be spent; time counts from the beginning of ``stages``.
        metric: what counts in the end; it decides what the space holds.
        stages: is told what is going on.
        space: what to search; by default ``default_space`` of the data.
        plan: a plan made earlier, to be kept to; by default it is made here.
        keep_plan: is given the plan before the search begins.
        retrains: fresh seeds on which the winner is trained.
        probed: whether the signals through its layers are measured, for a diagnosis.
    """
    stages.enter("starting JAX", f"{len(devices.start())} device(s)")
    if space is None:
        _, tables = trainer.prepared(Recipe().shape)
        space = default_space(trainer.dataset.task, tables.train_rows, len(tables.encoding.columns) > 0, metric.unit == "share")
    families = families_within(budget, space.families) if plan is None else space.families[: len(plan.shoals)]
    shoals: dict[int, Shoal] = {}

    def shoal_of(number: int) -> Shoal:
        if number not in shoals:
            family = families[number]
            layout = trainer.layout(family.shape, family.width, family.techniques)
            slots = min(slots_within(layout, MEMORY), slots_needed(budget, retrains)) if plan is None else plan.shoals[number].slots
            shoals[number] = Shoal(layout, slots, trainer.prepared(family.shape)[1], trainer.seed)
        return shoals[number]

    steps_per_epoch = shoal_of(0).steps_per_epoch
    if plan is None:
        plan = _make_plan(budget, families, shoal_of, steps_per_epoch, stages, retrains)
        keep_plan(plan)
    families = tuple(with_length(family, plan.rungs[-1] / steps_per_epoch) for family in families[: len(plan.shoals)])
    stages.enter("search", plan.reason)
    search = Search(families, shoal_of, plan, trainer.seed, trainer.journal, stages.listener, probed=probed)
    searched = search.run()
    dataset, tables = trainer.prepared(searched.recipe.shape)
    model = Model(dataset.preparation, searched.recipe, shoal_of(searched.family).layout, searched.networks, tables.encoding)
    model = replace(model, reference=reference_codes(dataset, trainer.seed))
    if dataset.task != "regression" and searched.recipe.calibration == "temperature":
        model = _calibrated(model, dataset)
    stages.leave()
    return Trained(model, searched, plan, families, dataset)


def _calibrated(model: Model, dataset: Dataset) -> Model:
    """The model at the temperature that suits the dev rows."""
    probability = model.outputs(dataset.inputs["dev"])
    is_multi_label = dataset.task == "multi_label"
    return replace(model, temperature=fit_temperature(probability, dataset.truth["dev"], dataset.weights["dev"], is_multi_label))


def _make_plan(
    budget: Budget, families: Sequence[Family], shoal_of: Callable[[int], Shoal], steps_per_epoch: int, stages: Stages, retrains: int
) -> Plan:
    slots = [shoal_of(number).slots for number in range(len(families))]
    if budget.trials is not None:
        return plan_trials(budget, families, slots, steps_per_epoch, retrains)
    speeds = []
    for number, family in enumerate(families):
        stages.enter("compiling and measuring", f"network shape {number + 1} of {len(families)}")
        speeds.append(measure_speed(shoal_of(number), family.base))
    left = (budget.seconds or 0.0) - stages.total - curve_seconds(budget)
    return plan_seconds(budget, left, families, slots, speeds, steps_per_epoch)
