"""The work of a run, from its data set to its record and its model.

Train references on the same rows; turn the budget into a plan; search over shoals; train the winner on fresh seeds; open the test rows
once; judge; save.
"""

from __future__ import annotations

import datetime
import math
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from shoal import devices
from shoal.answers import answers
from shoal.assessment import assess, train_references
from shoal.data import Dataset
from shoal.default_space import around, augmented_as
from shoal.effort import Effort
from shoal.live_record import LiveRecord
from shoal.live_recording import LiveRecording
from shoal.loggers import log_run
from shoal.loop import RecipeLoop, sound_baseline
from shoal.losses import usual_loss
from shoal.measurements.answers import Answers
from shoal.metrics import Metric, check_metric
from shoal.model import Model
from shoal.plan import LEAST_LOOP_SECONDS, LOOP_SHARE, RETRAINS, curve_seconds, loop_is_out_of_reach, plan_loop
from shoal.planner import Planner, space_for
from shoal.progress import Stages, Stop
from shoal.recipe import Recipe
from shoal.recording import Recording
from shoal.records import Ledger, LoopPlan, Run, Trial
from shoal.references import Reference
from shoal.rehearsal import measure_speed
from shoal.report import write_report
from shoal.result import Result
from shoal.run_folder import FolderJournal, RunFolder, checkpoint_seconds
from shoal.sampler_comparison import samplers_answered, samplers_seconds
from shoal.saved_run import REPORT
from shoal.search import Searched
from shoal.space import Space
from shoal.trainer import Trainer, width_class
from shoal.winner import Trained, train_best


def work(dataset: Dataset, options: Mapping[str, Any], stages: Stages, folder: RunFolder | None, command: str, stop: Stop) -> Result:
    """Everything after reading; a run with a folder shows there how far it is, and at the end what came of it."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if folder is None:
        record, model = _trained(dataset, options, stages, None, None, command, created, stop)
        log_run(record, options, stages.listener)
        return Result(record, model)
    journal = FolderJournal(folder, checkpoint_seconds(options.get("checkpoint", "rung")))  # who has it works on the run alone
    metric, budget = check_metric(options["metric"], dataset.task), Effort.of(options).budget
    begun = LiveRecord(
        name=folder.path.name,
        command=command,
        created=created,
        source=dataset.source,
        target=dataset.target,
        task=dataset.task,
        metric=metric.name,
        columns=dataset.columns,
        split=dataset.split,
        notes=(*dataset.notes, *options.get("notes", ())),
        budget=budget.text,
        budget_seconds=budget.seconds,
    )
    with LiveRecording(folder.path, begun, stages.listener, stages.total) as live:
        stages.listener = live
        record, model = _trained(dataset, options, stages, folder, journal, command, created, stop)
    folder.finish(record, model)
    write_report(record, folder.path / REPORT)
    log_run(record, options, live.listener)
    return Result(record, model, folder.path)


def _trained(
    dataset: Dataset,
    options: Mapping[str, Any],
    stages: Stages,
    folder: RunFolder | None,
    journal: FolderJournal | None,
    command: str,
    created: str,
    stop: Stop,
) -> tuple[Run, Model]:
    """From the data to the record of a run, and its model."""
    metric = check_metric(options["metric"], dataset.task)
    compiled_before = devices.compilations()
    effort = Effort.of(options)
    budget = effort.budget
    trainer, plan = Trainer(dataset, options["seed"], journal), folder.plan() if folder else None
    planner = _planner(trainer, effort, effort.space or space_for(trainer, metric), stages)
    if plan is None and effort.job == "improve" and effort.begin is None and budget.is_short:  # the loop will leave the space as it is
        planner.compile_ahead()
    references = train_references(dataset, metric, budget, options["seed"], stages)
    ledger = None
    if effort.job == "improve":
        ledger = _recipe_loop(trainer, effort, metric, options, references, stages, folder).run()
        space = _space_after(ledger, planner.space, effort.begin is not None)
        planner = planner if space is planner.space else _planner(trainer, effort, space, stages)
    recording = None if effort.job == "train" else Recording(folder, options, planner.space, dataset.fingerprint)
    trained = train_best(
        planner,
        metric=metric,
        plan=plan,
        keep_plan=folder.save_plan if folder else lambda plan: None,
        final=effort.final,
        earlier=effort.earlier,
        recording=recording,
        probed=True,
        stop=stop,
    )
    early = _stopped(trained, effort, "test" in dataset.inputs) if stop.due else ""
    answered = None
    if effort.job != "train":
        stages.enter("answers", "what the trials say")
        answered = _answers(trainer, trained, options["seed"])
        if effort.compares_samplers and not early:
            answered = samplers_answered(answered, trainer, trained, budget, stages)
    stages.enter("scoring", "opening the test rows, once" if "test" in dataset.inputs and not early else "")
    judged = assess(trainer, metric, trained, references, effort, options, bool(early))
    stages.leave()
    notes = (*dataset.notes, *options.get("notes", ()), *(recording.close(_ended(trained.searched)) if recording else ()))
    record = Run(
        name=folder.path.name if folder else dataset.source,
        command=command,
        created=created,
        versions=_versions(),
        machine=f"{platform.machine()}, {devices.cores()} cores, {len(devices.start())} {devices.start()[0].platform} device(s)",
        seed=options["seed"],
        fingerprint=dataset.fingerprint,
        source=dataset.source,
        target=dataset.target,
        task=dataset.task,
        classes=dataset.classes,
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        columns=dataset.columns,
        split=dataset.split,
        notes=notes,
        plan=trained.plan,
        recipe=trained.searched.recipe,
        temperature=trained.model.temperature,
        decision=trained.model.decision,
        trials=trained.searched.trials,
        seconds=stages.total,
        stages=dict(stages.seconds),
        compilations=devices.compilations() - compiled_before,
        ledger=ledger,
        answers=answered,
        chosen=trained.chosen,
        distilled=trained.distilled,
        together=trained.together,
        stopped=early,
        **judged,
    )
    return record, trained.model


def _planner(trainer: Trainer, effort: Effort, space: Space, stages: Stages) -> Planner:
    """The planner of a search of this space."""
    return Planner(
        trainer,
        effort.budget,
        space,
        stages,
        effort.method,
        reserve=_reserve(effort, trainer.dataset.picture is not None),
        retrains=effort.retrains,
        first_recipes=not effort.earlier,
        searches=effort.job == "search" or effort.final == "greedy",
        distils=effort.final == "distilled",
    )


def _space_after(ledger: Ledger, space: Space, is_own: bool) -> Space:
    """What is searched after the recipe loop: around its result, where it kept something or the recipe is the user's own."""
    if is_own or ledger.entries:
        space = augmented_as(space, ledger.result)
    if is_own or ledger.result != ledger.begin:
        space = around(space, ledger.begin, ledger.result, width_class(ledger.result))
    return space


