"""Plain results: what a run measured, decided and found. No behaviour beyond reading and writing them.

A record holds Python numbers, strings, tuples and dictionaries only, so that it can be saved as JSON and read by the
report without JAX. A number that does not exist (a diverged loss) is ``None``, never NaN, which JSON cannot carry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from shoal.interval import Interval
from shoal.measurements import Measurements
from shoal.measurements.answers import Answers
from shoal.measurements.decision import Decision
from shoal.measurements.distillation import Distillation
from shoal.measurements.ensemble import EnsembleReport, ShapesTogether
from shoal.recipe import Recipe

RECORD_FORMAT = 2
"""Version of the saved form of a ``Run``; a file with a higher one is refused."""

Part = Literal["train", "train_dev", "dev", "test"]
Task = Literal["classification", "regression", "multi_label"]


@dataclass(frozen=True, slots=True)
class Trace:
    """What one trial measured over time; all series have one entry per evaluation.

    ``train_loss`` and ``gradient_norm`` are means over the steps since the last evaluation, ``dev_loss`` is the mean
    loss and ``dev_error`` the error rate (classification) or root mean squared error in the target's own unit.
    """

    steps: tuple[int, ...] = ()
    epochs: tuple[float, ...] = ()
    train_loss: tuple[float | None, ...] = ()
    dev_loss: tuple[float | None, ...] = ()
    dev_error: tuple[float | None, ...] = ()
    gradient_norm: tuple[float | None, ...] = ()


TrialStatus = Literal["finished", "stopped at a rung", "given up", "stopped early", "diverged"]
"""``given up``: by its own learning curve it would not have become the best (see ``shoal.halving``)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A recipe drawn from a space, with a seed, and what became of it."""

    number: int
    seed: int
    recipe: Recipe
    shoal: int
    """Which shoal (group of one shape) it trained in."""
    status: TrialStatus
    rung: int
    """The last rung it reached, from 0."""
    steps: int
    """How many it trained."""
    best_step: int
    """The step whose weights were kept."""
    score: float | None
    """Its best dev loss; ``None`` if it diverged before the first evaluation."""
    purpose: Literal["search", "retrain"] = "search"
    """``retrain``: the winner's recipe on a fresh seed."""
    trace: Trace = field(default_factory=Trace)


@dataclass(frozen=True, slots=True)
class ColumnDecision:
    """What was decided about one column of the table, and why."""

    name: str
    kind: Literal["numeric", "categorical", "boolean", "date", "picture", "constant", "id", "text", "target", "group", "time", "dropped"]
    inputs: int
    """How many network inputs it became; 0 when it was dropped."""
    missing: int
    """Missing values among the training rows."""
    reason: str
    """One plain sentence."""


@dataclass(frozen=True, slots=True)
class SplitDecision:
    """How the rows were divided."""

    method: str
    """For example ``"shuffled, stratified by class"``."""
    rows: dict[str, int]
    """Rows of each part that exists, in the order train, train_dev, dev, test."""
    reason: str
    """Why these sizes, in plain words."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A reference model trained on the same rows."""

    name: str
    """``"trivial"``, ``"linear"`` or ``"gradient boosting"``."""
    detail: str
    """The model in words, and the rows it was trained on where they are fewer."""
    dev: Interval
    """Its score on the dev rows, in the run's metric."""
    test: Interval | None
    """On the test rows; ``None`` where there are none."""
    seconds: float


