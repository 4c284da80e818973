"""One network that answers like several: its targets, how well it imitates, every task, interruption, what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from scipy import special

import shoal
from shoal import Choice, DataError, OptionError, Range, Recipe, ShoalClassifier, ShoalRegressor, Space, data, distillation
from shoal.distillation import TEACHER_SHARE, distilled_from, soft_targets
from shoal.ensemble import inputs_of, model_of
from shoal.measurements.distillation import Distillation
from shoal.metrics import METRICS, check_metric, score
from shoal.model import Model
from shoal.plan import Budget, Speed, plan_seconds
from shoal.population import Shoal
from shoal.progress import Stop
from shoal.report import run_html, summary
from shoal.saved_run import read_record
from shoal.trainer import Network, Trainer, own_seed


def table(rows: int = 600) -> pl.DataFrame:
    """Noisy classes, numbers, counts and labels of four columns."""
    rng = np.random.default_rng(5)
    columns = {f"x{index}": rng.normal(size=rows) for index in range(4)}
    signal = columns["x0"] - columns["x1"] ** 2 + columns["x2"] * columns["x3"] + rng.normal(size=rows)
    classes = np.where(signal > 0, "up", "down")
    three = np.where(signal > 1, "high", np.where(signal > -1, "middle", "low"))
    return pl.DataFrame({
        **columns, "two": classes, "three": three, "number": 10 + 5 * signal, "count": rng.poisson(np.exp(0.3 * columns["x0"])),
        "a": (signal > 0).astype(int), "b": (columns["x0"] > rng.normal(size=rows)).astype(int),
    })  # fmt: skip


TARGETS = ["two", "three", "number", "count", "a", "b"]


def trained(target: str | list[str], recipe: Recipe, source=None) -> tuple[Trainer, Shoal, list[Network]]:
    left_out = [name for name in TARGETS if name not in target]
    task = "regression" if target == "count" else "auto"
    dataset = data.load(table() if source is None else source, target=target, task=task, drop=[] if source is not None else left_out)
    trainer = Trainer(dataset, 0)
    networks = [Network(number, own_seed(0, 10**6 + number), recipe) for number in range(8)]
    trainer.train("teachers", networks)
    return trainer, trainer.shoal(recipe.shape, 16, sorted(recipe.techniques), 8), networks


LONG = Recipe((16, 16), epochs=40.0, learning_rate=0.02)


@pytest.fixture(scope="module")
def three_classes():
    return trained("three", LONG)


@pytest.fixture(scope="module")
def numbers():
    return trained("number", replace(LONG, epochs=30.0, learning_rate=0.005))


def test_the_targets_are_the_mean_of_the_teachers_mixed_with_the_rows_own(three_classes, numbers, monkeypatch):
    monkeypatch.setattr(distillation, "_ROWS_AT_ONCE", 100)  # in pieces
    for trainer, _, networks in (three_classes, numbers):
        mean = trainer.outputs(networks, "train").mean(0)
        own = trainer.dataset.targets["train"]
        if trainer.dataset.task == "regression":
            truth = trainer.dataset.truth["train"]
            mean = (mean - truth.mean()) / truth.std()
        else:
            own = np.eye(3)[own]
        found = soft_targets(trainer, model_of(trainer, networks))
        np.testing.assert_allclose(found, TEACHER_SHARE * mean + (1 - TEACHER_SHARE) * own, rtol=1e-4, atol=1e-5)


def divergence(teacher: np.ndarray, student: np.ndarray) -> float:
    """Kullback and Leibler's, mean over the rows."""
    return float(special.rel_entr(teacher, student).sum(-1).mean())


def test_a_distilled_network_answers_more_like_the_teacher_than_networks_trained_on_the_labels(three_classes, numbers):
    """On dev rows; the others are on fresh seeds as well, none of them a part of the teacher."""
    for trainer, shoal_, networks in (three_classes, numbers):
        others = [Network(number, own_seed(0, 77 + number), networks[0].recipe) for number in range(8)]
        trainer.train("others", others)
        model, _ = distilled_from(trainer, shoal_, networks, check_metric(None, trainer.dataset.task))
        teacher, alone = trainer.outputs(networks, "dev").mean(0), trainer.outputs(others, "dev")
        own = replace(model, temperature=1.0).outputs(inputs_of(trainer, model, "dev"))
        far = divergence if trainer.dataset.task == "classification" else lambda one, other: float(np.square(one - other).mean())
        assert far(teacher, own) < 0.9 * min(far(teacher, each) for each in alone)


def test_students_that_all_diverge_are_no_model(three_classes, monkeypatch):
    trainer, shoal_, networks = three_classes
    monkeypatch.setattr(
        distillation, "soft_targets", lambda trainer, _: np.full((len(trainer.dataset.targets["train"]), 3), np.inf, np.float32)
    )
    with pytest.raises(DataError, match="without diverging; received 8 networks"):
        distilled_from(trainer, shoal_, networks, check_metric(None, "classification"))