def _stopped(trained: Trained, effort: Effort, tested: bool) -> str:
    """How far a run came that was asked to stop, and what its model is."""
    searched, planned = trained.searched, trained.plan.trials
    unopened = " The test rows were not opened." if tested else ""
    if effort.final == "distilled" and trained.distilled is None and not searched.stopped:
        return f"Stopped before the distillation; the model is the mean of the winner's networks.{unopened}"
    if not searched.stopped:
        return f"Stopped before the last measurements; the model is that of the whole search.{unopened}"
    return (
        f"Stopped after {len(searched.trials)} of {planned} trials were begun. The model is the network of the best of them, which was not "
        "trained again: its dev score is of one seed, and chosen, so it is optimistic."
        f"{unopened}"
    )


def _ended(searched: Searched) -> list[Trial]:
    """Trials that have come to their end; the others are written when a stopped search goes on."""
    return [trial for trial in searched.trials if trial.number not in searched.unfinished]


def _answers(trainer: Trainer, trained: Trained, seed: int) -> Answers:
    """What the trials of the search say."""
    layout = trainer.layout(trained.searched.recipe.shape, 1, ())

    def inputs(recipe: Recipe) -> int:
        return trainer.layout(recipe.shape, 1, ()).inputs

    searched = trained.searched
    facts = {"inputs": inputs, "outputs": layout.outputs, "picture": layout.picture}
    return answers(searched.trials, trained.space, trained.plan, **facts, recipe=searched.recipe, seed=seed)


def _reserve(effort: Effort, is_picture: bool) -> float:
    """Seconds of a budget in time that are left for what comes after the search."""
    if effort.compares_samplers:
        return samplers_seconds(effort.budget)
    return curve_seconds(effort.budget, is_picture) if effort.job == "improve" else 0.0


def _recipe_loop(
    trainer: Trainer,
    effort: Effort,
    metric: Metric,
    options: Mapping[str, Any],
    references: tuple[Reference, ...],
    stages: Stages,
    folder: RunFolder | None,
) -> RecipeLoop:
    """The recipe loop with its plan: the one that the folder keeps, or one that is made here and kept."""
    budget = effort.budget
    stages.enter("recipe loop", "compiling and measuring")
    begun = stages.total
    _, tables = trainer.prepared(Recipe().shape)
    loss = usual_loss(trainer.dataset.task, trainer.dataset.truth["train"])
    sound = sound_baseline(tables.train_rows, tables.picture is not None, loss)
    begin, full = effort.begin or sound, sound.epochs
    steps_per_epoch = tables.steps_per_epoch(tables.batch_size(begin.shape))
    plan = folder.loop_plan() if folder else None
    if plan is None:
        speed = None
        if budget.seconds is not None and _is_out_of_reach(trainer, begin, full, LOOP_SHARE * budget.seconds):
            speed = math.inf  # a step that takes for ever leaves no room for a change
        elif budget.seconds is not None:
            shoal = RecipeLoop(trainer, metric, LoopPlan(0, full, RETRAINS, 0.0, 0.0), begin).shoal()
            speed = measure_speed(shoal, begin) / shoal.slots
        plan = plan_loop(
            budget, LOOP_SHARE * (budget.seconds or 0.0) - (stages.total - begun), full, steps_per_epoch, speed, tables.picture is not None
        )
        if folder:
            folder.save_loop_plan(plan)
    begin = replace(begin, epochs=plan.epochs, warm_up=min(begin.warm_up, plan.epochs / 2))
    others = {reference.name: reference.decided("dev") for reference in references}
    return RecipeLoop(trainer, metric, plan, begin, options["target_error"], others, stages.listener)


def _is_out_of_reach(trainer: Trainer, recipe: Recipe, epochs: float, seconds: float) -> bool:
    _, tables = trainer.prepared(recipe.shape)
    if tables.picture is None:
        return seconds <= LEAST_LOOP_SECONDS
    layout = trainer.layout(recipe.shape, width_class(recipe), ())
    return loop_is_out_of_reach(seconds, epochs * tables.train_rows, layout.operations)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("shoal", "jax", "numpy", "scikit-learn", "polars")}
