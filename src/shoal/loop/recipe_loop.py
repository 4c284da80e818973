"""The basic recipe carried out with proof: find what is wrong, change one thing, keep it only if it helps.

Every recipe is trained on the same seeds, with the same mini-batches, so that effects are paired. Beside each proposal a random change
of the same size is trained as control. A proposal is kept where the interval of its effect on the dev loss, widened for all the
changes that the loop may try, lies below 0. Test rows are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from shoal.data.sample import drawn_rows
from shoal.decision import fit_decision, weighed
from shoal.default_space import default_batch_size, default_epochs, picture_baseline
from shoal.diagnose import Case, Errors, PartPrediction, findings, judge, measure
from shoal.experiments.rate_range import RATES, STEPS, measure_rate_range
from shoal.interval import Interval
from shoal.loop.changes import REMEDIES, Change, Facts, against_bias, against_variance, suitable
from shoal.loop.controls import random_change, techniques_of_loop
from shoal.loop.effects import Answers, error_effect, relative_effect, row_losses
from shoal.measurements import Measurements, RateRange
from shoal.metrics import Metric
from shoal.population import Shoal
from shoal.progress import Event, Listener
from shoal.recipe import LossName, Recipe
from shoal.records import Finding, Ledger, LedgerEntry, LoopPlan, Part, Verdict
from shoal.trainer import Network, Trainer, own_seed, whole_segments, width_class

PROPOSALS_A_STEP = 4
"""Proposals trained side by side, each with its control."""
FAILURES_IN_A_ROW = 2
"""Steps in which nothing helped, after which the loop ends."""
MOST_TRAIN_ROWS = 5_000
"""Training rows on which effects on the train error are measured."""
_PARTS: tuple[Part, Part] = ("train", "dev")
_FIRST_SEED = 2_000_000


@dataclass(eq=False)
class Tried:
    """A recipe with its networks, one per seed, and what they say about train and dev."""

    recipe: Recipe
    networks: list[Network]
    answers: dict[Part, Answers]

    def __post_init__(self) -> None:
        for network in self.networks:
            network.state = None  # from here on their answers count


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked next: the finding behind it, and the changes that may answer it."""

    code: str
    reason: str
    changes: Callable[[Recipe, Facts], Sequence[Change]]


def sound_baseline(train_rows: int, is_picture: bool = False, loss: LossName = "auto") -> Recipe:
    """Where the loop begins when the user has no recipe: two layers of 64 units, AdamW, no regularisation, at its full length.

    On pictures, two blocks of convolutions and a layer.

    Args:
        train_rows: of the data.
        is_picture: whether the inputs are pictures.
        loss: on a table (see ``losses.usual_loss``).
    """
    if is_picture:
        return picture_baseline(train_rows)
    batch_size = default_batch_size(train_rows)
    epochs = default_epochs(train_rows, batch_size)
    units = 64 if train_rows >= 1_000 else 32
    return Recipe(hidden_units=(units, units), batch_size=batch_size, epochs=epochs, loss=loss)