PICTURES = np.random.default_rng(0).integers(0, 255, (120, 8, 8), dtype=np.uint8)
SHORT = Recipe((16,), epochs=20.0, learning_rate=0.01)
OTHER_TASKS = {
    "two classes": ("two", SHORT),
    "softmax of two, balanced and smoothed": ("two", replace(SHORT, loss="softmax", class_balance=0.7, label_smoothing=0.1, mixup=0.2)),
    "sigmoid, balanced": ("two", replace(SHORT, class_balance=0.7)),
    "labels": (["a", "b"], SHORT),
    "counts": ("count", replace(SHORT, loss="poisson")),
    "quantile": ("number", replace(SHORT, loss="quantile", quantile=0.9)),
    "huber": ("number", replace(SHORT, loss="huber")),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_TASKS)
def test_every_task_and_loss_can_be_distilled_and_saved(name, tmp_path: Path):
    target, recipe = OTHER_TASKS[name]
    trainer, shoal_, networks = trained(target, recipe)
    model, told = distilled_from(trainer, shoal_, networks, check_metric(None, trainer.dataset.task))
    assert model.size == 1 and told.teachers == 8
    assert told.distilled.value < 1.2 * told.teacher.value  # it has learned what there is to learn
    model.save(tmp_path / "model")
    assert Model.load(tmp_path / "model").predict(table()).equals(model.predict(table()))


def test_pictures_can_be_distilled():
    labels = np.where(PICTURES.mean((1, 2)) > np.median(PICTURES.mean((1, 2))), "light", "dark")
    recipe = Recipe((8,), channels=(4,), epochs=2.0)
    dataset = data.load(PICTURES, y=labels)
    trainer = Trainer(dataset, 0)
    networks = [Network(number, number, recipe) for number in range(2)]
    trainer.train("teachers", networks)
    model, told = distilled_from(trainer, trainer.shoal(recipe.shape, 8, sorted(recipe.techniques), 2), networks, METRICS["error"])
    assert model.size == 1 and told.rows == len(dataset.truth["dev"])


def test_what_it_lost_is_the_difference_of_scores_on_the_dev_rows(three_classes):
    trainer, shoal_, networks = three_classes
    model, told = distilled_from(trainer, shoal_, networks, METRICS["accuracy"])
    truth = trainer.dataset.truth["dev"]
    teacher, own = trainer.outputs(networks, "dev").mean(0), model.outputs(inputs_of(trainer, model, "dev"))
    right = [(each.argmax(1) == truth).mean() for each in (teacher, own)]
    assert (told.teacher.value, told.distilled.value) == pytest.approx(right)
    assert told.loss.value == pytest.approx(right[0] - right[1]) and told.loss.low <= told.loss.value <= told.loss.high
    best = min(networks, key=lambda network: network.score)
    assert told.single.value == pytest.approx(score(METRICS["accuracy"], truth, trainer.outputs([best], "dev")[0]))
    assert told.gain.value == pytest.approx(told.single.value - told.distilled.value)


def test_its_probabilities_are_calibrated_and_it_decides_for_the_metric_as_other_final_models_do():
    rare = table().with_columns(pl.when(pl.col("three") == "high").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("two"))
    trainer, shoal_, networks = trained("two", LONG, rare.drop(["three", "number", "count", "a", "b"]))
    model, _ = distilled_from(trainer, shoal_, networks, METRICS["f1"])
    assert model.temperature != 1 and model.reference is not None
    assert model.decision is not None and model.decision.metric == "f1"


# --- runs -------------------------------------------------------------------------------------------------------------------------

SPACE = Space.of(
    Recipe(hidden_units=(8,), epochs=9.0, batch_size=32),
    [Range("learning_rate", 1e-3, 1e-1, "log"), Choice("keep_prob", (1.0, 0.9))],
)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "table.csv"
    table(200).drop([name for name in TARGETS if name != "three"]).write_csv(path)
    return path


def search(source: Path, **options):
    return shoal.search(source, **{"target": "three", "space": SPACE, "budget": "10trials", "final": "distilled", "seed": 3, **options})


@pytest.fixture(scope="module")
def whole(path: Path, tmp_path_factory: pytest.TempPathFactory):
    return search(path, out=tmp_path_factory.mktemp("runs") / "whole")


def same(one: Path, other: Path) -> bool:
    return all(
        (one / "model" / name).read_bytes() == (other / "model" / name).read_bytes() for name in ("weights.safetensors", "model.json")
    )


