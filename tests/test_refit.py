"""A run's networks trained again on the dev rows as well: the rows, the length, what is kept, the comparison on test rows, the words."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

import shoal as package
from shoal import Model, Recipe, RunFolderError, data
from shoal.interval import Interval
from shoal.measurements.refit import Refit
from shoal.report import refitted
from shoal.run_folder import RunFolder
from shoal.saved_run import REFIT, REFITTED, read_record
from shoal.trainer import Network, Trainer, whole_segments

from .cli.command import inside, shoal

RECIPE = Recipe((16,), batch_size=32, epochs=8.0, optimiser="adam", learning_rate=0.01, calibration="temperature")


def table(rows: int = 900) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(rows, 4)).round(3)
    kind = np.where(x[:, 0] * x[:, 1] + x[:, 2] + 0.3 * rng.normal(size=rows) > 0, "yes", "no")
    return pl.DataFrame({**{f"x{place}": x[:, place] for place in range(4)}, "kind": kind})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model are networks of several recipes with shares of their own."""
    folder = tmp_path_factory.mktemp("refit")
    table().write_csv(folder / "table.csv")
    options = ("--target", "kind", "--budget", "40trials", "--final", "greedy", "--metric", "f1", "--quiet")
    assert shoal("search", folder / "table.csv", *options, "--out", folder / "run").exit_code == 0
    return folder / "run"


def weights(networks: list[Network]):
    return [np.asarray(leaf) for network in networks for leaf in jax.tree.leaves(network.state)]


def test_rows_of_several_parts_are_trained_on_as_if_they_were_one():
    dataset = data.load(table(), target="kind", seed=1)
    joined = {
        name: {**getattr(dataset, name), "train": np.concatenate([getattr(dataset, name)[part] for part in ("train", "dev")])}
        for name in ("inputs", "targets", "truth", "weights")
    }
    by_part, by_hand = [Network(0, 5, RECIPE)], [Network(0, 5, RECIPE)]
    Trainer(dataset, 0, trained_on=("train", "dev")).train("x", by_part)
    Trainer(replace(dataset, **joined), 0).train("x", by_hand)
    assert all(np.array_equal(one, other) for one, other in zip(weights(by_part), weights(by_hand), strict=True))


def test_a_share_of_a_training_ends_with_the_learning_rate_that_it_has_there():
    dataset = data.load(table(), target="kind", seed=1)
    trainer = Trainer(dataset, 0)
    whole, half = Network(0, 5, RECIPE), Network(0, 5, RECIPE)
    trainer.train("whole", [whole])
    trainer.train("half", [half], share=0.5)
    assert half.steps == whole_segments(RECIPE, trainer.prepared(RECIPE.shape)[1]) / 2
    points = len(half.traces[0].dev_loss)
    assert half.traces[0].dev_loss == whole.traces[0].dev_loss[:points]  # no other decay on the way


def test_a_refit_trains_as_many_networks_of_the_same_recipes_on_the_dev_rows_as_well(run: Path, monkeypatch):
    before, record = inside(run), read_record(run)
    own = {path: (run / path).read_bytes() for path in before if (run / path).is_file()}
    asked = []
    train = Trainer.train

    def told(self, name, networks, *others, **named):
        train(self, name, networks, *others, **named)
        asked.append((self.prepared(networks[0].recipe.shape)[1].train_rows, [network.seed for network in networks]))

    monkeypatch.setattr(Trainer, "train", told)
    found = package.refit(run)
    old, new = (Model.load(run / name) for name in ("model", REFITTED))
    assert len(old.parts) > 1 and old.decision is not None
    assert [(part.recipe, len(part.networks.units)) for part in new.parts] == [
        (part.recipe, len(part.networks.units)) for part in old.parts
    ]
    assert new.shares == pytest.approx(old.shares) and new.scores is None
    assert (new.temperature, new.decision) == (old.temperature, old.decision)
    rows = record.split.rows
    assert (found.rows_before, found.rows, found.networks) == (rows["train"], rows["train"] + rows["dev"], old.size)
    assert {count for count, _ in asked} == {found.rows}
    seeds = [seed for _, some in asked for seed in some]
    assert len(set(seeds)) == found.networks and not set(seeds) & {trial.seed for trial in record.trials}
    assert inside(run) - before == {REFIT, REFITTED, f"{REFITTED}/model.json", f"{REFITTED}/weights.safetensors"}
    assert all((run / path).read_bytes() == content for path, content in own.items())