class RecipeLoop:
    """The loop on one data set.

    Args:
        trainer: of the data set; its journal keeps finished jobs.
        metric: what errors are reported in.
        plan: how long and how often.
        begin: the first recipe; its ``epochs`` are the plan's.
        target_error: what is possible, as far as it is known.
        references: other models' predictions of the dev rows, by name.
        listener: is told what is tried and what came of it.
    """

    def __init__(
        self,
        trainer: Trainer,
        metric: Metric,
        plan: LoopPlan,
        begin: Recipe,
        target_error: float | None = None,
        references: dict[str, np.ndarray] | None = None,
        listener: Listener = lambda event: None,
    ) -> None:
        self.trainer, self.metric, self.plan, self.listener = trainer, metric, plan, listener
        self.begin, self.target_error, self.references = begin, target_error, references or {}
        self.entries: list[LedgerEntry] = []
        self._seen: set[Recipe] = {begin}
        self._spent = self._cost(begin) + (0 if trainer.dataset.picture else RATES * STEPS)
        self._compiled = {(begin.shape, width_class(begin))}
        self._rng = np.random.default_rng([trainer.seed, _FIRST_SEED])

    @property
    def changes_planned(self) -> int:
        """Comparisons that the intervals are corrected for."""
        return max(1, self.plan.steps * PROPOSALS_A_STEP)

    @cached_property
    def rows(self) -> dict[Part, np.ndarray]:
        """The rows of each part on which effects are measured."""
        count = {part: len(self.trainer.dataset.truth[part]) for part in _PARTS}
        sample = drawn_rows(count["train"], MOST_TRAIN_ROWS, np.random.default_rng(self.trainer.seed))
        return {"train": sample, "dev": np.arange(count["dev"])}

    def shoal(self) -> Shoal:
        """The shoal of the first recipe, with room and techniques for what the loop will try."""
        return self.trainer.shoal(self.begin.shape, width_class(self.begin), self._techniques, self._slots)

    def run(self) -> Ledger:
        """Train the first recipe, then change one thing at a time."""
        if not self.plan.steps:
            return Ledger(self.begin, self.begin, (), "the budget has no room for a change", self.changes_planned, {})
        current = self.tried("loop-0", [self.begin], probed=True)[0]
        errors = begun_with = self.errors_of(current)
        stopped = "the budget for changes was used up"
        is_picture = self.trainer.dataset.picture is not None  # 64 networks with convolutions would take the time of several steps
        rate_range = None if is_picture else measure_rate_range(self.trainer, self.begin, self.trainer.seed)
        failures, failed_last = 0, ""
        for step in range(1, self.plan.steps + 1):
            verdict = judge(errors, self.target_error)
            if verdict.title == "neither":
                stopped = "both questions are answered: neither bias nor variance is high"
                break
            questions = self.questions(current, errors, verdict, rate_range)
            # a question that nothing answered waits until the others have been asked
            questions.sort(key=lambda question: question.code == failed_last)
            chosen = self.proposals(questions, current.recipe, rate_range)
            if chosen is None:
                stopped = "every change that suits what was found has been tried"
                break
            if not chosen[1]:
                break
            question, changes = chosen
            better = self.step(step, question, changes, current, rate_range)
            if better is None:
                failures, failed_last = failures + 1, question.code
                if failures == FAILURES_IN_A_ROW:
                    stopped = "nothing helped twice in a row"
                    break
                continue
            failures, failed_last = 0, ""
            if rate_range is not None and better.recipe.learning_rate != current.recipe.learning_rate:
                rate_range = replace(rate_range, used=better.recipe.learning_rate)
            current, errors = better, self.errors_of(better)
        compared = {part: (begun_with.parts[part].error, errors.parts[part].error) for part in _PARTS}
        return Ledger(self.begin, current.recipe, tuple(self.entries), stopped, self.changes_planned, compared)

    def step(
        self,
        step: int,
        question: Question,
        changes: Sequence[Change],
        current: Tried,
        rate_range: RateRange | None = None,
        kind: Literal["proposal", "user"] = "proposal",
    ) -> Tried | None:
        """Try changes to the current recipe, each with its control; returns the best one that is kept, if any."""
        started = time.perf_counter()
        facts = self.facts(rate_range)
        controls: list[Change] = []
        for change in changes:
            controls.append(random_change(change, current.recipe, facts, self._rng, {name for each in controls for name in each.settings}))
        self.listener(Event("recipe loop", f"step {step}: {question.reason}: " + "; ".join(c.words(current.recipe) for c in changes)))
        tried = self.tried(f"loop-{step}", [change.applied(current.recipe) for change in (*changes, *controls)])
        self._seen.update(each.recipe for each in tried[: len(changes)])
        seconds = (time.perf_counter() - started) / len(tried)
        effects = [self.loss_effect(each, current) for each in tried]
        helped = [number for number in range(len(changes)) if effects[number].high < 0]
        kept = min(helped, key=lambda number: effects[number].value, default=None)
        for number, (change, each) in enumerate(zip((*changes, *controls), tried, strict=True)):
            is_control = number >= len(changes)
            entry = LedgerEntry(
                step=step,
                kind="control" if is_control else kind,
                code=question.code,
                reason=question.reason,
                change=change.words(current.recipe),
                settings=change.settings,
                loss=effects[number],
                dev=self.error_effect("dev", each, current),
                train=self.error_effect("train", each, current),
                decision="measured" if is_control or kind == "user" else "kept" if number == kept else "rejected",
                why=_why(effects[number], is_control, number == kept, each, decides=kind == "proposal"),
                explanation=change.explanation,
                seeds=len(each.networks),
                seconds=seconds,
            )
            self.entries.append(entry)
            self.listener(Event("recipe loop", entry.change, entry=entry))
        return None if kept is None else tried[kept]

    def measure_change(self, change: Change) -> list[LedgerEntry]:
        """What one change does to the first recipe, and what a random one of its size does; nothing is decided."""
        current = self.tried("try-0", [self.begin])[0]
        self.step(0, Question("", "your own idea", lambda recipe, facts: [change]), [change], current, kind="user")
        return self.entries

    def questions(self, current: Tried, errors: Errors, verdict: Verdict, rate_range: RateRange | None) -> list[Question]:
        """What to ask, in the order of the basic recipe: broken training, then bias, then variance."""
        case = Case(
            errors,
            verdict,
            tuple(network.record(network.rung, "retrain") for network in current.networks),
            recipe=current.recipe,
            searched=False,
            measured=Measurements(
                signals=tuple(network.signals for network in current.networks if network.signals is not None),
                rate_range=rate_range,
                input_scales=self.trainer.input_scales(current.recipe.shape),
            ),
        )
        found = {
            finding.code: finding for finding in findings(case) if finding.outcome == "found" and finding.severity in ("high", "medium")
        }
        asked = [_remedy(found[code]) for code in REMEDIES if code in found]
        high = {gap.name: gap.high for gap in verdict.gaps}
        gaps = (("avoidable bias", "SH101", against_bias), ("variance", "SH102", against_variance))
        for answer, words in (("yes", "high {}"), ("cannot tell", "{}, which cannot be ruled out")):
            for name, code, changes in gaps:
                if high[name] == answer:
                    asked.append(Question(code, words.format(name.removeprefix("avoidable ")), _listed(changes)))
        return asked

    def proposals(
        self, questions: Sequence[Question], recipe: Recipe, rate_range: RateRange | None
    ) -> tuple[Question, Sequence[Change]] | None:
        """The first question that has changes left to try, and those of the first of them that the plan can pay."""
        for question in questions:
            untried = [change for change in question.changes(recipe, self.facts(rate_range)) if change.applied(recipe) not in self._seen]
            if untried:
                return question, [change for change in untried[:PROPOSALS_A_STEP] if self._can_pay(change.applied(recipe), recipe)]
        return None

    def _can_pay(self, proposal: Recipe, recipe: Recipe) -> bool:
        """Whether the plan has room for a proposal and its control; what it costs is spent with the answer."""
        program = (proposal.shape, width_class(proposal))
        price = self._cost(proposal) + self._cost(recipe) + (0.0 if program in self._compiled else self.plan.compilation)
        if self._spent + price > self.plan.network_steps:
            return False
        self._spent += price
        self._compiled.add(program)
        return True

    def _cost(self, recipe: Recipe) -> float:
        """Of training a recipe on every seed, in steps of one network as large as the first."""
        sizes = [self.trainer.layout(each.shape, width_class(each), ()).parameters for each in (recipe, self.begin)]
        _, tables = self.trainer.prepared(recipe.shape)
        return self.plan.seeds * whole_segments(recipe, tables) * max(1.0, sizes[0] / sizes[1])

    def facts(self, rate_range: RateRange | None = None) -> Facts:
        """What decides which changes make sense."""
        dataset, tables = self.trainer.prepared(self.begin.shape)
        return Facts(dataset.task, len(dataset.classes), tables.train_rows, tables.encoded > 0, tables.picture, rate_range)

    def tried(self, name: str, recipes: Sequence[Recipe], probed: bool = False) -> list[Tried]:
        """Train recipes on the loop's seeds, and hear their answers."""
        seeds = [own_seed(self.trainer.seed, _FIRST_SEED + number) for number in range(self.plan.seeds)]
        groups = [[Network(number, seed, recipe) for number, seed in enumerate(seeds)] for recipe in recipes]
        networks = [network for group in groups for network in group]
        self.trainer.train(name, networks, self._techniques, self._slots, probed)
        return [Tried(group[0].recipe, group, self._decided({part: self._answers(group, part) for part in _PARTS})) for group in groups]

    @cached_property
    def _techniques(self) -> tuple[str, ...]:
        return techniques_of_loop(self.begin, self.facts())

    @property
    def _slots(self) -> int:
        return PROPOSALS_A_STEP * self.plan.seeds

    def _answers(self, networks: Sequence[Network], part: Part) -> Answers:
        rows, dataset = self.rows[part], self.trainer.dataset
        outputs = self.trainer.outputs(networks, part, rows)
        scale = float(np.std(dataset.truth["train"])) if dataset.task == "regression" else 1.0
        return Answers(outputs, row_losses(dataset.task, outputs, dataset.truth[part][rows], scale))

    def _decided(self, answers: dict[Part, Answers]) -> dict[Part, Answers]:
        """The answers of one recipe with the decision between classes that its networks would be used with."""
        rows, dataset = self.rows["dev"], self.trainer.dataset
        known = dataset.truth["dev"][rows], dataset.weights["dev"][rows], dataset.class_shares.values()
        decision = fit_decision(self.metric, answers["dev"].outputs.mean(axis=0), *known, seed=self.trainer.seed)
        return {part: replace(each, outputs=weighed(each.outputs, decision)) for part, each in answers.items()}

    def errors_of(self, tried: Tried) -> Errors:
        """The errors of a recipe's networks on train and dev."""
        dataset = self.trainer.dataset
        parts: dict[Part, PartPrediction] = {
            part: PartPrediction(
                dataset.truth[part][self.rows[part]], tried.answers[part].outputs, weight=dataset.weights[part][self.rows[part]]
            )
            for part in _PARTS
        }
        return measure(parts, self.metric, self.references, seed=self.trainer.seed)

    def loss_effect(self, changed: Tried, unchanged: Tried) -> Interval:
        """The effect on the dev loss as a share of it, with the interval that decides."""
        weight = self.trainer.dataset.weights["dev"][self.rows["dev"]]
        return relative_effect(changed.answers["dev"].losses, unchanged.answers["dev"].losses, weight, self.changes_planned)

    def error_effect(self, part: Part, changed: Tried, unchanged: Tried) -> Interval:
        """The effect on a part's error."""
        rows, dataset = self.rows[part], self.trainer.dataset
        weight = dataset.weights[part][rows]
        return error_effect(self.metric, dataset.truth[part][rows], changed.answers[part], unchanged.answers[part], weight)


def _remedy(finding: Finding) -> Question:
    return Question(finding.code, finding.title[0].lower() + finding.title[1:], _listed(REMEDIES[finding.code]))


def _listed(changes) -> Callable[[Recipe, Facts], Sequence[Change]]:
    return lambda recipe, facts: suitable(changes(recipe, facts), recipe, facts)


def _why(effect: Interval, is_control: bool, is_kept: bool, tried: Tried, decides: bool) -> str:
    diverged = sum(network.diverged for network in tried.networks)
    lost = f"; {diverged} of {len(tried.networks)} networks diverged" if diverged else ""
    if is_control:
        return "a random change of the same size, for comparison" + lost
    if not decides:
        return (
            "it helps" if effect.high < 0 else "it makes the dev loss worse" if effect.low > 0 else "not shown to help or to harm"
        ) + lost
    if is_kept:
        return "its whole interval lies below 0, and it is the best of those tried" + lost
    if effect.high < 0:
        return "it helps, and another change of this step helps more" + lost
    return ("it makes the dev loss worse" if effect.low > 0 else "its interval holds 0: not shown to help") + lost