Answer = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap between two errors, and whether it matters."""

    name: Literal["avoidable bias", "variance", "mismatch", "overfitting to dev"]
    size: Interval
    """The later error minus the earlier one, with its 95 % interval."""
    threshold: float
    """Above this it matters."""
    high: Answer
    """Whether it lies above the threshold, as far as its interval tells."""
    explanation: str
    """The same in a sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one-line answer to "what is wrong?", with what it rests on."""

    title: Literal["high bias", "high variance", "high bias and high variance", "neither", "cannot tell", "mismatch"]
    text: str
    """One or two sentences with the numbers in them."""
    gaps: tuple[Gap, ...]
    target_error: float
    """The error that is possible; an estimate is the lowest dev error that anything trained on these rows reached: it may be lower."""
    target_error_source: Literal["stated", "estimated"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis with its evidence."""

    code: str
    """Such as ``SH102``; it never changes."""
    title: str
    severity: Literal["high", "medium", "low", "note"]
    text: str
    """What was seen, with numbers and intervals; where it cannot be told or does not apply, why."""
    advice: str
    """What to do."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """The numbers of the text."""
    outcome: Literal["found", "cannot tell", "not applicable"] = "found"
    gain: float | None = None
    """How much lower the dev error could be without it, at most, as far as the evidence tells."""

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"findings/{self.code}"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change that the recipe loop (or the user) tried, measured on seeds paired with those of the recipe it was made to.

    Effects are "with the change minus without it": below 0 is better.
    """

    step: int
    kind: Literal["proposal", "control", "user"]
    """A control is a random change of the size of a proposal."""
    code: str
    """Of the finding that the change answers; empty where none was asked."""
    reason: str
    """What it answers, in words."""
    change: str
    """In words, such as ``"keep_prob 1 to 0.8"``."""
    settings: dict[str, Any]
    """The settings of the recipe that it changes."""
    loss: Interval
    """Effect on the dev loss as a share of it, with the interval that decides: widened for the number of changes planned."""
    dev: Interval
    """Effect on the dev error, with its 95 % interval over rows and seeds."""
    train: Interval
    """Effect on the train error, likewise."""
    decision: Literal["kept", "rejected", "measured"]
    """``measured`` where nothing was to be decided."""
    why: str
    """Of the decision."""
    explanation: str
    """The method behind the change, in two sentences."""
    seeds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What the recipe loop may spend, fixed before it begins."""

    steps: int
    """Rounds of proposals and their controls, at most."""
    epochs: float
    """Length of each network's training."""
    seeds: int
    """Networks of each recipe, paired with those of the others."""
    network_steps: float
    """Steps of networks as large as the first, added up over all networks, that may be trained in all."""
    compilation: float
    """What compiling a program for another shape of network counts for, in the same unit."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The record of the recipe loop: where it began, what was tried and why, what was kept."""

    begin: Recipe
    result: Recipe
    entries: tuple[LedgerEntry, ...]
    stopped: str
    """Why it ended, in words."""
    changes_planned: int
    """Comparisons that the intervals are corrected for (Bonferroni)."""
    errors: dict[str, tuple[Interval, Interval]]
    """``errors[part]`` in the run's metric as an error: of the first recipe, of the result."""


