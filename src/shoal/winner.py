"""From a data set to its best network: the plan, the search, the winner on fresh seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from shoal import devices
from shoal.data import Dataset
from shoal.default_space import default_space
from shoal.distillation import distilled_from
from shoal.effort import Final
from shoal.ensemble import ensemble_of, finished, model_of, of_all_shapes
from shoal.losses import usual_loss
from shoal.measurements.distillation import Distillation
from shoal.measurements.ensemble import EnsembleReport, ShapesTogether
from shoal.metrics import Metric
from shoal.model import Model
from shoal.plan import (
    DEFAULT_METHOD,
    RETRAINS,
    Budget,
    Method,
    Speed,
    families_within,
    plan_seconds,
    plan_trials,
    slots_needed,
    with_length,
)
from shoal.population import Shoal, slots_for
from shoal.progress import Event, Listener, Stop
from shoal.recipe import Recipe
from shoal.recording import Recording
from shoal.records import Plan
from shoal.rehearsal import enough_epochs, expected_step, measure_speed
from shoal.search import Search, Searched
from shoal.space import Family, Space
from shoal.trainer import MEMORY, Trainer


def silent(event: Event) -> None:
    """A listener that says nothing."""


MOST_TO_START = 3.0
"""Seconds of a job's budget that go to the start of its process, at most."""


@dataclass
class Stages:
    """A clock that knows what the time was spent on."""

    listener: Listener
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)
    _stage: str = ""
    _since: float = 0.0

    @classmethod
    def since(cls, started: float | None, listener: Listener) -> Stages:
        """A clock that counts from an earlier moment of ``time.perf_counter``, up to ``MOST_TO_START`` seconds ago: a start that takes
        longer, as after an installation, is not to cost the training its time."""
        now = time.perf_counter()
        begun = now if started is None else min(max(started, now - MOST_TO_START), now)
        return cls(listener, {"starting": now - begun} if begun < now else {}, begun)

    def enter(self, stage: str, detail: str = "", plan: Plan | None = None) -> None:
        """Begin a stage, and say so, with the plan that it keeps to if there is one."""
        self.leave()
        self._stage, self._since = stage, time.perf_counter()
        self.listener(Event(stage, detail, plan=plan))

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
    space: Space
    """What was searched: as much of the space as the plan has families for."""
    dataset: Dataset
    """As the winner's recipe sees it: its inputs normalised, and its target scaled."""
    chosen: EnsembleReport | None = None
    """How the networks of the model were chosen, where they are not the winner's."""
    distilled: Distillation | None = None
    """What the model lost against its teacher, where it is a distilled network."""
    together: ShapesTogether | None = None
    """Whether the networks of several shapes predict together, where their first recipes were trained in full."""


class Shoals:
    """The shoal of every family, made when it is first asked for.

    Args:
        trainer: of the data set.
        families: of the search.
        slots: of each family's shoal, or how many are of use: no more are made than memory and speed allow.
    """

    def __init__(self, trainer: Trainer, families: Sequence[Family], slots: Sequence[int]) -> None:
        self.families = families
        self._trainer, self._slots, self._made = trainer, slots, dict[int, Shoal]()
        self._compiling: list[Future[float]] = []

    def __getitem__(self, number: int) -> Shoal:
        if number < len(self._compiling):
            self._compiling[number].result()
        return self._shoal(number)

    def compile_ahead(self, count: int | None = None) -> None:
        """Begin to compile the programs of the first families, by default of all: those needed later while the first ones train already."""
        numbers = range(len(self._compiling), len(self.families) if count is None else count)
        if not numbers:
            return
        shoals = [self._shoal(number) for number in numbers]
        pool = ThreadPoolExecutor(min(COMPILING, devices.cores()), "shoal compiling")
        bases = [self.families[number].base for number in numbers]
        self._compiling += [pool.submit(_seconds_to_compile, *each) for each in zip(shoals, bases, strict=True)]
        pool.shutdown(wait=False)

    def of_plan(self, plan: Plan) -> Shoals:
        """Those of the families that a plan searches, compiled as far as they have the slots that it says."""
        places = [plan.first_family + number for number in range(len(plan.shoals))]
        some = Shoals(self._trainer, [self.families[place] for place in places], [shoal.slots for shoal in plan.shoals])
        some._made = {
            number: self._made[place]
            for number, (place, planned) in enumerate(zip(places, plan.shoals, strict=True))
            if place in self._made and self._made[place].slots == planned.slots
        }
        if len(some._made) == len(places):
            some._compiling = self._compiling[plan.first_family :][: len(places)]
        return some

    def compile_seconds(self, number: int) -> float:
        """Seconds until the program of a family was there, compiled or read from the cache; waits for it."""
        return self._compiling[number].result()

    def _shoal(self, number: int) -> Shoal:
        if number not in self._made:
            family = self.families[number]
            layout = self._trainer.layout(family.shape, family.width, family.techniques)
            slots = slots_for(layout, self._slots[number], MEMORY)
            self._made[number] = Shoal(layout, slots, self._trainer.prepared(family.shape)[1], self._trainer.seed)
        return self._made[number]