@pytest.mark.parametrize(("stage", "distilled_again"), [("distillation", True), ("answers", False)])
def test_an_interrupted_run_goes_on_to_the_same_network(whole, path, tmp_path, monkeypatch, stage, distilled_again):
    def dies(event):
        if event.stage == stage:
            raise Killed

    with pytest.raises(Killed):
        search(path, out=tmp_path / "run", listener=dies)
    soft, advance = [], Shoal.advance
    monkeypatch.setattr(Shoal, "advance", lambda self, *given: soft.append(self._train.target.ndim == 2) or advance(self, *given))
    again = shoal.resume(tmp_path / "run")
    assert same(tmp_path / "run", whole.folder) and again.record.distilled == whole.record.distilled
    assert any(soft) == distilled_again  # a finished distillation is in the journal


def test_a_run_that_is_stopped_before_the_distillation_has_the_mean_and_goes_on_to_the_same_network(whole, path, tmp_path):
    stop = Stop()

    def listener(event):
        stop.asked |= event.stage == "retrain"  # the last piece of the search; it comes to its end

    early = search(path, out=tmp_path / "run", listener=listener, stop=stop)
    assert early.model.size == 8 and early.record.distilled is None
    assert early.record.stopped.startswith("Stopped before the distillation; the model is the mean of the winner's networks.")
    again = shoal.resume(tmp_path / "run")
    assert again.record.stopped == "" and same(tmp_path / "run", whole.folder)


def test_the_record_the_screen_and_the_report_say_what_the_model_is_made_of(whole):
    record = read_record(whole.folder)
    told = record.distilled
    assert isinstance(told, Distillation) and told == whole.record.distilled
    assert (told.teachers, told.teacher_share, told.rows) == (8, TEACHER_SHARE, record.split.rows["dev"])
    assert record.scores["dev"][record.metric].value == pytest.approx(told.distilled.value)
    console = Console(width=300)
    with console.capture() as shown:
        console.print(summary(record, whole.folder))
    said = "One network that learned the answers of 8 (distillation)."
    assert said in shown.get() and said in (whole.folder / "report.html").read_text() and said in run_html(record)


def test_a_distilled_network_has_an_eighth_of_the_weights(whole, path, tmp_path):
    mean = search(path, final="mean")
    assert (whole.model.size, mean.model.size) == (1, 8) and mean.record.distilled is None
    mean.model.save(tmp_path / "mean")
    sizes = [sum(leaf.size for leaf in np_leaves(model)) for model in (whole.model, mean.model)]
    assert sizes[1] == 8 * sizes[0]
    assert [trial.score for trial in mean.record.trials] == [trial.score for trial in whole.record.trials]


def np_leaves(model: Model) -> list[np.ndarray]:
    return [leaf for layer in model.networks.parameters for leaf in layer.values()]


def test_a_plan_in_time_leaves_room_for_as_many_students_as_retrained_networks():
    families = SPACE.families
    for budget, searches, sound in (("1h", True, False), ("20s", False, True), ("30s", True, True)):
        at = (Budget.parse(budget), 100.0, families * 2, [8, 4], [Speed(1e-3, 2.0), Speed(2e-3, 3.0)], [40, 40])
        plan = plan_seconds(*at, sound=sound, searches=searches, distils=True)
        steps = plan.rungs[-1]
        turns = {8: 1, 4: 2}
        expected = max(turns[each.slots] * (0.035 + (each.step_seconds or 0) * steps) for each in plan.shoals)
        expected += max(each.compile_seconds or 0 for each in plan.shoals)
        undistilled = [*plan.rung_seconds[:-1], plan.rung_seconds[-1] - expected]
        assert min(undistilled) >= 0 and sum(plan.rung_seconds) <= 85.0
        assert "learn the answers of the final ones" in plan.reason
        assert plan.rung_seconds[-1] > expected
    costly = (Budget.parse("20s"), 20.0, families, [8], [Speed(5e-3, 2.0)], [40])
    with_it, without = (plan_seconds(*costly, distils=distils) for distils in (True, False))
    assert with_it.trials * with_it.rungs[-1] < without.trials * without.rungs[-1]  # what it costs is taken from the search


def test_the_estimators_distil_and_refuse_what_is_no_final_model():
    frame = table(300)
    X, recipe = frame.select("x0", "x1", "x2", "x3"), Recipe((8,), epochs=5.0)
    classifier = ShoalClassifier(recipe=recipe, final="distilled", random_state=0).fit(X, frame["two"])
    assert classifier.model_.size == 1 and classifier.score(X, frame["two"]) > 0.6
    assert ShoalRegressor(recipe=recipe, final="distilled", random_state=0).fit(X, frame["number"]).model_.size == 1
    with pytest.raises(OptionError, match=r"the final model is known; received 'distiled'. Did you mean 'distilled'\?"):
        ShoalClassifier(recipe=recipe, final="distiled").fit(X, frame["two"])
