"""From a data set to its best network: the plan, the search, the winner on fresh seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from shoal import devices
from shoal.data import Dataset
from shoal.distillation import distilled_from
from shoal.effort import Final
from shoal.ensemble import ensemble_of, finished, model_of, of_all_shapes
from shoal.measurements.distillation import Distillation
from shoal.measurements.ensemble import EnsembleReport, ShapesTogether
from shoal.metrics import Metric
from shoal.model import Model
from shoal.plan import with_length
from shoal.planner import Planner, Shoals
from shoal.progress import Stages, Stop
from shoal.recipe import Recipe
from shoal.recording import Recording
from shoal.records import Plan
from shoal.search import Search, Searched
from shoal.space import Space
from shoal.trainer import Trainer


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


def train_best(
    planner: Planner,
    *,
    metric: Metric,
    plan: Plan | None = None,
    keep_plan: Callable[[Plan], None] = lambda plan: None,
    final: Final = "mean",
    earlier: Sequence[Recipe] = (),
    recording: Recording | None = None,
    probed: bool = False,
    stop: Stop | None = None,
) -> Trained:
    """Search a space for a data set, and train the winner on fresh seeds.

    Args:
        planner: knows what may be spent on which space of which data set.
        metric: what counts in the end.
        plan: a plan made earlier, to be kept to; by default it is made here.
        keep_plan: is given the plan before the search begins.
        final: what the model is made of: the winner's networks on fresh seeds, the best one of them, those of the whole search that
            predict best together, or one network that has learned the answers of the winner's.
        earlier: recipes that are tried first.
        recording: where trials are written to as they come to their end.
        probed: whether the signals through its layers are measured, for a diagnosis.
        stop: asks the search to end early; the model is then the best trial's own network, and nothing is distilled.
    """
    trainer, stages = planner.trainer, planner.stages
    stages.enter("starting JAX", f"{len(devices.start())} device(s)")
    if plan is None:
        plan, shoals = planner.plan()
        keep_plan(plan)
    else:
        shoals = planner.shoals_of(plan)
    epochs = plan.rungs[-1] / shoals[0].steps_per_epoch
    space = replace(planner.space, families=tuple(with_length(family, epochs) for family in shoals.families[: len(plan.shoals)]))
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