MOST_TO_LOOK = 0.2
"""Of the time left, for finding out how long a training is of use."""
COMPILING = 2
"""Programs that are compiled at a time, each by one core."""


def _seconds_to_compile(shoal: Shoal, recipe: Recipe) -> float:
    begun = time.perf_counter()
    shoal.compile(recipe)
    return time.perf_counter() - begun


def _as_expected(speed: Speed, measured: Shoal, other: Shoal) -> Speed:
    """The speed of another shoal, by its expected share of that of one that was measured."""
    return replace(speed, step=speed.step * expected_step(other) / expected_step(measured))


def space_for(trainer: Trainer, metric: Metric) -> Space:
    """The default space of a data set."""
    _, tables = trainer.prepared(Recipe().shape)
    facts = (trainer.dataset.task, tables.train_rows, tables.encoded > 0, metric.unit == "share")
    return default_space(*facts, trainer.dataset.picture_shape, usual_loss(trainer.dataset.task, trainer.dataset.truth["train"]))


def make_plan(
    trainer: Trainer,
    budget: Budget,
    space: Space,
    *,
    stages: Stages,
    method: Method = DEFAULT_METHOD,
    reserve: float = 0.0,
    retrains: int = RETRAINS,
    first_recipes: bool = True,
    searches: bool = True,
    distils: bool = False,
) -> tuple[Plan, Shoals]:
    """What a budget buys, and the shoals that were measured for it.

    Args:
        trainer: of the data set.
        budget: what may be spent; time counts from the beginning of ``stages``.
        space: what is to be searched.
        stages: is told what is going on.
        method: what draws the trials and how they are stopped.
        reserve: seconds of a budget in time that are left for what comes after.
        retrains: fresh seeds on which the winner is trained.
        first_recipes: whether those of the families may be compared where there is no time for a search.
        searches: whether a search comes first with a short budget, too, where there is time for one.
        distils: whether one network is to learn the answers of the final ones.
    """
    families = families_within(budget, space)
    shoals = Shoals(trainer, families, [slots_needed(budget, retrains, len(families), method.sampler)] * len(families))
    made = [shoals[number] for number in range(len(families))]
    slots, steps_per_epoch = [shoal.slots for shoal in made], [shoal.steps_per_epoch for shoal in made]
    if budget.seconds is None:
        return plan_trials(budget, families, slots, steps_per_epoch, retrains, method), shoals
    until, full = budget.seconds - reserve, families[0].base.epochs

    def planned(speeds: Sequence[Speed], epochs: float) -> Plan:
        seconds_left = until - stages.total
        of_length = [with_length(family, epochs) for family in families] if epochs < full else families
        facts = of_length, slots, speeds, steps_per_epoch, method, space.growing, space.by_promise, first_recipes
        return plan_seconds(budget, seconds_left, *facts, lengthens=epochs == full, searches=searches, distils=distils)

    sound = space.by_promise and not space.growing
    count = len(families)
    if sound and devices.start()[0].platform == "cpu":
        expected = planned([Speed(expected_step(shoal), 0.0) for shoal in made], full)
        if len(expected.shoals) == 1 and expected.shoals[0].slots < slots[0]:
            slots, count = [expected.shoals[0].slots] * count, 1  # the other shapes are compiled only if it turns out that there is time
            shoals = Shoals(trainer, families, slots)
    enough = None if sound and trainer.dataset.picture is None else full
    speeds: list[Speed] = []
    while True:
        stages.enter("compiling and measuring", f"{count} shape{'s' * (count > 1)} of network")
        begun, compiled = stages.total, devices.compilations()
        shoals.compile_ahead(count)
        compiling = [shoals.compile_seconds(number) for number in range(len(speeds), count)]
        if budget.is_short and devices.compilations() > compiled:
            until += stages.total - begun
        for number, seconds in enumerate(compiling, len(speeds)):
            speeds.append(Speed(measure_speed(shoals[number], families[number].base), seconds))
        if enough is None:
            enough = enough_epochs(shoals[0], families[0].base, MOST_TO_LOOK * (until - stages.total) / max(speeds[0].step, 1e-9))
        unmeasured = [_as_expected(speeds[0], shoals[0], shoals[number]) for number in range(count, len(families))]
        plan = planned([*speeds, *unmeasured], enough)
        if len(plan.shoals) == 1 or count == len(families):
            break
        count = len(families)
    if enough < full:
        plan = replace(plan, reason=f"{plan.reason} A training has {enough:.3g} instead of {full:.3g} epochs: the dev loss rose early.")
    return plan, shoals.of_plan(plan)