def test_both_models_are_scored_on_the_test_rows(run: Path):
    found, record = package.refit(run), read_record(run)
    dataset = data.load(run.parent / "table.csv", target="kind", seed=0)
    rows = dataset.table("test")
    truth = rows["kind"].to_list()

    def f1(model: Model) -> float:
        return float(f1_score(truth, model.predict(rows)["prediction"].to_list(), average="macro"))

    before, after = (f1(Model.load(run / name)) for name in ("model", REFITTED))
    assert found.before and found.after and found.difference
    assert found.test_rows == len(truth) and found.metric == "f1"
    assert found.before == record.scores["test"]["f1"] and found.before.value == pytest.approx(before)
    assert found.after.value == pytest.approx(after)
    assert found.difference.value == pytest.approx(before - after)  # as errors
    assert found.difference.low <= found.difference.value <= found.difference.high
    assert json.loads((run / REFIT).read_text())["content"]["refit"]["rows"] == found.rows


def test_networks_are_trained_for_as_long_as_those_of_the_run_were_of_use(run: Path):
    found, record, model = package.refit(run), read_record(run), Model.load(run / "model")
    for part, epochs in zip(model.parts, found.epochs, strict=True):
        best = [
            trial.best_step / trial.steps * part.recipe.epochs
            for trial in record.trials
            if trial.recipe == part.recipe and trial.steps == record.plan.rungs[-1]
        ]
        assert epochs == pytest.approx(np.mean(best), rel=0.02)


def test_a_refit_of_a_run_without_test_rows_says_nothing_about_its_error(tmp_path: Path):
    table(300).write_csv(tmp_path / "table.csv")
    package.train(tmp_path / "table.csv", recipe=RECIPE, target="kind", test_size=0, seeds=2, out=tmp_path / "run")
    found = package.refit(tmp_path / "run")
    assert (found.networks, found.test_rows, found.before, found.after, found.difference) == (2, 0, None, None, None)
    said = shoal("refit", tmp_path / "run", "--quiet").stdout
    assert "no rows are left that the training has not seen" in " ".join(said.split())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"stopped": "Stopped after 3 trials."}, "stopped early"), ({"distilled": object()}, "learned other networks' answers")],
)
def test_what_cannot_be_refitted_is_refused(run: Path, monkeypatch, change, complaint):
    before, record = inside(run), read_record(run)
    monkeypatch.setattr(RunFolder, "run", lambda self: replace(record, **change))
    with pytest.raises(RunFolderError, match=complaint):
        package.refit(run)
    assert inside(run) == before


def test_data_that_have_changed_are_refused(run: Path):
    source = run.parent / "table.csv"
    original = source.read_bytes()
    source.write_bytes(original.replace(b"yes", b"yea"))
    try:
        refused = shoal("refit", run)
    finally:
        source.write_bytes(original)
    assert refused.exit_code == 2 and "whose content has changed" in refused.stderr


def test_the_command_says_what_came_of_it_and_predicts_with_the_new_model(run: Path, tmp_path: Path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / REFITTED, ignore_errors=True)
    source = run.parent / "table.csv"
    refused = shoal("predict", copy, source, "--refitted", "--out", tmp_path / "new.txt")
    assert refused.exit_code == 2
    assert "--refitted needs a refitted model" in refused.stderr and "--out ends in" in refused.stderr
    result = shoal("refit", copy)
    assert result.exit_code == 0 and "the dev rows among them" in " ".join(result.stdout.split())
    assert f"shoal predict {copy} NEW_FILE --refitted" in " ".join(result.stderr.split())
    assert json.loads(shoal("refit", copy, "--json").stdout)["test_rows"] > 0
    predicted = shoal("predict", copy, source, "--refitted", "--proba").stdout
    assert predicted == Model.load(copy / REFITTED).predict(source, proba=True).write_csv()
    assert predicted != shoal("predict", copy, source, "--proba").stdout
    assert shoal("refit", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.02, -0.01, "the refitted model is better"), (0.01, 0.02, "the refitted model is worse"), (-0.01, 0.02, "cannot be told")],
)
def test_what_is_said_rests_on_the_interval(low, high, said):
    span = Interval((low + high) / 2, low, high)
    found = Refit(100, 140, 8, (3.0,), "error", 50, Interval(0.2, 0.1, 0.3), Interval(0.19, 0.1, 0.3), span)
    assert said in refitted(found) and "On the 50 test rows the error rate is 19.0 % (10.0 to 30.0)" in refitted(found)