@dataclass(frozen=True, slots=True)
class ShoalPlan:
    """One shoal of the plan: trials of one shape that train together."""

    hidden_layers: int
    width: int
    activation: str
    normalisation: str
    batch_size: int
    slots: int
    """Networks that train at the same time."""
    trials: int
    step_seconds: float | None
    """Measured seconds per step of the whole shoal; ``None`` where the budget was given in trials."""
    rungs: tuple[int, ...] = ()
    """The plan's rungs in steps of this shape, which takes mini-batches of its own size."""
    compile_seconds: float | None = None
    """Measured seconds until its program was there: compiled, or read from the cache."""
    channels: tuple[int, ...] = ()
    """Filters of each block of convolutions, which come before the hidden layers."""
    numeric_encoding: str = "standard"
    """What numeric columns become."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the budget was turned into, before the search began; the search keeps to it."""

    budget: str
    shoals: tuple[ShoalPlan, ...]
    rungs: tuple[int, ...]
    """Steps of the first shape at which trials are compared; the last is the full training."""
    trials: int
    """Recipes that are drawn."""
    retrains: int
    """Fresh seeds on which the winner is trained again."""
    reason: str
    """Why it is so, in words."""
    sampler: str = "sobol"
    """What draws the trials."""
    halving: Literal["async", "halving", "hyperband", "none"] = "halving"
    """How trials are stopped at rungs (see ``shoal.halving``)."""
    rung_seconds: tuple[float, ...] = ()
    """What each rung should take, and last the retraining, with a distillation; empty where the budget was given in trials."""
    first_family: int = 0
    """Families of the space that come before those that are searched: smaller networks than time allows."""
    first_recipes: bool = False
    """Whether the families' first recipes are compared on the winner's seeds, of which the best goes on, and none is drawn."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one command did."""

    name: str
    command: str
    created: str
    """ISO 8601, UTC."""
    versions: dict[str, str]
    machine: str
    seed: int
    fingerprint: str
    """SHA-256 of the data as read."""
    source: str
    target: str
    task: Task
    classes: tuple[str, ...]
    metric: str
    greater_is_better: bool
    columns: tuple[ColumnDecision, ...]
    split: SplitDecision
    notes: tuple[str, ...]
    """Things said plainly about the data that are not errors."""
    plan: Plan
    """What the budget was turned into."""
    recipe: Recipe
    """The winner."""
    scores: dict[str, dict[str, Interval]]
    """``scores[part][metric]`` of the final model, for train, (train_dev,) dev and (test)."""
    baselines: tuple[Baseline, ...]
    """Simpler models on the same rows."""
    verdict: Verdict
    """What limits the model."""
    next_step: str
    """The one thing to do next."""
    findings: tuple[Finding, ...]
    """Best first: by how much lower the dev error could be without them."""
    trials: tuple[Trial, ...]
    """Those of the search and the final networks."""
    seconds: float
    stages: dict[str, float]
    """Seconds spent in each stage."""
    compilations: int
    temperature: float = 1.0
    """Of the final model's probabilities (see ``shoal.calibration``); 1 where they were left as they came."""
    decision: Decision | None = None
    """How classes follow from the probabilities; ``None`` where the most probable one is said."""
    ledger: Ledger | None = None
    """Of the recipe loop; ``None`` where one recipe was trained."""
    measured: Measurements = field(default_factory=Measurements)
    """What the experiments behind the findings measured."""
    answers: Answers | None = None
    """What the trials of the search say; ``None`` where one recipe was trained."""
    chosen: EnsembleReport | None = None
    """How the networks of the model were chosen, where they are not the winner's on fresh seeds."""
    distilled: Distillation | None = None
    """What the model lost against its teacher, where it is a distilled network."""
    together: ShapesTogether | None = None
    """Whether the networks of several shapes predict together, where their first recipes were trained in full."""
    stopped: str = ""
    """Of a run that was asked to stop before its end: how far it came, and what its model is; it can be resumed."""
    format: int = RECORD_FORMAT


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What limits a model, how sure that is, and what to do next."""

    subject: str
    """What was diagnosed, in words: a run, or an estimator with its parameters."""
    source: str
    """Where the rows came from."""
    target: str
    """Name of the target's column."""
    task: Task
    """``classification``, ``regression`` or ``multi_label``."""
    metric: str
    """What the scores are in."""
    greater_is_better: bool
    """Whether more of the metric is better."""
    rows: dict[str, int]
    """Of each part that was looked at."""
    scores: dict[str, Interval]
    """In the metric, of each part that was looked at."""
    references: dict[str, Interval]
    """In the metric, on dev, of the models to compare with."""
    verdict: Verdict
    """What limits the model."""
    next_step: str
    """The one thing to do next."""
    findings: tuple[Finding, ...]
    """Best first: by how much lower the dev error could be without them; what cannot be told and what does not apply last."""
    healthy: dict[str, str]
    """Code and title of the checks that found nothing."""
    measured: Measurements
    """What the experiments behind the findings measured."""
    notes: tuple[str, ...] = ()
    """Things said plainly about the data and the fits that are not errors."""