def train_best(
    trainer: Trainer,
    budget: Budget,
    *,
    metric: Metric,
    stages: Stages,
    space: Space | None = None,
    method: Method = DEFAULT_METHOD,
    reserve: float = 0.0,
    plan: Plan | None = None,
    keep_plan: Callable[[Plan], None] = lambda plan: None,
    retrains: int = RETRAINS,
    final: Final = "mean",
    earlier: Sequence[Recipe] = (),
    recording: Recording | None = None,
    probed: bool = False,
    searches: bool = True,
    stop: Stop | None = None,
) -> Trained:
    """Search a space for a data set, and train the winner on fresh seeds.

    Args:
        trainer: of the data set.
        budget: what may be spent; time counts from the beginning of ``stages``.
        metric: what counts in the end; it decides what the space holds.
        stages: is told what is going on.
        space: what to search; by default ``default_space`` of the data.
        method: what draws the trials and how they are stopped.
        reserve: seconds of a budget in time that are left for what comes after.
        plan: a plan made earlier, to be kept to; by default it is made here.
        keep_plan: is given the plan before the search begins.
        retrains: fresh seeds on which the winner is trained.
        final: what the model is made of: the winner's networks on fresh seeds, the best one of them, those of the whole search that
            predict best together, or one network that has learned the answers of the winner's.
        earlier: recipes that are tried first.
        recording: where trials are written to as they come to their end.
        probed: whether the signals through its layers are measured, for a diagnosis.
        searches: whether a search comes before a comparison of first recipes with a short budget, too.
        stop: asks the search to end early; the model is then the best trial's own network, and nothing is distilled.
    """
    stages.enter("starting JAX", f"{len(devices.start())} device(s)")
    space = space or space_for(trainer, metric)
    if plan is None:
        plan, shoals = make_plan(
            trainer,
            budget,
            space,
            stages=stages,
            method=method,
            reserve=reserve,
            retrains=retrains,
            first_recipes=not earlier,
            searches=searches,
            distils=final == "distilled",
        )
        keep_plan(plan)
    else:
        families = space.families if space.by_promise else families_within(budget, space)
        families = families[plan.first_family : plan.first_family + len(plan.shoals)]
        shoals = Shoals(trainer, families, [shoal.slots for shoal in plan.shoals])
    epochs = plan.rungs[-1] / shoals[0].steps_per_epoch
    space = replace(space, families=tuple(with_length(family, epochs) for family in shoals.families[: len(plan.shoals)]))
    stages.enter("search", plan.reason, plan)
    shoals.compile_ahead()
    if recording is not None:
        recording.begin()
    searched = Search(
        space,
        shoals.__getitem__,
        plan,
        trainer.seed,
        trainer.journal,
        stages.listener,
        earlier=earlier,
        recording=recording,
        keeps_weights=final == "greedy",
        ends_together=final in ("mean", "greedy"),
        probed=probed,
        stop=stop,
    ).run()
    made = _final_model(trainer, shoals, searched, plan, final, metric, stages, stop)
    stages.leave()
    seen = trainer.prepared(searched.recipe.shape)[0]
    return Trained(made.model, searched, plan, space, seen, made.chosen, made.distilled, made.together)


class _Final(NamedTuple):
    """A finished model, and how it was put together (see ``Trained``)."""

    model: Model
    chosen: EnsembleReport | None = None
    distilled: Distillation | None = None
    together: ShapesTogether | None = None


def _final_model(
    trainer: Trainer,
    shoals: Shoals,
    searched: Searched,
    plan: Plan,
    final: Final,
    metric: Metric,
    stages: Stages,
    stop: Stop | None,
) -> _Final:
    """The model of what a search found, of the kind that was asked for; of a search that was stopped, the mean of what there is."""
    winners = searched.winners
    if final == "greedy" and not searched.stopped:
        model, chosen = ensemble_of(trainer, searched.finished, metric, trainer.seed, default=winners)
        return _Final(model, chosen=chosen)
    if final == "distilled" and not (searched.stopped or (stop is not None and stop.due)):
        stages.enter("distillation", f"one network learns the answers of {len(winners)}")
        model, distilled = distilled_from(trainer, shoals[searched.family], winners, metric)
        return _Final(model, distilled=distilled)
    if final == "mean" and plan.first_recipes and not searched.stopped:
        mean, together = of_all_shapes(trainer, winners, searched.finished)
        return _Final(finished(trainer, mean, metric), together=together)
    mean = model_of(trainer, winners)
    return _Final(finished(trainer, mean.single() if final == "single" else mean, metric))
